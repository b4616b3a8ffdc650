// SPDX-License-Identifier: Apache-2.0
// See borrowed.h.
#include "runtime/borrowed.h"

#include <vector>

#include "flashlight/generated/launch.h"

namespace flashlight::generated {

namespace {
thread_local std::vector<AllocationInfo> borrowed;
}

void borrow(const char* data, const Sizes& sizes, const Sizes& strides, DType dtype) {
  std::int64_t before = 0, behind = 1;
  for (std::size_t d = 0; d < sizes.size(); ++d)
    (strides[d] < 0 ? before : behind) += (sizes[d] - 1) * strides[d];
  const auto element = static_cast<std::int64_t>(element_size(dtype));
  borrowed.push_back({data + before * element, static_cast<std::size_t>((behind - before) * element), 0});
}

void forget_borrowed() { borrowed.clear(); }

bool find_borrowed(const void* address, AllocationInfo* info) {
  for (const AllocationInfo& b : borrowed) {
    const auto first = reinterpret_cast<std::uintptr_t>(b.base),
               at = reinterpret_cast<std::uintptr_t>(address);
    if (at < first || at - first >= b.bytes) continue;
    *info = b;
    return true;
  }
  return false;
}

}  // namespace flashlight::generated
