// SPDX-License-Identifier: Apache-2.0
// How the results of a kernel for sm_90a leave: staged in shared memory, a warpgroup's 64 rows at a time, and
// stored by TMA. What TMA cannot address, and results of other types than the tiles', are stored from
// registers.
#include "emit/hopper_writer.h"

namespace flashlight::emit {

// Results of rows and columns, in the tiles' type as far as is known before a launch.
std::vector<std::size_t> HopperWriter::staged_results() const {
  std::vector<std::size_t> staged;
  for (std::size_t s = 0; s < program_.stores.size(); ++s) {
    const kernel::Store& store = program_.stores[s];
    const auto& loops = store.axis_loops;
    const auto has = [&](int loop) {
      return loop >= 0 && std::find(loops.begin(), loops.end(), loop) != loops.end();
    };
    if (has(plan_.row) && has(store.columns) && !plan_.packing && output_type(store) != "float")
      staged.push_back(s);
  }
  return staged;
}

// The operand whose tile results may be staged over, if there is one.
std::optional<std::size_t> HopperWriter::stage_rows() const {
  for (std::size_t o = 0; o < operands_.size(); ++o)
    if (operands_[o].row) return o;
  return std::nullopt;
}

std::string HopperWriter::staged_tile(std::size_t s) const { return "out" + std::to_string(s) + "_tile"; }

// Results are staged one after the other, in one place. Returns where the memory goes on.
std::string HopperWriter::write_result_tiles(const std::string& tiles, Writer& w) const {
  const std::optional<std::size_t> rows = stage_rows();
  const std::string place =
      rows ? "STAGING == Staging::kApart ? " + tiles + " : " + operands_[*rows].name + ".base" : tiles;
  std::string most;
  for (std::size_t s : staged_results()) {
    w.line("const SharedTile<T, M, " + dimension(program_.stores[s].columns) + "> " + staged_tile(s) + "{" +
           place + "};");
    const std::string bytes = staged_tile(s) + ".bytes";
    most = most.empty() ? bytes : "greatest_of(" + most + ", " + bytes + ")";
  }
  return most.empty() ? tiles : tiles + " + (STAGING == Staging::kApart ? " + most + " : 0)";
}

void HopperWriter::write_result(std::size_t s, const std::string& function, const std::string& matrix,
                                const std::string& value, Writer& w) {
  const std::vector<std::size_t> staged = staged_results();
  if (std::find(staged.begin(), staged.end(), s) == staged.end())
    return KernelWriter::write_result(s, function, matrix, value, w);
  text_.results.push_back(program_.stores[s].columns);
  w.open("if (STAGING != Staging::kRegisters && p.out" + std::to_string(s) + "_target.mapped) {");
  write_staged(s, value, w);
  w.close();
  w.open("else {");
  KernelWriter::write_result(s, function, matrix, value, w);
  w.close();
}

// One thread of the warpgroup stores, for which it must have seen the others' part of the tile, and alone
// knows when that has been read.
void HopperWriter::write_staged(std::size_t s, const std::string& value, Writer& w) {
  const std::string target = "p.out" + std::to_string(s) + "_target";
  w.line("count(\"staged result\");");
  w.line("wait_stores_read<0>();");
  w.line("sync_warpgroup(warpgroup);  // what was staged there before has left");
  w.line("store_matrices(" + staged_tile(s) + ", " + value + ", warp);");
  w.line("fence_proxy_async();");
  w.line("sync_warpgroup(warpgroup);");
  w.open("if (thread_index() % kWarpgroupSize == 0) {");
  w.line("tma_store<64>(" + target + ".map, {0, row0 + 64 * warpgroup, " + target + ".at(" +
         output_place(program_.stores[s], s).start + ")}, " + staged_tile(s) + ", 64 * warpgroup);");
  w.line("commit_stores();");
  w.close();
}

// After the last contraction: the loader may bring the next rows, but over results. Where there was no key to
// contract, nothing has made sure that all of the warpgroup have seen these.
void HopperWriter::write_row_releases(Writer& w) const {
  std::vector<std::size_t> copied;
  for (std::size_t o = 0; o < operands_.size(); ++o)
    if (operands_[o].row && is_copied(o)) copied.push_back(o);
  if (copied.empty()) return;
  w.line("sync_warpgroup(warpgroup);");
  std::vector<std::string> mapped;
  for (std::size_t s : staged_results()) mapped.push_back("p.out" + std::to_string(s) + "_target.mapped");
  for (std::size_t o : copied) {
    const std::string release = derived(o, "_ring") + ".release(" + derived(o, "_at") + ");";
    if (mapped.empty() || o != stage_rows()) {
      w.line(release);
      w.line(derived(o, "_at") + ".advance();");
      continue;
    }
    const std::string any = mapped.size() > 1 ? "(" + join(mapped, " || ") + ")" : mapped[0];
    w.line("const bool keeps_rows = STAGING == Staging::kRows && " + any +
           ";  // until results over them have left");
    w.line("if (!keeps_rows) " + release);
  }
}

void HopperWriter::write_late_release(Writer& w) const {
  const std::optional<std::size_t> rows = stage_rows();
  if (staged_results().empty() || !rows || !is_copied(*rows)) return;
  w.open("if (keeps_rows) {");
  w.line("wait_stores_read<0>();");
  w.line(derived(*rows, "_ring") + ".release(" + derived(*rows, "_at") + ");");
  w.close();
  w.line(derived(*rows, "_at") + ".advance();");
}

// Where TMA stores the result, if it can: text of the launcher.
std::string HopperWriter::result_target(std::size_t s) {
  const kernel::Store& store = program_.stores[s];
  const graph::TensorView& view = function_.outputs[store.output].value;
  const std::string field = "p.out" + std::to_string(s);
  const OutputPlace place = output_place(store, s);
  std::vector<std::string> axes;
  for (std::size_t a = view.pack; a < store.axis_loops.size(); ++a) {
    const int loop = store.axis_loops[a];
    if (loop == plan_.row || loop == store.columns) continue;
    axes.push_back("{" + field + ".stride[" + std::to_string(a - view.pack) + "], " + loop_extent(loop) +
                   "}");
  }
  return "map_result<SharedTile<T, 64, " + dimension(store.columns) + ">>(" + field + "_target, " + field +
         ", p.pack, {" + place.rows + ", " + place.cols + ", p.n_row, " + loop_extent(store.columns) +
         "}, {" + join(axes, ", ") + "})";
}

}  // namespace flashlight::emit
