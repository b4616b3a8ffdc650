// SPDX-License-Identifier: Apache-2.0
// What a reading learns about parameters: ranks, categories, equal sizes, and checks for launch.
#include <algorithm>

#include "graph/builder.h"

namespace flashlight::graph {
namespace {

bool is_size(const Sym& e) { return e.op() == SymOp::Symbol && e.symbol_id().kind != SymbolId::Scalar; }

std::string size_text(const Sym& e) { return to_string(e); }

}  // namespace

void Facts::merge(const Facts& learned) {
  for (const auto& [param, rank] : learned.ranks) ranks[param] = rank;
  for (const auto& [param, type] : learned.types) types[param] = type;
  for (const auto& [id, size] : learned.sizes) sizes[id] = size;
  exact.insert(learned.exact.begin(), learned.exact.end());
  loose.insert(learned.loose.begin(), learned.loose.end());
}

Facts Builder::with_rank(int param, Facts::Rank rank) const {
  Facts next = facts_;
  Facts::Rank& now = next.ranks[param];
  const Facts::Rank before = now;
  // That was for want of better.
  if (now.known && (now.guessed ? rank.known : rank.named && !now.named)) now.known = false, now.axes = 0;
  if (now.known && (rank.axes > now.axes || (rank.known && rank.axes != now.axes)))
    throw LoweringError("shape-mismatch", "the function uses one parameter both with " +
                                              std::to_string(now.axes) + " dims and with " +
                                              std::to_string(rank.axes) + (rank.known ? "" : " or more"));
  if (rank.known && rank.axes < now.axes)
    throw LoweringError("shape-mismatch", "the function uses one parameter both with " +
                                              std::to_string(rank.axes) + " dims and with " +
                                              std::to_string(now.axes) + " or more");
  now = {now.known || rank.known, std::max(now.axes, rank.axes), now.named || rank.named, rank.guessed};
  if (now == before)
    throw std::logic_error("need_rank: nothing new about parameter " + std::to_string(param));
  next.sizes.clear();
  next.exact.clear();
  next.loose.clear();
  return next;
}

void Builder::need_rank(int param, Facts::Rank rank) { throw NeedFacts{with_rank(param, rank)}; }

void Builder::choose_rank(int param, int least, int usual, bool places) {
  NeedRank question{{with_rank(param, {true, std::max(least, usual), true})},
                    param,
                    least,
                    function_.tensors[static_cast<std::size_t>(param)].access,
                    places};
  throw question;
}

void Builder::need_type(int param, Type type) {
  Facts next = facts_;
  auto [it, fresh] = next.types.try_emplace(param, type);
  if (!fresh && it->second != type)
    throw LoweringError("type-mismatch", "the function uses one parameter both as " +
                                             std::string(name_of(it->second)) + " and as " + name_of(type));
  if (!fresh) throw std::logic_error("need_type: nothing new about parameter " + std::to_string(param));
  throw NeedFacts{std::move(next)};
}

Sym Builder::canonical(const Sym& size) const {
  Sym out = size;
  for (bool changed = true; changed;) {
    const Sym next = substitute(out, [&](const Sym& leaf) -> std::optional<Sym> {
      if (leaf.op() != SymOp::Symbol) return std::nullopt;
      if (auto it = learned_.sizes.find(leaf.symbol_id()); it != learned_.sizes.end()) return it->second;
      if (auto it = facts_.sizes.find(leaf.symbol_id()); it != facts_.sizes.end()) return it->second;
      return std::nullopt;
    });
    changed = next != out;
    out = next;
  }
  return out;
}

void Builder::exact(const Sym& size) {
  std::vector<SymbolId> ids;
  collect_symbols(size, ids);
  for (SymbolId id : ids) {
    if (id.kind == SymbolId::Scalar || facts_.exact.contains(id)) continue;
    learned_.exact.insert(id);
    // Axes that already go by this symbol's name cannot be told apart any more.
    for (const auto& [other, target] : facts_.sizes)
      if (target == Sym::symbol(id) && !facts_.exact.contains(other)) learned_.exact.insert(other);
  }
}

void Builder::contracted(const Sym& size) {
  // Once sizes go by common names the first reading has told which are exact.
  if (is_size(size) && (broadcast_.contains(size.symbol_id()) || !facts_.sizes.empty())) return;
  exact(size);
}

void Builder::learn(SymbolId id, const Sym& size) { learned_.sizes[id] = size; }

// A constant stands before a symbol, a lower symbol before a higher one.
bool Builder::unify_symbols(const Sym& a, const Sym& b) {
  const bool size_a = is_size(a), size_b = is_size(b);
  if (size_a && size_b) {
    const SymbolId x = a.symbol_id(), y = b.symbol_id();
    if (x < y) learn(y, a);
    else learn(x, b);
    return true;
  }
  if (size_a && b.op() == SymOp::Integer) return learn(a.symbol_id(), b), true;
  if (size_b && a.op() == SymOp::Integer) return learn(b.symbol_id(), a), true;
  return false;
}

Sym Builder::unify(const Sym& given_a, const Sym& given_b, const std::string& what) {
  contracted(given_a);
  contracted(given_b);
  if (is_size(given_a) && is_size(given_b)) equal_.emplace_back(given_a.symbol_id(), given_b.symbol_id());
  const Sym a = canonical(given_a), b = canonical(given_b);
  if (a == b) return a;
  const Sym equal = make_sym(SymOp::Eq, {a, b});
  if (equal.op() == SymOp::Boolean) {
    if (equal.integer()) return a;
    throw LoweringError("shape-mismatch",
                        what + " differ: " + size_text(given_a) + " and " + size_text(given_b));
  }
  // Of an equation like 2*s == 2*t remains s == t.
  if (equal.op() == SymOp::Eq && unify_symbols(equal.args()[0], equal.args()[1])) return canonical(a);
  add_check(equal, what + " must be equal");
  return std::min(a, b);
}

Sym Builder::unify_broadcast(const Sym& given_a, const Sym& given_b, const std::string& what) {
  const Sym a = canonical(given_a), b = canonical(given_b);
  if (a == b || b.is_integer(1)) return a;
  if (a.is_integer(1)) return b;
  if (is_loose(a) != is_loose(b)) {
    const Sym &axis = is_loose(a) ? a : b, &size = is_loose(a) ? b : a;
    add_check(make_sym(SymOp::Or, {make_sym(SymOp::Eq, {axis, Sym(1)}), make_sym(SymOp::Eq, {axis, size})}),
              what + " do not broadcast");
    return size;
  }
  if (is_size(given_a) && is_size(given_b)) equal_.emplace_back(given_a.symbol_id(), given_b.symbol_id());
  if (a.op() == SymOp::Integer && b.op() == SymOp::Integer)
    throw LoweringError("shape-mismatch",
                        what + " do not broadcast: " + size_text(given_a) + " and " + size_text(given_b));
  if (!unify_symbols(a, b)) return unify(given_a, given_b, what);
  const Sym common = canonical(a);
  if (is_size(common)) broadcast_.insert(common.symbol_id());
  return common;
}

bool Builder::is_loose(const Sym& size) const {
  return is_size(size) && facts_.loose.contains(size.symbol_id()) &&
         !facts_.exact.contains(size.symbol_id()) && !learned_.exact.contains(size.symbol_id());
}

void Builder::meets(const Sym& size, const Shape& others) {
  if (is_size(size) && size.symbol_id().kind == SymbolId::Size)
    meetings_.push_back({size.symbol_id(), others});
}

std::set<SymbolId> Builder::loosened() const {
  std::set<SymbolId> out;
  for (const Meeting& first : meetings_) {
    const SymbolId axis = first.axis;
    if (facts_.exact.contains(axis) || learned_.exact.contains(axis) || facts_.loose.contains(axis) ||
        out.contains(axis))
      continue;
    // What the other ops say about sizes without this axis.
    std::map<SymbolId, SymbolId> parent;
    auto root = [&](SymbolId id) {
      for (auto at = parent.find(id); at != parent.end() && at->second != id; at = parent.find(id))
        id = at->second;
      return id;
    };
    for (auto [a, b] : equal_)
      if (a != axis && b != axis) parent[root(a)] = root(b);
    std::set<SymbolId> met;
    for (const Meeting& m : meetings_)
      for (const Sym& other : m.others)
        if (m.axis == axis && is_size(other) && other.symbol_id() != axis)
          met.insert(root(other.symbol_id()));
    if (met.size() > 1) out.insert(axis);
  }
  return out;
}

void Builder::add_check(Sym condition, std::string text) {
  auto same = [&](const Check& c) { return c.condition == condition; };
  if (std::any_of(function_.checks.begin(), function_.checks.end(), same)) return;
  function_.checks.push_back({std::move(condition), std::move(text), where_});
}

void Builder::check(Sym condition, std::string text) {
  exact(condition);
  const Sym c = canonical(condition);
  if (c.op() == SymOp::Boolean) {
    if (c.integer()) return;
    throw LoweringError("shape-mismatch", text);
  }
  if (c.op() == SymOp::Le && c.args()[0].type() == SymType::Integer &&
      proves_nonnegative(c.args()[1] - c.args()[0], {}))
    return;  // whatever the sizes
  add_check(c, std::move(text));
}

void Builder::assume(const Sym& condition) {
  exact(condition);
  const Sym c = canonical(condition);
  if (c.op() == SymOp::And) {
    for (const Sym& part : c.args()) assume(part);
    return;
  }
  if (c.op() == SymOp::Boolean && !c.integer())
    throw LoweringError("false-assumption", "assume(" + size_text(condition) + ") cannot hold");
  if (c.op() == SymOp::Eq) unify_symbols(c.args()[0], c.args()[1]);
  if (c.op() != SymOp::Boolean) add_check(c, "the program assumes " + size_text(c));
}

TensorView Builder::input(int param, const std::string& name, const std::string& access) {
  const auto at = static_cast<std::size_t>(param);
  if (function_.tensors.size() <= at) function_.tensors.resize(at + 1);
  const auto rank_it = facts_.ranks.find(param);
  const Facts::Rank rank = rank_it == facts_.ranks.end() ? Facts::Rank{} : rank_it->second;
  const auto type_it = facts_.types.find(param);
  TensorParam& p = function_.tensors[at];
  p.name = name;
  p.access = access;
  p.pack = !rank.known;
  p.may_lack_axes = !rank.named;
  p.type = type_it == facts_.types.end() ? Type::Float : type_it->second;
  p.truth_only = true;
  p.shape.clear();
  if (p.pack) p.shape.push_back(canonical(Sym::symbol({SymbolId::Pack, param, 0})));
  for (int k = 0; k < rank.axes; ++k)
    p.shape.push_back(canonical(Sym::symbol({SymbolId::Size, param, k + (p.pack ? 1 : 0)})));
  Node n;
  n.op = Op::Input;
  n.type = p.type;
  n.shape = p.shape;
  n.input = param;
  TensorView out{intern(n), {}, p.shape, p.pack, p.type, {{param}, {}}};
  for (std::size_t k = 0; k < p.shape.size(); ++k)
    out.index.push_back(p.shape[k].is_integer(1) ? Sym(0) : Sym::axis(static_cast<int>(k)));
  return out;
}

void Builder::convert_param(int param, const DTypeRule& to) {
  std::vector<DTypeRule>& known = function_.tensors[static_cast<std::size_t>(param)].conversions;
  if (to == DTypeRule{{param}, {}} || std::find(known.begin(), known.end(), to) != known.end()) return;
  known.push_back(to);
}

void Builder::too_narrow(const DTypeRule& rule, DType type) {
  auto same = [&](const TooNarrow& n) { return n.rule == rule && n.type == type; };
  if (std::none_of(function_.too_narrow.begin(), function_.too_narrow.end(), same))
    function_.too_narrow.push_back({rule, type, where_});
}

Sym Builder::scalar_param(int param, SymType type, const std::string& name, const std::string& access) {
  const auto at = static_cast<std::size_t>(param);
  if (function_.scalars.size() <= at) function_.scalars.resize(at + 1);
  function_.scalars[at] = {name, access, type};
  return Sym::symbol({SymbolId::Scalar, param, 0}, type);
}

}  // namespace flashlight::graph
