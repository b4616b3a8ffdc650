// SPDX-License-Identifier: Apache-2.0
// Inside the kernel stage: helpers shared by the files that lower plans.
#pragma once
#include "kernel/program.h"

namespace flashlight::kernel {

Space space_of_loops(const fusion::KernelPlan& plan, unsigned loops);

// `e` with each key of `with` replaced; what is replaced is not looked into.
Expr substitute(Expr e, const std::map<Expr, Expr>& with);

// u = scale * rest with `scale` uniform and proven positive; scale is null where there is none. A reference
// kept for `rest` instead of `u` saves the product for every element: the scale folds into exp2's.
struct Peeled {
  Expr scale, rest;
};
Peeled peel_scale(const Program& program, Expr u);

}  // namespace flashlight::kernel
