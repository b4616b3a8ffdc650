// SPDX-License-Identifier: Apache-2.0
// The op table, by group: to add an op, add a row to the table at the end of the file that lowers its group.
#pragma once
#include "graph/dsl_value.h"

namespace flashlight::graph {

struct OpRow {
  std::string_view name;
  Arg (*lower)(Builder&, const Args&);
};

std::span<const OpRow> pointwise_ops();  // dsl_pointwise.cpp
std::span<const OpRow> unary_ops();      // dsl_unary.cpp
std::span<const OpRow> reduce_ops();     // dsl_reduce.cpp
std::span<const OpRow> contract_ops();   // dsl_contract.cpp
std::span<const OpRow> view_ops();       // dsl_view.cpp
std::span<const OpRow> slice_ops();      // dsl_slice.cpp
std::span<const OpRow> reshape_ops();    // dsl_reshape.cpp
std::span<const OpRow> index_ops();      // dsl_index.cpp
std::span<const OpRow> create_ops();     // dsl_create.cpp
std::span<const OpRow> query_ops();      // dsl_query.cpp
std::span<const OpRow> attention_ops();  // dsl_attention.cpp

}  // namespace flashlight::graph
