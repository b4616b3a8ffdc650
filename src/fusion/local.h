// SPDX-License-Identifier: Apache-2.0
// Values that are computed where they are needed, without the stream: point by point, with small reductions
// inside.
#pragma once
#include <map>
#include <optional>

#include "fusion/access.h"
#include "fusion/plan.h"

namespace flashlight::fusion {

// Loops that reductions inside a point value bind, from here up: no loop of a plan has such a number.
inline constexpr int kFirstBound = 40;

// The most elements of "a handful".
inline constexpr int kHandful = 16;
inline bool is_handful(const graph::Sym& size) {
  const auto n = size.as_integer();
  return n && *n <= kHandful;
}

// A value is local where it is made of inputs by maps, gathers, concatenations and reductions that are cheap
// enough to be repeated wherever the value is needed. Such a reduction varies with queries or with keys, not
// with both; it runs over a handful of elements, or over features (neither over all queries nor over all
// keys), and then it belongs to a row as a whole: it does not vary with the features or columns of a tile,
// nor with what another reduction runs over. A norm of each key is local, a projection of the keys is not.
class Locality {
 public:
  Locality(const graph::Graph& graph, Dependence& dependence, const KernelPlan& plan)
      : graph_(graph), dependence_(dependence), plan_(plan) {}

  bool operator()(const Access& access) { return is_local(access, kFirstBound); }
  // The same for a value of each pair of a query and a key, whose reductions are repeated for every score.
  bool of_pair(const Access& access) {
    of_pairs_ = true;
    std::swap(memo_, memo_of_pairs_);
    const bool result = is_local(access, kFirstBound);
    std::swap(memo_, memo_of_pairs_);
    of_pairs_ = false;
    return result;
  }

 private:
  bool is_local(const Access& access, int bound);
  bool is_cheap(const Access& access, int bound);
  const graph::Graph& graph_;
  Dependence& dependence_;
  const KernelPlan& plan_;
  std::map<Access, bool> memo_, memo_of_pairs_;
  bool of_pairs_ = false;
};

// The reductions inside a local value, inner ones first, each once. `except`: those that vary with this loop
// are left out.
std::vector<Access> reductions_in(const graph::Graph& graph, Dependence& dependence, const Access& access,
                                  int except);

}  // namespace flashlight::fusion
