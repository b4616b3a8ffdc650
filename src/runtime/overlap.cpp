// SPDX-License-Identifier: Apache-2.0
// See overlap.h.
#include "runtime/overlap.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

namespace flashlight::generated {

namespace {

using Int = std::int64_t;

bool is_empty(const Tensor& x) {
  const Sizes& sizes = x.sizes();
  return std::any_of(sizes.begin(), sizes.end(), [](Int size) { return size == 0; });
}

// Whether sum(stride * z) lies in [low, high] for some 0 <= z <= most, one z a stride: by the largest stride
// first, of which few multiples are near enough for the others to reach.
class Steps {
 public:
  void add(Int stride, Int most) {
    if (stride != 0 && most > 0) most_[stride] += most;
  }
  bool reach(Int low, Int high) {
    for (auto it = most_.rbegin(); it != most_.rend(); ++it) steps_.push_back(*it);
    reach_.assign(steps_.size() + 1, 0), unit_.assign(steps_.size() + 1, 0);
    for (std::size_t k = steps_.size(); k-- > 0;) {
      reach_[k] = reach_[k + 1] + steps_[k].first * steps_[k].second;
      unit_[k] = std::gcd(unit_[k + 1], steps_[k].first);
    }
    return search(0, low, high);
  }

 private:
  bool search(std::size_t k, Int low, Int high) {
    constexpr int kMost = 1 << 16;
    if (++visited_ > kMost) return true;
    low = std::max<Int>(low, 0), high = std::min(high, reach_[k]);
    if (low > high) return false;
    if (unit_[k] == 0) return true;  // nothing is left to add, and 0 lies within
    if (high / unit_[k] * unit_[k] < low) return false;
    const auto [stride, most] = steps_[k];
    const Int first = std::max<Int>(0, (low - reach_[k + 1] + stride - 1) / stride),
              last = std::min(most, high / stride);
    for (Int z = first; z <= last; ++z)
      if (search(k + 1, low - z * stride, high - z * stride)) return true;
    return false;
  }

  std::map<Int, Int> most_;
  std::vector<std::pair<Int, Int>> steps_;  // stride, most; the largest stride first
  std::vector<Int> reach_, unit_;           // of the steps from there on: their sum at most, what divides all
  int visited_ = 0;
};

}  // namespace

// By their strides in order, each axis steps over all that lies inside it.
bool overlaps_itself(const Tensor& tensor) {
  std::vector<std::pair<Int, Int>> axes;  // stride, size
  for (Int d = 0; d < tensor.dim(); ++d) {
    if (tensor.size(d) == 0) return false;
    if (tensor.size(d) > 1) axes.emplace_back(std::abs(tensor.stride(d)), tensor.size(d));
  }
  std::sort(axes.begin(), axes.end());
  Int inside = 0;
  for (const auto& [stride, size] : axes) {
    if (stride <= inside) return true;
    inside += (size - 1) * stride;
  }
  return false;
}

bool share_memory(const Tensor& x, const Tensor& y) {
  if (is_empty(x) || is_empty(y)) return false;
  // From the first byte of y's element to that of x's: what their bases are apart, and a step an axis.
  Int apart =
      static_cast<Int>(reinterpret_cast<std::uintptr_t>(x.raw()) - reinterpret_cast<std::uintptr_t>(y.raw()));
  Steps steps;
  for (const auto& [tensor, sign] : {std::pair(&x, 1), std::pair(&y, -1)}) {
    const auto bytes = static_cast<Int>(element_size(tensor->dtype()));
    for (Int d = 0; d < tensor->dim(); ++d) {
      const Int step = sign * tensor->stride(d) * bytes, most = tensor->size(d) - 1;
      if (step < 0) apart += step * most;
      steps.add(std::abs(step), most);
    }
  }
  return steps.reach(1 - static_cast<Int>(element_size(x.dtype())) - apart,
                     static_cast<Int>(element_size(y.dtype())) - 1 - apart);
}

}  // namespace flashlight::generated
