// SPDX-License-Identifier: Apache-2.0
// The faulty kernels of faults.cu and hopper/*_faults.cu by name.
#pragma once

#include <string>
#include <vector>

namespace flashlight::test {

template <class Params> struct FaultEntry {
  const char* name;
  void (*kernel)(const Params&);
  int grid = 1;
};

template <class Params, std::size_t COUNT>
std::vector<std::string> names_of(const FaultEntry<Params> (&entries)[COUNT]) {
  std::vector<std::string> names;
  for (const FaultEntry<Params>& e : entries) names.push_back(e.name);
  return names;
}

std::vector<std::string> fault_names();

struct HopperFault {
  std::string name;
  const char* file;  // in test/device
};
std::vector<HopperFault> hopper_faults();

// Run the kernel on `in`, a 64 x 64 bfloat16 matrix, and `out`, 64 x 64 floats. Return launch's result.
int run_fault(const std::string& name, const void* in, float* out);
int run_hopper_fault(const std::string& name, const void* in, float* out);

}  // namespace flashlight::test
