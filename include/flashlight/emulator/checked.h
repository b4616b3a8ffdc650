// SPDX-License-Identifier: Apache-2.0
// Registers that know whether they have been written.
#pragma once

#include <cstring>
#include <source_location>

#include "flashlight/emulator/context.h"

namespace flashlight::emulator {

// Stands for one float of a CheckedFloats: reading it is checked, writing it makes it valid.
class CheckedFloat {
 public:
  CheckedFloat(float& value, unsigned char& written, const std::source_location& where)
      : value_(value), written_(written), where_(where) {}

  CheckedFloat(const CheckedFloat&) = default;

  operator float() const {
    if (!written_) uninitialised_register("accumulator", -1, where_);
    return value_;
  }
  float operator=(float x) const {
    written_ = 1;
    return value_ = x;
  }
  float operator=(const CheckedFloat& x) const { return *this = static_cast<float>(x); }
  float operator+=(float x) const { return *this = *this + x; }
  float operator-=(float x) const { return *this = *this - x; }
  float operator*=(float x) const { return *this = *this * x; }
  float operator/=(float x) const { return *this = *this / x; }

 private:
  float& value_;
  unsigned char& written_;
  std::source_location where_;
};

template <int COUNT> class CheckedFloats {
 public:
  CheckedFloat at(int i, const std::source_location& where) { return {value_[i], written_[i], where}; }
  float read(int i, const std::source_location& where) const {
    if (!written_[i]) uninitialised_register("accumulator", -1, where);
    return value_[i];
  }
  void fill(float x) {
    for (float& v : value_) v = x;
    std::memset(written_, 1, COUNT);
  }
  // Bulk access for collectives, which check and mark all values at once.
  float* values() { return value_; }
  const float* values() const { return value_; }
  bool all_written() const { return std::memchr(written_, 0, COUNT) == nullptr; }
  void mark_written() { std::memset(written_, 1, COUNT); }

 private:
  float value_[COUNT] = {};
  unsigned char written_[COUNT] = {};
};

}  // namespace flashlight::emulator
