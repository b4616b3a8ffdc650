// SPDX-License-Identifier: Apache-2.0
// How tiles are filled: by copies, or with values computed on the way; and numbers kept for each key.
#include "emit/kernel_writer.h"

namespace flashlight::emit {

void KernelWriter::write_load(std::size_t o, const std::string& first, Writer& w) {
  const Placement& place = operands_[o];
  if (place.input >= 0 || !place.parts.empty()) {
    const std::string copy =
        "load_tile_async(" + place.name + ", " + matrix_name(o) + ", " + first + ", kThreads);";
    if (!place.converts) return w.line(copy);
    w.line("if (" + parameters_.tensor(place.input) + ".dtype == aux_type_of<T>) " + copy);
    w.line("else convert_tile(" + place.name + ", " + any_matrix_name(o) + ", " + first + ", kThreads);");
    return;
  }
  const kernel::Operand& operand = program_.operands[o];
  if (place.scattered >= 0) return write_scattered(o, first, w);
  if (reduces(operand)) return write_row_fill(o, first, w);
  std::vector<Code> factors;
  for (const graph::Operand& factor : operand.factors)
    factors.push_back(points_.value(factor.node, factor.index));
  const std::string row = row_number(place), col = points_.loop_name(operand.cols),
                    rows = place.row ? "p.n_row" : "p.n_key";
  w.open("fill_tile(" + place.name + ", kThreads, [&](int tile_row, int " + col + ") FL_INLINE {");
  declare_tile_row(place, first + " + tile_row", w);
  w.line("return " + row + " < " + rows + " && " + col + " < " + loop_extent(operand.cols) + " ? " +
         wrap(product(factors, CType::Float), kOr) + " : 0.0f;");
  w.close("});");
}

// What counts the operand's rows: a query's number, its row's where heads are among the rows, or a key's.
std::string KernelWriter::row_number(const Placement& place) const {
  return !place.row ? "j" : plan_.packing ? "slot" : "i";
}

void KernelWriter::declare_tile_row(const Placement& place, const std::string& number, Writer& w) {
  if (!place.row) return w.line("const int j = " + number + ";");
  for (const std::string& line : row_declarations(number, points_.rows())) w.line(line);
}

// Each row is looked up by the threads that copy it.
void KernelWriter::write_scattered(std::size_t o, const std::string& first, Writer& w) {
  const Placement& place = operands_[o];
  const std::string row = row_number(place), rows = place.row ? "p.n_row" : "p.n_key";
  w.open("load_rows_async(" + place.name + ", " + matrix_name(o) +
         ", kThreads, [&](int tile_row) FL_INLINE -> long long {");
  declare_tile_row(place, first + " + tile_row", w);
  w.line("return " + row + " < " + rows + " ? " + place.row_start + " : -1;");
  w.close("});");
}

bool KernelWriter::reduces(const kernel::Operand& operand) {
  return std::any_of(operand.factors.begin(), operand.factors.end(),
                     [&](const graph::Operand& f) { return dependence_.has_reduction(f.node); });
}

// A tile whose values need reductions over their row: each row is filled by the quad that reduces it.
void KernelWriter::write_row_fill(std::size_t o, const std::string& first, Writer& w) {
  const Placement& place = operands_[o];
  const kernel::Operand& operand = program_.operands[o];
  const std::string col = points_.loop_name(operand.cols), rows = place.row ? "p.n_row" : "p.n_key";
  std::vector<fusion::Access> accesses;
  for (const graph::Operand& factor : operand.factors) accesses.push_back({factor.node, factor.index});
  const std::vector<std::string> declarations = points_.declare_reductions(accesses, operand.cols);
  std::vector<Code> factors;
  for (const fusion::Access& factor : accesses) factors.push_back(points_.value(factor.node, factor.index));
  points_.forget();
  w.open("for_each_tile_row<" + std::string(place.row ? "M" : "N") +
         ">(kThreads, [&](int tile_row) FL_INLINE {");
  declare_tile_row(place, "least_of(" + first + " + tile_row, " + rows + " - 1)", w);
  for (const std::string& declaration : declarations) w.line(declaration);
  w.open("fill_row(" + place.name + ", tile_row, [&](int " + col + ") FL_INLINE {");
  w.line("return " + first + " + tile_row < " + rows + " && " + col + " < " + loop_extent(operand.cols) +
         " ? " + wrap(product(factors, CType::Float), kOr) + " : 0.0f;");
  w.close("});");
  w.close("});");
}

bool KernelWriter::is_used(std::size_t operand, const kernel::Sweep& sweep) const {
  for (int c : sweep.contractions) {
    if (program_.contractions[c].right == static_cast<int>(operand)) return true;
  }
  return std::any_of(sweep.steps.begin(), sweep.steps.end(), [&](const kernel::Step& s) {
    return s.kind == StepKind::Product && s.operand == static_cast<int>(operand);
  });
}

bool KernelWriter::uses_late(const kernel::Sweep& sweep) const {
  for (std::size_t o = 0; o < operands_.size(); ++o) {
    if (!operands_[o].row && !operands_[o].early && is_used(o, sweep)) return true;
  }
  return false;
}

void KernelWriter::write_key_loads(bool early, const std::string& first, const kernel::Sweep& sweep,
                                   Writer& w, const std::string& before, const std::string& condition) {
  if (!before.empty()) w.line(before);
  Writer loads;
  for (std::size_t o = 0; o < operands_.size(); ++o) {
    if (!operands_[o].row && operands_[o].early == early && is_used(o, sweep)) write_load(o, first, loads);
  }
  if (loads.empty()) return;
  if (condition.empty()) {
    w.append(loads);
    return;
  }
  w.open("if (" + condition + ") {");
  w.append(loads);
  w.close();
}

// Leaves that vary with the key alone and hold reductions: too dear to repeat for every score.
void KernelWriter::find_key_vectors() {
  for (std::size_t s = 0; s < program_.sweeps.size(); ++s) {
    const kernel::Sweep& sweep = program_.sweeps[s];
    std::vector<Expr> roots;
    for (const kernel::Masked& m : sweep.masked) roots.insert(roots.end(), {m.value, m.predicate});
    for (const kernel::Step& step : sweep.steps) roots.push_back(step.value);
    for (Expr root : roots) {
      if (!root) continue;
      for (Expr leaf : alg::collect(root, {alg::Op::kLeaf})) {
        if (program_.temporaries.contains(leaf.leaf_id()) || kernel::space_of(program_, leaf) != kernel::kKey)
          continue;
        if (!dependence_.has_reduction(plan_.leaves[leaf.leaf_id()].node)) continue;
        auto found = std::find_if(key_vectors_.begin(), key_vectors_.end(),
                                  [&](const KeyVector& v) { return v.leaf == leaf; });
        if (found == key_vectors_.end()) {
          const std::string name = "by_key" + std::to_string(key_vectors_.size());
          found = key_vectors_.insert(key_vectors_.end(), {leaf, name, {}});
          values_.variables[leaf] = {name, true};
        }
        found->sweeps.insert(s);
      }
    }
  }
  text_.demand.key_vectors = static_cast<int>(key_vectors_.size());
}

// A load inside a key's reduction, from the tile that holds the keys if there is one.
std::optional<std::string> KernelWriter::staged(const kernel::Sweep& sweep, int input,
                                                const fusion::Index& index) {
  for (std::size_t o = 0; o < operands_.size(); ++o) {
    const Placement& place = operands_[o];
    if (place.input != input || place.row || !place.early || place.converts || !is_used(o, sweep)) continue;
    for (int bound = fusion::kFirstBound; bound < fusion::kFirstBound + 2; ++bound) {
      fusion::Index inside;
      for (const Sym& i : place.access.index) {
        inside.push_back(graph::substitute(i, [&](const Sym& leaf) -> std::optional<Sym> {
          if (leaf == Sym::axis(program_.operands[o].cols)) return Sym::axis(bound);
          return std::nullopt;
        }));
      }
      if (inside != index) continue;
      staged_.insert(o);
      return "load_element(" + place.name + ", tile_row, " + points_.loop_name(bound) + ")";
    }
  }
  return std::nullopt;
}

// Fills the vectors for the tile at col0, whose contraction operands have arrived.
void KernelWriter::write_key_vectors(std::size_t number, const kernel::Sweep& sweep, Writer& w) {
  // With one contraction, and that first, the barrier behind it comes before any use.
  const bool first = !schedule_.items.empty() && schedule_.items[0].kind == Item::Contract;
  if (fill_key_vectors(number, sweep, "kThreads", w) && (sweep.contractions.size() != 1 || !first))
    w.line("sync_threads();");
}

// False where the sweep has none.
bool KernelWriter::fill_key_vectors(std::size_t number, const kernel::Sweep& sweep,
                                    const std::string& threads, Writer& w) {
  bool any = false;
  staged_.clear();
  for (const KeyVector& v : key_vectors_) {
    if (!v.sweeps.contains(number)) continue;
    any = true;
    const Variable variable = values_.variables[v.leaf];
    values_.variables.erase(v.leaf);
    points_.staged = [&](int input, const fusion::Index& index) { return staged(sweep, input, index); };
    std::vector<std::string> declarations;
    const std::string text = values_.together(v.leaf, "", declarations);
    points_.staged = {};
    values_.variables[v.leaf] = variable;
    w.open("for_each_tile_row<N>(" + threads + ", [&](int tile_row) FL_INLINE {");
    w.line("[[maybe_unused]] const int j = least_of(col0 + tile_row, p.n_key - 1);");
    for (const std::string& declaration : declarations) w.line(declaration);
    w.line(v.name + ".store(tile_row, " + text + ");");
    w.close("});");
  }
  return any;
}

}  // namespace flashlight::emit
