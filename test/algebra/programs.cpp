// SPDX-License-Identifier: Apache-2.0
// The programs, grouped by the law they exercise.
#include "programs.h"

#include <limits>

namespace flashlight::fusion::algebra::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

struct Table {
  explicit Table(Arena& arena, const std::string& prefix) : leaf(arena, prefix) {}

  Program& add(const std::string& name, std::vector<Expr> outputs) {
    Program program;
    program.name = name;
    program.outputs = std::move(outputs);
    programs.push_back(std::move(program));
    return programs.back();
  }

  void softmaxes();
  void sinks_and_pairs();
  void norms();
  void entropies();
  void moments();
  void extrema();
  void others();
  void dense_bias();
  void more_sweeps();

  Leaves leaf;
  std::vector<Program> programs;
  Expr s = leaf[kS], s2 = leaf[kS2], v = leaf[kV], pos = leaf[kPos], mask = leaf[kMask];
  Expr sink = leaf[kSink], lam = leaf[kLam], n = leaf.length();
  Expr m = masked_scores(leaf), m2 = masked_scores(leaf, kS2);
  Expr p = softmax(m);
  Expr mean = reduce_sum(s) / n;
  Expr deviation = sqrt(reduce_sum(pow(s - mean, 2)) / n + 1e-6);
};

Expr normalised(Expr weights, Expr v) { return reduce_sum(weights / reduce_sum(weights) * v); }

void Table::softmaxes() {
  add("softmax_v (div before)", {reduce_sum(p * v)});
  const Expr e = exp(m - reduce_max(m));
  add("safe softmax, div after", {reduce_sum(e * v) / reduce_sum(e)});
  const Expr scaled = exp((m - reduce_max(m)) * 0.125);
  add("scale after max: exp((s-amax)*c)", {reduce_sum(scaled * v) / reduce_sum(scaled)});
  add("max over unmasked, mask later", {normalised(where(mask, exp(s - reduce_max(s)), 0.0), v)});
  add("mask after subtraction (-inf)", {normalised(exp(where(mask, s - reduce_max(s), -kInf)), v)});
  add("naive softmax", {reduce_sum(naive_softmax(m) * v)});
  add("naive softmax + eps", {reduce_sum(exp(m) * v) / (reduce_sum(exp(m)) + 1e-6)});
  add("exp(s - lse) v, lse", {reduce_sum(exp(m - log_sum_exp(m)) * v), log_sum_exp(m)});
  add("lse via amax, and max", {reduce_max(m) + log(reduce_sum(exp(m - reduce_max(m)))), reduce_max(m)});
}

void Table::sinks_and_pairs() {
  add("sink in denominator", {reduce_sum(exp(m) / (reduce_sum(exp(m)) + exp(sink)) * v)});
  const Expr top = max2(reduce_max(m), sink), e = exp(m - top);
  add("sink, safe spelling", {reduce_sum(e / (reduce_sum(e) + exp(sink - top)) * v)});
  add("sink via logsumexp", {reduce_sum(exp(m - log(exp(log_sum_exp(m)) + exp(sink))) * v)});
  add("off by one", {reduce_sum(exp(m) / (1 + reduce_sum(exp(m))) * v)});
  add("differential, undistributed", {reduce_sum((p - lam * softmax(m2)) * v)});
  add("differential, distributed", {reduce_sum(p * v) - lam * reduce_sum(softmax(m2) * v)});
  add("product of two softmaxes, renormalised", {normalised(naive_softmax(m) * naive_softmax(m2), v)});
  add("two sinks, one fixed 0", {reduce_sum(exp(m) / (reduce_sum(exp(m)) + exp(sink) + 1.0) * v)});
}

void Table::norms() {
  add("retention clamp_min(sum|s|,1), div before", {reduce_sum(s / max2(reduce_sum(abs(s)), 1.0) * v)});
  add("sum of squares normaliser", {reduce_sum(s / sqrt(reduce_sum(s * s)) * v)});
  const Expr a = pow(relu(s), 2);
  add("relu^2 / (sum + eps)", {reduce_sum(a / (reduce_sum(a) + 1e-6) * v)});
  add("rms-norm of p", {reduce_sum(p / sqrt(reduce_sum(p * p)) * v)});
  add("rms-norm of p with eps", {reduce_sum(p / sqrt(reduce_sum(p * p) / n + 1e-6) * v)}).float_error = 1e-5;
  add("power-renormalised p^1.5", {reduce_sum(pow(p, 1.5) / reduce_sum(pow(p, 1.5)) * v)});
  add("min-max normalised", {reduce_sum((s - reduce_min(s)) / (reduce_max(s) - reduce_min(s)) * v)});
  add("masked mean pooling",
      {reduce_sum(where(mask, v, 0.0)) / max2(reduce_sum(where(mask, 1.0, 0.0)), 1.0)});
  add("sum p^2, participation ratio", {1 / reduce_sum(p * p)});
}

void Table::entropies() {
  add("entropy, where(p>0, p log p, 0)", {-reduce_sum(where(gt(p, 0.0), p * log(p), 0.0))});
  const Expr lp = m - log_sum_exp(m), lq = m2 - log_sum_exp(m2);
  add("entropy from log_softmax", {-reduce_sum(exp(lp) * lp)});
  add("entropy, lse - sum p s", {log_sum_exp(m) - reduce_sum(p * m)});
  add("KL(p || q)", {reduce_sum(p * (lp - lq))});
}

void Table::moments() {
  const Expr mu = reduce_sum(p * v), position = reduce_sum(p * pos);
  add("expected position, second moment of position",
      {position, reduce_sum(p * pos * pos) - pow(position, 2)});
  add("second moment sum p v^2 - (sum p v)^2", {reduce_sum(p * v * v) - pow(mu, 2)});
  add("weighted variance sum p (v - mean)^2", {reduce_sum(p * pow(v - mu, 2))});
  add("variance of scores, two-pass", {reduce_sum(pow(s - mean, 2)) / n});
  Program& sd = add("standard deviation of v under p", {sqrt(reduce_sum(p * pow(v - mu, 2)))});
  sd.double_error = 1e-7;  // the root of a variance that is 0 where one key has all the weight
  sd.float_error = 4e-3;
  add("standard deviation of scores", {sqrt(reduce_sum(pow(s - mean, 2)) / n)});
  add("third central moment of scores", {reduce_sum(pow(s - mean, 3)) / n}).float_error = 4e-4;
  add("standardised scores then contraction", {reduce_sum((s - mean) / deviation * v)}).float_error = 1e-5;
}

void Table::extrema() {
  const auto averaged = [&](Expr chosen) { return reduce_sum(chosen * v) / reduce_sum(chosen); };
  add("hard max (ties averaged)", {averaged(where(eq(m, reduce_max(m)), 1.0, 0.0))});
  add("hard max from p == amax(p)", {averaged(where(eq(p, reduce_max(p)), 1.0, 0.0))}).sweeps = 2;
  add("max p, any(p>.3), max|s-mean|", {reduce_max(p), reduce_any(gt(p, 0.3)), reduce_max(abs(s - mean))})
      .float_error = 1e-3;
  add("max of lam*s (unknown sign) after sum", {reduce_max(reduce_sum(s) * lam * s2)}).float_error = 1e-4;
}

void Table::others() {
  add("softcap", {reduce_sum(softmax(where(mask, 30 * tanh(s / 30.0), -kInf)) * v)});
  add("sigmoid, no normaliser", {reduce_sum(sigmoid(s) * v)}).float_error = 1e-5;
  add("gated, rms over row stats",
      {sigmoid(lam) * reduce_sum(p * v) / sqrt(pow(reduce_sum(p * v), 2) + 1.0)});
  add("prod over keys of tanh(s)/n",
      {reduce_prod(tanh(s2) * (1 / max2(reduce_sum(abs(tanh(s2))), 1.0)) * 3.0)});
  add("stick-breaking (stream against the keys)",
      {reduce_sum(exp(-log(1 + exp(-s2)) + scan_sum(-log(1 + exp(s2)), true)) * v)})
      .has_scan = true;
  add("decay exp(F_i - F_j), no normaliser",
      {reduce_sum(where(mask, s2 * exp(leaf[kFi] - leaf[kFj]) * v, 0.0))})
      .float_error = 3e-5;
  add("alibi, row term drops out", {reduce_sum(softmax(m + lam * (pos - leaf[kI])) * v)}).float_error = 1e-3;
  add("cosine (row and key norms)",
      {reduce_sum(softmax(where(mask, s2 / (leaf[kQn] * leaf[kKn]), -kInf)) * v)})
      .float_error = 1e-5;
  add("temperature known per row", {reduce_sum(softmax(m / leaf[kT]) * v)}).float_error = 3e-4;
}

// A bias tensor that holds -inf: no where() to see.
void Table::dense_bias() {
  const Expr b = s + leaf[kBias], q = softmax(b);
  add("dense -inf bias, softmax v, lse", {reduce_sum(q * v), log_sum_exp(b)}).float_error = 1e-3;
  add("dense -inf bias, entropy where(p>0)", {-reduce_sum(where(gt(q, 0.0), q * log(q), 0.0))}).float_error =
      1e-3;
  add("dense -inf bias, sink", {reduce_sum(exp(b) / (reduce_sum(exp(b)) + exp(sink)) * v)}).float_error =
      1e-3;
}

void Table::more_sweeps() {
  const auto two = [&](const std::string& name, Expr output) { add(name, {output}).sweeps = 2; };
  two("mean |x - mean| of positions under p", reduce_sum(p * abs(pos - reduce_sum(p * pos))));
  two("softmax of softmax", reduce_sum(softmax(p * 3.0) * v));
  two("temperature from max", reduce_sum(softmax(m / (1 + abs(reduce_max(m)))) * v));
  two("z-scored softmax", reduce_sum(softmax((s - mean) / deviation) * v));
  two("entropy log(p+eps)", -reduce_sum(p * log(p + 1e-9)));
  two("threshold p > 1/n", normalised(where(gt(p, 1 / n), p, 0.0), v));
  two("sum |p - 1/n|", reduce_sum(abs(p - 1 / n)));
  add("softmax of softmax of softmax", {reduce_sum(softmax(softmax(p * 3.0) * 3.0) * v)}).sweeps = 3;
}

}  // namespace

Leaves::Leaves(Arena& arena, const std::string& prefix) : arena_(arena) {
  const char* names[] = {"s",  "s2",   "v",   "w",  "pos", "mask", "bias", "Fj",
                         "kn", "sink", "lam", "Fi", "i",   "qn",   "T"};
  for (int id = 0; id < kLeafCount; ++id) {
    LeafInfo info;
    info.streamed = id < kSink;
    info.is_bool = id == kMask;
    info.column = id == kV;
    info.name = prefix + names[id];
    leaves_.push_back(arena.leaf(id, info));
  }
}

Expr softmax(Expr x) {
  const Expr e = exp(x - reduce_max(x));
  return e / reduce_sum(e);
}
Expr naive_softmax(Expr x) { return exp(x) / reduce_sum(exp(x)); }
Expr log_sum_exp(Expr x) { return log(reduce_sum(exp(x))); }
Expr masked_scores(const Leaves& leaves, LeafId scores) {
  return where(leaves[kMask], leaves[scores], -kInf);
}

std::vector<Program> programs(Arena& arena, const std::string& prefix) {
  Table table(arena, prefix);
  table.softmaxes();
  table.sinks_and_pairs();
  table.norms();
  table.entropies();
  table.moments();
  table.extrema();
  table.others();
  table.dense_bias();
  table.more_sweeps();
  return table.programs;
}

}  // namespace flashlight::fusion::algebra::test
