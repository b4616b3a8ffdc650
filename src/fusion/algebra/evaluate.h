// SPDX-License-Identifier: Apache-2.0
// Evaluation of expressions on a range of keys.
#pragma once

#include <map>
#include <vector>

#include "fusion/algebra/runtime.h"

namespace flashlight::fusion::algebra {

// One value per key of [j0, j1), or a single value where nothing depends on the keys.
template <typename T>
using Values = std::vector<T>;

template <typename T>
class Evaluator {
 public:
  Evaluator(const Bindings<T>& bindings, std::size_t j0, std::size_t j1, ZeroDivision zero)
      : bindings_(bindings), j0_(j0), j1_(j1), zero_(zero) {}

  // The value of a node that evaluation does not look inside.
  void set(Expr node, Values<T> values) { memo_[node] = std::move(values); }
  const Values<T>& operator()(Expr e);
  // The same, one value per key.
  Values<T> per_key(Expr e);

 private:
  Values<T> compute(Expr e);
  Values<T> mapped(Expr e);
  Values<T> reduced(Expr e);
  Values<T> scanned(Expr e);
  Values<T> called(Expr e);
  T power(Expr e, T x) const;

  const Bindings<T>& bindings_;
  std::size_t j0_, j1_;
  ZeroDivision zero_;
  std::map<Expr, Values<T>> memo_;
};

// NaN-propagating.
template <typename T>
T larger(T a, T b) {
  return a != a ? a : b != b ? b : a < b ? b : a;
}
template <typename T>
T smaller(T a, T b) {
  return a != a ? a : b != b ? b : b < a ? b : a;
}

}  // namespace flashlight::fusion::algebra
