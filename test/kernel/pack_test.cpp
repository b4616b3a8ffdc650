// SPDX-License-Identifier: Apache-2.0
// Heads that share keys as rows of one tile: the packed program gives what the function means, masks and
// numbers of a head included.
#include "attention_programs.h"
#include "kernel/pack.h"

namespace flashlight::kernel {
namespace {

struct Packed {
  std::unique_ptr<Lowered> lowered;
  std::optional<fusion::KernelPlan> plan;
  std::optional<Program> program;
};

std::unique_ptr<Packed> pack(int params, const graph::Body& body) {
  auto result = std::make_unique<Packed>();
  result->lowered = lower(params, body);
  const Program& program = result->lowered->program;
  result->plan = pack_heads(*program.function, *program.plan, static_cast<int>(program.temporaries.size()));
  if (!result->plan) return result;
  result->program = build_program(*program.function, *result->plan);
  verify(*result->program);
  return result;
}

graph::T repeated(const graph::T& x, int group) {
  return x.op("repeat_interleave", graph::Sym(group), graph::Sym(1));
}

// q [2, 6, sq, 3], k [2, 6 / group, sk, 3], v [2, 6 / group, sk, 2].
std::vector<graph::Array> grouped(std::int64_t sq, std::int64_t sk, std::int64_t group) {
  return {graph::random({2, 6, sq, 3}, 1), graph::random({2, 6 / group, sk, 3}, 2),
          graph::random({2, 6 / group, sk, 2}, 3)};
}

void expect_agreement(const Packed& packed, const std::vector<graph::Array>& inputs, const char* what) {
  ASSERT_TRUE(packed.program.has_value()) << what;
  const auto wanted = graph::evaluate(packed.lowered->function, inputs, {});
  for (const int runs : {1, 3}) {
    for (const int m : {1, 4, 16, 0}) {
      const auto got = interpret(*packed.program, inputs, {}, {m, 3, true, nullptr, runs});
      for (std::size_t o = 0; o < wanted.size(); ++o)
        expect_close(got[o], wanted[o], 0, std::string(what) + ", rows " + std::to_string(m));
    }
  }
}

TEST(Pack, GroupsUnderAMask) {
  const auto packed = pack(3, [](const graph::Tensors& t) -> graph::Tensors {
    const graph::T s = graph::matmul(t[0], graph::transposed(repeated(t[1], 3)));
    return {attend(hidden_unless(keys_of(t[1]) <= rows_of(t[0]) + graph::Sym(2), s), repeated(t[2], 3))};
  });
  for (const std::int64_t sq : {1, 2, 7}) expect_agreement(*packed, grouped(sq, 9, 3), "causal");
}

// A number of each head is one of the row: in the scores, in the mask, in the result.
TEST(Pack, NumbersOfAHead) {
  const auto packed = pack(5, [](const graph::Tensors& t) -> graph::Tensors {
    const auto by_head = [](const graph::T& x) { return graph::T(x.op("view", graph::sizes({-1, 1, 1}))); };
    const graph::T s = graph::matmul(t[0], graph::transposed(repeated(t[1], 2))) +
                       by_head(t[3]) * (keys_of(t[1]) - rows_of(t[0]));
    const graph::T near = keys_of(t[1]) - rows_of(t[0]) <= by_head(t[4]);
    return {attend(hidden_unless(near, s), repeated(t[2], 2)) * by_head(t[3])};
  });
  std::vector<graph::Array> inputs = grouped(3, 8, 2);
  inputs.push_back(graph::random({6}, 4));
  inputs.push_back({{6}, {0, 1, 2, 3, 4, 5}});
  expect_agreement(*packed, inputs, "numbers of a head");
}

// Where no key depends on the head, all of them are one group.
TEST(Pack, OneHeadOfKeys) {
  const auto packed = pack(3, [](const graph::Tensors& t) -> graph::Tensors {
    graph::Tensors x = t;
    for (std::size_t k : {1, 2})
      x[k] = t[k].op("permute", graph::ArgList{graph::Sym(0), graph::Sym(1), graph::Sym(2)});
    x[0] = t[0].op("permute", graph::ArgList{graph::Sym(0), graph::Sym(1), graph::Sym(2), graph::Sym(3)});
    const graph::T k = x[1].op("unsqueeze", graph::Sym(1)), v = x[2].op("unsqueeze", graph::Sym(1));
    return {attend(graph::matmul(x[0], graph::transposed(k)), v)};
  });
  expect_agreement(*packed,
                   {graph::random({2, 4, 3, 3}, 1), graph::random({2, 7, 3}, 2), graph::random({2, 7, 2}, 3)},
                   "one head");
}

// Keys of their own for each head, or a number of each head and key: nothing to share.
TEST(Pack, HeadsThatShareNothing) {
  const auto own = pack(3, [](const graph::Tensors& t) -> graph::Tensors {
    graph::Tensors x = t;
    for (std::size_t k : {0, 1, 2})
      x[k] = t[k].op("permute", graph::ArgList{graph::Sym(0), graph::Sym(1), graph::Sym(2), graph::Sym(3)});
    return {attend(graph::matmul(x[0], graph::transposed(x[1])), x[2])};
  });
  EXPECT_FALSE(own->plan.has_value());
  const auto bias = pack(4, [](const graph::Tensors& t) -> graph::Tensors {
    const graph::T by_key = graph::T(t[3].op("permute", graph::ArgList{graph::Sym(0), graph::Sym(1)}))
                                .op("unsqueeze", graph::Sym(1));
    return {attend(graph::matmul(t[0], graph::transposed(repeated(t[1], 3))) + by_key, repeated(t[2], 3))};
  });
  EXPECT_FALSE(bias->plan.has_value());
}

}  // namespace
}  // namespace flashlight::kernel
