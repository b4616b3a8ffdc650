// SPDX-License-Identifier: Apache-2.0
// The table of reasons.
#include "fusion/algebra/refusal.h"

namespace flashlight::fusion::algebra {
namespace {

struct Row {
  const char* id;
  const char* hint;
};

const Row& row(Reason reason) {
  static const Row kRows[] = {
      {"inseparable-exponent", "scale the scores by a value known before the reduction"},
      {"inseparable-log", "take the logarithm of the unnormalised value and subtract the row's logarithm"},
      {"inseparable-power", "divide by the row value first, or add the epsilon to the row value"},
      {"sign-unknown", "make the factor non-negative where it is defined (square, exp, abs or relu)"},
      {"comparison-with-reduction",
       "compare the scores with their own maximum, as x < max or x == max, before factors and terms of the "
       "row are applied, or with a value known before"},
      {"inseparable-max", "split the reduction into one per product"},
      {"inseparable-product", "take the product of each factor on its own"},
      {"inseparable-clamp", "clamp with a value known before the reduction"},
      {"inseparable-function", "apply the function before or after the reduction, not to a mixture"},
      {"inseparable-select", "mask before multiplying"},
      {"inseparable-scan", "subtract the row's maximum before the exponential"},
      {"opaque", "use an operation with a law"},
  };
  return kRows[static_cast<int>(reason)];
}

}  // namespace

const char* reason_id(Reason reason) { return row(reason).id; }
const char* reason_hint(Reason reason) { return row(reason).hint; }

}  // namespace flashlight::fusion::algebra
