// SPDX-License-Identifier: Apache-2.0
// See variant.h.
#include "emit/variant.h"

#include <algorithm>

namespace flashlight::emit {

namespace {

// Adds what `all` does not have yet, in front of its next neighbour there.
template <class Param> void join_parameters(std::vector<Param>& all, const std::vector<Param>& more) {
  auto at = all.size();
  for (auto p = more.rbegin(); p != more.rend(); ++p) {
    const auto end = all.begin() + static_cast<std::ptrdiff_t>(at);
    const auto known =
        std::find_if(all.begin(), end, [&](const Param& other) { return other.name == p->name; });
    at = static_cast<std::size_t>(known - all.begin());
    if (known == end) all.insert(end, *p);
  }
}

}  // namespace

Signature signature_of(const std::vector<VariantText>& variants) {
  Signature result;
  for (const VariantText& v : variants) {
    join_parameters(result.tensors, v.variant->function.tensors);
    join_parameters(result.scalars, v.variant->function.scalars);
  }
  for (std::size_t t = 0; t < result.tensors.size(); ++t) {
    const auto has = [&](const VariantText& v) {
      return std::any_of(v.variant->function.tensors.begin(), v.variant->function.tensors.end(),
                         [&](const graph::TensorParam& p) { return p.name == result.tensors[t].name; });
    };
    if (!std::all_of(variants.begin(), variants.end(), has)) result.optional.push_back(static_cast<int>(t));
  }
  return result;
}

}  // namespace flashlight::emit
