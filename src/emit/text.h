// SPDX-License-Identifier: Apache-2.0
// Writing C++ text: indentation, operator precedence, literals.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace flashlight::emit {

// An indented block of lines.
class Writer {
 public:
  explicit Writer(int indent = 0) : indent_(indent) {}
  void line(const std::string& text = {});
  void open(const std::string& text);         // text, then deeper
  void close(const std::string& text = "}");  // shallower, then text
  // A block of statements; on one line where it holds one and fits.
  void block(const std::string& opening, const std::vector<std::string>& lines, const std::string& closing);
  void append(const Writer& block);  // another writer's lines at this depth
  bool empty() const { return lines_.empty(); }
  std::string str() const;

 private:
  struct Line {
    int depth;
    std::string text;
  };
  int indent_;
  std::vector<Line> lines_;
};

// How tightly a piece of C++ binds; a weaker operand needs parentheses.
enum Precedence { kConditional = 1, kOr, kAnd, kCompare, kSum, kProduct, kUnary, kAtom };

enum class CType { Float, Int, Long, Bool };

struct Code {
  std::string text;
  Precedence precedence = kAtom;
  CType type = CType::Float;
};

std::string wrap(const Code& code, Precedence at_least);
// a + b - c ...; a leading minus of an operand becomes a subtraction.
Code sum(const std::vector<Code>& terms, CType type);
// Of floats, each addition rounded for itself: "rounded_sum(a, b)".
Code rounded_sum(const std::vector<Code>& terms);
Code product(const std::vector<Code>& factors, CType type);
Code negated(const Code& factor, CType type);  // never two minus signs in a row
Code binary(const Code& a, const char* op, const Code& b, Precedence precedence, CType type);
Code call(const std::string& function, const std::vector<Code>& args, CType type);

// Kernels compute with positions, sizes and scalars in 32 bits, none beyond 2^29 (Launch::narrow). What may
// exceed 32 bits is computed in 64: larger constants, and products of two values or by three and more.
Code integer_literal(std::int64_t value);
std::optional<std::int64_t> literal_value(const Code& code);
Code integer_product(std::vector<Code> factors);

// n where `value` is 1 / n for a whole number that is no power of two, so that x / n and x * value may
// differ.
std::optional<double> whole_reciprocal(double value);

std::string float_literal(double value);
// A user's name as an identifier of emitted code that clashes with none of its own.
std::string identifier(const std::string& name);
std::string join(const std::vector<std::string>& items, const std::string& separator);

}  // namespace flashlight::emit
