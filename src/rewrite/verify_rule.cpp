// SPDX-License-Identifier: Apache-2.0
// Rules on random tensors: both sides are programs, so a rule can be run.
#include "rewrite/verify_rule.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>

#include "graph/evaluate.h"
#include "rewrite/instantiate.h"
#include "rewrite/measure.h"

namespace flashlight::rewrite {

using graph::Array;
using graph::Function;
using graph::Node;
using graph::Op;
using graph::Sym;
using graph::SymbolId;

namespace {

constexpr int kSmall =
    4;  // every size from 1 to this one, in every combination, without and with leading axes
constexpr int kMostSmall = 400;      // combinations; of more, an even choice
constexpr int kLarge = 40;           // random cases of larger sizes
constexpr double kTolerance = 1e-9;  // relative to the larger of the two, and of 1

struct Case {
  std::vector<Array> tensors;
  std::vector<double> scalars;
};

std::vector<SymbolId> size_symbols(const Function& f) {
  std::set<SymbolId> found;
  for (const graph::TensorParam& t : f.tensors)
    for (const Sym& size : t.shape) {
      std::vector<SymbolId> in;
      graph::collect_symbols(size, in);
      for (SymbolId id : in)
        if (id.kind == SymbolId::Size) found.insert(id);
    }
  return {found.begin(), found.end()};
}

class Cases {
 public:
  explicit Cases(const Rule& rule) : rule_(rule), sizes_(size_symbols(rule.pattern)) {
    double all = std::pow(kSmall, sizes_.size());
    small_ = static_cast<int>(std::min<double>(all, kMostSmall));
    step_ = all / small_;
  }
  int count() const { return 2 * small_ + kLarge; }

  Case make(int k) {
    random_.seed(static_cast<unsigned>(k) * 7919u + 17u);
    std::map<SymbolId, std::int64_t> size;
    const bool small = k < 2 * small_;
    auto code = static_cast<std::int64_t>(k % small_ * step_);
    for (SymbolId id : sizes_) {
      size[id] = small ? 1 + code % kSmall : integer(3, 9);
      code /= kSmall;
    }
    std::vector<std::int64_t> leading;
    for (std::int64_t n = k < small_ ? 0 : integer(0, 2); n > 0; --n) leading.push_back(integer(1, 3));
    Case out;
    for (std::size_t t = 0; t < rule_.pattern.tensors.size(); ++t)
      out.tensors.push_back(tensor(t, size, leading));
    for (const graph::ScalarParam& s : rule_.pattern.scalars) out.scalars.push_back(scalar(s.type));
    return out;
  }

 private:
  Array tensor(std::size_t t, const std::map<SymbolId, std::int64_t>& size,
               const std::vector<std::int64_t>& leading) {
    const graph::TensorParam& p = rule_.pattern.tensors[t];
    Array a;
    if (p.pack) a.shape = leading;
    for (std::size_t k = p.pack ? 1 : 0; k < p.shape.size(); ++k)
      a.shape.push_back(
          std::lround(graph::evaluate(p.shape[k], [&](SymbolId id) { return double(size.at(id)); })));
    std::int64_t count = 1;
    for (std::int64_t n : a.shape) count *= n;
    const bool masks = rule_.masked[t] && integer(0, 2) == 0;
    for (; count > 0; --count) a.data.push_back(masks && integer(0, 2) == 0 ? -INFINITY : value(p.type));
    return a;
  }
  double value(graph::Type type) {
    if (type == graph::Type::Bool) return static_cast<double>(integer(0, 1));
    if (type == graph::Type::Int) return static_cast<double>(integer(-3, 3));
    return std::normal_distribution<double>(0, 2)(random_);
  }
  double scalar(graph::SymType type) {
    if (type == graph::SymType::Boolean) return static_cast<double>(integer(0, 1));
    if (type == graph::SymType::Integer) return static_cast<double>(integer(-2, 5));
    return std::uniform_real_distribution<double>(-2, 3)(random_);
  }
  std::int64_t integer(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(random_() % static_cast<unsigned>(most - least + 1));
  }

  const Rule& rule_;
  std::vector<SymbolId> sizes_;
  int small_ = 0;
  double step_ = 1;
  std::mt19937 random_;
};

bool agree(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::abs(a - b) <= kTolerance * std::max({1.0, std::abs(a), std::abs(b)});
}

std::string text_of(const Array& a) {
  std::ostringstream out;
  out << "[";
  for (std::size_t k = 0; k < a.shape.size(); ++k) out << (k ? ", " : "") << a.shape[k];
  out << "]{";
  constexpr std::size_t kMost = 12;
  for (std::size_t k = 0; k < std::min(kMost, a.data.size()); ++k) out << (k ? ", " : "") << a.data[k];
  out << (a.data.size() > kMost ? ", ..}" : "}");
  return out.str();
}

RuleFault counterexample(const Rule& rule, const Case& c, const std::string& difference) {
  std::string text = "the pattern and the replacement of '" + rule.name + "' differ: for ";
  for (std::size_t t = 0; t < c.tensors.size(); ++t)
    text += (t ? ", " : "") + rule.pattern.tensors[t].name + " = " + text_of(c.tensors[t]);
  for (std::size_t s = 0; s < c.scalars.size(); ++s) {
    std::ostringstream value;
    value << c.scalars[s];
    text += ", " + rule.pattern.scalars[s].name + " = " + value.str();
  }
  return {"wrong-rule", text + difference, "an assumption may be missing: assume(..) on sizes and scalars"};
}

std::optional<RuleFault> compare(const Rule& rule, const Case& c, const Array& a, const Array& b) {
  if (a.shape != b.shape)
    return counterexample(rule, c, " one gives " + text_of(a) + ", the other " + text_of(b));
  for (std::size_t k = 0; k < a.data.size(); ++k) {
    if (agree(a.data[k], b.data[k])) continue;
    std::ostringstream out;
    out.precision(10);
    out << " element " << k << " is " << a.data[k] << " by the one and " << b.data[k] << " by the other";
    return counterexample(rule, c, out.str());
  }
  return std::nullopt;
}

std::optional<RuleFault> run(const Rule& rule) {
  Cases cases(rule);
  int tried = 0;
  for (int k = 0; k < cases.count(); ++k) {
    const Case c = cases.make(k);
    Array a, b;
    try {
      a = graph::evaluate(rule.pattern, c.tensors, c.scalars)[0];
      b = graph::evaluate(rule.replacement, c.tensors, c.scalars)[0];
    } catch (const std::invalid_argument&) { continue; }  // outside of the rule's assumptions
    ++tried;
    if (auto fault = compare(rule, c, a, b)) return fault;
  }
  if (tried == 0)
    return RuleFault{"malformed-rule",
                     "no sizes from 1 to 9 and no scalars meet the assumptions of '" + rule.name + "'",
                     "relax its assume(..)"};
  return std::nullopt;
}

RuleFault malformed(const Rule& rule, const std::string& text, const std::string& hint) {
  return {"malformed-rule", "rule '" + rule.name + "': " + text, hint};
}

bool reads(const Function& f, int input) {
  for (int id = 0; id < f.graph.size(); ++id)
    if (f.graph[id].op == Op::Input && f.graph[id].input == input) return true;
  return false;
}

std::optional<RuleFault> structure(const Rule& rule) {
  const Function& p = rule.pattern;
  if (p.outputs.size() != 1 || rule.replacement.outputs.size() != 1)
    return malformed(rule, "a side returns more than one tensor", "return one Tensor");
  const Node& root = p.graph[p.outputs[0].value.node];
  if (root.op != Op::Map && root.op != Op::Reduce)
    return malformed(rule, "the pattern computes nothing", "write the computation to look for");
  for (int id = 0; id < p.graph.size(); ++id) {
    const Op op = p.graph[id].op;
    if (op == Op::Gather || op == Op::Scan || op == Op::Segment || is_order(p.graph[id]))
      return malformed(rule, std::string("the pattern holds a ") + name_of(op),
                       "patterns are made of pointwise ops and reductions");
  }
  for (std::size_t t = 0; t < p.tensors.size(); ++t)
    if (!reads(p, static_cast<int>(t)) && reads(rule.replacement, static_cast<int>(t)))
      return malformed(rule,
                       "the replacement uses " + p.tensors[t].name + ", which the pattern does not bind",
                       "a pattern uses all of its parameters");
  return std::nullopt;
}

// Applied to its own pattern.
std::optional<RuleFault> progress(Rule rule) {
  std::fill(rule.finite.begin(), rule.finite.end(), false);
  const auto match = find_match(rule, rule.pattern, rule.pattern.outputs[0].value.node);
  if (!match)
    return malformed(rule, "its pattern is not found in itself",
                     "name each parameter's axes once, in place; use every scalar by itself");
  try {
    const Function after = instantiate(rule.pattern, rule, *match);
    if (measure(rule.phase, after) < measure(rule.phase, rule.pattern)) return std::nullopt;
  } catch (const std::logic_error& e) { return malformed(rule, e.what(), "name the size in the pattern"); }
  return RuleFault{
      "endless-rule",
      "rule '" + rule.name + "' does not make the measure of its phase smaller (" + name_of(rule.phase) + ")",
      "turn it around, or put it into another phase"};
}

}  // namespace

std::optional<RuleFault> verify_rule(const Rule& rule) {
  if (auto fault = structure(rule)) return fault;
  if (auto fault = run(rule)) return fault;
  return progress(rule);
}

}  // namespace flashlight::rewrite
