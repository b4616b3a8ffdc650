// SPDX-License-Identifier: Apache-2.0
// What the host bodies of Hopper's device primitives call: barriers in memory, bulk copies, products of a
// warpgroup, registers, named barriers.
//
// As context.h: only inside a kernel that runs, `where` is the line that a finding will name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>

#include "flashlight/emulator/checked.h"

namespace flashlight::emulator {

// ---- threads

bool elect_one(const std::source_location& where);
void sync_named(int id, int threads, const std::source_location& where);
void arrive_named(int id, int threads, const std::source_location& where);
void decrease_registers(int count, const std::source_location& where);
void increase_registers(int count, const std::source_location& where);

// ---- barriers of 8 bytes in shared memory

void barrier_init(void* barrier, int arrivals, const std::source_location& where);
// Announces `bytes` and arrives.
void barrier_arrive(void* barrier, int bytes, const std::source_location& where);
bool barrier_test(void* barrier, int parity, const std::source_location& where);
void barrier_wait(void* barrier, int parity, const std::source_location& where);
void fence_barrier_init(const std::source_location& where);
void fence_proxy_async(const std::source_location& where);

// ---- bulk copies

// What the tile has room for.
struct BoxRoom {
  int rows, row_bytes;
};

// A box at `at[rank]` of the tensor that `map` describes, completing at `barrier`. Its bytes arrive at a
// seeded moment; until a thread has waited for them reading is a fault.
void tensor_load(void* tile, BoxRoom room, const std::uint64_t (&map)[16], void* barrier, const int* at,
                 int rank, const std::source_location& where);
void tensor_store(const std::uint64_t (&map)[16], const int* at, int rank, const void* tile, BoxRoom room,
                  const std::source_location& where);
void commit_stores(const std::source_location& where);
// Waits until all but `pending` groups have read their tiles, or, `written`, have been written.
void wait_stores(int pending, bool written, const std::source_location& where);

// ---- products of a warpgroup

// c (64 x columns) = a b, or c += a b, as each of the warpgroup's threads passes it. `a`: registers `left`,
// or shared memory by descriptor; the descriptors of step i, 16 deep, are a + a_steps[i] and b + b_steps[i].
struct WarpgroupProduct {
  CheckedRegisters* c;
  int columns;
  bool add;
  CheckedRegisters* left;  // null: from shared memory
  std::uint64_t a, b;
  const std::uint64_t *a_steps, *b_steps;
  int steps;
  bool b_transposed;
  float (*widen)(std::uint16_t bits);  // of the operands' type
};

void start_product(const WarpgroupProduct& product, const std::source_location& where);
void fence_registers(CheckedRegisters& registers, const std::source_location& where);
void commit_products(const std::source_location& where);
// Waits for all but `pending` groups and hands the registers back.
void wait_products(int pending, CheckedRegisters* const* registers, int count,
                   const std::source_location& where);

}  // namespace flashlight::emulator
