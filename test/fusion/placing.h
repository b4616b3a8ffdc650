// SPDX-License-Identifier: Apache-2.0
// For tests: a step's output laid into the result that its target names, which it may see as a view.
#pragma once
#include <cmath>
#include <stdexcept>

#include "fusion/plan.h"
#include "graph/evaluate_bind.h"

namespace flashlight::fusion {

// A tensor as a step sees it; strides in elements.
struct Seen {
  graph::Extents extents, strides;
  std::int64_t offset = 0;
};

// Throws where a launch would: an axis is not the product of the two that it is split into, or axes that are
// merged do not lie as one.
inline void see(Seen& seen, const Reshaping& view, const graph::Binding& binding) {
  const auto value = [&](const graph::Sym& size) {
    return static_cast<std::int64_t>(std::llround(binding.value(size)));
  };
  const auto extent = seen.extents.end() - 1 - view.behind, stride = seen.strides.end() - 1 - view.behind;
  switch (view.kind) {
    case Reshaping::Merge: {
      std::int64_t extent_of_all = *extent, step = *stride;
      for (int k = 1; k < view.count; ++k) {
        if (extent[-k] != 1 && extent_of_all != 1 && stride[-k] != step * extent_of_all)
          throw std::logic_error("axes that are merged do not lie as one");
        if (extent_of_all == 1) step = stride[-k];
        extent_of_all *= extent[-k];
      }
      *extent = extent_of_all;
      *stride = step;
      seen.extents.erase(extent - view.count + 1, extent);
      seen.strides.erase(stride - view.count + 1, stride);
      break;
    }
    case Reshaping::Split: {
      const std::int64_t outer = value(view.first), inner = value(view.second), step = *stride;
      if (*extent != outer * inner)
        throw std::logic_error("an axis is not the product of the two that it is split into");
      *extent = outer;
      *stride = step * inner;
      seen.extents.insert(extent + 1, inner);
      seen.strides.insert(stride + 1, step);
      break;
    }
    case Reshaping::One:
      seen.extents.insert(extent + 1, 1);
      seen.strides.insert(stride + 1, 0);
      break;
    case Reshaping::Part:
      seen.offset += value(view.first) * *stride;
      *extent = value(view.second);
      break;
  }
}

// `f`: the step's function, or all of it for a result. `whole`: the tensor, of which other steps may have
// written parts; empty before the first one.
inline void lay(const graph::Function& f, const graph::Binding& binding, const Target& target,
                const graph::Array& made, graph::Array& whole) {
  const auto number = static_cast<std::size_t>(target.number);
  const graph::Shape& shape = target.intermediate ? f.tensors[number].shape : f.outputs[number].value.shape;
  const bool pack = target.intermediate ? f.tensors[number].pack : f.outputs[number].value.pack;
  if (whole.data.empty()) {
    whole.shape = pack ? binding.leading() : graph::Extents{};
    for (std::size_t a = pack; a < shape.size(); ++a) whole.shape.push_back(binding.extents({shape[a]})[0]);
    whole.data.assign(static_cast<std::size_t>(graph::count(whole.shape)), std::nan(""));
  }
  Seen seen{whole.shape, graph::strides_of(whole.shape)};
  for (const Reshaping& reshaping : target.views) see(seen, reshaping, binding);
  for (std::size_t k = 0; k < made.data.size(); ++k) {
    std::int64_t at = seen.offset, rest = static_cast<std::int64_t>(k);
    for (std::size_t a = seen.extents.size(); a-- > 0; rest /= seen.extents[a])
      at += rest % seen.extents[a] * seen.strides[a];
    whole.data.at(static_cast<std::size_t>(at)) = made.data[k];
  }
}

}  // namespace flashlight::fusion
