// SPDX-License-Identifier: Apache-2.0
// The faulty kernels of faults.cu by name.
#pragma once

#include <string>
#include <vector>

namespace flashlight::test {

std::vector<std::string> fault_names();

// Runs the kernel on `in`, a 64 x 64 bfloat16 matrix, and `out`, 64 x 64 floats. Returns launch's result.
int run_fault(const std::string& name, const void* in, float* out);

}  // namespace flashlight::test
