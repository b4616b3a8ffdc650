// SPDX-License-Identifier: Apache-2.0
// The device behind kCUDA: a table of functions that emitted files register, or the emulated device.
//
// The library knows no CUDA. A .cu file registers a table made of cudart calls; where nobody does, kCUDA
// memory is host memory that the emulated device watches over.
#pragma once

#include <flashlight/types.h>

namespace flashlight {

enum class CopyKind : std::uint8_t { kHostToDevice, kDeviceToHost, kDeviceToDevice };

// Functions of a device. They report failure by throwing flashlight::Error (allocate may also return null).
struct DeviceTable {
  const char* name;
  void* (*allocate)(std::size_t bytes, void* stream);  // at least 256-byte aligned; bytes > 0
  void (*deallocate)(void* memory, void* stream);
  void (*copy)(void* target, const void* source, std::size_t bytes, CopyKind kind, void* stream);
  void (*synchronize)(void* stream);
  int (*use_device)(int index) =
      nullptr;  // makes it this thread's device, returns the one before; null: there is one only
};

// Installs the table (which must live on) for allocations from now on; null brings the emulated device back.
// Memory is given back to the table it came from. Thread-safe.
void register_device(const DeviceTable* table);
const DeviceTable& current_device();
const DeviceTable& emulated_device();

// The stream that this thread's copies and launches use; null is the default stream.
void* current_stream();
void set_stream(void* stream);

// Told the name of every kernel that is started, for instance "attention_1_sm90a", by whatever thread starts
// it; null: nobody is. For tests and measurements.
using LaunchObserver = void (*)(const char* kernel);
void observe_launches(LaunchObserver observer);
LaunchObserver launch_observer();

// Whether launchers may take kernels for sm_90a. FLASHLIGHT_ARCH=sm_80 in the environment, read at every
// launch, says that a Hopper GPU shall run the kernels that every file has; sm_90a or nothing is the default,
// another value an Error.
bool takes_hopper_kernels();

// In how many runs keys are swept where a kernel for few queries can: the value of FLASHLIGHT_KEY_RUNS in the
// environment, read at every launch. Unset: -1, the launcher chooses. 0: no such kernel runs. n > 0: it runs,
// with that many, however many queries there are. Another value is an Error.
int key_runs();

// A live allocation of the emulated device. Fresh memory is filled with 0xFF bytes, a NaN in every floating
// dtype.
struct AllocationInfo {
  const void* base = nullptr;
  std::size_t bytes = 0;
  std::uint64_t serial = 0;  // counts allocations, so that a reused address is told from the old one
};
// The allocation of the emulated device that holds the address; false where none does. Thread-safe.
bool find_allocation(const void* address, AllocationInfo* info);

}  // namespace flashlight
