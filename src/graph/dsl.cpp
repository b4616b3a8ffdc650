// SPDX-License-Identifier: Apache-2.0
// Finds a DSL op by its name and applies it.
#include "graph/dsl.h"

#include <unordered_map>

#include "graph/dsl_narrow.h"
#include "graph/dsl_ops.h"

namespace flashlight::graph {
namespace {

using Table = std::unordered_map<std::string_view, decltype(OpRow::lower)>;

Table gather_rows() {
  Table table;
  for (auto rows : {pointwise_ops(), unary_ops(), reduce_ops(), contract_ops(), view_ops(), slice_ops(),
                    reshape_ops(), index_ops(), create_ops(), query_ops(), attention_ops()})
    for (const OpRow& row : rows)
      if (!table.emplace(row.name, row.lower).second)
        throw std::logic_error("op twice: " + std::string(row.name));
  return table;
}

const Table& table() {
  static const Table rows = gather_rows();
  return rows;
}

}  // namespace

Arg apply_op(Builder& b, std::string_view name, const ArgList& args) {
  auto row = table().find(name);
  if (row == table().end()) throw LoweringError("unsupported-op", "unknown op " + std::string(name));
  Arg result = row->second(b, Args(name, args));
  if (const auto* value = std::get_if<TensorView>(&result)) check_narrow(b, *value);
  return result;
}

bool is_op(std::string_view name) { return table().contains(name); }

}  // namespace flashlight::graph
