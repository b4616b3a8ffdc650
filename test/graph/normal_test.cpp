// SPDX-License-Identifier: Apache-2.0
// Normal forms keep values: random programs are evaluated from the finished Graph and, point by point, as
// they were written.
#include <cmath>
#include <random>

#include "build_language.h"
#include "graph/evaluate.h"

namespace flashlight::graph::build {
namespace {

using Point = std::vector<std::int64_t>;
using Reference = std::function<double(const Point&)>;

// A value of the program and what it should be at a point of [n, m].
struct Pair {
  V v;
  Reference at;
};

class RandomProgram {
 public:
  // `swapped`: with the operands of commutative functions the other way round.
  RandomProgram(unsigned seed, bool swapped = false)
      : rng_(seed), swapped_(swapped), n_(1 + pick(4)), m_(1 + pick(4)) {
    for (int p = 0; p < 3; ++p) {
      Array a{p < 2 ? Point{n_, m_} : Point{m_}, {}};
      for (std::int64_t k = 0; k < (p < 2 ? n_ * m_ : m_); ++k)
        a.data.push_back(0.25 * (1 + pick(12)) * (pick(3) ? 1 : -1));
      arrays_.push_back(a);
    }
    arrays_.push_back({{n_}, {}});
    for (std::int64_t k = 0; k < n_; ++k) arrays_.back().data.push_back(pick(static_cast<int>(n_)));
    arrays_.push_back({{n_, m_}, {}});
    for (std::int64_t k = 0; k < n_ * m_; ++k) arrays_.back().data.push_back(pick(2));
    window_ = pick(5) - 1;
  }

  void run() {
    V::b = &p_.b;
    const Pair out = number(3);
    Function f = p_.b.finish("f", {{out.v.view, ""}});
    ASSERT_NO_THROW(verify(f)) << to_string(f);
    const Array got = evaluate(f, arrays_, {0.75, static_cast<double>(window_)})[0];
    ASSERT_EQ(got.shape, (Point{n_, m_}));
    for (std::int64_t r = 0; r < n_; ++r)
      for (std::int64_t c = 0; c < m_; ++c) {
        pole_ = false;
        const double want = out.at({r, c}), have = got.data[static_cast<std::size_t>(r * m_ + c)];
        // Collecting terms may do without an inf - inf that the program meets, and give a zero another sign.
        if (!std::isfinite(want) || pole_) continue;
        ++compared_;
        ASSERT_NEAR(have, want, 1e-9 * std::max(1.0, std::abs(want))) << "at " << r << ", " << c << " of\n"
                                                                      << to_string(f);
      }
  }
  std::string text(int depth) {
    V::b = &p_.b;
    if (swapped_) exp(input(1).v * input(0).v);  // dead, but made first
    return to_string(finished(depth));
  }
  Function finished(int depth) {
    V::b = &p_.b;
    return p_.b.finish("f", {{number(depth).v.view, ""}});
  }
  int compared() const { return compared_; }

 private:
  int pick(int k) { return static_cast<int>(rng_() % static_cast<unsigned>(k)); }

  Pair input(int p) {
    const Array& a = arrays_[static_cast<std::size_t>(p)];
    const std::int64_t m = m_;
    V v{p_.inputs[static_cast<std::size_t>(p)]};
    if (p == 2)
      return {v.seen({N, M}, {Sym::axis(1)}),
              [&a](const Point& i) { return a.data[static_cast<std::size_t>(i[1])]; }};
    if (p == 3)
      return {v.seen({N, M}, {Sym::axis(0)}),
              [&a](const Point& i) { return a.data[static_cast<std::size_t>(i[0])]; }};
    return {v, [&a, m](const Point& i) { return a.data[static_cast<std::size_t>(i[0] * m + i[1])]; }};
  }

  template <class F> Pair combine(Fn fn, const Pair& a, const Pair& b, F f) {
    const bool commutes =
        fn != Fn::Lt && fn != Fn::Le && fn != Fn::FloorDiv && fn != Fn::Mod && fn != Fn::Pow;
    const V v = swapped_ && commutes ? map(fn, {b.v, a.v}) : map(fn, {a.v, b.v});
    return {v, [f, x = a.at, y = b.at](const Point& i) { return f(x(i), y(i)); }};
  }
  template <class F> Pair apply(Fn fn, const Pair& a, F f) {
    return {map(fn, {a.v}), [f, x = a.at](const Point& i) { return f(x(i)); }};
  }
  Pair constant_of(double c, Type type) {
    return {constant(type == Type::Int ? Sym(static_cast<long>(c)) : Sym(c), type).seen({N, M}, {}),
            [c](const Point&) { return c; }};
  }

  Pair position(int depth) {  // an Int value
    if (depth == 0) {
      switch (pick(5)) {
        case 0:
          return {arange(N).seen({N, M}, {Sym::axis(0)}),
                  [](const Point& i) { return static_cast<double>(i[0]); }};
        case 1:
          return {arange(M).seen({N, M}, {Sym::axis(1)}),
                  [](const Point& i) { return static_cast<double>(i[1]); }};
        case 2: return input(3);
        case 3: {
          const double w = static_cast<double>(window_);
          return {constant(integer_symbol(1), Type::Int).seen({N, M}, {}), [w](const Point&) { return w; }};
        }
        default: return constant_of(pick(4) - 1, Type::Int);
      }
    }
    const Pair a = position(depth - 1), b = position(0);
    switch (pick(6)) {
      case 0: return combine(Fn::Add, a, b, [](double x, double y) { return x + y; });
      case 1: return combine(Fn::Mul, a, b, [](double x, double y) { return x * y; });
      case 2:
        return combine(Fn::Add, a, {-b.v, [y = b.at](const Point& i) { return -y(i); }},
                       [](double x, double y) { return x + y; });
      case 3: {
        const double d = 1 + pick(3);
        return combine(Fn::FloorDiv, a, constant_of(d, Type::Int),
                       [](double x, double y) { return std::floor(x / y); });
      }
      case 4: {
        const double d = 1 + pick(3);
        return combine(Fn::Mod, a, constant_of(d, Type::Int),
                       [](double x, double y) { return x - std::floor(x / y) * y; });
      }
      default: return combine(Fn::Max, a, b, [](double x, double y) { return std::max(x, y); });
    }
  }

  Pair condition(int depth) {
    if (depth > 0 && pick(2)) {
      const Pair a = condition(depth - 1), b = condition(0);
      switch (pick(3)) {
        case 0: return combine(Fn::And, a, b, [](double x, double y) { return x != 0 && y != 0; });
        case 1: return combine(Fn::Or, a, b, [](double x, double y) { return x != 0 || y != 0; });
        default: return apply(Fn::Not, a, [](double x) { return x == 0; });
      }
    }
    if (pick(4) == 0) return input(4);
    const bool ints = pick(3) != 0;
    const Pair a = ints ? position(pick(3)) : number(0), b = ints ? position(pick(2)) : number(0);
    switch (pick(4)) {
      case 0: return combine(Fn::Lt, a, b, [](double x, double y) { return x < y; });
      case 1: return combine(Fn::Le, a, b, [](double x, double y) { return x <= y; });
      case 2: return combine(Fn::Eq, a, b, [](double x, double y) { return x == y; });
      default: return combine(Fn::Ne, a, b, [](double x, double y) { return x != y; });
    }
  }

  Pair reduced(const Pair& a) {
    const bool rows = pick(2);
    const std::int64_t count = rows ? n_ : m_;
    const int kind = pick(3);
    const std::vector<Sym> axes = rows ? std::vector<Sym>{Sym::axis(1), Sym::axis(0)} : identity_index(2);
    const Shape own{rows ? M : N}, over{rows ? N : M};
    const ReduceKind kinds[] = {ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min};
    const V v = V::whole(p_.b.reduce(kinds[kind], own, over, a.v.at(axes)), own);
    Reference at = [=, x = a.at](const Point& i) {
      double out = 0;
      for (std::int64_t k = 0; k < count; ++k) {
        const double e = x(rows ? Point{k, i[1]} : Point{i[0], k});
        out = k == 0 ? e : kind == 0 ? out + e : kind == 1 ? std::max(out, e) : std::min(out, e);
      }
      return out;
    };
    return {v.seen({N, M}, {Sym::axis(rows ? 1 : 0)}), at};
  }

  // The sum of a row and the m - 1 below it, around the end: own and reduced axes meet in one index.
  Pair windowed(const Pair& a) {
    const std::int64_t n = n_, m = m_;
    const Operand operand = a.v.at({mod(Sym::axis(0) + Sym::axis(2), N), Sym::axis(1)});
    return {V::whole(p_.b.reduce(ReduceKind::Sum, {N, M}, {M}, operand), {N, M}),
            [=, x = a.at](const Point& i) {
              double out = 0;
              for (std::int64_t k = 0; k < m; ++k) out += x({(i[0] + k) % n, i[1]});
              return out;
            }};
  }

  // Row and column shifts by position: x[(i + 1) mod n, j].
  Pair rolled(const Pair& a) {
    const std::int64_t n = n_;
    return {a.v.seen({N, M}, {mod(Sym::axis(0) + Sym(1), N), Sym::axis(1)}),
            [n, x = a.at](const Point& i) { return x({(i[0] + 1) % n, i[1]}); }};
  }

  Pair number(int depth) {
    if (depth == 0) {
      if (pick(6) == 0) return constant_of(0.5 * (pick(9) - 4), Type::Float);
      if (pick(6) == 0) return apply(Fn::ToFloat, position(1), [](double x) { return x; });
      if (pick(8) == 0) return {constant(real_symbol(0)).seen({N, M}, {}), [](const Point&) { return 0.75; }};
      return input(pick(3));
    }
    const Pair a = number(depth - 1), b = number(pick(depth));
    switch (pick(14)) {
      case 0:
      case 1:
      case 2: return combine(Fn::Add, a, b, [](double x, double y) { return x + y; });
      case 3:
      case 4: return combine(Fn::Mul, a, b, [](double x, double y) { return x * y; });
      case 5: {
        const double e[] = {-1, 2, 3, 0.5, -2};
        const double k = e[pick(5)];
        return combine(Fn::Pow, a, constant_of(k, Type::Float), [this](double x, double y) {
          pole_ = pole_ || !std::isfinite(std::pow(x, y));
          return std::pow(x, y);
        });
      }
      case 6: return combine(pick(2) ? Fn::Max : Fn::Min, a, a, [](double x, double) { return x; });
      case 7: return apply(Fn::Abs, a, [](double x) { return std::abs(x); });
      case 8: {
        const Pair c = condition(2);
        return {map(Fn::Where, {c.v, a.v, b.v}),
                [=](const Point& i) { return c.at(i) != 0 ? a.at(i) : b.at(i); }};
      }
      case 9: {
        const Pair c = condition(1), hidden = constant_of(kMinusInfinity, Type::Float);
        const bool first = pick(2);
        const V v = first ? map(Fn::Where, {c.v, hidden.v, a.v}) : map(Fn::Where, {c.v, a.v, hidden.v});
        const Pair masked{v,
                          [=](const Point& i) { return (c.at(i) != 0) == first ? kMinusInfinity : a.at(i); }};
        const Pair biased =
            pick(2) ? masked : combine(Fn::Add, masked, b, [](double x, double y) { return x + y; });
        return combine(Fn::Max, biased, constant_of(-3, Type::Float),
                       [](double x, double y) { return std::max(x, y); });
      }
      case 10: return reduced(a);
      case 11: return pick(2) ? rolled(a) : windowed(a);
      case 12: return apply(Fn::Tanh, a, [](double x) { return std::tanh(x); });
      default:
        return combine(Fn::Mul, a, constant_of(-1, Type::Float), [](double x, double y) { return x * y; });
    }
  }

  std::mt19937 rng_;
  bool swapped_;
  std::int64_t n_, m_, window_ = 0;
  std::vector<Array> arrays_;
  Program p_;
  int compared_ = 0;
  bool pole_ = false;  // the program divided by zero or took the root of a negative number
};

TEST(Normal, FormsKeepValuesOfRandomPrograms) {
  int compared = 0;
  for (unsigned seed = 0; seed < 20000; ++seed) {
    RandomProgram program(seed);
    program.run();
    if (testing::Test::HasFatalFailure()) {
      ADD_FAILURE() << "seed " << seed;
      return;
    }
    compared += program.compared();
  }
  EXPECT_GT(compared, 10000) << "too few values are compared";
}

TEST(Normal, TheOrderOfOperandsLeavesNoTrace) {
  for (unsigned seed = 0; seed < 3000; ++seed)
    ASSERT_EQ(RandomProgram(seed).text(4), RandomProgram(seed, true).text(4)) << "seed " << seed;
}

TEST(Normal, FormsAreFinal) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    const Function f = RandomProgram(seed).finished(4);
    ASSERT_EQ(to_string(rebuilt(f)), to_string(f)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace flashlight::graph::build
