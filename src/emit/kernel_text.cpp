// SPDX-License-Identifier: Apache-2.0
// See kernel_text.h.
#include "emit/kernel_text.h"

#include <algorithm>
#include <set>

#include "emit/cover_text.h"
#include "emit/schedule.h"
#include "fusion/describe.h"
#include "fusion/roles.h"

namespace flashlight::emit {

namespace alg = fusion::algebra;
using fusion::Role;
using graph::Sym;
using kernel::Expr;
using kernel::StateKind;
using kernel::StepKind;

namespace {

class KernelWriter {
 public:
  KernelWriter(const kernel::Program& program, const std::string& name, Parameters& parameters, bool split)
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

  KernelText run() {
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

 private:
  // ---- dimensions and operands

  std::string dimension(int loop) const {
    for (const Dimension& d : text_.dimensions) {
      if (d.loop == loop) return d.name;
    }
    return "?";
  }
  // The columns of a dimension that one warp holds.
  std::string held(int loop) const { return dimension(loop) + (split_ ? " / PARTS" : ""); }
  std::string first_held(int loop) const { return split_ ? "part * (" + held(loop) + ")" : ""; }

  void find_dimensions() {
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

  // An operand that is one tensor read at affine indices is copied; any other is computed while it is filled.
  struct Placement {
    std::string name;        // q_tile
    int input = -1;          // the tensor that is copied; -1: filled
    bool converts = false;   // it may be stored in another type than T
    graph::Operand access;
    bool row = false, early = false;
    std::string extent = {};       // its number of rows; empty: as many as there are queries or keys
    std::vector<Placement> parts;  // of a concatenation along the rows: each is copied, from `start` on
    std::string start = {};
  };

  // The parts of a concatenation of tensors along the tile's rows; none where it is something else.
  std::vector<Placement> parts_of(const kernel::Operand& operand) {
    const graph::Operand& access = operand.factors[0];
    const graph::Node& node = function_.graph[access.node];
    if (node.op != graph::Op::Segment || operand.factors.size() != 1 || !(access.index[node.axis] == Sym::axis(operand.rows))) return {};
    std::vector<Placement> parts;
    Sym start(0);
    for (std::size_t s = 0; s < node.operands.size(); ++s) {
      const fusion::Access whole = fusion::compose(node.operands[s], access.index);
      const graph::Node& tensor = function_.graph[whole.node];
      Placement part;
      part.input = tensor.input;
      part.access.node = whole.node;
      for (const Sym& index : whole.index) {
        part.access.index.push_back(graph::substitute(index, [&](const Sym& leaf) -> std::optional<Sym> {
          if (leaf == Sym::axis(operand.rows)) return leaf + start;
          return std::nullopt;
        }));
      }
      const bool plain = tensor.op == graph::Op::Input && tensor.type == graph::Type::Float && function_.tensors[tensor.input].conversions.empty();
      if (!plain || !is_affine(part.access, operand.rows, operand.cols)) return {};
      part.start = points_.index(start).text;
      part.extent = points_.index(node.segments[s]).text;
      parts.push_back(std::move(part));
      start = start + node.segments[s];
    }
    for (const Placement& part : parts) contracts(part.input);
    return parts;
  }

  void contracts(int input) {
    parameters_.tensor(input);
    if (std::find(text_.contracted.begin(), text_.contracted.end(), input) == text_.contracted.end()) text_.contracted.push_back(input);
  }

  bool is_affine(const graph::Operand& access, int rows, int cols) const {
    for (const Sym& index : access.index) {
      const auto by_row = graph::affine_in(index, rows);
      if (!by_row || graph::contains(by_row->first, graph::SymOp::Axis)) return false;
      const auto by_col = graph::affine_in(by_row->second, cols);
      if (!by_col || graph::contains(by_col->first, graph::SymOp::Axis)) return false;
    }
    return true;
  }

  // q_tile, q_tile2, ...
  std::string fresh_tile(const std::string& of) const {
    const std::string base = of + "_tile";
    for (int n = 1;; ++n) {
      const std::string name = base + (n > 1 ? std::to_string(n) : "");
      if (std::none_of(operands_.begin(), operands_.end(), [&](const Placement& other) { return other.name == name; })) return name;
    }
  }

  void place_operands() {
    std::vector<bool> early(program_.operands.size(), false);
    for (const kernel::Contraction& c : program_.contractions) early[c.left] = early[c.right] = true;
    for (std::size_t o = 0; o < program_.operands.size(); ++o) {
      const kernel::Operand& operand = program_.operands[o];
      Placement place;
      place.row = operand.rows == plan_.row;
      place.early = early[o];
      const graph::Operand& access = operand.factors[0];
      const graph::Node& node = function_.graph[access.node];
      place.name = "tile" + std::to_string(o);
      if (operand.factors.size() == 1 && node.op == graph::Op::Input && node.type == graph::Type::Float &&
          is_affine(access, operand.rows, operand.cols)) {
        place.input = node.input;
        place.access = access;
        place.name = fresh_tile(parameters_.tensor_field(node.input));
        parameters_.tensor(node.input);
        place.converts = !function_.tensors[node.input].conversions.empty();
        if (std::find(text_.contracted.begin(), text_.contracted.end(), node.input) == text_.contracted.end()) text_.contracted.push_back(node.input);
      }
      if (place.input < 0) place.parts = parts_of(operand);
      if (const std::string& label = function_.graph.label(access.node); !place.parts.empty() && !label.empty()) {
        place.name = fresh_tile(identifier(label));
      }
      (place.row ? text_.row_operands : text_.key_operands).push_back(operand.cols);
      operands_.push_back(place);
    }
    std::sort(text_.contracted.begin(), text_.contracted.end());
  }

  std::string tile_type(std::size_t o) const {
    const kernel::Operand& operand = program_.operands[o];
    return std::string("SharedTile<T, ") + (operands_[o].row ? "M" : "N") + ", " + dimension(operand.cols) + ">";
  }

  std::string loop_extent(int loop) { return points_.index(plan_.loops[loop].size).text; }

  void write_operands(Writer& w) {
    std::string offset;
    for (std::size_t o = 0; o < operands_.size(); ++o) {
      const Placement& place = operands_[o];
      w.line("const " + tile_type(o) + " " + place.name + "{smem" + (offset.empty() ? "" : " + " + offset) + "};");
      offset += (offset.empty() ? "" : " + ") + place.name + ".bytes";
      if (!place.parts.empty()) write_segments(o, w);
      if (place.input < 0) continue;
      const kernel::Operand& operand = program_.operands[o];
      const auto [field, arguments] = matrix(place, operand);
      w.line("const GlobalMatrix<const T> " + matrix_name(o) + " = " + field + ".template matrix<const T>" + arguments + ";");
      if (place.converts) w.line("const AnyMatrix " + any_matrix_name(o) + " = " + field + ".any_matrix" + arguments + ";");
    }
    for (const KeyVector& v : key_vectors_) {
      w.line("const KeyVec<N> " + v.name + "{smem" + (offset.empty() ? "" : " + " + offset) + "};");
      offset += (offset.empty() ? "" : " + ") + v.name + ".bytes";
    }
    if (split_) w.line("unsigned char* const exchange = smem + " + offset + ";");
  }

  void write_segments(std::size_t o, Writer& w) {
    std::vector<std::string> parts, starts;
    for (const Placement& part : operands_[o].parts) {
      const auto [field, arguments] = matrix(part, program_.operands[o]);
      parts.push_back(field + ".template matrix<const T>" + arguments);
      starts.push_back(part.start);
    }
    w.open("const SegmentedMatrix<const T, " + std::to_string(parts.size()) + "> " + matrix_name(o) + " = {{");
    for (const std::string& part : parts) w.line(part + ",");
    w.close("}, {" + join(starts, ", ") + "}};");
  }

  std::string matrix_name(std::size_t o) const { return operands_[o].name.substr(0, operands_[o].name.find("_tile")) + "_matrix" + operands_[o].name.substr(operands_[o].name.find("_tile") + 5); }

  // ---- values of a key as a whole

  // Such a value in shared memory, computed once a tile.
  struct KeyVector {
    Expr leaf;
    std::string name;
    std::set<std::size_t> sweeps;
  };

  // Leaves that vary with the key alone and hold reductions: too dear to repeat for every score.
  void find_key_vectors() {
    for (std::size_t s = 0; s < program_.sweeps.size(); ++s) {
      const kernel::Sweep& sweep = program_.sweeps[s];
      std::vector<Expr> roots;
      for (const kernel::Masked& m : sweep.masked) roots.insert(roots.end(), {m.value, m.predicate});
      for (const kernel::Step& step : sweep.steps) roots.push_back(step.value);
      for (Expr root : roots) {
        if (!root) continue;
        for (Expr leaf : alg::collect(root, {alg::Op::kLeaf})) {
          if (program_.temporaries.contains(leaf.leaf_id()) || kernel::space_of(program_, leaf) != kernel::kKey) continue;
          if (!dependence_.has_reduction(plan_.leaves[leaf.leaf_id()].node)) continue;
          auto found = std::find_if(key_vectors_.begin(), key_vectors_.end(), [&](const KeyVector& v) { return v.leaf == leaf; });
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
  std::optional<std::string> staged(const kernel::Sweep& sweep, int input, const fusion::Index& index) const {
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
        if (inside == index) return "load_element(" + place.name + ", tile_row, " + points_.loop_name(bound) + ")";
      }
    }
    return std::nullopt;
  }

  // Fills the vectors for the tile at col0, whose contraction operands have arrived.
  void write_key_vectors(std::size_t number, const kernel::Sweep& sweep, Writer& w) {
    bool any = false;
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
      w.open("for_each_tile_row<N>(kThreads, [&](int tile_row) FL_INLINE {");
      w.line("[[maybe_unused]] const int j = least_of(col0 + tile_row, p.n_key - 1);");
      for (const std::string& declaration : declarations) w.line(declaration);
      w.line(v.name + ".store(tile_row, " + text + ");");
      w.close("});");
    }
    // With one contraction the barrier behind it comes before any use.
    if (any && sweep.contractions.size() != 1) w.line("sync_threads();");
  }

  std::string any_matrix_name(std::size_t o) const { return "any_" + matrix_name(o); }

  // The tensor, and the matrix that an operand is of it: each index split into start + row stride + column stride.
  std::pair<std::string, std::string> matrix(const Placement& place, const kernel::Operand& operand) {
    const std::string field = parameters_.tensor(place.input);
    const bool pack = function_.tensors[place.input].pack;
    std::vector<Sym> start;
    std::vector<Code> rows, cols;
    for (std::size_t a = 0; a < place.access.index.size(); ++a) {
      const auto by_row = graph::affine_in(place.access.index[a], operand.rows);
      const auto by_col = graph::affine_in(by_row->second, operand.cols);
      start.push_back(by_col->second);
      const std::string stride = field + ".stride[" + std::to_string(a - pack) + "]";
      auto add = [&](std::vector<Code>& terms, const Sym& coefficient) {
        if (coefficient.is_integer(0)) return;
        if (coefficient.is_integer(1)) terms.push_back({stride, kAtom, CType::Long});
        else terms.push_back(product({points_.index(coefficient), {stride, kAtom, CType::Long}}, CType::Long));
      };
      add(rows, by_row->first);
      add(cols, by_col->first);
    }
    auto text = [](const std::vector<Code>& terms) { return terms.empty() ? std::string("0") : sum(terms, CType::Long).text; };
    return {field, "(" + points_.offset(place.input, start) + ", " + text(rows) + ", " + text(cols) + ", " +
                       (!place.extent.empty() ? place.extent : operands_is_row(operand) ? "p.n_row" : "p.n_key") + ", " + loop_extent(operand.cols) + ")"};
  }

  bool operands_is_row(const kernel::Operand& operand) const { return operand.rows == plan_.row; }

  void write_load(std::size_t o, const std::string& first, Writer& w) {
    const Placement& place = operands_[o];
    if (place.input >= 0 || !place.parts.empty()) {
      const std::string copy = "load_tile_async(" + place.name + ", " + matrix_name(o) + ", " + first + ", kThreads);";
      if (!place.converts) return w.line(copy);
      w.line("if (" + parameters_.tensor(place.input) + ".dtype == aux_type_of<T>) " + copy);
      w.line("else convert_tile(" + place.name + ", " + any_matrix_name(o) + ", " + first + ", kThreads);");
      return;
    }
    const kernel::Operand& operand = program_.operands[o];
    if (reduces(operand)) return write_row_fill(o, first, w);
    std::vector<Code> factors;
    for (const graph::Operand& factor : operand.factors) factors.push_back(points_.value(factor.node, factor.index));
    const std::string row = place.row ? "i" : "j", col = points_.loop_name(operand.cols), rows = place.row ? "p.n_row" : "p.n_key";
    w.open("fill_tile(" + place.name + ", kThreads, [&](int tile_row, int " + col + ") FL_INLINE {");
    w.line("const int " + row + " = " + first + " + tile_row;");
    w.line("return " + row + " < " + rows + " && " + col + " < " + loop_extent(operand.cols) + " ? " + wrap(product(factors, CType::Float), kOr) + " : 0.0f;");
    w.close("});");
  }

  bool reduces(const kernel::Operand& operand) {
    return std::any_of(operand.factors.begin(), operand.factors.end(), [&](const graph::Operand& f) { return dependence_.has_reduction(f.node); });
  }

  // A tile whose values need reductions over their row: each row is filled by the quad that reduces it.
  void write_row_fill(std::size_t o, const std::string& first, Writer& w) {
    const Placement& place = operands_[o];
    const kernel::Operand& operand = program_.operands[o];
    const std::string row = place.row ? "i" : "j", col = points_.loop_name(operand.cols), rows = place.row ? "p.n_row" : "p.n_key";
    std::vector<fusion::Access> accesses;
    for (const graph::Operand& factor : operand.factors) accesses.push_back({factor.node, factor.index});
    const std::vector<std::string> declarations = points_.declare_reductions(accesses, operand.cols);
    std::vector<Code> factors;
    for (const fusion::Access& factor : accesses) factors.push_back(points_.value(factor.node, factor.index));
    points_.forget();
    w.open("for_each_tile_row<" + std::string(place.row ? "M" : "N") + ">(kThreads, [&](int tile_row) FL_INLINE {");
    w.line("const int " + row + " = least_of(" + first + " + tile_row, " + rows + " - 1);");
    for (const std::string& declaration : declarations) w.line(declaration);
    w.open("fill_row(" + place.name + ", tile_row, [&](int " + col + ") FL_INLINE {");
    w.line("return " + first + " + tile_row < " + rows + " && " + col + " < " + loop_extent(operand.cols) + " ? " +
           wrap(product(factors, CType::Float), kOr) + " : 0.0f;");
    w.close("});");
    w.close("});");
  }

  // ---- a sweep

  std::string fragment(int slot) const { return slot == 0 ? "s" : "s" + std::to_string(slot); }

  void declare(const kernel::Sweep& sweep, Writer& w) {
    for (const kernel::State& state : sweep.states) {
      const std::string name = name_of(state.node);
      const bool accumulator = state.kind == StateKind::Accumulator;
      if (accumulator) text_.accumulators.push_back(state.columns);
      w.line((accumulator ? "Acc<MI, " + held(state.columns) + "> " : std::string("RowVec<MI> ")) + name + ";");
      w.line(name + ".fill(" + float_literal(state.initial) + ");");
      values_.variables[state.node] = {name, true};
    }
  }

  // A variable's name: the temporary's own, made unique per sweep.
  std::string name_of(Expr node) {
    const std::string base = node.info().name + (sweep_ ? "_" + std::to_string(sweep_ + 1) : "");
    return base;
  }

  void write_sweep(const kernel::Sweep& sweep, std::size_t number, Writer& w) {
    sweep_ = static_cast<int>(number);
    schedule_ = schedule_tile(program_, sweep);
    text_.demand.score_fragments = std::max(text_.demand.score_fragments, schedule_.slots);
    text_.demand.row_vectors = std::max(text_.demand.row_vectors, row_vectors(sweep));
    w.line();
    w.line("// Sweep over the keys" + (program_.sweeps.size() > 1 ? " " + std::to_string(number + 1) + " of " + std::to_string(program_.sweeps.size()) : "") + ".");
    // Of all sweeps but the last, what they made known outlives them.
    const bool last = number + 1 == program_.sweeps.size();
    for (const kernel::Step& final : sweep.finals) w.line("RowVec<MI> " + name_of(final.target) + ";");
    if (!last) w.open("{");
    declare(sweep, w);
    CoverText cover(program_, sweep, points_);
    cover.write_bounds(w);
    if (text_.sparsity.empty()) text_.sparsity = cover.in_words();
    if (number > 0) w.line("sync_threads();  // the tiles of the sweep before are no longer read");
    for (std::size_t o = 0; o < operands_.size(); ++o) {
      if (number == 0 && operands_[o].row) write_load(o, "row0", w);
    }
    write_key_loads(true, "tile * N", sweep, w, "int tile = " + cover.first() + ";", "tile < tiles");
    w.line("commit_group();");
    w.open("while (tile < tiles) {");
    w.line("const int col0 = tile * N;");
    w.line("const int next = " + cover.next() + ";");
    w.line("count(\"tile\");");
    w.line("wait_group<0>();");
    w.line("sync_threads();");
    write_key_vectors(number, sweep, w);
    if (uses_late(sweep)) {
      write_key_loads(false, "col0", sweep, w, "", "");
      w.line("commit_group();");
    }
    write_tile(sweep, cover, w);
    w.line("tile = next;");
    w.close();
    w.line("wait_group<0>();");
    write_finals(sweep, w);
    if (!last) w.close();
  }

  // Row vectors alive in one tile: states, temporaries, and what a stream's exponent leaves outside its loop.
  static int row_vectors(const kernel::Sweep& sweep) {
    int count = 0;
    for (const kernel::State& state : sweep.states) count += state.kind != StateKind::Accumulator;
    for (const kernel::Step& step : sweep.steps) count += step.kind == StepKind::Reduce ? 2 : step.kind == StepKind::Let;
    return count;
  }

  bool is_used(std::size_t operand, const kernel::Sweep& sweep) const {
    for (int c : sweep.contractions) {
      if (program_.contractions[c].right == static_cast<int>(operand)) return true;
    }
    return std::any_of(sweep.steps.begin(), sweep.steps.end(), [&](const kernel::Step& s) { return s.kind == StepKind::Product && s.operand == static_cast<int>(operand); });
  }
  bool uses_late(const kernel::Sweep& sweep) const {
    for (std::size_t o = 0; o < operands_.size(); ++o) {
      if (!operands_[o].row && !operands_[o].early && is_used(o, sweep)) return true;
    }
    return false;
  }

  void write_key_loads(bool early, const std::string& first, const kernel::Sweep& sweep, Writer& w, const std::string& before, const std::string& condition) {
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

  // ---- one tile

  // Whether a tile needs no mask, once for each mask; tiles that need one are counted.
  void write_wholes(const kernel::Sweep& sweep, CoverText& cover, Writer& w) {
    wholes_.clear();
    std::vector<std::string> names;
    for (const kernel::Masked& masked : sweep.masked) {
      const std::string text = cover.full(masked.predicate);
      const auto [found, fresh] = wholes_.try_emplace(text, "whole" + (names.empty() ? "" : std::to_string(names.size() + 1)));
      if (!fresh) continue;
      names.push_back(found->second);
      w.line("const bool " + found->second + " = " + text + ";" + (text == "false" ? "  // only the mask itself can tell" : ""));
    }
    if (!names.empty()) w.line("if (!" + (names.size() == 1 ? names[0] : "(" + join(names, " && ") + ")") + ") count(\"masked tile\");");
  }

  void write_tile(const kernel::Sweep& sweep, CoverText& cover, Writer& w) {
    write_wholes(sweep, cover, w);
    for (int slot = 0; slot < schedule_.slots; ++slot) w.line("Acc<MI, N> " + fragment(slot) + ";");
    std::size_t contracts = sweep.contractions.size();
    bool prefetched = false;
    values_ready_ = false;
    for (const Item& item : schedule_.items) {
      values_.forget_rows();
      if (item.kind == Item::Contract) {
        write_contract(item, w);
        if (--contracts == 0) prefetch(sweep, w), prefetched = true;
      } else if (item.kind == Item::Mask) {
        write_masked(sweep.masked[item.index], item, cover, w);
      } else if (item.kind == Item::Scan) {
        const kernel::Step& step = sweep.steps[item.index];
        assign(item, step.value, w);
        w.line(std::string(step.operand == 1 ? "scan_before(" : "scan(") + fragment(item.slot) + ", " + name_of(sweep.states[step.index].node) + ");");
      } else if (item.kind == Item::Weigh) {
        values_.variables.erase(item.node);
        assign(item, item.node, w);
      } else {
        write_step(sweep, sweep.steps[item.index], w);
      }
      if (item.node) values_.variables[item.node] = {fragment(item.slot), true};
    }
    if (!prefetched) prefetch(sweep, w);
    // The next tile must not fill what slower warps still read.
    if (uses_late(sweep)) w.line("sync_threads();");
  }

  // All warps are done with the key operands of the contractions: fetch the next ones behind the softmax.
  void prefetch(const kernel::Sweep& sweep, Writer& w) {
    w.line("wait_group<0>();");
    w.line("sync_threads();");
    values_ready_ = true;
    write_key_loads(true, "next * N", sweep, w, "", "next < tiles");
    w.line("commit_group();");
  }

  void write_contract(const Item& item, Writer& w) {
    const kernel::Contraction& c = program_.contractions[item.index];
    w.line(fragment(item.slot) + ".fill(0);");
    w.line((split_ ? "multiply_transposed<PARTS>(" : "multiply_transposed(") + fragment(item.slot) + ", " + operands_[c.left].name + ", " +
           operands_[c.right].name + (split_ ? ", warp, part, exchange);" : ", warp);"));
  }

  // Opens a loop over a fragment's elements with the indices its text needs.
  void element_loop(const std::string& columns, const std::string& needs, const std::vector<std::string>& body, Writer& w,
                    const std::string& first_column = {}) {
    std::string extent;
    for (const Dimension& d : text_.dimensions)
      if (d.name == columns.substr(0, columns.find(' '))) extent = loop_extent(d.loop);
    std::vector<std::string> lines = index_declarations(needs, true, extent, first_column);
    lines.insert(lines.end(), body.begin(), body.end());
    w.block("for_each_element<MI, " + columns + ">([&](const Element& e) FL_INLINE {", lines, "});");
  }

  Expr hoisted(Expr e, kernel::Space loop, Writer& w) {
    Writer rows;
    const Expr result = values_.hoist(e, loop, uniform_, rows);
    w.append(rows);
    return result;
  }

  void assign(const Item& item, Expr value, Writer& w) {
    const std::string target = fragment(item.slot) + "[e]";
    const std::string text = values_.value(hoisted(value, kernel::kScore, w), "e").text;
    if (text == target) return;
    element_loop("N", text, {target + " = " + text + ";"}, w);
  }

  void write_masked(const kernel::Masked& masked, const Item& item, CoverText& cover, Writer& w) {
    assign(item, masked.value, w);
    const std::string target = fragment(item.slot) + "[e]", outside = float_literal(masked.otherwise);
    std::string keep;
    if (masked.predicate) keep = wrap(values_.value(hoisted(masked.predicate, kernel::kScore, w), "e"), kAtom);
    w.open("if (!" + wholes_.at(cover.full(masked.predicate)) + ") {");
    element_loop("N", keep, {"if (col0 + col_of(e) >= p.n_key" + (keep.empty() ? "" : " || !" + keep) + ") " + target + " = " + outside + ";"}, w);
    w.close();
  }

  void write_step(const kernel::Sweep& sweep, const kernel::Step& step, Writer& w) {
    switch (step.kind) {
      case StepKind::Contract:
      case StepKind::Scan: return;
      case StepKind::Reduce: return write_reduce(step, w);
      case StepKind::Let: return write_let(step, w);
      case StepKind::Set: return write_row(name_of(sweep.states[step.index].node), "=", step.value, w);
      case StepKind::Scale:
        if (sweep.states[step.index].kind != StateKind::Accumulator) return write_row(name_of(sweep.states[step.index].node), "*=", step.value, w);
        return write_rescale(sweep.states[step.index], step.value, w);
      case StepKind::Shift: return write_shift(sweep, step, w);
      case StepKind::Add: {
        const char* const op = sweep.states[step.index].kind == StateKind::Prod ? "[e] *= " : "[e] += ";
        const std::string text = values_.value(hoisted(step.value, kernel::kScore, w), "e").text;
        element_loop("N", text, {name_of(sweep.states[step.index].node) + op + text + ";"}, w);
        return;
      }
      case StepKind::Product:
        if (!values_ready_) {  // a product before the last contraction
          w.line("wait_group<0>();");
          w.line("sync_threads();");
          values_ready_ = true;
        }
        w.line("multiply(" + name_of(sweep.states[step.index].node) + ", " + values_.variables.at(step.value).name + ", " + operands_[step.operand].name +
               (split_ ? ", " + first_held(sweep.states[step.index].columns) : "") + ");");
        return;
    }
  }

  void write_reduce(const kernel::Step& step, Writer& w) {
    const std::string name = name_of(step.target), text = values_.value(hoisted(step.value, kernel::kScore, w), "e").text;
    const bool max = step.reduce == StateKind::Max, sum = step.reduce == StateKind::Sum;
    w.line("RowVec<MI> " + name + ";");
    w.line(name + ".fill(" + (sum ? "0.0f" : max ? "-kInfinity" : "kInfinity") + ");");
    element_loop("N", text, {name + (sum ? "[e] += " + text : "[e] = " + std::string(max ? "greatest(" : "least(") + name + "[e], " + text + ")") + ";"}, w);
    w.line("for_each_row<MI>([&](const Row& r) FL_INLINE { " + name + "[r] = " + (sum ? "quad_sum(" : max ? "quad_max(" : "quad_min(") + name + "[r]); });");
    values_.variables[step.target] = {name, true};
  }

  void write_let(const kernel::Step& step, Writer& w) {
    const std::string name = name_of(step.target);
    w.line("RowVec<MI> " + name + ";");
    write_row(name, "=", step.value, w);
    values_.variables[step.target] = {name, true};
  }

  void write_row(const std::string& name, const std::string& op, Expr value, Writer& w) {
    std::vector<std::string> reductions;
    const std::string text = values_.together(hoisted(value, kernel::kRow, w), "r", reductions);
    std::vector<std::string> lines = index_declarations(join(reductions, " ") + text, false);
    lines.insert(lines.end(), reductions.begin(), reductions.end());
    lines.push_back(name + "[r] " + op + " " + text + ";");
    w.block("for_each_row<MI>([&](const Row& r) FL_INLINE {", lines, "});");
  }

  // A sum's four lanes each keep a part of it, so each moves by a quarter of the keys.
  void write_shift(const kernel::Sweep& sweep, const kernel::Step& step, Writer& w) {
    const kernel::State& state = sweep.states[step.index];
    const bool rows = state.kind != StateKind::Accumulator;
    const std::string at = rows ? "r" : "e";
    const std::string by = wrap(values_.value(hoisted(step.value, rows ? kernel::kRow : kernel::kOut, w), at), kProduct);
    const std::string source = step.operand < 0 ? "(0.25f * static_cast<float>(col0))" : name_of(sweep.states[step.operand].node) + "[" + at + "]";
    const std::string statement = name_of(state.node) + "[" + at + "] += " + by + " * " + source + ";";
    if (!rows) return element_loop(held(state.columns), by, {statement}, w, first_held(state.columns));
    w.line("for_each_row<MI>([&](const Row& r) FL_INLINE { " + statement + " });");
  }

  void write_rescale(const kernel::State& state, Expr value, Writer& w) {
    const std::string text = values_.value(hoisted(value, kernel::kOut, w), "e").text;
    element_loop(held(state.columns), text, {name_of(state.node) + "[e] *= " + text + ";"}, w, first_held(state.columns));
  }

  // ---- after a sweep

  void write_finals(const kernel::Sweep& sweep, Writer& w) {
    values_.forget_rows();
    for (const kernel::State& state : sweep.states) {
      if (state.kind != StateKind::Sum && state.kind != StateKind::Prod) continue;
      const std::string name = name_of(state.node), over = state.kind == StateKind::Sum ? "quad_sum(" : "quad_prod(";
      w.line("for_each_row<MI>([&](const Row& r) FL_INLINE { " + name + "[r] = " + over + name + "[r]); });");
    }
    for (const kernel::Step& final : sweep.finals) {
      values_.forget_rows();
      write_row(name_of(final.target), "=", final.value, w);
      values_.variables[final.target] = {name_of(final.target), true};
    }
  }

  void write_stores(Writer& w) {
    w.line();
    for (std::size_t s = 0; s < program_.stores.size(); ++s) {
      values_.forget_rows();
      const kernel::Store& store = program_.stores[s];
      const std::string out = "out" + std::to_string(s);
      text_.output_types.push_back(output_type(store));
      if (store.columns < 0) {
        const std::string name = "result" + std::to_string(s);
        w.line("RowVec<MI> " + name + ";");
        write_row(name, "=", store.value, w);
        write_result(s, "store_rows", output_matrix(store, s), name, w);
        continue;
      }
      write_out(store, s, w);
    }
  }

  // The result takes over the registers of the accumulator it is made of, where no later result reads it.
  void write_out(const kernel::Store& store, std::size_t s, Writer& w) {
    const std::string text = values_.value(hoisted(store.value, kernel::kOut, w), "e").text;
    std::string target = "result" + std::to_string(s);
    bool reuse = false;
    for (const kernel::State& state : program_.sweeps.back().states) {
      if (state.kind != StateKind::Accumulator || state.columns != store.columns || reuse) continue;
      bool later = false;
      for (std::size_t t = s + 1; t < program_.stores.size(); ++t) later = later || depends(program_.stores[t].value, state.node);
      if (later) continue;
      reuse = true;
      target = name_of(state.node);
    }
    if (!reuse) {
      text_.accumulators.push_back(store.columns);
      w.line("Acc<MI, " + held(store.columns) + "> " + target + ";");
    }
    element_loop(held(store.columns), text, {target + "[e] = " + text + ";"}, w, first_held(store.columns));
    write_result(s, "store_tile", output_matrix(store, s), target, w);
  }

  void write_result(std::size_t s, const std::string& function, const std::string& matrix, const std::string& value, Writer& w) {
    const bool tile = function == "store_tile";
    const std::string first = tile && split_ ? ", " + first_held(program_.stores[s].columns) : "";
    const std::string once = !tile && split_ ? "if (part == 0) " : "";
    const std::string statement = once + function + "(" + matrix + ", " + value + ", row0, warp" + first + ");";
    if (text_.output_types[s] != "S") return w.line(statement);
    w.line("with_result(p.out" + std::to_string(s) + ".dtype, [&](auto type) FL_INLINE {");
    w.line("  using S = decltype(type);");
    w.line("  " + statement);
    w.line("});");
  }

  static bool depends(Expr e, Expr on) {
    if (e == on) return true;
    if (e.is(alg::Op::kLeaf)) return false;
    return std::any_of(e.args().begin(), e.args().end(), [&](Expr arg) { return depends(arg, on); });
  }

  // "T", "float", or "S" for a type that the arguments' promotion gives at launch.
  std::string output_type(const kernel::Store& store) const {
    const graph::DTypeRule& rule = function_.outputs[store.output].value.dtype;
    if (rule.constant == graph::DType::Float32) return "float";
    if (rule.inputs.empty() && !rule.constant) return "float";
    const auto stored_as_t = [&](int input) {
      return function_.tensors[input].conversions.empty() &&
             std::find(text_.contracted.begin(), text_.contracted.end(), input) != text_.contracted.end();
    };
    const bool settled = !rule.constant && std::all_of(rule.inputs.begin(), rule.inputs.end(), stored_as_t);
    return settled ? "T" : "S";
  }

  std::string output_matrix(const kernel::Store& store, std::size_t s) {
    const std::string field = "p.out" + std::to_string(s);
    const graph::TensorView& view = function_.outputs[store.output].value;
    std::vector<std::string> at{view.pack ? "pack" : "PackIndex{}"};
    std::string rows = "0", cols = "0";
    for (std::size_t a = view.pack; a < store.axis_loops.size(); ++a) {
      const int loop = store.axis_loops[a];
      const std::string stride = field + ".stride[" + std::to_string(a - view.pack) + "]";
      if (loop == plan_.row) rows = stride;
      if (loop == store.columns) cols = stride;
      at.push_back(loop == plan_.row || loop == store.columns ? "0" : points_.loop_name(loop));
    }
    return field + ".template matrix<" + text_.output_types[s] + ">(" + field + ".offset(" + join(at, ", ") + "), " + rows + ", " + cols + ", p.n_row, " +
           (store.columns < 0 ? "1" : loop_extent(store.columns)) + ")";
  }

  // ---- the whole

  std::string template_head() const {
    std::string head = "template <class T";
    for (const Dimension& d : text_.dimensions) head += ", int " + d.name;
    return head + ", int M, int N, int WARPS" + (split_ ? ", int PARTS>" : ">");
  }

  void write_kernel(const Writer& sweeps) {
    Writer w;
    w.line(template_head());
    const std::string warps = split_ ? "WARPS * PARTS" : "WARPS";
    w.open("FL_KERNEL(32 * " + warps + ") " + text_.name + "(FL_PARAMS(" + text_.params + ") p) {");
    w.line("constexpr int MI = M / (16 * WARPS), kThreads = 32 * " + warps + ";");
    w.line("FL_SHARED_MEMORY(smem);");
    if (split_) {
      w.line("// The accumulators are too wide for one warp: PARTS warps share their rows and hold some of the columns each.");
      w.line("const int warp = warp_index() % WARPS, part = warp_index() / WARPS;");
    } else {
      w.line("const int warp = warp_index();");
    }
    w.line("// Later rows come first: under a causal mask they have the most to do.");
    w.line("const int row0 = (p.row_tiles - 1 - block_index() % p.row_tiles) * M;");
    w.line("[[maybe_unused]] int batch = block_index() / p.row_tiles;");
    for (std::size_t l = plan_.loops.size(); l-- > 0;) {
      const fusion::Loop& loop = plan_.loops[l];
      if (loop.role != Role::Batch || loop.pack) continue;
      const std::string extent = loop_extent(static_cast<int>(l));
      w.line("[[maybe_unused]] const int " + points_.loop_name(static_cast<int>(l)) + " = batch % " + extent + ";");
      w.line("batch /= " + extent + ";");
    }
    w.line("[[maybe_unused]] const PackIndex pack = p.pack.index(batch);");
    w.line();
    Writer operands(1);
    write_operands(operands);
    text_.body = w.str() + operands.str() + indent(uniform_) + sweeps.str() + "}\n";
  }

  static std::string indent(const Writer& block) {
    Writer w(1);
    w.append(block);
    return w.str();
  }

  std::string shape_in_words(const graph::Shape& shape, bool pack) const {
    std::vector<std::string> sizes;
    for (std::size_t a = 0; a < shape.size(); ++a) sizes.push_back(pack && a == 0 ? ".." : fusion::describe(function_, shape[a]));
    return "[" + join(sizes, ", ") + "]";
  }

  void write_params() {
    Writer w;
    w.open("struct " + text_.params + " {");
    for (int input : parameters_.tensors()) {
      const graph::TensorParam& tensor = function_.tensors[input];
      w.line("TensorArg<" + std::to_string(tensor.shape.size() - tensor.pack) + "> " + parameters_.tensor_field(input) + ";  // " +
             shape_in_words(tensor.shape, tensor.pack));
    }
    for (std::size_t s = 0; s < program_.stores.size(); ++s) {
      const graph::TensorView& view = function_.outputs[program_.stores[s].output].value;
      w.line("TensorArg<" + std::to_string(view.shape.size() - view.pack) + "> out" + std::to_string(s) + ";  // " +
             shape_in_words(view.shape, view.pack));
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

  const bool split_;  // warps share rows: the template has PARTS
  const kernel::Program& program_;
  const fusion::KernelPlan& plan_;
  const graph::Function& function_;
  Parameters& parameters_;
  fusion::Dependence dependence_;
  PointPrinter points_;
  ValuePrinter values_;
  KernelText text_;
  std::vector<Placement> operands_;
  std::vector<KeyVector> key_vectors_;
  Schedule schedule_;
  std::map<std::string, std::string> wholes_;  // the conditions under which a tile needs no mask, and their variables
  Writer uniform_;
  int sweep_ = 0;
  bool values_ready_ = false;  // the tile's values have arrived for every warp
};

}  // namespace

KernelText write_kernel(const kernel::Program& program, const std::string& name, Parameters& parameters, bool split) {
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
  return demand;
}

}  // namespace flashlight::emit
