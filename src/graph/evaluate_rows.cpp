// SPDX-License-Identifier: Apache-2.0
// Reads a dense array through an index map, a row of the last iteration axis at a time.
#include "graph/evaluate_rows.h"

#include <algorithm>
#include <stdexcept>

namespace flashlight::graph {
namespace {

std::int64_t floor_quotient(std::int64_t a, std::int64_t b) {
  if (b == 0) throw std::invalid_argument("an index is divided by 0");
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

[[noreturn]] void out_of_range(std::int64_t position, std::int64_t extent) {
  throw std::invalid_argument("index " + std::to_string(position) + " is out of range for size " +
                              std::to_string(extent));
}

// The one axis that e depends on; -1: none, -2: several or a datum.
int only_axis(const Sym& e) {
  int axis = -1;
  substitute(e, [&](const Sym& leaf) -> std::optional<Sym> {
    if (leaf.op() == SymOp::Datum) axis = -2;
    if (leaf.op() == SymOp::Axis && axis != leaf.integer())
      axis = axis == -1 ? static_cast<int>(leaf.integer()) : -2;
    return std::nullopt;
  });
  return axis;
}

}  // namespace

IndexCode::IndexCode(const Sym& e) : op(e.op()) {
  if (op == SymOp::Integer || op == SymOp::Axis || op == SymOp::Datum || op == SymOp::Boolean)
    constant = e.integer();
  for (const Sym& arg : e.args()) args.emplace_back(arg);
}

std::int64_t IndexCode::run(const std::int64_t* axes, const std::int64_t* data) const {
  auto arg = [&](std::size_t k) { return args[k].run(axes, data); };
  switch (op) {
    case SymOp::Integer:
    case SymOp::Boolean: return constant;
    case SymOp::Axis: return axes[constant];
    case SymOp::Datum: return data[constant];
    case SymOp::Add: {
      std::int64_t sum = 0;
      for (const IndexCode& a : args) sum += a.run(axes, data);
      return sum;
    }
    case SymOp::Mul: {
      std::int64_t product = 1;
      for (const IndexCode& a : args) product *= a.run(axes, data);
      return product;
    }
    case SymOp::FloorDiv: return floor_quotient(arg(0), arg(1));
    case SymOp::Mod: {
      std::int64_t n = arg(0), d = arg(1);
      return n - floor_quotient(n, d) * d;
    }
    case SymOp::Min:
    case SymOp::Max: {
      std::int64_t best = arg(0);
      for (std::size_t k = 1; k < args.size(); ++k)
        best = op == SymOp::Min ? std::min(best, arg(k)) : std::max(best, arg(k));
      return best;
    }
    case SymOp::Lt: return arg(0) < arg(1);
    case SymOp::Le: return arg(0) <= arg(1);
    case SymOp::Eq: return arg(0) == arg(1);
    case SymOp::Ne: return arg(0) != arg(1);
    case SymOp::Select: return arg(0) ? arg(1) : arg(2);
    default: throw std::invalid_argument("an index map holds what no index map may");
  }
}

RowReader::RowReader(const std::vector<double>& array, const std::vector<std::int64_t>& extents,
                     const std::vector<Sym>& index, const std::vector<std::int64_t>& iteration)
    : array_(array.data()), tables_(iteration.size()), row_length_(iteration.empty() ? 1 : iteration.back()) {
  bool empty = std::find(iteration.begin(), iteration.end(), 0) != iteration.end();
  std::int64_t stride = 1;
  for (std::size_t m = index.size(); m-- > 0; stride *= extents[m]) {
    if (extents[m] == 1) continue;  // read at 0, also where a longer axis reads it
    std::vector<Sym> terms = index[m].op() == SymOp::Add ? index[m].args() : std::vector<Sym>{index[m]};
    if (std::any_of(terms.begin(), terms.end(), [](const Sym& term) { return only_axis(term) == -2; })) {
      general_.push_back({IndexCode(index[m]), stride, extents[m]});
      continue;
    }
    std::vector<std::int64_t> low(iteration.size(), 0), high(iteration.size(), 0),
        point(iteration.size() + 1, 0);
    std::vector<std::vector<std::int64_t>> value(iteration.size());
    std::int64_t least = 0, most = 0;
    for (const Sym& term : terms) {
      IndexCode code(term);
      int axis = only_axis(term);
      if (axis < 0) {
        std::int64_t v = code.run(point.data(), nullptr);
        base_ += v * stride, least += v, most += v;
        continue;
      }
      value[axis].resize(iteration[axis], 0);
      for (std::int64_t i = 0; i < iteration[axis]; ++i) {
        point[axis] = i;
        value[axis][i] += code.run(point.data(), nullptr);
      }
      point[axis] = 0;
    }
    for (std::size_t k = 0; k < value.size(); ++k) {
      if (value[k].empty()) continue;
      least += *std::min_element(value[k].begin(), value[k].end());
      most += *std::max_element(value[k].begin(), value[k].end());
      tables_[k].resize(iteration[k], 0);
      for (std::int64_t i = 0; i < iteration[k]; ++i) tables_[k][i] += value[k][i] * stride;
    }
    if (empty) continue;
    if (least < 0) out_of_range(least, extents[m]);
    if (most >= extents[m]) out_of_range(most, extents[m]);
  }
}

void RowReader::read(const std::int64_t* point, double* row) const {
  std::int64_t at = base_;
  std::size_t rank = tables_.size();
  for (std::size_t k = 0; k + 1 < rank; ++k)
    if (!tables_[k].empty()) at += tables_[k][point[k]];
  const std::int64_t* last = rank && !tables_.back().empty() ? tables_.back().data() : nullptr;
  if (general_.empty()) {
    for (std::int64_t i = 0; i < row_length_; ++i) row[i] = array_[at + (last ? last[i] : 0)];
    return;
  }
  std::vector<std::int64_t> here(point, point + rank);
  for (std::int64_t i = 0; i < row_length_; ++i) {
    if (rank) here.back() = i;
    std::int64_t offset = at + (last ? last[i] : 0);
    for (const General& g : general_) {
      std::int64_t position = g.code.run(here.data(), nullptr);
      if (position < 0 || position >= g.extent) out_of_range(position, g.extent);
      offset += position * g.stride;
    }
    row[i] = array_[offset];
  }
}

}  // namespace flashlight::graph
