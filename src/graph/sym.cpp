// SPDX-License-Identifier: Apache-2.0
// Sym: construction, order and hash, and walks over expressions.
#include "graph/sym.h"

#include <bit>
#include <stdexcept>

#include "graph/simplify.h"

namespace flashlight::graph {
namespace {

std::size_t mix(std::size_t h, std::uint64_t v) {
  h ^= v + 0x9e3779b97f4a7c15ULL + (h << 6) + (h >> 2);
  h *= 0xff51afd7ed558ccdULL;
  return h ^ (h >> 32);
}

// The same on every platform, unlike std::hash.
std::size_t hash_of(const Sym::Node& n, const std::vector<Sym>& args) {
  std::size_t h = mix(0, static_cast<std::uint64_t>(n.op) * 8 + static_cast<std::uint64_t>(n.type));
  h = mix(h, static_cast<std::uint64_t>(n.integer));
  h = mix(h, std::bit_cast<std::uint64_t>(n.real));
  h = mix(h, (static_cast<std::uint64_t>(n.id.kind) << 60) ^ (static_cast<std::uint64_t>(n.id.param) << 20) ^
                 static_cast<std::uint64_t>(n.id.axis));
  for (unsigned char c : n.callee) h = mix(h, c);
  for (const Sym& a : args) h = mix(h, a.hash());
  return h;
}

Sym integer_constant(std::int64_t v) {
  Sym::Node n;
  n.integer = v;
  return wrap(std::move(n));
}

// Total order of doubles by value, -0 before 0, NaN last.
std::strong_ordering order(double a, double b) {
  auto key = [](double v) {
    auto bits = std::bit_cast<std::int64_t>(v);
    return bits < 0 ? (bits ^ INT64_MAX) : bits;
  };
  return key(a) <=> key(b);
}

}  // namespace

Sym wrap(Sym::Node node) {
  node.hash = hash_of(node, node.args);
  return Sym(std::make_shared<const Sym::Node>(std::move(node)));
}

Sym raw(SymOp op, SymType type, std::vector<Sym> args, std::string callee) {
  Sym::Node n;
  n.op = op;
  n.type = type;
  n.args = std::move(args);
  n.callee = std::move(callee);
  return wrap(std::move(n));
}

Sym::Sym() : Sym(static_cast<long>(0)) {}
Sym::Sym(long v) {
  constexpr long kCached = 64;  // most constants are small
  static const std::vector<Sym>* const cache = [] {
    auto* all = new std::vector<Sym>;  // never freed: other statics may hold copies
    for (long i = -kCached; i <= kCached; ++i) all->push_back(integer_constant(i));
    return all;
  }();
  node_ = v >= -kCached && v <= kCached ? (*cache)[static_cast<std::size_t>(v + kCached)].node_
                                        : integer_constant(v).node_;
}
Sym::Sym(double v) {
  Node n;
  n.op = SymOp::Real;
  n.type = SymType::Real;
  n.real = v;
  node_ = wrap(std::move(n)).node_;
}
Sym Sym::boolean(bool v) {
  Node n;
  n.op = SymOp::Boolean;
  n.type = SymType::Boolean;
  n.integer = v;
  return wrap(std::move(n));
}
Sym Sym::symbol(SymbolId id, SymType type) {
  Node n;
  n.op = SymOp::Symbol;
  n.type = type;
  n.id = id;
  return wrap(std::move(n));
}
Sym Sym::axis(int k) {
  Node n;
  n.op = SymOp::Axis;
  n.integer = k;
  return wrap(std::move(n));
}
Sym Sym::datum(int k) {
  Node n;
  n.op = SymOp::Datum;
  n.integer = k;
  return wrap(std::move(n));
}

SymOp Sym::op() const { return node_->op; }
SymType Sym::type() const { return node_->type; }
const std::vector<Sym>& Sym::args() const { return node_->args; }
std::int64_t Sym::integer() const { return node_->integer; }
double Sym::real() const {
  return node_->op == SymOp::Real ? node_->real : static_cast<double>(node_->integer);
}
SymbolId Sym::symbol_id() const { return node_->id; }
const std::string& Sym::callee() const { return node_->callee; }
bool Sym::is_constant() const { return node_->op <= SymOp::Boolean; }
bool Sym::is_integer(std::int64_t v) const { return node_->op == SymOp::Integer && node_->integer == v; }
std::optional<std::int64_t> Sym::as_integer() const {
  return node_->op == SymOp::Integer ? std::optional(node_->integer) : std::nullopt;
}
std::optional<double> Sym::as_real() const { return is_constant() ? std::optional(real()) : std::nullopt; }
std::size_t Sym::hash() const { return node_->hash; }

bool Sym::operator==(const Sym& o) const {
  return node_ == o.node_ || (node_->hash == o.node_->hash && (*this <=> o) == 0);
}

std::strong_ordering Sym::operator<=>(const Sym& o) const {
  if (node_ == o.node_) return std::strong_ordering::equal;
  const Node &a = *node_, &b = *o.node_;
  if (auto c = a.op <=> b.op; c != 0) return c;
  if (auto c = a.type <=> b.type; c != 0) return c;
  if (auto c = a.integer <=> b.integer; c != 0) return c;
  if (auto c = order(a.real, b.real); c != 0) return c;
  if (auto c = a.id <=> b.id; c != 0) return c;
  if (int c = a.callee.compare(b.callee); c != 0) return c <=> 0;
  if (auto c = a.args.size() <=> b.args.size(); c != 0) return c;
  for (std::size_t i = 0; i < a.args.size(); ++i)
    if (auto c = a.args[i] <=> b.args[i]; c != 0) return c;
  return std::strong_ordering::equal;
}

Sym operator+(const Sym& a, const Sym& b) { return make_sym(SymOp::Add, {a, b}); }
Sym operator-(const Sym& a) { return make_sym(SymOp::Mul, {Sym(-1), a}); }
Sym operator-(const Sym& a, const Sym& b) { return make_sym(SymOp::Add, {a, -b}); }
Sym operator*(const Sym& a, const Sym& b) { return make_sym(SymOp::Mul, {a, b}); }
Sym floor_div(const Sym& a, const Sym& b) { return make_sym(SymOp::FloorDiv, {a, b}); }
Sym mod(const Sym& a, const Sym& b) { return make_sym(SymOp::Mod, {a, b}); }
std::vector<Sym> digits_of(Sym number, const std::vector<Sym>& sizes) {
  std::vector<Sym> digits(sizes.size());
  for (std::size_t k = sizes.size(); k-- > 0;) {
    digits[k] = k == 0 ? number : mod(number, sizes[k]);
    number = floor_div(number, sizes[k]);
  }
  return digits;
}
Sym divide(const Sym& a, const Sym& b) { return make_sym(SymOp::Div, {a, b}); }

Sym substitute(const Sym& e, const std::function<std::optional<Sym>(const Sym&)>& f) {
  if (e.args().empty()) return f(e).value_or(e);
  std::vector<Sym> args;
  bool changed = false;
  for (const Sym& a : e.args()) {
    args.push_back(substitute(a, f));
    changed = changed || args.back() != a;
  }
  return changed ? make_sym(e.op(), std::move(args), e.callee()) : e;
}

Sym substitute_axes(const Sym& e, const std::vector<Sym>& axes) {
  return substitute(e, [&](const Sym& leaf) -> std::optional<Sym> {
    if (leaf.op() != SymOp::Axis) return std::nullopt;
    const auto k = static_cast<std::size_t>(leaf.integer());
    if (k >= axes.size())
      throw std::out_of_range("substitute_axes: axis " + std::to_string(k) + " has no expression");
    return axes[k];
  });
}

bool contains(const Sym& e, SymOp op) {
  if (e.op() == op) return true;
  for (const Sym& a : e.args())
    if (contains(a, op)) return true;
  return false;
}

bool depends_on_axis(const Sym& e, int k) {
  if (e.op() == SymOp::Axis) return e.integer() == k;
  for (const Sym& a : e.args())
    if (depends_on_axis(a, k)) return true;
  return false;
}

void collect_symbols(const Sym& e, std::vector<SymbolId>& out) {
  if (e.op() == SymOp::Symbol) out.push_back(e.symbol_id());
  for (const Sym& a : e.args()) collect_symbols(a, out);
}

std::optional<std::pair<Sym, Sym>> affine_in(const Sym& e, int k) {
  if (e.type() != SymType::Integer) return std::nullopt;
  simplify::Terms slope, rest;
  const Sym axis = Sym::axis(k);
  for (const auto& [factors, coef] : simplify::terms_of(e)) {
    simplify::Factors others;
    int degree = 0;
    for (const Sym& f : factors) {
      if (f == axis) {
        ++degree;
      } else if (depends_on_axis(f, k)) {
        return std::nullopt;
      } else {
        others.push_back(f);
      }
    }
    if (degree > 1) return std::nullopt;
    (degree == 1 ? slope : rest)[others] = coef;
  }
  return std::pair(simplify::sum_of(slope, SymType::Integer), simplify::sum_of(rest, SymType::Integer));
}

}  // namespace flashlight::graph
