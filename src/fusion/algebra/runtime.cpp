// SPDX-License-Identifier: Apache-2.0
// Running sweeps on one row: lift a tile, move states to common references, add.
#include "fusion/algebra/runtime.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "fusion/algebra/evaluate.h"

namespace flashlight::fusion::algebra {
namespace {

template <typename T>
constexpr T kInf = std::numeric_limits<T>::infinity();

// What a reference counts as where it is subtracted.
template <typename T>
T effective(T reference) {
  return std::isfinite(reference) ? reference : T(0);
}

template <typename T>
T integer_power(T x, int n) {
  T r = 1;
  for (int i = 0; i < n; ++i) r *= x;
  return r;
}

std::size_t at(int index) { return static_cast<std::size_t>(index); }

}  // namespace

// The tile's own accumulators around given references.
template <typename T>
class Runtime<T>::Tile {
 public:
  Tile(const Runtime& runtime, std::size_t j0, std::size_t j1)
      : sweep_(runtime.sweep_), n_(j1 - j0), value_(runtime.bindings_, j0, j1, ZeroDivision::kIeee) {}

  void scan(std::vector<T>& carries) {
    for (std::size_t i = 0; i < sweep_.scans.size(); ++i) {
      const Scan& s = sweep_.scans[i];
      Values<T> out = value_.per_key(s.value);
      for (T& x : out) {
        const T after = carries[i] + x;
        x = s.exclusive ? carries[i] : after;
        carries[i] = after;
      }
      value_.set(s.node, std::move(out));
    }
  }

  T maximum(Expr key) {
    T m = -kInf<T>;
    for (T x : value_.per_key(key)) m = larger(m, x);
    return m;
  }

  // Mean of x weighted by the accumulator's terms; the plain mean where all weights vanish.
  T mean(const Reference& r, const std::vector<T>& references) {
    const Values<T> x = value_.per_key(r.value);
    Values<T> w(n_, T(1));
    if (r.weight >= 0) w = weights(sweep_.accumulators[at(r.weight)], references);
    T start = 0, total = 0, shift = 0;
    for (T v : x) start += effective(v);
    start /= static_cast<T>(n_);
    for (std::size_t j = 0; j < n_; ++j) {
      if (!std::isfinite(x[j]) && r.weight < 0) continue;
      total += w[j];
      if (std::isfinite(x[j])) shift += w[j] * (x[j] - start);
    }
    return total > 0 ? start + shift / total : start;
  }

  // scale * factors * exponentials per key, 0 outside the guard.
  Values<T> weights(const Accumulator& a, const std::vector<T>& references) {
    Values<T> w = value_.per_key(a.product);
    for (const Exponent& e : a.exponents) {
      const T rho = e.reference < 0 ? static_cast<T>(e.constant) : effective(references[at(e.reference)]);
      const Values<T> u = value_.per_key(e.u);
      for (std::size_t j = 0; j < n_; ++j)
        w[j] = u[j] == -kInf<T> ? T(0) : w[j] * std::exp(static_cast<T>(e.lambda) * (u[j] - rho));
    }
    select(a, w);
    return w;
  }

  T sum(const Accumulator& a, const std::vector<T>& references) {
    Values<T> w = weights(a, references);
    if (a.argmax >= 0) {
      const Values<T> key = value_.per_key(sweep_.references[at(a.argmax)].key);
      for (std::size_t j = 0; j < n_; ++j)
        if (key[j] != references[at(a.argmax)]) w[j] = 0;
    }
    for (const CentredPower& p : a.powers) {
      const T rho = p.reference < 0 ? static_cast<T>(p.constant) : effective(references[at(p.reference)]);
      const Values<T> x = value_.per_key(p.x);
      for (std::size_t j = 0; j < n_; ++j) w[j] *= integer_power(x[j] - rho, p.power);
    }
    for (const Exponent& e : a.exponents) {  // sigma^k exp(sigma) at -inf is 0
      const Values<T> u = value_.per_key(e.u);
      for (std::size_t j = 0; j < n_; ++j)
        if (u[j] == -kInf<T>) w[j] = 0;
    }
    select(a, w);
    T total = 0;
    for (T x : w) total += x;
    return total;
  }

  T plain(const Plain& p) {
    const Values<T> x = value_.per_key(p.value);
    T r = p.kind == PlainKind::kMax ? -kInf<T> : p.kind == PlainKind::kProd ? T(1) : T(0);
    for (T v : x) r = joined(p.kind, r, v);
    return r;
  }

  static T joined(PlainKind kind, T a, T b) {
    switch (kind) {
      case PlainKind::kMax: return larger(a, b);
      case PlainKind::kProd: return a * b;
      case PlainKind::kAny: return a != 0 || b != 0;
    }
    return a;
  }

 private:
  void select(const Accumulator& a, Values<T>& w) {
    if (!a.guard) return;
    const Values<T> g = value_.per_key(a.guard);
    for (std::size_t j = 0; j < n_; ++j)
      if (g[j] == 0) w[j] = 0;
  }

  const Sweep& sweep_;
  std::size_t n_;
  Evaluator<T> value_;
};

template <typename T>
Runtime<T>::Runtime(const Sweep& sweep, const Bindings<T>& bindings, T lazy_slack, bool strict_nan)
    : sweep_(sweep), bindings_(bindings), lazy_slack_(lazy_slack), strict_nan_(strict_nan) {}

template <typename T>
State<T> Runtime<T>::empty() const {
  State<T> s;
  s.references.assign(sweep_.references.size(), -kInf<T>);
  s.accumulators.assign(sweep_.accumulators.size(), T(0));
  for (const Plain& p : sweep_.plain)
    s.plain.push_back(p.kind == PlainKind::kMax ? -kInf<T> : p.kind == PlainKind::kProd ? T(1) : T(0));
  s.carries.assign(sweep_.scans.size(), T(0));
  return s;
}

template <typename T>
State<T> Runtime<T>::move(const State<T>& state, const std::vector<T>& references) const {
  State<T> out = state;
  out.references = references;
  for (std::size_t i = 0; i < sweep_.accumulators.size(); ++i) {
    const Accumulator& a = sweep_.accumulators[i];
    if (a.argmax >= 0) {
      if (state.references[at(a.argmax)] != references[at(a.argmax)]) out.accumulators[i] = 0;
      continue;
    }
    T moved = 0;
    for (const MoveTerm& t : a.move) {
      T x = t.source < 0 ? static_cast<T>(state.seen) : state.accumulators[at(t.source)];
      bool shifted = false;
      T factor = static_cast<T>(t.coefficient);
      for (std::size_t k = 0; k < a.powers.size(); ++k) {
        const int rho = a.powers[k].reference;
        if (t.delta_powers[k] == 0) continue;
        const T delta =
            rho < 0 ? T(0) : effective(state.references[at(rho)]) - effective(references[at(rho)]);
        factor *= integer_power(delta, t.delta_powers[k]);
        shifted = true;
      }
      moved += shifted ? factor * x : x;
    }
    T exponent = 0;
    for (const Exponent& e : a.exponents) {
      if (e.reference < 0) continue;
      const T before = state.references[at(e.reference)];  // while it is not finite the accumulator is 0
      if (std::isfinite(before))
        exponent += static_cast<T>(e.lambda) * (before - references[at(e.reference)]);
    }
    out.accumulators[i] = a.exponents.empty() ? moved : moved * std::exp(exponent);
  }
  return out;
}

template <typename T>
State<T> Runtime<T>::tile(const State<T>& state, std::size_t j0, std::size_t j1) const {
  if (j0 == j1) return state;
  State<T> lifted = empty();
  lifted.seen = j1 - j0;
  lifted.carries = state.carries;
  Tile tile(*this, j0, j1);
  tile.scan(lifted.carries);
  for (std::size_t i = 0; i < sweep_.references.size(); ++i) {
    const Reference& r = sweep_.references[i];
    if (r.kind == ReferenceKind::kRunningMean) continue;
    const T before = state.references[i], own = tile.maximum(r.key);
    const bool keeps = r.lazy && own <= before + lazy_slack_;
    lifted.references[i] = keeps ? before : larger(before, own);
  }
  for (std::size_t i = 0; i < sweep_.references.size(); ++i)
    if (sweep_.references[i].kind == ReferenceKind::kRunningMean)
      lifted.references[i] = tile.mean(sweep_.references[i], lifted.references);
  for (std::size_t i = 0; i < sweep_.accumulators.size(); ++i)
    lifted.accumulators[i] = tile.sum(sweep_.accumulators[i], lifted.references);
  for (std::size_t i = 0; i < sweep_.plain.size(); ++i) lifted.plain[i] = tile.plain(sweep_.plain[i]);
  State<T> out = join(state, lifted);
  out.carries = lifted.carries;
  out.carried = !sweep_.scans.empty();
  return out;
}

template <typename T>
State<T> Runtime<T>::combine(const State<T>& a, const State<T>& b) const {
  if (a.carried || b.carried) throw std::logic_error("a scan's states are tied to their place in the stream");
  return join(a, b);
}

// Maxima first, since means are weighted by accumulators around them; then the means.
template <typename T>
State<T> Runtime<T>::join(const State<T>& a, const State<T>& b) const {
  std::vector<T> ra = a.references, rb = b.references;
  const auto is_mean = [&](std::size_t i) {
    return sweep_.references[i].kind == ReferenceKind::kRunningMean;
  };
  for (std::size_t i = 0; i < ra.size(); ++i)
    if (!is_mean(i)) ra[i] = rb[i] = larger(a.references[i], b.references[i]);
  State<T> x = move(a, ra), y = move(b, rb);
  std::vector<T> joint = ra;
  for (std::size_t i = 0; i < joint.size(); ++i) {
    if (!is_mean(i) || (!std::isfinite(a.references[i]) && !std::isfinite(b.references[i]))) continue;
    const int w = sweep_.references[i].weight;
    const T wa = w < 0 ? static_cast<T>(a.seen) : x.accumulators[at(w)];
    const T wb = w < 0 ? static_cast<T>(b.seen) : y.accumulators[at(w)];
    const T ma = std::isfinite(a.references[i]) ? a.references[i] : effective(b.references[i]);
    const T mb = std::isfinite(b.references[i]) ? b.references[i] : effective(a.references[i]);
    joint[i] = wa + wb > 0 ? ma + (mb - ma) * (wb / (wa + wb)) : ma;
  }
  x = move(x, joint);
  y = move(y, joint);
  for (std::size_t i = 0; i < x.accumulators.size(); ++i) x.accumulators[i] += y.accumulators[i];
  for (std::size_t i = 0; i < x.plain.size(); ++i)
    x.plain[i] = Tile::joined(sweep_.plain[i].kind, a.plain[i], b.plain[i]);
  x.seen = a.seen + b.seen;
  return x;
}

// A row is empty for a fix-up if every maximum behind it is -inf: those it holds and those its sums are
// weighed around. Another state in it has a value for rows without keys as well.
template <typename T>
bool Runtime<T>::is_empty(const State<T>& state, Expr fixup) const {
  const auto holds = [&](Expr node) {
    const std::vector<Expr> found = collect(fixup, {node.op()});
    return std::find(found.begin(), found.end(), node) != found.end();
  };
  std::vector<bool> behind(sweep_.references.size(), false);
  for (std::size_t i = 0; i < behind.size(); ++i)
    behind[i] = sweep_.references[i].kind != ReferenceKind::kRunningMean && holds(sweep_.references[i].node);
  std::vector<bool> weighing(behind.size(), false);
  for (const Accumulator& a : sweep_.accumulators) {
    if (!holds(a.node)) continue;
    bool weighed = false;
    for (const Exponent& e : a.exponents)
      if (e.reference >= 0) weighing[at(e.reference)] = weighed = true;
    if (!weighed) return false;
    for (const CentredPower& p : a.powers)  // the centre of a weighed moment says nothing about its keys
      if (p.reference >= 0) behind[at(p.reference)] = false;
  }
  for (std::size_t i = 0; i < behind.size(); ++i) behind[i] = behind[i] || weighing[i];
  for (const Plain& p : sweep_.plain)
    if (holds(p.node)) return false;
  bool any = false;
  for (std::size_t i = 0; i < behind.size(); ++i) {
    if (!behind[i]) continue;
    any = true;
    if (state.references[i] != -kInf<T>) return false;
  }
  return any;
}

template <typename T>
std::vector<T> Runtime<T>::final(const State<T>& state) const {
  Evaluator<T> value(bindings_, 0, 0, strict_nan_ ? ZeroDivision::kIeee : ZeroDivision::kEmptySums);
  for (std::size_t i = 0; i < sweep_.references.size(); ++i) {
    const bool is_mean = sweep_.references[i].kind == ReferenceKind::kRunningMean;
    value.set(sweep_.references[i].node, {is_mean ? effective(state.references[i]) : state.references[i]});
  }
  for (std::size_t i = 0; i < sweep_.accumulators.size(); ++i)
    value.set(sweep_.accumulators[i].node, {state.accumulators[i]});
  for (std::size_t i = 0; i < sweep_.plain.size(); ++i) value.set(sweep_.plain[i].node, {state.plain[i]});
  std::vector<T> out;
  for (std::size_t i = 0; i < sweep_.fixups.size(); ++i) {
    const bool empty = !strict_nan_ && is_empty(state, sweep_.fixups[i]);
    out.push_back(value(empty ? sweep_.empty[i] : sweep_.fixups[i]).at(0));
  }
  return out;
}

template <typename T>
std::vector<T> fused(const Plan& plan, const Bindings<T>& bindings, std::size_t tile_size,
                     const std::vector<std::size_t>& splits, T lazy_slack, bool strict_nan) {
  Bindings<T> known = bindings;
  std::vector<T> out;
  for (const Sweep& sweep : plan.sweeps) {
    const Runtime<T> runtime(sweep, known, lazy_slack, strict_nan);
    std::vector<std::size_t> ends = splits;
    ends.push_back(bindings.length);
    State<T> total;
    std::size_t begin = 0;
    for (std::size_t end : ends) {
      State<T> part = runtime.empty();
      for (std::size_t j = begin; j < end; j += tile_size)
        part = runtime.tile(part, j, std::min(end, j + tile_size));
      total = begin == 0 ? part : runtime.combine(total, part);
      begin = end;
    }
    out = runtime.final(total);
    for (std::size_t i = 0; i < out.size(); ++i) known.knowns[sweep.targets[i]] = out[i];
  }
  return out;
}

template class Runtime<float>;
template class Runtime<double>;
template class Runtime<long double>;
template std::vector<float> fused(const Plan&, const Bindings<float>&, std::size_t,
                                  const std::vector<std::size_t>&, float, bool);
template std::vector<double> fused(const Plan&, const Bindings<double>&, std::size_t,
                                   const std::vector<std::size_t>&, double, bool);
template std::vector<long double> fused(const Plan&, const Bindings<long double>&, std::size_t,
                                        const std::vector<std::size_t>&, long double, bool);

}  // namespace flashlight::fusion::algebra
