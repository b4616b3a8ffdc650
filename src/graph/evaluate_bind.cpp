// SPDX-License-Identifier: Apache-2.0
// Binds a Function to arrays: the values of its symbols, its inputs at their full shapes, its launch checks.
#include "graph/evaluate_bind.h"

#include <algorithm>
#include <stdexcept>

namespace flashlight::graph {
namespace {

std::string text_of(const Extents& shape) {
  std::string text = "[";
  for (std::size_t k = 0; k < shape.size(); ++k) text += (k ? ", " : "") + std::to_string(shape[k]);
  return text + "]";
}

[[noreturn]] void fail(const Function& f, int t, const std::string& text) {
  throw std::invalid_argument(f.name + ": parameter " + f.tensors[t].name + ": " + text);
}

int own_axes(const TensorParam& p) { return static_cast<int>(p.shape.size()) - (p.pack ? 1 : 0); }

bool may_broadcast(const TensorParam& p, int k) {
  return k < static_cast<int>(p.may_broadcast.size()) && p.may_broadcast[k];
}

}  // namespace

std::int64_t count(const Extents& extents) {
  std::int64_t n = 1;
  for (std::int64_t e : extents) n *= e;
  return n;
}

Extents strides_of(const Extents& extents) {
  Extents strides(extents.size(), 1);
  for (std::size_t k = extents.size(); k-- > 1;) strides[k - 1] = strides[k] * extents[k];
  return strides;
}

Binding::Binding(const Function& f, const std::vector<Array>& tensors, const std::vector<double>& scalars)
    : function_(f), arrays_(tensors) {
  if (tensors.size() != f.tensors.size() || scalars.size() != f.scalars.size())
    throw std::invalid_argument(f.name + ": needs " + std::to_string(f.tensors.size()) + " tensors and " +
                                std::to_string(f.scalars.size()) + " scalars");
  for (std::size_t s = 0; s < scalars.size(); ++s)
    values_[{SymbolId::Scalar, static_cast<int>(s), 0}] = scalars[s];
  for (std::size_t t = 0; t < tensors.size(); ++t)
    if (count(tensors[t].shape) != static_cast<std::int64_t>(tensors[t].data.size()))
      fail(f, static_cast<int>(t), "shape " + text_of(tensors[t].shape) + " does not match its data");
  bind_pack();
  bind_sizes();
  run_checks();
}

Extents Binding::own_extents(int t) const {
  const TensorParam& p = function_.tensors[t];
  const Extents& shape = arrays_[t].shape;
  int rank = static_cast<int>(shape.size()), own = own_axes(p);
  if (!p.pack && (p.may_lack_axes ? rank > own : rank != own))
    fail(function_, t, "needs " + std::to_string(own) + " dims, got " + text_of(shape));
  if (rank >= own) return {shape.end() - own, shape.end()};
  Extents out(own - rank, 1);  // a tensor of fewer dims broadcasts, where its leading axes may
  for (int k = 0; k < own - rank; ++k)
    if (!may_broadcast(p, k + (p.pack ? 1 : 0)))
      fail(function_, t, "needs at least " + std::to_string(own) + " dims, got " + text_of(shape));
  out.insert(out.end(), shape.begin(), shape.end());
  return out;
}

Extents Binding::pack_extents(int t) const {
  const Extents& shape = arrays_[t].shape;
  int leading = static_cast<int>(shape.size()) - own_axes(function_.tensors[t]);
  return {shape.begin(), shape.begin() + std::max(leading, 0)};
}

// The leading axes of all tensors with a pack broadcast against each other, aligned at their ends.
void Binding::bind_pack() {
  bool any = false;
  for (std::size_t t = 0; t < arrays_.size(); ++t) {
    if (!function_.tensors[t].pack) continue;
    any = true;
    Extents mine = pack_extents(static_cast<int>(t));
    if (mine.size() > leading_.size()) leading_.insert(leading_.begin(), mine.size() - leading_.size(), 1);
    for (std::size_t k = 0; k < mine.size(); ++k) {
      std::int64_t& common = leading_[leading_.size() - mine.size() + k];
      if (common == 1) common = mine[k];
      else if (mine[k] != 1 && mine[k] != common)
        fail(function_, static_cast<int>(t),
             "its leading dims " + text_of(mine) + " do not broadcast with " + text_of(leading_));
    }
  }
  if (!any) return;
  for (const TensorParam& p : function_.tensors)
    if (p.pack) values_[p.shape[0].symbol_id()] = static_cast<double>(count(leading_));
}

// A symbol stands for the size of several axes; where those may broadcast, for the one that is not 1.
void Binding::bind_sizes() {
  int tensors = static_cast<int>(arrays_.size());
  for (int pass = 0; pass < 2; ++pass)  // own sizes first: a symbol nobody mentions keeps its own
    for (int t = 0; t < tensors; ++t) {
      const TensorParam& p = function_.tensors[t];
      Extents own = own_extents(t);
      int first = p.pack ? 1 : 0;
      for (int k = 0; k < static_cast<int>(own.size()); ++k) {
        SymbolId mine{SymbolId::Size, t, first + k};
        const Sym& size = p.shape[first + k];
        double actual = static_cast<double>(own[k]);
        if (pass == 0) {
          values_.emplace(mine, actual);
        } else if (size.op() == SymOp::Symbol && own[k] != 1) {
          auto [at, is_new] = values_.emplace(size.symbol_id(), actual);
          if (!is_new && at->second == 1) at->second = actual;
        }
      }
    }
  for (int t = 0; t < tensors; ++t)
    for (int k = function_.tensors[t].pack ? 1 : 0; k < static_cast<int>(function_.tensors[t].shape.size());
         ++k)
      bind_axis(t, k);
}

void Binding::bind_axis(int t, int k) {
  const TensorParam& p = function_.tensors[t];
  std::int64_t actual = own_extents(t)[k - (p.pack ? 1 : 0)];
  auto wanted = static_cast<std::int64_t>(value(p.shape[k]));
  if (actual == wanted || (actual == 1 && may_broadcast(p, k))) return;
  fail(function_, t,
       "dim " + std::to_string(k - static_cast<int>(p.shape.size())) + " must have size " +
           std::to_string(wanted) + ", got " + text_of(arrays_[t].shape));
}

void Binding::run_checks() const {
  for (const Check& check : function_.checks)
    if (value(check.condition) == 0) throw std::invalid_argument(function_.name + ": " + check.text);
}

double Binding::value(const Sym& e) const {
  return evaluate(e, [&](SymbolId id) { return values_.at(id); });
}

Extents Binding::extents(const Shape& shape) const {
  Extents out;
  for (const Sym& size : shape) out.push_back(static_cast<std::int64_t>(value(size)));
  return out;
}

Sym Binding::bound(const Sym& e) const {
  return substitute(e, [&](const Sym& leaf) -> std::optional<Sym> {
    if (leaf.op() != SymOp::Symbol) return std::nullopt;
    double v = values_.at(leaf.symbol_id());
    if (leaf.type() == SymType::Real) return Sym(v);
    return leaf.type() == SymType::Boolean ? Sym::boolean(v != 0) : Sym(static_cast<std::int64_t>(v));
  });
}

std::vector<double> Binding::input(int t) const {
  const TensorParam& p = function_.tensors[t];
  Extents have = p.pack ? pack_extents(t) : Extents{}, full;
  if (p.pack) {
    have.insert(have.begin(), leading_.size() - have.size(), 1);
    full = leading_;
  }
  Extents own = own_extents(t),
          own_full = extents(p.pack ? Shape(p.shape.begin() + 1, p.shape.end()) : p.shape);
  have.insert(have.end(), own.begin(), own.end());
  full.insert(full.end(), own_full.begin(), own_full.end());
  if (have == full) return arrays_[t].data;
  Extents strides = strides_of(have), point(full.size(), 0);
  std::vector<double> out(count(full));
  for (double& v : out) {
    std::int64_t at = 0;
    for (std::size_t k = 0; k < full.size(); ++k) at += have[k] == 1 ? 0 : point[k] * strides[k];
    v = arrays_[t].data[at];
    for (std::size_t k = full.size(); k-- > 0 && ++point[k] == full[k];) point[k] = 0;
  }
  return out;
}

}  // namespace flashlight::graph
