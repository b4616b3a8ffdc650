// SPDX-License-Identifier: Apache-2.0
// Immutable, hash-consed scalar expressions over one row and its streamed keys.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace flashlight::fusion::algebra {

// The first group is what a program is built from. The second group is made by the planner: it stands for
// states of a sweep, and appears in the results of plan() only.
enum class Op : std::uint8_t {
  kConstant,      // value()
  kLeaf,          // leaf_id(), info()
  kStreamLength,  // number of keys of the row, J
  kAdd,           // n-ary
  kMul,           // n-ary
  kPow,           // arg 0 to the constant exponent value()
  kExp,
  kLog,
  kWhere,  // (condition, then, else); a select: the side not taken never poisons the result
  kMax2,   // NaN-propagating
  kMin2,
  kGt,  // lt, le, ne are canonicalised to these three and kNot
  kGe,
  kEq,
  kAnd,  // n-ary
  kOr,
  kNot,
  kAbs,
  kRelu,
  kTanh,
  kSigmoid,
  kCall,       // any other pure function of scalars: function_id()
  kReduceSum,  // reductions over the stream of their row
  kReduceMax,
  kReduceMin,
  kReduceProd,
  kReduceAny,
  kReduceAll,
  kScan,  // running sum along the stream; exclusive() leaves the own element out

  kKnown,           // value of a reduction (arg 0) made known by an earlier sweep
  kIndicator,       // 1 where the condition holds, else 0
  kAttainsMax,      // condition: arg 0 equals its maximum over the stream
  kCarried,         // element of a scan whose row value is carried across tiles
  kCentre,          // reference of arg 0: the running mean of it in the finished plan
  kCentred,         // arg 0 - kCentre(arg 0)
  kRawSum,          // sum over the stream of arg 0, before references are chosen
  kRunningMax,      // maximum over the stream of arg 0; a reference or a plain state
  kLazyMax,         // running maximum that may lag behind: a reference only
  kRunningProd,     // product over the stream
  kRunningAny,      // condition: arg 0 holds for some key
  kAccumulator,     // see Accumulator in sweep.h
  kArgAccumulator,  // (product, key): sum of the product over the keys that attain the maximum of `key`
};

// What the caller knows about a leaf. Bounds are inclusive; masking to -inf happens by where() or in the
// data, so a score that may be -inf has lo = -inf.
struct LeafInfo {
  bool streamed = false;  // varies along the streamed axis j (a key leaf); otherwise a row leaf
  bool nonneg = false;
  double lo = -std::numeric_limits<double>::infinity();
  double hi = std::numeric_limits<double>::infinity();
  bool is_bool = false;
  // Varies along an axis that only the output has (dv of attention's values). Sums that mix such leaves with
  // others are multiplied out inside reductions, so that each accumulator stays a product a contraction can
  // compute.
  bool column = false;
  std::string name = {};  // for printing only
};

class Arena;
struct Node;
struct Operand;

// A handle: cheap to copy, equal exactly when the structures are equal, ordered by creation. Two handles
// compared or combined must belong to the same arena.
class Expr {
 public:
  Expr() = default;
  Expr(Arena* arena, std::int32_t id) : arena_(arena), id_(id) {}

  explicit operator bool() const { return arena_ != nullptr; }
  std::int32_t id() const { return id_; }
  Arena& arena() const { return *arena_; }
  const Node& node() const;
  Op op() const;
  const std::vector<Expr>& args() const;
  Expr arg(std::size_t i) const { return args()[i]; }
  double value() const;          // kConstant: the constant; kPow: the exponent
  int leaf_id() const;           // kLeaf
  int function_id() const;       // kCall
  bool exclusive() const;        // kScan, kCarried
  const LeafInfo& info() const;  // kLeaf

  bool is(Op op) const { return arena_ != nullptr && this->op() == op; }
  bool is_constant(double value) const;
  bool is_bool() const;  // a condition: used by where(), and(), or(), not(), any(), all()

  friend bool operator==(Expr a, Expr b) { return a.id_ == b.id_; }
  friend auto operator<=>(Expr a, Expr b) { return a.id_ <=> b.id_; }

 private:
  Arena* arena_ = nullptr;
  std::int32_t id_ = -1;
};

// Which states of the current sweep an expression depends on. The values combine by bitwise or.
enum Kind : std::uint8_t { kFixed = 0, kKeyed = 1, kUnknown = 2, kMixed = 3 };

struct Interval {
  double lo = -std::numeric_limits<double>::infinity();
  double hi = std::numeric_limits<double>::infinity();
  double width() const { return hi - lo; }
};

struct Node {
  Op op = Op::kConstant;
  // The next five are computed on creation.
  std::uint8_t kind = kFixed;  // see Kind
  bool column = false;         // depends on a leaf with LeafInfo::column
  bool nonneg = false;         // see is_nonneg, is_positive and range in interval.h
  bool positive = false;
  Interval range;
  std::int32_t id_or_flag = 0;  // leaf id, function id, exclusive flag
  std::vector<Expr> args;
  std::vector<double> numbers;  // constant, exponent, or the lambdas and powers of an accumulator
};

// Owns the nodes of one program. Creation order is the only order there is: no addresses, no names.
class Arena {
 public:
  Arena();
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  Expr constant(double value);
  // The leaf of this id; the description given first stays.
  Expr leaf(int id, const LeafInfo& info);
  Expr stream_length();
  Expr make(Op op, std::vector<Expr> args, std::vector<double> numbers = {}, int id_or_flag = 0);

  const Node& node(std::int32_t id) const;
  const LeafInfo& leaf_info(int leaf_id) const;
  std::size_t size() const;

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

// An argument that may be written as a number.
struct Operand {
  Operand(Expr e) : expr(e) {}        // NOLINT(google-explicit-constructor)
  Operand(double c) : constant(c) {}  // NOLINT(google-explicit-constructor)
  Expr in(Arena& arena) const { return expr ? expr : arena.constant(constant); }
  Expr expr;
  double constant = 0;
};

Expr operator+(Expr a, Operand b);
Expr operator+(double a, Expr b);
Expr operator-(Expr a, Operand b);
Expr operator-(double a, Expr b);
Expr operator-(Expr a);
Expr operator*(Expr a, Operand b);
Expr operator*(double a, Expr b);
Expr operator/(Expr a, Operand b);
Expr operator/(double a, Expr b);

Expr pow(Expr x, double exponent);
Expr sqrt(Expr x);
Expr exp(Expr x);
Expr log(Expr x);
Expr abs(Expr x);
Expr relu(Expr x);
Expr tanh(Expr x);
Expr sigmoid(Expr x);
Expr max2(Expr a, Operand b);
Expr min2(Expr a, Operand b);
Expr where(Expr condition, Operand then, Operand otherwise);
Expr gt(Expr a, Operand b);
Expr ge(Expr a, Operand b);
Expr lt(Expr a, Operand b);
Expr le(Expr a, Operand b);
Expr eq(Expr a, Operand b);
Expr ne(Expr a, Operand b);
Expr all_of(std::vector<Expr> conditions);  // and; at least one
Expr any_of(std::vector<Expr> conditions);  // or; at least one
Expr not_of(Expr condition);
// A pure function the algebra has no law for. `boolean` marks a function that returns a condition.
Expr call(Arena& arena, int function_id, std::vector<Expr> args, bool boolean = false);

Expr reduce_sum(Expr x);
Expr reduce_max(Expr x);
Expr reduce_min(Expr x);
Expr reduce_prod(Expr x);
Expr reduce_any(Expr condition);
Expr reduce_all(Expr condition);
Expr scan_sum(Expr x, bool exclusive);

bool is_reduction(Op op);        // over the stream; scans are not
bool is_state(Op op);            // of the current sweep
bool is_known_extremum(Expr e);  // a maximum or minimum over the keys that an earlier sweep made known
const char* op_name(Op op);

// Deterministic text with the leaves' names ("x<id>" for a leaf without one).
std::string to_string(Expr e);

// The expressions with op in `ops` inside `e`, each once, in first-visit order; does not look inside states
// of the sweep or known reductions.
std::vector<Expr> collect(Expr e, std::initializer_list<Op> ops);
// `e` with other arguments.
Expr with_args(Expr e, std::vector<Expr> args);

}  // namespace flashlight::fusion::algebra
