// SPDX-License-Identifier: Apache-2.0
// The launch contract: streams, allocation, threads, repeatability, many heads.
#include <flashlight/emulator/emulator.h>
#include <flashlight/generated/launch.h>
#include <flashlight/runtime.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>

#include "c_calls.h"
#include "program.h"

namespace {

using namespace flashlight;

using Function = Tensor (*)(const Tensor&, const Tensor&, const Tensor&);

// A device that counts what would break the capture of a CUDA graph. Its memory is the emulated device's.
struct Counts {
  std::atomic<int> allocations{0}, copies{0}, waits{0};
} counts;

constexpr DeviceTable kCounting = {
    "counting",
    [](std::size_t bytes, void* stream) {
      return ++counts.allocations, emulated_device().allocate(bytes, stream);
    },
    [](void* memory, void* stream) { ++counts.allocations, emulated_device().deallocate(memory, stream); },
    [](void* to, const void* from, std::size_t bytes, CopyKind kind, void* stream) {
      ++counts.copies, emulated_device().copy(to, from, bytes, kind, stream);
    },
    [](void* stream) { ++counts.waits, emulated_device().synchronize(stream); },
};

TEST(Launch, WithGivenResultsAllocatesCopiesAndWaitsForNothing) {
  register_device(&kCounting);
  {
    Attention host = attention_of({2}, 50, 70, 64);
    Attention a(host.q.to(kCUDA), host.k.to(kCUDA), host.v.to(kCUDA), host.out.to(kCUDA));
    for (View* x : {&a.q_view, &a.k_view, &a.v_view, &a.out_view}) x->dl.device = {kDLCUDA, 0};
    counts.allocations = counts.copies = counts.waits = 0;
    EXPECT_EQ(a.run(), 0) << flashlight_last_error();
    EXPECT_EQ(counts.allocations, 0);
    EXPECT_EQ(counts.copies, 0);
    EXPECT_EQ(counts.waits, 0);
    // From C++ the result is allocated, and nothing else.
    const Tensor result = attention(a.q, a.k, a.v);
    EXPECT_EQ(counts.allocations, 1);
    EXPECT_EQ(counts.copies + counts.waits, 0);
    EXPECT_EQ(max_abs_diff(result.to(kCPU), a.out.to(kCPU)), 0);
  }
  register_device(nullptr);
}

// The stated condition, on a device of 132 SMs that has room for 4 CTAs on each.
TEST(Launch, SplitsKeysWhereTheDeviceWouldBeIdle) {
  const generated::Launch launch("f");
  const auto runs = [&](long long rows, long long heads, long long batch, long long keys,
                        bool splits = true) {
    return launch.runs_of({rows, heads, batch, keys, splits}, 132);
  };
  EXPECT_EQ(runs(1, 1, 8, 4097), 16);      // as many as the keys allow
  EXPECT_EQ(runs(1, 1, 8, 1 << 20), 66);   // as many as fill the device
  EXPECT_EQ(runs(1, 1, 1, 1 << 20), 128);  // and no more than this
  EXPECT_EQ(runs(64, 1, 8, 4097), 16);
  EXPECT_EQ(runs(65, 1, 8, 4097), 0);  // not few
  EXPECT_EQ(runs(1, 1, 8, 511), 0);    // not two runs of 256
  EXPECT_EQ(runs(1, 1, 8, 512), 2);
  EXPECT_EQ(runs(1, 1, 264, 4097), 2);  // the device is half full at 264
  EXPECT_EQ(runs(1, 1, 265, 4097), 0);
  EXPECT_EQ(runs(1, 1, 8, 4097, false), 0);
  EXPECT_EQ(runs(8, 8, 1000, 100), 1);  // one tile for eight heads
  EXPECT_EQ(runs(128, 8, 1000, 100), 0);
  EXPECT_EQ(runs(8, 8, 8, 4097, false), 1);
  EXPECT_EQ(runs(0, 1, 8, 4097), 0);
  setenv("FLASHLIGHT_KEY_RUNS", "5", 1);
  EXPECT_EQ(runs(500, 1, 1000, 1), 5);
  EXPECT_EQ(runs(500, 1, 1000, 1, false), 1);
  setenv("FLASHLIGHT_KEY_RUNS", "0", 1);
  EXPECT_EQ(runs(1, 8, 8, 4097), 0);
  setenv("FLASHLIGHT_KEY_RUNS", "some", 1);
  EXPECT_THROW(runs(1, 1, 1, 1), Error);
  unsetenv("FLASHLIGHT_KEY_RUNS");
}

// A C entry splits keys in the workspace that it asks for, and not without one; the bits are the same every
// time.
TEST(Launch, RunsLieInTheWorkspace) {
  emulator::Options options = emulator::options();
  const emulator::Options before = options;
  options.multiprocessors = 132;
  emulator::set_options(options);
  Attention a = attention_of({2}, 1, 1100, 64);
  const std::size_t bytes = flashlight_attention_workspace_size(a.in, nullptr);
  EXPECT_EQ(bytes, 4u * 2 * 1 * (2 + 64) * sizeof(float) / 256 * 256 +
                       256);  // 4 runs of 2 batch elements: m, l, acc
  EXPECT_EQ(a.run(), 0) << flashlight_last_error();
  const Tensor alone = a.out.clone();
  std::vector<char> memory(bytes + 256);
  char* const start = memory.data() + (256 - reinterpret_cast<std::uintptr_t>(memory.data()) % 256);
  Tensor first;
  for (int time = 0; time < 3; ++time) {
    EXPECT_EQ(flashlight_attention(a.in, a.results, nullptr, start, bytes, nullptr), 0)
        << flashlight_last_error();
    if (time == 0) first = a.out.clone();
    EXPECT_EQ(max_abs_diff(first, a.out), 0);
  }
  EXPECT_LE(max_abs_diff(first, alone), 0.01);
  EXPECT_NE(flashlight_attention(a.in, a.results, nullptr, start, bytes - 256, nullptr), 0);
  EXPECT_NE(std::string(flashlight_last_error()).find("not enough"), std::string::npos);
  emulator::set_options(before);
}

TEST(Launch, TheCallersStreamIsUsedAndGivenBack) {
  static thread_local void* seen = nullptr;
  static const DeviceTable kSees = {"seeing",
                                    [](std::size_t bytes, void* stream) {
                                      return seen = stream, emulated_device().allocate(bytes, stream);
                                    },
                                    emulated_device().deallocate, emulated_device().copy,
                                    emulated_device().synchronize};
  int before = 0, other = 0;
  set_stream(&before);
  Attention a = attention_of({2}, 5, 7, 64);
  EXPECT_EQ(a.run(flashlight_attention, nullptr, &other), 0) << flashlight_last_error();
  EXPECT_EQ(current_stream(), &before);
  a.in[0] = nullptr;
  EXPECT_NE(a.run(flashlight_attention, nullptr, &other), 0);
  EXPECT_EQ(current_stream(), &before) << "after an error, too";
  a.in[0] = &a.q_view.dl;
  const Tensor q = a.q.to(kCUDA), k = a.k.to(kCUDA), v = a.v.to(kCUDA);
  register_device(&kSees);
  attention(q, k, v);
  register_device(nullptr);
  EXPECT_EQ(seen, &before) << "results are allocated on the current stream";
  set_stream(nullptr);
}

TEST(Launch, ThreadsDoNotDisturbEachOther) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t, &wrong] {
      for (int n = 0; n < 4; ++n) {
        Attention a = attention_of({2}, 20 + t, 30 + n, 64);
        if (a.run() != 0 || error_of(a, Function(attention)) > 4e-3) ++wrong;
        a.v_view.shape[1] = 1;
        if (a.run() == 0 || std::string(flashlight_last_error()).find("'v'") == std::string::npos) ++wrong;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Launch, TheSameInputGivesTheSameBits) {
  Tensor first;
  for (const std::uint64_t seed : {1, 2, 3, 4}) {  // the order of CTAs and fibers
    emulator::Options options = emulator::options();
    options.seed = seed;
    emulator::set_options(options);
    Attention a = attention_of({3}, 200, 170, 64);
    ASSERT_EQ(a.run(flashlight_two_streams), 0) << flashlight_last_error();
    if (!first.defined()) first = a.out;
    EXPECT_EQ(max_abs_diff(first, a.out), 0) << "seed " << seed;
  }
}

struct MarkParams {
  generated::TensorArg<0> out;
  generated::PackShape pack;
  int n_row, row_tiles;
};

// Each CTA counts itself at its batch element.
FL_KERNEL(32) mark(FL_PARAMS(MarkParams) p) {
  const int batch = device::block_index() / p.row_tiles;
  if (device::thread_index() == 0)
    static_cast<float*>(p.out.base)[p.out.offset(p.pack.index(batch))] += static_cast<float>(batch);
}

TEST(Launch, TakesMoreHeadsThanAGridHasRowsOfBlocks) {
  const std::int64_t batches = 3, heads = 30'000;  // 65,535 is the limit of all but a grid's first dimension
  Tensor out = zeros({batches, heads}, kFloat32).to(kCUDA);
  generated::Launch launch("mark");
  launch.tensor("out", out, true, {});
  launch.bind();
  MarkParams p{launch.arg<0>(0), launch.pack(), 1, 0};
  generated::start(mark, launch, p, launch.batch(), {1, 32, 0}, "mark");
  EXPECT_EQ(max_abs_diff(out.to(kCPU), arange(batches * heads).to(kFloat32).view({batches, heads})), 0);
}

TEST(Launch, RefusesMoreBlocksThanAGridHas) {
  generated::Launch launch("mark");
  MarkParams p{{}, {{1, 1, 1, 1}}, 1, 0};
  EXPECT_THROW(generated::start(mark, launch, p, 1ll << 31, {1, 32, 0}, "mark"), Error);
}

// "No window" as a huge number would wrap around in a kernel's 32-bit positions, which the program's 64 bits
// do not. A window wider than any sequence is none; only numbers at the end of 64 bits, whose sums wrap
// around, are refused.
TEST(Launch, ScalarsBeyondPositionsStandForNoLimit) {
  const Tensor q = randn({2, 5, 64}, 1, kFloat64).to(kFloat16), on_device = q.to(kCUDA);
  for (const std::int64_t large : {1ll << 29, 2147483647ll, 1ll << 40})
    EXPECT_LT(max_abs_diff(attention(on_device, on_device, on_device, 1.0, large).to(kCPU),
                           attention(q, q, q, 1.0, 5)),
              4e-3);
  const Tensor none = attention(on_device, on_device, on_device, 1.0, -(1ll << 40)).to(kCPU);
  EXPECT_EQ(max_abs_diff(none, zeros({2, 5, 64}, kFloat16)), 0);  // no key is near enough
  EXPECT_THROW(attention(on_device, on_device, on_device, 1.0, std::numeric_limits<std::int64_t>::max()),
               Error);
}

TEST(Launch, ErrorsNameTheFunctionAndTheArgument) {
  const Tensor q = randn({2, 5, 64}, 1, kFloat64).to(kFloat16).to(kCUDA),
               wide = randn({2, 5, 160}, 1, kFloat64).to(kFloat16).to(kCUDA);
  const Tensor single = randn({2, 5, 64}, 1, kFloat32).to(kCUDA);
  const auto text = [](auto call) -> std::string {
    try {
      call();
    } catch (const Error& error) { return error.what(); }
    return "no error";
  };
  EXPECT_EQ(text([&] { attention(wide, wide, q); }),
            "attention: q.size(-1) is 160, and this file has kernels for up to 128; translate with larger "
            "--head-dims");
  EXPECT_EQ(text([&] { attention(single, single, single); }),
            "attention: argument 'q' is kFloat32, and this file has kernels for kBFloat16 or kFloat16 only; "
            "translate with other --dtypes");
  EXPECT_EQ(text([&] { attention(q, q.to(kCPU), q); }),
            "attention: argument 'k' is on the CPU where others are CUDA tensors");
  EXPECT_EQ(text([&] { attention(q, Tensor(), q); }), "attention: argument 'k' is an undefined tensor");
}

}  // namespace
