// SPDX-License-Identifier: Apache-2.0
// See cover_text.h.
#include "emit/cover_text.h"

#include <algorithm>
#include <cstdio>

#include "emit/cover_words.h"
#include "emit/terms.h"

namespace flashlight::emit {

using kernel::Cover;
using kernel::Expr;

namespace {

std::string joined(const std::vector<std::string>& parts, bool both) {
  const std::vector<std::string> kept = conditions(parts, both);
  return kept.size() == 1 ? kept[0] : "(" + join(kept, both ? " && " : " || ") + ")";
}

// A comparison of the sum with zero.
std::string against_zero(const std::vector<Code>& terms, const char* op) {
  const auto [left, right] = against_zero(terms);
  return left.text + " " + op + " " + right.text;
}

// It is decided by where a tile's rows begin and end.
bool reads_rows(const Cover& cover) {
  return cover.a != 0 || kernel::has_intervals(cover) ||
         std::any_of(cover.args.begin(), cover.args.end(), reads_rows);
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

CoverText::CoverText(const kernel::Program& program, const kernel::Sweep& sweep, PointPrinter& points,
                     bool bets)
    : program_(program),
      sweep_(sweep),
      points_(points),
      covers_(kernel::covers_of(program, sweep, bets)),
      spans_(program, covers_.data, points),
      bets_(bets && sweep.bet) {}

// The form without its keys: its least or greatest value over the tile's rows.
std::vector<Code> CoverText::rest(const Cover& cover, bool upper) {
  const std::vector<Code> data = spans_.uniform();
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
    case Cover::Zero:
      return against_zero(form(cover, false), "==") + " && " + against_zero(form(cover, true), "==");
    case Cover::NotZero:
      return "(" + against_zero(form(cover, false), ">") + " || " + against_zero(form(cover, true), "<") +
             ")";
    case Cover::Constant: return cover.value ? "true" : "false";
    case Cover::Unknown: return "false";
    case Cover::And:
    case Cover::Or: {
      std::vector<std::string> parts;
      for (const Cover& arg : cover.args) parts.push_back(full(arg));
      return joined(parts, cover.kind == Cover::And);
    }
    default: return "false";
  }
}

std::string CoverText::none(const Cover& cover) {
  switch (cover.kind) {
    case Cover::AtMostZero: return against_zero(form(cover, false), ">");
    case Cover::Zero:
      return "(" + against_zero(form(cover, false), ">") + " || " + against_zero(form(cover, true), "<") +
             ")";
    case Cover::NotZero:
      return against_zero(form(cover, false), "==") + " && " + against_zero(form(cover, true), "==");
    case Cover::Constant: return cover.value ? "false" : "true";
    case Cover::Unknown: return "false";
    case Cover::And:
    case Cover::Or: {
      std::vector<std::string> parts;
      for (const Cover& arg : cover.args) parts.push_back(none(arg));
      return joined(parts, cover.kind == Cover::Or);
    }
    default: return "false";
  }
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
    const std::string quotient =
        "floor_div(" + at.text + ", " + std::to_string(b > 0 ? b : -b) + (wide ? "ll)" : ")");
    side = b == 1 || b == -1 ? at.text : b > 0 ? quotient + " + 1" : "-" + quotient;
    if (wide || !covers_.data.uniform.empty()) side = "clamp_index(" + side + ")";
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

void CoverText::write_rows(Writer& w) {
  const RowNames rows = points_.rows();
  const auto& all = covers_.masked;
  if (reads_rows(covers_.live) || std::any_of(all.begin(), all.end(), reads_rows))
    w.line("[[maybe_unused]] const int row_last = " +
           (rows.group.empty() ? "least_of(row0 + M, p.n_row) - 1;"
                               : "(least_of(slot0 + M, p.n_row) - 1) / " + rows.group + ";"));
  for (std::size_t k = 0; k < covers_.data.uniform.size(); ++k) {
    const fusion::Access& access = covers_.data.uniform[k];
    w.line("[[maybe_unused]] const long long data" + std::to_string(k) + " = " +
           points_.value(access.node, access.index).text + ";");
  }
}

void CoverText::write_bounds(Writer& w, const std::string& run) {
  const Range r = range(covers_.live);
  const bool spans = kernel::has_intervals(covers_.live);
  const std::string skip = spans || kernel::is_interval(covers_.live) ? "false" : none(covers_.live);
  tested_ = spans || skip.find("col0") != std::string::npos || skip.find("row") != std::string::npos;
  bounded_below_ = !r.begin.empty();
  bounded_ = bounded_below_ || !r.end.empty();
  begins_ = bounded_below_ || !run.empty();
  write_rows(w);
  const std::string end = r.end.empty() ? "p.n_key" : "greatest_of(0, least_of(p.n_key, " + r.end + "))";
  const std::string last = bets_ && bounded_ ? "(bets ? " + end + " : p.n_key)" : end;
  const std::string count = "(" + last + " + N - 1) / N",
                    first = bounded_below_ ? "greatest_of(0, " + r.begin + ") / N" : "0";
  if (run.empty()) {
    w.line("const int tiles = " + count + ";");
    if (bounded_below_) w.line("const int first_tile = " + first + ";");
  } else {
    w.line("const RunTiles mine = p.states.tiles(" + first + ", " + count + ", " + run + ");");
    w.line("const int first_tile = mine.begin, tiles = mine.end;");
  }
  write_functions(w);
  if (spans) return write_search(w);
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

// A function for each mask that spans decide: the sweep's own is `kept`.
void CoverText::write_functions(Writer& w) {
  auto declare = [&](const Cover& cover) {
    if (!kernel::has_intervals(cover) || function_of(cover)) return;
    const std::string name = "kept" + (functions_.empty() ? "" : std::to_string(functions_.size() + 1));
    spans_.write_rows(cover, w);
    spans_.write_function(name, cover, w);
    functions_.emplace_back(cover, name);
  };
  declare(covers_.live);
  for (const Cover& cover : covers_.masked) declare(cover);
}

const std::string* CoverText::function_of(const Cover& cover) const {
  const auto found =
      std::find_if(functions_.begin(), functions_.end(), [&](const auto& f) { return f.first == cover; });
  return found == functions_.end() ? nullptr : &found->second;
}

void CoverText::write_search(Writer& w) {
  marked_ = kernel::reads_keys(covers_.data, covers_.live);
  if (marked_) {
    w.line(by_loader_ ? "TileMarks<N, 2> marks;  // of two keys' values at once: registers are few"
                      : "TileMarks<N> marks;");
    return w.line(
        "const auto live_from = [&](int t) FL_INLINE { return marks.from(t, tiles, p.n_key, captured, kept); "
        "};");
  }
  w.open("const auto live_from = [&](int t) {");
  w.line("while (t < tiles && !kept(t * N).some) ++t;");
  w.line("return t;");
  w.close("};");
}

bool CoverText::notes_whole() const {
  const auto& all = covers_.masked;
  return kernel::has_intervals(covers_.live) && std::find(all.begin(), all.end(), covers_.live) != all.end();
}

std::string CoverText::note() const {
  if (!notes_whole()) return "2 * tile";
  return std::string("2 * tile + ") + (marked_ ? "marks.full(tile)" : "kept(tile * N).all");
}

void CoverText::write_tile(Writer& w) {
  const auto& all = covers_.masked;
  if (takes_notes_) {
    if (notes_whole()) w.line("const bool all_kept = note % 2 != 0;");
    return;
  }
  if (marked_ && std::find(all.begin(), all.end(), covers_.live) != all.end())
    w.line(std::string("const bool all_kept = ") + (bets_ ? "bets && " : "") + "marks.full(tile);");
}

std::string CoverText::first() const {
  const std::string begin = begins_ ? "first_tile" : "0";
  const std::string at = tested_ ? "live_from(" + begin + ")" : begin;
  return bets_ && at != "0" ? "bets ? " + at + " : 0" : at;
}

std::string CoverText::next() const {
  return !tested_ ? "tile + 1" : bets_ ? "bets ? live_from(tile + 1) : tile + 1" : "live_from(tile + 1)";
}

std::string CoverText::full(Expr predicate) {
  const std::string inside = "col0 + N <= p.n_key";
  if (!predicate) return inside;
  std::size_t m = 0;
  while (sweep_.masked[m].predicate != predicate) ++m;
  const Cover& cover = covers_.masked[m];
  if (const std::string* function = function_of(cover)) {
    if (takes_notes_) return cover == covers_.live ? inside + " && all_kept" : "false";
    if (!kernel::reads_keys(covers_.data, cover)) return inside + " && " + *function + "(col0).all";
    if (cover == covers_.live) return inside + " && all_kept";
    return inside + " && keeps_all<N>(col0, p.n_key, " + SpanText::captured_by(*function) + ", " + *function +
           ")";
  }
  const std::string kept = full(cover);
  return kept == "false" ? kept
         : kept == "true"
             ? inside
             : inside + " && " + (kept.find(" || ") == std::string::npos ? without_parentheses(kept) : kept);
}

std::string CoverText::in_words() const {
  const std::string words = sparsity_in_words(program_, covers_, bounded_, tested_);
  if (!bets_) return words;
  char above[32];
  std::snprintf(above, sizeof above, "%.6g", sweep_.bet->above);
  return words + ". A tile that the mask fills is left out: it adds nothing to a row with a score above " +
         above + "; where a row has none, the CTA sweeps again over all tiles";
}

}  // namespace flashlight::emit
