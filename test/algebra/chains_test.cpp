// SPDX-License-Identifier: Apache-2.0
// Random chains of reductions, each using earlier ones: planned, run in tiles and splits, compared with the
// chain as written in extended precision.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <set>

#include "fusion/algebra/plan.h"
#include "programs.h"

namespace flashlight::fusion::algebra::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

class Chain {
 public:
  Chain(Arena& arena, unsigned seed) : random_(seed), leaf_(arena) {
    keys_ = {leaf_[kS], leaf_[kS2], leaf_[kV], masked_scores(leaf_), tanh(leaf_[kS]), abs(leaf_[kW])};
    row_ = {leaf_[kLam], leaf_.constant(0.5), leaf_.length()};
  }

  Expr build() {
    const int length = 1 + pick(4);
    for (int i = 0; i < length; ++i) {
      for (int k = pick(3); k >= 0; --k) keys_.push_back(key_step());
      const Expr r = reduction(keys_.back());
      row_.push_back(pick(3) ? r : row_step(r));
    }
    return row_.back();
  }

 private:
  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  // Recent values are likelier, so that chains are deep.
  Expr any(const std::vector<Expr>& from) {
    const std::size_t n = from.size();
    return pick(2) ? from[n - 1 - random_() % std::min<std::size_t>(n, 2)] : from[random_() % n];
  }
  Expr positive(Expr x) { return pick(2) ? abs(x) + 0.5 : exp(tanh(x)); }

  Expr key_step() {
    const Expr x = any(keys_), y = any(keys_), r = any(row_);
    switch (pick(18)) {
      case 0: return x - r;
      case 1: return x + r * 0.25;
      case 2: return x * r;
      case 3: return x / positive(r);
      case 4: return exp(x - reduce_max(x));
      case 5: return softmax(x);
      case 6: return exp(tanh(x) * 2.0);
      case 7: return x * y;
      case 8: return x + y;
      case 9: return pow(x - r, 2);
      case 10: return where(leaf_[kMask], x, 0.0);
      case 11: return where(leaf_[kMask], x, -kInf);
      case 12: return abs(x);
      case 13: return relu(x * abs(r));
      case 14: return max2(x, 0.0);
      case 15: return log(abs(x) + 1.0);
      case 16: return where(eq(x, reduce_max(x)), y, 0.0);
      default: return sqrt(abs(x) * abs(r));
    }
  }
  Expr reduction(Expr x) {
    switch (pick(9)) {
      case 0: return reduce_max(x);
      case 1: return reduce_min(x);
      case 2: return log(reduce_sum(exp(x)));
      case 3: return reduce_sum(softmax(x) * leaf_[kV]);
      case 4: return reduce_sum(x) / leaf_.length();
      default: return reduce_sum(x * (pick(2) ? leaf_[kV] : leaf_[kW]));
    }
  }
  Expr row_step(Expr r) {
    switch (pick(5)) {
      case 0: return r * any(row_);
      case 1: return r / positive(any(row_));
      case 2: return abs(r);
      case 3: return sigmoid(r);
      default: return r + any(row_);
    }
  }

  std::mt19937 random_;
  Leaves leaf_;
  std::vector<Expr> keys_, row_;
};

struct Count {
  int agreed = 0, refused = 0, undefined = 0;
};

// How far rounding alone moves the chain as written, measured by running it in double and with nudged scores.
double sensitivity(Expr output, const Bindings<double>& row, long double exact) {
  Bindings<double> nudged = row;
  for (auto& [id, values] : nudged.leaves)
    if (id != kMask)
      for (std::size_t j = 0; j < values.size(); ++j) values[j] *= 1 + (j % 2 ? 1e-13 : -1e-13);
  const long double moved = eager<long double>({output}, converted<long double>(nudged))[0];
  const long double rounded = eager<double>({output}, row)[0];
  const auto apart = [&](long double x) {
    return std::isfinite(x) ? std::abs(static_cast<double>(x - exact)) : 0;
  };
  return std::max(apart(moved), apart(rounded));
}

// Some value on the way is NaN or overflows, or a masked value is multiplied: the chain has no meaning, or
// one that multiplying out does not keep (-inf * (a + b)).
bool is_undefined(Expr output, const Bindings<double>& row) {
  const auto value = [&](Expr e) { return eager<double>({e}, row)[0]; };
  std::set<Expr> seen;
  std::vector<Expr> todo{output};
  while (!todo.empty()) {
    const Expr e = todo.back();
    todo.pop_back();
    if (!seen.insert(e).second) continue;
    if (!std::isfinite(value(reduce_max(where(eq(e, -kInf), 0.0, abs(e)))))) return true;
    if (e.is(Op::kMul) && value(reduce_min(e)) == -kInf && !e.arg(0).is(Op::kConstant) &&
        !e.arg(1).is(Op::kConstant))
      return true;
    todo.insert(todo.end(), e.args().begin(), e.args().end());
  }
  return false;
}

void check(unsigned seed, Count& count) {
  Arena arena;
  const Expr output = Chain(arena, seed).build();
  const auto result = plan(arena, {output});
  if (std::holds_alternative<Refusal>(result)) {
    ++count.refused;
    return;
  }
  const Plan& p = std::get<Plan>(result);
  const Scores kinds[] = {Scores::kNormal, Scores::kNormal, Scores::kWide, Scores::kOffset};
  const auto data = rows(kinds[seed % 4], seed);
  for (std::size_t i : {0u, 1u, 5u}) {
    const long double exact = eager<long double>({output}, converted<long double>(data[i]))[0];
    if (!std::isfinite(exact) || !std::isfinite(eager<double>({output}, data[i])[0]) ||
        is_undefined(output, data[i])) {
      ++count.undefined;
      continue;
    }
    const double bound = 1e-9 * std::max(1.0, std::abs(static_cast<double>(exact))) +
                         100 * sensitivity(output, data[i], exact);
    for (std::size_t tile : {1, 5, 23}) {
      const double got = fused<double>(p, data[i], tile, {4, 9}, 0, true)[0];
      ASSERT_LE(std::abs(got - static_cast<double>(exact)), bound)
          << "seed " << seed << " row " << i << " tile " << tile << ": " << got << " for "
          << static_cast<double>(exact) << "\n"
          << explain(p);
    }
    ++count.agreed;
  }
}

// FLASHLIGHT_CHAINS=first:count runs other seeds.
TEST(Chains, AgreeWithTheChainAsWritten) {
  unsigned first = 1, number = 3000;
  if (const char* text = std::getenv("FLASHLIGHT_CHAINS")) {
    char* rest = nullptr;
    first = static_cast<unsigned>(std::strtoul(text, &rest, 10));
    if (*rest == ':') number = static_cast<unsigned>(std::strtoul(rest + 1, nullptr, 10));
  }
  Count count;
  for (unsigned seed = first; seed < first + number; ++seed) {
    check(seed, count);
    if (testing::Test::HasFatalFailure()) return;
  }
  RecordProperty("agreed", count.agreed);
  RecordProperty("refused", count.refused);
  RecordProperty("undefined", count.undefined);
  EXPECT_GT(count.agreed,
            static_cast<int>(number));  // three rows a seed; the generator must not drift into refusals
}

}  // namespace
}  // namespace flashlight::fusion::algebra::test
