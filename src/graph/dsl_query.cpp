// SPDX-License-Identifier: Apache-2.0
// Queries (sizes as symbols, the storage type as a marker), conversions, and the DSL's ops that have no place
// in a kernel.
#include "graph/dsl_ops.h"

namespace flashlight::graph {
namespace {

// A size that the program reads does not broadcast: the value must be the same whichever tensor it is read
// from.
Sym read_size(Builder& b, const Sym& size) {
  b.exact(size);
  return size;
}

Arg dim(Builder& b, const Args& a) {
  need_known(b, a.tensor(0), 0, kUsualRank, a);
  return Sym(rank_of(a.tensor(0)));
}

Arg size(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  return read_size(b, x.shape[axis_of(b, x, a.integer(1), a)]);
}

Arg sizes(Builder& b, const Args& a) {
  need_known(b, a.tensor(0), 0, kUsualRank, a);
  ArgList out;
  for (const Sym& size : a.tensor(0).shape) out.emplace_back(read_size(b, size));
  return out;
}

Arg numel(Builder& b, const Args& a) {
  Sym n(1);
  for (const Sym& size : a.tensor(0).shape) n = n * read_size(b, size);
  return n;
}

// A storage type that is known at launch only is a tensor that has it, here one without a node:
// x.to(y.dtype()).
Arg dtype(Builder&, const Args& a) {
  const TensorView& x = a.tensor(0);
  if (x.dtype.inputs.empty() && x.dtype.constant) return *x.dtype.constant;
  TensorView marker;
  marker.type = x.type;
  marker.dtype = x.dtype;
  return marker;
}

Arg always(Builder&, const Args&) { return Sym::boolean(true); }

// to(dtype), to(x.dtype()), to(device). Float storage types differ in rounding only, which a kernel moves or
// drops.
Arg to(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  Kind kind = kind_or(a, 1, {x.type, x.dtype});
  // Converting a parameter to an integer type says that it holds integers.
  if (kind.type == Type::Int && x.type == Type::Float)
    if (int param = raw_parameter(b, x); param >= 0) b.need_type(param, Type::Int);
  if (int param = raw_parameter(b, x); param >= 0 && kind.type == Type::Float && x.type == Type::Float)
    b.convert_param(param, kind.dtype);
  return convert(b, x, kind);
}

// assume(x.dim() == n)
Arg assume_rank(Builder& b, const Args& a) {
  std::int64_t rank = a.integer(1);
  need_exact(b, a.tensor(0), static_cast<int>(rank), a);
  return Arg();
}

Arg no_kernel(Builder&, const Args& a) {
  a.fail("unsupported-op", "cannot be part of a kernel",
         "call it outside and pass the tensor as a parameter");
}

constexpr OpRow kRows[] = {
    {"dim", dim},
    {"size", size},
    {"sizes", sizes},
    {"numel", numel},
    {"dtype", dtype},
    {"is_contiguous", always},
    {"defined", always},
    {"to", to},
    {"assume_rank", assume_rank},
    {"randn", no_kernel},
    {"rand", no_kernel},
    {"randint", no_kernel},
    {"from_blob", no_kernel},
    {"load_npy", no_kernel},
    {"save_npy", no_kernel},
    {"allclose", no_kernel},
    {"max_abs_diff", no_kernel},
    {"to_text", no_kernel},
    {"item", no_kernel},
    {"data", no_kernel},
    {"stride", no_kernel},
    {"strides", no_kernel},
    {"device", no_kernel},
};

}  // namespace

std::span<const OpRow> query_ops() { return kRows; }

}  // namespace flashlight::graph
