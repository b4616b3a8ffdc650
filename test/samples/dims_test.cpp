// SPDX-License-Identifier: Apache-2.0
// Head dims: each one that kernels are made for, odd ones that are padded, values wider and narrower than
// keys, in every storage type; and what is said where there is no kernel.
#include <gtest/gtest.h>

#include <string>

#include "program.h"

namespace {

struct Dims {
  int d, dv;
};

constexpr Dims kDims[] = {{32, 32},   {40, 40},   {72, 72},  {96, 96}, {100, 100}, {128, 128},
                          {192, 192}, {256, 256}, {40, 200}, {64, 96}, {200, 24},  {250, 1}};

Printed run(const std::string& sample, const std::string& sizes) {
  return run_program(FLASHLIGHT_PROGRAMS_DIR "/all_dims_" + sample + " --b 1 --h 1 " + sizes);
}

void expect_all_agree(const std::string& sample, const std::string& dtype) {
  for (const Dims dims : kDims) {
    const std::string sizes = "--sq 41 --sk 90 --d " + std::to_string(dims.d) + " --dv " +
                              std::to_string(dims.dv) + " --dtype " + dtype;
    const Printed result = run(sample, sizes);
    EXPECT_EQ(result.status, 0) << sample << " " << sizes << "\n" << result.text;
  }
}

class AllDims : public testing::TestWithParam<const char*> {};

TEST_P(AllDims, BFloat16) { expect_all_agree(GetParam(), "bf16"); }
TEST_P(AllDims, Float16) { expect_all_agree(GetParam(), "fp16"); }
TEST_P(AllDims, Float32) { expect_all_agree(GetParam(), "fp32"); }

INSTANTIATE_TEST_SUITE_P(Samples, AllDims,
                         testing::Values("vanilla_attention", "causal_attention", "differential_attention"));

// Not in float32: the eager run of so few products errs by less than one rounding of a kernel's exponent.
TEST(HeadDims, OfOneAndTwo) {
  for (const char* dtype : {"bf16", "fp16"}) {
    const Printed result =
        run("vanilla_attention", std::string("--sq 9 --sk 20 --d 1 --dv 2 --dtype ") + dtype);
    EXPECT_EQ(result.status, 0) << dtype << "\n" << result.text;
  }
}

TEST(HeadDims, BeyondTheLargestAreRefused) {
  const Printed result = run("vanilla_attention", "--sq 9 --sk 20 --d 257");
  EXPECT_NE(result.status, 0);
  EXPECT_NE(result.text.find("attention: q.size(-1) is 257, and this file has kernels for up to 256, the "
                             "most that kernels hold"),
            std::string::npos)
      << result.text;
}

}  // namespace
