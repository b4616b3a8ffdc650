// SPDX-License-Identifier: Apache-2.0
// See interpret.h: one CTA after another, its sweeps, its tiles, their steps.
#include "kernel/interpret.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "kernel/interpret_cover.h"
#include "kernel/interpret_values.h"

namespace flashlight::kernel {

namespace alg = fusion::algebra;
using fusion::Role;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

class Interpretation {
 public:
  Interpretation(const Program& program, const std::vector<graph::Array>& tensors,
                 const std::vector<double>& scalars, const InterpretOptions& options)
      : program_(program),
        plan_(*program.plan),
        binding_(*program.function, tensors, scalars),
        points_(*program.function, binding_),
        options_(options),
        values_(program, points_, place_, [this](Expr e) { return variable(e); }) {
    for (std::size_t l = 0; l < plan_.loops.size(); ++l) {
      extents_.push_back(static_cast<std::int64_t>(binding_.value(plan_.loops[l].size)));
      values_.column_extent(static_cast<int>(l), extents_.back());
    }
    place_.row_loop = plan_.row;
    if (plan_.packing) {
      place_.inner_loop = plan_.packing->inner;
      place_.group = extents_[static_cast<std::size_t>(place_.inner_loop)];
    }
    rows_ = extents_[plan_.row] * place_.group;
    keys_ = extents_[plan_.stream];
    for (const Sweep& sweep : program.sweeps) covers_.push_back(covers_of(program, sweep, true));
    place_.loops.assign(kLoops, 0);
    place_.row_end = rows_;
    place_.key_end = keys_;
    place_.keys = options.tile_n > 0 ? options.tile_n : std::max<std::int64_t>(keys_, 1);
    place_.rows = options.tile_m > 0 ? options.tile_m : std::max<std::int64_t>(rows_, 1);
  }

  std::vector<graph::Array> run() {
    for (const graph::Output& output : program_.function->outputs) {
      const graph::Extents shape = binding_.extents(output.value.shape);
      outputs_.push_back(
          {shape, std::vector<double>(graph::count(shape), std::numeric_limits<double>::quiet_NaN())});
    }
    batch_loop(0);
    for (std::size_t o = 0; o < outputs_.size(); ++o) {
      if (!program_.function->outputs[o].value.pack) continue;
      std::vector<std::int64_t>& shape = outputs_[o].shape;
      shape.erase(shape.begin());
      shape.insert(shape.begin(), binding_.leading().begin(), binding_.leading().end());
    }
    return std::move(outputs_);
  }

 private:
  void batch_loop(std::size_t loop) {
    if (loop == plan_.loops.size()) {
      for (place_.row0 = 0; place_.row0 < rows_; place_.row0 += place_.rows) cta();
      return;
    }
    if (plan_.loops[loop].role != Role::Batch) return batch_loop(loop + 1);
    for (std::int64_t k = 0; k < extents_[loop]; ++k) {
      place_.loops[loop] = k;
      batch_loop(loop + 1);
    }
  }

  void cta() {
    variables_.clear();
    staged_.clear();
    for (std::size_t s = 0; s < program_.sweeps.size(); ++s) {
      if (program_.combine && options_.runs > 1) run_in_parts(program_.sweeps[s], covers_[s]);
      else run(program_.sweeps[s], covers_[s], 0, 1);
      finish(program_.sweeps[s]);
    }
    for (const Store& store : program_.stores) write(store);
  }

  // ---- variables

  const TileValues* variable(Expr e) {
    if (auto found = variables_.find(e); found != variables_.end()) return &found->second;
    if (auto found = tile_.find(e); found != tile_.end()) return &found->second;
    if (!e.is(alg::Op::kLeaf)) return nullptr;
    for (std::size_t m = 0; sweep_ && m < sweep_->masked.size(); ++m) {
      if (sweep_->masked[m].node == e) return &(tile_[e] = masked(sweep_->masked[m], m));
    }
    if (program_.temporaries.contains(e.leaf_id())) {
      throw std::logic_error("interpret: " + e.info().name + " is read before it is defined");
    }
    if (plan_.leaves[e.leaf_id()].kind != fusion::Leaf::Contraction) return nullptr;
    for (std::size_t c = 0; sweep_ && c < program_.contractions.size(); ++c) {
      const auto& all = sweep_->contractions;
      if (program_.contractions[c].leaf != e.leaf_id() ||
          std::find(all.begin(), all.end(), static_cast<int>(c)) == all.end())
        continue;
      return &(tile_[e] = contract(program_.contractions[c]));
    }
    throw std::logic_error("interpret: a contraction is read that its sweep does not compute");
  }

  // A staged tile: rows past the end are 0.
  TileValues load(const Operand& operand) {
    const bool by_row = operand.rows == plan_.row;
    const std::int64_t count = by_row ? place_.rows : place_.keys, first = by_row ? place_.row0 : place_.col0;
    TileValues result(kOut, count, extents_[operand.cols]);
    for (const graph::Operand& factor : operand.factors) {
      const PointCode& code = points_.compile({factor.node, factor.index});
      for (std::int64_t r = 0; r < count; ++r) {
        if (by_row) place_.stand_at(first + r);
        else place_.loops[operand.rows] = first + r;
        for (std::int64_t c = 0; c < result.columns && first + r < (by_row ? rows_ : keys_); ++c) {
          place_.loops[operand.cols] = c;
          const double x = code.run(place_.loops.data());
          result.at(r, c) = &factor == &operand.factors[0] ? x : result.at(r, c) * x;
        }
      }
    }
    return result;
  }

  TileValues contract(const Contraction& c) {
    auto [staged, fresh] = staged_.try_emplace(c.left);
    if (fresh) staged->second = load(program_.operands[c.left]);
    const TileValues &left = staged->second, right = load(program_.operands[c.right]);
    TileValues result(kScore, place_.rows, place_.keys);
    for (std::int64_t i = 0; i < place_.rows; ++i) {
      for (std::int64_t j = 0; j < place_.keys; ++j) {
        double sum = 0;
        for (std::int64_t d = 0; d < left.columns; ++d) sum += left.at(i, d) * right.at(j, d);
        result.at(i, j) = sum;
      }
    }
    return result;
  }

  TileValues score(Expr e) {
    TileValues narrow = values_.value(e);
    TileValues result(kScore, place_.rows, place_.keys);
    for (std::int64_t i = 0; i < place_.rows; ++i) {
      for (std::int64_t j = 0; j < place_.keys; ++j) result.at(i, j) = narrow.at(i, j);
    }
    return result;
  }

  TileValues row(Expr e) {
    const TileValues narrow = values_.value(e);
    TileValues result(kRow, place_.rows, 1);
    for (std::int64_t i = 0; i < place_.rows; ++i) result.at(i, 0) = narrow.at(i, 0);
    return result;
  }

  TileValues masked(const Masked& m, std::size_t index) {
    TileValues result = score(m.value);
    if (is_full(index)) return result;
    tile_full_ = false;
    const TileValues keep = m.predicate ? values_.value(m.predicate) : TileValues(kUniform, 1, 1, 1);
    for (std::int64_t i = 0; i < place_.rows; ++i) {
      for (std::int64_t j = 0; j < place_.keys; ++j) {
        if (place_.col0 + j >= keys_) result.at(i, j) = m.otherwise;
        else if (keep.at(i, j) == 0) result.at(i, j) = m.fill;
      }
    }
    return result;
  }

  // ---- covers

  std::int64_t row_last() const { return std::min(place_.row0 + place_.rows, rows_) - 1; }
  TileBox box() const {
    return {place_.query_of(place_.row0), place_.query_of(row_last()), place_.col0, place_.keys, keys_};
  }

  bool is_full(std::size_t index) {
    if (place_.col0 + place_.keys > keys_) return false;
    const Expr predicate = sweep_->masked[index].predicate;
    if (!predicate) return true;
    if (!full_[index].full(box()) && !holds_everywhere(index)) return false;
    if (options_.check_cover) check(predicate, true);
    return true;
  }

  // As far as the elements are tested one by one.
  bool holds_everywhere(std::size_t index) {
    const Expr predicate = sweep_->masked[index].predicate;
    if (predicate != elements_) return false;
    const TileValues values = values_.value(predicate);
    for (std::int64_t i = 0; i < place_.rows && place_.row0 + i < rows_; ++i) {
      for (std::int64_t j = 0; j < place_.keys; ++j) {
        if (values.at(i, j) == 0) return false;
      }
    }
    return true;
  }

  bool holds_somewhere(Expr predicate) {
    const TileValues values = values_.value(predicate);
    for (std::int64_t i = 0; i < place_.rows && place_.row0 + i < rows_; ++i) {
      for (std::int64_t j = 0; j < place_.keys && place_.col0 + j < keys_; ++j) {
        if (values.at(i, j) != 0) return true;
      }
    }
    return false;
  }

  // `predicate` must be `wanted` at every row and key of the tile.
  void check(Expr predicate, bool wanted) {
    const TileValues values = values_.value(predicate);
    for (std::int64_t i = 0; i < place_.rows && place_.row0 + i < rows_; ++i) {
      for (std::int64_t j = 0; j < place_.keys && place_.col0 + j < keys_; ++j) {
        if ((values.at(i, j) != 0) == wanted) continue;
        throw std::logic_error("interpret: rows from " + std::to_string(place_.row0) + ", keys from " +
                               std::to_string(place_.col0) + ": the cover calls the tile " +
                               (wanted ? "full" : "empty") + ", which " + alg::to_string(predicate) +
                               " contradicts");
      }
    }
  }

  void skip(std::int64_t from, std::int64_t to) {
    if (to <= from) return;
    if (options_.counts) options_.counts->skipped += to - from;
    for (std::int64_t tile = from; options_.check_cover && tile < to; ++tile) {
      place(tile);
      for (const Masked& m : sweep_->masked)
        check(m.predicate ? m.predicate : plan_.arena->constant(1), false);
    }
  }

  // ---- a sweep

  void place(std::int64_t tile) {
    place_.col0 = tile * place_.keys;
    tile_.clear();
    values_.forget_tile();
  }

  // One run of the keys after the other, each joined to those before it.
  void run_in_parts(const Sweep& sweep, const SweepCovers& covers) {
    std::map<Expr, TileValues> before;
    for (int r = 0; r < options_.runs; ++r) {
      run(sweep, covers, r, options_.runs);
      if (r > 0) {
        for (std::size_t s = 0; s < sweep.states.size(); ++s) {
          variables_[program_.combine->other[s].node] = std::move(variables_[sweep.states[s].node]);
          variables_[sweep.states[s].node] = std::move(before[sweep.states[s].node]);
        }
        combine(sweep);
      }
      for (const State& state : sweep.states) before[state.node] = variables_[state.node];
    }
  }

  void combine(const Sweep& sweep) {
    Sweep both;  // the later run's states stand behind the sweep's
    both.states = sweep.states;
    both.states.insert(both.states.end(), program_.combine->other.begin(), program_.combine->other.end());
    sweep_ = &both;
    for (const Step& step : program_.combine->steps) execute(step);
    sweep_ = nullptr;
    tile_.clear();
  }

  void join(const Step& step) {
    const State &state = sweep_->states[step.index], &other = sweep_->states[step.operand];
    TileValues& mine = variables_[state.node];
    const TileValues& theirs = variables_[other.node];
    for (std::size_t k = 0; k < mine.data.size(); ++k) {
      double& x = mine.data[k];
      const double y = theirs.data[k];
      x = state.kind == StateKind::Max    ? greatest(x, y)
          : state.kind == StateKind::Min  ? least(x, y)
          : state.kind == StateKind::Prod ? x * y
                                          : x + y;
    }
  }

  void run(const Sweep& sweep, const SweepCovers& covers, int part, int parts) {
    sweep_ = &sweep;
    if (parts > 1 && sweep.bet) {  // runs bet on nothing: a row may have what wins in another one
      walk(sweep, covers_of(program_, sweep), part, parts);
      sweep_ = nullptr;
      return;
    }
    walk(sweep, covers, part, parts);
    if (sweep.bet && !is_won(*sweep.bet)) walk(sweep, covers_of(program_, sweep), part, parts);
    sweep_ = nullptr;  // what holds for a tile is out of scope
  }

  bool is_won(const Bet& bet) const {
    const TileValues& maximum = variables_.at(bet.maximum);
    for (std::int64_t i = 0; i < place_.rows && place_.row0 + i < rows_; ++i)
      if (!(maximum.at(i, 0) > bet.above)) return false;
    return true;
  }

  void walk(const Sweep& sweep, const SweepCovers& covers, int part, int parts) {
    CoverValues values(program_, covers.data, points_, binding_, place_.loops);
    full_.clear();
    elements_ = covers.elements;
    for (const Cover& cover : covers.masked) full_.emplace_back(cover, covers.data, values);
    place(0);
    for (const State& state : sweep.states) {
      const std::int64_t columns = state.columns < 0 ? 1 : extents_[state.columns];
      variables_[state.node] =
          TileValues(state.kind == StateKind::Accumulator ? kOut : kRow, place_.rows, columns, state.initial);
    }
    const TileCover live(covers.live, covers.data, values);
    TileWalk tiles(covers.live, live, place_.query_of(place_.row0), place_.query_of(row_last()), keys_,
                   place_.keys);
    std::int64_t all = (keys_ + place_.keys - 1) / place_.keys, next = 0;
    if (parts > 1) {
      if (part > 0) next = std::min(all, tiles.begin_of(part, parts));
      if (part + 1 < parts) all = std::min(all, tiles.begin_of(part + 1, parts));
      tiles.take(part, parts);
    }
    for (std::int64_t tile = tiles.first(); tile < tiles.end(); tile = tiles.after(tile)) {
      skip(next, tile);
      place(tile);
      if (covers.elements && !holds_somewhere(covers.elements)) {
        next = tile;
        continue;
      }
      next = tile + 1;
      tile_full_ = true;
      for (const Step& step : sweep.steps) execute(step);
      if (!options_.counts) continue;
      ++options_.counts->visited;
      options_.counts->full += tile_full_;
    }
    skip(next, all);
    place(0);
    full_.clear();
  }

  void finish(const Sweep& sweep) {
    for (const Step& step : sweep.finals)
      variables_[step.target] = step.kind == StepKind::Fold ? fold(step) : row(step.value);
  }

  void execute(const Step& step) {
    switch (step.kind) {
      case StepKind::Contract: return;  // computed where it is first read
      case StepKind::Reduce: tile_[step.target] = reduce(step); return;
      case StepKind::Scan: tile_[step.target] = scan(step); return;
      case StepKind::Let: tile_[step.target] = row(step.value); return;
      case StepKind::Fold: throw std::logic_error("interpret: a fold inside a sweep");
      case StepKind::Set: variables_[sweep_->states[step.index].node] = row(step.value); return;
      case StepKind::Scale: return scale(step);
      case StepKind::Shift: return shift(step);
      case StepKind::Add: return add(step);
      case StepKind::Product: return product(step);
      case StepKind::Join: return join(step);
    }
  }

  TileValues fold(const Step& step) {
    const TileValues x = values_.value(step.value, step.index);
    const StateKind kind = step.reduce;
    const double empty = kind == StateKind::Sum    ? 0
                         : kind == StateKind::Prod ? 1
                         : kind == StateKind::Max  ? -kInf
                                                   : kInf;
    TileValues result(kRow, place_.rows, 1, empty);
    for (std::int64_t i = 0; i < place_.rows; ++i) {
      for (std::int64_t c = 0; c < extents_[step.index]; ++c) {
        double& y = result.at(i, 0);
        const double v = x.at(i, c);
        y = kind == StateKind::Sum    ? y + v
            : kind == StateKind::Prod ? y * v
            : kind == StateKind::Max  ? greatest(y, v)
                                      : least(y, v);
      }
    }
    return result;
  }

  TileValues reduce(const Step& step) {
    const TileValues x = score(step.value);
    const StateKind kind = step.reduce;
    TileValues result(kRow, place_.rows, 1,
                      kind == StateKind::Sum   ? 0
                      : kind == StateKind::Max ? -kInf
                                               : kInf);
    for (std::int64_t i = 0; i < place_.rows; ++i) {
      for (std::int64_t j = 0; j < place_.keys; ++j) {
        double& best = result.at(i, 0);
        const double y = x.at(i, j);
        best = kind == StateKind::Sum   ? best + y
               : kind == StateKind::Max ? greatest(best, y)
                                        : least(best, y);
      }
    }
    return result;
  }

  TileValues scan(const Step& step) {
    TileValues x = score(step.value);
    TileValues& carry = variables_[sweep_->states[step.index].node];
    for (std::int64_t i = 0; i < place_.rows; ++i) {
      for (std::int64_t j = 0; j < place_.keys; ++j) {
        const double before = carry.at(i, 0), after = before + x.at(i, j);
        x.at(i, j) = step.operand == 1 ? before : after;
        carry.at(i, 0) = after;
      }
    }
    return x;
  }

  void scale(const Step& step) {
    const TileValues by = row(step.value);
    TileValues& state = variables_[sweep_->states[step.index].node];
    for (std::int64_t i = 0; i < place_.rows; ++i) {
      for (std::int64_t c = 0; c < state.columns; ++c) state.at(i, c) *= by.at(i, 0);
    }
  }

  void shift(const Step& step) {
    const TileValues by = row(step.value);
    TileValues& state = variables_[sweep_->states[step.index].node];
    for (std::int64_t i = 0; i < place_.rows; ++i) {
      for (std::int64_t c = 0; c < state.columns; ++c) {
        const double source = step.operand < 0 ? static_cast<double>(place_.col0)
                                               : variables_.at(sweep_->states[step.operand].node).at(i, c);
        state.at(i, c) += by.at(i, 0) * source;
      }
    }
  }

  void add(const Step& step) {
    const TileValues x = score(step.value);
    const bool product = sweep_->states[step.index].kind == StateKind::Prod;
    TileValues& state = variables_[sweep_->states[step.index].node];
    for (std::int64_t i = 0; i < place_.rows; ++i) {
      double& sum = state.at(i, 0);
      for (std::int64_t j = 0; j < place_.keys; ++j) sum = product ? sum * x.at(i, j) : sum + x.at(i, j);
    }
  }

  void product(const Step& step) {
    const TileValues weight = score(step.value), right = load(program_.operands[step.operand]);
    TileValues& state = variables_[sweep_->states[step.index].node];
    for (std::int64_t i = 0; i < place_.rows; ++i) {
      for (std::int64_t j = 0; j < place_.keys; ++j) {
        for (std::int64_t c = 0; c < state.columns; ++c) state.at(i, c) += weight.at(i, j) * right.at(j, c);
      }
    }
  }

  // ---- results

  void write(const Store& store) {
    place(0);
    const TileValues x = values_.value(store.value, store.columns);
    graph::Array& out = outputs_[store.output];
    const graph::Extents strides = graph::strides_of(out.shape);
    const std::int64_t columns = store.columns < 0 ? 1 : extents_[store.columns];
    for (std::int64_t i = 0; i < place_.rows && place_.row0 + i < rows_; ++i) {
      for (std::int64_t c = 0; c < columns; ++c) {
        std::int64_t offset = 0;
        for (std::size_t a = 0; a < store.axis_loops.size(); ++a) {
          const int loop = store.axis_loops[a];
          const std::int64_t row = place_.row0 + i;
          const std::int64_t at = loop == plan_.row ? place_.query_of(row)
                                  : plan_.packing && loop == plan_.packing->heads
                                      ? place_.loops[loop] * place_.group + row % place_.group
                                  : loop == store.columns ? c
                                                          : place_.loops[loop];
          offset += at * strides[a];
        }
        out.data[offset] = x.at(i, c);
      }
    }
  }

  const Program& program_;
  const fusion::KernelPlan& plan_;
  graph::Binding binding_;
  Points points_;
  const InterpretOptions& options_;
  TilePlace place_;
  TileEvaluator values_;
  std::vector<std::int64_t> extents_;  // by loop
  std::int64_t rows_ = 0, keys_ = 0;
  std::map<Expr, TileValues> variables_, tile_;  // states and finals; what one tile defines
  const Sweep* sweep_ = nullptr;
  std::vector<SweepCovers> covers_;   // by sweep
  std::vector<TileCover> full_;       // of this sweep and CTA, by masked value
  Expr elements_;                     // of this sweep: what is evaluated before the scores
  std::map<int, TileValues> staged_;  // row operands of this CTA
  bool tile_full_ = true;
  std::vector<graph::Array> outputs_;
};

}  // namespace

std::vector<graph::Array> interpret(const Program& program, const std::vector<graph::Array>& tensors,
                                    const std::vector<double>& scalars, const InterpretOptions& options) {
  return Interpretation(program, tensors, scalars, options).run();
}

}  // namespace flashlight::kernel
