// SPDX-License-Identifier: Apache-2.0
// Registers that know whether they have been written, and whether an asynchronous product owns them.
#pragma once

#include <cstring>
#include <source_location>

#include "flashlight/emulator/context.h"

namespace flashlight::emulator {

enum class RegisterState : unsigned char {
  kUnwritten,
  kAccessed,  // holds a value; its thread has accessed it since fence()
  kFenced,    // holds a value; an asynchronous product may take it
  kPending,   // belongs to an asynchronous product: neither read nor written by the thread
};

// The part of CheckedFloats that does not depend on their number: what asynchronous products see of them.
class CheckedRegisters {
 public:
  CheckedRegisters(const CheckedRegisters&) = delete;
  CheckedRegisters& operator=(const CheckedRegisters&) = delete;

  int count() const { return count_; }
  float* values() { return values_; }
  const float* values() const { return values_; }

  bool in_flight() const { return in_flight_; }
  // All hold values that the thread may read.
  bool readable() const { return !in_flight_ && !has(RegisterState::kUnwritten); }
  bool has(RegisterState state) const {
    return std::memchr(states_, static_cast<int>(state), static_cast<std::size_t>(count_)) != nullptr;
  }
  // The thread's accesses until now happen before the products that follow.
  void fence() {
    fenced_ = true;
    for (int i = 0; i < count_; ++i) {
      if (states_[i] == RegisterState::kAccessed) states_[i] = RegisterState::kFenced;
    }
  }
  bool is_fenced() const { return fenced_ && !has(RegisterState::kAccessed); }

  void mark(RegisterState state) {
    std::memset(states_, static_cast<int>(state), static_cast<std::size_t>(count_));
    in_flight_ = state == RegisterState::kPending;
  }

 protected:
  CheckedRegisters(float* values, RegisterState* states, int count)
      : values_(values), states_(states), count_(count) {}
  ~CheckedRegisters() {
    if (in_flight_) abandon_registers(*this);
  }

 private:
  float* values_;
  RegisterState* states_;
  int count_;
  bool fenced_ = false, in_flight_ = false;
};

// A thread's read of a register that is not kAccessed: it now is, or there is a finding.
void read_register(RegisterState& state, const std::source_location& where);

inline void check_register_read(RegisterState& state, const std::source_location& where) {
  if (state != RegisterState::kAccessed) [[unlikely]]
    read_register(state, where);
}

// Stands for one float of a CheckedFloats: reading it is checked, writing it makes it valid.
class CheckedFloat {
 public:
  CheckedFloat(float& value, RegisterState& state, const std::source_location& where)
      : value_(value), state_(state), where_(where) {}

  CheckedFloat(const CheckedFloat&) = default;

  operator float() const {
    check_register_read(state_, where_);
    return value_;
  }
  float operator=(float x) const {
    if (state_ == RegisterState::kPending) [[unlikely]] {
      pending_register("written", where_);
      return x;
    }
    state_ = RegisterState::kAccessed;
    return value_ = x;
  }
  float operator=(const CheckedFloat& x) const { return *this = static_cast<float>(x); }
  float operator+=(float x) const { return accessed() ? value_ += x : *this = *this + x; }
  float operator-=(float x) const { return accessed() ? value_ -= x : *this = *this - x; }
  float operator*=(float x) const { return accessed() ? value_ *= x : *this = *this * x; }
  float operator/=(float x) const { return accessed() ? value_ /= x : *this = *this / x; }

 private:
  bool accessed() const { return state_ == RegisterState::kAccessed; }

  float& value_;
  RegisterState& state_;
  std::source_location where_;
};

template <int COUNT> class CheckedFloats : public CheckedRegisters {
 public:
  CheckedFloats() : CheckedRegisters(value_, state_, COUNT) {}

  CheckedFloat at(int i, const std::source_location& where) {
    i = inside(i, where);
    return {value_[i], state_[i], where};
  }
  float read(int i, const std::source_location& where) const {
    i = inside(i, where);
    check_register_read(state_[i], where);
    return value_[i];
  }
  void fill(float x, const std::source_location& where) {
    if (in_flight()) return pending_register("written", where);
    for (float& v : value_) v = x;
    mark(RegisterState::kAccessed);
  }

 private:
  static int inside(int i, const std::source_location& where) {
    if (static_cast<unsigned>(i) < static_cast<unsigned>(COUNT)) [[likely]]
      return i;
    outside_registers(where);
    return 0;
  }

  float value_[COUNT] = {};
  mutable RegisterState state_[COUNT] = {};
};

}  // namespace flashlight::emulator
