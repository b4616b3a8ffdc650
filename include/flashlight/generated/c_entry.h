// SPDX-License-Identifier: Apache-2.0
// The C side of emitted files: DLPack tensors as arguments, error codes as results.
#pragma once

#include <dlpack/dlpack.h>

#include "flashlight/generated/launch.h"

namespace flashlight::generated {

// What a C entry was given. Each tensor of `in` is called by its parameter's name in errors.
struct CCall {
  const char* function;
  DLTensor* const* out;
  int results;
  const DLTensor* const* in;
  std::initializer_list<const char*> names;
  const double* scalars;
  int scalar_count;
  void* stream;
  std::initializer_list<int> optional =
      {};  // arguments that may be null: what the function takes as an optional
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;
};

using CBody = void (*)(const void* context, Launch& launch, const Tensor* in);

// Checks the arguments, then runs `body` on the call's stream and the tensors' device, with results going to
// `out`. Returns 0; after an error 1, with a text for flashlight_last_error() and nothing written. With a workspace
// it allocates no device memory, and it waits for nothing, so that a CUDA graph can capture it.
int run_c_entry(const CCall& call, CBody body, const void* context);

// The bytes that the call's intermediates take; results are not looked at. After an error all bits are set,
// and there is a text for flashlight_last_error().
std::size_t measure_c_entry(const CCall& call, CBody body, const void* context);

template <class Body> void call_c_body(const void* context, Launch& launch, const Tensor* tensors) {
  (*static_cast<const Body*>(context))(launch, tensors);
}

template <class Body>
int c_entry(const char* function, DLTensor* const* out, int results, const DLTensor* const* in,
            std::initializer_list<const char*> names, const double* scalars, int scalar_count, void* stream,
            const Body& body, std::initializer_list<int> optional = {}, void* workspace = nullptr,
            std::size_t workspace_bytes = 0) {
  return run_c_entry({function, out, results, in, names, scalars, scalar_count, stream, optional, workspace,
                      workspace_bytes},
                     call_c_body<Body>, &body);
}

template <class Body>
std::size_t c_workspace_size(const char* function, const DLTensor* const* in,
                             std::initializer_list<const char*> names, const double* scalars,
                             int scalar_count, const Body& body, std::initializer_list<int> optional = {}) {
  return measure_c_entry({function, nullptr, 0, in, names, scalars, scalar_count, nullptr, optional},
                         call_c_body<Body>, &body);
}

// A scalar for an integer parameter. Throws flashlight::Error where it is none.
long long integer_scalar(double value, const char* name);

}  // namespace flashlight::generated

extern "C" const char* flashlight_last_error();
// See flashlight::observe_launches.
extern "C" void flashlight_observe_launches(void (*observer)(const char* kernel));
