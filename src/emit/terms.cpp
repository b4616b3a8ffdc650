// SPDX-License-Identifier: Apache-2.0
// See terms.h.
#include "emit/terms.h"

#include <algorithm>
#include <optional>

namespace flashlight::emit {

Code scaled(std::int64_t coefficient, const std::string& name) {
  const Code value{name, name.find(' ') == std::string::npos ? kAtom : kSum, CType::Int};
  if (coefficient == 1) return value;
  if (coefficient == -1) return {"-" + wrap(value, kProduct), kProduct, CType::Int};
  return integer_product({integer_literal(coefficient), value});
}

bool is_negative(const Code& term) { return term.text[0] == '-'; }

namespace {

Code opposite(const Code& term) {
  if (is_negative(term)) return {term.text.substr(1), kProduct, term.type};
  return {"-" + wrap(term, kProduct), kProduct, term.type};
}

}  // namespace

Code total(const std::vector<Code>& terms) {
  std::vector<Code> kept;
  std::int64_t numbers = 0;
  for (const Code& t : terms) {
    if (const auto value = literal_value(t)) numbers += *value;
    else kept.push_back(t);
  }
  if (kept.empty()) return integer_literal(numbers);
  if (numbers != 0) kept.push_back(integer_literal(numbers));
  std::stable_partition(kept.begin(), kept.end(), [](const Code& t) { return !is_negative(t); });
  const bool wide =
      std::any_of(kept.begin(), kept.end(), [](const Code& t) { return t.type == CType::Long; });
  return sum(kept, wide ? CType::Long : CType::Int);
}

std::vector<Code> opposite(std::vector<Code> terms) {
  for (Code& t : terms) t = opposite(t);
  return terms;
}

std::pair<Code, Code> against_zero(const std::vector<Code>& terms) {
  std::vector<Code> left, right;
  std::int64_t numbers = 0;
  for (const Code& t : terms) {
    if (const auto value = literal_value(t)) numbers += *value;
    else if (is_negative(t)) right.push_back(opposite(t));
    else left.push_back(t);
  }
  const bool on_the_right = numbers > 0 && !left.empty() && right.empty();
  (on_the_right ? right : left).push_back(integer_literal(on_the_right ? -numbers : numbers));
  return {total(left), total(right)};
}

std::vector<std::string> conditions(const std::vector<std::string>& parts, bool conjunction) {
  const std::string decides = conjunction ? "false" : "true", neutral = conjunction ? "true" : "false";
  std::vector<std::string> kept;
  for (const std::string& part : parts) {
    if (part == decides) return {decides};
    if (part != neutral && std::find(kept.begin(), kept.end(), part) == kept.end()) kept.push_back(part);
  }
  if (kept.empty()) kept.push_back(neutral);
  return kept;
}

}  // namespace flashlight::emit
