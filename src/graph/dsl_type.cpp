// SPDX-License-Identifier: Apache-2.0
// Categories and storage types: promotion, and what the use of a parameter says about its category.
#include <algorithm>

#include "graph/dsl_value.h"

namespace flashlight::graph {

Type category(DType t) {
  if (t == DType::Bool) return Type::Bool;
  return t <= DType::Float64 ? Type::Float : Type::Int;
}

std::optional<DType> promote(std::optional<DType> a, std::optional<DType> b) {
  if (!a || !b || *a == *b) return a ? a : b;
  if (category(*a) != category(*b)) return category(*a) > category(*b) ? a : b;
  DType low = std::min(*a, *b), high = std::max(*a, *b);
  if (low == DType::Float16 && high == DType::BFloat16) return DType::Float32;
  if (low == DType::Int8 && high == DType::UInt8) return DType::Int32;  // there is no kInt16
  return high;
}

DTypeRule default_rule(Type type) {
  return {{}, type == Type::Bool ? DType::Bool : type == Type::Int ? DType::Int64 : DType::Float32};
}

Kind kind_or(const Args& a, int i, Kind otherwise) {
  if (auto* dtype = std::get_if<DType>(&a.at(i))) return {category(*dtype), {{}, *dtype}};
  if (auto* like = std::get_if<TensorView>(&a.at(i))) return {like->type, like->dtype};
  return otherwise;
}

Kind promote(std::span<const TensorView> views) {
  Kind kind{Type::Bool, {}};
  for (const TensorView& v : views) kind.type = std::max(kind.type, v.type);
  std::set<int> inputs;
  for (const TensorView& v : views) {
    if (v.type != kind.type) continue;
    inputs.insert(v.dtype.inputs.begin(), v.dtype.inputs.end());
    kind.dtype.constant = promote(kind.dtype.constant, v.dtype.constant);
  }
  kind.dtype.inputs.assign(inputs.begin(), inputs.end());
  if (kind.dtype == DTypeRule{}) kind.dtype = default_rule(kind.type);
  return kind;
}

namespace {

// A parameter's own values are used as conditions, not as what x.to(kBool) makes of any numbers.
void note_conditions(Builder& b, const TensorView& v) {
  if (int param = raw_parameter(b, v); param >= 0 && v.type == Type::Bool && !v.dtype.inputs.empty())
    b.need_conditions(param);
}

}  // namespace

TensorView convert(Builder& b, TensorView v, Type type) {
  if (v.type == type) return v;
  note_conditions(b, v);
  const Node n = b.node(v.node);  // a copy: making nodes moves them
  bool weak = v.dtype == DTypeRule{};
  if (n.op == Op::Scalar) {
    SymOp op = type == Type::Float ? SymOp::ToReal : SymOp::ToInteger;
    Sym value = type == Type::Bool
                    ? make_sym(SymOp::Ne, {n.value, n.value.type() == SymType::Real ? Sym(0.0) : Sym(0)})
                    : make_sym(op, {n.value});
    v.node = b.scalar(value, type);
  } else {
    Fn fn = type == Type::Float ? Fn::ToFloat : type == Type::Int ? Fn::ToInt : Fn::ToBool;
    NodeId id = b.map(fn, n.shape, {{v.node, identity_index(n.shape.size())}});
    v.node = id;
  }
  v.type = type;
  v.dtype = weak ? DTypeRule{} : default_rule(type);
  return resolved(b, std::move(v));
}

TensorView convert(Builder& b, TensorView v, const Kind& kind) {
  v = convert(b, std::move(v), kind.type);
  v.dtype = kind.dtype;
  return v;
}

Kind float_kind(std::span<const TensorView> views) {
  Kind kind = promote(views);
  return kind.type == Type::Float ? kind : Kind{Type::Float, default_rule(Type::Float)};
}

Kind number_kind(std::span<const TensorView> views) {
  Kind kind = promote(views);
  return kind.type != Type::Bool ? kind : Kind{Type::Int, default_rule(Type::Int)};
}

TensorView to_float(Builder& b, const TensorView& v) { return convert(b, v, float_kind(std::vector{v})); }

TensorView to_bool(Builder& b, const TensorView& v, const Args& args, bool any_number) {
  if (v.type == Type::Bool) {
    if (!any_number) note_conditions(b, v);
    return v;
  }
  if (int param = raw_parameter(b, v); param >= 0 && v.type == Type::Float) b.need_type(param, Type::Bool);
  if (any_number) return convert(b, v, Type::Bool);
  args.fail("type-mismatch", "needs a kBool tensor, got " + std::string(name_of(v.type)),
            "compare it: x != 0");
}

namespace {

struct IntegerLook {
  bool arithmetic = true;       // nothing but integer arithmetic
  bool integer = false;         // some leaf is an integer for certain
  std::vector<int> parameters;  // Float parameters among the leaves
};

bool is_integer_arithmetic(Fn fn) {
  switch (fn) {
    case Fn::Add:
    case Fn::Mul:
    case Fn::Max:
    case Fn::Min:
    case Fn::FloorDiv:
    case Fn::Mod:
    case Fn::Where:
    case Fn::Abs:
    case Fn::Sign:
    case Fn::ToFloat: return true;
    default: return false;
  }
}

void look(const Builder& b, NodeId id, IntegerLook& out) {
  const Node& n = b.node(id);
  if (n.type != Type::Float) {
    out.integer = out.integer || (n.type == Type::Int && n.op != Op::Scalar);
  } else if (n.op == Op::Input) {
    out.parameters.push_back(n.input);
  } else if (n.op == Op::Gather || b.is_copy(id)) {
    look(b, n.operands[0].node, out);
  } else if (n.op == Op::Scalar) {
    auto value = n.value.as_real();
    bool converted =
        n.value.op() == SymOp::ToReal || (value && *value == static_cast<double>(static_cast<long>(*value)));
    out.arithmetic = out.arithmetic && converted;
  } else if (n.op == Op::Map && is_integer_arithmetic(n.fn)) {
    for (const Operand& operand : n.operands) look(b, operand.node, out);
  } else {
    out.arithmetic = false;
  }
}

}  // namespace

void need_int(Builder& b, const TensorView& v) {
  if (v.type != Type::Float) return;
  IntegerLook seen;
  look(b, v.node, seen);
  if (seen.arithmetic && !seen.parameters.empty()) b.need_type(seen.parameters.front(), Type::Int);
}

bool looks_like_int(const Builder& b, const TensorView& v) {
  IntegerLook seen;
  look(b, v.node, seen);
  return seen.arithmetic && seen.integer;
}

TensorView to_int(Builder& b, const TensorView& v, const Args& args) {
  need_int(b, v);
  if (v.type == Type::Float)
    args.fail("type-mismatch", "needs an integer tensor, got Float", "convert it: x.to(kInt64)");
  return convert(b, v, Type::Int);
}

}  // namespace flashlight::graph
