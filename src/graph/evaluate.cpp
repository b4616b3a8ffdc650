// SPDX-License-Identifier: Apache-2.0
// Evaluates a Function in float64, node by node: the meaning of the Graph.
#include "graph/evaluate.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "graph/evaluate_bind.h"
#include "graph/evaluate_functions.h"
#include "graph/evaluate_rows.h"

namespace flashlight::graph {
namespace {

using Values = std::vector<double>;

class Evaluation {
 public:
  Evaluation(const Function& f, const Binding& binding)
      : graph_(f.graph), binding_(binding), values_(f.graph.size()) {}

  // The values of a node, row-major over its shape.
  const Values& of(NodeId id) {
    if (!values_[id]) values_[id] = compute(id);
    return *values_[id];
  }

  // An operand's values over iteration axes; the operand is evaluated as a node of its own.
  RowReader reader(const Operand& operand, const Extents& iteration) {
    std::vector<Sym> index;
    for (const Sym& e : operand.index) index.push_back(binding_.bound(e));
    return {of(operand.node), binding_.extents(graph_[operand.node].shape), index, iteration};
  }

 private:
  Values compute(NodeId id) {
    const Node& n = graph_[id];
    switch (n.op) {
      case Op::Input: return binding_.input(n.input);
      case Op::Scalar: return {binding_.value(n.value)};
      case Op::Iota: return iota(n);
      case Op::Map: return map(n);
      case Op::Reduce: return reduce(n);
      case Op::Gather: return gather(n);
      case Op::Scan: return scan(n);
      case Op::Segment: return segment(n);
      case Op::Sort:
      case Op::Order: return order(n);
    }
    throw std::logic_error("evaluate: unknown op");
  }

  Values iota(const Node& n) {
    Values out(count(binding_.extents(n.shape)));
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<double>(i);
    return out;
  }

  // Calls row(flat, values) for every row of fn over the iteration axes.
  template <class F>
  void map_rows(const Node& n, const std::vector<Operand>& operands, const Extents& iteration, F&& row) {
    std::vector<RowReader> readers;
    for (const Operand& operand : operands) readers.push_back(reader(operand, iteration));
    std::size_t length = iteration.empty() ? 1 : iteration.back(), arity = operands.size();
    std::vector<Values> in(arity, Values(length));
    Values out(length), at(arity);
    for_each_row(iteration, [&](const std::int64_t* point, std::int64_t flat) {
      for (std::size_t k = 0; k < arity; ++k) readers[k].read(point, in[k].data());
      for (std::size_t i = 0; i < length; ++i) {
        if (n.op == Op::Map && n.fn == Fn::Mul && arity == 2) {
          out[i] = in[0][i] * in[1][i];
          continue;
        }
        for (std::size_t k = 0; k < arity; ++k) at[k] = in[k][i];
        out[i] = n.op == Op::Map ? apply(n.fn, n.type, at.data(), static_cast<int>(arity)) : at[0];
      }
      row(flat, out);
    });
  }

  Values map(const Node& n) {
    Extents shape = binding_.extents(n.shape);
    Values out(count(shape));
    map_rows(n, n.operands, shape, [&](std::int64_t flat, const Values& row) {
      std::copy(row.begin(), row.end(), out.begin() + flat);
    });
    return out;
  }

  Extents iteration_of(const Node& n) {
    Extents iteration = binding_.extents(n.shape), reduced = binding_.extents(n.reduced);
    iteration.insert(iteration.end(), reduced.begin(), reduced.end());
    return iteration;
  }

  // A product under a sum is computed in the loop: nothing of the contraction's full size is stored.
  Values reduce(const Node& n) {
    const Operand& operand = n.operands[0];
    const Node& inner = graph_[operand.node];
    bool product =
        n.reduce == ReduceKind::Sum && inner.op == Op::Map && inner.fn == Fn::Mul && !values_[operand.node];
    std::vector<Operand> operands{operand};
    if (product) {
      operands = inner.operands;
      for (Operand& factor : operands)
        for (Sym& e : factor.index) e = substitute_axes(e, operand.index);
    }
    std::int64_t points = count(binding_.extents(n.reduced));
    Values out(count(binding_.extents(n.shape)), initial(n.reduce));
    map_rows(product ? inner : n, operands, iteration_of(n), [&](std::int64_t flat, const Values& row) {
      double& total = out[flat / points];
      for (double v : row) total = accumulate(n.reduce, total, v);
    });
    return out;
  }

  // Equals keep their order; NaN counts as the largest.
  Values order(const Node& n) {
    Extents iteration = binding_.extents(n.shape);
    const std::int64_t most = iteration.back();
    iteration.back() = binding_.extents(n.reduced)[0];
    if (most < 0 || most > iteration.back())
      throw std::invalid_argument("evaluate: the first " + std::to_string(most) + " of " +
                                  std::to_string(iteration.back()) + " elements");
    std::vector<Sym> place = identity_index(iteration.size());
    place.push_back(Sym::axis(n.axis));  // the elements take the place of the ordered ones
    Values out(count(binding_.extents(n.shape)));
    std::vector<std::size_t> at(static_cast<std::size_t>(iteration.back()));
    auto result = out.begin();
    map_rows(n, {seen_through(n.operands[0], place)}, iteration, [&](std::int64_t, const Values& row) {
      std::iota(at.begin(), at.end(), 0);
      std::stable_sort(at.begin(), at.end(), [&](std::size_t a, std::size_t b) {
        const double x = row[n.descending ? b : a], y = row[n.descending ? a : b];
        return x < y || (std::isnan(y) && !std::isnan(x));
      });
      for (std::int64_t k = 0; k < most; ++k, ++result)
        *result = n.op == Op::Order ? static_cast<double>(at[static_cast<std::size_t>(k)])
                                    : row[at[static_cast<std::size_t>(k)]];
    });
    return out;
  }

  // Negative positions count from the end of the axis they are used on.
  Values gather(const Node& n) {
    const Operand& table = n.operands[0];
    const Values& source = of(table.node);
    Extents shape = binding_.extents(n.shape), extents = binding_.extents(graph_[table.node].shape);
    Extents strides = strides_of(extents);
    std::vector<IndexCode> codes;
    std::vector<bool> is_datum;
    for (const Sym& e : table.index) {
      Sym bound = binding_.bound(e);
      codes.emplace_back(bound);
      is_datum.push_back(bound.op() == SymOp::Datum);
    }
    std::vector<RowReader> readers;
    for (std::size_t k = 1; k < n.operands.size(); ++k) readers.push_back(reader(n.operands[k], shape));
    std::size_t length = shape.empty() ? 1 : shape.back();
    std::vector<Values> rows(readers.size(), Values(length));
    Values out(count(shape));
    Extents here(shape.size() + 1), data(readers.size() + 1);
    for_each_row(shape, [&](const std::int64_t* point, std::int64_t flat) {
      for (std::size_t k = 0; k < readers.size(); ++k) readers[k].read(point, rows[k].data());
      here.assign(point, point + shape.size() + 1);
      for (std::size_t i = 0; i < length; ++i) {
        if (!shape.empty()) here[shape.size() - 1] = static_cast<std::int64_t>(i);
        for (std::size_t k = 0; k < rows.size(); ++k) data[k + 1] = static_cast<std::int64_t>(rows[k][i]);
        std::int64_t at = 0;
        for (std::size_t m = 0; m < codes.size(); ++m) {
          std::int64_t position = codes[m].run(here.data(), data.data());
          if (is_datum[m] && position < 0) position += extents[m];
          if (position < 0 || position >= extents[m])
            throw std::invalid_argument("evaluate: gather at " + std::to_string(position) + " of size " +
                                        std::to_string(extents[m]));
          at += position * strides[m];
        }
        out[flat + i] = source[at];
      }
    });
    return out;
  }

  Values scan(const Node& n) {
    Values out = map(n);
    Extents shape = binding_.extents(n.shape), strides = strides_of(shape);
    for (std::size_t i = 0; i < out.size(); ++i)
      if ((static_cast<std::int64_t>(i) / strides[n.axis]) % shape[n.axis] != 0)
        out[i] += out[i - strides[n.axis]];
    return out;
  }

  // Segment s lies behind the ones before it; its operand is indexed for the joined axis.
  Values segment(const Node& n) {
    Extents shape = binding_.extents(n.shape), strides = strides_of(shape),
            sizes = binding_.extents(n.segments);
    Values out(count(shape));
    std::int64_t offset = 0;
    for (std::size_t s = 0; s < n.operands.size(); offset += sizes[s++]) {
      Extents part = shape;
      part[n.axis] = sizes[s];
      std::vector<Sym> axes;
      for (int k = 0; k < static_cast<int>(shape.size()); ++k)
        axes.push_back(Sym::axis(k) + Sym(k == n.axis ? offset : 0));
      Operand shifted = n.operands[s];
      for (Sym& e : shifted.index) e = substitute_axes(binding_.bound(e), axes);
      Extents part_strides = strides_of(part);
      map_rows(n, {shifted}, part, [&](std::int64_t flat, const Values& row) {
        for (std::size_t i = 0; i < row.size(); ++i) {
          std::int64_t at = offset * strides[n.axis];
          for (std::size_t k = 0; k < part.size(); ++k)
            at += (flat + static_cast<std::int64_t>(i)) / part_strides[k] % part[k] * strides[k];
          out[at] = row[i];
        }
      });
    }
    if (offset != shape[n.axis]) throw std::logic_error("evaluate: segments do not fill their axis");
    return out;
  }

  const Graph& graph_;
  const Binding& binding_;
  std::vector<std::optional<Values>> values_;
};

Array output(Evaluation& evaluation, const Binding& binding, const TensorView& view) {
  Extents shape = binding.extents(view.shape);
  RowReader reader = evaluation.reader({view.node, view.index}, shape);
  Array out{shape, Values(count(shape))};
  for_each_row(shape, [&](const std::int64_t* point, std::int64_t flat) {
    reader.read(point, out.data.data() + flat);
  });
  if (view.pack) {
    out.shape.erase(out.shape.begin());
    out.shape.insert(out.shape.begin(), binding.leading().begin(), binding.leading().end());
  }
  return out;
}

}  // namespace

std::vector<Array> evaluate(const Function& f, const std::vector<Array>& tensors,
                            const std::vector<double>& scalars) {
  Binding binding(f, tensors, scalars);
  Evaluation evaluation(f, binding);
  std::vector<Array> out;
  for (const Output& result : f.outputs) out.push_back(output(evaluation, binding, result.value));
  return out;
}

}  // namespace flashlight::graph
