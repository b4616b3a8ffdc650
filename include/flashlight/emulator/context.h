// SPDX-License-Identifier: Apache-2.0
// What the host bodies of the device primitives call: thread indices, rendezvous and checked memory accesses.
//
// Everything here may be called only from inside a kernel that emulator::launch runs. `where` is the line of
// the emitted file that a finding will name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>

namespace flashlight::emulator {

struct ThreadContext {
  int thread, block, grid;
};

// The CUDA thread whose fiber runs now.
inline constinit thread_local const ThreadContext* current = nullptr;

// Base of the CTA's dynamic shared memory, aligned to 1024 bytes. Also names the running kernel after its
// enclosing function.
unsigned char* shared_memory(const std::source_location& where);

void count(const char* event);

// Rendezvous. Both order memory accesses; a warp_collective does not, as shuffles and products on a GPU do
// not.
void sync_threads(const std::source_location& where);
// The same, and whether any thread of the CTA came with true.
bool sync_threads_or(bool vote, const std::source_location& where);
void sync_warp(const std::source_location& where);

// Waits until all 32 lanes have arrived; the last one runs action(lanes' arguments) for all. `name` is the
// collective's identity: lanes that meet under different names are reported as divergent.
using CollectiveAction = void (*)(void* const* lanes);
void collective(const char* name, void* argument, CollectiveAction action, const std::source_location& where);

template <class Argument, class Action>
void warp_collective(const char* name, Argument& argument, Action, const std::source_location& where) {
  collective(
      name, &argument,
      [](void* const* raw) {
        Argument* lanes[32];
        for (int l = 0; l < 32; ++l) lanes[l] = static_cast<Argument*>(raw[l]);
        Action{}(lanes);
      },
      where);
}

// Memory accesses. A faulty access is reported and not performed: a load then yields zero bytes. `thread` is
// the CUDA thread the access counts for, since one fiber performs a warp's collective loads.
void shared_load(int thread, const void* address, void* out, std::size_t bytes,
                 const std::source_location& where);
void shared_store(int thread, void* address, const void* in, std::size_t bytes,
                  const std::source_location& where);
void global_load(const void* address, void* out, std::size_t bytes, const std::source_location& where);
void global_store(void* address, const void* in, std::size_t bytes, const std::source_location& where);

// cp.async of 16 bytes: `bytes` (0..16) from global memory, the rest zero. Completes at a seeded moment
// between this call and the wait_group that covers it.
void async_copy(void* destination, const void* source, int bytes, const std::source_location& where);
void commit_group(const std::source_location& where);
void wait_group(int pending, const std::source_location& where);

// A register of the thread (-1: the current one) was read before anything was written to it.
void uninitialised_register(const char* what, int thread, const std::source_location& where);
// The current thread accessed a register that an asynchronous product owns: it was `read` or `written`.
void pending_register(const char* how, const std::source_location& where);
// Reports an element that an accumulator does not have.
void outside_registers(const std::source_location& where);
// Registers go out of scope while an asynchronous product owns them.
class CheckedRegisters;
void abandon_registers(CheckedRegisters& registers);
// Lanes of one collective disagree about its operands.
void divergent_operands(const char* name, const std::source_location& where);

// An operand's part does not lie inside its tile as the product needs it.
void invalid_operand(const char* name, const char* why, const std::source_location& where);

// A table of `size` elements is read at `index`.
void index_out_of_range(long long index, long long size, const std::source_location& where);

// Working memory for a collective's action, valid until the next collective.
float* scratch(std::size_t floats);

// c[m][n] += a[m][k] b[k][n], row-major, each sum taken in the order of k.
void product(float* c, const float* a, const float* b, int m, int n, int k);
// The same in float, by four TF32 products.
void product_tf32(float* c, const float* a, const float* b, int m, int n, int k);

}  // namespace flashlight::emulator
