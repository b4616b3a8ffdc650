// SPDX-License-Identifier: Apache-2.0
// The launcher's part in what is no fused kernel: products by a library, orders, and groups. And what all
// steps share.
#pragma once
#include <set>

#include "emit/variant.h"

namespace flashlight::emit {

std::string initializer(const std::vector<int>& values);
// "{0, 1}, -1": parameters whose types are promoted, and a storage type that joins them (-1: none).
std::string rule_arguments(const graph::DTypeRule& rule);
// The type of a tensor that the step writes: "launch.float_result({0, 1}, -1)".
std::string stored_type(const PartText& v, const graph::TensorView& view);
// Sizes of a view's axes behind the pack.
std::vector<std::string> host_sizes(const graph::Function& f, const graph::TensorView& view);
// The tensor that a step writes to, seen as the step sees it: out0.narrow(-2, 0, 16), or an intermediate.
std::string tensor_text(const graph::Function& f, const fusion::Target& target);
// The type of a result, by the rule of the whole result: "launch.float_result({0, 1}, -1)".
std::string type_text(const graph::DTypeRule& rule);
// p.n0 = ..: the host values that a kernel reads.
void write_scalars(const PartText& v, Writer& w);

// const Product product3 = launch.product(..);
void write_product(const PartText& v, std::size_t number, Writer& w);
// const Ordering order3 = launch.order(..); or const RunningSum sum3 = launch.running_sum(..);
void write_row_step(const PartText& v, std::size_t number, Writer& w);
// Makes the step's results, those that are the function's and not made yet.
void write_leftover_results(const graph::Function& whole, const PartText& v, std::set<int>& made, Writer& w);
void write_group_start(const PartText& v, Writer& w);

}  // namespace flashlight::emit
