// SPDX-License-Identifier: Apache-2.0
// Matrix descriptors of wgmma, decoded: where the elements of an operand lie in shared memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace flashlight::emulator {

// One step's operand: `outer` rows (of a) or columns (of b) by 16 contracted elements of 16 bits.
class OperandLayout {
 public:
  explicit OperandLayout(std::uint64_t descriptor, bool transposed);

  // What wgmma does not take, or empty.
  std::string fault() const;

  // Bytes from the start of shared memory to the 8 elements (16 bytes) that begin at this place: along the
  // contraction, `transposed` along the outer axis.
  std::size_t chunk(int outer, int depth) const {
    const std::size_t linear =
        transposed_ ? start_ + outer / row_elements() * leading_ + outer % row_elements() * 2 +
                          static_cast<std::size_t>(depth / 8) * stride_ + depth % 8 * row_bytes()
                    : start_ + static_cast<std::size_t>(outer / 8) * stride_ + outer % 8 * row_bytes() +
                          static_cast<std::size_t>(depth) * 2;
    return linear ^ ((linear >> 7 & (row_bytes() / 16 - 1)) << 4);
  }
  std::size_t row_bytes() const { return row_bytes_; }
  std::size_t row_elements() const { return row_bytes_ / 2; }
  bool transposed() const { return transposed_; }

 private:
  std::uint64_t descriptor_;
  bool transposed_;
  std::size_t start_, leading_, stride_, row_bytes_;
};

}  // namespace flashlight::emulator
