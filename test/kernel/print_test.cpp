// SPDX-License-Identifier: Apache-2.0
// The text of tile programs.
#include "attention_programs.h"

namespace flashlight::kernel {
namespace {

TEST(Print, Causal) {
  const graph::Body body = [](const graph::Tensors& t) -> graph::Tensors {
    return {attend(
        hidden_unless(keys_of(t[1]) <= rows_of(t[0]), graph::matmul(t[0], graph::transposed(t[1]))), t[2])};
  };
  EXPECT_EQ(to_string(lower(3, body)->program), R"(kernel of f
  loop pack: batch < a.*
  loop i: row < a.1
  loop c: column < c.2
  loop j: stream < b.1
  loop d: feature < a.2
  tile0[i, d] = a[pack, i, d]
  tile1[j, d] = b[pack, j, d]
  tile2[j, c] = c[pack, j, c]
  contraction 0: <a, b> = tile0 x tile1^T
  sweep 1 of 1
    state m: max from -inf
    state l: sum from 0
    state acc: accumulator from 0 over c
    masked x = <a, b> where (j <= i) else -inf
    live where (j <= i)
    contract <a, b>
    let tile_m = max over j of x
    let new_m = max2(m, tile_m)
    let safe_m = (new_m > -inf) ? new_m : 0
    let rescale = exp2(1.4426950408889634 * (m - safe_m))
    l *= rescale
    l += sum over j of exp2(1.4426950408889634 * x - (1.4426950408889634 * safe_m))
    acc *= rescale
    acc += exp2(1.4426950408889634 * x - (1.4426950408889634 * safe_m)) x tile2
    m = new_m
  runs of keys combined
    let joined_m = max2(m, other_m)
    let joined_safe = (joined_m > -inf) ? joined_m : 0
    let move = exp2(1.4426950408889634 * (m - joined_safe))
    l *= move
    acc *= move
    let move1 = exp2(1.4426950408889634 * (other_m - joined_safe))
    other_l *= move1
    other_acc *= move1
    l joins that of the later run
    acc joins that of the later run
    m = joined_m
  store result[pack, i, c] = (m == -inf) ? 0 : (acc / l)
)");
}

// The scale of the scores is left to the exponential: the extremum is of the product alone.
TEST(Print, ScaledScores) {
  const std::string text = to_string(lower(3, attention_program("vanilla").body)->program);
  EXPECT_NE(text.find("masked x = <a, b> else -inf\n"), std::string::npos) << text;
}

// That of half a head as well, whose size division may make 0.
TEST(Print, ScaleOfHalfAHead) {
  const auto half = [](const graph::T& x, const graph::Sym& d) -> graph::T {
    return x.op("slice", graph::Sym(-1), graph::Sym(0), d);
  };
  const auto body = [&](const graph::Tensors& t) -> graph::Tensors {
    const graph::Sym d = floor_div(graph::size(t[0], -1), graph::Sym(2));
    const graph::T scores = graph::matmul(half(t[0], d), graph::transposed(half(t[1], d)));
    return {attend(scores / graph::host("sqrt", d), t[2])};
  };
  const std::string text = to_string(lower(3, body)->program);
  EXPECT_NE(text.find("masked x = <a, b> else -inf\n"), std::string::npos) << text;
}

TEST(Print, IsTheSameForEqualPrograms) {
  for (const AttentionProgram& program : attention_programs()) {
    const auto params = static_cast<int>(program.inputs({}).size()),
               scalars = static_cast<int>(program.scalars.size());
    EXPECT_EQ(to_string(lower(params, program.body, false, scalars)->program),
              to_string(lower(params, program.body, false, scalars)->program));
  }
}

// No two things share a name, and nothing is left without one.
TEST(Print, NamesEverything) {
  for (const AttentionProgram& program : attention_programs()) {
    const auto params = static_cast<int>(program.inputs({}).size()),
               scalars = static_cast<int>(program.scalars.size());
    const std::string text = to_string(lower(params, program.body, false, scalars)->program);
    EXPECT_EQ(text.find('?'),
              text.find(" ? ") == std::string::npos ? std::string::npos : text.find(" ? ") + 1)
        << text;
  }
}

}  // namespace
}  // namespace flashlight::kernel
