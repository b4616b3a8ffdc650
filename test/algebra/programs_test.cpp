// SPDX-License-Identifier: Apache-2.0
// Every program, planned and run in tiles and splits, against its own text evaluated in extended precision.
#include "programs.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fusion/algebra/plan.h"

namespace flashlight::fusion::algebra::test {
namespace {

using Exact = long double;

class ProgramTest : public testing::TestWithParam<std::size_t> {
 protected:
  ProgramTest() : program_(programs(arena_)[GetParam()]) {}

  Plan planned(bool lazy) {
    PlanOptions options;
    options.lazy = lazy;
    const auto result = plan(arena_, program_.outputs, options);
    if (const auto* refusal = std::get_if<Refusal>(&result)) {
      ADD_FAILURE() << program_.name << ": " << reason_id(refusal->reason) << ": " << refusal->text;
      return {};
    }
    return std::get<Plan>(result);
  }

  // Relative to max(|exact|, 1); infinite where only one is finite. Where the program as written is NaN, no
  // bound.
  static double error(Exact value, Exact exact) {
    if (std::isnan(exact) || value == exact) return 0;
    if (!std::isfinite(exact) || !std::isfinite(value)) return INFINITY;
    return static_cast<double>(std::abs(value - exact) / std::max<Exact>(std::abs(exact), 1));
  }

  template <typename T, typename Check>
  void run(const Plan& plan, const Bindings<double>& row, T slack, bool strict, std::size_t tile,
           Check check) {
    const Bindings<T> bindings = converted<T>(row);
    const std::vector<std::vector<std::size_t>> cuts = {{}, {5}, {2, 3, 17}};
    for (const auto& splits : cuts) {
      if (program_.has_scan && !splits.empty()) continue;
      const std::vector<T> got = fused<T>(plan, bindings, tile, splits, slack, strict);
      for (std::size_t k = 0; k < got.size(); ++k) check(k, got[k], tile, splits.size());
    }
  }

  Arena arena_;
  Program program_;
};

TEST_P(ProgramTest, TakesTheExpectedNumberOfSweeps) {
  EXPECT_EQ(planned(false).sweeps.size(), static_cast<std::size_t>(program_.sweeps));
}

TEST_P(ProgramTest, AgreesWithTheProgramAsWritten) {
  const Plan exact_plan = planned(false), lazy_plan = planned(true);
  ASSERT_FALSE(exact_plan.sweeps.empty());
  for (Scores kind : {Scores::kNormal, Scores::kWide, Scores::kOffset, Scores::kBig}) {
    const auto data = rows(kind, static_cast<unsigned>(program_.name.size()));
    for (std::size_t i = 0; i < kRows; ++i) {
      if (i == kFullyMaskedRow) continue;
      const std::vector<Exact> exact = eager(program_.outputs, converted<Exact>(data[i]));
      for (std::size_t tile : {1, 3, 7, 23})
        for (bool lazy : {false, true}) {
          if (lazy && tile != 3) continue;
          const Plan& p = lazy ? lazy_plan : exact_plan;
          const auto check = [&](double bound, const char* type) {
            return [&, bound, type](std::size_t k, auto got, std::size_t t, std::size_t cuts) {
              EXPECT_LE(error(got, exact[k]), bound)
                  << program_.name << " output " << k << " in " << type << ", scores "
                  << static_cast<int>(kind) << " row " << i << " tile " << t << " cuts " << cuts
                  << (lazy ? " lazy" : "") << ": " << got << " for " << exact[k];
            };
          };
          run<double>(p, data[i], lazy ? 8 : 0, true, tile, check(program_.double_error, "double"));
          run<double>(p, data[i], lazy ? 8 : 0, false, tile,
                      check(program_.double_error, "double, empty rows defined"));
          run<float>(p, data[i], lazy ? 8 : 0, true, tile, check(program_.float_error, "float"));
        }
    }
  }
}

std::string name_of(const testing::TestParamInfo<std::size_t>& info) {
  Arena arena;
  std::string name = programs(arena)[info.param].name, out;
  for (char c : name)
    if (std::isalnum(static_cast<unsigned char>(c))) out += c;
    else if (!out.empty() && out.back() != '_') out += '_';
  return out;
}

INSTANTIATE_TEST_SUITE_P(All, ProgramTest, testing::Range<std::size_t>(0, 62), name_of);

TEST(Programs, AreSixtyTwo) {
  Arena arena;
  const auto all = programs(arena);
  ASSERT_EQ(all.size(), 62u);
  int by_sweeps[4] = {};
  for (const Program& p : all) ++by_sweeps[p.sweeps];
  EXPECT_EQ(by_sweeps[1], 53);  // p == amax(p) ties more often than s == amax(s): it takes two
  EXPECT_EQ(by_sweeps[2], 8);
  EXPECT_EQ(by_sweeps[3], 1);
}

}  // namespace
}  // namespace flashlight::fusion::algebra::test
