// SPDX-License-Identifier: Apache-2.0
// A program of somebody who installed Flashlight: the same function of CPU tensors and of CUDA tensors.
#include <flashlight/flashlight.h>

#include <cstdio>
#include <cstring>

#include "temperature.h"
using namespace flashlight;

FLASHLIGHT_FUSE Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / temperature();
  return matmul(softmax(scores, -1), v);
}

// consumer [--cpu]: with --cpu, what a machine without a GPU can run of a program made by nvcc.
int main(int argc, char** argv) {
  Tensor q = randn({2, 50, 64}, 1, kFloat16), k = randn({2, 70, 64}, 2, kFloat16),
         v = randn({2, 70, 64}, 3, kFloat16);
  const Tensor reference = attention(q.to(kFloat64), k.to(kFloat64), v.to(kFloat64));
  const bool cpu = argc > 1 && std::strcmp(argv[1], "--cpu") == 0;
  const Device device = cpu ? kCPU : kCUDA;
  const Tensor result = attention(q.to(device), k.to(device), v.to(device)).to(kCPU);
  const double error = max_abs_diff(result.to(kFloat64), reference);
  std::printf("%s: off by %.1e\n", cpu ? "eager" : "kernel", error);
  return error < 1e-2 ? 0 : 1;
}
