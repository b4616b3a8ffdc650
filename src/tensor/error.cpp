// SPDX-License-Identifier: Apache-2.0
// Error texts, names of dtypes and devices, and the checks that ops share.
#include <atomic>
#include <cstring>
#include <cmath>

#include "tensor/impl.h"

namespace flashlight {

const char* name_of(DType dtype) {
  static const char* const names[] = {"float16", "bfloat16", "float32", "float64", "int8",
                                      "uint8",   "int32",    "int64",   "bool"};
  return names[static_cast<int>(dtype)];
}

const char* name_of(Device device) { return device == kCPU ? "cpu" : "cuda"; }

std::size_t element_size(DType dtype) {
  static const std::size_t sizes[] = {2, 2, 4, 8, 1, 1, 4, 8, 1};
  return sizes[static_cast<int>(dtype)];
}

struct Text::Shared {
  std::atomic<int> references{1};
  std::string text;
};

Text::Text(const char* text) : shared_(new Shared) { shared_->text = text; }
Text::Text(const Text& other) noexcept : shared_(other.shared_) { ++shared_->references; }
Text& Text::operator=(const Text& other) noexcept {
  ++other.shared_->references;
  if (--shared_->references == 0) delete shared_;
  shared_ = other.shared_;
  return *this;
}
Text::~Text() {
  if (--shared_->references == 0) delete shared_;
}
const char* Text::c_str() const noexcept { return shared_->text.c_str(); }

std::int64_t Scalar::to_int() const {
  if (kind_ != Kind::kFloat) return int_;
  if (!(float_ >= -9223372036854775808.0 && float_ < 9223372036854775808.0))
    throw Error(("the number " + std::to_string(float_) + " has no integer value").c_str());
  return static_cast<std::int64_t>(float_);
}

void assume(bool condition, const char* file, int line) {
  if (condition) return;
  const char* slash = std::strrchr(file, '/');
  throw Error(("assume: the condition at " + std::string(slash ? slash + 1 : file) + ":" +
               std::to_string(line) + " does not hold")
                  .c_str());
}

namespace detail {

void fail_rank(std::int64_t rank) {
  throw Error(("a list of " + std::to_string(rank) + " sizes: at most " + std::to_string(kMaxRank) +
               " dims are supported")
                  .c_str());
}

void fail_count(std::int64_t have, std::int64_t wanted) {
  throw Error(
      (std::to_string(have) + " items where exactly " + std::to_string(wanted) + " are wanted").c_str());
}

void fail_empty() { throw Error("value() of an empty Optional"); }

std::string shape_text(const Sizes& sizes) {
  std::string text = "[";
  for (std::size_t i = 0; i < sizes.size(); ++i) text += (i ? ", " : "") + std::to_string(sizes[i]);
  return text + "]";
}

void fail(const char* op, const TensorList& tensors, const std::string& rule) {
  std::string text = std::string(op) + "(";
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& x = tensors[i];
    text += i ? ", " : "";
    text += x.defined() ? shape_text(x.sizes()) + " " + name_of(x.dtype()) : std::string("undefined");
    if (x.defined() && x.device() != kCPU) text += std::string(" ") + name_of(x.device());
  }
  throw Error((text + "): " + rule).c_str());
}

void require_defined(const char* op, const TensorList& tensors) {
  for (const Tensor& x : tensors)
    if (!x.defined()) fail(op, tensors, "a tensor is undefined (default-constructed and never assigned)");
}

void require_cpu(const char* op, const TensorList& tensors) {
  require_defined(op, tensors);
  for (const Tensor& x : tensors)
    if (x.device() != kCPU)
      fail(op, tensors,
           "this op runs on the CPU only; functions made by flashlight-translate take cuda tensors, "
           "others need x.to(kCPU)");
}

std::int64_t wrap_dim(const char* op, const Tensor& x, std::int64_t dim, std::int64_t rank) {
  const std::int64_t limit = rank == 0 ? 1 : rank;
  if (dim < -limit || dim >= limit)
    fail(op, {x},
         "dim " + std::to_string(dim) + " is out of range [" + std::to_string(-limit) + ", " +
             std::to_string(limit - 1) + "]");
  return dim < 0 ? dim + limit : dim;
}

std::int64_t wrap_dim(const char* op, const Tensor& x, std::int64_t dim) {
  return wrap_dim(op, x, dim, x.dim());
}

Sizes broadcast_sizes(const char* op, const TensorList& tensors, std::size_t ignored) {
  Sizes common;
  for (const Tensor& x : tensors) {
    const Sizes& sizes = x.impl()->sizes;
    while (common.size() + ignored < sizes.size()) common.insert(0, 1);
    for (std::size_t back = 1; back + ignored <= sizes.size(); ++back) {
      std::int64_t& size = common[common.size() - back];
      const std::int64_t other = sizes[sizes.size() - ignored - back];
      if (size == other || other == 1) continue;
      if (size != 1)
        fail(op, tensors,
             "sizes " + std::to_string(size) + " and " + std::to_string(other) + " at dim -" +
                 std::to_string(back + ignored) + " do not broadcast (equal or 1)");
      size = other;
    }
  }
  return common;
}

}  // namespace detail
}  // namespace flashlight
