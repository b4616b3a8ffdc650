// SPDX-License-Identifier: Apache-2.0
// See flashlight/generated/c_entry.h.
#include "flashlight/generated/c_entry.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "runtime/borrowed.h"
#include "runtime/overlap.h"

namespace flashlight::generated {

namespace {

thread_local std::string last_error;

// Boolean tensors have code 6 since DLPack 0.7.
constexpr int kBoolCode = 6;

[[noreturn]] void refuse(const std::string& text) { throw Error(text.c_str()); }

DType dtype_of(const DLDataType& type, const std::string& name) {
  if (type.lanes == 1) {
    switch (type.code) {
      case kDLFloat:
        if (type.bits == 16) return DType::kFloat16;
        if (type.bits == 32) return DType::kFloat32;
        if (type.bits == 64) return DType::kFloat64;
        break;
      case kDLBfloat:
        if (type.bits == 16) return DType::kBFloat16;
        break;
      case kDLInt:
        if (type.bits == 8) return DType::kInt8;
        if (type.bits == 32) return DType::kInt32;
        if (type.bits == 64) return DType::kInt64;
        break;
      case kDLUInt:
        if (type.bits == 8) return DType::kUInt8;
        break;
      case kBoolCode:
        if (type.bits == 8) return DType::kBool;
        break;
    }
  }
  refuse(name + " has a DLPack type that is not supported: code " + std::to_string(type.code) + ", " +
         std::to_string(type.bits) + " bits, " + std::to_string(type.lanes) + " lanes");
}

bool emulated() { return &current_device() == &emulated_device(); }

void check_device(const DLTensor& tensor, const std::string& name) {
  const int type = static_cast<int>(tensor.device.device_type);
  if (emulated() ? type == kDLCPU : type == kDLCUDA || type == kDLCUDAManaged) return;
  refuse(name + " has DLPack device type " + std::to_string(type) + " where kernels run on " +
         (emulated() ? "the emulated device, which reads host memory (1)" : "CUDA memory (2 or 13)"));
}

// The tensor over the caller's memory, which must outlive the call: CUDA memory, or host memory where the
// device is emulated.
Tensor from_dlpack(const DLTensor* given, const std::string& name) {
  if (!given) refuse(name + " is null");
  const DLTensor& tensor = *given;
  check_device(tensor, name);
  if (tensor.ndim < 0 || tensor.ndim > kMaxRank)
    refuse(name + " has " + std::to_string(tensor.ndim) + " axes; at most " + std::to_string(kMaxRank) +
           " are supported");
  if (tensor.ndim > 0 && !tensor.shape) refuse(name + " has no shape");
  const DType dtype = dtype_of(tensor.dtype, name);
  Sizes sizes, strides;
  std::int64_t stride = 1, elements = 1;
  for (int d = 0; d < tensor.ndim; ++d) {
    if (tensor.shape[d] < 0) refuse(name + " has a negative size in axis " + std::to_string(d));
    elements *= tensor.shape[d];
    sizes.push_back(tensor.shape[d]);
    strides.push_back(0);
  }
  for (int d = tensor.ndim - 1; d >= 0; --d) {
    strides.data()[d] = tensor.strides ? tensor.strides[d] : stride;
    stride *= tensor.shape[d];
  }
  if (elements > 0 && !tensor.data) refuse(name + " has no data");
  char* const data = static_cast<char*>(tensor.data) + tensor.byte_offset;
  if (elements > 0 && reinterpret_cast<std::uintptr_t>(data) % element_size(dtype) != 0)
    refuse(name + " is not aligned to its elements");
  if (elements > 0 && emulated()) borrow(data, sizes, strides, dtype);
  return Tensor::wrap(data, sizes, strides, dtype, Device::kCUDA);
}

std::string name_of(const CCall& call, std::size_t argument) {
  return "argument '" + std::string(call.names.begin()[argument]) + "'";
}

// The argument as a tensor; undefined where an optional one is null.
Tensor argument(const CCall& call, std::size_t t) {
  const bool optional =
      std::find(call.optional.begin(), call.optional.end(), static_cast<int>(t)) != call.optional.end();
  return optional && !call.in[t] ? Tensor() : from_dlpack(call.in[t], name_of(call, t));
}

int device_of(const CCall& call) {
  const DLTensor* first = call.results > 0 ? call.out[0] : nullptr;
  auto check = [&](const DLTensor& tensor, const std::string& name) {
    if (!first) first = &tensor;
    if (tensor.device.device_id == first->device.device_id) return;
    refuse(name + " is on device " + std::to_string(tensor.device.device_id) + ", others are on device " +
           std::to_string(first->device.device_id));
  };
  for (std::size_t t = 0; t < call.names.size(); ++t)
    if (call.in[t]) check(*call.in[t], name_of(call, t));
  for (int r = 0; r < call.results; ++r) check(*call.out[r], "result " + std::to_string(r + 1));
  return first ? first->device.device_id : 0;
}

// The stream and the device of a call, for this thread, until its end.
class Scope {
 public:
  Scope() : stream_(current_stream()) {}
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() {
    set_stream(stream_);
    if (use_) use_(device_);
    forget_borrowed();
  }
  void enter(int device, void* stream) {
    use_ = current_device().use_device;
    if (use_) device_ = use_(device);
    else if (device != 0) refuse("there is no device " + std::to_string(device));
    set_stream(stream);
  }

 private:
  void* stream_;
  int device_ = 0;
  int (*use_)(int) = nullptr;
};

std::vector<Tensor> arguments_of(const CCall& call) {
  if (!call.in && call.names.size() > 0) refuse("the array of arguments is null");
  if (!call.scalars && call.scalar_count > 0) refuse("the array of scalars is null");
  std::vector<Tensor> in;
  for (std::size_t t = 0; t < call.names.size(); ++t) in.push_back(argument(call, t));
  return in;
}

void run(const CCall& call, CBody body, const void* context) {
  if (!call.out) refuse("the array of results is null");
  const std::vector<Tensor> in = arguments_of(call);
  std::vector<Tensor> out;
  for (int r = 0; r < call.results; ++r) {
    const std::string name = "result " + std::to_string(r + 1);
    out.push_back(from_dlpack(call.out[r], name));
    if (overlaps_itself(out.back())) refuse(name + " has strides by which its elements overlap");
  }
  Scope scope;
  scope.enter(device_of(call), call.stream);
  Launch launch(call.function);
  launch.into(out);
  if (call.workspace) launch.workspace(call.workspace, call.workspace_bytes);
  body(context, launch, in.data());
}

// The function's name stands in front once.
std::string attributed(const CCall& call, const char* text) {
  const std::string prefix = std::string(call.function) + ": ";
  return std::string(text).rfind(prefix, 0) == 0 ? text : prefix + text;
}

}  // namespace

int run_c_entry(const CCall& call, CBody body, const void* context) {
  try {
    run(call, body, context);
    last_error.clear();
    return 0;
  } catch (const std::exception& error) {
    forget_borrowed();
    last_error = attributed(call, error.what());
    return 1;
  }
}

std::size_t measure_c_entry(const CCall& call, CBody body, const void* context) {
  try {
    const std::vector<Tensor> in = arguments_of(call);
    Scope scope;
    scope.enter(device_of(call), current_stream());  // its number of SMs counts
    Launch launch(call.function);
    launch.measure();
    body(context, launch, in.data());
    forget_borrowed();
    last_error.clear();
    return launch.workspace_bytes();
  } catch (const std::exception& error) {
    forget_borrowed();
    last_error = attributed(call, error.what());
    return ~std::size_t{0};
  }
}

long long integer_scalar(double value, const char* name) {
  if (value == std::floor(value) && std::abs(value) < 0x1p63) return static_cast<long long>(value);
  refuse("scalar '" + std::string(name) + "' is " + std::to_string(value) + " where an integer is expected");
}

}  // namespace flashlight::generated

extern "C" void flashlight_observe_launches(void (*observer)(const char*)) {
  flashlight::observe_launches(observer);
}
extern "C" const char* flashlight_last_error() { return flashlight::generated::last_error.c_str(); }
