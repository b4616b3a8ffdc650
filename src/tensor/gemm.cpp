// SPDX-License-Identifier: Apache-2.0
// The dense product through Eigen. The only file that includes Eigen.
#include "tensor/gemm.h"

#include <Eigen/Core>

namespace flashlight::detail {
namespace {

template <class T> using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
void product(const T* a, const T* b, T* c, std::int64_t m, std::int64_t n, std::int64_t k) {
  Eigen::Map<Matrix<T>> target(c, m, n);
  if (k == 0) {
    target.setZero();
    return;
  }
  target.noalias() = Eigen::Map<const Matrix<T>>(a, m, k) * Eigen::Map<const Matrix<T>>(b, k, n);
}

}  // namespace

template <>
void gemm<float>(const float* a, const float* b, float* c, std::int64_t m, std::int64_t n, std::int64_t k) {
  product(a, b, c, m, n, k);
}

template <>
void gemm<double>(const double* a, const double* b, double* c, std::int64_t m, std::int64_t n,
                  std::int64_t k) {
  product(a, b, c, m, n, k);
}

template <>
void gemm<std::int64_t>(const std::int64_t* a, const std::int64_t* b, std::int64_t* c, std::int64_t m,
                        std::int64_t n, std::int64_t k) {
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      std::uint64_t sum = 0;
      for (std::int64_t l = 0; l < k; ++l)
        sum += static_cast<std::uint64_t>(a[i * k + l]) * static_cast<std::uint64_t>(b[l * n + j]);
      c[i * n + j] = static_cast<std::int64_t>(sum);
    }
}

}  // namespace flashlight::detail
