// SPDX-License-Identifier: Apache-2.0
// See few_writer.h.
#include "emit/few_writer.h"

namespace flashlight::emit {

FewWriter::FewWriter(const kernel::Program& program, const std::string& name, Parameters& parameters)
    : KernelWriter(program, name, parameters, true) {
  text_.name = name + "_few_sm80";
  text_.params = name + "_few_params";
  text_.few = true;
}

// Batch elements are counted, whatever axes they have: the states of each lie behind those of the one before.
// `batch` is that number where no axes are taken from it.
std::string FewWriter::batch_element() const {
  const bool axes = std::any_of(plan_.loops.begin(), plan_.loops.end(), [](const fusion::Loop& loop) {
    return loop.role == Role::Batch && !loop.pack;
  });
  return axes ? "element" : "batch";
}

void FewWriter::write_batch(Writer& w, const std::string& cta) {
  if (has_runs() && batch_element() == "element") w.line("const int element = " + cta + " / p.row_tiles;");
  write_place(w, cta + " % p.row_tiles", cta + " / p.row_tiles");
}

void FewWriter::write_kernel(const Writer& sweeps) {
  Writer w;
  w.line(template_head());
  w.open("FL_KERNEL(32 * WARPS * PARTS) " + text_.name + "(FL_PARAMS(" + text_.params + ") p) {");
  const bool copies = !operands_.empty() || !key_vectors_.empty();
  w.line(std::string("constexpr int MI = M / (16 * WARPS)") +
         (copies ? ", kThreads = 32 * WARPS * PARTS;" : ";"));
  w.line("FL_SHARED_MEMORY(smem);");
  w.line("// PARTS warps share their rows and hold some of the columns each.");
  w.line("const int warp = warp_index() % WARPS, part = warp_index() / WARPS;");
  if (has_runs())
    w.line("const int run = block_index() % p.states.runs, cta = block_index() / p.states.runs;");
  write_batch(w, has_runs() ? "cta" : "block_index()");
  w.line();
  Writer operands(1);
  write_operands(operands);
  text_.body = w.str() + operands.str() + indent(uniform_) + sweeps.str() + "}\n";
}

void FewWriter::write_params() {
  KernelWriter::write_params();
  if (!has_runs()) return;
  const std::size_t end = text_.declaration.rfind("};");
  text_.declaration.insert(end, "  RunStates states;  // what runs of keys leave\n");
}

void FewWriter::write_bounds(CoverText& cover, Writer& w) { cover.write_bounds(w, has_runs() ? "run" : ""); }

std::string FewWriter::state_matrix(std::size_t state, const std::string& run) {
  int rows = 0;
  std::vector<std::string> before;
  const std::vector<kernel::State>& states = program_.sweeps[0].states;
  for (std::size_t s = 0; s < state; ++s) {
    if (states[s].columns < 0) ++rows;
    else before.push_back(loop_extent(states[s].columns));
  }
  if (rows > 0 || before.empty()) before.insert(before.begin(), std::to_string(rows));
  const std::string columns = states[state].columns < 0 ? "1" : loop_extent(states[state].columns);
  return "p.states.matrix(" + join(before, " + ") + ", " + columns + ", " + run + ", " + batch_element() +
         ", p.n_row)";
}

// With several runs a second kernel goes on from here.
void FewWriter::write_left(const kernel::Sweep& sweep, Writer& w) {
  if (!has_runs()) return;
  w.open("if (p.states.runs > 1) {");
  for (std::size_t s = 0; s < sweep.states.size(); ++s) {
    const bool row = sweep.states[s].columns < 0;
    const std::string name = name_of(sweep.states[s].node), matrix = state_matrix(s, "run");
    if (row)
      w.line("if (part == 0) store_rows(" + matrix + ", " + name + ", " + points_.rows().first + ", warp);");
    else
      w.line("store_tile(" + matrix + ", " + name + ", " + points_.rows().first + ", warp, " +
             first_held(sweep.states[s].columns) + ");");
  }
  w.line("return;");
  w.close();
}

// ---- combining

CombineWriter::CombineWriter(const kernel::Program& program, const std::string& name, Parameters& parameters)
    : FewWriter(program, name, parameters) {
  text_.name = name + "_combine_sm80";
}

KernelText CombineWriter::run() {
  const kernel::Combine& combine = *program_.combine;
  find_dimensions();
  place_operands();  // they say what T is; none is loaded
  text_.row_operands.clear();
  text_.key_operands.clear();
  kernel::Sweep both;  // the later run's states stand behind the sweep's
  both.states = program_.sweeps[0].states;
  both.states.insert(both.states.end(), combine.other.begin(), combine.other.end());
  for (const kernel::State& state : both.states) {
    if (state.columns >= 0) text_.accumulators.push_back(state.columns);
    text_.demand.row_vectors += state.columns < 0;
    values_.variables[state.node] = {name_of(state.node), true};
  }
  Writer w(1);
  load_states(program_.sweeps[0].states, "0", w);
  w.open("for (int run = 1; run < p.states.runs; ++run) {");
  load_states(combine.other, "run", w);
  for (const kernel::Step& step : combine.steps) {
    values_.forget_rows();
    write_step(both, step, w);
  }
  w.close();
  for (const kernel::Step& final : program_.sweeps[0].finals)
    w.line("RowVec<MI> " + name_of(final.target) + ";");
  write_final_steps(program_.sweeps[0], w);
  write_stores(w);

  Writer head;
  std::string parameters = "template <class T";
  for (const Dimension& d : text_.dimensions) parameters += ", int " + d.name;
  head.line(parameters + ", int M, int WARPS, int PARTS>");
  head.open("FL_KERNEL(32 * WARPS * PARTS) " + text_.name + "(FL_PARAMS(" + text_.params + ") p) {");
  head.line("constexpr int MI = M / (16 * WARPS);");
  const auto& finals = program_.sweeps[0].finals;
  if (std::any_of(finals.begin(), finals.end(),
                  [](const kernel::Step& s) { return s.kind == StepKind::Fold; })) {
    head.line("FL_SHARED_MEMORY(smem);");
    head.line("unsigned char* const exchange = smem;");
    text_.exchanges = true;
  }
  head.line("const int warp = warp_index() % WARPS, part = warp_index() / WARPS;");
  write_batch(head, "block_index()");
  text_.body = head.str() + indent(uniform_) + w.str() + "}\n";
  return std::move(text_);
}

void CombineWriter::load_states(const std::vector<kernel::State>& states, const std::string& run, Writer& w) {
  for (std::size_t s = 0; s < states.size(); ++s) {
    const int columns = states[s].columns;
    const std::string name = name_of(states[s].node), matrix = state_matrix(s, run);
    w.line((columns < 0 ? "RowVec<MI> " : "Acc<MI, " + held(columns) + "> ") + name + ";");
    if (columns < 0) w.line("load_rows(" + name + ", " + matrix + ", " + points_.rows().first + ", warp);");
    else
      w.line("load_fragment(" + name + ", " + matrix + ", " + points_.rows().first + ", warp, " +
             first_held(columns) + ");");
  }
}

KernelText write_few_kernel(const kernel::Program& program, const std::string& name, Parameters& parameters) {
  return FewWriter(program, name, parameters).run();
}

KernelText write_combine_kernel(const kernel::Program& program, const std::string& name,
                                Parameters& parameters) {
  return CombineWriter(program, name, parameters).run();
}

}  // namespace flashlight::emit
