// SPDX-License-Identifier: Apache-2.0
// The DSL's ops on TensorViews: shape rules and lowering into Graph nodes, one table row an op.
#pragma once
#include <string_view>
#include <variant>

#include "graph/builder.h"

namespace flashlight::graph {

struct Arg;
using ArgList = std::vector<Arg>;

// An argument or result of a DSL op. A list stands for Sizes, TensorList, std containers and braced lists;
// monostate for an absent optional.
struct Arg : std::variant<std::monostate, TensorView, Sym, DType, std::string, ArgList> {
  using variant::variant;
  bool absent() const { return index() == 0; }
};

// Applies the DSL op `name` (free function or method: the receiver is the first argument) to all its
// arguments in order of declaration, defaults included. Operators are named by their symbol: "+", "-",
// "unary-", "+=", "<", "&", "~", ... Results: a TensorView, a Sym (dim, size, numel), or a list (chunk,
// split, sizes, topk). An in-place op (+= and its kin) returns the new value; the caller decides whether the
// storage may be mutated. Throws LoweringError (unknown op: id "unsupported-op"; a rule of the op broken:
// "shape-mismatch", "type-mismatch", "dim-out-of-range") and NeedFacts.
Arg apply_op(Builder&, std::string_view name, const ArgList& args);
bool is_op(std::string_view name);

}  // namespace flashlight::graph
