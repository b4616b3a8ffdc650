// SPDX-License-Identifier: Apache-2.0
// Reads one function again and again until its facts are settled, along every path; ranks that it leaves open
// are tried.
#pragma once
#include <exception>
#include <set>

#include "frontend/interpreter.h"

namespace flashlight::frontend {

class FunctionReader {
 public:
  FunctionReader(clang::ASTContext& ast, const SourceText& text, int max_variants);

  // All variants of the function, and how its results go back. Throws Refusal.
  void read(const clang::FunctionDecl*, FunctionSource&);

  // A function without branches at run time, as a side of a rule: all of its parameters are declared, used or
  // not, and reading starts from `facts` and leaves there what is known in the end. Throws Refusal.
  graph::Function read_straight(const clang::FunctionDecl*, graph::Facts& facts);

 private:
  // One reading from given ranks to its end.
  struct Attempt {
    explicit Attempt(Interpreter::Reading where) : reading(std::move(where)) {}
    std::optional<Variant> variant;  // absent: `failure` says why
    std::exception_ptr failure;
    bool fits = true;      // false: these ranks are wrong, since the program would throw
    bool settled = true;   // false: it has a result with several ranks, and `failure` asks for them
    int coincidences = 0;  // axes that are equal only because of these ranks
    int unusual = 0, unusual_operands = 0;
    std::set<int> multiplied;
    std::set<std::string> open;  // parameters whose ranks are asked for
    graph::Facts facts;          // as known in the end
    std::string result_expression;
    Interpreter::Reading reading;  // where it ended
  };
  Attempt attempt(const clang::FunctionDecl*, graph::Facts);
  Attempt choose(const clang::FunctionDecl*, const graph::NeedRank&, clang::SourceLocation where);
  static Attempt ask(const graph::NeedRank&, clang::SourceLocation where, const std::vector<int>& likely,
                     const std::vector<const Attempt*>& best);
  std::optional<Variant> read_path(const clang::FunctionDecl*, graph::Facts&);
  Attempt failed(std::string id) const;

  clang::ASTContext& ast_;
  const SourceText& text_;
  Interpreter::Reading reading_;
  std::string name_, result_expression_;
  int attempts_ = 0;
};

}  // namespace flashlight::frontend
