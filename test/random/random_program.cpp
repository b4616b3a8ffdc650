// SPDX-License-Identifier: Apache-2.0
// See random_program.h.
#include "random_program.h"

#include "random_ops.h"

namespace flashlight::kernel {

using graph::Array;
using graph::Sym;
using graph::T;
using graph::Tensors;

namespace {

enum Param { kQ, kK, kV, kQ2, kK2, kDense, kByKey, kByRow, kGate, kLengths, kSinks, kHoles };

// The parameters with their ranks stated, whether the program uses them or not.
Tensors with_ranks(const Tensors& t) {
  constexpr int kRanks[] = {4, 4, 4, 4, 4, 3, 1, 1, 4, 1, 2, 1};
  Tensors out;
  for (std::size_t p = 0; p < t.size(); ++p) {
    graph::ArgList axes;
    for (int a = 0; a < kRanks[p]; ++a) axes.push_back(Sym(a));
    out.push_back(t[p].op("permute", axes));
  }
  return out;
}

T square(const T& x) { return x.op("square"); }
T mean(const T& x, bool keep = true) { return x.op("mean", Sym(-1), graph::flag(keep)); }
T either(const T& c, double a, double b) { return graph::call("where", c, Sym(a), Sym(b)); }
T least(const T& x) { return x.op("amin", Sym(-1), graph::flag(true)); }

class RandomProgram {
 public:
  RandomProgram(Choices choices, Tensors parameters, Reach& reached, bool large_scores)
      : choose(choices), t(std::move(parameters)), reach(reached), large(large_scores) {}

  Tensors results() {
    prepare();
    if (!large && choose.one_in(12)) return {finished(with_sinks())};
    const T s = hidden(scores(false)), v = values();
    T p = weights(s);
    Tensors out;
    if (choose.one_in(5)) {
      const double lambda = choose.real();
      note("two streams");
      p = p - weights(hidden(scores(true))) * Sym(lambda);
    }
    if (!large && choose.one_in(10)) {
      note("many streams");
      for (int n = 0; n < 4; ++n) p = p + graph::softmax(hidden(scores(n % 2 == 1))) * Sym(0.25 * (n + 1));
    }
    out.push_back(finished(graph::matmul(p, v)));
    while (out.size() < 3 && choose.below(3) < 1) out.push_back(statistic(s));
    if (choose.one_in(16)) {
      note("the op as a whole");
      out.push_back(graph::call("scaled_dot_product_attention", t[kQ2], t[kK], t[kV]));
    }
    if (choose.one_in(10)) {
      note("a result of other scores");
      out.push_back(attend(hidden(scores(true)), t[kV]));
    }
    return out;
  }

 private:
  void note(const std::string& law) { ++reach[law]; }

  // What queries, keys and values pass through, and keys of two segments.
  void prepare() {
    for (const Param p : {kQ, kK, kV, kQ2, kK2}) {
      if (choose.one_in(4)) t[p] = prepared(t[p]);
    }
    if (!choose.one_in(12)) return;
    note("keys of two segments");
    const auto twice = [](const T& x, int dim) {
      return T(graph::call("cat", graph::list({graph::Arg(x), graph::Arg(x * Sym(0.5))}), Sym(dim)));
    };
    for (const Param p : {kK, kV, kK2}) t[p] = twice(t[p], -2);
    for (const Param p : {kDense, kByKey}) t[p] = twice(t[p], -1);
  }
  T prepared(const T& x) {
    switch (choose.below(6)) {
      case 0: return note("rms norm"), x.op("rms_norm");
      case 1: return note("layer norm"), x.op("layer_norm");
      case 2: return any_binary(choose, x, x * Sym(-0.7));
      case 3: return any_unary(choose, x);
      default: return rearranged(choose, x);
    }
  }

  T by_row() { return t[kByRow].op("unsqueeze", Sym(-1)); }
  T positions() { return T(keys_of(t[kK])).op("to", graph::DType::Float32); }

  T condition(int depth) {
    const T i = rows_of(t[kQ]), j = keys_of(t[kK]);
    switch (choose.below(depth > 0 ? 17 : 12)) {
      case 1: return j <= i + (graph::size(t[kK], -2) - graph::size(t[kQ], -2));
      case 2: return T(i - j).op("abs") <= Sym(choose.below(4) + 1);
      case 3: return j < T(t[kLengths].op("view", graph::sizes({-1, 1, 1, 1})));
      case 4: return (i + j) % Sym(2 + choose.below(2)) == Sym(0);
      case 5: return i >= Sym(choose.below(4));
      case 6: {
        const int a = choose.below(3), b = choose.below(3), c = choose.below(5);
        return j * Sym(1 + a) <= i * Sym(b) + Sym(c);
      }
      case 7: return t[kDense] > Sym(choose.real() / 4);
      case 8: {
        const Sym n(2 + choose.below(3));
        return T(j.op("floor_divide", n)) <= T(i.op("floor_divide", n));
      }
      case 9: return t[kByKey] > Sym(choose.real() / 4);
      case 10: return choose.one_in(2) ? t[kByKey] <= by_row() : by_row() > Sym(choose.real() / 4);
      case 11: return j <= i + Sym(choose.below(5) - 2);
      case 12: return condition(depth - 1).op("~");
      case 13:
      case 14: {
        const bool either = choose.one_in(3);
        const T a = condition(depth - 1), b = condition(depth - 1);
        return either ? a | b : a & b;
      }
      case 15: return any_triangle(choose, i, j);
      default: return j <= i + Sym(choose.below(5) - 2);
    }
  }

  // A tensor that broadcasts to the scores.
  T beside() {
    switch (choose.below(3)) {
      case 0: return t[kByKey];
      case 1: return by_row();
      default: return t[kDense];
    }
  }

  T modified(T s) {
    if (!has_holes && choose.one_in(3))
      return choose.one_in(2) ? any_unary(choose, s) : any_binary(choose, s, beside());
    switch (choose.below(11)) {
      case 9:
        return note("rows hidden by a bias"), has_holes = true, s + T(t[kHoles].op("unsqueeze", Sym(-1)));
      case 0: return note("tanh"), T(s / Sym(2.0)).op("tanh") * Sym(2.0);
      case 1: return note("dense bias"), s + t[kDense];
      case 2: return note("bias by key"), s + t[kByKey];
      case 3: return note("bias by row"), s + by_row();
      case 4: return note("scale by row"), s * (has_holes ? T(exp(by_row())) : by_row());  // -inf stays -inf
      case 5: return note("distance"), s + (keys_of(t[kK]) - rows_of(t[kQ])) * Sym(choose.real() / 4);
      case 6: return note("clamp"), s.op("clamp", Sym(-0.5), Sym(0.75));
      case 7: return note("select"), graph::where(condition(1), s, s * Sym(0.5));
      case 8: {
        const double fill = choose.real();
        if (!large || choose.one_in(2)) return note("finite fill"), graph::where(condition(1), s, Sym(fill));
        return note("large fill"), graph::where(condition(1), s, Sym(-2e5));
      }
      default: {
        const double by = choose.real();
        return note("scale"), s * Sym(has_holes ? std::fabs(by) : by);
      }
    }
  }

  T products(const T& q, const T& k) {
    const T rows = unsqueeze(q, -2), keys = unsqueeze(k, -3);
    switch (choose.below(16)) {
      case 0:
        return note("squared distance"),
               T(square(rows - keys).op("sum", Sym(-1), graph::flag(false))) * Sym(-0.25);
      case 1:
        return note("squared sum"), T(square(rows + keys).op("sum", Sym(-1), graph::flag(false))) * Sym(0.25);
      case 2: return graph::einsum("bhid,bhjd->bhij", {graph::Arg(q), graph::Arg(k)});
      default: return scores_of({q, k});
    }
  }

  T scores(bool second) {
    T s = products(t[second ? kQ2 : kQ], t[second ? kK2 : kK]);
    for (int n = 3 - choose.below(4); n > 0; --n) s = modified(s);
    if (!second && choose.one_in(12)) {
      note("two contractions");
      s = s + scores_of({t[kQ2], t[kK2]});
    }
    if (choose.one_in(12)) note("bias by row"), s = s + by_row();
    return s;
  }
  T hidden(T s) { return choose.below(4) == 3 ? s : (note("mask"), hidden_unless(condition(2), s)); }

  // Spelled without a maximum, an exponential of large scores overflows in the evaluator.
  T unsafe_weights(const T& s) {
    switch (choose.below(5)) {
      case 0: {
        const T e = exp(s);
        return note("naive softmax"), e / sum(e);
      }
      case 1: return note("off by one half"), exp(s) / (sum(exp(s)) + Sym(0.5));
      case 2: return note("exp of a logsumexp"), exp(s - unsqueeze(logsumexp(s), -1));
      case 3: {
        const T q = scores_of({t[kQ2], t[kK2]}), p = graph::softmax(s) * graph::softmax(q);
        return note("product of softmaxes"), p / sum(p);
      }
      default: {
        const T p = T(graph::softmax(s)).op("pow", Sym(1.5));
        return note("power of p"), p / sum(p);
      }
    }
  }

  T weights(const T& s) {
    switch (choose.below(large ? 9 : 16)) {
      case 0: {
        const T e = exp(s - amax(s));
        return note("off by one"), e / (sum(e) + Sym(1.0));
      }
      case 1: return note("sigmoid"), graph::where(condition(2), s.op("sigmoid"), Sym(0.0));
      case 2: return note("weighted softmax"), T(graph::softmax(s)) * exp(t[kDense]);
      case 3: return note("softmax of softmax"), graph::softmax(graph::softmax(s));
      case 4: {
        const T p = graph::softmax(s);
        return note("root of squares"), p / T(sum(p * p)).op("sqrt");
      }
      case 5: {
        const T hit = either(s == amax(s), 1, 0);
        return note("argmax"), hit * t[kDense];
      }
      case 6: return note("temperature"), graph::softmax(s / (T(amax(s)).op("abs") + Sym(1.0)));
      case 7: {
        const T p = graph::softmax(s);
        return note("above the mean"), graph::where(p > mean(p) * Sym(1.01), p, Sym(0.0));
      }
      case 9:
      case 10: return unsafe_weights(s);
      case 11: return standardised();
      case 12: return stick_breaking();
      case 13: {
        note("running sum of weights");
        return T(graph::softmax(s).op("cumsum", Sym(-1)));
      }
      case 14: {
        note("divided by magnitudes");
        const T a = graph::where(condition(1), scores_of({t[kQ], t[kK]}), Sym(0.0));
        return a / T(sum(a.op("abs"))).op("clamp_min", Sym(1.0));
      }
      default: return note("softmax"), graph::softmax(s);
    }
  }

  T standardised() {
    const T s = scores_of({t[kQ], t[kK]}), away = s - mean(s);
    if (choose.one_in(2)) return note("between extrema"), (s - least(s)) / (amax(s) - least(s) + Sym(0.5));
    return note("standardised"), away / T(mean(square(away)) + Sym(0.01)).op("sqrt");
  }

  T stick_breaking() {
    note("stick-breaking");
    const T s = scores_of({t[kQ], t[kK]}), before = keys_of(t[kK]) < rows_of(t[kQ]);
    const T left = graph::where(before, T(s * Sym(-1.0)).op("log_sigmoid"), Sym(0.0));
    return graph::where(before, exp(T(s.op("log_sigmoid")) + sum(left) - T(left.op("cumsum", Sym(-1)))),
                        Sym(0.0));
  }

  // One or two learned scores beside the keys, as columns that are dropped again, before or behind.
  T with_sinks() {
    const T s = hidden(scores(false));
    const bool before = choose.one_in(2), two = choose.one_in(2);
    note(before ? "sinks before the keys" : "sinks behind the keys");
    const Sym n(two ? 2 : 1), sk = graph::size(t[kK], -2);
    graph::ArgList shape;
    for (const Sym& size : {graph::size(t[kQ], 0), graph::size(t[kQ], 1), graph::size(t[kQ], 2), n})
      shape.push_back(size);
    const T sinks = t[kSinks].op("narrow", Sym(-1), Sym(0), n);
    const T columns = unsqueeze(unsqueeze(sinks, 0), 2).op("expand", shape);
    graph::ArgList joined{graph::Arg(s), graph::Arg(columns)};
    if (before) std::swap(joined[0], joined[1]);
    const T p = graph::softmax(T(graph::call("cat", joined, Sym(-1))));
    return graph::matmul(T(p.op("narrow", Sym(-1), before ? n : Sym(0), sk)), t[kV]);
  }

  T values() {
    switch (choose.below(7)) {
      case 3: return any_unary(choose, t[kV]);
      case 0: return note("values by key"), t[kV] * T(t[kByKey].op("unsqueeze", Sym(-1)));
      case 1: return note("tanh of values"), t[kV].op("tanh");
      case 2: return note("shifted values"), t[kV] + Sym(choose.real());
      default: return t[kV];
    }
  }

  T finished(T out) {
    switch (choose.below(8)) {
      case 3: return any_unary(choose, out, true);
      case 4: return any_binary(choose, out, t[kGate], true);
      case 0: return note("gate"), out * T(t[kGate].op("sigmoid"));
      case 1: return note("result scaled"), out * Sym(choose.real());
      case 2: return note("result by row"), out * by_row();
      default: return out;
    }
  }

  // A result [b, h, sq].
  T statistic(const T& s) {
    switch (choose.below(large ? 9 : 16)) {  // the evaluator's own logsumexp of large ones overflows
      case 13: {
        const T e = exp(scores_of({t[kQ], t[kK]}));
        return note("weighted mean"), sum(e * t[kByKey], false) / sum(e, false);
      }
      case 14:
      case 9:
      case 10:
      case 11:
      case 12: return any_reduction(choose, scores_of({t[kQ], t[kK]}));
      case 0: return note("maximum"), amax(s, false);
      case 1: {
        const T p = graph::softmax(s);
        return note("entropy"), sum(graph::where(p > Sym(0.0), p * log(p), Sym(0.0)), false);
      }
      case 2: return note("expected position"), sum(graph::softmax(s) * positions(), false);
      case 3: {
        const T p = graph::softmax(s), m = sum(p * positions());
        return note("variance of the position"), sum(p * square(positions() - m), false);
      }
      case 4: {
        if (large) return note("maximum"), amax(s, false);  // the evaluator's own moments of these cancel
        const T plain = scores_of({t[kQ], t[kK]});
        return note("moment of scores"),
               mean(T(plain - mean(plain)).op("pow", Sym(2 + choose.below(2))), false);
      }
      case 5:
        return note("product"), T(T(s.op("sigmoid")) + Sym(0.5)).op("prod", Sym(-1), graph::flag(false));
      case 6: return note("count"), sum(either(s > Sym(0.1037), 1, 0), false);
      case 7:
        return note("any, all"), either(T(s > Sym(0.5137)).op("any", Sym(-1), graph::flag(false)) |
                                            T(s > Sym(-0.4863)).op("all", Sym(-1), graph::flag(false)),
                                        1, 0.25);
      case 8: {
        const T p = graph::softmax(s);
        return note("participation ratio"), T(sum(p * p, false)).op("reciprocal");
      }
      default: return note("logsumexp"), amax(s, false) + log(sum(exp(s - amax(s)), false));
    }
  }

  Choices choose;
  Tensors t;
  Reach& reach;
  bool large, has_holes = false;
};

}  // namespace

bool has_large_scores(std::uint64_t seed) { return seed % 8 == 5; }

Inputs random_inputs(const Sizes& s, std::uint64_t seed) {
  std::vector<std::vector<std::int64_t>> shapes{{s.b, s.h, s.sq, s.d},
                                                {s.b, s.h, s.sk, s.d},
                                                {s.b, s.h, s.sk, s.dv},
                                                {s.b, s.h, s.sq, s.d},
                                                {s.b, s.h, s.sk, s.d},
                                                {s.h, s.sq, s.sk},
                                                {s.sk},
                                                {s.sq},
                                                {s.b, s.h, s.sq, s.dv}};
  Inputs all;
  for (std::size_t p = 0; p < shapes.size(); ++p)
    all.push_back(graph::random(shapes[p], static_cast<unsigned>(seed * 16 + p)));
  if (has_large_scores(seed)) {
    for (std::size_t p : {kQ, kK, kQ2, kK2}) {
      for (double& x : all[p].data) x *= 80;
    }
  }
  Array lengths{{s.b}, {}};
  for (std::int64_t b = 0; b < s.b; ++b)
    lengths.data.push_back(static_cast<double>((seed + static_cast<std::uint64_t>(b) * 3) %
                                               static_cast<std::uint64_t>(s.sk + 1)));
  all.push_back(lengths);
  all.push_back(graph::random({s.h, 2}, static_cast<unsigned>(seed * 16 + 15)));
  Array holes = graph::random({s.sq}, static_cast<unsigned>(seed * 16 + 14));
  for (std::size_t i = seed % 3; i < holes.data.size(); i += 3) holes.data[i] = -graph::kInf;
  all.push_back(holes);
  return all;
}

Tensors random_results(const Tensors& parameters, std::uint64_t seed, int limit, Reach& reach) {
  return RandomProgram(Choices(seed, limit), with_ranks(parameters), reach, has_large_scores(seed)).results();
}

}  // namespace flashlight::kernel
