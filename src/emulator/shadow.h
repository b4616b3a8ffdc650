// SPDX-License-Identifier: Apache-2.0
// Who accessed which bytes last: the memory half of the race detector (FastTrack: epochs, inflated to sets
// for shared reads).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "emulator/clocks.h"

namespace flashlight::emulator {

// One actor at one time: CTA (its rank in the launch, from 1), actor inside the CTA, clock. 0 is "never".
class Epoch {
 public:
  Epoch() = default;
  Epoch(std::uint32_t block, int actor, Clock clock)
      : bits_(static_cast<std::uint64_t>(block) << 36 | static_cast<std::uint64_t>(actor) << 24 |
              (clock & 0xffffffu)) {}

  static constexpr Clock kLastClock = 0xffffffu;

  bool never() const { return bits_ == 0; }
  std::uint32_t block() const { return static_cast<std::uint32_t>(bits_ >> 36); }
  int actor() const { return static_cast<int>(bits_ >> 24 & 0xfffu); }
  Clock clock() const { return static_cast<Clock>(bits_ & 0xffffffu); }
  bool operator==(const Epoch&) const = default;

 private:
  std::uint64_t bits_ = 0;
};

// A source line, numbered by findings.h.
using Site = std::uint16_t;

struct Mark {
  Epoch epoch;
  Site site = 0;
};

// An access to check: what `epoch.actor()` does on behalf of `thread`. By the async proxy: earlier writes by
// the generic proxy must have been fenced.
struct Access {
  Epoch epoch;
  Site site;
  int thread;
  bool async_proxy = false;
};

// An earlier access that is not ordered before the one at hand.
struct Conflict {
  Mark earlier;
  bool was_write;
};

// The accesses to a piece of memory that later ones may conflict with.
class Cell {
 public:
  Cell() = default;
  Cell(Cell&&) = default;
  Cell& operator=(Cell&&) = default;
  Cell(const Cell& other) { *this = other; }
  Cell& operator=(const Cell& other);

  // Records the access; returns whether it races, and then describes the earlier access.
  bool read(const Access& access, const Clocks& clocks, Conflict* conflict);
  bool write(const Access& access, const Clocks& clocks, Conflict* conflict);

 private:
  void add_reader(const Access& access, const Clocks& clocks);

  Mark write_, read_;
  // All unordered reads, where there is more than one. Of other CTAs' reads one is enough: any write
  // conflicts with it.
  std::unique_ptr<std::vector<Mark>> readers_;
};

// Cells for pages of memory. A page starts with cells of 16 bytes and is refined when a finer access comes.
class Shadow {
 public:
  void clear();
  // Records the access; returns whether it races with an earlier one, and then describes the first such.
  bool read(std::uintptr_t address, std::size_t bytes, const Access& access, const Clocks& clocks,
            Conflict* conflict);
  bool write(std::uintptr_t address, std::size_t bytes, const Access& access, const Clocks& clocks,
             Conflict* conflict);

 private:
  static constexpr std::size_t kPageBytes = 1024;
  static constexpr std::size_t kCoarsest = 16;
  struct Page {
    std::size_t granule = kCoarsest;
    std::vector<Cell> cells{kPageBytes / kCoarsest};
  };
  struct Recent {
    std::uintptr_t number = ~std::uintptr_t{0};
    Page* page = nullptr;
  };

  Page& page_of(std::uintptr_t number);
  static void refine(Page& page, std::size_t granule);
  template <class Visit> bool visit(std::uintptr_t address, std::size_t bytes, Visit visit);

  std::unordered_map<std::uintptr_t, std::unique_ptr<Page>> pages_;
  std::array<Recent, 256> recent_;
};

}  // namespace flashlight::emulator
