// SPDX-License-Identifier: Apache-2.0
// A kernel as a whole: its dimensions, its template, its parameters.
#include "emit/kernel_writer.h"

namespace flashlight::emit {

KernelWriter::KernelWriter(const kernel::Program& program, const std::string& name, Parameters& parameters,
                           bool split)
    : split_(split),
      program_(program),
      plan_(*program.plan),
      function_(*program.function),
      parameters_(parameters),
      dependence_(function_.graph),
      points_(function_, plan_, parameters),
      values_(program, points_) {
  text_.name = name + "_sm80";
  text_.params = name + "_params";
  text_.split = split;
}

KernelText KernelWriter::run() {
  find_dimensions();
  place_operands();
  find_key_vectors();
  Writer sweeps(1);
  for (std::size_t s = 0; s < program_.sweeps.size(); ++s) write_sweep(program_.sweeps[s], s, sweeps);
  write_stores(sweeps);
  write_kernel(sweeps);
  write_params();
  return std::move(text_);
}

void KernelWriter::find_dimensions() {
  int features = 0, columns = 0;
  for (std::size_t l = 0; l < plan_.loops.size(); ++l) {
    const Role role = plan_.loops[l].role;
    if (role != Role::Feature && role != Role::Column) continue;
    int& count = role == Role::Feature ? features : columns;
    const std::string name = (role == Role::Feature ? "D" : "DV") + (count ? std::to_string(count) : "");
    ++count;
    text_.dimensions.push_back({static_cast<int>(l), name});
  }
  std::stable_partition(text_.dimensions.begin(), text_.dimensions.end(),
                        [&](const Dimension& d) { return plan_.loops[d.loop].role == Role::Feature; });
}

std::string KernelWriter::dimension(int loop) const {
  for (const Dimension& d : text_.dimensions) {
    if (d.loop == loop) return d.name;
  }
  return "?";
}

std::string KernelWriter::template_head() const {
  std::string head = "template <class T";
  for (const Dimension& d : text_.dimensions) head += ", int " + d.name;
  return head + ", int M, int N, int WARPS" + (split_ ? ", int PARTS>" : ">");
}

void KernelWriter::write_kernel(const Writer& sweeps) {
  Writer w;
  w.line(template_head());
  const std::string warps = split_ ? "WARPS * PARTS" : "WARPS";
  w.open("FL_KERNEL(32 * " + warps + ") " + text_.name + "(FL_PARAMS(" + text_.params + ") p) {");
  const bool copies = !operands_.empty() || !key_vectors_.empty();
  w.line("constexpr int MI = M / (16 * WARPS)" + (copies ? ", kThreads = 32 * " + warps : "") + ";");
  if (copies || split_) w.line("FL_SHARED_MEMORY(smem);");
  if (split_) {
    w.line(
        "// The accumulators are too wide for one warp: PARTS warps share their rows and hold some of the "
        "columns each.");
    w.line("const int warp = warp_index() % WARPS, part = warp_index() / WARPS;");
  } else {
    w.line("const int warp = warp_index();");
  }
  write_place(w, "block_index() % p.row_tiles", "block_index() / p.row_tiles");
  w.line();
  Writer operands(1);
  write_operands(operands);
  text_.body = w.str() + operands.str() + indent(uniform_) + sweeps.str() + "}\n";
}

// Which rows of which batch element the CTA has: `tile` counts from the rows that have the most to do, where
// the mask tells.
void KernelWriter::write_place(Writer& w, const std::string& tile, const std::string& batch) {
  if (earlier_rows_first_) {
    w.line("// Earlier rows come first: under this mask they have the most to do.");
    w.line("[[maybe_unused]] const int " + points_.rows().first + " = " + tile + " * M;");
  } else {
    w.line(uneven_ ? "// Later rows come first: under this mask they have the most to do."
                   : "// Rows are taken last to first.");
    w.line("[[maybe_unused]] const int " + points_.rows().first + " = (p.row_tiles - 1 - " + tile + ") * M;");
  }
  if (plan_.packing) {
    const std::string group = points_.rows().group;
    w.line("// A row is a query of one of the heads that share keys, those of one query behind each other.");
    w.line("[[maybe_unused]] const int row0 = slot0 / " + group + ";");
  }
  w.line("[[maybe_unused]] int batch = " + batch + ";");
  for (std::size_t l = plan_.loops.size(); l-- > 0;) {
    const fusion::Loop& loop = plan_.loops[l];
    if (loop.role != Role::Batch || loop.pack) continue;
    const std::string extent = loop_extent(static_cast<int>(l));
    w.line("[[maybe_unused]] const int " + points_.loop_name(static_cast<int>(l)) + " = batch % " + extent +
           ";");
    w.line("batch /= " + extent + ";");
  }
  w.line("[[maybe_unused]] const PackIndex pack = p.pack.index(batch);");
}

std::string KernelWriter::indent(const Writer& block) {
  Writer w(1);
  w.append(block);
  return w.str();
}

std::string KernelWriter::shape_in_words(const graph::Shape& shape, bool pack) const {
  std::vector<std::string> sizes;
  for (std::size_t a = 0; a < shape.size(); ++a)
    sizes.push_back(pack && a == 0 ? ".." : fusion::describe(function_, shape[a]));
  return "[" + join(sizes, ", ") + "]";
}

void KernelWriter::write_params() {
  Writer w;
  w.open("struct " + text_.params + " {");
  for (int input : parameters_.tensors()) {
    const graph::TensorParam& tensor = function_.tensors[input];
    w.line("TensorArg<" + std::to_string(tensor.shape.size() - tensor.pack) + "> " +
           parameters_.tensor_field(input) + ";  // " + shape_in_words(tensor.shape, tensor.pack));
  }
  for (std::size_t s = 0; s < program_.stores.size(); ++s) {
    const graph::TensorView& view = function_.outputs[program_.stores[s].output].value;
    w.line("TensorArg<" + std::to_string(view.shape.size() - view.pack) + "> out" + std::to_string(s) +
           ";  // " + shape_in_words(view.shape, view.pack));
  }
  w.line("PackShape pack;");
  w.line("int n_row, n_key, row_tiles;  // query rows, keys, tiles of M rows");
  for (const auto& [value, field] : parameters_.scalars()) {
    const bool real = value.type() == graph::SymType::Real;
    w.line(std::string(real ? "float " : "int ") + field + ";  // " + fusion::describe(function_, value));
  }
  w.close("};");
  text_.declaration = w.str();
}

KernelText write_kernel(const kernel::Program& program, const std::string& name, Parameters& parameters,
                        bool split) {
  return KernelWriter(program, name, parameters, split).run();
}

target::Demand demand_for(const KernelText& kernel, int element_bytes, const std::map<int, int>& padded) {
  target::Demand demand = kernel.demand;
  demand.element_bytes = element_bytes;
  auto columns = [&](const std::vector<int>& loops) {
    std::vector<int> result;
    for (int loop : loops) result.push_back(padded.at(loop));
    return result;
  };
  demand.row_operands = columns(kernel.row_operands);
  demand.key_operands = columns(kernel.key_operands);
  demand.accumulators = columns(kernel.accumulators);
  demand.results = columns(kernel.results);
  return demand;
}

}  // namespace flashlight::emit
