// SPDX-License-Identifier: Apache-2.0
// C entries: right results, and for wrong arguments an error that names them, with nothing written.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <limits>

#include "c_calls.h"
#include "program.h"

namespace {

using namespace flashlight;

constexpr double kTolerance = 4e-3;
using Function = Tensor (*)(const Tensor&, const Tensor&, const Tensor&);

TEST(CEntry, GivesWhatTheFunctionGives) {
  Attention a = attention_of({2, 3}, 50, 70, 64);
  ASSERT_EQ(a.run(), 0) << flashlight_last_error();
  EXPECT_LT(error_of(a, Function(attention)), kTolerance);
  EXPECT_STREQ(flashlight_last_error(), "");
}

TEST(CEntry, FunctionsOfOneNameKeepTheirOwnKernels) {
  Attention a = attention_of({2}, 50, 70, 64);
  ASSERT_EQ(a.run(flashlight_other_attention), 0) << flashlight_last_error();
  EXPECT_LT(error_of(a, other::attention), kTolerance);
  ASSERT_EQ(a.run(flashlight_second_attention), 0) << flashlight_last_error();
  EXPECT_LT(error_of(a, second::attention), kTolerance);
  ASSERT_EQ(a.run(flashlight_two_streams), 0) << flashlight_last_error();
  EXPECT_LT(error_of(a, two_streams), kTolerance);
}

TEST(CEntry, TakesScalarsInTheOrderOfTheParameters) {
  Attention a = attention_of({2}, 50, 70, 64);
  const double scalars[] = {0.25, 10};
  ASSERT_EQ(a.run(flashlight_attention_2, scalars), 0) << flashlight_last_error();
  const auto eager = [](const Tensor& q, const Tensor& k, const Tensor& v) {
    return attention(q, k, v, 0.25, 10);
  };
  EXPECT_LT(error_of(a, eager), kTolerance);
}

TEST(CEntry, TakesNullForAnEmptyOptional) {
  Attention a = attention_of({2}, 50, 70, 64);
  Tensor bias = randn({50, 70}, 5, kFloat16);
  View view(bias);
  const DLTensor* in[4] = {a.in[0], a.in[1], a.in[2], nullptr};
  double present = 0;
  ASSERT_EQ(flashlight_biased(in, a.results, &present, nullptr, 0, nullptr), 0) << flashlight_last_error();
  EXPECT_LT(
      error_of(a, [](const Tensor& q, const Tensor& k, const Tensor& v) { return biased(q, k, v, {}); }),
      kTolerance);
  in[3] = &view.dl;
  present = 1;
  ASSERT_EQ(flashlight_biased(in, a.results, &present, nullptr, 0, nullptr), 0) << flashlight_last_error();
  const auto eager = [&](const Tensor& q, const Tensor& k, const Tensor& v) {
    return biased(q, k, v, bias.to(q.dtype()));
  };
  EXPECT_LT(error_of(a, eager), kTolerance);
  in[3] = nullptr;
  EXPECT_NE(flashlight_biased(in, a.results, &present, nullptr, 0, nullptr), 0);
  EXPECT_NE(std::string(flashlight_last_error()).find("'bias'"), std::string::npos)
      << flashlight_last_error();
}

TEST(CEntry, TakesStridedTensorsAndResults) {
  Attention a = attention_of({2, 3}, 50, 70, 64);
  for (Tensor* x : {&a.q, &a.k, &a.v, &a.out}) *x = x->transpose(1, 2).contiguous().transpose(1, 2);
  Attention strided(a.q, a.k, a.v, a.out);
  ASSERT_EQ(strided.run(), 0) << flashlight_last_error();
  EXPECT_LT(error_of(strided, Function(attention)), kTolerance);
}

TEST(CEntry, TakesColumnsApartAndAnOffset) {
  Attention a = attention_of({2}, 50, 70, 64);
  for (Tensor* x : {&a.q, &a.k, &a.v, &a.out}) *x = x->transpose(-1, -2).contiguous().transpose(-1, -2);
  Attention columns(a.q, a.k, a.v, a.out);
  columns.k_view.dl.data = static_cast<char*>(columns.k_view.dl.data) - 6;
  columns.k_view.dl.byte_offset = 6;
  ASSERT_EQ(columns.run(), 0) << flashlight_last_error();
  EXPECT_LT(error_of(columns, Function(attention)), kTolerance);
}

TEST(CEntry, WithoutStridesATensorIsContiguous) {
  Attention a = attention_of({2}, 50, 70, 64);
  a.q_view.dl.strides = a.out_view.dl.strides = nullptr;
  ASSERT_EQ(a.run(), 0) << flashlight_last_error();
  EXPECT_LT(error_of(a, Function(attention)), kTolerance);
}

// Parts of one tensor, interleaved row by row: nothing is shared.
TEST(CEntry, TakesResultsBetweenArguments) {
  Attention a = attention_of({2}, 50, 50, 64);
  Tensor all = cat({a.q, a.k, a.v, a.out}, -1);
  auto [q, k, v, out] = all.chunk<4>(-1);
  Attention interleaved(q, k, v, out);
  ASSERT_EQ(interleaved.run(), 0) << flashlight_last_error();
  EXPECT_LT(error_of(interleaved, Function(attention)), kTolerance);
  Attention shifted(q, k, v, all.narrow(-1, 191, 64));
  EXPECT_NE(shifted.run(), 0);
  EXPECT_STREQ(flashlight_last_error(), "attention: result 1 shares memory with argument 'v'");
}

TEST(CEntry, EmptySizesLaunchNothing) {
  Attention no_batch = attention_of({0}, 5, 7, 64), no_rows = attention_of({2}, 0, 7, 64);
  EXPECT_EQ(no_batch.run(), 0) << flashlight_last_error();
  EXPECT_EQ(no_rows.run(), 0) << flashlight_last_error();
  Attention no_columns = attention_of({2}, 5, 7, 64);
  no_columns.v = no_columns.v.slice(-1, 0, 0), no_columns.out = no_columns.out.slice(-1, 0, 0);
  Attention a(no_columns.q, no_columns.k, no_columns.v, no_columns.out);
  EXPECT_EQ(a.run(), 0) << flashlight_last_error();
}

TEST(CEntry, WithoutKeysRowsAreZero) {
  Attention a = attention_of({2}, 5, 0, 64);
  ASSERT_EQ(a.run(), 0) << flashlight_last_error();
  EXPECT_EQ(max_abs_diff(a.out, zeros({2, 5, 64}, kFloat16)), 0);
}

TEST(CEntry, NeedsNoWorkspace) {
  Attention a = attention_of({2}, 5, 7, 64);
  EXPECT_EQ(flashlight_attention_workspace_size(a.in, nullptr), 0u);
}

TEST(CEntry, WorksInTheWorkspace) {
  Attention a = attention_of({2}, 50, 70, 64);
  std::vector<float> memory(flashlight_slots_workspace_size(a.in, nullptr) / sizeof(float));
  ASSERT_FALSE(memory.empty());
  ASSERT_EQ(flashlight_slots(a.in, a.results, nullptr, memory.data(), memory.size() * sizeof(float), nullptr),
            0)
      << flashlight_last_error();
  EXPECT_LT(error_of(a, slots), kTolerance);
}

// Batch elements four gigabytes apart: offsets are 64 bits wide.
TEST(CEntry, ReachesFarStrides) {
  const std::int64_t far = (1ll << 31) + 8, bytes = 2 * (far + 1024);
  void* const memory = mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) GTEST_SKIP() << "no address space";
  Attention a = attention_of({2}, 5, 7, 64);
  Tensor q = Tensor::wrap(memory, {2, 5, 64}, {far, 64, 1}, kFloat16);
  for (std::int64_t b = 0; b < 2; ++b)
    std::memcpy(static_cast<char*>(memory) + 2 * b * far, a.q.contiguous().select(0, b).raw(), 5 * 64 * 2);
  Attention apart(q, a.k, a.v, a.out);
  EXPECT_EQ(apart.run(), 0) << flashlight_last_error();
  EXPECT_LT(error_of(a, Function(attention)), kTolerance);
  munmap(memory, static_cast<std::size_t>(bytes));
}

// ---- refusals

class Refusal : public testing::Test {
 protected:
  Attention a = attention_of({2}, 5, 7, 64);

  void expect(const std::string& text, CEntry* entry = flashlight_attention,
              const double* scalars = nullptr) {
    EXPECT_NE(a.run(entry, scalars), 0) << "expected: " << text;
    EXPECT_NE(std::string(flashlight_last_error()).find(text), std::string::npos) << flashlight_last_error();
    EXPECT_EQ(max_abs_diff(a.out, full({2, 5, 64}, 7, kFloat16)), 0) << "nothing may be written: " << text;
  }
};

TEST_F(Refusal, NullArgument) {
  a.in[1] = nullptr;
  expect("attention: argument 'k' is null");
}
TEST_F(Refusal, NullResult) {
  a.results[0] = nullptr;
  expect("attention: result 1 is null");
}
TEST_F(Refusal, NullArrays) {
  EXPECT_NE(flashlight_attention(nullptr, a.results, nullptr, nullptr, 0, nullptr), 0);
  EXPECT_STREQ(flashlight_last_error(), "attention: the array of arguments is null");
  EXPECT_NE(flashlight_attention(a.in, nullptr, nullptr, nullptr, 0, nullptr), 0);
  EXPECT_STREQ(flashlight_last_error(), "attention: the array of results is null");
  expect("attention: the array of scalars is null", flashlight_attention_2);
}
TEST_F(Refusal, NullData) {
  a.v_view.dl.data = nullptr;
  expect("attention: argument 'v' has no data");
}
TEST_F(Refusal, NullShape) {
  a.v_view.dl.shape = nullptr;
  expect("attention: argument 'v' has no shape");
}
TEST_F(Refusal, Rank) {
  a.q_view.dl.ndim = 1;
  expect("attention: argument 'q' has 1 axes where at least 2");
}
TEST_F(Refusal, NegativeRank) {
  a.q_view.dl.ndim = -1;
  expect("attention: argument 'q' has -1 axes");
}
TEST_F(Refusal, NegativeSize) {
  a.q_view.shape[1] = -5;
  expect("attention: argument 'q' has a negative size in axis 1");
}
TEST_F(Refusal, SizesThatDoNotFit) {
  a.k_view.shape[2] = 32;
  expect("attention: argument 'k' has size 32 in axis 2 where 64 is expected");
}
TEST_F(Refusal, BatchesThatDoNotFit) {
  a.k_view.shape[0] = 3;
  expect("has size 3 in axis 0");
}
TEST_F(Refusal, ResultSizes) {
  a.out_view.shape[1] = 4;
  expect("attention: result 1 has sizes [2, 4, 64] where the function returns [2, 5, 64]");
}
TEST_F(Refusal, ResultType) {
  a.out_view.dl.dtype = View::type_of(kBFloat16);
  expect("attention: result 1 is kBFloat16 where the function returns kFloat16");
}
TEST_F(Refusal, TypesThatDiffer) {
  a.v_view.dl.dtype = View::type_of(kBFloat16);
  expect("have different types, kFloat16 and kBFloat16");
}
TEST_F(Refusal, TypesWithoutKernels) {
  for (View* x : {&a.q_view, &a.k_view, &a.v_view})
    x->dl.dtype = {kDLInt, 32, 1}, x->dl.shape[0] = 1, x->dl.shape[1] = 1;
  expect("attention: argument 'q' is kInt32, and this file has kernels for kBFloat16 or kFloat16 only");
}
TEST_F(Refusal, UnknownTypes) {
  a.q_view.dl.dtype = {kDLFloat, 8, 1};
  expect("attention: argument 'q' has a DLPack type that is not supported: code 2, 8 bits, 1 lanes");
  a.q_view.dl.dtype = {kDLFloat, 16, 2};
  expect("attention: argument 'q' has a DLPack type that is not supported: code 2, 16 bits, 2 lanes");
}
TEST_F(Refusal, HeadDims) {
  for (View* x : {&a.q_view, &a.k_view}) x->shape[2] = 160, x->shape[1] = 1, x->shape[0] = 1;
  a.v_view.shape[1] = 1;
  expect(
      "attention: q.size(-1) is 160, and this file has kernels for up to 128; translate with larger "
      "--head-dims");
}
TEST_F(Refusal, AssumptionsThatDoNotHold) {
  for (View* x : {&a.q_view, &a.k_view}) x->shape[2] = 32;
  expect("of_64: argument 'q' has size 32 in axis 2 where 64 is expected", flashlight_of_64);
}
TEST_F(Refusal, OddSplits) {
  for (View* x : {&a.q_view, &a.k_view}) x->shape[2] = 63;
  expect(
      "two_streams: chunk: the size of dim 2 of [.., q.size(-2), q.size(-1)] and its parts must be equal "
      "(q.size(-1) == ",
      flashlight_two_streams);
}
TEST_F(Refusal, Devices) {
  a.k_view.dl.device.device_type = kDLCUDA;
  expect("attention: argument 'k' has DLPack device type 2");
  a.k_view.dl.device = {kDLCPU, 1};
  expect("attention: argument 'k' is on device 1, others are on device 0");
  for (View* x : {&a.q_view, &a.k_view, &a.v_view, &a.out_view}) x->dl.device = {kDLCPU, 1};
  expect("attention: there is no device 1");
}
TEST_F(Refusal, Alignment) {
  a.q_view.dl.byte_offset = 1;
  expect("attention: argument 'q' is not aligned to its elements");
}
TEST_F(Refusal, ResultsThatOverlap) {
  a.out_view.strides[0] = 0;
  expect("attention: result 1 has strides by which its elements overlap");
  a.out_view.strides[0] = 5 * 64 - 1;
  expect("attention: result 1 has strides by which its elements overlap");
}
TEST_F(Refusal, ResultsThatShareMemoryWithArguments) {
  a.q_view.dl.data = a.out_view.dl.data;
  expect("attention: result 1 shares memory with argument 'q'");
  a.q_view.dl.byte_offset = 64;
  expect("attention: result 1 shares memory with argument 'q'");
}
TEST_F(Refusal, TheWorkspaceIsSmallOrNotItsOwn) {
  auto refused = [&](void* workspace, std::size_t bytes) {
    EXPECT_NE(flashlight_slots(a.in, a.results, nullptr, workspace, bytes, nullptr), 0);
    return std::string(flashlight_last_error());
  };
  const std::size_t bytes = flashlight_slots_workspace_size(a.in, nullptr);
  std::vector<char> memory(bytes);
  EXPECT_NE(refused(memory.data(), bytes - 1).find("which are not enough"), std::string::npos);
  ASSERT_LE(bytes, a.out.numel() * 2u);
  EXPECT_EQ(refused(a.out.raw(), bytes), "slots: the workspace shares memory with result 1");
  EXPECT_EQ(refused(a.k.raw(), bytes), "slots: the workspace shares memory with argument 'k'");
}
TEST_F(Refusal, ScalarsThatAreNoIntegers) {
  for (const double wrong :
       {0.5, 1e300, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const double scalars[] = {1.0, wrong};
    expect("where an integer is expected", flashlight_attention_2, scalars);
  }
}

TEST(CEntry, AnErrorIsForgottenByTheNextCall) {
  Attention a = attention_of({2}, 5, 7, 64);
  const DLTensor* const q = a.in[0];
  a.in[0] = nullptr;
  EXPECT_NE(a.run(), 0);
  a.in[0] = q;
  EXPECT_EQ(a.run(), 0);
  EXPECT_STREQ(flashlight_last_error(), "");
}

}  // namespace
