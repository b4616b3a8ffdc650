// SPDX-License-Identifier: Apache-2.0
// Ops that make tensors: from sizes, from numbers, from memory and from files.
#pragma once

#include <flashlight/tensor.h>

namespace flashlight {

// Integers 0 .. end-1, or start, start + step, ... before end. Integer arguments give kInt64, others
// kFloat32.
Tensor arange(Scalar end, Optional<DType> dtype = {});
Tensor arange(Scalar start, Scalar end, Scalar step = 1, Optional<DType> dtype = {});

Tensor zeros(Sizes sizes, DType dtype = kFloat32, Device device = kCPU);
Tensor ones(Sizes sizes, DType dtype = kFloat32, Device device = kCPU);
Tensor full(Sizes sizes, Scalar value,
            Optional<DType> dtype = {});  // dtype of the value: kBool, kInt64 or kFloat32
Tensor empty(Sizes sizes, DType dtype = kFloat32, Device device = kCPU);
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
Tensor full_like(const Tensor& x, Scalar value);
Tensor empty_like(const Tensor& x);
Tensor eye(std::int64_t rows, Optional<std::int64_t> columns = {}, DType dtype = kFloat32);

// Random values by a fixed generator: a seed gives the same values on every platform. randn and rand draw
// values that float32 holds exactly, whatever the dtype: rounding a kFloat64 draw gives the draw of the
// narrower dtype (which may round a rand up to 1).
Tensor randn(Sizes sizes, std::uint64_t seed = 0, DType dtype = kFloat32);  // standard normal
Tensor rand(Sizes sizes, std::uint64_t seed = 0, DType dtype = kFloat32);   // uniform in [0, 1)
Tensor randint(std::int64_t low, std::int64_t high, Sizes sizes, std::uint64_t seed = 0,
               DType dtype = kInt64);

// Numbers as written: 1, {1, 2}, {{1, 2}, {3, 4}}, or a container of numbers. Lives no longer than the call
// it is for.
class Literal {
 public:
  template <class T>
    requires(detail::kInteger<T> || detail::kSame<T, bool> || detail::kSame<T, float> ||
             detail::kSame<T, double>)
  Literal(T value) : scalar_(value) {}
  Literal(std::initializer_list<Literal> list) : count_(list.size()), is_list_(true) { list_ = list.begin(); }
  template <class C>
    requires requires(const C& c) {
      requires detail::kDTypeOf<detail::PlainType<decltype(*c.data())>> >= 0;
      c.size();
    }
  Literal(const C& numbers)
      : numbers_(numbers.data()),
        count_(numbers.size()),
        is_list_(true),
        dtype_(static_cast<DType>(detail::kDTypeOf<detail::PlainType<decltype(*numbers.data())>>)) {}

  bool is_list() const { return is_list_; }
  Scalar scalar() const { return scalar_; }
  std::size_t size() const { return count_; }
  const Literal* list() const { return list_; }     // null for a container of numbers
  const void* numbers() const { return numbers_; }  // size() of dtype()
  DType dtype() const { return dtype_; }

 private:
  Scalar scalar_;
  const Literal* list_ = nullptr;
  const void* numbers_ = nullptr;
  std::size_t count_ = 0;
  bool is_list_ = false;
  DType dtype_ = kFloat32;
};
// Integers give kInt64, floating numbers kFloat32, bools kBool, unless dtype is given. Error when ragged.
Tensor tensor(Literal values, Optional<DType> dtype = {});

// Contiguous elements in memory that the caller keeps alive.
Tensor from_blob(void* data, Sizes sizes, DType dtype = kFloat32);

// NumPy's .npy, versions 1 to 3, little endian, C or Fortran order. kBFloat16, which NumPy lacks, is stored
// with the descriptor '<V2' (NumPy reads it as two opaque bytes; view it as uint16). Error for a file that is
// not well formed.
Tensor load_npy(TextView path);
void save_npy(TextView path, const Tensor& x);

}  // namespace flashlight
