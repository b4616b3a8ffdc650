// SPDX-License-Identifier: Apache-2.0
// Fields of a matrix descriptor, and what can be wrong with them.
#include "emulator/descriptor.h"

namespace flashlight::emulator {

namespace {

std::size_t field(std::uint64_t descriptor, int bit) { return (descriptor >> bit & 0x3fff) << 4; }

constexpr std::uint64_t kUnusedBits = 0x3ull << 14 | 0x3ull << 30 | 0x7ull << 46 | 0x3ffull << 52;

}  // namespace

OperandLayout::OperandLayout(std::uint64_t descriptor, bool transposed)
    : descriptor_(descriptor),
      transposed_(transposed),
      start_(field(descriptor, 0)),
      leading_(field(descriptor, 16)),
      stride_(field(descriptor, 32)),
      row_bytes_(descriptor >> 62 == 0 ? 16 : std::size_t{256} >> (descriptor >> 62)) {}

std::string OperandLayout::fault() const {
  if (descriptor_ & kUnusedBits) return "bits of the descriptor are set that mean nothing";
  if (descriptor_ >> 62 == 0) return "operands that are not swizzled are not modelled";
  if (descriptor_ >> 49 & 7) return "descriptors with a base offset are not modelled";
  const std::size_t atom = 8 * row_bytes_;
  if (stride_ == 0 || stride_ % atom != 0) return "the stride is no multiple of eight rows";
  if (transposed_ ? start_ % atom != 0 : start_ % atom >= row_bytes_)
    return "the operand does not start with the swizzle's pattern, at a multiple of " + std::to_string(atom) +
           " bytes";
  if (!transposed_ && start_ % 32 != 0) return "the operand starts inside a step of 16 columns";
  return "";
}

}  // namespace flashlight::emulator
