// SPDX-License-Identifier: Apache-2.0
// Every planted fault is reported, with its kernel, a thread and the line that its file marks; whatever the
// seed.
#include "faults.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "support.h"

namespace flashlight::test {
namespace {

using emulator::Finding;

struct Expected {
  std::set<std::string> kinds;
  std::set<unsigned> lines;
};

// Reads the FAULT comments of a file in test/device: the kernel they stand in, their lines and kinds.
std::map<std::string, Expected> expectations(const std::string& path) {
  std::map<std::string, Expected> expected;
  std::ifstream file(FLASHLIGHT_SOURCE_DIR "/test/device/" + path);
  std::string text, kernel;
  for (unsigned line = 1; std::getline(file, text); ++line) {
    if (const auto at = text.find("FL_KERNEL(kThreads) "); at == 0)
      kernel = text.substr(20, text.find('(', 20) - 20);
    const auto at = text.find("// FAULT: ");
    if (at == std::string::npos) continue;
    Expected& e = expected[kernel];
    e.lines.insert(line);
    std::string kinds = text.substr(at + 10);
    for (std::size_t end; (end = kinds.find(" or ")) != std::string::npos; kinds = kinds.substr(end + 4))
      e.kinds.insert(kinds.substr(0, end));
    e.kinds.insert(kinds);
  }
  return expected;
}

struct Planted {
  std::string name;
  const char* file;
  int (*run)(const std::string& name, const void* in, float* out);
};

std::vector<Planted> planted() {
  std::vector<Planted> all;
  for (const std::string& name : fault_names()) all.push_back({name, "faults.cu", run_fault});
  for (const HopperFault& fault : hopper_faults()) all.push_back({fault.name, fault.file, run_hopper_fault});
  return all;
}

class FaultTest : public DeviceTest, public testing::WithParamInterface<Planted> {
 protected:
  int run(std::uint64_t seed, emulator::Checks checks = emulator::Checks::kFull) {
    emulator::set_options({seed, checks, 64});
    fill_integers(in_, 1);
    return GetParam().run(GetParam().name, in_.data(), out_.data());
  }
  DeviceArray<device::bfloat16> in_{registry_, 64 * 64};
  DeviceArray<float> out_{registry_, 64 * 64};
};

TEST_P(FaultTest, IsReportedWhereItIs) {
  const auto& [name, file, run_it] = GetParam();
  const auto expected = expectations(file);
  ASSERT_TRUE(expected.contains(name));
  const Expected& e = expected.at(name);
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    EXPECT_NE(run(seed), 0) << "seed " << seed;
    EXPECT_NE(std::string(device::last_error_text()).find(name), std::string::npos)
        << device::last_error_text();
    const std::vector<Finding> findings = emulator::take_findings();
    ASSERT_FALSE(findings.empty());
    const Finding& f = findings[0];
    EXPECT_TRUE(e.kinds.contains(emulator::kind_name(f.kind))) << to_string(f);
    EXPECT_TRUE(e.lines.contains(f.line)) << to_string(f);
    EXPECT_TRUE(f.file.ends_with(file)) << to_string(f);
    EXPECT_EQ(f.kernel, name);
    EXPECT_TRUE(f.thread >= 0 && f.thread < 256 && f.block >= 0 && f.block < 2) << to_string(f);
  }
}

TEST_P(FaultTest, IsReportedAlikeForOneSeed) {
  std::vector<std::string> first, second;
  for (auto* texts : {&first, &second}) {
    run(5);
    for (const Finding& f : emulator::take_findings()) texts->push_back(to_string(f));
  }
  EXPECT_EQ(first, second);
}

INSTANTIATE_TEST_SUITE_P(Planted, FaultTest, testing::ValuesIn(planted()),
                         [](const auto& info) { return info.param.name; });

// The thread of a fault that only one commits.
class OneThreadTest : public DeviceTest {
 protected:
  Finding first_finding(const char* kernel, decltype(run_fault)* run = run_fault) {
    DeviceArray<device::bfloat16> in(registry_, 64 * 64);
    DeviceArray<float> out(registry_, 64 * 64);
    fill_integers(in, 1);
    run(kernel, in.data(), out.data());
    const std::vector<Finding> findings = emulator::take_findings();
    return findings.empty() ? Finding{} : findings[0];
  }
};

TEST_F(OneThreadTest, IsNamed) { EXPECT_EQ(first_finding("reads_past_an_auxiliary_tensor").thread, 77); }

TEST_F(OneThreadTest, DeadlocksSayWhoWaitsWhere) {
  const Finding barrier = first_finding("lets_half_skip_the_barrier");
  EXPECT_NE(barrier.text.find("threads 0-63 wait in sync_threads at faults.cu:"), std::string::npos)
      << barrier.text;
  EXPECT_NE(barrier.text.find("threads 64-127 have ended"), std::string::npos) << barrier.text;
  const Finding lane = first_finding("misses_a_lane");
  EXPECT_NE(lane.text.find("threads 0-30, 32-62, 64-94, 96-126 wait in quad_sum"), std::string::npos)
      << lane.text;
  EXPECT_NE(lane.text.find("threads 31, 63, 95, 127 have ended"), std::string::npos) << lane.text;
}

TEST_F(OneThreadTest, DeadlocksDescribeBarriers) {
  const Finding bytes = first_finding("expects_too_many_bytes", run_hopper_fault);
  EXPECT_NE(bytes.text.find("threads 0-255 wait in Barrier::wait at barrier_faults.cu:"), std::string::npos)
      << bytes.text;
  EXPECT_NE(bytes.text.find("is in phase 0: 0 of 1 arrivals missing, 8192 bytes missing"), std::string::npos)
      << bytes.text;
  const Finding named = first_finding("too_few_come_to_a_named_barrier", run_hopper_fault);
  EXPECT_NE(named.text.find("96 of 128 threads are at named barrier 4"), std::string::npos) << named.text;
}

TEST_F(OneThreadTest, AsynchronousAccessesSayWhatTheyAre) {
  const Finding store = first_finding("overwrites_a_tile_being_stored", run_hopper_fault);
  EXPECT_NE(store.text.find("after the read by the reading of a bulk store of thread 0"), std::string::npos)
      << store.text;
  const Finding product = first_finding("overwrites_a_product_s_tile", run_hopper_fault);
  EXPECT_NE(product.text.find("after the read by a product at operand_faults.cu:"), std::string::npos)
      << product.text;
  const Finding proxy = first_finding("forgets_the_proxy_fence", run_hopper_fault);
  EXPECT_NE(proxy.text.find("by a product lacks fence_proxy_async after the write by thread"),
            std::string::npos)
      << proxy.text;
}

TEST_F(OneThreadTest, RacesNameBothSides) {
  const Finding race = first_finding("blocks_write_one_place");
  EXPECT_NE(race.text.find("is not ordered after the write by thread"), std::string::npos) << race.text;
  EXPECT_NE(race.text.find("of another CTA at faults.cu:" + std::to_string(race.line)), std::string::npos)
      << race.text;
}

}  // namespace
}  // namespace flashlight::test
