// SPDX-License-Identifier: Apache-2.0
// Ops that make tensors: ranges, constants, triangles. A constant of any shape is a Scalar seen through an
// empty index.
#include "graph/dsl_ops.h"

namespace flashlight::graph {
namespace {

TensorView constant(Builder& b, const Sym& value, Type type) {
  return convert(b, scalar_view(b, value), type);
}

TensorView filled(Builder& b, const Sym& value, const Shape& shape, bool pack, const Kind& kind) {
  TensorView out = spread(constant(b, value, kind.type), shape, pack);
  out.dtype = kind.dtype;
  return out;
}

// zeros(sizes, dtype) and its kin.
template <int value>
Arg full_of(Builder& b, const Args& a) {
  Kind kind = kind_or(a, 1, {Type::Float, default_rule(Type::Float)});
  return filled(b, Sym(value), a.sizes(0), false, kind);
}

template <int value>
Arg full_of_like(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  return filled(b, Sym(value), x.shape, x.pack, {x.type, x.dtype});
}

Arg full(Builder& b, const Args& a) {
  Type type = scalar_view(b, a.sym(1)).type;
  return filled(b, a.sym(1), a.sizes(0), false, kind_or(a, 2, {type, default_rule(type)}));
}

Arg full_like(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  return filled(b, a.sym(1), x.shape, x.pack, {x.type, x.dtype});
}

// The number of steps from start to before end: ceil((end - start) / step).
Sym steps(const Sym& start, const Sym& end, const Sym& step) {
  Sym distance = end - start;
  if (distance.type() == SymType::Integer && step.type() == SymType::Integer)
    return step.is_integer(1) ? distance : -floor_div(-distance, step);
  return make_sym(SymOp::ToInteger, {make_sym(SymOp::Call, {divide(distance, step)}, "ceil")});
}

// arange(end), arange(start, end, step), each with an optional dtype behind.
Arg arange(Builder& b, const Args& a) {
  int numbers = a.is_sym(1) ? 2 : 1;
  Sym start = numbers == 1 ? Sym(0) : a.sym(0), end = a.sym(numbers - 1);
  Sym step = numbers == 2 && a.is_sym(2) ? a.sym(2) : Sym(1);
  bool integer =
      start.type() == SymType::Integer && end.type() == SymType::Integer && step.type() == SymType::Integer;
  TensorView out = iota_view(b, steps(start, end, step));
  Math m{b, a};
  Kind kind{integer ? Type::Int : Type::Float, default_rule(integer ? Type::Int : Type::Float)};
  out = convert(b, out, kind);
  if (!step.is_integer(1)) out = m.mul(out, convert(b, scalar_view(b, step), kind.type));
  if (!start.is_integer(0)) out = m.add(out, convert(b, scalar_view(b, start), kind.type));
  for (int k = numbers; k < a.size(); ++k) kind = kind_or(a, k, kind);
  return convert(b, out, kind);
}

// Positions along an axis of `shape`, broadcasting against it.
TensorView positions(Builder& b, const Shape& shape, std::size_t axis, bool pack) {
  TensorView i = iota_view(b, shape[axis]);
  for (Sym& e : i.index) e = Sym::axis(static_cast<int>(axis));
  i.shape = shape;
  i.pack = pack;
  return i;
}

// Keeps x where `row - column` stands to `diagonal` as asked, else 0.
TensorView triangle(Builder& b, const Args& a, const TensorView& x, bool lower) {
  need_trailing(b, x, 2, a);
  std::size_t rank = x.shape.size();
  Math m{b, a};
  TensorView i = positions(b, x.shape, rank - 2, x.pack), j = positions(b, x.shape, rank - 1, x.pack);
  TensorView bound = m.add(i, scalar_view(b, a.sym_or(1, Sym(0))));
  TensorView keep =
      map(b, Fn::Le, lower ? std::vector{j, bound} : std::vector{bound, j}, default_rule(Type::Bool), a);
  TensorView zero = constant(b, Sym(0), x.type);
  return map(b, Fn::Where, {keep, x, zero}, x.dtype, a);
}

Arg tril(Builder& b, const Args& a) { return triangle(b, a, a.tensor(0), true); }
Arg triu(Builder& b, const Args& a) { return triangle(b, a, a.tensor(0), false); }

Arg eye(Builder& b, const Args& a) {
  Shape shape{a.sym(0), a.sym_or(1, a.sym(0))};
  Kind kind = kind_or(a, 2, {Type::Float, default_rule(Type::Float)});
  TensorView same = map(b, Fn::Eq, {positions(b, shape, 0, false), positions(b, shape, 1, false)},
                        default_rule(Type::Bool), a);
  return convert(b, same, kind);
}

// The shape of a nested list, whose numbers go to `out` in order.
Shape read_numbers(const Args& a, const Arg& value, std::vector<Sym>& out) {
  if (auto* number = std::get_if<Sym>(&value)) {
    out.push_back(*number);
    return {};
  }
  auto* list = std::get_if<ArgList>(&value);
  if (!list || list->empty()) a.fail("type-mismatch", "needs numbers, or lists of them");
  std::optional<Shape> inner;
  for (const Arg& item : *list) {
    Shape shape = read_numbers(a, item, out);
    if (inner && *inner != shape) a.fail("shape-mismatch", "the lists are of different lengths");
    inner = shape;
  }
  inner->insert(inner->begin(), Sym(static_cast<std::int64_t>(list->size())));
  return *inner;
}

// Numbers as written become a chain of where(position == k, number, ..): only few make sense in a kernel.
constexpr std::size_t kMostNumbers = 64;

Arg tensor(Builder& b, const Args& a) {
  std::vector<Sym> numbers;
  Shape shape = read_numbers(a, a.at(0), numbers);
  if (numbers.size() > kMostNumbers)
    a.fail("unsupported-op",
           "of " + std::to_string(numbers.size()) + " numbers is not translated (at most " +
               std::to_string(kMostNumbers) + ")",
           "pass the tensor as a parameter");
  std::vector<TensorView> views;
  for (const Sym& number : numbers) views.push_back(scalar_view(b, number));
  Kind kind = kind_or(a, 1, promote(views));
  Sym linear(0), stride(1);
  for (std::size_t k = shape.size(); k-- > 0;) {
    linear = linear + Sym::axis(static_cast<int>(k)) * stride;
    stride = stride * shape[k];
  }
  // Over one axis; the shape is put on by a view.
  TensorView at = iota_view(b, Sym(static_cast<std::int64_t>(numbers.size())));
  TensorView out = convert(b, views.back(), kind);
  for (std::size_t k = numbers.size() - 1; k-- > 0;) {
    if (numbers[k] == numbers.back() && out.index.empty()) continue;
    TensorView here =
        map(b, Fn::Eq, {at, scalar_view(b, Sym(static_cast<std::int64_t>(k)))}, default_rule(Type::Bool), a);
    out = map(b, Fn::Where, {here, convert(b, views[k], kind), out}, kind.dtype, a);
  }
  out = out.shape.empty() ? spread(out, shape, false) : reindex(out, {linear}, shape, false);
  out.dtype = kind.dtype;
  return out;
}

constexpr OpRow kRows[] = {
    {"arange", arange},
    {"zeros", full_of<0>},
    {"ones", full_of<1>},
    {"empty", full_of<0>},
    {"full", full},
    {"zeros_like", full_of_like<0>},
    {"ones_like", full_of_like<1>},
    {"empty_like", full_of_like<0>},
    {"full_like", full_like},
    {"eye", eye},
    {"tril", tril},
    {"triu", triu},
    {"tensor", tensor},
};

}  // namespace

std::span<const OpRow> create_ops() { return kRows; }

}  // namespace flashlight::graph
