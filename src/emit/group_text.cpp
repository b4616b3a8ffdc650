// SPDX-License-Identifier: Apache-2.0
// See group_text.h.
#include "emit/group_text.h"

#include "fusion/describe.h"

namespace flashlight::emit {

int column_of(const fusion::KernelPlan& plan) {
  for (std::size_t l = 0; l < plan.loops.size(); ++l)
    if (plan.loops[l].role == fusion::Role::Column) return static_cast<int>(l);
  return -1;
}

namespace {

std::string in_words(const graph::Function& f, const graph::Shape& shape, bool pack) {
  std::vector<std::string> sizes;
  for (std::size_t a = 0; a < shape.size(); ++a)
    sizes.push_back(pack && a == 0 ? ".." : fusion::describe(f, shape[a]));
  return "[" + join(sizes, ", ") + "]";
}

class GroupWriter {
 public:
  GroupWriter(const fusion::Step& step, const std::string& name, Parameters& parameters)
      : plan_(step.plan),
        function_(*step.function),
        parameters_(parameters),
        points_(function_, plan_, parameters) {
    points_.together = "warp_";
    text_.name = name + "_sm80";
    text_.params = name + "_params";
  }

  KernelText run() {
    write_body();
    write_params();
    return std::move(text_);
  }

 private:
  const graph::TensorView& view() const { return function_.outputs[0].value; }

  void write_body() {
    const fusion::Access value =
        fusion::compose({view().node, view().index}, graph::identity_index(view().shape.size()));
    const int column = column_of(plan_);
    const std::vector<std::string> reductions = points_.declare_reductions({value}, column);
    const std::string element = points_.value(value.node, value.index).text;
    Writer w;
    w.open("FL_KERNEL(" + std::to_string(kGroupThreads) + ") " + text_.name + "(FL_PARAMS(" + text_.params +
           ") p) {");
    w.line("const int row = block_index() * " + std::to_string(kGroupRows) + " + warp_index();");
    w.line("if (row >= p.n_row) return;");
    write_place(w);
    for (const std::string& line : reductions) w.line(line);
    std::vector<std::string> at{view().pack ? "pack" : "PackIndex{}"};
    for (std::size_t a = view().pack; a < view().shape.size(); ++a)
      at.push_back(points_.loop_name(static_cast<int>(a)));
    const std::string store = std::string(view().type == graph::Type::Float ? "store_float" : "store_int") +
                              "(p.out0.base, p.out0.dtype, p.out0.offset(" + join(at, ", ") + "), " +
                              element + ");";
    if (column >= 0) w.line("for (int c = lane_index(); c < " + extent(column) + "; c += 32)");
    else w.line("if (lane_index() == 0)");
    w.line("  " + store);
    w.close();
    text_.body = w.str();
  }

  // Which element of the batch axes the row is.
  void write_place(Writer& w) {
    w.line("[[maybe_unused]] int rest = row;");
    for (std::size_t l = plan_.loops.size(); l-- > 0;) {
      const fusion::Loop& loop = plan_.loops[l];
      if (loop.role != fusion::Role::Batch || loop.pack) continue;
      const std::string size = extent(static_cast<int>(l));
      w.line("[[maybe_unused]] const int " + points_.loop_name(static_cast<int>(l)) + " = rest % " + size +
             ";");
      w.line("rest /= " + size + ";");
    }
    w.line("[[maybe_unused]] const PackIndex pack = p.pack.index(rest);");
  }

  std::string extent(int loop) {
    return points_.index(plan_.loops[static_cast<std::size_t>(loop)].size).text;
  }

  void write_params() {
    Writer w;
    w.open("struct " + text_.params + " {");
    for (int input : parameters_.tensors()) {
      const graph::TensorParam& tensor = function_.tensors[static_cast<std::size_t>(input)];
      w.line("TensorArg<" + std::to_string(tensor.shape.size() - tensor.pack) + "> " +
             parameters_.tensor_field(input) + ";  // " + in_words(function_, tensor.shape, tensor.pack));
    }
    w.line("TensorArg<" + std::to_string(view().shape.size() - view().pack) + "> out0;  // " +
           in_words(function_, view().shape, view().pack));
    w.line("PackShape pack;");
    w.line("int n_row, row_tiles;  // rows of a warp each, and of a CTA");
    for (const auto& [value, field] : parameters_.scalars())
      w.line(std::string(value.type() == graph::SymType::Real ? "float " : "int ") + field + ";  // " +
             fusion::describe(function_, value));
    w.close("};");
    text_.declaration = w.str();
  }

  const fusion::KernelPlan& plan_;
  const graph::Function& function_;
  Parameters& parameters_;
  PointPrinter points_;
  KernelText text_;
};

}  // namespace

KernelText write_group(const fusion::Step& step, const std::string& name, Parameters& parameters) {
  return GroupWriter(step, name, parameters).run();
}

}  // namespace flashlight::emit
