// SPDX-License-Identifier: Apache-2.0
// Sym: folding, one form for equal expressions, indices simplified by ranges, and values kept by all of it.
#include "graph/sym.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace flashlight::graph {
namespace {

Sym size(int param, int axis = 0) { return Sym::symbol({SymbolId::Size, param, axis}); }
Sym real_scalar(int k) { return Sym::symbol({SymbolId::Scalar, k, 0}, SymType::Real); }
Sym call(const char* f, Sym x) { return make_sym(SymOp::Call, {std::move(x)}, f); }
Sym logic(SymOp op, std::vector<Sym> args) { return make_sym(op, std::move(args)); }

const Sym A = size(0), B = size(1), C = size(2), H = size(3), G = size(4), D = size(5);
const Sym I = Sym::axis(0), J = Sym::axis(1), K = Sym::axis(2);

TEST(Sym, FoldsConstants) {
  EXPECT_EQ(Sym(2) * Sym(3) + Sym(4), Sym(10));
  EXPECT_EQ(floor_div(Sym(-7), Sym(2)), Sym(-4));
  EXPECT_EQ(mod(Sym(-7), Sym(2)), Sym(1));
  EXPECT_EQ(mod(Sym(7), Sym(-2)), Sym(-1));
  EXPECT_EQ(divide(Sym(1), Sym(8)), Sym(0.125));
  EXPECT_EQ(call("sqrt", Sym(64.0)), Sym(8.0));
  EXPECT_EQ(call("sqrt", Sym(64)), Sym(8.0));
  EXPECT_EQ(call("exp", Sym(1.0)), Sym(std::exp(1.0)));
  EXPECT_EQ(logic(SymOp::Lt, {Sym(1), Sym(2.5)}), Sym::boolean(true));
  EXPECT_EQ(logic(SymOp::Select, {Sym::boolean(false), Sym(1), Sym(2)}), Sym(2));
  EXPECT_EQ(make_sym(SymOp::ToReal, {Sym(3)}), Sym(3.0));
  EXPECT_EQ(make_sym(SymOp::ToInteger, {Sym(-2.7)}), Sym(-2));
  EXPECT_EQ(make_sym(SymOp::Max, {Sym(3), A, Sym(7)}), make_sym(SymOp::Max, {A, Sym(7)}));
}

TEST(Sym, ArithmeticKeepsTypesAsInC) {
  EXPECT_EQ((A + Sym(1)).type(), SymType::Integer);
  EXPECT_EQ((A * Sym(0.5)).type(), SymType::Real);
  EXPECT_EQ(divide(A, B).type(), SymType::Real);
  EXPECT_EQ((Sym::boolean(true) + Sym(1)), Sym(2));
  EXPECT_EQ((A - A).type(), SymType::Integer);
}

TEST(Sym, EqualExpressionsAreOneTree) {
  const std::vector<std::pair<Sym, Sym>> table = {
      {A + B, B + A},
      {A + B + A, Sym(2) * A + B},
      {(A + B) * C, A * C + B * C},
      {(A + B) * (A - B), A * A - B * B},
      {A - (B - C), A + C - B},
      {-(-A), A},
      {divide(A, Sym(4)), Sym(0.25) * A},
      {divide(Sym(1), call("sqrt", A)), call("sqrt", divide(Sym(1), A))},
      {divide(Sym(1), call("sqrt", A)), make_sym(SymOp::Pow, {A, Sym(-0.5)})},
      {call("sqrt", A) * call("sqrt", A), make_sym(SymOp::ToReal, {A})},
      {divide(Sym(1), Sym(2) * call("sqrt", A)), Sym(0.5) * make_sym(SymOp::Pow, {A, Sym(-0.5)})},
      {call("sqrt", Sym(4) * A), Sym(2) * call("sqrt", A)},
      {make_sym(SymOp::ToReal, {A + B}), make_sym(SymOp::ToReal, {A}) + make_sym(SymOp::ToReal, {B})},
      {divide(real_scalar(0), Sym(8)), real_scalar(0) * Sym(0.125)},
      {logic(SymOp::Le, {A, B}), logic(SymOp::Not, {logic(SymOp::Lt, {B, A})})},
      {logic(SymOp::Le, {Sym(0), B - A}), logic(SymOp::Lt, {A - Sym(1), B})},
      {logic(SymOp::Eq, {A, B}), logic(SymOp::Eq, {B - A, Sym(0)})},
      {logic(SymOp::Eq, {Sym(2) * A, Sym(2) * B}), logic(SymOp::Eq, {A, B})},
      {logic(SymOp::Lt, {Sym(2) * A, Sym(7)}), logic(SymOp::Le, {A, Sym(3)})},
      {logic(SymOp::Not, {logic(SymOp::And, {logic(SymOp::Lt, {A, B}), logic(SymOp::Eq, {B, C})})}),
       logic(SymOp::Or, {logic(SymOp::Ne, {C, B}), logic(SymOp::Le, {B, A})})},
      {logic(SymOp::Select, {logic(SymOp::Lt, {A, B}), C, D}),
       logic(SymOp::Select, {logic(SymOp::Le, {B, A}), D, C})},
      {make_sym(SymOp::Max, {A, make_sym(SymOp::Max, {B, A})}), make_sym(SymOp::Max, {B, A})},
  };
  for (const auto& [a, b] : table) EXPECT_EQ(a, b) << to_string(a) << "   " << to_string(b);
}

TEST(Sym, DifferentExpressionsDiffer) {
  EXPECT_NE(make_sym(SymOp::Pow, {make_sym(SymOp::Pow, {real_scalar(0), Sym(2.0)}), Sym(0.5)}),
            real_scalar(0));
  EXPECT_NE(Sym(1), Sym(1.0));
  EXPECT_NE(logic(SymOp::Not, {logic(SymOp::Lt, {real_scalar(0), Sym(1.0)})}),
            logic(SymOp::Le, {Sym(1.0), real_scalar(0)}));
  EXPECT_NE(floor_div(H, G) * G, H);
}

TEST(Sym, DivisionOfPolynomials) {
  EXPECT_EQ(floor_div(A * B, B), A);
  EXPECT_EQ(mod(A * B, B), Sym(0));
  EXPECT_EQ(floor_div(floor_div(A, B), C), floor_div(A, B * C));
  EXPECT_EQ(floor_div(A * B + C, B), A + floor_div(C, B));
  EXPECT_EQ(mod(A * B + C, B), mod(C, B));
  EXPECT_EQ(floor_div(A * B * C, A * C), B);
  EXPECT_EQ(floor_div(A * B, A * C), floor_div(B, C));
  EXPECT_EQ(mod(A * B, A * C), A * mod(B, C));
  EXPECT_EQ(floor_div(B * (A + Sym(1)), A + Sym(1)), B);
  EXPECT_EQ(mod(mod(I, A * B), B), mod(I, B));
  EXPECT_EQ(floor_div(mod(I, A * B), B), mod(floor_div(I, B), A));
  EXPECT_EQ(mod(A + Sym(9), Sym(4)), mod(A + Sym(1), Sym(4)));
}

TEST(Sym, MergingWhatWasSplitGivesTheAxis) {
  EXPECT_EQ(floor_div(I, D) * D + mod(I, D), I);
  const Sym h = floor_div(I, G * D), g = mod(floor_div(I, D), G), d = mod(I, D);
  EXPECT_EQ((h * G + g) * D + d, I);
  EXPECT_EQ(g * D + d, mod(I, G * D));
}

TEST(Sym, DigitsAreWhatTheirNumberWasMadeOf) {
  const std::vector<Sym> digits = digits_of(I, {Sym(3), B, Sym(4)});
  EXPECT_EQ(digits, (std::vector<Sym>{floor_div(floor_div(I, Sym(4)), B), mod(floor_div(I, Sym(4)), B),
                                      mod(I, Sym(4))}));
  EXPECT_EQ(digits_of(I, {A}), std::vector<Sym>{I});
  EXPECT_TRUE(digits_of(I, {}).empty());
}

TEST(Sym, RangesDecideDivisions) {
  const std::vector<Sym> extents = {A, B, C};
  EXPECT_EQ(simplify_index(floor_div(I * B + J, B), extents), I);
  EXPECT_EQ(simplify_index(mod(I * B + J, B), extents), J);
  EXPECT_EQ(simplify_index(floor_div((I * B + J) * C + K, B * C), extents), I);
  EXPECT_EQ(simplify_index(mod(floor_div((I * B + J) * C + K, C), B), extents), J);
  EXPECT_EQ(simplify_index(floor_div(J - B, B), extents), Sym(-1));
  EXPECT_EQ(simplify_index(mod(J - B, B), extents), J);
  EXPECT_EQ(simplify_index(mod(I, B), extents), mod(I, B)) << "I may exceed B";
  EXPECT_EQ(simplify_index(floor_div(Sym(8) * I + J, Sym(16)), {A, Sym(8)}), floor_div(I, Sym(2)));
  EXPECT_EQ(simplify_index(mod(Sym(8) * I + J, Sym(16)), {A, Sym(8)}), Sym(8) * mod(I, Sym(2)) + J);
  EXPECT_EQ(simplify_index(I + J, {Sym(1), B}), J);
  EXPECT_EQ(simplify_index(make_sym(SymOp::Max, {I, Sym(0)}), extents), I);
  EXPECT_EQ(simplify_index(make_sym(SymOp::Min, {I, A - Sym(1)}), extents), I);
  EXPECT_EQ(simplify_index(logic(SymOp::Le, {I, A}), extents), Sym::boolean(true));
  EXPECT_EQ(simplify_index(logic(SymOp::Lt, {I, Sym(0)}), extents), Sym::boolean(false));
  EXPECT_EQ(simplify_index(logic(SymOp::Eq, {I, A + J}), extents), Sym::boolean(false));
  EXPECT_EQ(simplify_index(logic(SymOp::Le, {I, J}), extents), logic(SymOp::Le, {I, J}));
}

TEST(Sym, GroupedHeadsNeedNoExactDivision) {
  // Query head hk * (H div G) + g with g < H div G belongs to key head hk.
  const Sym group = floor_div(H, G), head = I * group + J;
  EXPECT_EQ(simplify_index(floor_div(head, group), {G, group}), I);
  EXPECT_EQ(simplify_index(mod(head, group), {G, group}), J);
}

TEST(Sym, ProvesBoundsOfSizes) {
  EXPECT_TRUE(proves_nonnegative(A * B - A, {}));
  EXPECT_TRUE(proves_nonnegative(A - floor_div(A + Sym(1), Sym(2)), {}));
  EXPECT_FALSE(proves_nonnegative(A - B, {}));
  EXPECT_FALSE(proves_nonnegative(A - Sym(2), {}));
  EXPECT_FALSE(proves_nonnegative(Sym::symbol({SymbolId::Scalar, 0, 0}), {})) << "a scalar may be negative";
}

TEST(Sym, SplitsAffineExpressions) {
  const auto affine = affine_in(I * B + J * C + A, 1);
  ASSERT_TRUE(affine);
  EXPECT_EQ(affine->first, C);
  EXPECT_EQ(affine->second, I * B + A);
  EXPECT_FALSE(affine_in(I * J + J * J, 1));
  EXPECT_FALSE(affine_in(floor_div(J, B), 1));
  EXPECT_EQ(affine_in(I * J, 1)->first, I);
  EXPECT_EQ(affine_in(I, 1)->first, Sym(0));
}

TEST(Sym, SubstitutesAndSimplifiesAgain) {
  EXPECT_EQ(substitute_axes(I * B + J, {floor_div(K, B), mod(K, B)}), K);
  EXPECT_EQ(substitute(A + B,
                       [](const Sym& leaf) -> std::optional<Sym> {
                         return leaf == A ? std::optional(Sym(2)) : std::nullopt;
                       }),
            B + Sym(2));
  EXPECT_THROW(substitute_axes(K, {I}), std::out_of_range);
}

TEST(Sym, PrintsWithPrecedence) {
  auto name = [](const Sym& e) {
    return e.op() == SymOp::Axis ? std::string(1, "ijk"[e.integer()]) : std::string("s");
  };
  EXPECT_EQ(to_string(I - Sym(1), name), "i - 1");
  EXPECT_EQ(to_string(floor_div(I + J, A), name), "(i + j) div s");
  EXPECT_EQ(to_string(Sym(2) * I + J, name), "2 * i + j");
  EXPECT_EQ(to_string(-I, name), "-i");
  EXPECT_EQ(to_string(divide(Sym(1), call("sqrt", A)), name), "real(s)^(-0.5)");
  EXPECT_EQ(to_string(Sym(0.1)), "0.1");
  EXPECT_EQ(to_string(Sym(2.0)), "2.0");
  EXPECT_EQ(to_string(Sym(-INFINITY)), "-inf");
}

TEST(Sym, EvaluatesIntegersExactly) {
  const std::int64_t big = (std::int64_t{1} << 53) + 1;
  EXPECT_EQ(evaluate(mod(I, Sym(1000)), {}, {big}), static_cast<double>(big % 1000));
  EXPECT_THROW(evaluate(floor_div(A, B), [](SymbolId id) { return id.param == 0 ? 4.0 : 0.0; }),
               std::domain_error);
  EXPECT_THROW(evaluate(I, {}), std::out_of_range);
  EXPECT_THROW(make_sym(SymOp::Call, {A}, "no_such_function"), std::invalid_argument);
}

// A random integer expression over sizes and axes, built twice: by make_sym, which simplifies, and as a
// number.
struct Random {
  std::mt19937 rng;
  std::vector<std::int64_t> sizes, axes;
  int pick(int n) { return static_cast<int>(rng() % static_cast<unsigned>(n)); }

  static std::int64_t floored(std::int64_t a, std::int64_t b) {
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
  }

  std::pair<Sym, std::int64_t> leaf() {
    const int k = pick(3);
    if (pick(2)) return {size(k), sizes[k]};
    if (pick(3) == 0) return {Sym(k - 1), k - 1};
    return {Sym::axis(k), axes[k]};
  }
  std::pair<Sym, std::int64_t> divisor() {
    const int k = pick(3);
    const auto [a, x] = std::pair{size(k), sizes[k]};
    switch (pick(4)) {
      case 0: return {Sym(k + 1), k + 1};
      case 1: return {a * size((k + 1) % 3), x * sizes[(k + 1) % 3]};
      case 2: return {a + Sym(1), x + 1};
      default: return {a, x};
    }
  }
  std::pair<Sym, std::int64_t> tree(int depth) {
    if (depth == 0) return leaf();
    const auto [a, x] = tree(depth - 1);
    const auto [b, y] = tree(pick(depth));
    switch (pick(7)) {
      case 0: return {a + b, x + y};
      case 1: return {a - b, x - y};
      case 2: return {a * b, x * y};
      case 3: return {make_sym(SymOp::Max, {a, b}), std::max(x, y)};
      case 4: return {make_sym(SymOp::Min, {a, b}), std::min(x, y)};
      case 5: {
        const auto [d, z] = divisor();
        return {floor_div(a, d), floored(x, z)};
      }
      default: {
        const auto [d, z] = divisor();
        return {mod(a, d), x - floored(x, z) * z};
      }
    }
  }
};

TEST(Sym, SimplificationKeepsValues) {
  Random r{std::mt19937(1), {}, {}};
  for (int trial = 0; trial < 4000; ++trial) {
    r.sizes = {1 + r.pick(4), 1 + r.pick(4), 1 + r.pick(5)};
    r.axes = {r.pick(static_cast<int>(r.sizes[0])), r.pick(static_cast<int>(r.sizes[1])),
              r.pick(static_cast<int>(r.sizes[2]))};
    const auto [e, value] = r.tree(1 + r.pick(4));
    auto symbol = [&](SymbolId id) {
      return static_cast<double>(r.sizes[static_cast<std::size_t>(id.param)]);
    };
    const Sym simple = simplify_index(e, {size(0), size(1), size(2)});
    ASSERT_EQ(evaluate(e, symbol, r.axes), static_cast<double>(value)) << to_string(e);
    ASSERT_EQ(evaluate(simple, symbol, r.axes), static_cast<double>(value))
        << to_string(e) << " became " << to_string(simple);
    ASSERT_EQ(simplify_index(simple, {size(0), size(1), size(2)}), simple)
        << to_string(simple) << " is simplified further";
    for (auto [op, holds] : {std::pair{SymOp::Le, value <= 2},
                             {SymOp::Lt, value < 2},
                             {SymOp::Eq, value == 2},
                             {SymOp::Ne, value != 2}}) {
      const Sym c = simplify_index(make_sym(op, {e, Sym(2)}), {size(0), size(1), size(2)});
      ASSERT_EQ(evaluate(c, symbol, r.axes), holds) << to_string(c);
      ASSERT_EQ(evaluate(make_sym(SymOp::Not, {c}), symbol, r.axes), !holds) << to_string(c);
    }
  }
}

}  // namespace
}  // namespace flashlight::graph
