// SPDX-License-Identifier: Apache-2.0
// See cover_words.h.
#include "emit/cover_words.h"

#include <algorithm>

#include "emit/terms.h"
#include "fusion/describe.h"

namespace flashlight::emit {

using graph::Sym;
using graph::SymOp;
using kernel::Cover;
using kernel::Interval;
using kernel::PointSum;

namespace {

std::string joined(const std::vector<std::string>& parts, bool both) {
  std::vector<std::string> kept = conditions(parts, both);
  if (kept.size() == 1) return kept[0];
  for (std::string& part : kept) {
    if (part.find(both ? " or " : " and ") != std::string::npos) part = "(" + part + ")";
  }
  return join(kept, both ? " and " : " or ");
}

// A condition over rows i0..i1 and keys j0..j1, or one key j.
class Formula {
 public:
  Formula(const kernel::Program& program, const kernel::CoverData& data, bool by_key)
      : function_(*program.function), plan_(*program.plan), data_(data), by_key_(by_key) {}

  // Whether the mask may hold somewhere; with `everywhere`, whether it holds all over.
  std::string text(const Cover& cover, bool everywhere) const {
    switch (cover.kind) {
      case Cover::Unknown: return everywhere ? "false" : "true";
      case Cover::Constant: return cover.value ? "true" : "false";
      case Cover::And:
      case Cover::Or: {
        std::vector<std::string> parts;
        for (const Cover& arg : cover.args) parts.push_back(text(arg, everywhere));
        return joined(parts, cover.kind == Cover::And);
      }
      case Cover::Not: return negated(text(cover.args[0], !everywhere));
      case Cover::Holds: return holds(cover.left, everywhere);
      case Cover::AtMostZero:
      case Cover::Zero:
      case Cover::NotZero: return affine(cover, everywhere);
      default: return compared(cover.kind, cover.left, cover.right, everywhere);
    }
  }

 private:
  static std::string negated(const std::string& condition) {
    return condition == "true" ? "false" : condition == "false" ? "true" : "not (" + condition + ")";
  }

  std::string affine(const Cover& cover, bool everywhere) const {
    Interval form;
    form.a = cover.a;
    form.b = cover.b;
    form.form = cover.rest;
    const auto [left, right] = kernel::sides_of(form);
    if (cover.kind == Cover::NotZero) return negated(compared(Cover::Equal, left, right, !everywhere));
    return compared(cover.kind == Cover::Zero ? Cover::Equal : Cover::AtMost, left, right, everywhere);
  }

  std::string compared(Cover::Kind kind, const Interval& left, const Interval& right, bool everywhere) const {
    const std::string low = end(left, false), high = end(left, true), other_low = end(right, false),
                      other_high = end(right, true);
    if (kind != Cover::Equal) {
      const char* op = kind == Cover::Below ? " < " : " <= ";
      return everywhere ? high + op + other_low : low + op + other_high;
    }
    if (everywhere) {
      std::string all = low;
      for (const std::string* next : {&high, &other_low, &other_high}) {
        if ((" == " + all + " ==").find(" == " + *next + " ==") == std::string::npos) all += " == " + *next;
      }
      return all;
    }
    if (low == high)
      return other_low == other_high ? low + " == " + other_low
                                     : other_low + " <= " + low + " <= " + other_high;
    if (other_low == other_high) return low + " <= " + other_low + " <= " + high;
    return low + " <= " + other_high + " and " + other_low + " <= " + high;
  }

  std::string holds(const Interval& x, bool everywhere) const {
    const std::string value = text(x);
    return x.kind == Interval::Rows ? value + (everywhere ? " in every row" : " in some row") : value;
  }

  std::string name(const Sym& leaf) const {
    if (leaf.op() == SymOp::Symbol) return fusion::describe(function_, leaf);
    if (leaf.op() == SymOp::Datum) return value(data_.uniform[leaf.integer()]);
    if (leaf.op() != SymOp::Axis) return "";
    const int loop = static_cast<int>(leaf.integer());
    return loop == plan_.row ? "i" : loop == plan_.stream ? "j" : "b" + std::to_string(loop);
  }
  std::string sym(const Sym& e) const {
    return graph::to_string(e, [&](const Sym& leaf) { return name(leaf); });
  }
  std::string value(const fusion::Access& at) const {
    fusion::Leaf leaf;
    leaf.node = at.node;
    leaf.index = at.index;
    const std::string text = fusion::describe(function_, plan_, leaf);
    for (std::size_t at = text.find(' '); at != std::string::npos; at = text.find(' ', at + 1)) {
      if (text[at - 1] != ',') return text;
    }
    return text[0] == '(' ? text.substr(1, text.size() - 2) : text;  // only indices in it
  }
  std::string point(const PointSum& sum) const {
    std::vector<Code> terms;
    for (const PointSum::Term& term : sum.terms) {
      const std::string factor = sym(term.factor), x = value(term.value);
      terms.push_back({factor == "1"    ? x
                       : factor == "-1" ? "-" + x
                                        : factor + " * " + x,
                       kProduct, CType::Int});
    }
    if (!sum.form.is_integer(0)) terms.push_back({sym(sum.form), kProduct, CType::Int});
    return total(terms).text;
  }

  // The value with i and j in it.
  std::string text(const Interval& x) const {
    auto list = [&](const char* between) {
      std::vector<std::string> args;
      for (const Interval& arg : x.args) args.push_back(text(arg));
      return join(args, between);
    };
    switch (x.kind) {
      case Interval::Form: return form(x, "i", "i", "j", "j", false);
      case Interval::Rows: return point(data_.rows[x.index]);
      case Interval::Key: return point(data_.keys[x.index]);
      case Interval::Sum: return list(" + ");
      case Interval::Times: return sym(x.form) + " * " + text(x.args[0]);
      case Interval::Product: return list(" * ");
      case Interval::FloorDiv: return "floor(" + text(x.args[0]) + " / " + sym(x.form) + ")";
      case Interval::Mod: {
        const std::string value = text(x.args[0]);
        return (value.find(' ') == std::string::npos ? value : "(" + value + ")") + " mod " + sym(x.form);
      }
      case Interval::Least: return "min(" + list(", ") + ")";
      case Interval::Greatest: return "max(" + list(", ") + ")";
      case Interval::Magnitude: return "|" + text(x.args[0]) + "|";
      case Interval::Truth: return "int(" + text(x.conditions[0], false) + ")";
      case Interval::Choice: return "where(" + text(x.conditions[0], false) + ", " + list(", ") + ")";
      case Interval::Real: return text(x.args[0]);
      case Interval::Number: return sym(Sym(x.number));
    }
    return {};
  }

  std::string form(const Interval& x, const char* i0, const char* i1, const char* j0, const char* j1,
                   bool upper) const {
    std::vector<Code> terms;
    if (x.a != 0) terms.push_back(scaled(x.a, (x.a > 0) == upper ? i1 : i0));
    if (x.b != 0) terms.push_back(scaled(x.b, (x.b > 0) == upper ? j1 : j0));
    if (!x.form.is_integer(0) || terms.empty()) terms.push_back({sym(x.form), kProduct, CType::Int});
    return total(terms).text;
  }

  // The least or the greatest value.
  std::string end(const Interval& x, bool upper) const {
    auto list = [&](const char* between) {
      std::vector<std::string> args;
      for (const Interval& arg : x.args) args.push_back(end(arg, upper));
      return join(args, between);
    };
    switch (x.kind) {
      case Interval::Form:
        return by_key_ ? form(x, "i0", "i1", "j", "j", upper) : form(x, "i0", "i1", "j0", "j1", upper);
      case Interval::Key:
      case Interval::Number: return text(x);
      case Interval::Sum: return list(" + ");
      case Interval::FloorDiv:
        if (x.form.as_integer().value_or(1) > 0)
          return "floor(" + end(x.args[0], upper) + " / " + sym(x.form) + ")";
        break;
      case Interval::Least: return "min(" + list(", ") + ")";
      case Interval::Greatest: return "max(" + list(", ") + ")";
      case Interval::Real: return end(x.args[0], upper);
      case Interval::Rows: return std::string(upper ? "max(" : "min(") + text(x) + ")";
      default: break;
    }
    return std::string(upper ? "max(" : "min(") + text(x) + ")";
  }

  const graph::Function& function_;
  const fusion::KernelPlan& plan_;
  const kernel::CoverData& data_;
  const bool by_key_;
};

bool is_undecided(const Cover& cover) {
  if (cover.kind == Cover::And || cover.kind == Cover::Or) {
    const auto& args = cover.args;
    return cover.kind == Cover::And ? std::all_of(args.begin(), args.end(), is_undecided)
                                    : std::any_of(args.begin(), args.end(), is_undecided);
  }
  return cover.kind == Cover::Unknown || (cover.kind == Cover::Not && is_undecided(cover.args[0]));
}

}  // namespace

std::string sparsity_in_words(const kernel::Program& program, const kernel::SweepCovers& covers, bool bounded,
                              bool tested) {
  const Cover& live = covers.live;
  if (live.kind == Cover::Constant) {
    const bool masked = std::any_of(covers.masked.begin(), covers.masked.end(),
                                    [](const Cover& c) { return c.kind != Cover::Constant; });
    return masked ? "every tile is visited, since what a mask hides may count elsewhere; masks are evaluated "
                    "only on tiles that are not proved full"
                  : "no mask: every tile is visited, only the last one is masked at the end of the keys";
  }
  const bool by_key = kernel::reads_keys(covers.data, live);
  std::string text =
      kernel::is_interval(live) ? "loop bounds in closed form skip every tile that the mask empties"
      : bounded ? "loop bounds in closed form skip the tiles before and behind the mask's affine part"
                : "";
  if (is_undecided(live)) {
    text = covers.elements ? "" : "no interval decides the mask: every tile is visited";
  } else if (by_key) {
    text += std::string(text.empty() ? "" : ", and ") +
            "before a tile is loaded, what the mask captures of its keys is read once and held against the "
            "tile's rows: a tile "
            "without a key that some row may see is skipped";
  } else if (tested) {
    text += std::string(text.empty() ? "" : ", and ") +
            "an interval test per tile skips those that it proves empty";
  }
  if (covers.elements) {
    return text + (text.empty() ? "" : ", and ") +
           "the mask of a tile is evaluated while its keys arrive: a tile of which no element is seen is "
           "neither multiplied nor are its "
           "values loaded; warps whose rows see all of a tile run no mask code";
  }
  text += "; the mask is evaluated only on tiles that the same analysis does not prove full";
  const Formula formula(program, covers.data, by_key);
  const std::string some = formula.text(live, false), all = formula.text(live, true);
  if (some == "true" && all == "false") return text;
  return text + ". Rows i0..i1 and keys j0..j1, min and max over " +
         (by_key ? "the rows: visited where for some key j, " : "them: visited where ") + some +
         (all == "false" ? "" : "; full where " + std::string(by_key ? "for every key j, " : "") + all);
}

}  // namespace flashlight::emit
