// SPDX-License-Identifier: Apache-2.0
// A kernel for sm_90a as a whole: memory and barriers, the two roles, how its launcher starts it.
#include "emit/hopper_writer.h"

namespace flashlight::emit {

HopperWriter::HopperWriter(const kernel::Program& program, const std::string& name, Parameters& parameters)
    : KernelWriter(program, name, parameters, false), single_(program.sweeps.size() == 1) {
  text_.name = name + "_sm90a";
  text_.params = name + "_tma";
  base_params_ = name + "_params";
  tests_elements_ = false;
  for (const kernel::Sweep& sweep : program.sweeps)
    notes_ |= CoverText(program, sweep, points_).searches_at_length();
}

bool HopperWriter::is_copied(std::size_t o) const {
  return operands_[o].input >= 0 && !operands_[o].converts;
}

// k_ring2 for k_tile2.
std::string HopperWriter::derived(std::size_t o, const std::string& suffix) const {
  const std::string tile = "_tile", &name = operands_[o].name;
  const std::size_t at = name.rfind(tile);
  return at == std::string::npos ? name + suffix : std::string(name).replace(at, tile.size(), suffix);
}

// The rows' tile is a ring of one: the next is loaded when all of its readers have done with it.
std::string HopperWriter::ring_type(std::size_t o) const {
  return "TileRing<" + tile_type(o) + (operands_[o].row ? ", 1>" : ", STAGES>");
}

// Why such a kernel cannot be, whatever the sizes and types.
void HopperWriter::find_obstacle() {
  for (std::size_t o = 0; o < operands_.size() && text_.obstacle.empty(); ++o) {
    const Placement& place = operands_[o];
    if (place.row || is_copied(o)) continue;
    const std::string name = function_.graph.label(program_.operands[o].factors[0].node);
    const std::string keys = "the keys' tile " + (name.empty() ? std::to_string(o) : "of '" + name + "'");
    text_.obstacle =
        keys + (place.converts ? " may be stored in another type than the products', and TMA converts nothing"
                : place.scattered >= 0 ? " has rows that are looked up, and TMA copies boxes"
                : !place.parts.empty() ? " is made of several tensors, and TMA copies one"
                                       : " is computed while it is loaded, and TMA only copies");
  }
  if (operands_.empty()) text_.obstacle = "there is no product of tiles in it";
}

std::string HopperWriter::template_head() const {
  std::string head = "template <class T";
  for (const Dimension& d : text_.dimensions) head += ", int " + d.name;
  return head + ", int M, int N, int STAGES" + (text_.results.empty() ? ">" : ", Staging STAGING>");
}

void HopperWriter::write_kernel(const Writer& sweeps) {
  find_obstacle();
  if (!text_.obstacle.empty()) return;
  static const char* const kFindings[] = {"Finding::kCounts", "Finding::kTests", "Finding::kSearches"};
  const std::string finding = kFindings[static_cast<int>(text_.demand.finding)];
  Writer w;
  w.line(template_head());
  w.open("FL_HOPPER_KERNEL(kWarpgroupSize * (M / 64 + 1)) " + text_.name + "(FL_PARAMS(" + text_.params +
         ") p) {");
  Writer body(1);
  body.line("constexpr int MI = 1, kConsumers = M / 64;");
  body.line("[[maybe_unused]] constexpr int kThreads = kConsumers * kWarpgroupSize;  // of the consumers");
  body.line("FL_SHARED_MEMORY(smem);");
  const std::string vectors = write_memory(body);
  write_barriers(body);
  body.line();
  body.open("if (warpgroup_index() == kConsumers) {");
  body.line("decrease_registers<loader_registers(kConsumers, " + finding + ")>();");
  const Writer rows = row_loads();
  const std::string last = rows.empty() ? "0" : "1";
  if (!rows.empty()) {
    body.line("// One warp brings the rows, one the keys: places for those come free at other times.");
    body.line("const bool brings_rows = warp_index() % 4 == 1;");
  }
  body.line("if (warp_index() % 4 > " + last + (notes_ ? "" : " || !elect_one()") + ") return;");
  if (notes_) body.line("const bool leads = elect_one();  // the others help to find tiles");
  open_work(body, rows);
  write_key_starts(body);
  body.append(loader_);
  body.close();
  body.line("return;");
  body.close();
  body.line("increase_registers<consumer_registers(kConsumers, " + finding + ")>();");
  body.line("const int warp = warp_index(), warpgroup = warpgroup_index();");
  for (std::size_t k = 0; k < key_vectors_.size(); ++k)
    body.line("const KeyVec<N> " + key_vectors_[k].name + "{" + vectors + " + (" + std::to_string(k) +
              " * kConsumers + warpgroup) * KeyVec<N>::bytes};");
  if (takes_turns_) {
    body.line("const Turns<kConsumers> turns{warpgroup};");
    body.line("turns.begin();");
  }
  open_work(body, {});
  body.append(uniform_);
  Writer end(1);
  write_late_release(end);
  const std::string leave =
      text_.results.empty() ? "" : "  wait_stores_read<0>();  // of tiles that end with the threads\n";
  text_.body = w.str() + "#if FL_HOPPER\n" + body.str() + indent(sweeps) + indent(end) + "  }\n" + leave +
               "#endif\n}\n\n";
  write_start();
}

// The loop over what the CTA has to do; `rows`: what one of the loader's warps does of it.
void HopperWriter::open_work(Writer& w, const Writer& rows) {
  w.open("for (Rounds rounds(p.works); rounds.any(); rounds.next()) {");
  w.line("const Works::Work work = rounds.work();");
  write_place(w, "work.tile", "work.batch");
  if (!rows.empty()) {
    w.open("if (brings_rows) {");
    w.append(rows);
    w.line("continue;");
    w.close();
  }
  w.append(shared_);
}

// The barriers fill less than a kilobyte, tiles begin at multiples of one. Returns where they end.
std::string HopperWriter::write_memory(Writer& w) {
  std::string tiles = "smem + 1024", barriers = "smem";
  for (std::size_t o = 0; o < operands_.size(); ++o) {
    const std::string ring = derived(o, "_ring");
    if (operands_[o].row && !is_copied(o)) {
      w.line("const " + tile_type(o) + " " + operands_[o].name + "{" + tiles + "};");
      tiles += " + " + operands_[o].name + ".bytes";
    } else {
      w.line("const " + ring_type(o) + " " + ring + "{" + tiles + ", " + barriers + "};");
      tiles += " + " + ring + ".tile_bytes";
      barriers += " + " + ring + ".barrier_bytes";
      if (operands_[o].row) w.line("const auto " + operands_[o].name + " = " + ring + ".tile({});");
    }
  }
  if (notes_) w.line("const NoteRing<4> notes{" + barriers + "};");
  return write_result_tiles(tiles, w);
}

void HopperWriter::write_barriers(Writer& w) const {
  std::vector<std::string> rows, places;
  w.open("if (thread_index() == 0) {");
  for (std::size_t o = 0; o < operands_.size(); ++o) {
    if (operands_[o].row && !is_copied(o)) continue;
    w.line(derived(o, "_ring") + ".init(kConsumers);");
    (operands_[o].row ? rows : places).push_back(derived(o, "_at"));
    if (behind_.contains(o)) places.push_back(derived(o, "_behind"));
  }
  if (notes_) w.line("notes.init(kThreads / kWarpSize);");
  w.line("fence_barrier_init();");
  w.close();
  w.line("sync_threads();");
  w.line();
  if (!rows.empty()) w.line("RingIndex<1> " + join(rows, ", ") + ";");
  if (!places.empty()) w.line("RingIndex<STAGES> " + join(places, ", ") + ";");
  if (notes_) w.line("RingIndex<4> notes_at;");
}

// The distances between matrices that the kernel's batch indices lead to.
std::vector<std::string> HopperWriter::steps_of(std::size_t o) {
  const Placement& place = operands_[o];
  const std::string field = parameters_.tensor(place.input);
  const std::size_t pack = function_.tensors[place.input].pack;
  const std::vector<Sym> start = strides(place, program_.operands[o]).start;
  std::vector<std::string> steps;
  for (std::size_t a = pack; a < start.size(); ++a) {
    const std::vector<Sym> terms =
        start[a].op() == graph::SymOp::Add ? start[a].args() : std::vector<Sym>{start[a]};
    for (const Sym& term : terms) {
      Sym coefficient = graph::contains(term, graph::SymOp::Axis) ? Sym(1) : term;
      if (coefficient.is_integer(0)) continue;
      if (term.op() == graph::SymOp::Mul) {
        coefficient = Sym(1);
        for (const Sym& factor : term.args())
          if (!graph::contains(factor, graph::SymOp::Axis)) coefficient = coefficient * factor;
      }
      const Code stride{field + ".stride[" + std::to_string(a - pack) + "]", kAtom, CType::Long};
      const std::string step = coefficient.is_integer(1)
                                   ? stride.text
                                   : product({points_.index(coefficient), stride}, CType::Long).text;
      if (std::find(steps.begin(), steps.end(), step) == steps.end()) steps.push_back(step);
    }
  }
  return steps;
}

std::string HopperWriter::tile_source(std::size_t o) {
  const Placement& place = operands_[o];
  const kernel::Operand& operand = program_.operands[o];
  const Strides of = strides(place, operand);
  return "map_tiles<" + tile_type(o) + ">(p." + derived(o, "_source") + ", launch, " +
         std::to_string(place.input) + ", {" + of.rows + ", " + of.cols + ", " +
         (place.row ? "p.n_row" : "p.n_key") + ", " + loop_extent(operand.cols) + "}, {" +
         join(steps_of(o), ", ") + "})";
}

// Where the operand's matrix starts, as TMA counts.
void HopperWriter::write_start_of(std::size_t o, Writer& w) {
  w.line("const int " + derived(o, "_start") + " = p." + derived(o, "_source") + ".at(" +
         points_.offset(operands_[o].input, strides(operands_[o], program_.operands[o]).start) + ");");
}

void HopperWriter::write_key_starts(Writer& w) {
  for (std::size_t o = 0; o < operands_.size(); ++o)
    if (is_copied(o) && !operands_[o].row) write_start_of(o, w);
}

Writer HopperWriter::row_loads() {
  Writer w;
  for (std::size_t o = 0; o < operands_.size(); ++o) {
    if (!is_copied(o) || !operands_[o].row) continue;
    write_start_of(o, w);
    w.line(by_loader(derived(o, "_ring") + ".load(" + derived(o, "_at") + ", p." + derived(o, "_source") +
                     ".map, {0, row0, " + derived(o, "_start") + "}, Keep::kLeast);"));
    w.line(derived(o, "_at") + ".advance();");
  }
  return w;
}

// The consumers' side: tiles that are computed are filled by them, the others waited for.
void HopperWriter::write_row_fills(Writer& w) {
  Writer fills;
  for (std::size_t o = 0; o < operands_.size(); ++o) {
    if (!operands_[o].row || is_copied(o)) continue;
    write_matrices(o, fills);
    write_load(o, "row0", fills);
  }
  if (!fills.empty()) {
    if (!staged_results().empty() && !is_copied(*stage_rows())) w.line("wait_stores_read<0>();");
    w.line("sync_named(1, kThreads);  // the rows before are no longer read");
    w.append(fills);
    w.line("commit_group();");
    w.line("wait_group<0>();");
    w.line("fence_proxy_async();");
    w.line("sync_named(1, kThreads);");
  }
  for (std::size_t o = 0; o < operands_.size(); ++o)
    if (operands_[o].row && is_copied(o)) w.line(derived(o, "_ring") + ".wait(" + derived(o, "_at") + ");");
}

void HopperWriter::write_params() {
  if (!text_.obstacle.empty()) return;
  Writer w;
  w.open("struct " + text_.params + " : " + base_params_ + " {");
  std::vector<std::string> sources;
  for (std::size_t o = 0; o < operands_.size(); ++o)
    if (is_copied(o)) sources.push_back(derived(o, "_source"));
  if (!sources.empty()) w.line("TileSource " + join(sources, ", ") + ";");
  for (std::size_t s : staged_results()) w.line("TileTarget out" + std::to_string(s) + "_target;");
  w.line("Works works;");
  w.close("};");
  text_.declaration = w.str();
}

void HopperWriter::write_start() {
  std::string arguments = "T";
  for (const Dimension& d : text_.dimensions) arguments += ", " + d.name;
  arguments += std::string(", M, N, STAGES") + (text_.results.empty() ? "" : ", STAGING");
  Writer w;
  w.line("// Starts it where the device and the arguments allow.");
  w.line(template_head());
  w.open("bool start_" + text_.name + "(const Launch& launch, const " + base_params_ +
         "& base, long long batch, int shared_bytes) {");
  w.line("const auto kernel = " + text_.name + "<" + arguments + ">;");
  w.line("constexpr int threads = kWarpgroupSize * (M / 64 + 1);");
  w.line("if (!runs_on_hopper(kernel, threads)) return false;");
  w.line(text_.params + " p{};");
  w.line("static_cast<" + base_params_ + "&>(p) = base;");
  for (std::size_t o = 0; o < operands_.size(); ++o)
    if (is_copied(o)) w.line("if (!" + tile_source(o) + ") return false;");
  for (std::size_t s : staged_results())
    w.line("if (STAGING != Staging::kRegisters) " + result_target(s) + ";");
  std::vector<std::string> bytes;  // of the keys of a batch element
  for (std::size_t o = 0; o < operands_.size() && uneven_; ++o)
    if (!operands_[o].row) bytes.push_back(tile_type(o) + "::bytes");
  if (bytes.empty()) w.line("constexpr long long keys = 0;  // all tiles of rows have as much to do");
  else w.line("const long long keys = static_cast<long long>(p.n_key) * ((" + join(bytes, " + ") + ") / N);");
  w.line(
      "start_staying(kernel, launch, p, batch, keys, {.rows = M, .threads = threads, .shared_bytes = "
      "shared_bytes}, \"" +
      text_.name + "\");");
  w.line("return true;");
  w.close();
  text_.body += w.str();
}

KernelText write_hopper_kernel(const kernel::Program& program, const std::string& name,
                               Parameters& parameters) {
  return HopperWriter(program, name, parameters).run();
}

}  // namespace flashlight::emit
