// SPDX-License-Identifier: Apache-2.0
// Why a program cannot be computed in one sweep, or not at all.
#pragma once

#include <string>

#include "fusion/algebra/expr.h"

namespace flashlight::fusion::algebra {

// Stable ids; reason_id() gives the spelling users see, reason_hint() the change that would help.
enum class Reason {
  kInseparableExponent,      // exp multiplies a key value by a row reduction
  kInseparableLog,           // log of a sum that mixes a key value and a row reduction
  kInseparablePower,         // reciprocal or power of such a sum
  kSignUnknown,              // fractional power, log or product of a factor that may be negative
  kComparisonWithReduction,  // a comparison of a key value with a row reduction selects keys
  kInseparableMax,           // max or min over the keys of several products
  kInseparableProduct,       // product over the keys of a sum
  kInseparableClamp,         // max2 or min2 of a key value against a row reduction
  kInseparableFunction,      // any other function of such a mixture
  kInseparableSelect,        // where(mask, product, -inf)
  kInseparableScan,          // scan of an exponential whose reference is not known yet
  kOpaque,                   // an op without a law
};

const char* reason_id(Reason reason);
const char* reason_hint(Reason reason);

struct Refusal {
  Reason reason = Reason::kOpaque;
  std::string text;  // one sentence that prints the expression at fault
  Expr at;           // may hold states of a sweep in place of the user's reductions
};

}  // namespace flashlight::fusion::algebra
