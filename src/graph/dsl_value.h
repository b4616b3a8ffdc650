// SPDX-License-Identifier: Apache-2.0
// Builds nodes under views: categories and storage types, broadcasting, maps and reductions.
#pragma once
#include "graph/dsl_rank.h"

namespace flashlight::graph {

// ---- Views
// A host value as a tensor without axes. Its DTypeRule is empty: a Scalar promotes no tensor of its own
// category.
TensorView scalar_view(Builder&, const Sym&);
// A tensor argument or a Scalar.
TensorView operand(Builder&, const Args&, int i);
// The view with `axes[k]` in place of its axis k, over the axes of `shape`.
TensorView reindex(const TensorView&, const std::vector<Sym>& axes, Shape shape, bool pack);
// The node over all its axes, in order.
TensorView whole(const Builder&, NodeId, bool pack, DTypeRule);
// A node that the Builder has just made for the axes of the view.
TensorView computed(Builder&, NodeId, bool pack, DTypeRule);
// Values 0, 1, ... size-1 (kInt64).
TensorView iota_view(Builder&, const Sym& size);
// An integer tensor whose values are `value`, an expression over the axes of `shape`, by way of iotas.
TensorView index_view(Builder&, const Sym& value, const Shape& shape);
// The same view without copies that the Builder has put between it and its value.
TensorView resolved(Builder&, TensorView);
// A constant that is defined for each point of `shape`.
TensorView spread(TensorView scalar, const Shape& shape, bool pack);

// ---- Categories and storage types
std::optional<DType> promote(std::optional<DType>, std::optional<DType>);
Type category(DType);
// The storage type that a category has without a tensor to say so: kBool, kInt64, kFloat32.
DTypeRule default_rule(Type);
struct Kind {
  Type type;
  DTypeRule dtype;
};
Kind promote(std::span<const TensorView>);
// What a dtype argument says: a storage type, or a tensor of the wanted one (y.dtype()). Others and none:
// `otherwise`.
Kind kind_or(const Args&, int i, Kind otherwise);
Kind float_kind(std::span<const TensorView>);    // of an op that makes floats: integers become kFloat32
Kind number_kind(std::span<const TensorView>);   // of arithmetic: Bool becomes kInt64
TensorView convert(Builder&, TensorView, Type);  // keeps the DTypeRule if the category stays
TensorView convert(Builder&, TensorView, const Kind&);
TensorView to_float(Builder&, const TensorView&);
// A condition: a parameter that stands here must be Bool, other numbers are compared with 0 where
// `any_number`.
TensorView to_bool(Builder&, const TensorView&, const Args&, bool any_number = false);
// An integer tensor: parameters that a Float value is made of by integer arithmetic alone must be Int.
TensorView to_int(Builder&, const TensorView&, const Args&);
// Asks for Int parameters in a Float value that integer arithmetic alone has made; returns if there are none.
void need_int(Builder&, const TensorView&);
// Whether integer arithmetic alone has made the value of parameters and of at least one true integer (an
// iota).
bool looks_like_int(const Builder&, const TensorView&);

// ---- Nodes
// Brings the views to one shape.
void broadcast(Builder&, std::vector<TensorView>&, const Args&);
// fn point by point, broadcasting; categories are the caller's business.
TensorView map(Builder&, Fn, std::vector<TensorView>, const DTypeRule&, const Args&);
// Reduces the given axes of the view (positions in its shape).
TensorView reduce(Builder&, ReduceKind, const TensorView&, const std::vector<int>& axes, bool keepdim,
                  const DTypeRule&, const Args&);

// Arithmetic on views of one category, as used by composite ops.
struct Math {
  Builder& b;
  const Args& args;
  TensorView number(const TensorView& like, double v) const;
  TensorView add(const TensorView&, const TensorView&) const;
  TensorView sub(const TensorView&, const TensorView&) const;
  TensorView mul(const TensorView&, const TensorView&) const;
  TensorView mul(const TensorView&, double) const;
  TensorView add(const TensorView&, double) const;
  TensorView div(const TensorView&, const TensorView&) const;
  TensorView pow(const TensorView&, double) const;
  TensorView apply(Fn, const TensorView&) const;
  TensorView apply(Fn, const TensorView&, const TensorView&) const;
  TensorView where(const TensorView& condition, const TensorView&, const TensorView&) const;
};

}  // namespace flashlight::graph
