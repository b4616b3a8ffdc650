// SPDX-License-Identifier: Apache-2.0
// Reads the arguments of a DSL op and names the op in every complaint about them.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "graph/dsl.h"

namespace flashlight::graph {

// "[pack, 4, q1]": a shape for messages.
std::string describe(const TensorView&);

// The arguments of one call. Reading past the end reads an absent argument: trailing defaults may be left
// out.
class Args {
 public:
  Args(std::string_view op, const ArgList& list) : op_(op), list_(list) {}

  const std::string& op() const { return op_; }
  int size() const { return static_cast<int>(list_.size()); }
  const Arg& at(int i) const;
  bool has(int i) const { return !at(i).absent(); }
  bool is_tensor(int i) const { return std::holds_alternative<TensorView>(at(i)); }
  bool is_sym(int i) const { return std::holds_alternative<Sym>(at(i)); }

  const TensorView& tensor(int i) const;
  std::vector<TensorView> tensors(int i) const;  // a list of tensors; a single one is a list of one
  const Sym& sym(int i) const;
  Sym sym_or(int i, const Sym& otherwise) const { return has(i) ? sym(i) : otherwise; }
  std::int64_t integer(int i) const;  // must be known when translating
  std::int64_t integer_or(int i, std::int64_t otherwise) const { return has(i) ? integer(i) : otherwise; }
  bool flag_or(int i, bool otherwise) const;    // must be known when translating
  std::vector<Sym> sizes(int i) const;          // a list, or one number; absent: empty
  std::vector<std::int64_t> dims(int i) const;  // as sizes, all known when translating

  [[noreturn]] void fail(std::string id, const std::string& text, std::string hint = {}) const;

 private:
  std::string op_;
  const ArgList& list_;
};

}  // namespace flashlight::graph
