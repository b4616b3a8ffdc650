// SPDX-License-Identifier: Apache-2.0
// See cover_text.h.
#include "emit/cover_text.h"

#include <algorithm>
#include <optional>

namespace flashlight::emit {

using kernel::Cover;
using kernel::Expr;

namespace {

// coefficient * name, signed, for a sum.
Code scaled(std::int64_t coefficient, const std::string& name) {
  const Code value{name, name.find(' ') == std::string::npos ? kAtom : kSum, CType::Int};
  if (coefficient == 1) return value;
  if (coefficient == -1) return {"-" + wrap(value, kProduct), kProduct, CType::Int};
  return integer_product({integer_literal(coefficient), value});
}

bool is_negative(const Code& term) { return term.text[0] == '-'; }
Code opposite(const Code& term) {
  if (is_negative(term)) return {term.text.substr(1), kProduct, term.type};
  return {"-" + wrap(term, kProduct), kProduct, term.type};
}

// Numbers become one, at the end; no sum begins with a minus it can avoid.
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
  const bool wide = std::any_of(kept.begin(), kept.end(), [](const Code& t) { return t.type == CType::Long; });
  return sum(kept, wide ? CType::Long : CType::Int);
}

std::vector<Code> opposite(std::vector<Code> terms) {
  for (Code& t : terms) t = opposite(t);
  return terms;
}

// The sum compared with zero: its negative terms stand on the other side.
std::string against_zero(const std::vector<Code>& terms, const char* op) {
  std::vector<Code> left, right;
  std::int64_t numbers = 0;
  for (const Code& t : terms) {
    if (const auto value = literal_value(t)) numbers += *value;
    else if (is_negative(t)) right.push_back(opposite(t));
    else left.push_back(t);
  }
  const bool on_the_right = numbers > 0 && !left.empty() && right.empty();
  (on_the_right ? right : left).push_back(integer_literal(on_the_right ? -numbers : numbers));
  return total(left).text + " " + op + " " + total(right).text;
}

// Conditions joined; what always or never holds is left out.
std::string joined(const std::vector<std::string>& parts, bool both) {
  const std::string settles = both ? "false" : "true", neutral = both ? "true" : "false";
  std::vector<std::string> kept;
  for (const std::string& part : parts) {
    if (part == settles) return settles;
    if (part != neutral && std::find(kept.begin(), kept.end(), part) == kept.end()) kept.push_back(part);
  }
  if (kept.empty()) return neutral;
  return kept.size() == 1 ? kept[0] : "(" + join(kept, both ? " && " : " || ") + ")";
}

std::string without_parentheses(const std::string& text) {
  if (text.empty() || text.front() != '(') return text;
  int depth = 0;
  for (std::size_t k = 0; k < text.size(); ++k) {
    depth += text[k] == '(' ? 1 : text[k] == ')' ? -1 : 0;
    if (depth == 0) return k + 1 == text.size() ? text.substr(1, text.size() - 2) : text;
  }
  return text;
}

}  // namespace

CoverText::CoverText(const kernel::Program& program, const kernel::Sweep& sweep, PointPrinter& points)
    : program_(program),
      points_(points),
      masked_(std::any_of(sweep.masked.begin(), sweep.masked.end(), [](const kernel::Masked& m) { return static_cast<bool>(m.predicate); })),
      live_(kernel::cover_of_any(program, sweep.live)),
      data_(live_.data) {}

// The form without its keys: its least or greatest value over the tile's rows.
std::vector<Code> CoverText::rest(const Cover& cover, bool upper) {
  std::vector<Code> data;
  for (std::size_t k = 0; k < data_.size(); ++k) data.push_back({"data" + std::to_string(k), kAtom, CType::Long});
  std::vector<Code> terms;
  if (cover.a != 0) terms.push_back(scaled(cover.a, (cover.a > 0) == upper ? "row_last" : "row0"));
  if (cover.rest.op() == graph::SymOp::Add) {
    for (const graph::Sym& term : cover.rest.args()) terms.push_back(points_.index(term, data));
  } else {
    terms.push_back(points_.index(cover.rest, data));
  }
  return terms;
}

// The least or greatest value of the form over the tile.
std::vector<Code> CoverText::form(const Cover& cover, bool upper) {
  std::vector<Code> terms;
  if (cover.b != 0) {
    const bool last = (cover.b > 0) == upper;
    terms.push_back(scaled(cover.b, last ? "col0 + N" : "col0"));
    if (last) terms.push_back(integer_literal(-cover.b));
  }
  const std::vector<Code> others = rest(cover, upper);
  terms.insert(terms.end(), others.begin(), others.end());
  return terms;
}

std::string CoverText::full(const Cover& cover) {
  switch (cover.kind) {
    case Cover::AtMostZero: return against_zero(form(cover, true), "<=");
    case Cover::Zero: return against_zero(form(cover, false), "==") + " && " + against_zero(form(cover, true), "==");
    case Cover::NotZero: return "(" + against_zero(form(cover, false), ">") + " || " + against_zero(form(cover, true), "<") + ")";
    case Cover::Constant: return cover.value ? "true" : "false";
    case Cover::Unknown: return "false";
    case Cover::And:
    case Cover::Or: {
      std::vector<std::string> parts;
      for (const Cover& arg : cover.args) parts.push_back(full(arg));
      return joined(parts, cover.kind == Cover::And);
    }
  }
  return "false";
}

std::string CoverText::none(const Cover& cover) {
  switch (cover.kind) {
    case Cover::AtMostZero: return against_zero(form(cover, false), ">");
    case Cover::Zero: return "(" + against_zero(form(cover, false), ">") + " || " + against_zero(form(cover, true), "<") + ")";
    case Cover::NotZero: return against_zero(form(cover, false), "==") + " && " + against_zero(form(cover, true), "==");
    case Cover::Constant: return cover.value ? "false" : "true";
    case Cover::Unknown: return "false";
    case Cover::And:
    case Cover::Or: {
      std::vector<std::string> parts;
      for (const Cover& arg : cover.args) parts.push_back(none(arg));
      return joined(parts, cover.kind == Cover::Or);
    }
  }
  return "false";
}

CoverText::Range CoverText::range(const Cover& cover) {
  if (cover.kind == Cover::And || cover.kind == Cover::Or) {
    const bool both = cover.kind == Cover::And;
    Range result;
    bool first = true;
    for (const Cover& arg : cover.args) {
      const Range r = range(arg);
      auto join_side = [&](std::string& side, const std::string& other, bool greatest) {
        if (first) {
          side = other;
        } else if (side.empty() || other.empty()) {
          if (!both) side.clear();
          else if (side.empty()) side = other;
        } else if (side != other) {
          side = std::string(greatest ? "greatest_of(" : "least_of(") + side + ", " + other + ")";
        }
      };
      join_side(result.begin, r.begin, both);
      join_side(result.end, r.end, !both);
      first = false;
    }
    return result;
  }
  if ((cover.kind != Cover::AtMostZero && cover.kind != Cover::Zero) || cover.b == 0) return {};
  // b * j + lo <= 0 with lo the least of the rest over the rows; for an equality also b * j + hi >= 0.
  auto bound = [&](const Cover& c) {
    const std::int64_t b = c.b;
    std::vector<Code> low = rest(c, false), negated = opposite(low);
    Range r;
    std::string& side = b > 0 ? r.end : r.begin;
    if (b == 1) negated.push_back(integer_literal(1));
    const Code at = total(b == -1 ? low : negated);
    const bool wide = at.type == CType::Long;
    const std::string quotient = "floor_div(" + at.text + ", " + std::to_string(b > 0 ? b : -b) + (wide ? "ll)" : ")");
    side = b == 1 || b == -1 ? at.text : b > 0 ? quotient + " + 1" : "-" + quotient;
    if (wide || !data_.empty()) side = "clamp_index(" + side + ")";
    return r;
  };
  Range result = bound(cover);
  if (cover.kind == Cover::Zero) {
    Cover mirrored = cover;
    mirrored.a = -cover.a;
    mirrored.b = -cover.b;
    mirrored.rest = -cover.rest;
    const Range other = bound(mirrored);
    if (result.begin.empty()) result.begin = other.begin;
    if (result.end.empty()) result.end = other.end;
  }
  return result;
}

void CoverText::write_bounds(Writer& w) {
  const Range r = range(live_.cover);
  Writer body;
  const std::string skip = kernel::is_interval(live_.cover) ? "false" : none(live_.cover);
  tested_ = skip.find("col0") != std::string::npos || skip.find("row") != std::string::npos;
  bounded_below_ = !r.begin.empty();
  bounded_ = bounded_below_ || !r.end.empty();
  w.line("[[maybe_unused]] const int row_last = least_of(row0 + M, p.n_row) - 1;");
  for (std::size_t k = 0; k < data_.size(); ++k) {
    w.line("const long long data" + std::to_string(k) + " = " + points_.value(data_[k].node, data_[k].index).text + ";");
  }
  const std::string end = r.end.empty() ? "p.n_key" : "greatest_of(0, least_of(p.n_key, " + r.end + "))";
  w.line("const int tiles = (" + end + " + N - 1) / N;");
  if (bounded_below_) w.line("const int first_tile = greatest_of(0, " + r.begin + ") / N;");
  if (tested_) {
    w.open("const auto live_from = [&](int t) {");
    w.open("for (; t < tiles; ++t) {");
    w.line("[[maybe_unused]] const int col0 = t * N;");
    w.line("if (!(" + without_parentheses(skip) + ")) break;");
    w.close();
    w.line("return t;");
    w.close("};");
  }
}

std::string CoverText::first() const {
  const std::string begin = bounded_below_ ? "first_tile" : "0";
  return tested_ ? "live_from(" + begin + ")" : begin;
}

std::string CoverText::next() const { return tested_ ? "live_from(tile + 1)" : "tile + 1"; }

std::string CoverText::full(Expr predicate) {
  const std::string inside = "col0 + N <= p.n_key";
  if (!predicate) return inside;
  const kernel::CoverOf cover = kernel::cover_of(program_, predicate);
  // The predicate's captured integers are those of the sweep where they coincide; others leave it undecided.
  if (cover.data != data_ && !cover.data.empty()) return "false";
  const std::string kept = full(cover.cover);
  return kept == "false" ? kept : kept == "true" ? inside : inside + " && " + (kept.find(" || ") == std::string::npos ? without_parentheses(kept) : kept);
}

std::string CoverText::in_words() const {
  if (live_.cover.kind == Cover::Constant) {
    return masked_ ? "every tile is visited, since what a mask hides may count elsewhere; masks are evaluated only on tiles that are not proved full"
                   : "no mask: every tile is visited, only the last one is masked at the end of the keys";
  }
  std::string text = kernel::is_interval(live_.cover) ? "loop bounds in closed form skip every tile that the mask empties"
                     : bounded_ ? "loop bounds in closed form skip the tiles before and behind the mask's affine part"
                                : "";
  if (tested_) text += std::string(text.empty() ? "" : ", and ") + "an interval test per tile skips those that it proves empty";
  if (text.empty()) text = "the mask has no affine form: every tile is visited";
  return text + "; the mask is evaluated only on tiles that the same analysis does not prove full";
}

}  // namespace flashlight::emit
