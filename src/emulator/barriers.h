// SPDX-License-Identifier: Apache-2.0
// Barriers in shared memory: phases of arrivals and bytes, and who has seen what through them.
#pragma once

#include <memory>
#include <source_location>
#include <string>
#include <vector>

#include "emulator/clocks.h"
#include "emulator/findings.h"

namespace flashlight::emulator {

class Block;

// Bytes of a bulk load in flight, or arrived and not yet waited for.
struct BulkBytes {
  unsigned char* tile;
  std::size_t bytes;
  int thread;  // that started the load
  std::source_location where;
};

struct MemoryBarrier {
  const unsigned char* address;
  int actor;  // of the bytes that arrive; their clock is the number of their phase, from 1
  int arrivals, missing;
  long long bytes = 0;  // announced and not arrived
  Clock phase = 1;      // that runs now
  int init_thread;
  Clock init_clock;
  std::source_location init_at;
  bool fenced = false;                    // the async proxy knows it
  VectorClock arriving;                   // what those who have arrived in this phase have seen
  SharedClock completed;                  // and in the last
  std::vector<BulkBytes> landed, unseen;  // loads of this phase; of earlier ones that nobody has waited for
  std::vector<int> waiting;
};

class Barriers {
 public:
  explicit Barriers(Block& block) : block_(block) {}

  void init(const void* address, int arrivals, const std::source_location& where);
  void arrive(const void* address, int bytes, const std::source_location& where);
  bool test(const void* address, int parity, const std::source_location& where);
  void wait(const void* address, int parity, const std::source_location& where);
  // The barriers that the thread has initialised are known to the async proxy.
  void fence(int thread);

  // The barrier, if the current thread may use it now; otherwise a finding and null.
  MemoryBarrier* find(const void* address, const std::source_location& where);
  // A load that was issued in `phase` has arrived.
  void bytes_arrived(MemoryBarrier& barrier, Clock phase, const BulkBytes& bytes);

  bool covers(std::size_t offset, std::size_t bytes) const;
  // "; barrier at ... lacks ..." for those that threads wait for.
  std::string waiting_text() const;
  // Loads that nobody has waited for are findings.
  void finish();

 private:
  static bool complete(const MemoryBarrier& barrier, int parity) {
    return static_cast<int>((barrier.phase - 1) & 1) != parity;
  }
  void advance_if_complete(MemoryBarrier& barrier);
  void see(MemoryBarrier& barrier);

  Block& block_;
  std::vector<std::unique_ptr<MemoryBarrier>> barriers_;  // few; addresses of entries are kept
};

}  // namespace flashlight::emulator
