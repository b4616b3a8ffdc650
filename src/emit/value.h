// SPDX-License-Identifier: Apache-2.0
// Row-program values as C++ expressions inside the loops over fragments.
#pragma once
#include <set>

#include "emit/point.h"

namespace flashlight::emit {

// A value that has a variable: a state, a fragment, a row vector or a uniform constant.
struct Variable {
  std::string name;
  bool indexed = true;  // name[e]; uniform constants are not
};

// Prints expressions and decides what to compute outside the innermost loop.
class ValuePrinter {
 public:
  ValuePrinter(const kernel::Program& program, PointPrinter& points);

  std::map<kernel::Expr, Variable> variables;

  // Inside a loop over `subscript` ("e" or "r").
  Code value(kernel::Expr e, const std::string& subscript);

  // Gives variables to the parts of `e` that vary with less than `loop` does: uniform parts are written to
  // `uniform` once, row parts to `rows` as row vectors. Regroups sums and products so that such parts stand
  // together; returns the result.
  kernel::Expr hoist(kernel::Expr e, kernel::Space loop, Writer& uniform, Writer& rows);
  // Row vectors hold the values of their moment: call this when states may have changed or their scope ends.
  void forget_rows() { row_parts_.clear(); }

  // Inside a loop over rows, or where every lane computes the same: the text of `e`, and in front of it the
  // declarations of the reductions it holds, which the lanes of a quad compute together.
  std::string together(kernel::Expr e, const std::string& subscript, std::vector<std::string>& declarations);

 private:
  Code printed(kernel::Expr e, const std::string& subscript, bool in_step);
  bool is_extremum(kernel::Expr e) const;
  bool meets_extremum(kernel::Expr e) const;
  bool compares_elements() const;
  bool is_hoistable(kernel::Expr e, kernel::Space loop);
  kernel::Expr name_part(kernel::Expr e, Writer& uniform, Writer& rows);
  Code leaf(kernel::Expr e);
  const kernel::Program& program_;
  PointPrinter& points_;
  std::map<kernel::Expr, kernel::Expr> uniform_parts_, row_parts_;
  std::set<kernel::Expr> extrema_;  // states and temporaries that hold one over the keys
  int uniforms_ = 0, rows_ = 0, placeholders_ = 0;
  bool in_step_ = false;  // inside the argument of a function that jumps
};

// The loop variables an expression's text needs, as declarations in front of it: "const int i = ...;".
// `columns`: how many columns there are, where the element's column is one of a result; `first_column`: where
// the accumulator's begin.
std::vector<std::string> index_declarations(const std::string& text, bool element, const RowNames& rows,
                                            const std::string& columns = {},
                                            const std::string& first_column = {});
// Those of a row's query and head, of the row's own number "slot"; without heads of the query alone.
std::vector<std::string> row_declarations(const std::string& slot, const RowNames& rows);

}  // namespace flashlight::emit
