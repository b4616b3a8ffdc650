// SPDX-License-Identifier: Apache-2.0
// The arena of hash-consed expressions and the functions programs are built with.
#include "fusion/algebra/expr.h"

#include <bit>
#include <cmath>
#include <deque>
#include <map>
#include <set>
#include <stdexcept>
#include <unordered_map>

#include "fusion/algebra/interval.h"

namespace flashlight::fusion::algebra {

struct Arena::Tables {
  std::deque<Node> nodes;
  std::unordered_map<std::uint64_t, std::vector<std::int32_t>> by_hash;
  std::map<int, LeafInfo> leaves;
};

namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  return (hash ^ value) * 0x9e3779b97f4a7c15u + (hash >> 29);
}

std::uint64_t hash_of(const Node& n) {
  std::uint64_t hash = mix(static_cast<std::uint64_t>(n.op), static_cast<std::uint64_t>(n.id_or_flag));
  for (Expr a : n.args) hash = mix(hash, static_cast<std::uint64_t>(a.id()));
  for (double x : n.numbers) hash = mix(hash, std::bit_cast<std::uint64_t>(x));
  return hash;
}

// Numbers compare by their bits, so that a NaN constant is one node too.
bool same_node(const Node& a, const Node& b) {
  if (a.op != b.op || a.id_or_flag != b.id_or_flag || a.args != b.args ||
      a.numbers.size() != b.numbers.size())
    return false;
  for (std::size_t i = 0; i < a.numbers.size(); ++i)
    if (std::bit_cast<std::uint64_t>(a.numbers[i]) != std::bit_cast<std::uint64_t>(b.numbers[i]))
      return false;
  return true;
}

}  // namespace

Arena::Arena() : tables_(std::make_unique<Tables>()) {}
Arena::~Arena() = default;

Expr Arena::constant(double value) {
  return make(Op::kConstant, {}, {value == 0 ? 0.0 : value});  // -0 and 0 are one constant
}

Expr Arena::leaf(int id, const LeafInfo& info) {
  tables_->leaves.try_emplace(id, info);
  return make(Op::kLeaf, {}, {}, id);
}

Expr Arena::stream_length() { return make(Op::kStreamLength, {}); }

Expr Arena::make(Op op, std::vector<Expr> args, std::vector<double> numbers, int id_or_flag) {
  Node n;
  n.op = op;
  n.args = std::move(args);
  n.numbers = std::move(numbers);
  n.id_or_flag = id_or_flag;
  for (Expr a : n.args)
    if (!a || &a.arena() != this) throw std::invalid_argument("an argument belongs to another arena");
  std::vector<std::int32_t>& bucket = tables_->by_hash[hash_of(n)];
  for (std::int32_t id : bucket)
    if (same_node(tables_->nodes[static_cast<std::size_t>(id)], n)) return Expr(this, id);
  annotate(n, op == Op::kLeaf ? &leaf_info(id_or_flag) : nullptr);
  const auto id = static_cast<std::int32_t>(tables_->nodes.size());
  tables_->nodes.push_back(std::move(n));
  bucket.push_back(id);
  return Expr(this, id);
}

const Node& Arena::node(std::int32_t id) const { return tables_->nodes[static_cast<std::size_t>(id)]; }
const LeafInfo& Arena::leaf_info(int leaf_id) const { return tables_->leaves.at(leaf_id); }
std::size_t Arena::size() const { return tables_->nodes.size(); }

const Node& Expr::node() const { return arena_->node(id_); }
Op Expr::op() const { return node().op; }
const std::vector<Expr>& Expr::args() const { return node().args; }
double Expr::value() const { return node().numbers[0]; }
int Expr::leaf_id() const { return node().id_or_flag; }
int Expr::function_id() const { return node().id_or_flag; }
bool Expr::exclusive() const { return node().id_or_flag != 0; }
const LeafInfo& Expr::info() const { return arena_->leaf_info(leaf_id()); }
bool Expr::is_constant(double value) const { return is(Op::kConstant) && this->value() == value; }

bool Expr::is_bool() const {
  switch (op()) {
    case Op::kGt:
    case Op::kGe:
    case Op::kEq:
    case Op::kAnd:
    case Op::kOr:
    case Op::kNot:
    case Op::kReduceAny:
    case Op::kReduceAll:
    case Op::kAttainsMax:
    case Op::kRunningAny: return true;
    case Op::kLeaf: return info().is_bool;
    case Op::kCall: return !node().numbers.empty();
    case Op::kKnown: return arg(0).is_bool();
    case Op::kWhere: return arg(1).is_bool() && arg(2).is_bool();
    default: return false;
  }
}

namespace {

Expr unary(Op op, Expr x) { return x.arena().make(op, {x}); }
Expr binary(Op op, Expr a, Expr b) { return a.arena().make(op, {a, b}); }
Expr negated(Expr x) { return binary(Op::kMul, x.arena().constant(-1), x); }
Expr number(double c, Expr like) { return like.arena().constant(c); }

}  // namespace

Expr operator+(Expr a, Operand b) { return binary(Op::kAdd, a, b.in(a.arena())); }
Expr operator+(double a, Expr b) { return binary(Op::kAdd, number(a, b), b); }
Expr operator-(Expr a, Operand b) {
  return binary(Op::kAdd, a, b.expr ? negated(b.expr) : number(-b.constant, a));
}
Expr operator-(double a, Expr b) { return binary(Op::kAdd, number(a, b), negated(b)); }
Expr operator-(Expr a) { return negated(a); }
Expr operator*(Expr a, Operand b) { return binary(Op::kMul, a, b.in(a.arena())); }
Expr operator*(double a, Expr b) { return binary(Op::kMul, number(a, b), b); }
Expr operator/(Expr a, Operand b) { return binary(Op::kMul, a, pow(b.in(a.arena()), -1)); }
Expr operator/(double a, Expr b) { return binary(Op::kMul, number(a, b), pow(b, -1)); }

Expr pow(Expr x, double exponent) { return x.arena().make(Op::kPow, {x}, {exponent}); }
Expr sqrt(Expr x) { return pow(x, 0.5); }
Expr exp(Expr x) { return unary(Op::kExp, x); }
Expr log(Expr x) { return unary(Op::kLog, x); }
Expr abs(Expr x) { return unary(Op::kAbs, x); }
Expr relu(Expr x) { return unary(Op::kRelu, x); }
Expr tanh(Expr x) { return unary(Op::kTanh, x); }
Expr sigmoid(Expr x) { return unary(Op::kSigmoid, x); }
Expr max2(Expr a, Operand b) { return binary(Op::kMax2, a, b.in(a.arena())); }
Expr min2(Expr a, Operand b) { return binary(Op::kMin2, a, b.in(a.arena())); }
Expr where(Expr condition, Operand then, Operand otherwise) {
  Arena& arena = condition.arena();
  return arena.make(Op::kWhere, {condition, then.in(arena), otherwise.in(arena)});
}
Expr gt(Expr a, Operand b) { return binary(Op::kGt, a, b.in(a.arena())); }
Expr ge(Expr a, Operand b) { return binary(Op::kGe, a, b.in(a.arena())); }
Expr lt(Expr a, Operand b) { return binary(Op::kGt, b.in(a.arena()), a); }
Expr le(Expr a, Operand b) { return binary(Op::kGe, b.in(a.arena()), a); }
Expr eq(Expr a, Operand b) { return binary(Op::kEq, a, b.in(a.arena())); }
Expr ne(Expr a, Operand b) { return not_of(eq(a, b)); }

Expr all_of(std::vector<Expr> conditions) {
  if (conditions.size() == 1) return conditions[0];
  Arena& arena = conditions.at(0).arena();
  return arena.make(Op::kAnd, std::move(conditions));
}
Expr any_of(std::vector<Expr> conditions) {
  if (conditions.size() == 1) return conditions[0];
  Arena& arena = conditions.at(0).arena();
  return arena.make(Op::kOr, std::move(conditions));
}
Expr not_of(Expr condition) { return condition.is(Op::kNot) ? condition.arg(0) : unary(Op::kNot, condition); }

Expr call(Arena& arena, int function_id, std::vector<Expr> args, bool boolean) {
  return arena.make(Op::kCall, std::move(args), boolean ? std::vector<double>{1} : std::vector<double>{},
                    function_id);
}

Expr reduce_sum(Expr x) { return unary(Op::kReduceSum, x); }
Expr reduce_max(Expr x) { return unary(Op::kReduceMax, x); }
Expr reduce_min(Expr x) { return unary(Op::kReduceMin, x); }
Expr reduce_prod(Expr x) { return unary(Op::kReduceProd, x); }
Expr reduce_any(Expr condition) { return unary(Op::kReduceAny, condition); }
Expr reduce_all(Expr condition) { return unary(Op::kReduceAll, condition); }
Expr scan_sum(Expr x, bool exclusive) { return x.arena().make(Op::kScan, {x}, {}, exclusive ? 1 : 0); }

bool is_reduction(Op op) { return op >= Op::kReduceSum && op <= Op::kReduceAll; }

bool is_known_extremum(Expr e) {
  return e.is(Op::kKnown) && (e.arg(0).is(Op::kReduceMax) || e.arg(0).is(Op::kReduceMin));
}

bool is_state(Op op) {
  switch (op) {
    case Op::kCentre:
    case Op::kRawSum:
    case Op::kRunningMax:
    case Op::kLazyMax:
    case Op::kRunningProd:
    case Op::kRunningAny:
    case Op::kAccumulator:
    case Op::kArgAccumulator: return true;
    default: return false;
  }
}

std::vector<Expr> collect(Expr e, std::initializer_list<Op> ops) {
  std::vector<Expr> found;
  std::set<std::int32_t> seen;
  auto visit = [&](auto&& self, Expr x) -> void {
    if (!seen.insert(x.id()).second) return;
    for (Op op : ops)
      if (x.op() == op) found.push_back(x);
    if (is_state(x.op()) || x.op() == Op::kKnown) return;
    for (Expr a : x.args()) self(self, a);
  };
  visit(visit, e);
  return found;
}

Expr with_args(Expr e, std::vector<Expr> args) {
  const Node& n = e.node();
  return e.arena().make(n.op, std::move(args), n.numbers, n.id_or_flag);
}

}  // namespace flashlight::fusion::algebra
