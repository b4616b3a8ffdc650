// SPDX-License-Identifier: Apache-2.0
// Ops that stand for small programs: normalisations and scaled_dot_product_attention, lowered to what they
// compute.
#include <algorithm>
#include <numeric>

#include "graph/dsl_contract.h"
#include "graph/dsl_ops.h"

namespace flashlight::graph {
namespace {

TensorView call(Builder& b, std::string_view name, const ArgList& args) {
  return std::get<TensorView>(apply_op(b, name, args));
}

// The trailing axes that a weight normalises over: as many as it has, one without it.
std::vector<int> normalised_axes(Builder& b, const TensorView& x, const Args& a,
                                 std::initializer_list<int> weights) {
  int count = 1;
  for (int i : weights)
    if (a.has(i)) {
      const TensorView& weight = a.tensor(i);
      need_exact(b, weight, weight.pack ? std::max(1, explicit_axes(weight)) : rank_of(weight), a);
      count = std::max(count, rank_of(weight));
    }
  need_trailing(b, x, count, a);
  std::vector<int> axes(count);
  std::iota(axes.begin(), axes.end(), rank_of(x) - count);
  return axes;
}

TensorView mean_over(const Math& m, const TensorView& x, const std::vector<int>& axes) {
  Sym n(1);
  for (int axis : axes) n = n * x.shape[axis];
  TensorView total = reduce(m.b, ReduceKind::Sum, x, axes, true, x.dtype, m.args);
  return m.mul(total, scalar_view(m.b, divide(Sym(1.0), make_sym(SymOp::ToReal, {n}))));
}

TensorView epsilon(Builder& b, const Args& a, int i, double otherwise) {
  return convert(b, scalar_view(b, a.sym_or(i, Sym(otherwise))), Type::Float);
}

// x / sqrt(mean(x^2) + eps) * weight
Arg rms_norm(Builder& b, const Args& a) {
  Math m{b, a};
  TensorView x = to_float(b, a.tensor(0));
  std::vector<int> axes = normalised_axes(b, x, a, {1});
  TensorView scale = m.pow(m.add(mean_over(m, m.pow(x, 2), axes), epsilon(b, a, 2, 1e-6)), -0.5);
  TensorView out = m.mul(x, scale);
  return a.has(1) ? m.mul(out, a.tensor(1)) : out;
}

// (x - mean) / sqrt(var + eps) * weight + bias
Arg layer_norm(Builder& b, const Args& a) {
  Math m{b, a};
  TensorView x = to_float(b, a.tensor(0));
  std::vector<int> axes = normalised_axes(b, x, a, {1, 2});
  TensorView centred = m.sub(x, mean_over(m, x, axes));
  TensorView variance = mean_over(m, m.pow(centred, 2), axes);
  TensorView out = m.mul(centred, m.pow(m.add(variance, epsilon(b, a, 3, 1e-5)), -0.5));
  if (a.has(1)) out = m.mul(out, a.tensor(1));
  return a.has(2) ? m.add(out, a.tensor(2)) : out;
}

// A key head serves several query heads: x[.., h / group, ..].
TensorView shared_heads(Builder& b, const TensorView& x, const TensorView& q) {
  Sym heads = std::get<Sym>(apply_op(b, "size", {x, Sym(-3)}));
  Sym query_heads = std::get<Sym>(apply_op(b, "size", {q, Sym(-3)}));
  return call(b, "repeat_interleave", {x, floor_div(query_heads, heads), Sym(-3)});
}

// softmax(q k^T * scale, masked) v; options in order: mask, is_causal, scale, enable_gqa.
Arg scaled_dot_product_attention(Builder& b, const Args& a) {
  static const ArgList none;
  auto* given = std::get_if<ArgList>(&a.at(3));
  Args options(a.op(), given ? *given : none);
  TensorView q = a.tensor(0), k = a.tensor(1), v = a.tensor(2);
  for (const TensorView& x : {q, k, v}) need_trailing(b, x, 2, a);
  if (options.flag_or(3, false)) k = shared_heads(b, k, q), v = shared_heads(b, v, q);
  Sym root = make_sym(SymOp::Call, {make_sym(SymOp::ToReal, {q.shape.back()})}, "sqrt");
  TensorView scores = matmul(b, q, call(b, "mT", {k}), a);
  scores = call(b, "*", {scores, options.sym_or(2, divide(Sym(1.0), root))});
  bool causal = options.flag_or(1, false);
  if (causal && options.has(0)) a.fail("type-mismatch", "takes a mask or is_causal, not both");
  Sym nothing(-std::numeric_limits<double>::infinity());
  if (causal) {
    TensorView i = call(b, "unsqueeze", {iota_view(b, q.shape[rank_of(q) - 2]), Sym(-1)});
    TensorView j = iota_view(b, k.shape[rank_of(k) - 2]);
    scores = call(b, "where", {call(b, "<=", {j, i}), scores, nothing});
  }
  if (options.has(0)) {
    const TensorView& mask = options.tensor(0);
    scores =
        mask.type == Type::Bool ? call(b, "where", {mask, scores, nothing}) : call(b, "+", {scores, mask});
  }
  return matmul(b, call(b, "softmax", {scores, Sym(-1)}), v, a);
}

constexpr OpRow kRows[] = {
    {"rms_norm", rms_norm},
    {"layer_norm", layer_norm},
    {"scaled_dot_product_attention", scaled_dot_product_attention},
};

}  // namespace

std::span<const OpRow> attention_ops() { return kRows; }

}  // namespace flashlight::graph
