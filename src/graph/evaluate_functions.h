// SPDX-License-Identifier: Apache-2.0
// The scalar functions of Map and the monoids of Reduce in float64.
#pragma once
#include "graph/graph.h"

namespace flashlight::graph {

// fn of its operands' values; `type` is the node's. Add, Mul, And, Or take two or more.
double apply(Fn fn, Type type, const double* operands, int count);

double initial(ReduceKind);  // value over no points
double accumulate(ReduceKind, double total, double value);

}  // namespace flashlight::graph
