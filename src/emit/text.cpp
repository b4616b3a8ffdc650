// SPDX-License-Identifier: Apache-2.0
// See text.h.
#include "emit/text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

namespace flashlight::emit {

void Writer::line(const std::string& text) { lines_.push_back({indent_, text}); }

void Writer::open(const std::string& text) {
  line(text);
  ++indent_;
}

void Writer::close(const std::string& text) {
  --indent_;
  line(text);
}

void Writer::block(const std::string& opening, const std::vector<std::string>& lines,
                   const std::string& closing) {
  constexpr std::size_t kWidth = 110;
  if (lines.size() == 1) {
    const std::string all = opening + " " + lines[0] + " " + closing;
    if (all.size() + 2 * static_cast<std::size_t>(indent_) <= kWidth) return line(all);
  }
  open(opening);
  for (const std::string& text : lines) line(text);
  close(closing);
}

void Writer::append(const Writer& block) {
  for (const Line& l : block.lines_) lines_.push_back({indent_ + l.depth, l.text});
}

std::string Writer::str() const {
  std::string result;
  for (const Line& l : lines_) {
    if (!l.text.empty()) result += std::string(static_cast<std::size_t>(2 * l.depth), ' ') + l.text;
    result += '\n';
  }
  return result;
}

std::string wrap(const Code& code, Precedence at_least) {
  return code.precedence >= at_least ? code.text : "(" + code.text + ")";
}

Code sum(const std::vector<Code>& terms, CType type) {
  if (terms.size() == 1) return terms[0];
  std::string text;
  for (const Code& term : terms) {
    const std::string t = wrap(term, kSum);
    if (text.empty()) {
      text = t;
    } else if (t[0] == '-') {
      text += " - " + t.substr(1);
    } else {
      text += " + " + t;
    }
  }
  return {text, kSum, type};
}

Code rounded_sum(const std::vector<Code>& terms) {
  Code result = terms[0];
  for (std::size_t k = 1; k < terms.size(); ++k)
    result = call("rounded_sum", {result, terms[k]}, CType::Float);
  return result;
}

Code product(const std::vector<Code>& factors, CType type) {
  if (factors.size() == 1) return factors[0];
  std::string text;
  for (const Code& factor : factors)
    text += (text.empty() ? "" : " * ") + wrap(factor, text.empty() ? kProduct : kUnary);
  return {text, kProduct, type};
}

Code negated(const Code& factor, CType type) {
  const std::string text = wrap(factor, kProduct);
  if (text[0] == '-') return {text.substr(1), kProduct, type};
  return {"-" + text, kProduct, type};
}

Code binary(const Code& a, const char* op, const Code& b, Precedence precedence, CType type) {
  const auto tighter = static_cast<Precedence>(precedence + 1);
  return {wrap(a, precedence == kCompare ? kSum : precedence) + " " + op + " " + wrap(b, tighter), precedence,
          type};
}

Code call(const std::string& function, const std::vector<Code>& args, CType type) {
  std::vector<std::string> texts;
  for (const Code& arg : args) texts.push_back(arg.text);
  return {function + "(" + join(texts, ", ") + ")", kAtom, type};
}

Code integer_literal(std::int64_t value) {
  constexpr std::int64_t kMost = 1 << 29;
  const bool wide = value > kMost || value < -kMost;
  return {std::to_string(value) + (wide ? "ll" : ""), value < 0 ? kUnary : kAtom,
          wide ? CType::Long : CType::Int};
}

std::optional<std::int64_t> literal_value(const Code& code) {
  std::int64_t value = 0;
  const char *begin = code.text.data(), *end = begin + code.text.size();
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error != std::errc() || (stop != end && std::string(stop, end) != "ll")) return std::nullopt;
  return value;
}

Code integer_product(std::vector<Code> factors) {
  int values = 0;
  bool wide = false, large = false;
  for (const Code& f : factors) {
    const auto number = literal_value(f);
    values += !number;
    large = large || (number && (*number > 2 || *number < -2));
    wide = wide || f.type == CType::Long;
  }
  Code& first = factors.front();  // the others follow it into 64 bits
  if (first.type == CType::Long || (wide && factors.size() == 2)) return product(factors, CType::Long);
  if (!wide && (values == 0 || (values == 1 && !large))) return product(factors, CType::Int);
  first = literal_value(first) ? Code{first.text + "ll", first.precedence, CType::Long}
                               : Code{"static_cast<long long>(" + first.text + ")", kAtom, CType::Long};
  return product(factors, CType::Long);
}

std::optional<double> whole_reciprocal(double value) {
  constexpr double kMost = 1 << 24;
  const double n = std::round(1 / value);
  int exponent = 0;
  if (!(std::abs(n) > 2 && std::abs(n) < kMost) || 1 / n != value ||
      std::abs(std::frexp(n, &exponent)) == 0.5)
    return std::nullopt;
  return n;
}

std::string float_literal(double value) {
  if (std::isnan(value)) return "kNaN";
  if (std::isinf(value)) return value > 0 ? "kInfinity" : "-kInfinity";
  // A double beyond float, as fills sometimes are: rounded to the largest, not to an infinity the program
  // does not have.
  constexpr double kMost = std::numeric_limits<float>::max();
  value = std::clamp(value, -kMost, kMost);
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, static_cast<float>(value)).ptr;
  std::string text(buffer, end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text + "f";
}

std::string identifier(const std::string& name) {
  static const std::set<std::string> kOwn{"batch",     "launch", "n_key", "n_row",  "p",   "pack",
                                          "row_tiles", "runs",   "start", "states", "type"};
  std::string result = name;
  for (char& c : result) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  const bool numbered = result.size() > 1 && result.find_last_not_of("0123456789") + 1 < result.size();
  const std::string letters = result.substr(0, result.find_last_not_of("0123456789") + 1);
  const bool own =
      kOwn.contains(result) || (numbered && (letters == "n" || letters == "c" || letters == "out" ||
                                             letters == "runs" || letters == "states"));
  return own ? result + "_" : result;
}

std::string join(const std::vector<std::string>& items, const std::string& separator) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : separator) + item;
  return text;
}

}  // namespace flashlight::emit
