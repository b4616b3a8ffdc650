// SPDX-License-Identifier: Apache-2.0
// What a tensor map holds on the emulated device.
#pragma once

#include <cstdint>

namespace flashlight::emulator {

// A tensor of `rank` axes, axis 0 contiguous, and the box that one bulk copy moves. `strides` in bytes, of
// the axes from 1; `swizzle` as in a CUtensorMap: 0 none, 1 32 bytes, 2 64 bytes, 3 128 bytes, which is also
// the length of the box's rows.
struct TensorLayout {
  void* base;
  int rank, element_bytes, swizzle;
  std::uint64_t sizes[5], strides[4];
  int box[5];
};

inline constexpr std::uint64_t kTensorMapMark = 0x666c746d;  // in the upper half of word 0

inline void encode(const TensorLayout& t, std::uint64_t (&words)[16]) {
  words[0] = kTensorMapMark << 32 | static_cast<std::uint64_t>(t.rank) |
             static_cast<std::uint64_t>(t.element_bytes) << 8 | static_cast<std::uint64_t>(t.swizzle) << 16;
  words[1] = reinterpret_cast<std::uintptr_t>(t.base);
  for (int i = 0; i < 5; ++i) words[2 + i] = t.sizes[i];
  for (int i = 0; i < 4; ++i) words[7 + i] = t.strides[i];
  for (int i = 0; i < 5; ++i) words[11 + i] = static_cast<std::uint64_t>(t.box[i]);
}

// False for words that encode() did not make.
inline bool decode(const std::uint64_t (&words)[16], TensorLayout& t) {
  if (words[0] >> 32 != kTensorMapMark) return false;
  t.rank = static_cast<int>(words[0] & 0xff);
  t.element_bytes = static_cast<int>(words[0] >> 8 & 0xff);
  t.swizzle = static_cast<int>(words[0] >> 16 & 0xff);
  t.base = reinterpret_cast<void*>(static_cast<std::uintptr_t>(words[1]));
  for (int i = 0; i < 5; ++i) t.sizes[i] = words[2 + i];
  for (int i = 0; i < 4; ++i) t.strides[i] = words[7 + i];
  for (int i = 0; i < 5; ++i) t.box[i] = static_cast<int>(words[11 + i]);
  return true;
}

}  // namespace flashlight::emulator
