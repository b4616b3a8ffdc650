// SPDX-License-Identifier: Apache-2.0
// What the tests of the device primitives share: values, launches, and an allocation registry of their own.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "flashlight/device/device.h"
#include "flashlight/emulator/emulator.h"

namespace flashlight::test {

// Allocations that the emulator knows while a test runs; installs itself as the lookup.
class Registry {
 public:
  Registry();
  ~Registry();
  void add(const void* base, std::size_t bytes);
};

// A registered array on the emulated device, 256-byte aligned.
template <class T> class DeviceArray {
 public:
  DeviceArray(Registry& registry, std::size_t count) : storage_(count * sizeof(T) + 256), count_(count) {
    const auto address = reinterpret_cast<std::uintptr_t>(storage_.data());
    data_ = reinterpret_cast<T*>(storage_.data() + (256 - address % 256) % 256);
    std::memset(data_, 0xff, count * sizeof(T));
    registry.add(data_, count * sizeof(T));
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() { return data_; }
  T& operator[](std::size_t i) { return data_[i]; }
  std::size_t size() const { return count_; }

 private:
  std::vector<unsigned char> storage_;
  std::size_t count_;
  T* data_;
};

// Small integers, exact in every type: sums of products up to 2^24 are exact in float in any order.
template <class T> void fill_integers(DeviceArray<T>& array, unsigned seed, int largest = 4) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> uniform(-largest, largest);
  for (std::size_t i = 0; i < array.size(); ++i)
    array[i] = device::from_float<T>(static_cast<float>(uniform(generator)));
}

template <class T> void fill_normal(DeviceArray<T>& array, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  for (std::size_t i = 0; i < array.size(); ++i) array[i] = device::from_float<T>(normal(generator));
}

// Each test starts with the environment's options and no findings, and restores both.
class DeviceTest : public testing::Test {
 protected:
  DeviceTest() : options_(emulator::options()) { emulator::take_findings(); }
  ~DeviceTest() override { emulator::set_options(options_); }

  Registry registry_;

 private:
  emulator::Options options_;
};

#define FL_EXPECT_RUNS(call) ASSERT_EQ(call, 0) << ::flashlight::device::last_error_text()

}  // namespace flashlight::test
