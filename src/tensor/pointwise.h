// SPDX-License-Identifier: Apache-2.0
// How pointwise ops run: operands are read block by block into a compute type, mapped, and rounded once when
// written.
#pragma once

#include <deque>
#include <optional>
#include <type_traits>

#include "tensor/promote.h"
#include "tensor/strided.h"

namespace flashlight::detail {

// A tensor or a Scalar that stands for a tensor filled with it.
struct Operand {
  Operand(const Tensor& x) : tensor(x), is_scalar(false) {}
  Operand(const Scalar& x) : scalar(x), is_scalar(true) {}

  Tensor tensor;
  Scalar scalar;
  bool is_scalar;
};

// Delivers an operand, broadcast to the given sizes, as consecutive blocks of T.
template <class T>
class Source {
 public:
  Source(const Operand& operand, const Sizes& sizes) {
    if (operand.is_scalar) std::fill(buffer_, buffer_ + kBlock, value_of(operand.scalar));
    else reader_.emplace(broadcast_view(operand.tensor, sizes));
  }

  const T* next(std::int64_t count) {
    if (reader_) reader_->read(buffer_, count);
    return buffer_;
  }

 private:
  static T value_of(const Scalar& scalar) {
    if constexpr (std::is_floating_point_v<T>) return static_cast<T>(scalar.to_double());
    else return scalar.to_int();
  }

  std::optional<Reader<T>> reader_;
  T buffer_[kBlock];
};

// Fills target with f(T* result, const T* const* operands, count), called block by block. T is the compute
// type.
template <class T, class F>
void map_blocks(const Tensor& target, std::initializer_list<Operand> operands, F&& f) {
  if (target.numel() == 0) return;
  std::deque<Source<T>> sources;
  for (const Operand& operand : operands) sources.emplace_back(operand, target.impl()->sizes);
  Writer<T> writer(target);
  T result[kBlock];
  const T* blocks[4];
  for (std::int64_t left = target.numel(); left > 0; left -= kBlock) {
    const std::int64_t count = std::min(left, kBlock);
    for (std::size_t i = 0; i < sources.size(); ++i) blocks[i] = sources[i].next(count);
    f(result, blocks, count);
    writer.write(result, count);
  }
}

}  // namespace flashlight::detail
