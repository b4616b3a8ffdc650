// SPDX-License-Identifier: Apache-2.0
// See flashlight/generated/product.h.
#include "flashlight/generated/product.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "flashlight/flashlight.h"

namespace flashlight::generated {

namespace {

using Step = long long ProductAxis::*;

// One matrix of a call while its axes are sorted out.
struct Groups {
  std::vector<ProductAxis> m, n, k, batch;
};

bool lie_as_one(const ProductAxis& outer, const ProductAxis& inner, std::initializer_list<Step> of) {
  return std::all_of(of.begin(), of.end(), [&](Step s) { return outer.*s == inner.*s * inner.size; });
}

// Outer axes first, as they lie in the tensor; neighbours that lie as one in all the tensors named are
// joined.
void join(std::vector<ProductAxis>& axes, Step order, std::initializer_list<Step> of) {
  std::stable_sort(axes.begin(), axes.end(), [&](const ProductAxis& x, const ProductAxis& y) {
    return std::abs(x.*order) > std::abs(y.*order);
  });
  std::vector<ProductAxis> joined;
  for (const ProductAxis& axis : axes) {
    if (!joined.empty() && lie_as_one(joined.back(), axis, of)) {
      const long long size = joined.back().size * axis.size;
      joined.back() = axis;
      joined.back().size = size;
    } else {
      joined.push_back(axis);
    }
  }
  axes = std::move(joined);
}

Groups groups_of(const std::vector<ProductAxis>& axes) {
  Groups g;
  for (const ProductAxis& axis : axes) {
    if (axis.size == 1) continue;
    if (axis.c == 0) g.k.push_back(axis);
    else if (axis.b == 0 && axis.a != 0) g.m.push_back(axis);
    else if (axis.a == 0 && axis.b != 0) g.n.push_back(axis);
    else g.batch.push_back(axis);
  }
  join(g.m, &ProductAxis::c, {&ProductAxis::c, &ProductAxis::a});
  join(g.n, &ProductAxis::c, {&ProductAxis::c, &ProductAxis::b});
  join(g.k, &ProductAxis::a, {&ProductAxis::a, &ProductAxis::b});
  join(g.batch, &ProductAxis::c, {&ProductAxis::c, &ProductAxis::a, &ProductAxis::b});
  return g;
}

// The matrix in a form that the library takes; false where it has none.
bool settle(ProductMatrix& matrix, long long rows, long long columns) {
  if (rows == 1 && columns == 1) matrix.rows = matrix.columns = 1;
  else if (rows == 1) matrix.rows = matrix.columns == 1 ? columns : 1;
  else if (columns == 1) matrix.columns = matrix.rows == 1 ? rows : 1;
  const bool by_rows = matrix.columns == 1 && matrix.rows >= columns;
  const bool by_columns = matrix.rows == 1 && matrix.columns >= rows;
  return by_rows || by_columns;
}

ProductAxis only(const std::vector<ProductAxis>& axes) {
  return axes.empty() ? ProductAxis{1, 0, 0, 0} : axes.back();
}

class Planner {
 public:
  Planner(std::vector<ProductAxis> axes, const ProductTensor& c, const ProductTensor& a,
          const ProductTensor& b, DType type, Reserve reserve, void* context)
      : axes_(std::move(axes)), c_(c), a_(a), b_(b), type_(type), reserve_(reserve), context_(context) {}

  Product run() {
    if (std::any_of(axes_.begin(), axes_.end(), [](const ProductAxis& x) { return x.size == 0 && x.c != 0; }))
      return {};
    if (c_.type != type_) throw Error("a product's result is of another type than the product");
    if (a_.type != type_) pack(a_, &ProductAxis::a);
    if (b_.type != type_) pack(b_, &ProductAxis::b);
    Gemm call;
    Groups g = fitting(call);
    add_calls(g, call);
    return std::move(product_);
  }

 private:
  // Packs tensors until one call's matrices can be addressed.
  Groups fitting(Gemm& call) {
    for (;;) {
      Groups g = groups_of(axes_);
      if (g.k.size() > 1) {
        if (!packed(&ProductAxis::a)) pack(a_, &ProductAxis::a);
        else if (!packed(&ProductAxis::b)) pack(b_, &ProductAxis::b);
        else throw Error("a product's summed axes do not become one");
        continue;
      }
      const ProductAxis m = only(g.m), n = only(g.n), k = only(g.k);
      call = {m.size, n.size, k.size, 1, {}, {}, {}, type_};
      call.c = {static_cast<char*>(c_.base), m.c, n.c, 0};
      call.a = {static_cast<char*>(a_.base), m.a, k.a, 0};
      call.b = {static_cast<char*>(b_.base), k.b, n.b, 0};
      if (!settle(call.a, m.size, k.size)) pack(a_, &ProductAxis::a);
      else if (!settle(call.b, k.size, n.size)) pack(b_, &ProductAxis::b);
      else if (!settle(call.c, m.size, n.size)) pack(c_, &ProductAxis::c);
      else return g;
    }
  }

  bool packed(Step s) const { return packed_[s == &ProductAxis::a ? 0 : s == &ProductAxis::b ? 1 : 2]; }

  // The tensor becomes a copy in the type of the product: its own axes one behind the other, summed ones
  // last. An operand is copied before the calls, the result behind them.
  void pack(ProductTensor& tensor, Step s) {
    const bool result = s == &ProductAxis::c;
    if (packed(s)) throw Error("a product's tensor cannot be addressed");
    packed_[s == &ProductAxis::a ? 0 : s == &ProductAxis::b ? 1 : 2] = true;
    std::vector<ProductAxis*> order;
    for (const bool summed : {false, true})
      for (ProductAxis& axis : axes_)
        if ((axis.c == 0) == summed && (axis.*s != 0 || (summed && !result)) && axis.size != 1)
          order.push_back(&axis);
    if (order.size() > Packing::kMostAxes) throw Error("a product's tensor has too many axes");
    Packing packing;
    packing.axes = static_cast<int>(order.size());
    long long stride = 1;
    for (std::size_t k = order.size(); k-- > 0;) {
      packing.size[k] = order[k]->size;
      packing.source_stride[k] = order[k]->*s;
      packing.target_stride[k] = stride;
      order[k]->*s = stride;
      stride *= std::max(order[k]->size, 1ll);
      packing.elements *= order[k]->size;
    }
    void* const copy = reserve_(context_, static_cast<std::size_t>(packing.elements) * element_size(type_));
    packing.source = tensor.base;
    packing.target = copy;
    packing.from = tensor.type;
    packing.to = type_;
    if (result) {
      std::swap(packing.source_stride, packing.target_stride);
      packing.source = copy;
      packing.target = tensor.base;
    }
    tensor = {copy, type_};
    if (packing.elements > 0) (result ? product_.unpackings : product_.packings).push_back(packing);
  }

  // The library's batch is the innermost of the batch axes; the host loops over all others, rows and columns
  // that do not lie as one among them.
  void add_calls(const Groups& g, Gemm call) {
    std::vector<ProductAxis> outer = g.batch;
    if (!outer.empty()) {
      const ProductAxis z = outer.back();
      outer.pop_back();
      call.batch = z.size;
      call.c.batch = z.c;
      call.a.batch = z.a;
      call.b.batch = z.b;
    }
    for (const std::vector<ProductAxis>* axes : {&g.m, &g.n})
      for (std::size_t k = 0; k + 1 < axes->size(); ++k) outer.push_back((*axes)[k]);
    loop(outer, 0, call);
  }

  void loop(const std::vector<ProductAxis>& outer, std::size_t level, Gemm call) {
    if (level == outer.size()) return product_.calls.push_back(call);
    const auto bytes = static_cast<long long>(element_size(type_));
    const ProductAxis& axis = outer[level];
    for (long long at = 0; at < axis.size; ++at) {
      loop(outer, level + 1, call);
      call.c.base += axis.c * bytes;
      call.a.base += axis.a * bytes;
      call.b.base += axis.b * bytes;
    }
  }

  std::vector<ProductAxis> axes_;
  ProductTensor c_, a_, b_;
  DType type_;
  Reserve reserve_;
  void* context_;
  bool packed_[3] = {};
  Product product_;
};

Tensor on_host(const ProductMatrix& matrix, long long batch, long long rows, long long columns, DType type) {
  return Tensor::wrap(matrix.base, {batch, rows, columns}, {matrix.batch, matrix.rows, matrix.columns}, type,
                      Device::kCPU);
}

}  // namespace

Product plan_product(std::vector<ProductAxis> axes, const ProductTensor& c, const ProductTensor& a,
                     const ProductTensor& b, DType type, Reserve reserve, void* context) {
  return Planner(std::move(axes), c, a, b, type, reserve, context).run();
}

void multiply_on_host(const Gemm& g) {
  const Tensor product =
      matmul(on_host(g.a, g.batch, g.m, g.k, g.type), on_host(g.b, g.batch, g.k, g.n, g.type)).contiguous();
  const auto bytes = static_cast<long long>(element_size(g.type));
  const char* from = static_cast<const char*>(product.raw());
  for (long long z = 0; z < g.batch; ++z)
    for (long long i = 0; i < g.m; ++i)
      for (long long j = 0; j < g.n; ++j, from += bytes)
        std::memcpy(g.c.base + (z * g.c.batch + i * g.c.rows + j * g.c.columns) * bytes, from,
                    static_cast<std::size_t>(bytes));
}

}  // namespace flashlight::generated
