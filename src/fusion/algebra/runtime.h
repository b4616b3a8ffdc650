// SPDX-License-Identifier: Apache-2.0
// Numeric execution of programs and plans on one row: the oracle for tests and interpreters.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <vector>

#include "fusion/algebra/plan.h"

namespace flashlight::fusion::algebra {

// Values of leaves for one row. Instantiated for float, double and long double. Conditions are 0 and 1.
template <typename T>
struct Bindings {
  std::size_t length = 0;                                      // J, number of keys
  std::map<int, std::vector<T>> leaves;                        // by leaf id: J values when streamed, else 1
  std::map<Expr, T> knowns;                                    // by reduction: results of earlier sweeps
  std::function<T(int function_id, std::span<const T>)> call;  // for kCall
};

// How x^n with n < 0 treats x = 0.
enum class ZeroDivision {
  kIeee,       // as eager code does: inf or NaN
  kEmptySums,  // 0 when x is an accumulator: a row without keys
  kAll,        // 0 always
};

// Each output evaluated op by op, as written.
template <typename T>
std::vector<T> eager(const std::vector<Expr>& outputs, const Bindings<T>& bindings,
                     ZeroDivision zero = ZeroDivision::kIeee);

// State of one sweep, in the order of the sweep's vectors.
template <typename T>
struct State {
  std::vector<T> references;
  std::vector<T> accumulators;
  std::vector<T> plain;
  std::vector<T> carries;  // one per scan
  std::size_t seen = 0;    // keys so far
  bool carried = false;    // a scan has run: the state is tied to its place in the stream
};

template <typename T>
class Runtime {
 public:
  // Both arguments must outlive the runtime. `lazy_slack`: how far a lazy maximum may lag behind.
  // `strict_nan`: rows without keys keep eager's NaN.
  Runtime(const Sweep& sweep, const Bindings<T>& bindings, T lazy_slack = 0, bool strict_nan = false);

  State<T> empty() const;
  // The state after the keys [j0, j1) as well.
  State<T> tile(const State<T>& state, std::size_t j0, std::size_t j1) const;
  // The state after a's keys and b's keys; associative. Throws std::logic_error for sweeps with scans.
  State<T> combine(const State<T>& a, const State<T>& b) const;
  // The accumulators of `state` as they would be with other references.
  State<T> move(const State<T>& state, const std::vector<T>& references) const;
  // One value per target.
  std::vector<T> final(const State<T>& state) const;

 private:
  const Sweep& sweep_;
  const Bindings<T>& bindings_;
  T lazy_slack_;
  bool strict_nan_;

  class Tile;
  State<T> join(const State<T>& a, const State<T>& b) const;
  bool is_empty(const State<T>& state, Expr fixup) const;
};

// All sweeps of a plan: tiles of `tile_size` keys within the segments cut at `splits`, combined in order.
template <typename T>
std::vector<T> fused(const Plan& plan, const Bindings<T>& bindings, std::size_t tile_size,
                     const std::vector<std::size_t>& splits = {}, T lazy_slack = 0, bool strict_nan = false);

}  // namespace flashlight::fusion::algebra
