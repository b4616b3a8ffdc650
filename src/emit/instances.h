// SPDX-License-Identifier: Apache-2.0
// The instantiations of a kernel template: a storage type, padded head dimensions, and the tile shape chosen
// for them.
#pragma once
#include "emit/variant.h"
#include "target/wgmma_shape.h"

namespace flashlight::emit {

struct Instance {
  std::string type;           // bfloat16
  std::string dtype;          // kBFloat16
  std::map<int, int> padded;  // by loop
  target::TileShape shape;
  int shared_bytes = 0;
  target::WgmmaChoice wgmma;  // for sm_90a, where that is asked for
  int wgmma_shared_bytes = 0;
  target::TileShape combining;  // of a kernel for few queries: the one that combines its runs
  int combining_shared_bytes = 0;
};
// Throws fusion::Refused ("no-tile") where no shape fits.
std::vector<Instance> instances_of(const PartText& part, const EmitOptions& options);

}  // namespace flashlight::emit
