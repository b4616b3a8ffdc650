// SPDX-License-Identifier: Apache-2.0
// See interpret_points.h.
#include "kernel/interpret_points.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "graph/evaluate_functions.h"

namespace flashlight::kernel {

using fusion::Access;
using fusion::Index;
using graph::Op;
using graph::Sym;
using graph::SymOp;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

Points::Points(const graph::Function& function, const graph::Binding& binding)
    : function_(function), binding_(binding) {}

const PointCode& Points::compile(const Access& access) {
  auto [found, fresh] = codes_.try_emplace(access);
  if (fresh) found->second = part(access, fusion::kFirstBound);
  return found->second;
}

PointCode Points::part(const Access& access, int bound) {
  PointCode code;
  Done done;
  compile(access, code, done, bound);
  code.values_.resize(code.code_.size());
  return code;
}

const BoundInput& Points::input(int tensor) {
  auto [found, fresh] = inputs_.try_emplace(tensor);
  if (fresh) {
    found->second.extents = binding_.extents(function_.tensors[tensor].shape);
    found->second.strides = graph::strides_of(found->second.extents);
    found->second.values = binding_.input(tensor);
  }
  return found->second;
}

std::vector<graph::IndexCode> Points::index_code(const Index& index) const {
  std::vector<graph::IndexCode> code;
  for (const Sym& i : index) code.emplace_back(binding_.bound(i));
  return code;
}

int Points::compile(const Access& at, PointCode& out, Done& done, int bound) {
  if (auto found = done.find(at); found != done.end()) return found->second;
  const graph::Node& node = function_.graph[at.node];
  PointCode::Instruction next;
  next.op = node.op;
  next.fn = node.fn;
  next.type = node.type;
  auto arguments = [&](std::size_t first) {
    for (std::size_t k = first; k < node.operands.size(); ++k) {
      next.args.push_back(compile(fusion::compose(node.operands[k], at.index), out, done, bound));
    }
  };
  switch (node.op) {
    case Op::Scalar: next.constant = binding_.value(node.value); break;
    case Op::Iota: next.index = index_code(at.index); break;
    case Op::Map: arguments(0); break;
    case Op::Input:
      next.input = &input(node.input);
      next.index = index_code(at.index);
      next.from_end.assign(at.index.size(), false);
      break;
    case Op::Gather: {
      const graph::Node& table = function_.graph[node.operands[0].node];
      if (table.op != Op::Input) throw std::logic_error("interpret: a gather from a computed tensor");
      arguments(1);
      const Index index = fusion::compose(node.operands[0], at.index).index;
      next.input = &input(table.input);
      next.index = index_code(index);
      for (const Sym& i : index) next.from_end.push_back(i.op() == SymOp::Datum);
      break;
    }
    case Op::Reduce: {
      Index iteration = at.index;
      for (const Sym& size : node.reduced) {
        iteration.push_back(Sym::axis(bound + static_cast<int>(next.extents.size())));
        next.extents.push_back(static_cast<std::int64_t>(binding_.value(size)));
      }
      next.reduce = node.reduce;
      next.bound = bound;
      next.parts.push_back(
          part(fusion::compose(node.operands[0], iteration), bound + static_cast<int>(node.reduced.size())));
      break;
    }
    case Op::Segment: {
      next.index = index_code({at.index[node.axis]});
      for (std::size_t k = 0; k < node.operands.size(); ++k) {
        next.parts.push_back(part(fusion::compose(node.operands[k], at.index), bound));
        next.extents.push_back(static_cast<std::int64_t>(binding_.value(node.segments[k])));
      }
      break;
    }
    default:
      throw std::logic_error(std::string("interpret: ") + graph::name_of(node.op) +
                             " is no value of a point");
  }
  out.code_.push_back(std::move(next));
  return done[at] = static_cast<int>(out.code_.size()) - 1;
}

double PointCode::load(const Instruction& i, const std::int64_t* loops) const {
  data_.assign(i.args.size() + 1, 0);
  for (std::size_t k = 0; k < i.args.size(); ++k) {
    const double position = values_[i.args[k]];
    if (!(std::fabs(position) < 1e15)) return kNan;
    data_[k + 1] = static_cast<std::int64_t>(position);
  }
  std::int64_t offset = 0;
  for (std::size_t a = 0; a < i.index.size(); ++a) {
    std::int64_t position = i.index[a].run(loops, data_.data());
    const std::int64_t extent = i.input->extents[a];
    if (extent == 1) continue;  // broadcast
    if (i.from_end[a] && position < 0) position += extent;
    if (position < 0 || position >= extent) {
      if (i.op == Op::Gather) return kNan;
      throw std::logic_error("interpret: a tensor is read at " + std::to_string(position) + " of " +
                             std::to_string(extent));
    }
    offset += position * i.input->strides[a];
  }
  return i.input->values[offset];
}

double PointCode::reduce(const Instruction& i, const std::int64_t* loops) {
  std::vector<std::int64_t> at(loops, loops + kLoops);
  std::int64_t* const bound = at.data() + i.bound;
  const std::size_t rank = i.extents.size();
  std::fill(bound, bound + rank, 0);
  const bool some = i.reduce == graph::ReduceKind::Any, all = i.reduce == graph::ReduceKind::All;
  double result = i.reduce == graph::ReduceKind::Max           ? -std::numeric_limits<double>::infinity()
                  : i.reduce == graph::ReduceKind::Min         ? std::numeric_limits<double>::infinity()
                  : i.reduce == graph::ReduceKind::Prod || all ? 1
                                                               : 0;
  for (const std::int64_t extent : i.extents) {
    if (extent == 0) return result;
  }
  for (;;) {
    const double x = i.parts[0].run(at.data());
    switch (i.reduce) {
      case graph::ReduceKind::Sum: result += x; break;
      case graph::ReduceKind::Prod: result *= x; break;
      case graph::ReduceKind::Max: result = x > result || std::isnan(x) ? x : result; break;
      case graph::ReduceKind::Min: result = x < result || std::isnan(x) ? x : result; break;
      default: result = some ? result != 0 || x != 0 : result != 0 && x != 0; break;
    }
    std::size_t axis = rank;
    while (axis > 0 && ++bound[axis - 1] == i.extents[axis - 1]) bound[--axis] = 0;
    if (axis == 0) return result;
  }
}

double PointCode::select(const Instruction& i, const std::int64_t* loops) {
  std::int64_t position = i.index[0].run(loops, nullptr);
  std::size_t k = 0;
  while (k + 1 < i.parts.size() && position >= i.extents[k]) position -= i.extents[k++];
  return i.parts[k].run(loops);
}

double PointCode::run(const std::int64_t* loops) const {
  for (std::size_t k = 0; k < code_.size(); ++k) {
    const Instruction& i = code_[k];
    switch (i.op) {
      case Op::Scalar: values_[k] = i.constant; break;
      case Op::Iota: values_[k] = static_cast<double>(i.index[0].run(loops, nullptr)); break;
      case Op::Map:
        operands_.resize(i.args.size());
        for (std::size_t a = 0; a < i.args.size(); ++a) operands_[a] = values_[i.args[a]];
        values_[k] = graph::apply(i.fn, i.type, operands_.data(), static_cast<int>(operands_.size()));
        break;
      case Op::Reduce: values_[k] = reduce(i, loops); break;
      case Op::Segment: values_[k] = select(i, loops); break;
      default: values_[k] = load(i, loops); break;
    }
  }
  return values_.back();
}

}  // namespace flashlight::kernel
