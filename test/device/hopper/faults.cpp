// SPDX-License-Identifier: Apache-2.0
// The faulty kernels of this folder by name.
#include "faults.h"

namespace flashlight::test {

using namespace hopper;

namespace {

struct File {
  const char* path;
  std::vector<Entry> kernels;
};

const std::vector<File>& files() {
  static const std::vector<File> all = {
      {"hopper/register_faults.cu", register_faults()}, {"hopper/operand_faults.cu", operand_faults()},
      {"hopper/barrier_faults.cu", barrier_faults()},   {"hopper/load_faults.cu", load_faults()},
      {"hopper/store_faults.cu", store_faults()},       {"hopper/warpgroup_faults.cu", warpgroup_faults()},
  };
  return all;
}

}  // namespace

std::vector<HopperFault> hopper_faults() {
  std::vector<HopperFault> all;
  for (const File& file : files())
    for (const Entry& e : file.kernels) all.push_back({e.name, file.path});
  return all;
}

int run_hopper_fault(const std::string& name, const void* in, float* out) {
  Params p{};
  p.in = {static_cast<const bfloat16*>(in), 64, 1, 64, 64, true};
  p.out = out;
  const TensorShape shape{2, {64, 64}, {1, 64}}, longer{2, {64, 65}, {1, 64}};
  if (make_tensor_map<Tile>(p.map, in, shape) || make_tensor_map<Tile>(p.longer, in, longer) ||
      make_tensor_map<SharedTile<bfloat16, 64, 32>>(p.narrow, in, shape)) {
    return -1;
  }
  for (const File& file : files())
    for (const Entry& e : file.kernels)
      if (name == e.name) return launch(e.kernel, e.grid, kThreads, kSharedBytes, nullptr, p, e.name);
  return -1;
}

}  // namespace flashlight::test
