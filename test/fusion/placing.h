// SPDX-License-Identifier: Apache-2.0
// For tests: a step's output laid into the result that its target names, which it may see as a view.
#pragma once
#include <algorithm>
#include <cmath>

#include "fusion/plan.h"
#include "graph/evaluate_bind.h"

namespace flashlight::fusion {

// Extents of the result before each view, and behind the last one.
inline std::vector<graph::Extents> seen_as(const Target& target, graph::Extents extents,
                                           const graph::Binding& binding) {
  std::vector<graph::Extents> all{extents};
  const auto value = [&](const graph::Sym& size) {
    return static_cast<std::int64_t>(std::llround(binding.value(size)));
  };
  for (const Reshaping& view : target.views) {
    const auto axis = extents.end() - 1 - view.behind;
    switch (view.kind) {
      case Reshaping::Merge: {
        const auto first = axis - view.count + 1;
        for (auto a = first + 1; a <= axis; ++a) *first *= *a;
        extents.erase(first + 1, axis + 1);
        break;
      }
      case Reshaping::Split:
        *axis = value(view.first);
        extents.insert(axis + 1, value(view.second));
        break;
      case Reshaping::One: extents.insert(axis + 1, 1); break;
      case Reshaping::Part: *axis = value(view.second); break;
    }
    all.push_back(extents);
  }
  return all;
}

// Coordinates of an element of the result from those that the step has for it.
inline graph::Extents place_of(const Target& target, const std::vector<graph::Extents>& seen,
                               graph::Extents at, const graph::Binding& binding) {
  const auto value = [&](const graph::Sym& size) {
    return static_cast<std::int64_t>(std::llround(binding.value(size)));
  };
  for (std::size_t v = target.views.size(); v-- > 0;) {
    const Reshaping& view = target.views[v];
    const std::size_t axis = seen[v].size() - 1 - static_cast<std::size_t>(view.behind);
    switch (view.kind) {
      case Reshaping::Merge: {
        const std::size_t first = axis + 1 - static_cast<std::size_t>(view.count);
        std::int64_t rest = at[first];
        at.insert(at.begin() + static_cast<std::ptrdiff_t>(first), static_cast<std::size_t>(view.count) - 1,
                  0);
        for (std::size_t a = axis + 1; a-- > first; rest /= seen[v][a]) at[a] = rest % seen[v][a];
        break;
      }
      case Reshaping::Split:
        at[axis] = at[axis] * value(view.second) + at[axis + 1];
        at.erase(at.begin() + static_cast<std::ptrdiff_t>(axis) + 1);
        break;
      case Reshaping::One: at.erase(at.begin() + static_cast<std::ptrdiff_t>(axis) + 1); break;
      case Reshaping::Part: at[axis] += value(view.first); break;
    }
  }
  return at;
}

// `whole`: the result, of which other steps may have written parts; empty before the first one.
inline void lay(const graph::Function& f, const graph::Binding& binding, const Target& target,
                const graph::Array& made, graph::Array& whole) {
  const graph::TensorView& view = f.outputs[static_cast<std::size_t>(target.number)].value;
  if (whole.data.empty()) {
    whole.shape = view.pack ? binding.leading() : graph::Extents{};
    for (std::size_t a = view.pack; a < view.shape.size(); ++a)
      whole.shape.push_back(binding.extents({view.shape[a]})[0]);
    whole.data.assign(static_cast<std::size_t>(graph::count(whole.shape)), std::nan(""));
  }
  const std::vector<graph::Extents> seen = seen_as(target, whole.shape, binding);
  const graph::Extents strides = graph::strides_of(whole.shape);
  for (std::size_t k = 0; k < made.data.size(); ++k) {
    graph::Extents at(seen.back().size());
    std::int64_t rest = static_cast<std::int64_t>(k);
    for (std::size_t a = at.size(); a-- > 0; rest /= seen.back()[a]) at[a] = rest % seen.back()[a];
    at = place_of(target, seen, at, binding);
    std::int64_t offset = 0;
    for (std::size_t a = 0; a < at.size(); ++a) offset += at[a] * strides[a];
    whole.data[static_cast<std::size_t>(offset)] = made.data[k];
  }
}

}  // namespace flashlight::fusion
