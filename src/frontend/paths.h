// SPDX-License-Identifier: Apache-2.0
// Runtime branches: a function is read once per path through its `if`s on scalar parameters.
#pragma once
#include <optional>
#include <vector>

#include "graph/sym.h"

namespace flashlight::frontend {

// More paths with a result than the limit allows; thrown at the question that opens the first one too many.
struct TooManyPaths {
  int limit;
};

// Enumerates the paths depth first. Each reading asks decide() in program order and gets the recorded answers
// back, then `true` for a question not met before; next() turns the last `true` into `false`.
class Paths {
 public:
  explicit Paths(int limit) : limit_(limit) {}

  // The truth of `condition` on this path. A condition that earlier answers settle asks nothing new.
  bool decide(const graph::Sym& condition);
  std::size_t questions() const { return steps_.size(); }
  // What holds on this path so far; absent: no question was asked.
  std::optional<graph::Sym> condition() const;
  // Starts reading the same path again.
  void rewind() { at_ = 0; }
  // Moves on to the next path; false when all were read. Only paths with a result count towards the limit.
  bool next(bool has_result);

 private:
  struct Step {
    graph::Sym condition;
    bool answer;
  };
  std::optional<bool> settled(const graph::Sym& condition) const;
  graph::Sym under_answers(const graph::Sym& condition) const;

  int limit_, with_result_ = 0, read_ = 0;
  std::size_t at_ = 0;
  std::vector<Step> steps_;
};

}  // namespace flashlight::frontend
