// SPDX-License-Identifier: Apache-2.0
// Faults planted in an emitted kernel for sm_90a: the emulated device reports each.
#include "planted.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace flashlight;

// 700 queries are four tiles of rows for two CTAs, 700 keys of the causal kernel's tiles enough to go round
// its rings.
std::vector<emulator::Finding> findings_with(int fault, std::uint64_t seed, int head_dim) {
  planted_fault = fault;
  const emulator::Options before = emulator::options();
  emulator::Options options = before;
  options.seed = seed;
  options.compute_capability = 90;
  options.multiprocessors = 2;
  emulator::set_options(options);
  emulator::take_findings();
  const auto input = [&](std::int64_t rows, std::uint64_t salt) {
    return randn({1, rows, head_dim}, salt, kFloat32).to(kBFloat16).to(kCUDA);
  };
  try {
    planted(input(700, 1), input(700, 2), input(700, 3));
  } catch (const Error&) {}  // what was found
  emulator::set_options(before);
  planted_fault = 0;
  return emulator::take_findings();
}

std::string text_of(const std::vector<emulator::Finding>& findings) {
  std::string text;
  for (const emulator::Finding& f : findings) text += to_string(f) + "\n";
  return text;
}

TEST(Planted, WithoutAFaultNothingIsFound) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) EXPECT_EQ(text_of(findings_with(0, seed, 64)), "");
  EXPECT_EQ(text_of(findings_with(0, 1, 256)), "");
}

// Values and results of 36 columns out of 40: TMA loads the one, the other begins rows at multiples of 72
// bytes.
TEST(Planted, ResultsAreStagedWhereTmaCanStoreThem) {
  const emulator::Options before = emulator::options();
  emulator::Options options = before;
  options.compute_capability = 90;
  emulator::set_options(options);
  for (const std::int64_t columns : {64, 40, 36}) {
    const Tensor q = randn({1, 2, 200, 64}, 1, kFloat32).to(kBFloat16),
                 k = randn({1, 2, 200, 64}, 2, kFloat32).to(kBFloat16);
    const Tensor v = randn({1, 2, 200, 64}, 3, kFloat32).to(kBFloat16);
    const auto view = [&](const Tensor& t) { return t.slice(-1, 0, columns); };
    emulator::reset_counters();
    const Tensor result = planted(q.to(kCUDA), k.to(kCUDA), view(v.to(kCUDA))).to(kCPU).to(kFloat32);
    EXPECT_EQ(emulator::counter("staged result") > 0, columns % 8 == 0) << columns;
    const Tensor expected = planted(q, k, view(v)).to(kFloat32);
    EXPECT_LT((result - expected).abs().amax().item<double>(), 0.03) << columns;
  }
  emulator::set_options(before);
  EXPECT_EQ(text_of(emulator::take_findings()), "");
}

class Planted : public testing::TestWithParam<int> {};

// A fault of timing shows with some seeds: one of a few must suffice.
TEST_P(Planted, IsReported) {
  const PlantedFault& fault = planted_faults()[static_cast<std::size_t>(GetParam())];
  std::string seen;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const std::vector<emulator::Finding> findings = findings_with(GetParam() + 1, seed, fault.head_dim);
    for (const emulator::Finding& f : findings) {
      if (std::find(fault.kinds.begin(), fault.kinds.end(), f.kind) != fault.kinds.end()) return;
    }
    seen += text_of(findings);
  }
  FAIL() << fault.name << " was not reported; seen instead:\n" << seen;
}

INSTANTIATE_TEST_SUITE_P(Faults, Planted, testing::Range(0, static_cast<int>(planted_faults().size())),
                         [](const auto& info) {
                           return std::string(planted_faults()[static_cast<std::size_t>(info.param)].name);
                         });

}  // namespace
