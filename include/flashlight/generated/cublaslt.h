// SPDX-License-Identifier: Apache-2.0
// Matrix products by cuBLASLt.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <map>
#include <mutex>
#include <string>

#include "flashlight/generated/product.h"

namespace flashlight::generated::cublaslt {

inline void must(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error((std::string(what) + ": " + cublasLtGetStatusString(status)).c_str());
}

// A descriptor of the library, given back at the end of its scope.
template <class T, cublasStatus_t (*Destroy)(T)> class Scoped {
 public:
  Scoped() = default;
  Scoped(const Scoped&) = delete;
  Scoped& operator=(const Scoped&) = delete;
  ~Scoped() {
    if (value_) Destroy(value_);
  }
  T* put() { return &value_; }
  operator T() const { return value_; }

 private:
  T value_{};
};
using Layout = Scoped<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Operation = Scoped<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Preference = Scoped<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

// The current device's handle, which lives as long as the program and serves every thread.
inline cublasLtHandle_t handle() {
  static std::mutex mutex;
  static std::map<int, cublasLtHandle_t> handles;
  int device = 0;
  cudaGetDevice(&device);
  const std::lock_guard lock(mutex);
  cublasLtHandle_t& mine = handles[device];
  if (!mine) must(cublasLtCreate(&mine), "cublasLtCreate");
  return mine;
}

inline cudaDataType_t type_of(DType type) {
  switch (type) {
    case DType::kFloat16: return CUDA_R_16F;
    case DType::kBFloat16: return CUDA_R_16BF;
    default: return CUDA_R_32F;
  }
}

// The library's matrices lie column by column. One that lies row by row is its own transpose there.
struct Stored {
  bool by_rows;
  std::uint64_t rows, columns;
  std::int64_t leading;
};
inline Stored stored(const ProductMatrix& x, long long rows, long long columns) {
  const bool by_rows = x.columns == 1 && x.rows >= columns;
  return {by_rows, static_cast<std::uint64_t>(by_rows ? columns : rows),
          static_cast<std::uint64_t>(by_rows ? rows : columns), by_rows ? x.rows : x.columns};
}

inline void describe(Layout& layout, const Stored& x, const ProductMatrix& matrix, const Gemm& gemm) {
  must(cublasLtMatrixLayoutCreate(layout.put(), type_of(gemm.type), x.rows, x.columns, x.leading),
       "cublasLtMatrixLayoutCreate");
  const std::int32_t count = static_cast<std::int32_t>(gemm.batch);
  const std::int64_t distance = matrix.batch;
  must(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count),
       "cublasLt batch count");
  must(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &distance,
                                        sizeof distance),
       "cublasLt batch stride");
}

// The largest power of two, up to 256 bytes, that all matrices of a batch begin at a multiple of.
inline std::uint32_t alignment(const ProductMatrix& matrix, const Gemm& gemm) {
  const auto bits = reinterpret_cast<std::uintptr_t>(matrix.base) |
                    static_cast<std::uintptr_t>(matrix.batch) * element_size(gemm.type) | 256;
  return static_cast<std::uint32_t>(bits & (~bits + 1));
}

// c = a b, on the stream. Sums are in float32 and do not depend on anything but the sizes: no atomic
// additions.
inline void multiply(const Gemm& gemm, void* stream) {
  if (gemm.k == 0) {
    const Stored c = stored(gemm.c, gemm.m, gemm.n);
    const std::size_t bytes = element_size(gemm.type);
    for (long long z = 0; z < gemm.batch; ++z)
      if (cudaMemset2DAsync(gemm.c.base + z * gemm.c.batch * static_cast<long long>(bytes),
                            static_cast<std::size_t>(c.leading) * bytes, 0, c.rows * bytes, c.columns,
                            static_cast<cudaStream_t>(stream)) != cudaSuccess)
        throw Error("cudaMemset2DAsync failed");
    return;
  }
  // c is a b, and its transpose the product of the transposes in the other order: one of the two lies column
  // by column.
  const Stored c = stored(gemm.c, gemm.m, gemm.n), a = stored(gemm.a, gemm.m, gemm.k),
               b = stored(gemm.b, gemm.k, gemm.n);
  const ProductMatrix& first = c.by_rows ? gemm.b : gemm.a;
  const ProductMatrix& second = c.by_rows ? gemm.a : gemm.b;
  const Stored& of_first = c.by_rows ? b : a;
  const Stored& of_second = c.by_rows ? a : b;
  const cublasOperation_t turn_first = of_first.by_rows == c.by_rows ? CUBLAS_OP_N : CUBLAS_OP_T;
  const cublasOperation_t turn_second = of_second.by_rows == c.by_rows ? CUBLAS_OP_N : CUBLAS_OP_T;
  Operation operation;
  must(cublasLtMatmulDescCreate(operation.put(), CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescCreate");
  must(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_TRANSA, &turn_first, sizeof turn_first),
       "cublasLt transposition");
  must(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_TRANSB, &turn_second,
                                      sizeof turn_second),
       "cublasLt transposition");
  Layout first_layout, second_layout, c_layout;
  describe(first_layout, of_first, first, gemm);
  describe(second_layout, of_second, second, gemm);
  describe(c_layout, c, gemm.c, gemm);
  Preference preference;
  must(cublasLtMatmulPreferenceCreate(preference.put()), "cublasLtMatmulPreferenceCreate");
  const std::uint32_t reductions =
      CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE | CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE;
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t which, std::uint32_t value) {
    must(cublasLtMatmulPreferenceSetAttribute(preference, which, &value, sizeof value),
         "cublasLt preference");
  };
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reductions);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(first, gemm));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(second, gemm));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(gemm.c, gemm));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(gemm.c, gemm));
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  must(cublasLtMatmulAlgoGetHeuristic(handle(), operation, first_layout, second_layout, c_layout, c_layout,
                                      preference, 1, &found, &count),
       "cublasLtMatmulAlgoGetHeuristic");
  if (count == 0) throw Error("cuBLASLt has no algorithm for a product of these sizes");
  const float one = 1, zero = 0;
  must(cublasLtMatmul(handle(), operation, &one, first.base, first_layout, second.base, second_layout, &zero,
                      gemm.c.base, c_layout, gemm.c.base, c_layout, &found.algo, nullptr, 0,
                      static_cast<cudaStream_t>(stream)),
       "cublasLtMatmul");
}

}  // namespace flashlight::generated::cublaslt
