// SPDX-License-Identifier: Apache-2.0
// Contractions in index notation: one sum of a product, whether written as matmul, bmm, linear or einsum.
#include "graph/dsl_contract.h"

#include <algorithm>
#include <cstdlib>

#include "graph/dsl_einsum.h"
#include "graph/dsl_ops.h"

namespace flashlight::graph {
namespace {

bool holds(const Letters& letters, int letter) {
  return std::find(letters.begin(), letters.end(), letter) != letters.end();
}

std::string describe(const std::vector<Factor>& factors) {
  std::string text;
  for (const Factor& f : factors) text += (text.empty() ? "" : " and ") + describe(f.view);
  return text;
}

// The size of every letter. Summed axes and axes of one operand must agree, others broadcast.
std::map<int, Sym> sizes_of(Builder& b, const std::vector<Factor>& factors, const Letters& out,
                            const Args& a) {
  std::map<int, Sym> sizes;
  std::string what = a.op() + " of " + describe(factors);
  for (const Factor& f : factors)
    for (std::size_t k = 0; k < f.letters.size(); ++k) {
      int letter = f.letters[k];
      auto [at, is_new] = sizes.emplace(letter, f.view.shape[k]);
      if (is_new) continue;
      bool summed = !holds(out, letter);
      if (!summed)
        for (const Factor& g : factors)
          if (std::size_t m = std::find(g.letters.begin(), g.letters.end(), letter) - g.letters.begin();
              m < g.letters.size() && raw_parameter(b, g.view) >= 0)
            b.meets(g.view.shape[m], {at->second, f.view.shape[k]});
      at->second = summed
                       ? b.unify(at->second, f.view.shape[k], what + ": the sizes of the summed dims")
                       : b.unify_broadcast(at->second, f.view.shape[k], what + ": the sizes of a common dim");
    }
  return sizes;
}

// The factor over the axes of `iteration`: an axis of size 1 is read at 0.
TensorView over(const TensorView& view, const Letters& letters, const Letters& iteration, const Shape& shape,
                bool pack) {
  std::vector<Sym> axes;
  for (std::size_t k = 0; k < letters.size(); ++k) {
    auto at = std::find(iteration.begin(), iteration.end(), letters[k]) - iteration.begin();
    axes.push_back(view.shape[k].is_integer(1) ? Sym(0) : Sym::axis(static_cast<int>(at)));
  }
  return reindex(view, axes, shape, pack);
}

}  // namespace

Letters leading_letters(const TensorView& v, int own) {
  Letters letters;
  int leading = rank_of(v) - own;
  for (int k = 0; k < leading; ++k) letters.push_back(v.pack && k == 0 ? kPackLetter : k - leading);
  return letters;
}

TensorView contract(Builder& b, std::vector<Factor> factors, const Letters& out, const Args& a) {
  std::vector<TensorView> views;
  for (const Factor& f : factors) views.push_back(f.view);
  Kind kind = number_kind(views);
  for (Factor& f : factors) f.view = convert(b, f.view, kind);

  std::map<int, Sym> sizes = sizes_of(b, factors, out, a);
  Letters iteration = out;
  for (const Factor& f : factors)
    for (int letter : f.letters)
      if (!holds(iteration, letter)) iteration.push_back(letter);
  Shape shape;
  for (int letter : iteration) shape.push_back(sizes.at(letter));
  bool pack = holds(out, kPackLetter);

  std::vector<TensorView> product;
  for (const Factor& f : factors) product.push_back(over(f.view, f.letters, iteration, shape, pack));
  TensorView value = product.size() == 1 ? product[0] : map(b, Fn::Mul, product, kind.dtype, a);
  std::vector<int> summed;
  for (std::size_t k = out.size(); k < iteration.size(); ++k) summed.push_back(static_cast<int>(k));
  value.dtype = kind.dtype;
  return summed.empty() ? value : reduce(b, ReduceKind::Sum, value, summed, false, kind.dtype, a);
}

namespace {

// Letters of a matrix product: rows i, columns j, the summed d.
enum : int { kRow, kColumn, kSummed };

Letters with(Letters letters, std::initializer_list<int> own) {
  letters.insert(letters.end(), own);
  return letters;
}

// A view that splits or joins axes: its dims are not the parameter's.
// Axes are split or repeated; whole axes that are merged, as in [B * H, S, D], are those of the tensor.
bool is_regrouped(const TensorView& v) {
  auto has = [&](SymOp op) {
    return std::count_if(v.index.begin(), v.index.end(), [&](const Sym& e) { return contains(e, op); });
  };
  return has(SymOp::Add) > 0 ||
         has(SymOp::Mod) > std::count_if(v.index.begin(), v.index.end(), [](const Sym& e) {
           return contains(e, SymOp::FloorDiv) && !contains(e, SymOp::Mod);
         });
}

// Parameters that are operands as they are, alone or joined to others.
void note_multiplied(Builder& b, const TensorView& v) {
  if (!v.pack) b.signs().unusual_operands += std::abs(rank_of(v) - kUsualRank);
  if (is_regrouped(v)) return;
  if (int param = raw_parameter(b, v); param >= 0) b.signs().multiplied.insert(param);
  const Node& n = b.node(v.node);
  if (n.op != Op::Segment) return;
  for (const Operand& operand : n.operands)
    if (const Node& part = b.node(operand.node); part.op == Op::Input && part.shape.size() == n.shape.size())
      b.signs().multiplied.insert(part.input);
}

Letters longer(const Letters& x, const Letters& y) {
  if (holds(x, kPackLetter) != holds(y, kPackLetter)) return holds(x, kPackLetter) ? x : y;
  return x.size() >= y.size() ? x : y;
}

// linear(x, w, bias) = x w^T + bias, a contraction over the last axis of both.
Arg linear(Builder& b, const Args& a) {
  TensorView x = a.tensor(0), w = a.tensor(1);
  need_trailing(b, x, 1, a);
  need_exact(b, w, 2, a);
  Letters batch = leading_letters(x, 1);
  TensorView out =
      contract(b, {{x, with(batch, {kSummed})}, {w, {kColumn, kSummed}}}, with(batch, {kColumn}), a);
  if (!a.has(2)) return out;
  need_exact(b, a.tensor(2), 1, a);
  return Math{b, a}.add(out, a.tensor(2));
}

Arg bmm(Builder& b, const Args& a) {
  for (int k = 0; k < 2; ++k) need_exact(b, a.tensor(k), 3, a);
  return matmul(b, a.tensor(0), a.tensor(1), a);
}

Arg matmul_op(Builder& b, const Args& a) { return matmul(b, a.tensor(0), a.tensor(1), a); }

Arg einsum(Builder& b, const Args& a) {
  auto* spec = std::get_if<std::string>(&a.at(0));
  if (!spec) a.fail("not-constant", "the equation must be a string literal");
  return einsum(b, *spec, a.tensors(1), a);
}

constexpr OpRow kRows[] = {{"matmul", matmul_op}, {"bmm", bmm}, {"linear", linear}, {"einsum", einsum}};

}  // namespace

TensorView matmul(Builder& b, const TensorView& x, const TensorView& y, const Args& a) {
  std::vector<TensorView> views{x, y};
  std::vector<int> own;
  for (const TensorView& v : views) {
    if (v.shape.empty())
      a.fail("shape-mismatch", "needs tensors with dims, got " + describe(x) + " and " + describe(y));
    own.push_back(!v.pack && rank_of(v) == 1 ? 1 : 2);
    need_trailing(b, v, own.back(), a);
  }
  align_leading(b, views, own, a);
  for (const TensorView& v : views) note_multiplied(b, v);
  Letters left = leading_letters(x, own[0]), right = leading_letters(y, own[1]), out = longer(left, right);
  if (own[0] == 2) out.push_back(kRow);
  if (own[1] == 2) out.push_back(kColumn);
  left = own[0] == 2 ? with(left, {kRow, kSummed}) : with(left, {kSummed});
  right = own[1] == 2 ? with(right, {kSummed, kColumn}) : with(right, {kSummed});
  return contract(b, {{x, left}, {y, right}}, out, a);
}

std::span<const OpRow> contract_ops() { return kRows; }

}  // namespace flashlight::graph
