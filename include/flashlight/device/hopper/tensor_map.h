// SPDX-License-Identifier: Apache-2.0
// How TMA sees a tensor in global memory: made on the host, passed to the kernel by value in its parameters.
#pragma once

#include "flashlight/device/tile.h"

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#include <cudaTypedefs.h>
#else
#include "flashlight/emulator/tensor_map.h"
#endif

namespace flashlight::device {

// Opaque; a CUtensorMap on a GPU.
struct alignas(128) TensorMap {
  std::uint64_t words[16];
};

// Sizes and strides in elements, from the contiguous axis outwards: axis 0 the tile's columns (stride 1),
// axis 1 its rows, then whatever counts matrices. 2 <= rank <= 5.
struct TensorShape {
  int rank;
  long long sizes[5], strides[5];
};

namespace detail {

// Why TMA cannot read such a tensor, or null. Limits of cuTensorMapEncodeTiled.
inline const char* tensor_map_error(const void* base, const TensorShape& shape, int element_bytes) {
  if (shape.rank < 2 || shape.rank > 5) return "TMA takes tensors of 2 to 5 axes";
  if (reinterpret_cast<std::uintptr_t>(base) % 16 != 0) return "the tensor's base is not 16-byte aligned";
  if (shape.strides[0] != 1) return "the columns are not contiguous";
  for (int i = 0; i < shape.rank; ++i) {
    if (shape.sizes[i] < 1 || shape.sizes[i] > (1ll << 32)) return "an axis is empty or longer than 2^32";
    if (i == 0 || shape.sizes[i] == 1) continue;
    const long long bytes = shape.strides[i] * element_bytes;
    if (bytes <= 0 || bytes % 16 != 0 || bytes >= (1ll << 40))
      return "a stride is not a positive multiple of 16 bytes below 2^40";
  }
  return nullptr;
}

// Strides in bytes of axes 1.., where an axis of size 1, whose stride means nothing, gets a legal one.
inline void tensor_map_strides(const TensorShape& shape, int element_bytes, std::uint64_t (&bytes)[4]) {
  std::uint64_t enough = (static_cast<std::uint64_t>(shape.sizes[0] * element_bytes) + 15) / 16 * 16;
  for (int i = 1; i < shape.rank; ++i) {
    const bool any = shape.sizes[i] == 1;
    bytes[i - 1] = any ? enough : static_cast<std::uint64_t>(shape.strides[i] * element_bytes);
    enough = bytes[i - 1] * static_cast<std::uint64_t>(shape.sizes[i]);
    if (enough >= (std::uint64_t{1} << 40)) enough = 16;
  }
}

// The instruction's swizzle for the blocks of a tile: their rows of 32, 64 or 128 bytes are its span.
template <class Tile> inline constexpr int tile_swizzle = Tile::row_bytes == 128  ? 3
                                                          : Tile::row_bytes == 64 ? 2
                                                                                  : 1;

#if defined(__CUDACC__)

inline PFN_cuTensorMapEncodeTiled_v12000 tensor_map_encoder() {
  static const PFN_cuTensorMapEncodeTiled_v12000 encoder = [] {
    void* entry = nullptr;
    cudaDriverEntryPointQueryResult result;
    const cudaError_t error =
        cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry, 12000, cudaEnableDefault, &result);
    const bool found = error == cudaSuccess && result == cudaDriverEntryPointSuccess;
    return found ? reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(entry) : nullptr;
  }();
  return encoder;
}

#endif

}  // namespace detail

// Makes the map by which tiles of type Tile (a SharedTile of 16-bit elements, at most 256 rows) are loaded
// from or stored to a tensor of `shape` at `base`: boxes of Tile::rows x Tile::block elements, swizzled as
// the tile is, elements outside the tensor read as zero and not written. Returns null, or why TMA cannot take
// this tensor (its text lives for ever): the caller then needs a kernel without TMA.
template <class Tile>
const char* make_tensor_map(TensorMap& map, const void* base, const TensorShape& shape) {
  using T = typename Tile::element;
  static_assert(is_half_width<T>, "the products that take TMA's tiles are of 16-bit types");
  static_assert(Tile::rows <= 256, "a box of TMA has at most 256 rows");
  if (const char* error = detail::tensor_map_error(base, shape, sizeof(T))) return error;
  std::uint64_t strides[4];
  detail::tensor_map_strides(shape, sizeof(T), strides);
#if defined(__CUDACC__)
  static_assert(sizeof(TensorMap) == sizeof(CUtensorMap) && alignof(TensorMap) >= alignof(CUtensorMap));
  const auto encode = detail::tensor_map_encoder();
  if (!encode) return "the driver has no cuTensorMapEncodeTiled";
  cuuint64_t sizes[5];
  cuuint32_t box[5], steps[5];
  for (int i = 0; i < shape.rank; ++i) {
    sizes[i] = static_cast<cuuint64_t>(shape.sizes[i]);
    box[i] = i == 0 ? Tile::block : i == 1 ? Tile::rows : 1;
    steps[i] = 1;
  }
  const CUresult result =
      encode(reinterpret_cast<CUtensorMap*>(&map),
             is_bfloat16<T> ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
             static_cast<cuuint32_t>(shape.rank), const_cast<void*>(base), sizes, strides, box, steps,
             CU_TENSOR_MAP_INTERLEAVE_NONE, static_cast<CUtensorMapSwizzle>(detail::tile_swizzle<Tile>),
             CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return result == CUDA_SUCCESS ? nullptr : "cuTensorMapEncodeTiled failed";
#else
  emulator::TensorLayout layout{};
  layout.base = const_cast<void*>(base);
  layout.rank = shape.rank;
  layout.element_bytes = sizeof(T);
  layout.swizzle = detail::tile_swizzle<Tile>;
  for (int i = 0; i < shape.rank; ++i) {
    layout.sizes[i] = static_cast<std::uint64_t>(shape.sizes[i]);
    layout.box[i] = i == 0 ? Tile::block : i == 1 ? Tile::rows : 1;
    if (i > 0) layout.strides[i - 1] = strides[i - 1];
  }
  emulator::encode(layout, map.words);
  return nullptr;
#endif
}

}  // namespace flashlight::device
