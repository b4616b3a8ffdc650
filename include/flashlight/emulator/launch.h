// SPDX-License-Identifier: Apache-2.0
// Running a kernel on the emulated device, as the launch primitive asks for it.
#pragma once

namespace flashlight::emulator {

struct LaunchRequest {
  const char* name;  // null: named after the kernel function
  int grid, threads, shared_bytes;
  void* stream;
  void (*run)(const void* call);  // one CUDA thread's work
  const void* call;
};

// Runs every CTA to its end on the calling thread; launches of several threads run one after another. Returns
// 0, or an error code: kInvalidLaunch for a configuration no GPU accepts, kChecksFailed when something was
// found.
int launch(const LaunchRequest& request);

inline constexpr int kInvalidLaunch = 9;   // as cudaErrorInvalidConfiguration
inline constexpr int kChecksFailed = 719;  // as cudaErrorLaunchFailure

// What the emulated device passes for, as its Options say.
int compute_capability();
int multiprocessors();

// Text of the calling thread's last failed launch: its first finding. Empty after a successful one.
const char* last_error_text();

}  // namespace flashlight::emulator
