// SPDX-License-Identifier: Apache-2.0
// The integer forms of the pointwise ops whose result keeps the operands' dtype. All integers and bool
// compute in 64 bits and wrap when stored; arithmetic is done unsigned so that overflow is defined.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tensor/impl.h"

namespace flashlight::detail::integer {

using Int = std::int64_t;
using Word = std::uint64_t;

inline Int neg(Int x) { return static_cast<Int>(Word{0} - static_cast<Word>(x)); }
inline Int abs(Int x) { return x < 0 ? neg(x) : x; }
inline Int relu(Int x) { return x < 0 ? 0 : x; }
inline Int sign(Int x) { return (x > 0) - (x < 0); }
inline Int floor(Int x) { return x; }
inline Int ceil(Int x) { return x; }
inline Int add(Int x, Int y) { return static_cast<Int>(static_cast<Word>(x) + static_cast<Word>(y)); }
inline Int sub(Int x, Int y) { return static_cast<Int>(static_cast<Word>(x) - static_cast<Word>(y)); }
inline Int mul(Int x, Int y) { return static_cast<Int>(static_cast<Word>(x) * static_cast<Word>(y)); }
inline Int square(Int x) { return mul(x, x); }
inline Int maximum(Int x, Int y) { return std::max(x, y); }
inline Int minimum(Int x, Int y) { return std::min(x, y); }
inline Int bitwise_and(Int x, Int y) { return x & y; }
inline Int bitwise_or(Int x, Int y) { return x | y; }
inline Int bitwise_xor(Int x, Int y) { return x ^ y; }

inline void check_divisor(const char* op, Int y) {
  if (y == 0) throw Error((std::string(op) + ": an integer divisor is 0").c_str());
}

inline Int remainder(Int x, Int y) {
  check_divisor("remainder", y);
  if (y == -1) return 0;  // the lowest integer has no quotient here
  const Int r = x % y;
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

inline Int floor_divide(Int x, Int y) {
  check_divisor("floor_divide", y);
  if (y == -1) return neg(x);
  return x / y - (x % y != 0 && (x < 0) != (y < 0) ? 1 : 0);
}

// A negative exponent gives what rounding the fraction toward 0 gives.
inline Int pow(Int x, Int y) {
  if (y < 0) return x == 1 ? 1 : x == -1 ? (y % 2 == 0 ? 1 : -1) : 0;
  Int result = 1;
  for (Int base = x; y > 0; y /= 2, base = mul(base, base))
    if (y % 2 == 1) result = mul(result, base);
  return result;
}

}  // namespace flashlight::detail::integer
