// SPDX-License-Identifier: Apache-2.0
// What a CTA has of Hopper: its barriers in memory, bulk copies, products, named barriers and registers.
#pragma once

#include <string>

#include "emulator/barriers.h"
#include "emulator/bulk_copies.h"
#include "emulator/products.h"
#include "emulator/warpgroups.h"

namespace flashlight::emulator {

class Hopper {
 public:
  explicit Hopper(Block& block);

  Barriers& barriers() { return barriers_; }
  BulkCopies& copies() { return copies_; }
  Products& products() { return products_; }
  NamedBarriers& named() { return named_; }
  RegisterFile& registers() { return registers_; }

  // The state of what threads wait for, for the report of a deadlock.
  std::string waiting_text() const;
  // The CTA's threads have ended.
  void finish();

 private:
  Barriers barriers_;
  BulkCopies copies_;
  Products products_;
  NamedBarriers named_;
  RegisterFile registers_;
};

}  // namespace flashlight::emulator
