// SPDX-License-Identifier: Apache-2.0
// Named barriers and the register file.
#include "emulator/warpgroups.h"

#include <utility>

#include "emulator/hopper.h"

namespace flashlight::emulator {

void NamedBarriers::arrive(int id, int threads, bool waits, const std::source_location& where) {
  const int thread = current->thread;
  if (id < 1 || id > 15 || threads < 32 || threads % 32 != 0 || threads > block_.threads()) {
    return block_.report(FindingKind::kDivergence, thread, where,
                         "named barrier " + std::to_string(id) + " for " + std::to_string(threads) +
                             " threads: the numbers are 1 to 15, and whole warps of the CTA meet");
  }
  Named& b = barriers_[static_cast<std::size_t>(id)];
  if (b.arrived == 0) {
    b.threads = threads;
    b.first_at = where;
  } else if (b.threads != threads) {
    block_.report(FindingKind::kDivergence, thread, where,
                  "named barrier " + std::to_string(id) + " for " + std::to_string(threads) +
                      " threads, and for " + std::to_string(b.threads) + " at " +
                      to_string(Sites::Line{b.first_at.file_name(), b.first_at.line()}));
  }
  block_.clocks().release(thread, b.seen);
  if (++b.arrived < b.threads) {
    if (!waits) return;
    b.waiting.push_back(thread);
    return block_.wait("sync_named", where);
  }
  b.arrived = 0;
  const auto seen = std::make_shared<const VectorClock>(std::exchange(b.seen, {}));
  if (waits) block_.clocks().acquire(thread, seen);
  for (int other : std::exchange(b.waiting, {})) {
    block_.clocks().acquire(other, seen);
    block_.wake(other);
  }
}

std::string NamedBarriers::waiting_text() const {
  std::string text;
  for (std::size_t id = 0; id < barriers_.size(); ++id) {
    const Named& b = barriers_[id];
    if (b.arrived == 0) continue;
    text += "; " + std::to_string(b.arrived) + " of " + std::to_string(b.threads) +
            " threads are at named barrier " + std::to_string(id);
  }
  return text;
}

namespace {

constexpr int kRegisters = 65536, kMostEach = 255;

}  // namespace

struct RegisterFile::Request {
  int thread, count;
  bool increase;
  std::source_location where;
};

// As __launch_bounds__(threads, 1) lets the compiler choose. What that rounds away belongs to no CTA: only what a
// warpgroup gives back can be had by another.
RegisterFile::RegisterFile(Block& block)
    : block_(block), free_(0), groups_(static_cast<std::size_t>(block.threads() / 128)) {
  const int each = std::min(kRegisters / block.threads(), kMostEach + 1) / 8 * 8;
  for (Warpgroup& g : groups_) g.registers = each;
}

void RegisterFile::set(int count, bool increase, const std::source_location& where) {
  const int thread = current->thread;
  const std::size_t number = static_cast<std::size_t>(thread / 128);
  if (number >= groups_.size()) {
    return block_.report(FindingKind::kRegisterCount, thread, where,
                         "registers are set by whole warpgroups, and these warps make up none");
  }
  Request request{thread, count, increase, where};
  Warpgroup& group = groups_[number];
  block_.meet_warpgroup(
      group.meeting, "the setting of a warpgroup's registers", &request,
      [](void* const* threads) { Block::running().hopper().registers().change(threads); }, where);
  while (increase && group.registers < count) {
    if (count - group.registers <= free_) {
      free_ -= count - group.registers;
      group.registers = count;
    } else {
      waiting_.push_back(thread);
      block_.wait("increase_registers", where);
    }
  }
}

// All of the warpgroup have come.
void RegisterFile::change(void* const* threads) {
  const Request& first = *static_cast<const Request*>(threads[0]);
  Warpgroup& group = groups_[static_cast<std::size_t>(first.thread / 128)];
  const auto refuse = [&](const std::string& why) {
    block_.report(FindingKind::kRegisterCount, first.thread, first.where, why);
    group.registers = first.count;
  };
  for (int t = 1; t < 128; ++t) {
    const Request& other = *static_cast<const Request*>(threads[t]);
    if (other.count != first.count || other.increase != first.increase)
      return refuse("threads of a warpgroup set different numbers of registers");
  }
  if (first.count < 24 || first.count > 256 || first.count % 8 != 0)
    return refuse(std::to_string(first.count) + " registers: they are set to 24 to 256, in steps of 8");
  const int more = first.count - group.registers;
  if (first.increase ? more < 0 : more > 0) {
    return refuse(std::string(first.increase ? "an increase" : "a decrease") + " to " +
                  std::to_string(first.count) + " registers, from " + std::to_string(group.registers));
  }
  int least = 0;  // that the others will keep for ever
  for (const Warpgroup& other : groups_) least += &other == &group ? first.count : 24;
  if (least > kRegisters / 128) return refuse("more registers than an SM has for all warpgroups");
  if (more > free_) return;  // each thread waits for them
  free_ -= more;
  group.registers = first.count;
  if (more < 0) {
    for (int waiting : std::exchange(waiting_, {})) block_.wake(waiting);
  }
}

std::string RegisterFile::waiting_text() const {
  if (waiting_.empty()) return "";
  int held = 0;
  for (const Warpgroup& g : groups_) held += 128 * g.registers;
  return "; the warpgroups hold " + std::to_string(held) + " of 65536 registers";
}

}  // namespace flashlight::emulator
