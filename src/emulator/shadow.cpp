// SPDX-License-Identifier: Apache-2.0
// The race detector's state transitions, and its pages.
#include "emulator/shadow.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace flashlight::emulator {

namespace {

// Is the earlier access ordered before what this one does? Nothing orders two CTAs of a launch.
bool ordered(const Mark& mark, const Access& access, const Clocks& clocks) {
  if (mark.epoch.never()) return true;
  if (mark.epoch.block() != access.epoch.block()) return false;
  return clocks.knows(access.thread, mark.epoch.actor(), mark.epoch.clock());
}

bool write_ordered(const Mark& mark, const Access& access, const Clocks& clocks) {
  if (!ordered(mark, access, clocks)) return false;
  return !access.async_proxy || mark.epoch.never() ||
         clocks.knows_fenced(access.thread, mark.epoch.actor(), mark.epoch.clock());
}

}  // namespace

Cell& Cell::operator=(const Cell& other) {
  if (this == &other) return *this;
  write_ = other.write_;
  read_ = other.read_;
  readers_ = other.readers_ ? std::make_unique<std::vector<Mark>>(*other.readers_) : nullptr;
  return *this;
}

bool Cell::read(const Access& access, const Clocks& clocks, Conflict* conflict) {
  if (read_.epoch == access.epoch) return false;
  const bool races = !write_ordered(write_, access, clocks);
  if (races) *conflict = {write_, true};
  if (readers_ || !ordered(read_, access, clocks)) add_reader(access, clocks);
  read_ = {access.epoch, access.site};
  return races;
}

void Cell::add_reader(const Access& access, const Clocks& clocks) {
  if (!readers_) readers_ = std::make_unique<std::vector<Mark>>(1, read_);
  bool other_block = false;
  std::erase_if(*readers_, [&](const Mark& m) {
    if (m.epoch.block() != access.epoch.block()) return std::exchange(other_block, true);
    return ordered(m, access, clocks);
  });
  readers_->push_back({access.epoch, access.site});
}

bool Cell::write(const Access& access, const Clocks& clocks, Conflict* conflict) {
  bool races = false;
  if (!write_ordered(write_, access, clocks)) {
    *conflict = {write_, true};
    races = true;
  } else if (readers_) {
    const auto reader = std::find_if(readers_->begin(), readers_->end(),
                                     [&](const Mark& m) { return !ordered(m, access, clocks); });
    races = reader != readers_->end();
    if (races) *conflict = {*reader, false};
  } else if (!ordered(read_, access, clocks)) {
    *conflict = {read_, false};
    races = true;
  }
  write_ = {access.epoch, access.site};
  read_ = {};
  readers_.reset();
  return races;
}

void Shadow::clear() {
  pages_.clear();
  recent_.fill({});
}

Shadow::Page& Shadow::page_of(std::uintptr_t number) {
  Recent& recent = recent_[number % recent_.size()];
  if (recent.number != number) {
    std::unique_ptr<Page>& page = pages_[number];
    if (!page) page = std::make_unique<Page>();
    recent = {number, page.get()};
  }
  return *recent.page;
}

void Shadow::refine(Page& page, std::size_t granule) {
  const std::size_t parts = page.granule / granule;
  std::vector<Cell> finer;
  finer.reserve(page.cells.size() * parts);
  for (const Cell& cell : page.cells) finer.insert(finer.end(), parts, cell);
  page.cells = std::move(finer);
  page.granule = granule;
}

// visit(cell) for every cell of the range; returns whether any visit did.
template <class Visit> bool Shadow::visit(std::uintptr_t address, std::size_t bytes, Visit visit) {
  bool any = false;
  while (bytes > 0) {
    const std::uintptr_t number = address / kPageBytes, inside = address % kPageBytes;
    const std::size_t part = std::min(bytes, kPageBytes - inside);
    Page& page = page_of(number);
    const std::size_t alignment = std::size_t{1} << std::countr_zero(inside | part | kCoarsest);
    if (alignment < page.granule) refine(page, alignment);
    const std::size_t end = (inside + part) / page.granule;
    for (std::size_t i = inside / page.granule; i < end; ++i) any |= visit(page.cells[i], any);
    address += part;
    bytes -= part;
  }
  return any;
}

bool Shadow::read(std::uintptr_t address, std::size_t bytes, const Access& access, const Clocks& clocks,
                  Conflict* conflict) {
  Conflict later;
  return visit(address, bytes,
               [&](Cell& cell, bool found) { return cell.read(access, clocks, found ? &later : conflict); });
}

bool Shadow::write(std::uintptr_t address, std::size_t bytes, const Access& access, const Clocks& clocks,
                   Conflict* conflict) {
  Conflict later;
  return visit(address, bytes,
               [&](Cell& cell, bool found) { return cell.write(access, clocks, found ? &later : conflict); });
}

}  // namespace flashlight::emulator
