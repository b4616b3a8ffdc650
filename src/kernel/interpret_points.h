// SPDX-License-Identifier: Apache-2.0
// Inside the interpreter: Graph values at one point of the plan's loops, in float64.
#pragma once
#include <map>

#include "fusion/local.h"
#include "graph/evaluate_bind.h"
#include "graph/evaluate_rows.h"

namespace flashlight::kernel {

// A tensor parameter at its full shape.
struct BoundInput {
  graph::Extents extents, strides;
  std::vector<double> values;
};

// Loops of a plan and those that reductions inside point values bind.
inline constexpr int kLoops = 64;

// The values of an access as a list of instructions; each reads earlier ones.
class PointCode {
 public:
  // loops[k]: the value of axis(k), of kLoops numbers.
  double run(const std::int64_t* loops) const;

 private:
  friend class Points;
  struct Instruction {
    graph::Op op = graph::Op::Scalar;
    graph::Fn fn = graph::Fn::Add;
    graph::Type type = graph::Type::Float;
    double constant = 0;                  // Scalar
    const BoundInput* input = nullptr;    // Input, Gather
    std::vector<graph::IndexCode> index;  // Input, Gather, Iota
    std::vector<bool> from_end;           // Gather: a negative position counts from the end
    std::vector<int> args;                // Map; Gather: what Datum(1..) stands for
    // Reduce: the body, over the bound loops; Segment: one for each part.
    std::vector<PointCode> parts;
    graph::ReduceKind reduce = graph::ReduceKind::Sum;
    std::vector<std::int64_t> extents;  // Reduce: of the bound loops; Segment: of the parts
    int bound = 0;                      // Reduce: the first bound loop
  };
  double load(const Instruction&, const std::int64_t* loops) const;
  static double reduce(const Instruction&, const std::int64_t* loops);
  static double select(const Instruction&, const std::int64_t* loops);
  std::vector<Instruction> code_;
  mutable std::vector<double> values_;
  mutable std::vector<double> operands_;
  mutable std::vector<std::int64_t> data_;
};

// Compiles accesses for one binding of a function. Codes live as long as this does.
class Points {
 public:
  Points(const graph::Function& function, const graph::Binding& binding);
  // Throws std::logic_error for a node that is not computed point by point (a reduction, a scan, ...).
  const PointCode& compile(const fusion::Access&);

 private:
  using Done = std::map<fusion::Access, int>;
  int compile(const fusion::Access&, PointCode&, Done&, int bound);
  PointCode part(const fusion::Access&, int bound);
  std::vector<graph::IndexCode> index_code(const fusion::Index&) const;
  const BoundInput& input(int tensor);
  const graph::Function& function_;
  const graph::Binding& binding_;
  std::map<int, BoundInput> inputs_;
  std::map<fusion::Access, PointCode> codes_;
};

}  // namespace flashlight::kernel
