// SPDX-License-Identifier: Apache-2.0
// The device table, the emulated device, moves between devices, streams and threads.
#include <flashlight/flashlight.h>
#include <flashlight/runtime.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace flashlight {
namespace {

TEST(Runtime, RoundTripKeepsValuesAndDenseStrides) {
  const Tensor x = randn({2, 3, 4}, 1);
  for (const Tensor& view : {x, x.transpose(0, 2), x.permute({1, 2, 0})}) {
    const Tensor there = view.to(kCUDA);
    EXPECT_EQ(there.device(), kCUDA);
    EXPECT_EQ(there.strides(), view.strides());
    EXPECT_NE(there.raw(), view.raw());
    EXPECT_EQ(max_abs_diff(there.to(kCPU), view), 0);
  }
  for (const Tensor& view :
       {x.slice(2, 0, 4, 2), x.narrow(1, 1, 2), x.select(0, 0).unsqueeze(0).expand({5, 3, 4})}) {
    const Tensor there = view.to(kCUDA);
    EXPECT_TRUE(there.is_contiguous());
    EXPECT_EQ(max_abs_diff(there.to(kCPU), view), 0);
  }
  EXPECT_EQ(x.to(kCPU).raw(), x.raw());
}

TEST(Runtime, ViewsOfDeviceTensorsComeBack) {
  const Tensor x = arange(24).view({2, 3, 4}), there = x.to(kCUDA);
  EXPECT_EQ(max_abs_diff(there.narrow(1, 1, 2).mT().to(kCPU), x.narrow(1, 1, 2).mT()), 0);
  EXPECT_EQ(max_abs_diff(there.slice(2, 1, 4, 2).to(kCPU), x.slice(2, 1, 4, 2)), 0);
  EXPECT_EQ(there.select(0, 1).select(0, 2).select(0, 3).item<int>(), 23);
  EXPECT_EQ(there.slice(2, 4).to(kCPU).numel(), 0);
}

TEST(Runtime, FreshDeviceMemoryIsPoisonedAndKnown) {
  const Tensor x = empty({10, 3}, kFloat16, kCUDA);
  const unsigned char* bytes = static_cast<const unsigned char*>(x.raw());
  for (int i = 0; i < 60; ++i) EXPECT_EQ(bytes[i], 0xff);
  EXPECT_TRUE(all(isnan(x.to(kCPU))).item<bool>());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes) % 256, 0u);

  AllocationInfo info;
  ASSERT_TRUE(find_allocation(bytes + 59, &info));
  EXPECT_EQ(info.base, bytes);
  EXPECT_EQ(info.bytes, 60u);
  EXPECT_FALSE(find_allocation(bytes + 60, &info));
  EXPECT_FALSE(find_allocation(bytes - 1, &info));
  const Tensor host = zeros({4});
  EXPECT_FALSE(find_allocation(host.raw(), &info));
}

TEST(Runtime, AllocationsEndWithTheLastHandle) {
  const void* address = nullptr;
  std::uint64_t serial = 0;
  AllocationInfo info;
  {
    Tensor view;
    {
      const Tensor x = zeros({8}, kFloat32, kCUDA);
      address = x.raw();
      view = x.narrow(0, 2, 3);
    }
    ASSERT_TRUE(find_allocation(address, &info));
    serial = info.serial;
  }
  EXPECT_TRUE(!find_allocation(address, &info) || info.serial != serial);
}

// A device that counts what it is asked for.
struct Counts {
  int allocated = 0, freed = 0, to_device = 0, to_host = 0, synchronized = 0;
  void* stream = nullptr;
} counts;

const DeviceTable kCounting = {"counting",
                               [](std::size_t bytes, void* stream) {
                                 return ++counts.allocated, counts.stream = stream, std::malloc(bytes);
                               },
                               [](void* memory, void*) { ++counts.freed, std::free(memory); },
                               [](void* target, const void* source, std::size_t bytes, CopyKind kind, void*) {
                                 ++(kind == CopyKind::kHostToDevice ? counts.to_device : counts.to_host);
                                 std::memcpy(target, source, bytes);
                               },
                               [](void*) { ++counts.synchronized; }};

TEST(Runtime, RegisteredDeviceIsUsedAndGetsItsMemoryBack) {
  counts = {};
  int stream_object = 0;
  const Tensor x = randn({5}, 1);
  Tensor before = x.to(kCUDA);  // on the emulated device
  register_device(&kCounting);
  EXPECT_STREQ(current_device().name, "counting");
  set_stream(&stream_object);
  {
    const Tensor there = x.to(kCUDA);
    EXPECT_FALSE(find_allocation(there.raw(), nullptr));
    EXPECT_EQ(counts.stream, &stream_object);
    register_device(nullptr);
    EXPECT_EQ(max_abs_diff(there.to(kCPU), x), 0);
    before = Tensor();
  }
  set_stream(nullptr);
  EXPECT_EQ(counts.allocated, 1);
  EXPECT_EQ(counts.freed, 1);
  EXPECT_EQ(counts.to_device, 1);
  EXPECT_EQ(counts.to_host, 1);
  EXPECT_EQ(counts.synchronized, 2);
}

TEST(Runtime, FailedAllocationIsAnError) {
  static const DeviceTable kFull = {"full", [](std::size_t, void*) -> void* { return nullptr; },
                                    kCounting.deallocate, kCounting.copy, kCounting.synchronize};
  register_device(&kFull);
  EXPECT_THROW(zeros({3}, kFloat32, kCUDA), Error);
  EXPECT_NO_THROW(empty({0}, kFloat32, kCUDA));
  register_device(nullptr);
}

TEST(Runtime, StreamsArePerThread) {
  int stream_object = 0;
  set_stream(&stream_object);
  void* other = &stream_object;
  std::thread([&] { other = current_stream(); }).join();
  EXPECT_EQ(other, nullptr);
  EXPECT_EQ(current_stream(), &stream_object);
  set_stream(nullptr);
}

TEST(Runtime, HandlesAreSharedBetweenThreads) {
  const Tensor x = randn({64}, 1);
  const float expected = x.sum().item<float>();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const Tensor copy = x;
        EXPECT_EQ(copy.view({8, 8}).mT().to(kCUDA).to(kCPU).sum().item<float>(), expected);
      }
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(Runtime, WrapsMemoryThatOthersOwn) {
  float numbers[] = {0, 1, 2, 3, 4, 5};
  {
    Tensor x = Tensor::wrap(numbers, {3, 2}, {1, 3}, kFloat32);
    x += 10;
    EXPECT_EQ(x.select(0, 1).select(0, 1).item<float>(), 14.0f);
  }
  EXPECT_EQ(numbers[5], 15.0f);
  EXPECT_EQ(from_blob(numbers, {2, 3}).size(1), 3);
  EXPECT_EQ(Tensor::wrap(numbers, {6}, {1}, kFloat32, kCUDA).device(), kCUDA);
  EXPECT_THROW(Tensor::wrap(numbers, {6}, {1, 1}, kFloat32), Error);
}

}  // namespace
}  // namespace flashlight
