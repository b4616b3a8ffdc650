// SPDX-License-Identifier: Apache-2.0
// The entry points of flashlight/emulator/hopper.h.
#include "emulator/hopper.h"

namespace flashlight::emulator {

Hopper::Hopper(Block& block)
    : barriers_(block), copies_(block, barriers_), products_(block), named_(block), registers_(block) {}

std::string Hopper::waiting_text() const {
  return barriers_.waiting_text() + named_.waiting_text() + registers_.waiting_text();
}

void Hopper::finish() {
  copies_.finish();
  barriers_.finish();
}

namespace {

Hopper& hopper() { return Block::running().hopper(); }

}  // namespace

// The hardware always elects the same lane; which one is nobody's business.
bool elect_one(const std::source_location& where) {
  Block& block = Block::running();
  block.meet_warp("elect_one", nullptr, [](void* const*) {}, false, where);
  return current->thread % 32 == static_cast<int>(block.launch().options.seed % 32);
}

void sync_named(int id, int threads, const std::source_location& where) {
  hopper().named().arrive(id, threads, true, where);
}
void arrive_named(int id, int threads, const std::source_location& where) {
  hopper().named().arrive(id, threads, false, where);
}
void decrease_registers(int count, const std::source_location& where) {
  hopper().registers().set(count, false, where);
}
void increase_registers(int count, const std::source_location& where) {
  hopper().registers().set(count, true, where);
}

void barrier_init(void* barrier, int arrivals, const std::source_location& where) {
  hopper().barriers().init(barrier, arrivals, where);
}
void barrier_arrive(void* barrier, int bytes, const std::source_location& where) {
  hopper().barriers().arrive(barrier, bytes, where);
}
bool barrier_test(void* barrier, int parity, const std::source_location& where) {
  return hopper().barriers().test(barrier, parity, where);
}
void barrier_wait(void* barrier, int parity, const std::source_location& where) {
  hopper().barriers().wait(barrier, parity, where);
}
void fence_barrier_init(const std::source_location&) { hopper().barriers().fence(current->thread); }
void fence_proxy_async(const std::source_location&) {
  hopper().barriers().fence(current->thread);
  Block::running().clocks().fence_proxy(current->thread);
}

void tensor_load(void* tile, BoxRoom room, const std::uint64_t (&map)[16], void* barrier, const int* at,
                 int rank, const std::source_location& where) {
  hopper().copies().load(static_cast<unsigned char*>(tile), room, map, barrier, at, rank, where);
}
void tensor_store(const std::uint64_t (&map)[16], const int* at, int rank, const void* tile, BoxRoom room,
                  const std::source_location& where) {
  hopper().copies().store(map, at, rank, static_cast<unsigned char*>(const_cast<void*>(tile)), room, where);
}
void commit_stores(const std::source_location&) { hopper().copies().commit(current->thread); }
void wait_stores(int pending, bool written, const std::source_location&) {
  hopper().copies().wait(current->thread, pending, written);
}

void start_product(const WarpgroupProduct& product, const std::source_location& where) {
  hopper().products().start(product, where);
}
void fence_registers(CheckedRegisters& registers, const std::source_location& where) {
  if (registers.in_flight()) return pending_register("fenced", where);
  registers.fence();
}
void commit_products(const std::source_location&) { hopper().products().commit(current->thread); }
void wait_products(int pending, CheckedRegisters* const* registers, int count,
                   const std::source_location& where) {
  hopper().products().wait(current->thread, pending, registers, count, where);
}

void read_register(RegisterState& state, const std::source_location& where) {
  switch (state) {
    case RegisterState::kAccessed: break;
    case RegisterState::kFenced: state = RegisterState::kAccessed; break;
    case RegisterState::kUnwritten: uninitialised_register("accumulator", -1, where); break;
    case RegisterState::kPending: pending_register("read", where); break;
  }
}

void pending_register(const char* how, const std::source_location& where) {
  Block::running().report(FindingKind::kPendingRegister, current->thread, where,
                          std::string("a register is ") + how +
                              " that belongs to a product in flight: no wait_products has named it");
}
void outside_registers(const std::source_location& where) {
  Block::running().report(FindingKind::kIndexOutOfRange, current->thread, where,
                          "an element is named that the accumulator does not have: it has fewer columns");
}
void abandon_registers(CheckedRegisters& registers) { hopper().products().abandon(registers); }

}  // namespace flashlight::emulator
