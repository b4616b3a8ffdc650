// SPDX-License-Identifier: Apache-2.0
// Sums and conditions as lists of terms, put together so that they read well: numbers become one, few minus
// signs, no condition twice.
#pragma once
#include <cstdint>
#include <utility>

#include "emit/text.h"

namespace flashlight::emit {

// coefficient * name, signed, for a sum.
Code scaled(std::int64_t coefficient, const std::string& name);
bool is_negative(const Code& term);
std::vector<Code> opposite(std::vector<Code> terms);
// Numbers become one, at the end; no sum begins with a minus it can avoid.
Code total(const std::vector<Code>& terms);
// The sum compared with zero: its negative terms stand on the other side.
std::pair<Code, Code> against_zero(const std::vector<Code>& terms);
// The conditions of a conjunction (else of a disjunction) that are left when what always or never holds,
// "true" or "false", has said its part: one, where that decides all.
std::vector<std::string> conditions(const std::vector<std::string>& parts, bool conjunction);

}  // namespace flashlight::emit
