// SPDX-License-Identifier: Apache-2.0
// The choices that make a random program, as a tape that can be replayed and shortened.
#pragma once
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace flashlight::sources {

// Of every choice 0 is the simplest: a tape with more zeros makes a simpler program, and past its end all
// choices of a replay are 0.
class Decisions {
 public:
  explicit Decisions(std::uint64_t seed) : engine_(seed), draws_(true) {}
  explicit Decisions(std::vector<unsigned> tape) : tape_(std::move(tape)) {}

  unsigned below(unsigned n) {
    if (at_ == tape_.size()) tape_.push_back(draws_ ? static_cast<unsigned>(engine_() % n) : 0);
    return tape_[at_++] % n;
  }
  bool maybe(unsigned percent) { return below(100) >= 100 - percent; }
  std::string one_of(const std::vector<std::string>& choices) {
    return choices[below(static_cast<unsigned>(choices.size()))];
  }

  const std::vector<unsigned>& tape() const { return tape_; }

 private:
  std::vector<unsigned> tape_;
  std::mt19937_64 engine_;
  std::size_t at_ = 0;
  bool draws_ = false;
};

}  // namespace flashlight::sources
