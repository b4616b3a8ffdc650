// SPDX-License-Identifier: Apache-2.0
// What a random program computes, apart from the C++ it is written in.
#pragma once
#include <string>
#include <vector>

#include "decisions.h"

namespace flashlight::sources {

// A name that an expression uses, as a parameter of a helper.
struct Name {
  std::string type, name;
  bool operator==(const Name&) const = default;
};

// A parameter of the program, and the C++ that makes its argument from `c`, a sample::Case.
struct Parameter {
  std::string type, name, argument;
};

// An expression with `#` for the scores it is applied to.
struct Piece {
  std::string text;
  std::vector<Name> names;
  std::string feature;
};

// Makes pieces, and the parameters that they need.
class Pieces {
 public:
  explicit Pieces(Decisions& decisions) : d_(decisions) {}

  Piece score();      // changes scores point by point
  Piece predicate();  // who sees whom; without `#`
  Piece mask(const Piece& predicate);
  const std::vector<Parameter>& parameters() const { return parameters_; }
  std::string parameter(const std::string& type, const std::string& stem, const std::string& argument);

 private:
  Piece pointwise();
  Piece position();
  Piece bias();
  Piece simple_predicate();

  Decisions& d_;
  std::vector<Parameter> parameters_;
};

}  // namespace flashlight::sources
