// SPDX-License-Identifier: Apache-2.0
// Simplification of indices by the ranges of their axes: x div b and x mod b vanish where 0 <= x < b is
// proven. A proof replaces each size s >= 1 by 1 + s' and asks that every coefficient of the polynomial in s'
// be >= 0; a quotient of sizes is multiplied out.
#include <algorithm>

#include "graph/simplify.h"

namespace flashlight::graph {
namespace {

using simplify::Factors;
using simplify::Term;
using simplify::Terms;

bool varies(const Sym& e) { return contains(e, SymOp::Axis) || contains(e, SymOp::Datum); }

// Bounds without axes; absent where nothing is known.
struct Range {
  std::optional<Sym> low, high;
};

class Ranges {
 public:
  explicit Ranges(const std::vector<Sym>& extents) : extents_(extents) {}

  Sym simplify(const Sym& e) const {
    if (e.op() == SymOp::Axis) {
      const auto k = static_cast<std::size_t>(e.integer());
      return k < extents_.size() && extents_[k].is_integer(1) ? Sym(0) : e;
    }
    if (e.args().empty() || !varies(e)) return e;
    std::vector<Sym> args;
    for (const Sym& a : e.args()) args.push_back(simplify(a));
    switch (e.op()) {
      case SymOp::FloorDiv: return quotient(args[0], args[1]);
      case SymOp::Mod: return remainder(args[0], args[1]);
      case SymOp::Min:
      case SymOp::Max: return extremum(e.op(), std::move(args));
      case SymOp::Le:
      case SymOp::Eq:
      case SymOp::Ne: return comparison(make_sym(e.op(), std::move(args)));
      default: return make_sym(e.op(), std::move(args), e.callee());
    }
  }

  bool nonnegative(const Sym& e) const {
    const Range r = range(e);
    return r.low && holds(*r.low);
  }

 private:
  // A polynomial without axes is >= 0.
  bool holds(const Sym& e, int depth = 0) const {
    if (e.is_constant()) return e.real() >= 0;
    if (has_positive_coefficients(e)) return true;
    // r + x div b >= 0 exactly if r*b + x >= 0, and r - x div b >= 0 exactly if r*b + b-1 - x >= 0.
    for (const auto& [factors, coef] : simplify::terms_of(e)) {
      if (depth > 4 || factors.size() != 1 || factors[0].op() != SymOp::FloorDiv) continue;
      const Sym &x = factors[0].args()[0], &b = factors[0].args()[1];
      if (!is_nonnegative(b)) continue;
      const Sym rest = e - simplify::product_of(factors, coef, SymType::Integer);
      if (coef.i == 1 && holds(rest * b + x, depth + 1)) return true;
      if (coef.i == -1 && holds(rest * b + b - Sym(1) - x, depth + 1)) return true;
    }
    return false;
  }
  bool has_positive_coefficients(const Sym& e) const {
    Sym shifted(0);
    for (const auto& [factors, coef] : simplify::terms_of(e)) {
      Sym product = simplify::constant(coef);
      for (const Sym& f : factors) product = product * (at_least_one(f) ? f + Sym(1) : f);
      shifted = shifted + product;
    }
    for (const auto& [factors, coef] : simplify::terms_of(shifted))
      if (coef.i < 0 || !std::all_of(factors.begin(), factors.end(), is_nonnegative)) return false;
    return true;
  }
  bool at_least_one(const Sym& atom) const {
    return (atom.op() == SymOp::Symbol && is_positive(atom)) ||
           (is_nonnegative(atom) && std::find(extents_.begin(), extents_.end(), atom) != extents_.end());
  }

  Range range(const Sym& e) const {
    if (!varies(e)) return {e, e};
    switch (e.op()) {
      case SymOp::Axis: {
        const auto k = static_cast<std::size_t>(e.integer());
        if (k >= extents_.size()) return {};
        return {Sym(0), extents_[k] - Sym(1)};
      }
      case SymOp::Add: {
        Range sum{Sym(0), Sym(0)};
        for (const Sym& a : e.args()) {
          const Range r = range(a);
          sum.low = sum.low && r.low ? std::optional(*sum.low + *r.low) : std::nullopt;
          sum.high = sum.high && r.high ? std::optional(*sum.high + *r.high) : std::nullopt;
        }
        return sum;
      }
      case SymOp::Mul: return product(e);
      case SymOp::FloorDiv: {
        if (varies(e.args()[1]) || !is_nonnegative(e.args()[1])) return {};
        Range r = range(e.args()[0]);
        if (r.low) r.low = quotient(*r.low, e.args()[1]);
        if (r.high) r.high = quotient(*r.high, e.args()[1]);
        return r;
      }
      case SymOp::Mod:
        if (varies(e.args()[1]) || !is_nonnegative(e.args()[1])) return {};
        return {Sym(0), e.args()[1] - Sym(1)};
      case SymOp::Min:
      case SymOp::Max: return bounds_of_extremum(e);
      default: return {};
    }
  }

  Range product(const Sym& e) const {
    Sym fixed(1), low(1), high(1);
    for (const Sym& f : e.args()) {
      if (!varies(f)) {
        fixed = fixed * f;
        continue;
      }
      const Range r = range(f);
      if (!r.low || !r.high || !holds(*r.low)) return {};
      low = low * *r.low;
      high = high * *r.high;
    }
    if (holds(fixed)) return {fixed * low, fixed * high};
    if (holds(-fixed)) return {fixed * high, fixed * low};
    return {};
  }

  Range bounds_of_extremum(const Sym& e) const {
    const bool is_max = e.op() == SymOp::Max;
    Range out;
    bool first = true;
    for (const Sym& a : e.args()) {
      const Range r = range(a);
      if (first) {
        out = r;
        first = false;
        continue;
      }
      // Of two bounds of which either holds, keep the tighter; of two that are both needed, the looser.
      auto& either = is_max ? out.low : out.high;
      const auto& either_other = is_max ? r.low : r.high;
      if (!either || (either_other && holds(is_max ? *either_other - *either : *either - *either_other)))
        either = either_other;
      auto& both = is_max ? out.high : out.low;
      const auto& both_other = is_max ? r.high : r.low;
      if (!both || !both_other) {
        both.reset();
      } else if (holds(is_max ? *both_other - *both : *both - *both_other)) {
        both = both_other;
      } else if (!holds(is_max ? *both - *both_other : *both_other - *both)) {
        both.reset();
      }
    }
    return out;
  }

  // 0 <= a < b.
  bool within(const Sym& a, const Sym& b) const {
    const Range r = range(a);
    return r.low && r.high && holds(*r.low) && holds(b - Sym(1) - *r.high);
  }

  // a = g*high + low with b = g*c and 0 <= low < g: then a div b = high div c.
  struct Split {
    Sym g, high, low, c;
  };
  std::optional<Split> split(const Sym& a, const Sym& b) const {
    const Terms terms = simplify::terms_of(a), divisor = simplify::terms_of(b);
    if (divisor.size() != 1 || terms.size() < 2) return std::nullopt;
    const Term d{divisor.begin()->second, divisor.begin()->first};
    for (const auto& [factors, coef] : terms) {
      const Term g = simplify::common_factor({coef, factors}, d);
      if (g.factors.empty() && g.coef.i == 1) continue;
      Terms high, low;
      for (const auto& [f, c] : terms) {
        if (auto q = simplify::quotient({c, f}, g)) {
          high[q->factors] = q->coef;
        } else {
          low[f] = c;
        }
      }
      const Sym gs = simplify::product_of(g.factors, g.coef, SymType::Integer);
      const Sym rest = simplify::sum_of(low, SymType::Integer);
      if (low.empty() || !within(rest, gs)) continue;
      const Term c = *simplify::quotient(d, g);
      return Split{gs, simplify::sum_of(high, SymType::Integer), rest,
                   simplify::product_of(c.factors, c.coef, SymType::Integer)};
    }
    return std::nullopt;
  }

  Sym quotient(const Sym& a, const Sym& b) const {
    if (within(a, b)) return Sym(0);
    if (within(a + b, b)) return Sym(-1);
    if (auto s = split(a, b)) return quotient(s->high, s->c);
    const Sym q = floor_div(a, b);
    return q.op() == SymOp::FloorDiv && q.args()[0] == a && q.args()[1] == b ? q : simplify(q);
  }

  Sym remainder(const Sym& a, const Sym& b) const {
    if (within(a, b)) return a;
    if (within(a + b, b)) return a + b;
    if (auto s = split(a, b)) return s->g * remainder(s->high, s->c) + s->low;
    const Sym r = mod(a, b);
    return r.op() == SymOp::Mod && r.args()[0] == a && r.args()[1] == b ? r : simplify(r);
  }

  Sym extremum(SymOp op, std::vector<Sym> args) const {
    for (std::size_t i = 0; i < args.size(); ++i) {
      for (std::size_t j = 0; j < args.size(); ++j) {
        if (i == j || args[i].type() != SymType::Integer || args[j].type() != SymType::Integer) continue;
        if (!nonnegative(op == SymOp::Max ? args[j] - args[i] : args[i] - args[j])) continue;
        args.erase(args.begin() + static_cast<std::ptrdiff_t>(i));  // args[j] decides
        return extremum(op, std::move(args));
      }
    }
    return make_sym(op, std::move(args));
  }

  Sym comparison(const Sym& e) const {
    if (e.args().empty() || e.args()[0].type() != SymType::Integer) return e;
    const Sym slack = e.args()[1] - e.args()[0];  // e: slack >= 0, slack == 0
    const bool below = nonnegative(slack - Sym(1)), above = nonnegative(-slack - Sym(1));
    if (e.op() == SymOp::Le) {
      if (above) return Sym::boolean(false);
      return nonnegative(slack) ? Sym::boolean(true) : e;
    }
    return below || above ? Sym::boolean(e.op() == SymOp::Ne) : e;
  }

  const std::vector<Sym>& extents_;
};

}  // namespace

Sym simplify_index(const Sym& e, const std::vector<Sym>& extents) {
  // A rewrite may flatten operations into one that the ranges decide further.
  Sym out = e;
  for (int round = 0; round < 8; ++round) {
    const Sym next = Ranges(extents).simplify(out);
    if (next == out) break;
    out = next;
  }
  return out;
}
bool proves_nonnegative(const Sym& e, const std::vector<Sym>& extents) {
  return Ranges(extents).nonnegative(e);
}

}  // namespace flashlight::graph
