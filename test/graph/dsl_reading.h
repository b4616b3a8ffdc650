// SPDX-License-Identifier: Apache-2.0
// For tests of the DSL's ops: reads a function written with operators, until nothing new is learned, and runs
// it.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "graph/dsl.h"
#include "graph/evaluate.h"

namespace flashlight::graph {

inline constexpr double kInf = std::numeric_limits<double>::infinity();

// A tensor of the function that is being read; its ops go to the current Builder.
struct T {
  TensorView view;
  inline static Builder* builder = nullptr;
  inline static std::set<std::string>* used = nullptr;  // where wanted: the names of the ops

  T(TensorView v) : view(std::move(v)) {}
  T(const Arg& a) : view(std::get<TensorView>(a)) {}
  operator Arg() const { return view; }
  template <class... A> T op(std::string_view name, A... args) const {
    return apply(name, {view, Arg(args)...});
  }
  static Arg apply(std::string_view name, const ArgList& args) {
    if (used) used->emplace(name);
    return apply_op(*builder, name, args);
  }
};

inline Sym real(double v) { return Sym(v); }
inline Sym flag(bool v) { return Sym::boolean(v); }
inline Arg list(std::initializer_list<Arg> items) { return ArgList(items); }
inline Arg sizes(std::initializer_list<Sym> items) { return ArgList(items.begin(), items.end()); }

template <class... A> Arg call(std::string_view name, A... args) { return T::apply(name, {Arg(args)...}); }
inline Sym size(const T& x, int dim) { return std::get<Sym>(call("size", x, Sym(dim))); }
inline T matmul(const T& x, const T& y) { return call("matmul", x, y); }
inline T softmax(const T& x) { return call("softmax", x, Sym(-1)); }
inline T transposed(const T& x) { return call("transpose", x, Sym(-2), Sym(-1)); }
inline T arange(const Sym& end) { return call("arange", end); }
inline T where(const T& c, const T& x, const Arg& y) { return T::apply("where", {c, x, y}); }
inline T einsum(const char* equation, std::initializer_list<Arg> operands) {
  return call("einsum", std::string(equation), list(operands));
}
inline Sym host(const char* function, const Sym& x) {
  return make_sym(SymOp::Call, {make_sym(SymOp::ToReal, {x})}, function);
}

#define FL_TEST_OPERATOR(symbol)                                                     \
  inline T operator symbol(const T& x, const T& y) { return call(#symbol, x, y); }   \
  inline T operator symbol(const T& x, const Sym& y) { return call(#symbol, x, y); } \
  inline T operator symbol(const Sym& x, const T& y) { return call(#symbol, x, y); }
FL_TEST_OPERATOR(+)
FL_TEST_OPERATOR(-)
FL_TEST_OPERATOR(*)
FL_TEST_OPERATOR(/)
FL_TEST_OPERATOR(%)
FL_TEST_OPERATOR(<)
FL_TEST_OPERATOR(<=)
FL_TEST_OPERATOR(>)
FL_TEST_OPERATOR(>=)
FL_TEST_OPERATOR(==)
FL_TEST_OPERATOR(!=)
FL_TEST_OPERATOR(&)
FL_TEST_OPERATOR(|)
FL_TEST_OPERATOR(^)
#undef FL_TEST_OPERATOR

using Tensors = std::vector<T>;
using Body = std::function<Tensors(const Tensors&)>;

// A function of `params` tensors (named a, b, c, ..) and of the given number of scalars, read with ever more
// facts.
inline Function read(int params, const Body& body, Facts* facts_out = nullptr, int real_scalars = 0) {
  Facts facts;
  for (int round = 0; round < 50; ++round) {
    Builder builder(facts);
    T::builder = &builder;
    try {
      Tensors in;
      for (int p = 0; p < params; ++p)
        in.push_back(builder.input(p, std::string(1, char('a' + p)), std::string(1, char('a' + p))));
      for (int s = 0; s < real_scalars; ++s)
        builder.scalar_param(s, SymType::Real, "s" + std::to_string(s), "s");
      std::vector<Output> outputs;
      for (const T& result : body(in)) outputs.push_back({result.view, ""});
      Facts next = facts;
      next.merge(builder.learned());
      if (next == facts) {
        if (facts_out) *facts_out = facts;
        Function f = builder.finish("f", std::move(outputs));
        verify(f);
        return f;
      }
      facts = next;
    } catch (const NeedFacts& need) { facts = need.facts; }
  }
  throw std::logic_error("facts do not settle");
}

inline Sym scalar(int s) { return Sym::symbol({SymbolId::Scalar, s, 0}, SymType::Real); }

inline Array array(std::vector<std::int64_t> shape, std::vector<double> data) {
  return {std::move(shape), std::move(data)};
}

inline std::int64_t count_of(const std::vector<std::int64_t>& shape) {
  std::int64_t n = 1;
  for (std::int64_t e : shape) n *= e;
  return n;
}

// Uniform in [-1, 1).
inline Array random(std::vector<std::int64_t> shape, unsigned seed) {
  std::mt19937_64 engine(seed);
  Array out{shape, std::vector<double>(static_cast<std::size_t>(count_of(shape)))};
  for (double& v : out.data) v = std::ldexp(static_cast<double>(engine() >> 11), -52) - 1;
  return out;
}

inline Array counting(std::vector<std::int64_t> shape, double first = 0) {
  Array out{shape, std::vector<double>(static_cast<std::size_t>(count_of(shape)))};
  for (double& v : out.data) v = first++;
  return out;
}

// The first result of the function on these arrays.
inline Array run(const Body& body, const std::vector<Array>& in) {
  return evaluate(read(static_cast<int>(in.size()), body), in, {})[0];
}

inline void expect_near(const Array& got, const Array& wanted, double tolerance = 1e-12) {
  ASSERT_EQ(got.shape, wanted.shape);
  ASSERT_EQ(got.data.size(), wanted.data.size());
  for (std::size_t i = 0; i < got.data.size(); ++i) {
    if (std::isnan(wanted.data[i])) EXPECT_TRUE(std::isnan(got.data[i])) << "at " << i;
    else if (std::isinf(wanted.data[i])) EXPECT_EQ(got.data[i], wanted.data[i]) << "at " << i;
    else EXPECT_NEAR(got.data[i], wanted.data[i], tolerance) << "at " << i;
  }
}

// The id of the LoweringError that reading throws; "" if none.
inline std::string error_of(int params, const Body& body) {
  try {
    read(params, body);
  } catch (const LoweringError& error) {
    EXPECT_FALSE(std::string(error.what()).empty());
    return error.id;
  }
  return "";
}

inline bool same_graph(const Function& f, const Function& g) { return to_string(f) == to_string(g); }

}  // namespace flashlight::graph
