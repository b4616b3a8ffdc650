// SPDX-License-Identifier: Apache-2.0
// Arrivals, phases and waits of barriers in shared memory.
#include "emulator/barriers.h"

#include <algorithm>
#include <utility>

#include "emulator/block.h"

namespace flashlight::emulator {

namespace {

constexpr std::size_t kBytes = 8;
constexpr int kMostArrivals = (1 << 20) - 1;
constexpr long long kMostBytes = (1 << 20) - 1;

std::string line_of(const std::source_location& where) {
  return to_string(Sites::Line{where.file_name(), where.line()});
}

}  // namespace

void Barriers::init(const void* address, int arrivals, const std::source_location& where) {
  const int thread = current->thread;
  SharedMemory& shared = block_.launch().shared;
  if (!shared.contains(address, kBytes)) {
    return block_.report(FindingKind::kOutOfBoundsShared, thread, where,
                         "a barrier outside the CTA's shared memory");
  }
  if (shared.offset(address) % kBytes != 0)
    return block_.report(FindingKind::kMisaligned, thread, where, "a barrier that is not 8-byte aligned");
  if (arrivals < 1 || arrivals > kMostArrivals) {
    return block_.report(FindingKind::kBarrier, thread, where,
                         "a barrier of " + std::to_string(arrivals) + " arrivals");
  }
  if (covers(shared.offset(address), kBytes))
    return block_.report(FindingKind::kBarrier, thread, where, "the barrier is initialised already");
  const Actor actor = block_.actor(thread);
  if (!block_.check_shared_write(actor, address, kBytes, ByteState::kBarrier, where)) return;
  auto barrier = std::make_unique<MemoryBarrier>();
  barrier->address = static_cast<const unsigned char*>(address);
  barrier->actor = block_.add_actor("a bulk load", -1);
  barrier->arrivals = barrier->missing = arrivals;
  barrier->init_thread = thread;
  barrier->init_clock = actor.clock;
  barrier->init_at = where;
  barriers_.push_back(std::move(barrier));
}

void Barriers::fence(int thread) {
  for (auto& b : barriers_) {
    if (b->init_thread == thread) b->fenced = true;
  }
}

MemoryBarrier* Barriers::find(const void* address, const std::source_location& where) {
  const int thread = current->thread;
  const auto found =
      std::find_if(barriers_.begin(), barriers_.end(), [&](const auto& b) { return b->address == address; });
  if (found == barriers_.end()) {
    block_.report(FindingKind::kBarrier, thread, where, "the barrier has not been initialised");
    return nullptr;
  }
  MemoryBarrier& b = **found;
  if (block_.launch().options.checks == Checks::kFull &&
      !block_.clocks().knows(thread, b.init_thread, b.init_clock)) {
    block_.report(FindingKind::kRace, thread, where,
                  "use of a barrier that is not ordered after its initialisation by thread " +
                      std::to_string(b.init_thread) + " at " + line_of(b.init_at));
  }
  return &b;
}

void Barriers::arrive(const void* address, int bytes, const std::source_location& where) {
  MemoryBarrier* const b = find(address, where);
  if (!b) return;
  const int thread = current->thread;
  if (b->missing == 0) {
    return block_.report(FindingKind::kBarrier, thread, where,
                         "more arrivals than the barrier's " + std::to_string(b->arrivals) +
                             " in one phase (initialised at " + line_of(b->init_at) + ")");
  }
  b->bytes += bytes;
  if (bytes < 0 || b->bytes > kMostBytes)
    return block_.report(FindingKind::kBarrier, thread, where,
                         "more bytes announced than a barrier can count");
  block_.clocks().release(thread, b->arriving);
  --b->missing;
  advance_if_complete(*b);
}

void Barriers::bytes_arrived(MemoryBarrier& b, Clock phase, const BulkBytes& load) {
  if (phase != b.phase) {
    block_.report(FindingKind::kBarrier, load.thread, load.where,
                  "the barrier's phase was complete before these " + std::to_string(load.bytes) +
                      " bytes arrived: too few were announced (initialised at " + line_of(b.init_at) + ")");
  }
  b.bytes -= static_cast<long long>(load.bytes);
  b.landed.push_back(load);
  advance_if_complete(b);
}

void Barriers::advance_if_complete(MemoryBarrier& b) {
  if (b.missing > 0 || b.bytes != 0) return;
  const std::size_t own = block_.clocks().index(b.actor);
  if (b.arriving.size() <= own) b.arriving.resize(own + 1, 0);
  b.arriving[own] = b.phase;
  b.completed = std::make_shared<const VectorClock>(std::exchange(b.arriving, {}));
  b.unseen.insert(b.unseen.end(), b.landed.begin(), b.landed.end());
  b.landed.clear();
  b.missing = b.arrivals;
  ++b.phase;
  for (int thread : std::exchange(b.waiting, {})) block_.wake(thread);
}

// The current thread has found the last phase complete.
void Barriers::see(MemoryBarrier& b) {
  block_.clocks().acquire(current->thread, b.completed);
  for (const BulkBytes& load : b.unseen) block_.mark_initialised(load.tile, load.bytes);
  b.unseen.clear();
}

bool Barriers::test(const void* address, int parity, const std::source_location& where) {
  MemoryBarrier* const b = find(address, where);
  if (!b) return true;
  if (complete(*b, parity)) {
    see(*b);
    return true;
  }
  block_.yield("Barrier::test", where);
  return false;
}

void Barriers::wait(const void* address, int parity, const std::source_location& where) {
  MemoryBarrier* const b = find(address, where);
  if (!b) return;
  while (!complete(*b, parity)) {
    b->waiting.push_back(current->thread);
    block_.wait("Barrier::wait", where);
  }
  see(*b);
}

bool Barriers::covers(std::size_t offset, std::size_t bytes) const {
  const auto* const first = block_.launch().shared.base + offset;
  return std::any_of(barriers_.begin(), barriers_.end(), [&](const auto& b) {
    return b->address < first + bytes && first < b->address + kBytes;
  });
}

std::string Barriers::waiting_text() const {
  std::string text;
  for (const auto& b : barriers_) {
    if (b->waiting.empty()) continue;
    text += "; the barrier at shared " + std::to_string(block_.launch().shared.offset(b->address)) +
            " (initialised at " + line_of(b->init_at) + ") is in phase " + std::to_string(b->phase - 1) +
            ": " + std::to_string(b->missing) + " of " + std::to_string(b->arrivals) + " arrivals missing";
    if (b->bytes > 0) text += ", " + std::to_string(b->bytes) + " bytes missing";
    if (b->bytes < 0) text += ", " + std::to_string(-b->bytes) + " bytes more than announced";
  }
  return text;
}

void Barriers::finish() {
  for (const auto& b : barriers_) {
    for (const auto* loads : {&b->landed, &b->unseen}) {
      for (const BulkBytes& load : *loads) {
        block_.report(FindingKind::kPendingCopy, load.thread, load.where,
                      "the CTA ends and no thread has waited for this load");
      }
    }
  }
}

}  // namespace flashlight::emulator
