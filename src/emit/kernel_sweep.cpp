// SPDX-License-Identifier: Apache-2.0
// A sweep over the keys, and the order of things inside one tile.
#include "emit/kernel_writer.h"

namespace flashlight::emit {

void KernelWriter::declare(const kernel::Sweep& sweep, Writer& w) {
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
std::string KernelWriter::name_of(Expr node) {
  const std::string base = node.info().name + (sweep_ ? "_" + std::to_string(sweep_ + 1) : "");
  return base;
}

// Of all sweeps but the last, what they made known outlives them: they stand in a block.
void KernelWriter::open_sweep(const kernel::Sweep& sweep, std::size_t number, Writer& w) {
  sweep_ = static_cast<int>(number);
  schedule_ = schedule_tile(program_, sweep);
  text_.demand.score_fragments = std::max(text_.demand.score_fragments, schedule_.slots);
  text_.demand.row_vectors = std::max(text_.demand.row_vectors, row_vectors(sweep));
  w.line();
  w.line("// Sweep over the keys" +
         (program_.sweeps.size() > 1
              ? " " + std::to_string(number + 1) + " of " + std::to_string(program_.sweeps.size())
              : "") +
         ".");
  for (const kernel::Step& final : sweep.finals) w.line("RowVec<MI> " + name_of(final.target) + ";");
  if (number + 1 < program_.sweeps.size()) w.open("{");
  declare(sweep, w);
}

void KernelWriter::note_sparsity(const CoverText& cover, std::size_t number) {
  const std::string words = cover.in_words();
  if (number == 0) text_.sparsity = words;
  else if (text_.sparsity != words) text_.sparsity += "; sweep " + std::to_string(number + 1) + ": " + words;
  if (number == 0) earlier_rows_first_ = cover.earlier_rows_first();
  if (number == 0) uneven_ = cover.uneven();
}

void KernelWriter::write_sweep(const kernel::Sweep& sweep, std::size_t number, Writer& w) {
  open_sweep(sweep, number, w);
  CoverText cover(program_, sweep, points_, true);
  if (sweep.bet) {
    w.line(
        "// Tiles that the mask fills are left out; where a row has nothing else, once more with all of "
        "them.");
    w.open("for (bool bets = true;; bets = false) {");
  }
  write_bounds(cover, w);
  note_sparsity(cover, number);
  if (number > 0) w.line("sync_threads();  // the tiles of the sweep before are no longer read");
  for (std::size_t o = 0; o < operands_.size(); ++o) {
    if (number == 0 && operands_[o].row) write_load(o, points_.rows().first, w);
  }
  write_key_loads(true, "tile * N", sweep, w, "int tile = " + cover.first() + ";", "tile < tiles");
  w.line("commit_group();");
  w.open("while (tile < tiles) {");
  w.line("const int col0 = tile * N;");
  cover.write_tile(w);
  w.line("const int next = " + cover.next() + ";");
  if (cover.elements()) {
    write_seen(sweep, cover.elements(), w);
  } else {
    w.line("count(\"tile\");");
    w.line("wait_group<0>();");
    w.line("sync_threads();");
  }
  write_key_vectors(number, sweep, w);
  if (uses_late(sweep)) {
    write_key_loads(false, "col0", sweep, w, "", "");
    w.line("commit_group();");
  }
  write_tile(sweep, cover, w);
  w.line("tile = next;");
  w.close();
  w.line("wait_group<0>();");
  if (sweep.bet) {
    close_bet(sweep, w);
    w.close();
  }
  write_finals(sweep, w);
  if (number + 1 < program_.sweeps.size()) w.close();
}

// Ends the sweep where the bet is won, else starts it anew.
void KernelWriter::close_bet(const kernel::Sweep& sweep, Writer& w) {
  const std::string m = name_of(sweep.bet->maximum);
  w.line("bool lost = false;");
  w.line("for_each_row<MI>([&](const Row& r) FL_INLINE { lost = lost || !(" + m + "[r] > " +
         float_literal(sweep.bet->above) + "); });");
  w.line("if (!bets || !sync_threads_or(lost)) break;");
  for (const kernel::State& state : sweep.states)
    w.line(name_of(state.node) + ".fill(" + float_literal(state.initial) + ");");
}

// Row vectors alive in one tile: states, temporaries, what a stream's exponent leaves outside its loop, and
// what a running sum holds while it passes over a fragment, which is as much as a handful of them.
int KernelWriter::row_vectors(const kernel::Sweep& sweep) {
  constexpr int kScan = 6;
  int count = 0;
  for (const kernel::State& state : sweep.states) count += state.kind != StateKind::Accumulator;
  for (const kernel::Step& step : sweep.steps)
    count += step.kind == StepKind::Scan     ? kScan
             : step.kind == StepKind::Reduce ? 2
                                             : step.kind == StepKind::Let;
  return count;
}

// A mask that only its elements decide is evaluated while the tile's keys arrive: where none is seen, nothing
// is computed.
void KernelWriter::write_seen(const kernel::Sweep& sweep, Expr predicate, Writer& w) {
  values_.forget_rows();
  const std::string keep = wrap(element_value(hoisted(predicate, kernel::kScore, w), w), kAnd);
  w.line("TileMask<MI, N> seen;");
  element_loop("N", keep, {"seen.set(e, col0 + col_of(e) < p.n_key && " + keep + ");"}, w);
  w.line("wait_group<0>();");
  w.open(std::string("if (!sync_threads_or(") + (sweep.bet ? "!bets || " : "") + "seen.some())) {");
  write_key_loads(true, "next * N", sweep, w, "", "next < tiles");
  w.line("commit_group();");
  w.line("tile = next;");
  w.line("continue;");
  w.close();
  w.line("count(\"tile\");");
}

// The condition under which a tile needs no mask code.
std::string KernelWriter::whole(const kernel::Masked& masked, CoverText& cover) const {
  return tests_elements_ && masked.predicate && masked.predicate == cover.elements()
             ? "warp_all(seen.all())"
             : cover.full(masked.predicate);
}

// Whether a tile needs no mask, once for each mask; tiles that need one are counted.
void KernelWriter::write_wholes(const kernel::Sweep& sweep, CoverText& cover, Writer& w) {
  wholes_.clear();
  std::vector<std::string> names;
  for (const kernel::Masked& masked : sweep.masked) {
    const std::string text = whole(masked, cover);
    const auto [found, fresh] =
        wholes_.try_emplace(text, "whole" + (names.empty() ? "" : std::to_string(names.size() + 1)));
    if (!fresh) continue;
    names.push_back(found->second);
    w.line("const bool " + found->second + " = " + text + ";" +
           (text == "false" ? "  // only the mask itself can tell" : ""));
  }
  if (!names.empty() && counts_masked_)
    w.line("if (!" + (names.size() == 1 ? names[0] : "(" + join(names, " && ") + ")") +
           ") count(\"masked tile\");");
}

void KernelWriter::write_tile(const kernel::Sweep& sweep, CoverText& cover, Writer& w) {
  write_wholes(sweep, cover, w);
  for (int slot = 0; slot < schedule_.slots; ++slot) w.line("Acc<MI, N> " + fragment(slot) + ";");
  std::size_t contracts = sweep.contractions.size();
  bool prefetched = false;
  values_ready_ = false;
  for (const Item& item : schedule_.items) {
    values_.forget_rows();
    write_item(sweep, cover, item, w);
    if (item.kind == Item::Contract && --contracts == 0) prefetch(sweep, w), prefetched = true;
  }
  if (!prefetched) prefetch(sweep, w);
  // The next tile must not fill what slower warps still read.
  if (uses_late(sweep)) w.line("sync_threads();");
}

void KernelWriter::write_item(const kernel::Sweep& sweep, CoverText& cover, const Item& item, Writer& w) {
  if (item.kind == Item::Contract) {
    write_contract(item, w);
  } else if (item.kind == Item::Mask) {
    write_masked(sweep.masked[item.index], item, cover, w);
  } else if (item.kind == Item::Scan) {
    const kernel::Step& step = sweep.steps[item.index];
    assign(item, step.value, w);
    w.line(std::string(step.operand == 1 ? "scan_before(" : "scan(") + fragment(item.slot) + ", " +
           name_of(sweep.states[step.index].node) + ");");
  } else if (item.kind == Item::Weigh) {
    values_.variables.erase(item.node);
    assign(item, item.node, w);
  } else {
    write_step(sweep, sweep.steps[item.index], w);
  }
  if (item.node) values_.variables[item.node] = {fragment(item.slot), true};
}

// All warps are done with the key operands of the contractions: fetch the next ones behind the softmax.
void KernelWriter::prefetch(const kernel::Sweep& sweep, Writer& w) {
  w.line("wait_group<0>();");
  w.line("sync_threads();");
  values_ready_ = true;
  write_key_loads(true, "next * N", sweep, w, "", "next < tiles");
  w.line("commit_group();");
}

void KernelWriter::write_contract(const Item& item, Writer& w) {
  const kernel::Contraction& c = program_.contractions[item.index];
  w.line(fragment(item.slot) + ".fill(0);");
  w.line((split_ ? "multiply_transposed<PARTS>(" : "multiply_transposed(") + fragment(item.slot) + ", " +
         operands_[c.left].name + ", " + operands_[c.right].name +
         (split_ ? ", warp, part, exchange);" : ", warp);"));
}

void KernelWriter::write_masked(const kernel::Masked& masked, const Item& item, CoverText& cover, Writer& w) {
  assign(item, masked.value, w);
  const std::string target = fragment(item.slot) + "[e]", outside = float_literal(masked.otherwise);
  if (tests_elements_ && masked.predicate && masked.predicate == cover.elements()) {
    w.open("if (!" + wholes_.at(whole(masked, cover)) + ") {");
    const std::string hidden =
        masked.fill == masked.otherwise
            ? outside
            : "col0 + col_of(e) < p.n_key ? " + float_literal(masked.fill) + " : " + outside;
    element_loop("N", "", {"if (!seen[e]) " + target + " = " + hidden + ";"}, w);
    return w.close();
  }
  // One of the two is computed for each element: what keeps it or, where a fill takes its place, what hides
  // it.
  const bool one = !masked.predicate || masked.fill == masked.otherwise;
  Expr decides;
  if (masked.predicate) {
    decides = hoisted(one ? masked.predicate : alg::not_of(masked.predicate), kernel::kScore, w);
  }
  w.open("if (!" + wholes_.at(cover.full(masked.predicate)) + ") {");
  std::string decided;
  if (decides) decided = one ? wrap(element_value(decides, w), kAtom) : element_value(decides, w).text;
  std::vector<std::string> lines{"if (col0 + col_of(e) >= p.n_key" +
                                 (one && decides ? " || !" + decided : "") + ") " + target + " = " + outside +
                                 ";"};
  if (!one) lines.push_back("else if (" + decided + ") " + target + " = " + float_literal(masked.fill) + ";");
  element_loop("N", decided, lines, w);
  w.close();
}

}  // namespace flashlight::emit
