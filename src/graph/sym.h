// SPDX-License-Identifier: Apache-2.0
// Symbolic host values: sizes, scalar parameters, and the index expressions that views turn into.
#pragma once
#include <cstdint>
#include <compare>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flashlight::graph {

// What a Sym is, operation by operation. Axis and Datum appear in index expressions only.
enum class SymOp : std::uint8_t {
  Integer,  // int64 constant
  Real,     // double constant
  Boolean,  // bool constant
  Symbol,   // a size or scalar parameter known at launch
  Axis,     // the k-th iteration axis of the node that holds the index
  Datum,    // the integer value of the k-th operand of a Gather at this point
  Add,
  Mul,  // n-ary, flattened and sorted
  Div,  // real division
  FloorDiv,
  Mod,  // of integers; Mod has the sign of the divisor
  Min,
  Max,
  Pow,
  Call,  // Call: a host function of <cmath> by name (sqrt, exp, log, ...)
  Lt,
  Le,
  Eq,
  Ne,
  And,
  Or,
  Not,
  Select,
  ToInteger,
  ToReal,  // C++ conversions (ToInteger truncates)
};

enum class SymType : std::uint8_t { Boolean, Integer, Real };

// A value the program learns at launch. It has no name of its own: names are the Function's business, so that
// renaming a variable cannot change a kernel.
struct SymbolId {
  enum Kind : std::uint8_t { Size, Scalar, Pack } kind = Size;
  int param = 0;  // index of the tensor (Size) or scalar (Scalar) parameter
  int axis = 0;   // Size: position in that tensor's shape
  auto operator<=>(const SymbolId&) const = default;
};

// An immutable symbolic expression with value semantics. Every constructor simplifies: sums and products are
// flattened, folded and sorted by structure (never by name or address), so that equal values usually are
// equal trees.
class Sym {
 public:
  Sym();  // integer 0
  Sym(int v) : Sym(static_cast<std::int64_t>(v)) {}
  Sym(long v);
  Sym(long long v) : Sym(static_cast<long>(v)) {}
  Sym(double v);
  static Sym boolean(bool v);
  static Sym symbol(SymbolId id, SymType type = SymType::Integer);
  static Sym axis(int k);
  static Sym datum(int k);

  SymOp op() const;
  SymType type() const;
  const std::vector<Sym>& args() const;
  std::int64_t integer() const;       // Integer, Boolean; also the k of Axis and Datum
  double real() const;                // any constant, as double
  SymbolId symbol_id() const;         // Symbol
  const std::string& callee() const;  // Call

  bool is_constant() const;
  bool is_integer(std::int64_t v) const;  // an Integer constant equal to v
  std::optional<std::int64_t> as_integer() const;
  std::optional<double> as_real() const;

  bool operator==(const Sym&) const;                   // structural
  std::strong_ordering operator<=>(const Sym&) const;  // structural, deterministic
  std::size_t hash() const;                            // the same on every platform and run

  struct Node;  // simplify.h

 private:
  explicit Sym(std::shared_ptr<const Node> n) : node_(std::move(n)) {}
  std::shared_ptr<const Node> node_;
  friend Sym wrap(Node);
};

// Builds op(args) simplified; `callee` for Call. Types follow C++: mixed integer and real arithmetic is real.
// Div, sqrt and pow become Mul and Pow; a conversion to real moves to the leaves. Throws
// std::invalid_argument for a call of an unknown function or a wrong number of arguments.
Sym make_sym(SymOp op, std::vector<Sym> args, std::string callee = {});

Sym operator+(const Sym&, const Sym&);
Sym operator-(const Sym&, const Sym&);
Sym operator-(const Sym&);
Sym operator*(const Sym&, const Sym&);
Sym floor_div(const Sym&, const Sym&);
Sym mod(const Sym&, const Sym&);
// The digits of a mixed-radix number, the most significant first; that one is what is left.
std::vector<Sym> digits_of(Sym number, const std::vector<Sym>& sizes);
Sym divide(const Sym&, const Sym&);  // real division

// Replaces leaves; `f` returns nullopt to keep one. Results are re-simplified.
Sym substitute(const Sym& e, const std::function<std::optional<Sym>(const Sym& leaf)>& f);
// axis(k) -> axes[k], for composing index maps.
Sym substitute_axes(const Sym& e, const std::vector<Sym>& axes);
bool contains(const Sym& e, SymOp op);
bool depends_on_axis(const Sym& e, int k);
void collect_symbols(const Sym& e, std::vector<SymbolId>& out);

// Simplifies an index whose axis(k) ranges over [0, extent[k]): div/mod of mixed-radix sums disappear where
// the ranges prove it. Sizes are taken to be >= 1. Conditions on indices fold where the ranges decide them.
Sym simplify_index(const Sym& e, const std::vector<Sym>& extents);
// True if e >= 0 is proven for every index in range.
bool proves_nonnegative(const Sym& e, const std::vector<Sym>& extents);
// Splits e into a*axis(k) + rest with `a` and `rest` free of axis(k); nullopt where e is not affine in it.
std::optional<std::pair<Sym, Sym>> affine_in(const Sym& e, int k);

// Evaluates with every symbol given: integer nodes in int64, real ones in double. Throws std::out_of_range
// for a missing axis or datum (and lets `value` throw for a missing symbol), std::domain_error for a division
// by zero.
double evaluate(const Sym& e, const std::function<double(SymbolId)>& value,
                const std::vector<std::int64_t>& axes = {}, const std::vector<std::int64_t>& data = {});
// Prints with the given names for symbols and axes.
std::string to_string(const Sym& e, const std::function<std::string(const Sym& leaf)>& name = {});

}  // namespace flashlight::graph
