// SPDX-License-Identifier: Apache-2.0
// The states of a sweep: references, accumulators around them, and how those move when a reference does.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernel/lowering.h"

namespace flashlight::kernel {

using alg::ReferenceKind;

namespace {

Expr is_finite(Expr x) { return alg::all_of({gt(x, -kInf), lt(x, kInf)}); }

// exp(a + b) as exp2(c * a + c * b), c = log2(e): what is of the row alone is multiplied once a row. What is
// compared stays as it is: it may have to equal, to the last bit, what an earlier sweep found.
Expr with_exp2(Expr e) {
  if (e.is(alg::Op::kLeaf) || e.args().empty()) return e;
  if (e.is(alg::Op::kEq) || e.is(alg::Op::kGt) || e.is(alg::Op::kGe)) return e;
  alg::Arena& arena = e.arena();
  if (!e.is(alg::Op::kExp)) {
    std::vector<Expr> args;
    for (Expr arg : e.args()) args.push_back(with_exp2(arg));
    return alg::with_args(e, args);
  }
  const Expr u = e.arg(0);
  std::vector<Expr> terms;
  for (Expr term : u.is(alg::Op::kAdd) ? u.args() : std::vector<Expr>{u}) {
    std::vector<Expr> factors{arena.constant(kLog2E)};
    if (term.is(alg::Op::kMul)) factors.insert(factors.end(), term.args().begin(), term.args().end());
    else factors.push_back(term);
    terms.push_back(arena.make(alg::Op::kMul, factors));
  }
  return alg::call(arena, kExp2, {terms.size() == 1 ? terms[0] : arena.make(alg::Op::kAdd, terms)});
}

// A leaf made of positions alone.
bool is_distance(const graph::Graph& g, graph::NodeId id) {
  const graph::Node& n = g[id];
  if (n.op == graph::Op::Iota) return true;
  if (n.op == graph::Op::Scalar) return n.type == graph::Type::Int;
  if (n.op != graph::Op::Map || n.type == graph::Type::Bool || n.fn == graph::Fn::Where) return false;
  return std::all_of(n.operands.begin(), n.operands.end(),
                     [&](const graph::Operand& o) { return is_distance(g, o.node); });
}

// The Point leaf that `e` is, or null.
const fusion::Leaf* point_leaf(const Program& program, Expr e) {
  const std::vector<fusion::Leaf>& leaves = program.plan->leaves;
  if (!e.is(alg::Op::kLeaf) || static_cast<std::size_t>(e.leaf_id()) >= leaves.size()) return nullptr;
  const fusion::Leaf& leaf = leaves[e.leaf_id()];
  return leaf.kind == fusion::Leaf::Point ? &leaf : nullptr;
}

bool is_huge_constant(Expr e) {
  return e.is(alg::Op::kConstant) && std::abs(e.value()) > 1e30 && std::abs(e.value()) < kInf;
}

// Of such a factor's products, the others are slopes and scales.
bool is_measure(const Program& program, Expr e) {
  if (const fusion::Leaf* leaf = point_leaf(program, e))
    return is_distance(program.function->graph, leaf->node);
  return e.is(alg::Op::kLeaf) || e.is(alg::Op::kTanh) || e.is(alg::Op::kSigmoid);
}

// Whether the value may be as large as floats are, other than by overflow: masks fill with the smallest
// float, or add it.
bool may_be_huge(const Program& program, Expr u) {
  if (u.is_bool() || is_measure(program, u)) return false;
  const std::vector<Expr>& args = u.args();
  const auto huge = [&](Expr e) { return may_be_huge(program, e); };
  switch (u.op()) {
    case alg::Op::kConstant: return is_huge_constant(u);
    case alg::Op::kLeaf: return true;
    case alg::Op::kMul:
      if (std::any_of(args.begin(), args.end(), is_huge_constant)) return true;
      if (std::any_of(args.begin(), args.end(), [&](Expr e) { return is_measure(program, e); })) return false;
      break;
    case alg::Op::kExp:
    case alg::Op::kLog: return false;
    default: break;
  }
  return std::any_of(args.begin(), args.end(), huge);
}

}  // namespace

int Lowering::total_power(const alg::Accumulator& a) {
  return std::accumulate(a.powers.begin(), a.powers.end(), 0,
                         [](int n, const alg::CentredPower& p) { return n + p.power; });
}

bool Lowering::is_shift(const alg::MoveTerm& term) {
  return std::any_of(term.delta_powers.begin(), term.delta_powers.end(), [](int p) { return p > 0; });
}

// Each accumulator follows the last reference it needs: streams take turns, so that one score fragment may
// serve all.
void Lowering::lower_states(const alg::Sweep& sweep) {
  references_.clear();
  moves_.clear();
  later_.clear();
  summands_.assign(sweep.accumulators.size(), std::nullopt);
  state_of_.assign(sweep.accumulators.size(), 0);
  group_accumulators(sweep);
  lower_scans(sweep);
  lower_group(sweep, -1);
  for (std::size_t r = 0; r < sweep.references.size(); ++r) {
    lower_reference(sweep, r);
    lower_group(sweep, static_cast<int>(r));
  }
  for (const alg::Plain& plain : sweep.plain) lower_plain(plain);
  out_->steps.insert(out_->steps.end(), later_.begin(), later_.end());
}

// Running sums come first: what follows reads their elements.
void Lowering::lower_scans(const alg::Sweep& sweep) {
  for (std::size_t k = 0; k < sweep.scans.size(); ++k) {
    const alg::Scan& scan = sweep.scans[k];
    const std::string n = k == 0 ? "" : std::to_string(k);
    const Expr value = masked_as_spelled("step" + n, known(scan.value), 0);
    if (space_of(program_, known(scan.value)) & kColumn) {
      refuse("unsupported-scan",
             "a running sum for each output column is not fused yet: " + alg::to_string(scan.value),
             "sum the scores", scan.value);
    }
    const Expr element = temporary(kScore, "running" + n);
    state("carry", StateKind::Value, 0, -1);
    out_->steps.push_back({StepKind::Scan,
                           static_cast<int>(out_->states.size()) - 1,
                           scan.exclusive ? 1 : 0,
                           element,
                           value,
                           {}});
    knowns_[scan.node] = element;
  }
}

// A sum that another one moves by keeps its old value until that one has moved: all that are so connected are
// of one group.
void Lowering::group_accumulators(const alg::Sweep& sweep) {
  group_.clear();
  for (const alg::Accumulator& a : sweep.accumulators) {
    int last = a.argmax;
    for (const alg::Exponent& e : a.exponents) last = std::max(last, e.reference);
    for (const alg::CentredPower& c : a.powers) last = std::max(last, c.reference);
    group_.push_back(last);
  }
  for (bool grows = true; grows;) {
    grows = false;
    for (std::size_t a = 0; a < sweep.accumulators.size(); ++a) {
      for (const alg::MoveTerm& term : sweep.accumulators[a].move) {
        if (term.source < 0 || !is_shift(term) || group_[term.source] == group_[a]) continue;
        group_[term.source] = group_[a] = std::max(group_[term.source], group_[a]);
        grows = true;
      }
    }
  }
}

// ---- references

void Lowering::lower_reference(const alg::Sweep& sweep, std::size_t r) {
  const alg::Reference& reference = sweep.references[r];
  const std::string n = r == 0 ? "" : std::to_string(r);
  if (reference.kind == ReferenceKind::kRunningMean) lower_mean(sweep, reference, n);
  else lower_maximum(reference, n);
  const LoweredReference& made = references_.back();
  states_[reference.node] = times(made.scale, made.state);
}

// Reduce the tile, join, make finite; the state itself moves after the accumulators have.
void Lowering::lower_maximum(const alg::Reference& reference, const std::string& n) {
  const Peeled u = peel_scale(program_, known(reference.value));
  if (space_of(program_, u.rest) & kColumn) {
    refuse("rank-three", "an extremum over the keys varies with the output column: " + alg::to_string(u.rest),
           "keep the scores free of the values' columns", u.rest);
  }
  LoweredReference r;
  r.kind = reference.kind;
  r.value = known(reference.value);
  r.scale = u.scale;
  r.rest = u.rest;
  r.guard = known(reference.guard);
  r.masked =
      r.guard ? masked("x" + n, u.rest, r.guard, -kInf, -kInf) : masked_or_filled("x" + n, u.rest, -kInf);
  r.state = state("m", StateKind::Max, -kInf, -1);
  const std::size_t index = out_->states.size() - 1;
  const Expr tile = reduce(StateKind::Max, "tile_m" + n, r.masked);
  r.joined = temporary(kRow, "new_m" + n);
  r.finite = temporary(kRow, "safe_m" + n);
  let(r.joined, max2(r.state, tile));
  let(r.finite, make_finite(r.joined));
  later_.push_back({StepKind::Set, static_cast<int>(index), -1, {}, r.joined, {}});
  references_.push_back(r);
}

// A mean that follows the keys: the old one and the tile's deviations from it, weighted. Any value would be
// exact; this one keeps the moments around it small. It starts at 0, where every sum that is centred by it is
// 0 as well.
void Lowering::lower_mean(const alg::Sweep& sweep, const alg::Reference& reference, const std::string& n) {
  LoweredReference r;
  r.kind = reference.kind;
  r.value = known(reference.value);
  if (space_of(program_, r.value) & kColumn) {
    refuse("unsupported-moment",
           "a moment of the values, which vary with the output column, is not fused yet: " +
               alg::to_string(r.value),
           "return the mean of v * v as a result of its own and subtract outside", r.value);
  }
  r.state = state("mean", StateKind::Value, 0, -1);
  const std::size_t index = out_->states.size() - 1;
  r.joined = r.finite = temporary(kRow, "new_mean" + n);
  const Expr away = where(is_finite(r.value), r.value - r.state, 0.0);
  Expr before, tile,
      shift;  // the weight of the keys so far, of the tile's, and the tile's sum of weighted deviations
  if (reference.weight < 0) {
    shift = reduce(StateKind::Sum, "tile_shift" + n, masked("x" + n, away, {}, 0, 0));
    tile = alg::call(arena_, kKeysThrough, {});
  } else {
    const Summand& s = summand(sweep, reference.weight);
    if (!s.right.factors.empty())
      refuse("unsupported-moment", "a mean weighted by the values is not fused yet",
             "weigh by the scores alone", r.value);
    const Expr old = r.weight = state("weight", StateKind::Value, 0, -1);
    const std::size_t at = out_->states.size() - 1;
    const Expr now = temporary(kRow, "new_weight" + n);
    tile = reduce(StateKind::Sum, "tile_weight" + n, s.weight);
    shift = reduce(StateKind::Sum, "tile_shift" + n, where(eq(s.weight, 0.0), 0.0, s.weight * away));
    let(now, times(s.move, old) + tile);
    later_.push_back({StepKind::Set, static_cast<int>(at), -1, {}, now, {}});
    tile = now;
  }
  let(r.joined, where(gt(tile, 0.0), r.state + shift / tile, r.state));
  later_.push_back({StepKind::Set, static_cast<int>(index), -1, {}, r.joined, {}});
  references_.push_back(r);
}

// ---- accumulators

void Lowering::lower_group(const alg::Sweep& sweep, int group) {
  std::vector<std::size_t> members;
  for (std::size_t a = 0; a < sweep.accumulators.size(); ++a) {
    if (group_[a] == group) members.push_back(a);
  }
  for (std::size_t a : members) {
    const bool contracts = !summand(sweep, a).right.factors.empty();
    const Expr node = contracts ? state("acc", StateKind::Accumulator, 0, summand(sweep, a).right.cols)
                                : state("l", StateKind::Sum, 0, -1);
    state_of_[a] = out_->states.size() - 1;
    states_[sweep.accumulators[a].node] = node;
  }
  // Higher powers move by the lower ones' old values.
  std::vector<std::size_t> descending = members;
  std::stable_sort(descending.begin(), descending.end(), [&](std::size_t a, std::size_t b) {
    return total_power(sweep.accumulators[a]) > total_power(sweep.accumulators[b]);
  });
  for (std::size_t a : descending) shift(sweep, a);
  for (std::size_t a : members) accumulate(sweep, a);
}

// The summand per key, and what to multiply the sum by when references move.
const Lowering::Summand& Lowering::summand(const alg::Sweep& sweep, std::size_t index) {
  if (summands_[index]) return *summands_[index];
  const alg::Accumulator& a = sweep.accumulators[index];
  Summand s;
  std::vector<Expr> left, alive;
  s.right = split_factors(a, left);
  s.weight = a.scale == 1 && !left.empty() ? Expr() : arena_.constant(a.scale);
  for (Expr factor : left) s.weight = s.weight ? s.weight * with_exp2(factor) : with_exp2(factor);
  const bool plain_weight = s.weight.is_constant(1) && a.powers.empty() && a.argmax < 0;
  const bool guarded = weigh(a, s, alive);
  for (const alg::CentredPower& p : a.powers) {
    const Expr d = deviation(a, p);
    s.weight = times(s.weight, p.power == 1 ? d : pow(d, p.power));
  }
  const Expr guard = known(a.guard);
  for (Expr part : {s.weight, guard}) {
    if (part && (space_of(program_, part) & kColumn)) {
      refuse("rank-three", "a streamed sum selects or weighs by the output column: " + alg::to_string(part),
             "write it as a product of a term over (query, key) and a term over (key, column)", part);
    }
  }
  // A weight of 0 must not meet an infinite factor.
  if (!alive.empty() && !plain_weight) s.weight = where(alg::all_of(alive), s.weight, 0.0);
  if (!guarded) s.weight = masked("p" + std::to_string(out_->masked.size()), s.weight, guard, 0, 0);
  summands_[index] = std::move(s);
  return *summands_[index];
}

// Multiplies by the exponentials, or selects the keys that attain a maximum. `alive`: conditions without
// which the summand is 0. True if a reference's mask serves as the accumulator's guard.
bool Lowering::weigh(const alg::Accumulator& a, Summand& s, std::vector<Expr>& alive) {
  const Expr guard = known(a.guard);
  bool guarded = false;
  auto follows = [&](const LoweredReference& r) {
    alive.push_back(gt(r.masked, -kInf));
    guarded = guarded || (!a.guard && !r.guard) || (guard && r.guard && guard == r.guard);
  };
  if (a.argmax >= 0) {
    // In a row of -inf alone every key attains the maximum, those that a mask hides as well.
    const LoweredReference& r = references_[a.argmax];
    alive.push_back(eq(r.masked, r.joined));
    s.move = where(eq(r.state, r.joined), 1.0, 0.0);
  }
  for (const alg::Exponent& e : a.exponents) {
    if (e.reference < 0) {
      s.weight = times(s.weight,
                       exp2_of(known(e.u), arena_.constant(e.lambda * kLog2E), arena_.constant(e.constant)));
      continue;
    }
    const LoweredReference& r = references_[e.reference];
    follows(r);
    const Expr c = r.scale ? r.scale * (e.lambda * kLog2E) : arena_.constant(e.lambda * kLog2E);
    // A mask may fill with the smallest float, whose product with log2(e) is infinite: the difference first,
    // where one may.
    const Expr weight = may_be_huge(program_, r.rest) ? alg::call(arena_, kExp2, {c * (r.masked - r.finite)})
                                                      : exp2_of(r.masked, c, r.finite);
    s.weight = times(s.weight, weight);
    // The difference first: a fused multiply-add of c * m and a rounded c * m' would not give 1 where m is
    // m', tile after tile.
    s.move = times(s.move, alg::call(arena_, kExp2, {c * (r.state - r.finite)}));
  }
  return guarded;
}

// exp(lambda * (u - r)) as exp2(c * u - c * r): the second product is per row, the first joins a fused
// multiply-add.
Expr Lowering::exp2_of(Expr u, Expr c, Expr r) {
  const Expr x = c * u, y = c * r;
  return alg::call(arena_, kExp2, {x - y});
}

// x - rho. The difference is taken before the scale, where scores are large and close to each other. The
// reference's masked value serves sums that leave out what it hides.
Expr Lowering::deviation(const alg::Accumulator& a, const alg::CentredPower& power) {
  const Expr x = known(power.x);
  if (power.reference < 0) return power.constant == 0 ? x : x - power.constant;
  const LoweredReference& r = references_[power.reference];
  if (x != r.value || !r.masked) return x - times(r.scale, r.finite);
  const bool weighed = std::any_of(a.exponents.begin(), a.exponents.end(),
                                   [&](const alg::Exponent& e) { return e.reference == power.reference; });
  const bool hidden = weighed || !r.guard || (a.guard && known(a.guard) == r.guard);
  return times(r.scale, (hidden ? r.masked : r.rest) - r.finite);
}

// How far a reference moves with this tile, as what is subtracted: old less new.
Expr Lowering::delta(int reference) {
  LoweredReference& r = references_[reference];
  if (!r.delta) {
    r.delta = temporary(kRow, "delta" + (reference ? std::to_string(reference) : ""));
    const bool mean = r.kind == ReferenceKind::kRunningMean;
    let(r.delta, times(r.scale, (mean ? r.state : make_finite(r.state)) - r.finite));
  }
  return r.delta;
}

// By what of a lower power's sum this one grows, for what its references move by; null where they do not
// move.
Expr Lowering::shift_factor(const alg::Accumulator& a, const alg::MoveTerm& term,
                            const std::function<Expr(int)>& delta) {
  Expr factor = a.product.arena().constant(term.coefficient);
  for (std::size_t i = 0; i < a.powers.size(); ++i) {
    const int n = term.delta_powers[i];
    if (n == 0) continue;
    if (a.powers[i].reference < 0) return {};
    const Expr moved = delta(a.powers[i].reference);
    factor = times(factor, n == 1 ? moved : pow(moved, n));
  }
  return factor;
}

// The binomial shift of (x - rho)^k by the lower powers, before the factor that all of a family share.
void Lowering::shift(const alg::Sweep& sweep, std::size_t index) {
  const alg::Accumulator& a = sweep.accumulators[index];
  for (const alg::MoveTerm& term : a.move) {
    if (!is_shift(term)) continue;
    const Expr factor = shift_factor(a, term, [&](int reference) { return delta(reference); });
    if (!factor) continue;
    const int source = term.source < 0 ? -1 : static_cast<int>(state_of_[term.source]);
    if (source >= 0 && out_->states[source].columns != out_->states[state_of_[index]].columns) {
      refuse("unsupported-moment", "a moment of the values is not fused yet",
             "return the mean of v * v as a result of its own and subtract outside", a.product);
    }
    step(StepKind::Shift, state_of_[index], factor, source);
  }
}

void Lowering::accumulate(const alg::Sweep& sweep, std::size_t a) {
  const Summand& s = summand(sweep, a);
  if (s.move) step(StepKind::Scale, state_of_[a], named_move(s.move));
  if (s.right.factors.empty()) step(StepKind::Add, state_of_[a], s.weight);
  else step(StepKind::Product, state_of_[a], s.weight, operand(s.right));
}

// States that move alike share the factor.
Expr Lowering::named_move(Expr move) {
  auto [found, fresh] = moves_.try_emplace(move);
  if (fresh) {
    found->second = temporary(kRow, "rescale" + (moves_.size() > 1 ? std::to_string(moves_.size() - 1) : ""));
    let(found->second, move);
  }
  return found->second;
}

// ---- states without a reference

void Lowering::lower_plain(const alg::Plain& plain) {
  const std::size_t index = out_->states.size();
  const std::string n = std::to_string(index);
  if (space_of(program_, known(plain.value)) & kColumn) {
    refuse(
        "rank-three",
        "a reduction over the keys varies with query, key and output column: " + alg::to_string(plain.value),
        "reduce the scores, or contract them with the values", plain.value);
  }
  if (plain.kind == alg::PlainKind::kProd) {
    states_[plain.node] = state("product", StateKind::Prod, 1, -1);
    return step(StepKind::Add, index, masked_as_spelled("y" + n, known(plain.value), 1));
  }
  const bool any = plain.kind == alg::PlainKind::kAny;  // the maximum of 1 where it holds
  const Expr value = any ? masked("y" + n, arena_.constant(1), known(plain.value), 0, 0)
                         : masked_as_spelled("y" + n, known(plain.value), -kInf);
  const Expr node = state(any ? "any" : "m", StateKind::Max, any ? 0 : -kInf, -1);
  step(StepKind::Set, index, max2(node, reduce(StateKind::Max, "tile_max" + n, value)));
  states_[plain.node] = any ? gt(node, 0.0) : node;
}

}  // namespace flashlight::kernel
