// SPDX-License-Identifier: Apache-2.0
// Reads one function again and again until its facts are settled, along every path.
#pragma once
#include "frontend/interpreter.h"

namespace flashlight::frontend {

class FunctionReader {
 public:
  FunctionReader(clang::ASTContext& ast, const SourceText& text, int max_variants);

  // All variants of the function, and how its results go back. Throws Refusal.
  void read(const clang::FunctionDecl*, FunctionSource&);

  // A function without branches at run time, as a side of a rule: all of its parameters are declared, used or not, and
  // reading starts from `facts` and leaves there what is known in the end. Throws Refusal.
  graph::Function read_straight(const clang::FunctionDecl*, graph::Facts& facts);

 private:
  std::optional<Variant> read_path(const clang::FunctionDecl*, const std::string& name, graph::Facts& facts);

  clang::ASTContext& ast_;
  const SourceText& text_;
  Interpreter::Reading reading_;
  std::string result_expression_;
};

}  // namespace flashlight::frontend
