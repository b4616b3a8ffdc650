// SPDX-License-Identifier: Apache-2.0
// Issue, completion and wait of bulk copies.
#include "emulator/bulk_copies.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "emulator/block.h"

namespace flashlight::emulator {

namespace {

constexpr int kChunk = 16;
constexpr std::size_t kLongestDelay = 64;  // of an arrival, in steps of this agent

}  // namespace

BulkCopies::BulkCopies(Block& block, Barriers& barriers) : block_(block), barriers_(barriers) {
  block.add_agent(*this);
}

bool BulkCopies::make_box(Box& box, const std::uint64_t (&map)[16], const int* at, int rank,
                          unsigned char* tile, BoxRoom room, const std::source_location& where) {
  const int thread = current->thread;
  const auto refuse = [&](FindingKind kind, std::string text) {
    block_.report(kind, thread, where, std::move(text));
    return false;
  };
  TensorLayout& t = box.tensor;
  if (!decode(map, t)) return refuse(FindingKind::kInvalidOperand, "this is no tensor map");
  if (rank != t.rank) {
    return refuse(FindingKind::kInvalidOperand, std::to_string(rank) + " coordinates for a tensor map of " +
                                                    std::to_string(t.rank) + " axes");
  }
  box.tile = tile;
  box.rows = t.box[1];
  box.row_bytes = t.box[0] * t.element_bytes;
  const int span = t.swizzle == 0 ? 0 : 16 << t.swizzle;
  if (box.rows != room.rows || box.row_bytes != room.row_bytes || span != room.row_bytes) {
    refuse(FindingKind::kInvalidOperand,
           "the tensor map is for boxes of " + std::to_string(box.rows) + " rows of " +
               std::to_string(box.row_bytes) + " bytes, swizzled over " + std::to_string(span) +
               ", the tile has " + std::to_string(room.rows) + " of " + std::to_string(room.row_bytes));
  }
  if (block_.launch().shared.offset(tile) % static_cast<std::size_t>(8 * room.row_bytes) != 0) {
    return refuse(FindingKind::kMisaligned, "the tile does not start at a multiple of " +
                                                std::to_string(8 * room.row_bytes) + " bytes");
  }
  std::copy_n(at, rank, box.at);
  return true;
}

template <class Visit> void BulkCopies::for_each_run(const Box& box, Visit visit) {
  const TensorLayout& t = box.tensor;
  auto* base = static_cast<unsigned char*>(t.base);
  for (int i = 2; i < t.rank; ++i) {
    if (box.at[i] < 0 || static_cast<std::uint64_t>(box.at[i]) >= t.sizes[i]) return;
    base += static_cast<std::uint64_t>(box.at[i]) * t.strides[i - 1];
  }
  const long long cols = static_cast<long long>(t.sizes[0]), rows = static_cast<long long>(t.sizes[1]);
  const long long first = std::max(0, box.at[0]);
  const long long last = std::min<long long>(cols, box.at[0] + box.row_bytes / t.element_bytes);
  if (first >= last) return;
  for (int row = 0; row < box.rows; ++row) {
    const long long from = static_cast<long long>(box.at[1]) + row;
    if (from < 0 || from >= rows) continue;
    visit(row, static_cast<int>(first - box.at[0]) * t.element_bytes,
          base + static_cast<std::uint64_t>(from) * t.strides[0] + first * t.element_bytes,
          static_cast<int>(last - first) * t.element_bytes);
  }
}

template <class Move>
void BulkCopies::for_each_chunk(const Box& box, int row, int first, int bytes, Move move) const {
  const std::size_t mask = box.tensor.swizzle == 0 ? 0 : (std::size_t{1} << box.tensor.swizzle) - 1;
  unsigned char* const shared = block_.launch().shared.base;
  const auto start =
      static_cast<std::size_t>(box.tile - shared) + static_cast<std::size_t>(row * box.row_bytes);
  for (int done = 0; done < bytes;) {
    const int inside = first + done, part = std::min(bytes - done, kChunk - inside % kChunk);
    const std::size_t linear = start + static_cast<std::size_t>(inside);
    move(shared + (linear ^ ((linear >> 7 & mask) << 4)), done, part);
    done += part;
  }
}

void BulkCopies::load(unsigned char* tile, BoxRoom room, const std::uint64_t (&map)[16], const void* barrier,
                      const int* at, int rank, const std::source_location& where) {
  const int thread = current->thread;
  MemoryBarrier* const b = barriers_.find(barrier, where);
  Box box;
  if (!b || !make_box(box, map, at, rank, tile, room, where)) return;
  if (!b->fenced) {
    block_.report(FindingKind::kMissingFence, thread, where,
                  "the barrier's initialisation lacks fence_barrier_init: a bulk load may not find it");
  }
  const Actor actor{thread, b->actor, b->phase};
  const std::size_t bytes = static_cast<std::size_t>(box.rows * box.row_bytes);
  if (!block_.check_shared_fill(actor, tile, bytes, ByteState::kPending, where)) return;
  bool readable = true;
  for_each_run(box, [&](int, int, const unsigned char* from, int count) {
    readable = readable && block_.check_global(actor, from, static_cast<std::size_t>(count), false, where);
  });
  std::memset(tile, kPoison, bytes);
  if (!readable) box.tensor.sizes[1] = 0;  // nothing of it is read
  const int delay = static_cast<int>(block_.launch().random.below(kLongestDelay));
  loads_.push_back({box, b, b->phase, delay, {tile, bytes, thread, where}});
}

void BulkCopies::perform(const Load& load) {
  std::memset(load.bytes.tile, 0, load.bytes.bytes);
  for_each_run(load.box, [&](int row, int first, const unsigned char* from, int bytes) {
    for_each_chunk(load.box, row, first, bytes,
                   [&](unsigned char* chunk, int done, int part) { std::memcpy(chunk, from + done, part); });
  });
  barriers_.bytes_arrived(*load.barrier, load.phase, load.bytes);
}

BulkCopies::Stores& BulkCopies::stores_of(int thread) {
  const auto [found, fresh] = stores_.try_emplace(thread);
  if (fresh) {
    found->second.reader = block_.add_actor("the reading of a bulk store", thread);
    found->second.writer = block_.add_actor("a bulk store", thread);
  }
  return found->second;
}

void BulkCopies::store(const std::uint64_t (&map)[16], const int* at, int rank, unsigned char* tile,
                       BoxRoom room, const std::source_location& where) {
  const int thread = current->thread;
  Box box;
  if (!make_box(box, map, at, rank, tile, room, where)) return;
  Stores& mine = stores_of(thread);
  const std::size_t bytes = static_cast<std::size_t>(box.rows * box.row_bytes);
  if (!block_.check_shared_range({thread, mine.reader, mine.open}, tile, bytes, where)) return;
  const Actor writer{thread, mine.writer, mine.open};
  bool writable = true;
  for_each_run(box, [&](int, int, const unsigned char* to, int count) {
    writable = writable && block_.check_global(writer, to, static_cast<std::size_t>(count), true, where);
  });
  if (writable) mine.stores.push_back({box, mine.open, false, where});
}

void BulkCopies::perform(Store& store) {
  if (store.performed) return;
  store.performed = true;
  for_each_run(store.box, [&](int row, int first, unsigned char* to, int bytes) {
    for_each_chunk(store.box, row, first, bytes, [&](const unsigned char* chunk, int done, int part) {
      std::memcpy(to + done, chunk, part);
    });
  });
}

void BulkCopies::commit(int thread) { ++stores_of(thread).open; }

void BulkCopies::wait(int thread, int pending, bool written) {
  const auto found = stores_.find(thread);
  if (found == stores_.end()) return;  // it has stored nothing
  Stores& mine = found->second;
  const Clock committed = mine.open - 1;
  const Clock covered = committed > static_cast<Clock>(pending) ? committed - static_cast<Clock>(pending) : 0;
  for (Store& s : mine.stores) {
    if (s.group <= covered) perform(s);
  }
  std::erase_if(mine.stores, [&](const Store& s) { return s.group <= covered; });
  block_.clocks().learn(thread, mine.reader, covered);
  if (written) block_.clocks().learn(thread, mine.writer, covered);
}

bool BulkCopies::step(Random& random) {
  bool progress = false;
  if (!loads_.empty()) {
    const std::size_t i = random.below(loads_.size());
    progress = true;
    if (loads_[i].delay-- <= 0) {
      const Load load = loads_[i];
      loads_[i] = loads_.back();
      loads_.pop_back();
      perform(load);
    }
  }
  for (auto& [thread, mine] : stores_) {
    if (!mine.stores.empty() && random.below(kLongestDelay) == 0)
      perform(mine.stores[random.below(mine.stores.size())]);
  }
  return progress;
}

void BulkCopies::finish() {
  for (const Load& load : loads_) {
    block_.report(FindingKind::kPendingCopy, load.bytes.thread, load.bytes.where,
                  "the CTA ends while this load is in flight");
  }
  for (const auto& [thread, mine] : stores_) {
    for (const Store& store : mine.stores) {
      block_.report(FindingKind::kPendingCopy, thread, store.where,
                    "the thread ends without having waited until this store has read its tile");
    }
  }
}

}  // namespace flashlight::emulator
