// SPDX-License-Identifier: Apache-2.0
// A tile for sm_90a whose row program runs beside the tensor cores: while the scores of one unit are weighed,
// the product of the unit before is made. A unit is what leads from contractions to products; a tile of
// several streams has several, and the chain goes on from a tile's last unit to the next tile's first.
#include "emit/hopper_writer.h"

namespace flashlight::emit {

namespace {

bool is_product(const kernel::Sweep& sweep, const Item& item) {
  return item.kind == Item::Step && sweep.steps[item.index].kind == StepKind::Product;
}

}  // namespace

bool HopperWriter::moves_accumulator(const kernel::Sweep& sweep, const Item& item) const {
  if (item.kind != Item::Step) return false;
  const kernel::Step& step = sweep.steps[item.index];
  if (step.kind != StepKind::Scale && step.kind != StepKind::Shift && step.kind != StepKind::Product)
    return false;
  return sweep.states[step.index].kind == StateKind::Accumulator;
}

// What rescales an accumulator may be done later only if it depends on nothing that later items change.
bool HopperWriter::may_wait(const kernel::Sweep& sweep, const kernel::Step& step) const {
  if (step.kind != StepKind::Scale) return false;
  return std::none_of(sweep.states.begin(), sweep.states.end(),
                      [&](const kernel::State& state) { return depends(step.value, state.node); });
}

// The tile's units, or none where it has not this form: contractions first, then the row program, products
// last.
std::vector<HopperWriter::Unit> HopperWriter::units_of(const kernel::Sweep& sweep) const {
  const bool zero = std::all_of(sweep.states.begin(), sweep.states.end(), [](const kernel::State& s) {
    return s.kind != StateKind::Accumulator || s.initial == 0;
  });
  if (!zero) return {};
  std::vector<Unit> units;
  bool open = false;  // a unit that has no product yet
  for (std::size_t k = 0; k < schedule_.items.size(); ++k) {
    const Item& item = schedule_.items[k];
    if (item.kind == Item::Contract) {
      if (!open) units.emplace_back();
      open = true;
      if (!units.back().front.empty()) return {};
      units.back().contracts.push_back(k);
    } else if (units.empty()) {
      return {};
    } else if (is_product(sweep, item)) {
      open = false;
      units.back().products.push_back(k);
    } else if (moves_accumulator(sweep, item)) {
      if (!may_wait(sweep, sweep.steps[item.index])) return {};
      units.back().rescales.push_back(k);
    } else {
      if (!units.back().products.empty() && item.kind != Item::Step)
        return {};  // it may take a product's weights away
      units.back().front.push_back(k);
    }
  }
  if (open) return {};
  constexpr std::size_t kNamed = 6;  // registers that one fence or wait names
  const bool named = std::all_of(units.begin(), units.end(), [](const Unit& u) {
    return u.contracts.size() <= kNamed && 2 * u.products.size() <= kNamed;
  });
  return named ? units : std::vector<Unit>{};
}

// The unit's row program as a function of the tile.
void HopperWriter::write_weigh(const kernel::Sweep& sweep, CoverText& cover, const Unit& unit,
                               const std::string& name, bool first, Writer& w) {
  kernel::Sweep own = sweep;  // with this unit's masks
  own.masked.clear();
  for (std::size_t k : unit.front)
    if (schedule_.items[k].kind == Item::Mask) own.masked.push_back(sweep.masked[schedule_.items[k].index]);
  w.open("const auto " + name + " = [&](int " + step_name() + ") FL_INLINE {");
  w.line("[[maybe_unused]] const int col0 = " + first_key(step_name()) + ";");
  if (notes_) cover.write_tile(w);
  if (first) w.line("count(\"tile\");");
  counts_masked_ = first;
  write_wholes(own, cover, w);
  counts_masked_ = true;
  for (std::size_t k : unit.contracts)
    values_.variables[schedule_.items[k].node] = {fragment(schedule_.items[k].slot), true};
  for (std::size_t k : unit.front) {
    values_.forget_rows();
    write_item(sweep, cover, schedule_.items[k], w);
  }
  w.close("};");
}

// Row temporaries that are read outside of the unit's function that computes them.
std::set<std::string> HopperWriter::outliving(const kernel::Sweep& sweep, const std::vector<Unit>& units) {
  std::set<std::string> names;
  const auto reads = [&](std::size_t k, Expr temporary) {
    const Item& item = schedule_.items[k];
    std::vector<Expr> values{item.node};
    if (item.kind == Item::Mask)
      values = {sweep.masked[item.index].value, sweep.masked[item.index].predicate};
    if (item.kind == Item::Step || item.kind == Item::Scan) values = {sweep.steps[item.index].value};
    return std::any_of(values.begin(), values.end(),
                       [&](Expr value) { return value && depends(value, temporary); });
  };
  for (const Unit& own : units) {
    for (std::size_t k : own.front) {
      const Item& item = schedule_.items[k];
      if (item.kind != Item::Step || !sweep.steps[item.index].target) continue;
      const Expr temporary = sweep.steps[item.index].target;
      for (const Unit& unit : units) {
        const auto read = [&](std::size_t other) { return reads(other, temporary); };
        if (std::any_of(unit.rescales.begin(), unit.rescales.end(), read) ||
            (&unit != &own && std::any_of(unit.front.begin(), unit.front.end(), read)))
          names.insert(name_of(temporary));
      }
    }
  }
  return names;
}

std::vector<std::string> HopperWriter::scores_of(const Unit& unit) const {
  std::vector<std::string> scores;
  for (std::size_t k : unit.contracts) scores.push_back(fragment(schedule_.items[k].slot));
  return scores;
}

// Where the consumers stand in the ring of an operand that products take: behind the contractions, if those
// take it too.
std::string HopperWriter::product_place(std::size_t operand) const {
  return derived(operand, behind_.contains(operand) ? "_behind" : "_at");
}

// Tiles are waited for before the fence: a fence further away would have to be repeated.
void HopperWriter::wait_contracted(const Unit& unit, Writer& w) {
  std::set<std::string> waits;
  for (std::size_t k : unit.contracts) {
    const auto o = static_cast<std::size_t>(program_.contractions[schedule_.items[k].index].right);
    const std::string wait = derived(o, "_ring") + ".wait(" + derived(o, "_at") + ");";
    if (waits.insert(wait).second) w.line(wait);
  }
}

void HopperWriter::start_contracts(const Unit& unit, Writer& w) {
  w.line("fence_products(" + join(scores_of(unit), ", ") + ");");
  for (std::size_t k : unit.contracts) {
    const kernel::Contraction& c = program_.contractions[schedule_.items[k].index];
    const auto o = static_cast<std::size_t>(c.right);
    w.line("multiply_transposed_async<kSet>(" + fragment(schedule_.items[k].slot) + ", " +
           operands_[c.left].name + ", " + derived(o, "_ring") + ".tile(" + derived(o, "_at") +
           "), warpgroup);");
  }
  w.line("commit_products();");
}

void HopperWriter::release_contracted(const Unit& unit, Writer& w) {
  for (const Use& u : uses_) {
    if (std::find(unit.contracts.begin(), unit.contracts.end(), u.last_contract) == unit.contracts.end())
      continue;
    if (u.last_product == kNone)
      w.line(derived(u.operand, "_ring") + ".release(" + derived(u.operand, "_at") + ");");
    w.line(derived(u.operand, "_at") + ".advance();");
  }
}

// Rounded weights of the unit's products, each once: weights, weights2, ...
std::vector<std::string> HopperWriter::weights_of(const kernel::Sweep& sweep, const Unit& unit,
                                                  std::vector<kernel::Expr>& values) const {
  std::vector<std::string> names;
  for (std::size_t k : unit.products) {
    const kernel::Expr value = sweep.steps[schedule_.items[k].index].value;
    auto known = std::find(values.begin(), values.end(), value);
    if (known == values.end()) known = values.insert(values.end(), value);
    const auto number = known - values.begin() + 1;
    names.push_back("weights" + (number > 1 ? std::to_string(number) : ""));
  }
  return names;
}

void HopperWriter::round_weights(const kernel::Sweep& sweep, const Unit& unit, Writer& w) {
  std::vector<kernel::Expr> values;
  const std::vector<std::string> names = weights_of(sweep, unit, values);
  std::set<std::string> rounded;
  for (std::size_t n = 0; n < names.size(); ++n) {
    const kernel::Step& step = sweep.steps[schedule_.items[unit.products[n]].index];
    if (rounded.insert(names[n]).second)
      w.line("round_fragment(" + names[n] + ", " + values_.variables.at(step.value).name + ");");
  }
}

// Accumulators and weights of the unit's products.
std::string HopperWriter::taken_by(const kernel::Sweep& sweep, const Unit& unit) {
  std::vector<std::string> all;
  for (std::size_t k : unit.products)
    all.push_back(name_of(sweep.states[sweep.steps[schedule_.items[k].index].index].node));
  std::vector<kernel::Expr> values;
  for (const std::string& name : weights_of(sweep, unit, values))
    if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
  return join(all, ", ");
}

void HopperWriter::start_products(const kernel::Sweep& sweep, const Unit& unit, Writer& w) {
  std::vector<kernel::Expr> values;
  const std::vector<std::string> names = weights_of(sweep, unit, values);
  std::set<std::string> waits;
  for (std::size_t k : unit.products) {
    const auto o = static_cast<std::size_t>(sweep.steps[schedule_.items[k].index].operand);
    const std::string wait = derived(o, "_ring") + ".wait(" + product_place(o) + ");";
    if (waits.insert(wait).second) w.line(wait);
  }
  w.line("fence_products(" + taken_by(sweep, unit) + ");");
  for (std::size_t n = 0; n < names.size(); ++n) {
    const kernel::Step& step = sweep.steps[schedule_.items[unit.products[n]].index];
    const auto o = static_cast<std::size_t>(step.operand);
    w.line("multiply_async<kAdd>(" + name_of(sweep.states[step.index].node) + ", " + names[n] + ", " +
           derived(o, "_ring") + ".tile(" + product_place(o) + "));");
  }
  w.line("commit_products();");
}

void HopperWriter::finish_products(const kernel::Sweep& sweep, const Unit& unit, Writer& w) {
  w.line("wait_products<0>(" + taken_by(sweep, unit) + ");");
  for (const Use& u : uses_) {
    if (std::find(unit.products.begin(), unit.products.end(), u.last_product) == unit.products.end())
      continue;
    w.line(derived(u.operand, "_ring") + ".release(" + product_place(u.operand) + ");");
    w.line(product_place(u.operand) + ".advance();");
  }
}

// The numbers for each key, from tiles that have not been released yet.
void HopperWriter::write_staged_vectors(const std::string& tile, Writer& w) const {
  if (vectors_.empty()) return;
  w.open("{");
  w.line("const int col0 = " + first_key(tile) + ";");
  for (std::size_t o : staged_)
    w.line("const auto " + operands_[o].name + " = " + derived(o, "_ring") + ".tile(" + derived(o, "_at") +
           ");");
  write_key_vectors_apart(w);
  w.close();
}

// From the weights of one unit to those of the next: its scores, while the former's product is made. The
// warpgroups take turns at starting both.
void HopperWriter::write_link(const kernel::Sweep& sweep, const Unit& before, const Unit& unit,
                              const std::string& weigh, const std::string& tile, Writer& w) {
  wait_contracted(unit, w);
  w.line("turns.take();");
  start_contracts(unit, w);
  start_products(sweep, before, w);
  w.line("turns.pass();");
  w.line("wait_products<1>(" + join(scores_of(unit), ", ") + ");");
  write_staged_vectors(tile, w);
  release_contracted(unit, w);
  w.line(weigh + "(" + tile + ");");
  finish_products(sweep, before, w);
  for (std::size_t k : unit.rescales) {
    values_.forget_rows();
    write_step(sweep, sweep.steps[schedule_.items[k].index], w);
  }
  round_weights(sweep, unit, w);
}

void HopperWriter::write_overlapped(const kernel::Sweep& sweep, CoverText& cover,
                                    const std::vector<Unit>& units, Writer& w) {
  for (int slot = 0; slot < schedule_.slots; ++slot) w.line("Acc<MI, N> " + fragment(slot) + ";");
  outliving_ = outliving(sweep, units);
  for (const std::string& vector : outliving_) w.line("RowVec<MI> " + vector + ";");
  std::vector<std::string> weighs;
  for (std::size_t u = 0; u < units.size(); ++u) {
    weighs.push_back("weigh" + (units.size() > 1 ? std::to_string(u + 1) : ""));
    write_weigh(sweep, cover, units[u], weighs[u], u == 0, w);
  }
  outliving_.clear();
  std::size_t weights = 0;
  for (const Unit& unit : units) {
    std::vector<kernel::Expr> values;
    weights_of(sweep, unit, values);
    weights = std::max(weights, values.size());
  }
  for (std::size_t n = 1; n <= weights; ++n)
    w.line("Operand<T, N> weights" + (n > 1 ? std::to_string(n) : "") + ";");
  const std::size_t last = units.size() - 1;
  takes_turns_ = true;
  const std::string step = step_name();
  w.line("int " + step + " = " + first_step(cover) + ";");
  w.open("if (" + more_steps(step) + ") {");
  wait_contracted(units[0], w);
  start_contracts(units[0], w);
  w.line("wait_products<0>(" + join(scores_of(units[0]), ", ") + ");");
  write_staged_vectors(step, w);
  release_contracted(units[0], w);
  w.line(weighs[0] + "(" + step + ");");
  round_weights(sweep, units[0], w);
  w.open("while (true) {");
  for (std::size_t u = 1; u < units.size(); ++u)
    write_link(sweep, units[u - 1], units[u], weighs[u], step, w);
  w.line("const int next = " + next_step(cover) + ";");
  w.line(notes_ ? "if (next == kNoMoreTiles) break;" : "if (next >= tiles) break;");
  write_link(sweep, units[last], units[0], weighs[0], "next", w);
  w.line(step + " = next;");
  w.close();
  start_products(sweep, units[last], w);
  finish_products(sweep, units[last], w);
  w.close();
}

}  // namespace flashlight::emit
