// SPDX-License-Identifier: Apache-2.0
// References of exponents (running maxima or constants) and of centred powers (an exponent's, an extremum, a
// mean).
#include "fusion/algebra/references.h"

#include <algorithm>
#include <cmath>

#include "fusion/algebra/accumulator_node.h"
#include "fusion/algebra/interval.h"
#include "fusion/algebra/simplify_fixup.h"

namespace flashlight::fusion::algebra {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
// exp stays within float32's normal range for exponents this far apart.
constexpr double kStaticWidth = 60;

bool is_polynomial_power(double p) { return p == std::floor(p) && p > 0; }

class Choice {
 public:
  Choice(Arena& arena, const Separation& derived, const std::set<Expr>& recentred, const PlanOptions& options)
      : arena_(arena),
        derived_(derived),
        recentred_(recentred),
        options_(options),
        keys_(arena, derived.knowns(), options.strict_nan, true) {}

  Draft run(const std::vector<NormalForm>& outputs) {
    for (const NormalForm& a : outputs)
      for (Expr s : collect(arena_, a, {Op::kRawSum}))
        if (std::find(sums_.begin(), sums_.end(), s) == sums_.end()) sums_.push_back(s);
    for (Expr s : sums_) terms_[s] = keys_.form(s.arg(0));
    bind_exponents();
    bind_natural();
    for (Expr s : sums_) substitutes_[s] = accumulators_of(terms_[s]);
    for (Expr x : derived_.centred())
      if (!bound_.contains(x))
        bound_[x] = {arena_.constant(0), 1};  // never a polynomial: the reference cancels
    std::vector<Expr> nodes;
    for (const DraftReference& r : draft_.references) nodes.push_back(r.node);
    for (const NormalForm& a : outputs)
      draft_.fixups.push_back(
          simplify_fixup(arena_, substitute(rebuild(arena_, a)), derived_.knowns(), nodes));
    return std::move(draft_);
  }

 private:
  // x is accumulated as (sign * x - node)^k.
  struct Bound {
    Expr node;
    int sign = 1;
  };

  void add_reference(Expr node, ReferenceKind kind, Expr key, Expr weight = {}) {
    for (DraftReference& r : draft_.references)
      if (r.node == node) {
        if (kind == ReferenceKind::kArgMax) r.kind = kind;
        return;
      }
    draft_.references.push_back({node, kind, key, weight});
  }

  Expr running_max(Expr u, std::vector<Expr> guard) {
    if (is_masked(u)) {
      const std::vector<Expr> mask = conjuncts(u.arg(0));
      guard.insert(guard.end(), mask.begin(), mask.end());
      u = u.arg(1);
    }
    const Expr key = guard.empty() ? u : where(conjunction(std::move(guard)), u, -kInf);
    const Expr node = arena_.make(options_.lazy ? Op::kLazyMax : Op::kRunningMax, {key});
    add_reference(node, ReferenceKind::kRunningMax, key);
    return node;
  }

  // A constant where the exponent is bounded: no state at all.
  Expr exponent_reference(double lambda, Expr u, const std::vector<Expr>& guard) {
    const Interval r = finite_range(u);
    if (options_.static_references && lambda * r.width() <= kStaticWidth) return arena_.constant(r.hi);
    return running_max(u, guard);
  }

  ExponentPart exponent_part(const ExponentTerm& t, const std::vector<Expr>& guard) {
    const double lambda = std::abs(t.coefficient);
    const Expr u = rebuild(arena_, Monomial{t.product, {}}, t.coefficient / lambda);
    return {lambda, u, exponent_reference(lambda, u, guard)};
  }

  // A centred value that is also an exponent shares its reference, if every sum that centres it keeps no
  // other key.
  void bind_exponents() {
    for (Expr s : sums_)
      for (const auto& [m, c] : terms_[s])
        for (const ExponentTerm& t : m.exponent) {
          const double lambda = std::abs(t.coefficient);
          const Expr u = rebuild(arena_, Monomial{t.product, {}}, t.coefficient / lambda);
          if (!derived_.centred().contains(u) || bound_.contains(u) || !guards_imply(u, guards(m))) continue;
          bound_[u] = {exponent_reference(lambda, u, guards(m)), 1};
        }
  }

  bool guards_imply(Expr x, const std::vector<Expr>& guard) {
    const auto uses = [&](const Power& p) {
      return p.atom == x || (p.atom.is(Op::kCentred) && p.atom.arg(0) == x);
    };
    for (Expr s : sums_)
      for (const auto& [m, c] : terms_[s]) {
        if (std::none_of(m.atoms.begin(), m.atoms.end(), uses)) continue;
        for (Expr g : guard)
          if (std::none_of(m.atoms.begin(), m.atoms.end(),
                           [&](const Power& p) { return p.atom.is(Op::kIndicator) && p.atom.arg(0) == g; }))
            return false;
      }
    return true;
  }

  void bind_natural() {
    for (const auto& [x, sign] : derived_.natural()) {
      if (bound_.contains(x)) continue;
      const NormalForm extremum = keys_.extremum_of_keys(keys_.form(x), sign);
      const Expr node = extremum.begin()->first.atoms.at(0).atom;
      if (extremum.size() != 1 || extremum.begin()->second != sign || !node.is(Op::kRunningMax)) continue;
      add_reference(node, ReferenceKind::kRunningMax, node.arg(0));
      bound_[x] = {node, sign};
    }
  }

  Expr centre_of(Expr x) const {
    const Bound& b = bound_.at(x);
    return b.sign > 0 ? b.node : -b.node;
  }

  // One raw sum as a combination of accumulators, references and their exponentials.
  Expr accumulators_of(const NormalForm& terms) {
    if (const Expr whole = one_accumulator(terms)) return whole;
    std::vector<Expr> out;
    for (const auto& [m, c] : terms) append(out, m, c);
    return out.size() == 1 ? out[0] : arena_.make(Op::kAdd, std::move(out));
  }

  bool is_centred_atom(Expr atom, const std::vector<ExponentPart>& exponents) const {
    const Expr x = atom.is(Op::kCentred) ? atom.arg(0) : atom;
    return atom.is(Op::kCentred) || derived_.centred().contains(x) || recentred_.contains(x) ||
           std::any_of(exponents.begin(), exponents.end(), [&](const ExponentPart& e) { return e.u == x; });
  }

  // Several terms with the same guard and exponent and nothing to centre: their sum is one factor.
  Expr one_accumulator(const NormalForm& terms) {
    if (terms.size() < 2) return {};
    const Monomial& first = terms.begin()->first;
    const std::vector<Expr> guard = guards(first);
    std::vector<ExponentPart> exponents;
    for (const ExponentTerm& t : first.exponent) exponents.push_back(exponent_part(t, guard));
    NormalForm factors;
    for (const auto& [m, c] : terms) {
      if (m.exponent != first.exponent || guards(m) != guard) return {};
      Monomial bare;
      for (const Power& p : m.atoms) {
        if (is_centred_atom(p.atom, exponents)) return {};
        if (p.atom.is(Op::kIndicator) && p.atom.arg(0).is(Op::kAttainsMax)) return {};
        if (!p.atom.is(Op::kIndicator)) bare.atoms.push_back(p);
      }
      factors.emplace(bare, c);
    }
    Expr product = rebuild(arena_, factors);
    if (!guard.empty()) product = where(conjunction(guard), product, 0.0);
    return times_references(accumulator_node({product, exponents, {}}), exponents);
  }

  Expr times_references(Expr accumulator, const std::vector<ExponentPart>& exponents) {
    Expr e = accumulator;
    for (const ExponentPart& x : exponents) e = e * exp(x.lambda * x.reference);
    return e;
  }

  void append(std::vector<Expr>& out, const Monomial& m, double c) {
    std::vector<Expr> guard = guards(m);
    const auto argmax =
        std::find_if(guard.begin(), guard.end(), [](Expr g) { return g.is(Op::kAttainsMax); });
    if (argmax != guard.end()) return out.push_back(c * arg_accumulator(m, *argmax));

    std::vector<ExponentPart> exponents;
    for (const ExponentTerm& t : m.exponent) exponents.push_back(exponent_part(t, guard));
    struct Polynomial {
      Expr x;
      int power;
      bool centred;
    };
    Monomial factors;
    std::vector<Polynomial> polynomials;
    for (const Power& p : m.atoms) {
      if (p.atom.is(Op::kIndicator) || !is_polynomial_power(p.power) || !is_centred_atom(p.atom, exponents))
        factors.atoms.push_back(p);
      else
        polynomials.push_back({p.atom.is(Op::kCentred) ? p.atom.arg(0) : p.atom, static_cast<int>(p.power),
                               p.atom.is(Op::kCentred)});
    }
    const Expr product = rebuild(arena_, factors);
    for (const Polynomial& p : polynomials) bind_polynomial(p.x, product, exponents, guard);

    // x^n = (deviation + reference)^n, expanded where x is not centred already.
    std::vector<int> powers(polynomials.size());
    auto expand = [&](auto&& self, std::size_t i, double coefficient, std::vector<Expr> outside) -> void {
      if (i == polynomials.size()) {
        std::map<Expr, int> merged;
        for (std::size_t k = 0; k < powers.size(); ++k) merged[polynomials[k].x] += powers[k];
        AccumulatorParts parts{product, exponents, {}};
        for (const auto& [x, power] : merged) {
          const Bound& b = bound_.at(x);
          parts.powers.push_back({b.sign > 0 ? x : b.node.arg(0), power, b.node});
        }
        outside.insert(outside.begin(), {arena_.constant(coefficient), accumulator_node(std::move(parts))});
        out.push_back(times_references(arena_.make(Op::kMul, std::move(outside)), exponents));
        return;
      }
      const auto& [x, n, centred] = polynomials[i];
      for (int k = centred ? n : 0; k <= n; ++k) {
        powers[i] = k;
        std::vector<Expr> more = outside;
        if (n > k) more.push_back(pow(centre_of(x), n - k));
        const double sign = bound_.at(x).sign < 0 && k % 2 ? -1 : 1;
        self(self, i + 1, coefficient * sign * binomial(n, k), std::move(more));
      }
    };
    expand(expand, 0, c, {});
  }

  // An exponent's reference serves where no other sum centres keys that it does not see: it may be -inf
  // there.
  void bind_polynomial(Expr x, Expr product, const std::vector<ExponentPart>& exponents,
                       const std::vector<Expr>& guard) {
    if (bound_.contains(x)) return;
    for (const ExponentPart& e : exponents)
      if (e.u == x && guards_imply(x, guard)) {
        bound_[x] = {e.reference, 1};
        return;
      }
    const Expr node = arena_.make(Op::kCentre, {x});
    const bool same_for_all_rows = options_.column_means && x.node().column;
    const bool weighted =
        is_nonneg(product) && !same_for_all_rows && !(product.is_constant(1) && exponents.empty());
    add_reference(node, ReferenceKind::kRunningMean, x,
                  weighted ? accumulator_node({product, exponents, {}}) : Expr());
    bound_[x] = {node, 1};
  }

  // Keys that attain a maximum: the accumulator is reset when the maximum grows.
  Expr arg_accumulator(const Monomial& m, Expr attains) {
    const Expr key = attains.arg(0);
    const Expr node = arena_.make(Op::kRunningMax, {key});
    add_reference(node, ReferenceKind::kArgMax, key);
    Monomial product;
    for (const Power& p : m.atoms)
      if (!(p.atom.is(Op::kIndicator) && p.atom.arg(0) == attains)) product.atoms.push_back(p);
    // Where the key is the maximum, an exponential of it is one of the maximum.
    Expr outside = arena_.constant(1);
    const Expr value = is_masked(key) ? key.arg(1) : key;
    for (const ExponentTerm& t : m.exponent) {
      const double lambda = std::abs(t.coefficient);
      const Expr u = rebuild(arena_, Monomial{t.product, {}}, t.coefficient / lambda);
      if (u == value) outside = outside * exp(lambda * node);
      else
        throw Inseparable(Reason::kOpaque,
                          "an exponential gathered at the maximum of another value: " + to_string(exp(u)), u);
    }
    return outside * arena_.make(Op::kArgAccumulator, {rebuild(arena_, product), key});
  }

  Expr substitute(Expr e) {
    if (const auto it = substituted_.find(e); it != substituted_.end()) return it->second;
    Expr r = e;
    if (const auto it = substitutes_.find(e); it != substitutes_.end()) {
      r = it->second;
    } else if (e.is(Op::kCentre) && bound_.contains(e.arg(0))) {
      r = centre_of(e.arg(0));
    } else if (!is_state(e.op()) && !e.is(Op::kKnown) && !e.args().empty()) {
      std::vector<Expr> args;
      for (Expr a : e.args()) args.push_back(substitute(a));
      r = with_args(e, std::move(args));
    }
    return substituted_[e] = r;
  }

  Arena& arena_;
  const Separation& derived_;
  const std::set<Expr>& recentred_;
  const PlanOptions& options_;
  Separation keys_;
  std::vector<Expr> sums_;
  std::map<Expr, NormalForm> terms_;
  std::map<Expr, Bound> bound_;
  std::map<Expr, Expr> substitutes_, substituted_;
  Draft draft_;
};

}  // namespace

const DraftReference* Draft::find(Expr node) const {
  for (const DraftReference& r : references)
    if (r.node == node) return &r;
  return nullptr;
}

std::vector<Expr> collect(Arena& arena, const NormalForm& a, std::initializer_list<Op> ops) {
  return collect(rebuild(arena, a), ops);
}

Draft choose_references(Arena& arena, const Separation& derived, const std::vector<NormalForm>& outputs,
                        const std::set<Expr>& recentred, const PlanOptions& options) {
  return Choice(arena, derived, recentred, options).run(outputs);
}

Draft choose_references(Arena& arena, const Separation& derived, const std::vector<NormalForm>& outputs,
                        const PlanOptions& options) {
  std::vector<Expr> candidates;
  Separation keys(arena, derived.knowns(), options.strict_nan, true);
  for (const NormalForm& a : outputs)
    for (Expr s : collect(arena, a, {Op::kRawSum}))
      for (const auto& [m, c] : keys.form(s.arg(0)))
        for (const Power& p : m.atoms)
          if (is_polynomial_power(p.power) && p.power >= 2 && !p.atom.is(Op::kIndicator) &&
              p.atom.node().kind == kKeyed &&
              std::find(candidates.begin(), candidates.end(), p.atom) == candidates.end())
            candidates.push_back(p.atom);
  std::set<Expr> recentred;
  for (Expr x : candidates) {
    std::set<Expr> trial = recentred;
    trial.insert(x);
    const Draft draft = choose_references(arena, derived, outputs, trial, options);
    const bool cancels = std::all_of(draft.fixups.begin(), draft.fixups.end(),
                                     [&](const NormalForm& a) { return centre_cancels(a, x); });
    if (cancels) recentred = std::move(trial);
  }
  return choose_references(arena, derived, outputs, recentred, options);
}

}  // namespace flashlight::fusion::algebra
