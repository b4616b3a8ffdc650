// SPDX-License-Identifier: Apache-2.0
// Checked memory accesses, and the entry points of context.h.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <string>

#include "emulator/block.h"
#include "emulator/hopper.h"
#include "flashlight/emulator/context.h"

namespace flashlight::emulator {

namespace {

std::string bytes_text(std::size_t bytes) {
  return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

std::string hexadecimal(std::uintptr_t x) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(x));
  return text;
}

}  // namespace

bool Block::checks_races(const Actor& actor) const {
  return launch_.options.checks == Checks::kFull && actor.clock < Epoch::kLastClock;
}

Access Block::access(const Actor& actor, const std::source_location& where) {
  return {Epoch(rank_, actor.actor, actor.clock), launch_.sites.number(where), actor.thread,
          clocks_.is_async(actor.actor)};
}

std::string Block::actor_text(int actor) const {
  if (actor < threads()) return "thread " + std::to_string(actor);
  if (actor < 2 * threads()) return "an asynchronous copy of thread " + std::to_string(actor - threads());
  const AsyncActor& async = async_actors_[static_cast<std::size_t>(actor - 2 * threads())];
  return async.name + (async.thread < 0 ? "" : " of thread " + std::to_string(async.thread));
}

void Block::report_race(const Actor& actor, bool write, const void* address, std::size_t bytes,
                        const Conflict& conflict, const char* space, const std::source_location& where) {
  const Epoch earlier = conflict.earlier.epoch;
  // Ordered, and yet a conflict: then it is the proxies that have not been ordered.
  const bool unfenced = earlier.block() == rank_ && clocks_.is_async(actor.actor) &&
                        clocks_.knows(actor.thread, earlier.actor(), earlier.clock());
  std::string text = std::string(write ? "write" : "read") + " of " + bytes_text(bytes) + " at " + space +
                     " " +
                     hexadecimal(space[0] == 's' ? launch_.shared.offset(address)
                                                 : reinterpret_cast<std::uintptr_t>(address)) +
                     (actor.actor >= threads() ? " by " + actor_text(actor.actor) : "") +
                     (unfenced ? " lacks fence_proxy_async after the " : " is not ordered after the ") +
                     (conflict.was_write ? "write" : "read") + " by " + actor_text(earlier.actor());
  if (earlier.block() != rank_) text += " of another CTA";
  text += " at " + to_string(launch_.sites[conflict.earlier.site]);
  report(unfenced ? FindingKind::kMissingFence : FindingKind::kRace, actor.thread, where, std::move(text));
}

bool Block::check_alignment(int thread, const void* address, std::size_t bytes,
                            const std::source_location& where) {
  if (launch_.options.checks == Checks::kOff || reinterpret_cast<std::uintptr_t>(address) % bytes == 0)
    return true;
  report(FindingKind::kMisaligned, thread, where,
         "access of " + bytes_text(bytes) + " at " + hexadecimal(reinterpret_cast<std::uintptr_t>(address)));
  return false;
}

bool Block::report_outside(const char* access, const Actor& actor, std::size_t bytes,
                           const std::source_location& where) {
  report(FindingKind::kOutOfBoundsShared, actor.thread, where,
         std::string(access) + " of " + bytes_text(bytes) + " outside the CTA's " +
             bytes_text(launch_.shared.state.size()) + " of shared memory");
  return false;
}

bool Block::check_shared_read(const Actor& actor, const void* address, std::size_t bytes,
                              const std::source_location& where) {
  if (launch_.options.checks == Checks::kOff) return true;
  if (!launch_.shared.contains(address, bytes)) return report_outside("read", actor, bytes, where);
  return check_alignment(actor.thread, address, bytes, where) && record_read(actor, address, bytes, where);
}

bool Block::check_shared_range(const Actor& actor, const void* address, std::size_t bytes,
                               const std::source_location& where) {
  if (launch_.options.checks == Checks::kOff) return true;
  if (!launch_.shared.contains(address, bytes)) return report_outside("read", actor, bytes, where);
  return record_read(actor, address, bytes, where);
}

bool Block::check_shared_write(const Actor& actor, const void* address, std::size_t bytes, ByteState becomes,
                               const std::source_location& where) {
  if (launch_.options.checks == Checks::kOff) return true;
  if (!launch_.shared.contains(address, bytes)) return report_outside("write", actor, bytes, where);
  return check_alignment(actor.thread, address, bytes, where) &&
         record_write(actor, address, bytes, becomes, where);
}

bool Block::check_shared_fill(const Actor& actor, const void* address, std::size_t bytes, ByteState becomes,
                              const std::source_location& where) {
  if (launch_.options.checks == Checks::kOff) return true;
  if (!launch_.shared.contains(address, bytes)) return report_outside("write", actor, bytes, where);
  return record_write(actor, address, bytes, becomes, where);
}

namespace {

// The first byte that holds nothing to read, or null.
const ByteState* first_unreadable(const ByteState* state, std::size_t bytes) {
  static constexpr std::array<ByteState, 128> kReadable = [] {
    std::array<ByteState, 128> states{};
    states.fill(ByteState::kInitialised);
    return states;
  }();
  for (std::size_t i = 0; i < bytes; i += kReadable.size()) {
    const std::size_t part = std::min(bytes - i, kReadable.size());
    if (std::memcmp(state + i, kReadable.data(), part) == 0) continue;
    return std::find_if(state + i, state + i + part,
                        [](ByteState s) { return s != ByteState::kInitialised; });
  }
  return nullptr;
}

const char* unreadable_text(ByteState state) {
  switch (state) {
    case ByteState::kPending:
      return ", which an asynchronous copy is still writing: nobody has waited for it";
    case ByteState::kBarrier: return ", which is a barrier";
    default: return ", which nothing has written";
  }
}

}  // namespace

bool Block::record_read(const Actor& actor, const void* address, std::size_t bytes,
                        const std::source_location& where) {
  SharedMemory& shared = launch_.shared;
  if (const ByteState* const bad = first_unreadable(shared.state.data() + shared.offset(address), bytes)) {
    report(*bad == ByteState::kPending   ? FindingKind::kPendingCopy
           : *bad == ByteState::kBarrier ? FindingKind::kBarrier
                                         : FindingKind::kUninitialisedShared,
           actor.thread, where,
           "read of " + bytes_text(bytes) + " at shared " + hexadecimal(shared.offset(address)) +
               unreadable_text(*bad));
    return true;  // the poison goes on: it is what the program would compute with
  }
  Conflict conflict;
  if (checks_races(actor) &&
      shared.shadow.read(shared.offset(address), bytes, access(actor, where), clocks_, &conflict)) {
    report_race(actor, false, address, bytes, conflict, "shared", where);
  }
  return true;
}

bool Block::record_write(const Actor& actor, const void* address, std::size_t bytes, ByteState becomes,
                         const std::source_location& where) {
  SharedMemory& shared = launch_.shared;
  if (hopper_ && hopper_->barriers().covers(shared.offset(address), bytes)) {
    report(FindingKind::kBarrier, actor.thread, where,
           "write of " + bytes_text(bytes) + " at shared " + hexadecimal(shared.offset(address)) +
               unreadable_text(ByteState::kBarrier));
    return false;
  }
  Conflict conflict;
  if (checks_races(actor) &&
      shared.shadow.write(shared.offset(address), bytes, access(actor, where), clocks_, &conflict)) {
    report_race(actor, true, address, bytes, conflict, "shared", where);
  }
  std::fill_n(shared.state.data() + shared.offset(address), bytes, becomes);
  return true;
}

void Block::mark_initialised(const void* address, std::size_t bytes) {
  std::fill_n(launch_.shared.state.data() + launch_.shared.offset(address), bytes, ByteState::kInitialised);
}

bool Block::check_global(const Actor& actor, const void* address, std::size_t bytes, bool write,
                         const std::source_location& where) {
  if (launch_.options.checks == Checks::kOff) return true;
  if (!launch_.allocated(address, bytes)) {
    report(FindingKind::kOutOfBoundsGlobal, actor.thread, where,
           std::string(write ? "write" : "read") + " of " + bytes_text(bytes) + " at " +
               hexadecimal(reinterpret_cast<std::uintptr_t>(address)) + ", outside every allocation");
    return false;
  }
  if (!checks_races(actor)) return true;
  const auto number = reinterpret_cast<std::uintptr_t>(address);
  Conflict conflict;
  const Access a = access(actor, where);
  if (write ? launch_.global.write(number, bytes, a, clocks_, &conflict)
            : launch_.global.read(number, bytes, a, clocks_, &conflict)) {
    report_race(actor, write, address, bytes, conflict, "global", where);
  }
  return true;
}

// The entry points.

unsigned char* shared_memory(const std::source_location& where) {
  LaunchState& launch = Block::running().launch();
  if (launch.kernel.empty()) launch.kernel = function_name(where.function_name());
  return launch.shared.base;
}

void count(const char* event) {
  if (current->thread == 0) Block::running().launch().count(event);
}

void sync_threads(const std::source_location& where) { Block::running().sync_threads(where); }

bool sync_threads_or(bool vote, const std::source_location& where) {
  return Block::running().sync_threads_or(vote, where);
}

void sync_warp(const std::source_location& where) {
  Block::running().meet_warp("sync_warp", nullptr, nullptr, true, where);
}

void collective(const char* name, void* argument, CollectiveAction action,
                const std::source_location& where) {
  Block::running().meet_warp(name, argument, action, false, where);
}

void shared_load(int thread, const void* address, void* out, std::size_t bytes,
                 const std::source_location& where) {
  Block& block = Block::running();
  if (block.check_shared_read(block.actor(thread), address, bytes, where)) std::memcpy(out, address, bytes);
}

void shared_store(int thread, void* address, const void* in, std::size_t bytes,
                  const std::source_location& where) {
  Block& block = Block::running();
  const Actor actor = block.actor(thread);
  if (block.check_shared_write(actor, address, bytes, ByteState::kInitialised, where))
    std::memcpy(address, in, bytes);
}

void global_load(const void* address, void* out, std::size_t bytes, const std::source_location& where) {
  Block& block = Block::running();
  if (block.check_global(block.actor(current->thread), address, bytes, false, where))
    std::memcpy(out, address, bytes);
}

void global_store(void* address, const void* in, std::size_t bytes, const std::source_location& where) {
  Block& block = Block::running();
  if (block.check_global(block.actor(current->thread), address, bytes, true, where))
    std::memcpy(address, in, bytes);
}

void async_copy(void* destination, const void* source, int bytes, const std::source_location& where) {
  Block::running().copies().issue(current->thread, static_cast<unsigned char*>(destination), source, bytes,
                                  where);
}

void commit_group(const std::source_location&) { Block::running().copies().commit(current->thread); }

void wait_group(int pending, const std::source_location&) {
  Block::running().copies().wait(current->thread, pending);
}

void uninitialised_register(const char* what, int thread, const std::source_location& where) {
  Block::running().report(FindingKind::kUninitialisedRegister, thread < 0 ? current->thread : thread, where,
                          std::string("read of an ") + what + " that nothing has written");
}

void divergent_operands(const char* name, const std::source_location& where) {
  Block::running().report(FindingKind::kDivergence, current->thread, where,
                          std::string("lanes of a warp call ") + name + " with different operands");
}

void invalid_operand(const char* name, const char* why, const std::source_location& where) {
  Block::running().report(FindingKind::kInvalidOperand, current->thread, where,
                          std::string(name) + ": " + why);
}

void index_out_of_range(long long index, long long size, const std::source_location& where) {
  Block::running().report(
      FindingKind::kIndexOutOfRange, current->thread, where,
      "index " + std::to_string(index) + " is out of range for an axis of " + std::to_string(size));
}

}  // namespace flashlight::emulator
