// SPDX-License-Identifier: Apache-2.0
// See cover_text.h.
#include "emit/cover_text.h"

namespace flashlight::emit {

using kernel::Cover;
using kernel::Expr;

namespace {

// coefficient * name, signed, for a sum.
Code scaled(std::int64_t coefficient, const std::string& name) {
  const Code value{name, name.find(' ') == std::string::npos ? kAtom : kSum, CType::Int};
  if (coefficient == 1) return value;
  if (coefficient == -1) return {"-" + wrap(value, kProduct), kProduct, CType::Int};
  return product({{std::to_string(coefficient), kAtom, CType::Int}, value}, CType::Int);
}

bool is_zero(const Code& code) { return code.text == "0"; }

Code total(std::vector<Code> terms) {
  std::vector<Code> kept;
  for (const Code& t : terms) {
    if (!is_zero(t) && t.text[0] != '-') kept.push_back(t);
  }
  for (const Code& t : terms) {
    if (!is_zero(t) && t.text[0] == '-') kept.push_back(t);
  }
  if (kept.empty()) return {"0", kAtom, CType::Int};
  return sum(kept, CType::Int);
}

}  // namespace

CoverText::CoverText(const kernel::Program& program, const kernel::Sweep& sweep, PointPrinter& points)
    : program_(program), points_(points), live_(kernel::cover_of_any(program, sweep.live)), data_(live_.data) {}

std::string CoverText::rest(const Cover& cover, bool upper_row, bool negate, std::int64_t row_sign) {
  (void)negate;
  std::vector<Code> data;
  for (std::size_t k = 0; k < data_.size(); ++k) data.push_back({"data" + std::to_string(k), kAtom, CType::Long});
  std::vector<Code> terms;
  if (row_sign != 0) terms.push_back(scaled(row_sign, (row_sign > 0) == upper_row ? "row_last" : "row0"));
  terms.push_back(points_.index(cover.rest, data));
  return total(terms).text;
}

// The least or greatest value of the form over the tile.
std::string CoverText::form(const Cover& cover, bool upper) {
  std::vector<Code> terms;
  if (cover.b != 0) terms.push_back(scaled(cover.b, (cover.b > 0) == upper ? "col0 + N - 1" : "col0"));
  const std::string others = rest(cover, upper, false, cover.a);
  terms.push_back({others, others.find(' ') == std::string::npos ? kAtom : kSum, CType::Int});
  return total(terms).text;
}

std::string CoverText::full(const Cover& cover) {
  switch (cover.kind) {
    case Cover::AtMostZero: return form(cover, true) + " <= 0";
    case Cover::Zero: return form(cover, false) + " == 0 && " + form(cover, true) + " == 0";
    case Cover::NotZero: return "(" + form(cover, false) + " > 0 || " + form(cover, true) + " < 0)";
    case Cover::Constant: return cover.value ? "true" : "false";
    case Cover::Unknown: return "false";
    case Cover::And:
    case Cover::Or: {
      std::vector<std::string> parts;
      for (const Cover& arg : cover.args) parts.push_back(full(arg));
      return "(" + join(parts, cover.kind == Cover::And ? " && " : " || ") + ")";
    }
  }
  return "false";
}

std::string CoverText::none(const Cover& cover) {
  switch (cover.kind) {
    case Cover::AtMostZero: return form(cover, false) + " > 0";
    case Cover::Zero: return "(" + form(cover, false) + " > 0 || " + form(cover, true) + " < 0)";
    case Cover::NotZero: return form(cover, false) + " == 0 && " + form(cover, true) + " == 0";
    case Cover::Constant: return cover.value ? "false" : "true";
    case Cover::Unknown: return "false";
    case Cover::And:
    case Cover::Or: {
      std::vector<std::string> parts;
      for (const Cover& arg : cover.args) parts.push_back(none(arg));
      return "(" + join(parts, cover.kind == Cover::And ? " || " : " && ") + ")";
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
    std::int64_t b = c.b;
    const std::string lo = rest(c, false, false, c.a);
    const std::string negated = total({{"-" + std::string(lo.find(' ') == std::string::npos ? lo : "(" + lo + ")"), kUnary, CType::Int}}).text;
    Range r;
    if (b > 0) {
      r.end = lo == "0" ? "1" : (b == 1 ? "1 - (" + lo + ")" : "floor_div(" + negated + ", " + std::to_string(b) + ") + 1");
    } else {
      r.begin = b == -1 ? lo : "-floor_div(" + negated + ", " + std::to_string(-b) + ")";
    }
    if (!data_.empty()) {
      for (std::string* side : {&r.begin, &r.end}) {
        if (!side->empty()) *side = "clamp_index(" + *side + ")";
      }
    }
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
    w.line("if (!(" + skip + ")) break;");
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
  return inside + " && " + full(cover.cover);
}

std::string CoverText::in_words() const {
  if (live_.cover.kind == Cover::Constant) return "no mask: every tile is visited, only the last one is masked at the end of the keys";
  std::string text = bounded_below_ || kernel::is_interval(live_.cover) ? "loop bounds in closed form skip every tile that the mask empties" : "";
  if (tested_) text += std::string(text.empty() ? "" : ", and ") + "an interval test per tile skips the empty ones";
  if (text.empty()) text = "the mask has no affine form: every tile is visited";
  return text + "; the mask is evaluated only on tiles that the same analysis does not prove full";
}

}  // namespace flashlight::emit
