// SPDX-License-Identifier: Apache-2.0
// Instructions of the sm_80 family, emulated: each warp instruction is a rendezvous of its lanes.
#pragma once

#include <cstring>

#include "flashlight/device/detail/instructions.h"

namespace flashlight::device::detail {

FL_DEVICE std::uint32_t shared_address(const void* p FL_AND_WHERE) {
  return static_cast<std::uint32_t>(static_cast<const unsigned char*>(p) - emulator::shared_memory(where));
}
FL_DEVICE unsigned char* shared_pointer(std::uint32_t address FL_AND_WHERE) {
  return emulator::shared_memory(where) + address;
}

// ---- asynchronous copies

FL_DEVICE void copy_async_16(std::uint32_t destination, const void* source, int bytes FL_AND_WHERE) {
  emulator::async_copy(shared_pointer(destination), source, bytes, where);
}
FL_DEVICE void commit_copies(FL_WHERE) { emulator::commit_group(where); }
template <int N> FL_DEVICE void wait_copies(FL_WHERE) { emulator::wait_group(N, where); }

// ---- memory

template <class T> FL_DEVICE void load_shared(std::uint32_t address, T& x FL_AND_WHERE) {
  emulator::shared_load(thread_index(), shared_pointer(address), &x, sizeof x, where);
}
template <class T> FL_DEVICE void store_shared(std::uint32_t address, T x FL_AND_WHERE) {
  emulator::shared_store(thread_index(), shared_pointer(address), &x, sizeof x, where);
}
template <class T> FL_DEVICE T load_constant(const T* p FL_AND_WHERE) {
  T x{};
  emulator::global_load(p, &x, sizeof x, where);
  return x;
}
template <class V, class T> FL_DEVICE void store_global(T* p, V value FL_AND_WHERE) {
  emulator::global_store(p, &value, sizeof value, where);
}

// ---- warp

template <class T> FL_DEVICE T shuffle_xor(T x, int distance FL_AND_WHERE) {
  struct Lane {
    T value;
    int distance;
  } lane{x, distance};
  emulator::warp_collective(
      "shuffle", lane,
      [](Lane* const(&lanes)[kWarpSize]) {
        T given[kWarpSize];
        for (int l = 0; l < kWarpSize; ++l) given[l] = lanes[l]->value;
        for (int l = 0; l < kWarpSize; ++l) lanes[l]->value = given[l ^ lanes[l]->distance];
      },
      where);
  return lane.value;
}

FL_DEVICE bool any_lane(bool x FL_AND_WHERE) {
  emulator::warp_collective(
      "vote", x,
      [](bool* const(&lanes)[kWarpSize]) {
        bool any = false;
        for (const bool* b : lanes) any = any || *b;
        for (bool* b : lanes) *b = any;
      },
      where);
  return x;
}

// ---- matrices

// ldmatrix: lanes 8 i .. 8 i + 7 pass the rows of matrix i; lane l receives, of each, row l / 4 and the
// columns 2 (l % 4) + {0, 1}, or the element at those coordinates exchanged.
template <int COUNT, bool TRANSPOSED>
FL_DEVICE void load_matrices(std::uint32_t (&r)[4], std::uint32_t address,
                             const std::source_location& where) {
  struct Lane {
    std::uint32_t* r;
    std::uint32_t address;
    int thread;
    std::source_location where;
  } lane{r, address, thread_index(), where};
  emulator::warp_collective(
      TRANSPOSED ? "ldmatrix.trans" : "ldmatrix", lane,
      [](Lane* const(&lanes)[kWarpSize]) {
        for (int m = 0; m < COUNT; ++m) {
          std::uint16_t matrix[8][8] = {};
          for (int row = 0; row < 8; ++row) {
            const Lane& l = *lanes[8 * m + row];
            emulator::shared_load(l.thread, shared_pointer(l.address), matrix[row], 16, l.where);
          }
          for (int l = 0; l < kWarpSize; ++l) {
            const int g = l / 4, t = 2 * (l % 4);
            const std::uint32_t low = TRANSPOSED ? matrix[t][g] : matrix[g][t];
            const std::uint32_t high = TRANSPOSED ? matrix[t + 1][g] : matrix[g][t + 1];
            lanes[l]->r[m] = low | high << 16;
          }
        }
      },
      where);
}
FL_DEVICE void load_matrix_x4(std::uint32_t (&r)[4], std::uint32_t address FL_AND_WHERE) {
  load_matrices<4, false>(r, address, where);
}
FL_DEVICE void load_matrix_x2(std::uint32_t (&r)[4], std::uint32_t address FL_AND_WHERE) {
  load_matrices<2, false>(r, address, where);
}
FL_DEVICE void load_matrix_x4_transposed(std::uint32_t (&r)[4], std::uint32_t address FL_AND_WHERE) {
  load_matrices<4, true>(r, address, where);
}
FL_DEVICE void load_matrix_x2_transposed(std::uint32_t (&r)[4], std::uint32_t address FL_AND_WHERE) {
  load_matrices<2, true>(r, address, where);
}

// A lane's part of one mma: `a` and `b` hold 16-bit pairs or TF32 values.
struct MmaLane {
  float* c;
  const std::uint32_t* a;
  std::uint32_t b[2];
};

// c += a b over depth K, given the operands' elements as functions of (lanes, row, column).
template <int K, class A, class B> void accumulate_mma(MmaLane* const (&lanes)[kWarpSize], A a, B b) {
  float left[16][K], right[K][8];
  for (int k = 0; k < K; ++k) {
    for (int i = 0; i < 16; ++i) left[i][k] = a(i, k);
    for (int j = 0; j < 8; ++j) right[k][j] = b(k, j);
  }
  for (int l = 0; l < kWarpSize; ++l) {
    for (int i = 0; i < 4; ++i) {
      const int row = l / 4 + 8 * (i / 2), col = 2 * (l % 4) + i % 2;
      float sum = lanes[l]->c[i];
      for (int k = 0; k < K; ++k) sum += left[row][k] * right[k][col];
      lanes[l]->c[i] = sum;
    }
  }
}

template <class T> float half_of(std::uint32_t word, int high) {
  return to_float(T{static_cast<std::uint16_t>(word >> (16 * high))});
}

// m16n8k16: register 2 h + r of A holds row l / 4 + 8 r and columns 8 h + 2 (l % 4) + {0, 1}; register h of B
// rows 8 h + 2 (l % 4) + {0, 1} of column l / 4.
template <class T>
FL_DEVICE void mma_k16(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                       std::uint32_t b1 FL_AND_WHERE) {
  MmaLane lane{c, a, {b0, b1}};
  emulator::warp_collective(
      "mma.m16n8k16", lane,
      [](MmaLane* const(&lanes)[kWarpSize]) {
        accumulate_mma<16>(
            lanes,
            [&](int row, int k) {
              return half_of<T>(lanes[4 * (row % 8) + k % 8 / 2]->a[2 * (k / 8) + row / 8], k % 2);
            },
            [&](int k, int col) { return half_of<T>(lanes[4 * col + k % 8 / 2]->b[k / 8], k % 2); });
      },
      where);
}

// m16n8k8: register 2 h + r of A holds row l / 4 + 8 r and column l % 4 + 4 h; register h of B row l % 4 + 4
// h of column l / 4.
FL_DEVICE void mma_k8_tf32(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                           std::uint32_t b1 FL_AND_WHERE) {
  MmaLane lane{c, a, {b0, b1}};
  emulator::warp_collective(
      "mma.m16n8k8", lane,
      [](MmaLane* const(&lanes)[kWarpSize]) {
        accumulate_mma<8>(
            lanes,
            [&](int row, int k) {
              return bits_float(lanes[4 * (row % 8) + k % 4]->a[2 * (k / 4) + row / 8]);
            },
            [&](int k, int col) { return bits_float(lanes[4 * col + k % 4]->b[k / 4]); });
      },
      where);
}

// Round to nearest, ties away, to 10 bits of mantissa.
FL_DEVICE std::uint32_t to_tf32(float x) {
  const std::uint32_t u = float_bits(x);
  return (u & 0x7f800000u) == 0x7f800000u ? u : (u + 0x1000u) & ~0x1fffu;
}

}  // namespace flashlight::device::detail
