// SPDX-License-Identifier: Apache-2.0
// The C side of emitted files: DLPack tensors as arguments, error codes as results.
#pragma once

#include <dlpack/dlpack.h>

#include "flashlight/generated/launch.h"

namespace flashlight::generated {

// The tensor over the caller's memory, which must outlive the call: CUDA memory, or host memory where the device is
// emulated. Throws flashlight::Error for memory that kernels cannot reach and for a type the library lacks.
Tensor from_dlpack(const DLTensor& tensor);

// What from_dlpack() was given is forgotten by the end of the call that it was given for.
struct Borrowing {
  Borrowing() = default;
  Borrowing(const Borrowing&) = delete;
  Borrowing& operator=(const Borrowing&) = delete;
  ~Borrowing();
};

// The text of this thread's last error.
void set_last_error(const char* text);

// Runs `body` on `stream` with results going to `out`; errors become code 1.
template <class Body>
int c_entry(const char* function, DLTensor* const* out, int results, void* stream, Body body) {
  void* const before = current_stream();
  const Borrowing borrowing;
  int code = 0;
  try {
    std::vector<Tensor> given;
    for (int r = 0; r < results; ++r) given.push_back(from_dlpack(*out[r]));
    Launch launch(function);
    launch.into(given);
    set_stream(stream);
    body(launch);
  } catch (const std::exception& error) {
    set_last_error(error.what());
    code = 1;
  }
  set_stream(before);
  return code;
}

}  // namespace flashlight::generated

extern "C" const char* flashlight_last_error();
