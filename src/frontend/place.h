// SPDX-License-Identifier: Apache-2.0
// Private to the interpreter's files: the guard that every construct is followed under.
#pragma once
#include "frontend/interpreter.h"

namespace flashlight::frontend {

// While it lives, where_ is the construct's place if that is in the user's text; in the DSL's headers the
// user's call stays. Enforces the caps on nesting and on work.
class Interpreter::Place {
 public:
  Place(Interpreter& owner, clang::SourceLocation loc) : owner_(owner), outer_(owner.where_) {
    if (owner.text_.is_user(loc)) owner.where_ = loc;
    ++owner.nesting_;
    if (--owner.reading_.steps < 0)
      owner.refuse("too-large", "the function takes too long to follow",
                   "shorten its loops or its call chains");
    if (owner.nesting_ > owner.limits_.nesting)
      owner.refuse("too-large", "this expression is nested too deeply");
  }
  ~Place() {
    --owner_.nesting_;
    owner_.where_ = outer_;
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  Interpreter& owner_;
  clang::SourceLocation outer_;
};

}  // namespace flashlight::frontend
