// SPDX-License-Identifier: Apache-2.0
// Bulk copies of a CTA (TMA): boxes of tensors, moved at a seeded moment after they are issued.
#pragma once

#include <map>
#include <source_location>
#include <vector>

#include "emulator/async_agent.h"
#include "emulator/barriers.h"
#include "flashlight/emulator/hopper.h"
#include "flashlight/emulator/tensor_map.h"

namespace flashlight::emulator {

class BulkCopies : public AsyncAgent {
 public:
  BulkCopies(Block& block, Barriers& barriers);

  void load(unsigned char* tile, BoxRoom room, const std::uint64_t (&map)[16], const void* barrier,
            const int* at, int rank, const std::source_location& where);
  void store(const std::uint64_t (&map)[16], const int* at, int rank, unsigned char* tile, BoxRoom room,
             const std::source_location& where);
  void commit(int thread);
  void wait(int thread, int pending, bool written);

  bool step(Random& random) override;
  // Copies that go on after the CTA's end are findings.
  void finish();

 private:
  // A box in a tensor: its rows in global memory, its 16-byte chunks in the tile.
  struct Box {
    TensorLayout tensor;
    int at[5];
    unsigned char* tile;
    int rows, row_bytes;
  };
  struct Load {
    Box box;
    MemoryBarrier* barrier;
    Clock phase;
    int delay;
    BulkBytes bytes;
  };
  struct Store {
    Box box;
    Clock group;
    bool performed;
    std::source_location where;
  };
  struct Stores {        // of a thread
    int reader, writer;  // actors
    Clock open = 1, read = 0;
    std::vector<Store> stores;
  };

  bool make_box(Box& box, const std::uint64_t (&map)[16], const int* at, int rank, unsigned char* tile,
                BoxRoom room, const std::source_location& where);
  // Visits the rows' parts that lie inside the tensor: visit(row, first byte in the row, address, bytes).
  template <class Visit> static void for_each_run(const Box& box, Visit visit);
  // Copies between the tile's swizzled row and `run`.
  template <class Move> void for_each_chunk(const Box& box, int row, int first, int bytes, Move move) const;
  void perform(const Load& load);
  void perform(Store& store);
  Stores& stores_of(int thread);

  Block& block_;
  Barriers& barriers_;
  std::vector<Load> loads_;
  std::map<int, Stores> stores_;
};

}  // namespace flashlight::emulator
