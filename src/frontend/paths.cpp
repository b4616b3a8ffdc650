// SPDX-License-Identifier: Apache-2.0
// Depth-first enumeration of runtime branches.
#include "frontend/paths.h"

#include <stdexcept>

namespace flashlight::frontend {

using graph::Sym;
using graph::SymOp;

// The condition with what the answers so far say put in: booleans by their truth, `s == 3` by 3.
Sym Paths::under_answers(const Sym& condition) const {
  return graph::substitute(condition, [this](const Sym& leaf) -> std::optional<Sym> {
    if (leaf.op() != SymOp::Symbol) return std::nullopt;
    for (std::size_t i = 0; i < at_; ++i) {
      const auto& [c, answer] = steps_[i];
      if (c == leaf) return Sym::boolean(answer);
      if (!answer || c.op() != SymOp::Eq) continue;
      if (c.args()[0] == leaf && c.args()[1].is_constant()) return c.args()[1];
      if (c.args()[1] == leaf && c.args()[0].is_constant()) return c.args()[0];
    }
    return std::nullopt;
  });
}

std::optional<bool> Paths::settled(const Sym& condition) const {
  if (condition.is_constant()) return condition.real() != 0;
  Sym inverse = graph::make_sym(SymOp::Not, {condition});
  for (std::size_t i = 0; i < at_; ++i) {
    if (steps_[i].condition == condition) return steps_[i].answer;
    if (steps_[i].condition == inverse) return !steps_[i].answer;
  }
  return std::nullopt;
}

bool Paths::decide(const Sym& condition) {
  Sym c = under_answers(condition);
  if (auto known = settled(c)) return *known;
  if (at_ < steps_.size()) {
    if (!(steps_[at_].condition == c))
      throw std::logic_error("a path asks another question on its second reading");
    bool opens_path = at_ + 1 == steps_.size() && read_ > 0;
    if (opens_path && with_result_ >= limit_) throw TooManyPaths{limit_};
    return steps_[at_++].answer;
  }
  if (steps_.size() >= 64) throw TooManyPaths{limit_};
  steps_.push_back({c, true});
  ++at_;
  return true;
}

std::optional<Sym> Paths::condition() const {
  if (at_ == 0) return std::nullopt;
  std::vector<Sym> terms;
  for (std::size_t i = 0; i < at_; ++i)
    terms.push_back(steps_[i].answer ? steps_[i].condition
                                     : graph::make_sym(SymOp::Not, {steps_[i].condition}));
  return terms.size() == 1 ? terms[0] : graph::make_sym(SymOp::And, terms);
}

bool Paths::next(bool has_result) {
  ++read_;
  with_result_ += has_result;
  at_ = 0;
  while (!steps_.empty() && !steps_.back().answer) steps_.pop_back();
  if (steps_.empty()) return false;
  steps_.back().answer = false;
  return true;
}

}  // namespace flashlight::frontend
