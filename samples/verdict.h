// SPDX-License-Identifier: Apache-2.0
// The tolerance: how far a fused result may be from the float64 reference.
#pragma once

#include <flashlight/flashlight.h>

#include <string>

namespace sample {

struct Verdict {
  double eager_error = 0;  // max|e - r| where both are finite
  double fused_error = 0;  // max|f - r| where r is finite; infinite where f is not
  double allowed = 0;      // 1.5 max|e - r| + ulp(max|r|), 4 ulp in float32
  long long empty = 0;     // elements whose reference is NaN: rows that see no key
  std::string failure;     // empty: passed

  bool passed() const { return failure.empty(); }
};

// The distance of x to the next larger number of the dtype, for a finite x >= 0 in the normal range.
double ulp(double x, flashlight::DType dtype);

// Judges one output. r: kFloat64, e and f of any floating dtype; all on the CPU. `storage` is the dtype that
// ulp is taken in. Where r is NaN, f must be 0, or NaN under strict_nan; where r is infinite, f must equal
// it. A non-finite e is ignored where r is finite: eager overflow is no fault of the kernel.
Verdict judge(const flashlight::Tensor& r, const flashlight::Tensor& e, const flashlight::Tensor& f,
              flashlight::DType storage, bool strict_nan);

}  // namespace sample
