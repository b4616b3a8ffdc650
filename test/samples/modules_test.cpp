// SPDX-License-Identifier: Apache-2.0
// Functions that are more than attention, on the emulated device and against the program run in float64;
// their C entries, in a workspace that the caller sizes.
#include "modules.h"

#include <dlpack/dlpack.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

extern "C" int flashlight_cross(const DLTensor* const* in, DLTensor* const* out, const double* scalars,
                                void* workspace, std::size_t workspace_bytes, void* stream);
extern "C" std::size_t flashlight_cross_workspace_size(const DLTensor* const* in, const double* scalars);
extern "C" const char* flashlight_last_error();

namespace {

using namespace flashlight;

Tensor weight(Sizes sizes, std::uint64_t seed) { return randn(sizes, seed) / std::sqrt(double(sizes[0])); }

// `run(f)` calls the program with f of each input.
template <class Run> void agree(const Run& run, double tolerance = 0.02) {
  const Tensor wanted = run([](const Tensor& x) { return x.to(kFloat16).to(kFloat64); });
  const Tensor got = run([](const Tensor& x) { return x.to(kFloat16).to(kCUDA); });
  ASSERT_EQ(got.device(), kCUDA);
  EXPECT_EQ(got.dtype(), kFloat16);
  EXPECT_LE(max_abs_diff(got.to(kCPU).to(kFloat64), wanted), tolerance);
}

constexpr std::int64_t kEmbedding = 24, kLength = 37, kDepth = 16, kHeads = 2;

TEST(Modules, WeightsOfEachHead) {
  const Tensor x = randn({2, kLength, kEmbedding}, 1), wo = weight({kHeads, kDepth, kEmbedding}, 5) / 4,
               bo = randn({kEmbedding}, 6);
  const auto w = [](std::uint64_t seed) { return weight({kEmbedding, kHeads, kDepth}, seed); };
  agree([&](auto f) { return einsum_weights(f(x), f(w(2)), f(w(3)), f(w(4)), f(wo), f(bo)); });
}

TEST(Modules, NormsOfProjections) {
  const Tensor x = randn({2, kLength, kEmbedding}, 1), g = 1 + randn({kDepth}, 6) / 8,
               bq = randn({kDepth}, 7);
  const auto w = [](std::uint64_t seed) { return randn({kDepth, kEmbedding}, seed) / 5; };
  agree([&](auto f) { return norms_of_projections(f(x), f(w(2)), f(bq), f(w(3)), f(w(4)), f(g)); });
}

TEST(Modules, AWholeLayer) {
  const Tensor x = randn({2, kLength, kEmbedding}, 1), g = 1 + randn({kEmbedding}, 2) / 8;
  const std::int64_t width = kHeads * kDepth, hidden = 56;
  const auto into = [&](std::uint64_t seed) { return weight({kEmbedding, width}, seed); };
  const Tensor wo = weight({width, kEmbedding}, 6), w1 = weight({kEmbedding, hidden}, 7),
               w2 = weight({hidden, kEmbedding}, 8);
  agree([&](auto f) {
    return layer(f(x), {f(g), f(into(3)), f(into(4)), f(into(5)), f(wo), f(g), f(w1), f(w2)});
  });
}

TEST(Modules, ANormOfAllHeads) {
  const auto heads = [](std::uint64_t seed) { return randn({2, kHeads, kLength, kDepth}, seed); };
  const Tensor g = 1 + randn({kHeads * kDepth}, 4) / 8, wo = weight({kHeads * kDepth, kEmbedding}, 5);
  agree([&](auto f) { return norm_of_all_heads(f(heads(1)), f(heads(2)), f(heads(3)), f(g), f(wo)); }, 0.03);
}

TEST(Modules, StridedArguments) {  // no unit stride along the summed axis, and weights of a batch of one
  const Tensor x = randn({2, kEmbedding, 2 * kLength}, 1), k = randn({2, 21, kDepth}, 2),
               v = randn({2, 21, kDepth}, 3);
  const Tensor wq = weight({kEmbedding, 2 * kDepth}, 4), wo = weight({1, kDepth, kEmbedding}, 5);
  const auto every_other = [](const Tensor& t) { return t.slice(-1, 0, t.size(-1), 2); };
  agree([&](auto f) {
    return cross(every_other(f(x)).transpose(-2, -1), f(k), f(v), every_other(f(wq)), f(wo));
  });
}

TEST(Modules, WeightsOfEachBatchElement) {
  const Tensor x = randn({2, kLength, kEmbedding}, 1), k = randn({2, 21, kDepth}, 2),
               v = randn({2, 21, kDepth}, 3);
  const Tensor wq = randn({2, kEmbedding, kDepth}, 4) / 5, wo = randn({2, kDepth, kEmbedding}, 5) / 4;
  agree([&](auto f) { return cross(f(x), f(k), f(v), f(wq), f(wo)); });
}

TEST(Modules, OtherTypesOfWeightsPromote) {
  const Tensor x = randn({2, kLength, kEmbedding}, 1), k = randn({2, 21, kDepth}, 2),
               v = randn({2, 21, kDepth}, 3);
  const Tensor wq = weight({kEmbedding, kDepth}, 4), wo = weight({kDepth, kEmbedding}, 5);
  const auto run = [&](auto f) {
    return cross(f(x), f(k), f(v), f(wq),
                 wo.to(f(x).dtype() == kFloat64 ? kFloat64 : kFloat32).to(f(x).device()));
  };
  const Tensor wanted = run([](const Tensor& t) { return t.to(kFloat16).to(kFloat64); });
  const Tensor got = run([](const Tensor& t) { return t.to(kFloat16).to(kCUDA); });
  EXPECT_EQ(got.dtype(), kFloat32);
  EXPECT_LE(max_abs_diff(got.to(kCPU).to(kFloat64), wanted), 0.02);
}

TEST(Modules, AProjectionIsAResultToo) {
  const Tensor x = randn({2, kLength, kEmbedding}, 1);
  const auto w = [](std::uint64_t seed) { return weight({kEmbedding, kDepth}, seed); };
  agree([&](auto f) { return with_keys(f(x), f(w(2)), f(w(3)), f(w(4))).first; });
  agree([&](auto f) { return with_keys(f(x), f(w(2)), f(w(3)), f(w(4))).second; });
}

TEST(Modules, LinearAttentionOfProjections) {
  const Tensor x = randn({2, kLength, kEmbedding}, 1), decay = tensor({-0.1, -0.5});
  const auto w = [](std::uint64_t seed) { return weight({kEmbedding, kHeads * kDepth}, seed) / 2; };
  agree([&](auto f) { return projected_retention(f(x), f(w(2)), f(w(3)), f(w(4)), f(decay)); }, 0.05);
}

TEST(Modules, NothingIsComputedOfEmptyTensors) {
  const Tensor x = zeros({2, 0, kEmbedding}), k = randn({2, 21, kDepth}, 2), v = randn({2, 21, kDepth}, 3);
  const auto f = [](const Tensor& t) { return t.to(kFloat16).to(kCUDA); };
  const Tensor got =
      cross(f(x), f(k), f(v), f(weight({kEmbedding, kDepth}, 4)), f(weight({kDepth, kEmbedding}, 5)));
  EXPECT_EQ(got.numel(), 0);
}

// Host memory as the emulated device reads it.
struct Lent {
  std::vector<std::int64_t> shape, strides;
  std::vector<std::uint16_t> data;
  DLTensor tensor{};
  Lent(const Tensor& x, std::int64_t last_stride = 1) {
    const Tensor half = x.to(kFloat16).contiguous();
    std::int64_t stride = last_stride;
    for (std::int64_t d = x.dim(); d-- > 0;) {
      shape.insert(shape.begin(), x.size(d));
      strides.insert(strides.begin(), stride);
      stride *= x.size(d);
    }
    data.assign(static_cast<std::size_t>(stride), 0x7e00);
    const auto* from = static_cast<const std::uint16_t*>(half.raw());
    for (std::int64_t k = 0; k < half.numel(); ++k) data[static_cast<std::size_t>(k * last_stride)] = from[k];
    tensor.data = data.data();
    tensor.device = {kDLCPU, 0};
    tensor.ndim = static_cast<int>(shape.size());
    tensor.dtype = {kDLFloat, 16, 1};
    tensor.shape = shape.data();
    tensor.strides = strides.data();
  }
};

struct Call {
  Lent x{randn({2, kLength, kEmbedding}, 1)}, k{randn({2, 21, kDepth}, 2)}, v{randn({2, 21, kDepth}, 3)},
      wq{weight({kEmbedding, kDepth}, 4)}, wo{weight({kDepth, kEmbedding}, 5)};
  std::vector<const DLTensor*> in{&x.tensor, &k.tensor, &v.tensor, &wq.tensor, &wo.tensor};
};

TEST(Modules, TheCallerSizesAndSuppliesTheWorkspace) {
  Call call;
  const std::size_t bytes = flashlight_cross_workspace_size(call.in.data(), nullptr);
  // The projected queries and the attention's result, each in pieces of 256 bytes.
  const std::size_t piece = (2 * kLength * kDepth * 2 + 255) / 256 * 256;
  EXPECT_EQ(bytes, 2 * piece);
  void* const workspace = std::aligned_alloc(256, bytes);
  std::vector<std::uint16_t> first;
  for (const bool given : {false, true}) {
    Lent out(zeros({2, kLength, kEmbedding}));
    DLTensor* const results[] = {&out.tensor};
    ASSERT_EQ(flashlight_cross(call.in.data(), results, nullptr, given ? workspace : nullptr,
                               given ? bytes : 0, nullptr),
              0)
        << flashlight_last_error();
    if (first.empty()) first = out.data;
    EXPECT_EQ(out.data, first);
  }
  Lent out(zeros({2, kLength, kEmbedding}));
  DLTensor* const results[] = {&out.tensor};
  EXPECT_EQ(flashlight_cross(call.in.data(), results, nullptr, workspace, bytes - 1, nullptr), 1);
  EXPECT_NE(std::string(flashlight_last_error()).find("the workspace has"), std::string::npos);
  std::free(workspace);
}

TEST(Modules, AResultWithoutAUnitStrideIsCopiedTo) {
  Call call;
  Lent dense(zeros({2, kLength, kEmbedding})), apart(zeros({2, kLength, kEmbedding}), 3);
  for (Lent* out : {&dense, &apart}) {
    DLTensor* const results[] = {&out->tensor};
    ASSERT_EQ(flashlight_cross(call.in.data(), results, nullptr, nullptr, 0, nullptr), 0)
        << flashlight_last_error();
  }
  for (std::size_t k = 0; k < dense.data.size(); ++k) EXPECT_EQ(apart.data[3 * k], dense.data[k]);
}

}  // namespace
