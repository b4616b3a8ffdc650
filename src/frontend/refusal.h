// SPDX-License-Identifier: Apache-2.0
// How following a function ends when it cannot be followed: thrown by the interpreter, turned into a
// Diagnostic by the reader.
#pragma once
#include <string>

#include "clang/Basic/SourceLocation.h"

namespace flashlight::frontend {

struct Refusal {
  std::string id;  // stable
  clang::SourceLocation where;
  std::string text, hint;
};

// This path leaves the function by an exception: it has no result to compute.
struct PathThrows {};

}  // namespace flashlight::frontend
