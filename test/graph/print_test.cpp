// SPDX-License-Identifier: Apache-2.0
// The printed Graph: what a reader sees, and that names of variables are comments only.
#include "build_language.h"

namespace flashlight::graph::build {
namespace {

V attention(const Inputs& in) {
  const Shape shape{N, N, M};
  const V scores =
      sum(in.x.seen(shape, {Sym::axis(0), Sym::axis(2)}) * in.y.seen(shape, {Sym::axis(1), Sym::axis(2)}));
  V::b->label(scores.view.node, "scores");
  const V masked = where(arange(N) <= in.i, scores * constant(real_symbol(0)), kMinusInfinity);
  return exp(masked - amax(masked, true));
}

TEST(Print, OneNodeALineInIndexNotation) {
  EXPECT_EQ(text_of(attention),
            "f(x: float[x.0, x.1], y: float[x.0, x.1], w: float[x.1], ids: int[x.0], mask: bool[x.0, x.1], "
            "s: real, window: int)\n"
            "  %1[i<x.0]: int = i\n"
            "  %2[i<x.0, j<x.0]: bool = %1[j] <= %1[i]\n"
            "  %4[i<x.0, j<x.1]: float = x\n"
            "  %5[i<x.0, j<x.1]: float = y\n"
            "  %6[i<x.0, j<x.0, k<x.1]: float = %4[i, k] * %5[j, k]\n"
            "  %7[i<x.0, j<x.0]: float = sum(k<x.1) %6[i, j, k]  // scores\n"
            "  %8[i<x.0, j<x.0]: float = s * %7[i, j]\n"
            "  %10[i<x.0, j<x.0]: float = where(%2[i, j], %8[i, j], -inf)\n"
            "  %11[i<x.0]: float = max(j<x.0) %10[i, j]\n"
            "  %12[i<x.0]: float = -1.0 * %11[i]\n"
            "  %13[i<x.0, j<x.0]: float = %12[i] + %10[i, j]\n"
            "  %14[i<x.0, j<x.0]: float = exp(%13[i, j])\n"
            "  result[i<x.0, j<x.0] = %14[i, j]\n");
}

TEST(Print, LabelsAreComments) {
  const Function f = built(attention);
  std::string text = to_string(f), without;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = text.find('\n', from);
    const std::string line = text.substr(from, end - from);
    without += line.substr(0, line.find("  // ")) + "\n";
    from = end + 1;
  }
  EXPECT_NE(text, without);
  EXPECT_EQ(without.find("scores"), std::string::npos);
}

TEST(Print, SaysWhatIsCheckedAndWhatMayBroadcast) {
  Facts facts;
  facts.ranks = {{0, {false, 1}}, {1, {true, 1}}};
  facts.sizes = {{{SymbolId::Size, 1, 0}, size_symbol(0, 1)}};
  facts.exact = {{SymbolId::Size, 0, 1}};
  Builder b(facts);
  const TensorView q = b.input(0, "q", "q");
  b.input(1, "bias", "bias");
  b.check(make_sym(SymOp::Le, {q.shape[1], Sym(256)}), "the head dim must not exceed 256");
  EXPECT_EQ(to_string(b.finish("f", {{q, ".first"}})),
            "f(q: float[q.*, q.1], bias: float[q.1 or 1])\n"
            "  check q.1 <= 256  // the head dim must not exceed 256\n"
            "  %0[i<q.*, j<q.1]: float = q\n"
            "  result.first[i<q.*, j<q.1] = %0[i, j]\n");
}

TEST(Print, EveryKindOfNode) {
  Program p;
  V::b = &p.b;
  const TensorView &x = p.inputs[0], &ids = p.inputs[3];
  const NodeId rows =
      p.b.gather({N, M}, {x.node, {Sym::datum(1), Sym::axis(1)}}, {{ids.node, {Sym::axis(0)}}});
  const NodeId zero = p.b.scalar(Sym(0.0), Type::Float);
  const NodeId joined =
      p.b.segment({N, M + Sym(1)}, 1, {{zero, {}}, {rows, {Sym::axis(0), Sym::axis(1) - Sym(1)}}});
  const NodeId running = p.b.scan({N, M + Sym(1)}, 1, {joined, identity_index(2)});
  const NodeId best =
      p.b.order(Op::Order, {N, Sym(1)}, M + Sym(1), true, {running, {Sym::axis(0), Sym::axis(2)}});
  const NodeId sorted = p.b.order(Op::Sort, {N}, N, false, {best, {Sym::axis(1), Sym(0)}});
  const std::string text = to_string(p.b.finish("f", {{V::whole(sorted, {N}).view, ""}}));
  for (const char* part : {"= %1[%2[i], j]", "along j: 0.0 for 1 then %3[i, j - 1] for x.1",
                           "running sum over j of", " = descending order(k<x.1 + 1) %", " = sort(j<x.0) %"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in\n" << text;
}

}  // namespace
}  // namespace flashlight::graph::build
