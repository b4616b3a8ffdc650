// SPDX-License-Identifier: Apache-2.0
// Random attention programs through fusion and the interpreter, against the evaluator.
// FLASHLIGHT_RANDOM_PROGRAMS and FLASHLIGHT_RANDOM_SEED choose how many and from which seed on; a failure
// prints its seed and the program's text.
#include <cstdlib>
#include <set>

#include "attention_programs.h"

namespace flashlight::kernel {
namespace {

using graph::Array;
using graph::Sym;
using graph::T;
using graph::Tensors;

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// The same choices on every platform and in every reading: no two of them in one expression, whose order is
// open.
class Choices {
 public:
  explicit Choices(std::uint64_t seed) : engine_(seed * 2654435761u + 1) {}
  int below(int n) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(n)); }
  bool one_in(int n) { return below(n) == 0; }
  double real() {
    const double magnitude = (below(20) + 1) * 0.1;
    return one_in(2) ? -magnitude : magnitude;
  }

 private:
  std::mt19937_64 engine_;
};

// Parameters: q, k, v, further q and k, then biases [h, sq, sk], [sk], [sq], a gate like the result, key
// lengths [b].
enum Param { kQ, kK, kV, kQ2, kK2, kDense, kByKey, kByRow, kGate, kLengths, kParams };

std::vector<Array> inputs_of(const Sizes& s, std::uint64_t seed) {
  std::vector<std::vector<std::int64_t>> shapes{{s.b, s.h, s.sq, s.d},
                                                {s.b, s.h, s.sk, s.d},
                                                {s.b, s.h, s.sk, s.dv},
                                                {s.b, s.h, s.sq, s.d},
                                                {s.b, s.h, s.sk, s.d},
                                                {s.h, s.sq, s.sk},
                                                {s.sk},
                                                {s.sq},
                                                {s.b, s.h, s.sq, s.dv}};
  std::vector<Array> all;
  for (std::size_t p = 0; p < shapes.size(); ++p)
    all.push_back(graph::random(shapes[p], static_cast<unsigned>(seed * 16 + p)));
  Array lengths{{s.b}, {}};
  for (std::int64_t b = 0; b < s.b; ++b)
    lengths.data.push_back(static_cast<double>((seed + static_cast<std::uint64_t>(b) * 3) %
                                               static_cast<std::uint64_t>(s.sk + 1)));
  all.push_back(lengths);
  return all;
}

// The parameters with their ranks stated, whether the program uses them or not.
Tensors with_ranks(const Tensors& t) {
  constexpr int kRanks[] = {4, 4, 4, 4, 4, 3, 1, 1, 4, 1};
  Tensors out;
  for (std::size_t p = 0; p < t.size(); ++p) {
    graph::ArgList axes;
    for (int a = 0; a < kRanks[p]; ++a) axes.push_back(Sym(a));
    out.push_back(t[p].op("permute", axes));
  }
  return out;
}

struct RandomProgram {
  Choices choose;
  Tensors t;

  T by_row() { return t[kByRow].op("unsqueeze", Sym(-1)); }

  T condition(int depth) {
    const T i = rows_of(t[kQ]), j = keys_of(t[kK]);
    switch (choose.below(depth > 0 ? 12 : 8)) {
      case 0: return j <= i + Sym(choose.below(5) - 2);
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
      case 8: return condition(depth - 1).op("~");
      default: {
        const bool either = choose.one_in(3);
        const T a = condition(depth - 1), b = condition(depth - 1);
        return either ? a | b : a & b;
      }
    }
  }

  T modified(T s) {
    switch (choose.below(10)) {
      case 0: return s * Sym(choose.real());
      case 1: return T(s / Sym(2.0)).op("tanh") * Sym(2.0);
      case 2: return s + t[kDense];
      case 3: return s + t[kByKey];
      case 4: return s + by_row();
      case 5: return s * by_row();
      case 6: return s + (keys_of(t[kK]) - rows_of(t[kQ])) * Sym(choose.real() / 4);
      case 7: return s.op("clamp", Sym(-0.5), Sym(0.75));
      case 8: return graph::where(condition(1), s, s * Sym(0.5));
      default: {
        const double fill = choose.real();
        return graph::where(condition(1), s, Sym(fill));
      }
    }
  }

  T scores(bool second) {
    T s = scores_of({t[second ? kQ2 : kQ], t[second ? kK2 : kK]});
    for (int n = choose.below(4); n > 0; --n) s = modified(s);
    return s;
  }
  T hidden(T s) { return choose.one_in(4) ? s : hidden_unless(condition(2), s); }

  T total(const T& x) { return x.op("sum", Sym(-1), graph::flag(true)); }

  T weights(const T& s) {
    switch (choose.below(12)) {
      case 0: {
        T e = T(s.op("exp"));
        return e / total(e);
      }
      case 1: {
        T e = T(T(s - T(s.op("amax", Sym(-1), graph::flag(true)))).op("exp"));
        return e / (total(e) + Sym(1.0));
      }
      case 2: return T(s.op("exp")) / (total(s.op("exp")) + Sym(0.5));
      case 3: return graph::where(condition(2), s.op("sigmoid"), Sym(0.0));
      case 4: return T(graph::softmax(s)) * T(t[kDense].op("exp"));
      case 5: return T(T(s - T(T(s.op("logsumexp", Sym(-1), graph::flag(true))))).op("exp"));
      case 6: return graph::softmax(graph::softmax(s));
      case 7: {
        T p = graph::softmax(s);
        return p / T(total(p * p)).op("sqrt");
      }
      default: return graph::softmax(s);
    }
  }

  T values() {
    switch (choose.below(6)) {
      case 0: return t[kV] * T(t[kByKey].op("unsqueeze", Sym(-1)));
      case 1: return t[kV].op("tanh");
      case 2: return t[kV] + Sym(choose.real());
      default: return t[kV];
    }
  }

  T finished(T out) {
    switch (choose.below(6)) {
      case 0: return out * T(t[kGate].op("sigmoid"));
      case 1: return out * Sym(choose.real());
      case 2: return out * by_row();
      default: return out;
    }
  }

  Tensors results() {
    const T s = hidden(scores(false)), v = values();
    T p = weights(s);
    Tensors out;
    if (choose.one_in(5)) {
      const double lambda = choose.real();
      p = p - weights(hidden(scores(true))) * Sym(lambda);
    }
    out.push_back(finished(graph::matmul(p, v)));
    if (choose.one_in(4)) out.push_back(s.op("logsumexp", Sym(-1), graph::flag(false)));
    if (choose.one_in(6)) out.push_back(s.op("amax", Sym(-1), graph::flag(false)));
    return out;
  }
};

std::ptrdiff_t maxima(const Program& program) {
  const auto& states = program.sweeps.back().states;
  return std::count_if(states.begin(), states.end(), [](const State& s) { return s.kind == StateKind::Max; });
}

void expect_agrees(const Lowered& lowered, std::uint64_t seed) {
  Choices choose(seed + 77);
  const std::int64_t sizes[] = {1, 2, 3, 5, 8, 13, 17};
  for (int round = 0; round < 3; ++round) {
    const Sizes s{sizes[choose.below(7)], sizes[choose.below(7)]};
    const std::vector<Array> inputs = inputs_of(s, seed);
    const InterpretOptions options{choose.below(5) * 3, choose.below(5) * 2, true, nullptr};
    const auto wanted = graph::evaluate(lowered.function, inputs, {});
    const auto got = interpret(lowered.program, inputs, {}, options);
    for (std::size_t o = 0; o < wanted.size(); ++o) {
      for (std::size_t k = 0; k < wanted[o].data.size(); ++k) {
        const double w = wanted[o].data[k], g = got[o].data[k];
        const std::string where = "seed " + std::to_string(seed) + ", result " + std::to_string(o) + ", " +
                                  std::to_string(s.sq) + " x " + std::to_string(s.sk);
        if (std::isnan(w)) {  // a row without keys; where it has some for another maximum, NaN may stay
          ASSERT_FALSE(std::isnan(g) && maxima(lowered.program) == 1) << where << "\n"
                                                                      << to_string(lowered.program);
        } else if (w != g) {
          ASSERT_LE(std::fabs(w - g), std::isfinite(w) ? 1e-10 * std::max(1.0, std::fabs(w)) : 0)
              << where << ": " << g << " for " << w << "\n"
              << to_string(lowered.program);
        }
      }
    }
  }
}

TEST(Random, ProgramsAgreeWithTheEvaluator) {
  const std::uint64_t count = setting("FLASHLIGHT_RANDOM_PROGRAMS", 1000),
                      first = setting("FLASHLIGHT_RANDOM_SEED", 0);
  std::uint64_t lowered = 0;
  std::map<std::string, int> refused;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    std::string text;
    try {
      graph::Function function = graph::read(kParams, [seed](const Tensors& t) {
        return RandomProgram{Choices(seed), with_ranks(t)}.results();
      });
      text = to_string(function);
      const auto program = lower(std::move(function));
      ++lowered;
      expect_agrees(*program, seed);
    } catch (const NotLowered& reason) { ++refused[reason.id]; } catch (const std::exception& error) {
      FAIL() << "seed " << seed << ": " << error.what() << "\n" << text;
    }
    if (HasFatalFailure()) return;
  }
  std::string reasons;
  for (const auto& [id, n] : refused) reasons += " " + id + " " + std::to_string(n);
  RecordProperty("lowered", static_cast<int>(lowered));
  RecordProperty("refused", reasons);
  EXPECT_GE(lowered * 10, count * 8) << reasons;
}

}  // namespace
}  // namespace flashlight::kernel
