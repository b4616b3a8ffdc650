// SPDX-License-Identifier: Apache-2.0
// Issue, completion and wait of cp.async.
#include "emulator/async_copy.h"

#include <algorithm>
#include <cstring>

#include "emulator/block.h"

namespace flashlight::emulator {

CopyQueue::CopyQueue(Block& block) : block_(block), threads_(static_cast<std::size_t>(block.threads())) {}

void CopyQueue::issue(int thread, unsigned char* destination, const void* source, int bytes,
                      const std::source_location& where) {
  PerThread& mine = threads_[thread];
  const Actor actor{thread, block_.clocks().copy_actor(thread), mine.open};
  const bool target_ok = block_.check_shared_write(actor, destination, kChunk, ByteState::kPending, where);
  const bool source_ok = bytes == 0 || (block_.check_alignment(thread, source, kChunk, where) &&
                                        block_.check_global(actor, source, bytes, false, where));
  if (!target_ok) return;
  std::memset(destination, kPoison, kChunk);
  mine.copies.push_back({destination, source_ok ? source : nullptr, source_ok ? bytes : 0, mine.open, false});
}

void CopyQueue::perform(Copy& copy) {
  if (copy.performed) return;
  copy.performed = true;
  if (copy.bytes > 0) std::memcpy(copy.destination, copy.source, static_cast<std::size_t>(copy.bytes));
  std::memset(copy.destination + copy.bytes, 0, static_cast<std::size_t>(kChunk - copy.bytes));
}

void CopyQueue::wait(int thread, int pending) {
  PerThread& mine = threads_[thread];
  const Clock committed = mine.open - 1;
  const Clock covered = committed > static_cast<Clock>(pending) ? committed - static_cast<Clock>(pending) : 0;
  for (Copy& copy : mine.copies) {
    if (copy.group > covered) continue;
    perform(copy);
    block_.mark_initialised(copy.destination, kChunk);
  }
  std::erase_if(mine.copies, [&](const Copy& copy) { return copy.group <= covered; });
  block_.clocks().wait_copies(thread, covered);
}

bool CopyQueue::step(Random& random) {
  PerThread& chosen = threads_[random.below(threads_.size())];
  if (chosen.copies.empty()) return false;
  Copy& copy = chosen.copies[random.below(chosen.copies.size())];
  if (copy.performed) return false;
  perform(copy);
  return true;
}

}  // namespace flashlight::emulator
