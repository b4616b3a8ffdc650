// SPDX-License-Identifier: Apache-2.0
// A sweep for sm_90a, from both sides: the loader's loop over tiles and the consumers'.
#include "emit/hopper_writer.h"

namespace flashlight::emit {

namespace {

bool is_long(int function) {
  static const std::set<graph::Fn> kLong{graph::Fn::Erf,      graph::Fn::Pow,   graph::Fn::Sin,
                                         graph::Fn::Cos,      graph::Fn::Log1p, graph::Fn::Expm1,
                                         graph::Fn::FloorDiv, graph::Fn::Mod};
  return kLong.contains(static_cast<graph::Fn>(function));
}

}  // namespace

// What the score program takes besides its fragments.
void HopperWriter::find_costs(const kernel::Sweep& sweep) {
  target::Demand& demand = text_.demand;
  demand.skips_tiles |= !sweep.live.empty();
  std::set<graph::NodeId> seen;
  bool in_value = true;
  auto visit = [&](auto&& self, graph::NodeId id) -> void {
    if (!seen.insert(id).second) return;
    const graph::Node& node = function_.graph[id];
    demand.uses_positions |= in_value && node.op == graph::Op::Iota;
    if (node.op == graph::Op::Input) {
      demand.long_elements |= demand.reads_elements;  // a second one
      demand.reads_elements = true;
    }
    demand.long_elements |=
        node.op == graph::Op::Gather || (node.op == graph::Op::Map && is_long(static_cast<int>(node.fn)));
    for (const graph::Operand& operand : node.operands) self(self, operand.node);
  };
  std::vector<Expr> values, predicates;
  for (const kernel::Masked& m : sweep.masked) {
    values.push_back(m.value);
    predicates.push_back(m.predicate);
  }
  for (const kernel::Step& step : sweep.steps) values.push_back(step.value);
  const auto look = [&](Expr root) {
    if (!root) return;
    const std::vector<Expr> functions =
        alg::collect(root, {alg::Op::kTanh, alg::Op::kSigmoid, alg::Op::kLog, alg::Op::kCall});
    demand.uses_functions |=
        in_value && std::any_of(functions.begin(), functions.end(), [](Expr f) {
          return !f.is(alg::Op::kCall) || f.function_id() < kernel::kExp2;  // but for those of every sweep
        });
    for (Expr call : alg::collect(root, {alg::Op::kCall}))
      demand.long_elements |= is_long(call.function_id());
    for (Expr leaf : alg::collect(root, {alg::Op::kLeaf})) {
      const bool contracted =
          std::any_of(program_.contractions.begin(), program_.contractions.end(),
                      [&](const kernel::Contraction& c) { return c.leaf == leaf.leaf_id(); });
      if (contracted || program_.temporaries.contains(leaf.leaf_id()) ||
          !(kernel::space_of(program_, leaf) & kernel::kKey))
        continue;
      visit(visit, plan_.leaves[leaf.leaf_id()].node);
    }
  };
  for (Expr value : values) look(value);
  in_value = false;
  for (Expr predicate : predicates) look(predicate);
}

void HopperWriter::find_uses(const kernel::Sweep& sweep) {
  uses_.clear();
  for (std::size_t k = 0; k < schedule_.items.size(); ++k) {
    const Item& item = schedule_.items[k];
    int operand = -1;
    if (item.kind == Item::Contract) operand = program_.contractions[item.index].right;
    if (item.kind == Item::Step && sweep.steps[item.index].kind == StepKind::Product)
      operand = sweep.steps[item.index].operand;
    if (operand < 0) continue;
    const auto o = static_cast<std::size_t>(operand);
    auto use = std::find_if(uses_.begin(), uses_.end(), [&](const Use& u) { return u.operand == o; });
    if (use == uses_.end()) use = uses_.insert(uses_.end(), {o, k, k});
    use->last = k;
    (item.kind == Item::Contract ? use->last_contract : use->last_product) = k;
  }
}

void HopperWriter::write_sweep(const kernel::Sweep& sweep, std::size_t number, Writer& w) {
  open_sweep(sweep, number, w);
  find_uses(sweep);
  find_costs(sweep);
  CoverText cover(program_, sweep, points_);
  if (notes_) cover.is_by_loader();
  Writer bounds, rows;
  cover.write_bounds(bounds);
  note_sparsity(cover, number);
  write_loader(cover, bounds);
  text_.demand.finding = std::max(text_.demand.finding, notes_             ? target::Finding::kSearches
                                                        : cover.searches() ? target::Finding::kTests
                                                                           : target::Finding::kCounts);
  if (notes_) {
    cover.take_notes();
    cover.write_rows(rows);
  }
  (single_ && !notes_ ? shared_ : w).append(notes_ ? rows : bounds);
  if (number == 0) write_row_fills(w);
  vectors_ = Writer();
  fill_key_vectors(number, sweep, "kWarpgroupSize", vectors_);
  std::vector<Unit> units = single_ ? units_of(sweep) : std::vector<Unit>{};
  if (units.size() > 1 && !vectors_.empty()) units.clear();
  if (units.empty()) {
    write_tiles(sweep, cover, w);
  } else {
    for (const Use& u : uses_)
      if (u.last_contract != kNone && u.last_product != kNone) behind_.insert(u.operand);
    write_overlapped(sweep, cover, units, w);
  }
  if (number + 1 == program_.sweeps.size()) write_row_releases(w);
  write_finals(sweep, w);
  if (!single_ && number + 1 < program_.sweeps.size()) w.close();
}

// One tile after the other.
void HopperWriter::write_tiles(const kernel::Sweep& sweep, CoverText& cover, Writer& w) {
  const std::string step = step_name();
  w.open("for (int " + step + " = " + first_step(cover) + "; " + more_steps(step) + "; " + step + " = " +
         next_step(cover) + ") {");
  w.line("const int col0 = " + first_key(step) + ";");
  if (notes_) cover.write_tile(w);
  w.line("count(\"tile\");");
  write_tile_steps(sweep, cover, w);
  for (const Use& u : uses_) w.line(derived(u.operand, "_at") + ".advance();");
  w.close();
}

// The loader's side of the sweep: every tile that the consumers will visit, in the order in which they need
// it.
void HopperWriter::write_loader(const CoverText& cover, const Writer& bounds) {
  if (!single_) loader_.open("{");
  if (!single_ || notes_) loader_.append(bounds);
  const std::string step = cover.searches() ? "tile = " + cover.next() : "++tile";
  loader_.open("for (int tile = " + cover.first() + "; tile < tiles; " + step + ") {");
  if (notes_) {
    loader_.line("const int note = " + cover.note() + ";");
    loader_.line("if (leads) notes.put(notes_at, note);");
    loader_.line("notes_at.advance();");
  }
  for (const Use& u : uses_) {
    const std::string at = derived(u.operand, "_at");
    loader_.line(by_loader(derived(u.operand, "_ring") + ".load(" + at + ", p." +
                           derived(u.operand, "_source") + ".map, {0, tile * N, " +
                           derived(u.operand, "_start") + "}, Keep::kMost);"));
    loader_.line(at + ".advance();");
  }
  loader_.close();
  if (notes_) {
    loader_.line("if (leads) notes.put(notes_at, kNoMoreTiles);");
    loader_.line("notes_at.advance();");
  }
  if (!single_) loader_.close();
}

// One thread loads; where a warp finds the tiles together, its first.
std::string HopperWriter::by_loader(const std::string& statement) const {
  return (notes_ ? "if (leads) " : "") + statement;
}

// Products are started, and waited for where their registers or tiles are next touched.
bool HopperWriter::is_asynchronous(const kernel::Sweep& sweep, const Item& item) const {
  if (item.kind == Item::Contract) return true;
  if (item.kind != Item::Step) return false;
  const kernel::Step& step = sweep.steps[item.index];
  return step.kind == StepKind::Product || step.kind == StepKind::Contract || step.kind == StepKind::Set;
}

void HopperWriter::write_tile_steps(const kernel::Sweep& sweep, CoverText& cover, Writer& w) {
  arrived_.clear();
  weights_.clear();
  for (std::size_t o : staged_) use(o, w);
  write_key_vectors_apart(w);
  write_wholes(sweep, cover, w);
  for (int slot = 0; slot < schedule_.slots; ++slot) w.line("Acc<MI, N> " + fragment(slot) + ";");
  for (item_ = 0; item_ < schedule_.items.size(); ++item_) {
    const Item& item = schedule_.items[item_];
    values_.forget_rows();
    if (!is_asynchronous(sweep, item)) finish(w);
    write_item(sweep, cover, item, w);
  }
  finish(w);
}

// Each warpgroup has its own numbers for the keys, so that none waits for another.
void HopperWriter::write_key_vectors_apart(Writer& w) const {
  if (vectors_.empty()) return;
  w.line("sync_warpgroup(warpgroup);  // those of the tile before are no longer read");
  w.append(vectors_);
  w.line("sync_warpgroup(warpgroup);");
}

// Names the operand's tile, and waits for it where it is used first.
void HopperWriter::use(std::size_t o, Writer& w) {
  if (!arrived_.insert(o).second) return;
  w.line("const auto " + operands_[o].name + " = " + derived(o, "_ring") + ".wait(" + derived(o, "_at") +
         ");");
}

bool HopperWriter::is_in_flight(const std::string& registers) const {
  return std::find(in_flight_.begin(), in_flight_.end(), registers) != in_flight_.end();
}

// Makes `accumulator` free for a new product. The emulated device's calls name up to six.
void HopperWriter::make_way(const std::string& accumulator, Writer& w) {
  constexpr std::size_t kNamed = 6;
  if (is_in_flight(accumulator) || in_flight_.size() + 2 > kNamed) finish(w);
}

void HopperWriter::finish(Writer& w) {
  if (in_flight_.empty()) return;
  w.line("wait_products<0>(" + join(in_flight_, ", ") + ");");
  in_flight_.clear();
  for (const Use& u : uses_) {
    if (u.last < item_ && arrived_.erase(u.operand))
      w.line(derived(u.operand, "_ring") + ".release(" + derived(u.operand, "_at") + ");");
  }
}

void HopperWriter::write_contract(const Item& item, Writer& w) {
  const kernel::Contraction& c = program_.contractions[item.index];
  const std::string s = fragment(item.slot);
  use(static_cast<std::size_t>(c.right), w);
  make_way(s, w);
  in_flight_.push_back(s);
  w.line("fence_products(" + s + ");");
  w.line("multiply_transposed_async<kSet>(" + s + ", " + operands_[c.left].name + ", " +
         operands_[c.right].name + ", warpgroup);");
  w.line("commit_products();");
}

void HopperWriter::write_product(const kernel::Sweep& sweep, const kernel::Step& step, Writer& w) {
  const std::string acc = name_of(sweep.states[step.index].node), s = values_.variables.at(step.value).name;
  auto [rounded, fresh] = weights_.try_emplace(
      step.value, "weights" + (weights_.empty() ? "" : std::to_string(weights_.size() + 1)));
  if (fresh) {
    if (is_in_flight(s)) finish(w);
    w.line("Operand<T, N> " + rounded->second + ";");
    w.line("round_fragment(" + rounded->second + ", " + s + ");");
  }
  use(static_cast<std::size_t>(step.operand), w);
  make_way(acc, w);
  in_flight_.push_back(acc);
  if (!is_in_flight(rounded->second)) in_flight_.push_back(rounded->second);
  w.line("fence_products(" + acc + ", " + rounded->second + ");");
  w.line("multiply_async<kAdd>(" + acc + ", " + rounded->second + ", " + operands_[step.operand].name + ");");
  w.line("commit_products();");
}

}  // namespace flashlight::emit
