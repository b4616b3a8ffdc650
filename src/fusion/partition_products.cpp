// SPDX-License-Identifier: Apache-2.0
// Takes a function apart around its matrix products. A product's result is a tensor, and so are its sides,
// unless they are plain already: a norm that several projections read is written once. What is between
// products becomes kernels or groups.
#include <algorithm>
#include <optional>
#include <set>

#include "fusion/partition.h"

namespace flashlight::fusion {

namespace {

using graph::Function;
using graph::Operand;
using graph::Output;
using graph::Sym;
using graph::TensorView;

// A product in a function that has a node for each side.
struct Sided {
  TensorView node, left, right;
  std::vector<Operand> taken_back;
  std::vector<int> left_axes, right_axes;  // the product's axes that the sides' axes stand for
  graph::Shape extents;
  std::vector<int> order;
};

// The axes that a side varies with, the batch pack first.
std::vector<int> axes_of(Dependence& dependence, const std::vector<Access>& side,
                         const graph::Shape& extents) {
  LoopSet loops = 0;
  for (const Access& factor : side) loops |= dependence(factor);
  std::vector<int> axes;
  for (int a = 0; a < static_cast<int>(extents.size()); ++a) {
    if (!(loops & bit(a))) continue;
    axes.insert(is_pack(extents[static_cast<std::size_t>(a)]) ? axes.begin() : axes.end(), a);
  }
  return axes;
}

// The product of the factors as a value over those axes, in the new function.
TensorView add_side(graph::Rebuild& rebuild, const std::vector<Access>& side, const std::vector<int>& axes,
                    const graph::Shape& extents) {
  TensorView view;
  std::vector<Sym> place(extents.size(), Sym(0));
  for (std::size_t k = 0; k < axes.size(); ++k) {
    place[static_cast<std::size_t>(axes[k])] = Sym::axis(static_cast<int>(k));
    view.shape.push_back(extents[static_cast<std::size_t>(axes[k])]);
  }
  std::vector<Operand> factors;
  for (const Access& factor : side)
    factors.push_back(graph::seen_through(rebuild.moved({factor.node, factor.index}), place));
  view.node =
      rebuild.builder().map(factors.size() == 1 ? graph::Fn::Add : graph::Fn::Mul, view.shape, factors);
  view.index = graph::identity_index(view.shape.size());
  view.pack = !view.shape.empty() && is_pack(view.shape[0]);
  return view;
}

Output output_of(TensorView view) { return {std::move(view), {}}; }

// The function with the products' sides as nodes, behind its own outputs: per product its value, its factors,
// its sides.
Function with_sides(const Function& whole, const std::vector<MatrixProduct>& products,
                    std::vector<Sided>& sided) {
  Dependence dependence(whole.graph);
  graph::Rebuild rebuild(whole);
  rebuild.copy();
  std::vector<Output> outputs;
  const auto moved = [&](TensorView view) {
    const Operand value = rebuild.moved({view.node, view.index});
    view.node = value.node;
    view.index = value.index;
    return view;
  };
  for (const Output& out : whole.outputs) outputs.push_back({moved(out.value), out.path});
  for (const MatrixProduct& p : products) {
    Sided s;
    s.extents = p.extents;
    s.order = p.order;
    s.left_axes = axes_of(dependence, p.left, p.extents);
    s.right_axes = axes_of(dependence, p.right, p.extents);
    outputs.push_back(output_of(moved(view_of(whole.graph, p.node))));
    for (const Operand& factor : p.taken_back) {
      TensorView view;
      view.node = factor.node;
      view.index = factor.index;
      view.shape = whole.graph[p.node].shape;
      outputs.push_back(output_of(moved(view)));
    }
    outputs.push_back(output_of(add_side(rebuild, p.left, s.left_axes, p.extents)));
    outputs.push_back(output_of(add_side(rebuild, p.right, s.right_axes, p.extents)));
    sided.push_back(std::move(s));
  }
  Function f = rebuild.finish(std::move(outputs));
  auto at = f.outputs.begin() + static_cast<std::ptrdiff_t>(whole.outputs.size());
  for (std::size_t k = 0; k < products.size(); ++k) {
    sided[k].node = (at++)->value;
    for (std::size_t n = 0; n < products[k].taken_back.size(); ++n, ++at)
      sided[k].taken_back.push_back({at->value.node, at->value.index});
    sided[k].left = (at++)->value;
    sided[k].right = (at++)->value;
  }
  f.outputs.resize(whole.outputs.size());
  return f;
}

// Steps by the same distance along each axis, wherever it is.
bool is_affine(const std::vector<Sym>& index, std::size_t axes) {
  for (Sym e : index) {
    for (std::size_t a = 0; a < axes; ++a) {
      const auto parts = graph::affine_in(e, static_cast<int>(a));
      if (!parts || graph::contains(parts->first, graph::SymOp::Axis)) return false;
      e = parts->second;
    }
    if (graph::contains(e, graph::SymOp::Datum)) return false;
  }
  return true;
}

// The product as the result's tensor has it, where that is all that reads it: the product's value, or that
// times the factors that have come back into it.
std::optional<TensorView> as_result(const Function& f, const Sided& p, const TensorView& result) {
  const graph::NodeId product = p.node.node;
  const graph::Node& node = f.graph[result.node];
  TensorView view = result;
  if (result.node != product) {
    if (p.taken_back.empty() || node.op != graph::Op::Map || node.fn != graph::Fn::Mul ||
        node.operands.size() != p.taken_back.size() + 1)
      return std::nullopt;
    const auto use = std::find_if(node.operands.begin(), node.operands.end(),
                                  [&](const Operand& o) { return o.node == product; });
    if (use == node.operands.end()) return std::nullopt;
    view.node = product;
    view.index = graph::seen_through(*use, result.index).index;
  } else if (!p.taken_back.empty()) {
    return std::nullopt;
  }
  const std::set<Sym> axes(view.index.begin(), view.index.end());
  const bool whole =
      axes.size() == view.shape.size() && view.index.size() == view.shape.size() &&
      std::all_of(axes.begin(), axes.end(), [](const Sym& e) { return e.op() == graph::SymOp::Axis; });
  return whole ? std::optional(view) : std::nullopt;
}

// The result that is made of the product like that, and nothing else is; -1: none.
int result_of(const Function& f, const Sided& p) {
  int found = -1;
  for (std::size_t o = 0; o < f.outputs.size(); ++o) {
    if (!as_result(f, p, f.outputs[o].value)) continue;
    if (found >= 0) return -1;
    found = static_cast<int>(o);
  }
  if (found < 0) return -1;
  const graph::NodeId through = f.outputs[static_cast<std::size_t>(found)].value.node;
  for (graph::NodeId id = 0; id < f.graph.size(); ++id)
    for (const Operand& o : f.graph[id].operands)
      if (o.node == through || (o.node == p.node.node && id != through)) return -1;
  for (std::size_t o = 0; o < f.outputs.size(); ++o)
    if (static_cast<int>(o) != found &&
        (f.outputs[o].value.node == through || f.outputs[o].value.node == p.node.node))
      return -1;
  return found;
}

std::vector<Sym> along(const std::vector<Sym>& index, const std::vector<int>& axes) {
  std::vector<Sym> place, result;
  for (const int axis : axes) place.push_back(Sym::axis(axis));
  for (const Sym& e : index) result.push_back(graph::substitute_axes(e, place));
  return result;
}

}  // namespace

void Partition::around_products(const Piece& piece) {
  const Function& whole = piece.function;
  Dependence dependence(whole.graph);
  std::vector<Sided> products;
  const Function f = with_sides(whole, find_products(whole, dependence), products);
  Cuts cuts;
  std::set<int> results;
  for (const Sided& p : products) {
    const std::size_t rank = f.graph[p.node.node].shape.size();
    ProductPlan plan;
    plan.extents = p.extents;
    plan.left = side_of(f, p.left, p.left_axes, cuts);
    plan.right = side_of(f, p.right, p.right_axes, cuts);
    Output result = output_of(view_of(f.graph, p.node.node, p.order));
    result.value.dtype = eager_type(f, p.node.node);
    if (const int number = result_of(f, p); number >= 0) {
      results.insert(number);
      Output stored = f.outputs[static_cast<std::size_t>(number)];
      stored.value = *as_result(f, p, stored.value);
      add_product(f, std::move(plan), std::move(stored), rank,
                  piece.targets[static_cast<std::size_t>(number)]);
      continue;
    }
    const int tensor = intermediate(f, result.value);
    add_product(f, std::move(plan), std::move(result), rank, {true, tensor});
    cuts[p.node.node] = {tensor, p.taken_back, p.order};
  }
  Piece rest;
  Function whole_with_tensors = f;
  whole_with_tensors.tensors = tensors_;
  std::vector<Output> outputs;
  for (std::size_t o = 0; o < f.outputs.size(); ++o) {
    if (results.contains(static_cast<int>(o))) continue;
    outputs.push_back(f.outputs[o]);
    rest.targets.push_back(piece.targets[o]);
  }
  if (outputs.empty()) return;
  rest.function = rebuilt(whole_with_tensors, std::move(outputs), cuts);
  split(rest);
}

ProductSide Partition::side_of(const Function& f, const TensorView& side, const std::vector<int>& axes,
                               const Cuts& cuts) {
  for (const auto& [view, tensor] : stored_)
    if (view.node == side.node && view.index == side.index && view.shape == side.shape)
      return {tensor, along(graph::identity_index(side.shape.size()), axes)};
  Piece piece = piece_of(f, side, cuts);
  if (const auto plain = as_it_lies(piece);
      plain && piece.function.outputs[0].value.type == graph::Type::Float)
    return {plain->tensor, along(plain->index, axes)};
  const int tensor = intermediate(f, side);
  piece.function.tensors = tensors_;
  piece.targets = {{true, tensor}};
  split(piece);
  stored_.emplace_back(side, tensor);
  return {tensor, along(graph::identity_index(side.shape.size()), axes)};
}

Piece Partition::piece_of(const Function& f, const TensorView& value, const Cuts& cuts,
                          const Cuts& ordered) const {
  Output out = output_of(value);
  out.value.dtype = stored_type(f, value.node);
  Function whole = f;
  whole.tensors = tensors_;
  return {rebuilt(whole, {std::move(out)}, cuts, ordered), {}};
}

// The pack of a tensor is read as a whole, along the pack.
std::optional<ProductSide> Partition::as_it_lies(const Piece& piece) {
  const TensorView& value = piece.function.outputs[0].value;
  const graph::Node& node = piece.function.graph[value.node];
  if (node.op != graph::Op::Input || !is_affine(value.index, value.shape.size())) return std::nullopt;
  const bool pack = piece.function.tensors[static_cast<std::size_t>(node.input)].pack;
  if (pack && !(value.pack && value.index[0] == Sym::axis(0))) return std::nullopt;
  return ProductSide{node.input, value.index};
}

void Partition::add_product(const Function& f, ProductPlan product, Output result, std::size_t rank,
                            Target target) {
  Function whole = f;
  whole.tensors = tensors_;
  graph::Builder builder(whole);
  const auto read = [&](const ProductSide& side) {
    graph::Node input;
    input.op = graph::Op::Input;
    input.input = side.tensor;
    input.shape = tensors_[static_cast<std::size_t>(side.tensor)].shape;
    return Operand{builder.add(input), side.index};
  };
  builder.at(f.graph.source(result.value.node));
  const graph::NodeId body =
      builder.map(graph::Fn::Mul, product.extents, {read(product.left), read(product.right)});
  const auto own = product.extents.begin() + static_cast<std::ptrdiff_t>(rank);
  // Where each axis of the stored tensor stands among the product's: the inverse of the view.
  product.result.resize(result.value.shape.size());
  for (std::size_t a = 0; a < result.value.index.size(); ++a)
    product.result[static_cast<std::size_t>(result.value.index[a].integer())] =
        Sym::axis(static_cast<int>(a));
  result.value.node =
      builder.reduce(graph::ReduceKind::Sum, {product.extents.begin(), own}, {own, product.extents.end()},
                     {body, graph::identity_index(product.extents.size())});
  Piece piece{builder.finish(f.name, {std::move(result)}), {target}};
  planned_.push_back({std::move(piece), StepKind::Product, {}, std::move(product)});
}

}  // namespace flashlight::fusion
