// SPDX-License-Identifier: Apache-2.0
// Inside of kernel_text.h: the writer of one kernel. Its parts stand in kernel_text.cpp (dimensions,
// parameters, the whole), kernel_operands.cpp (tiles and matrices), kernel_loads.cpp (how tiles are filled),
// kernel_sweep.cpp (a sweep, a tile), kernel_steps.cpp (steps) and kernel_stores.cpp (results).
#pragma once
#include <algorithm>
#include <set>

#include "emit/cover_text.h"
#include "emit/kernel_text.h"
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

class KernelWriter {
 public:
  KernelWriter(const kernel::Program& program, const std::string& name, Parameters& parameters, bool split);
  virtual ~KernelWriter() = default;
  KernelText run();

 protected:
  // An operand that is one tensor read at affine indices is copied; any other is computed while it is filled.
  struct Placement {
    std::string name;       // q_tile
    int input = -1;         // the tensor that is copied; -1: filled
    bool converts = false;  // it may be stored in another type than T
    graph::Operand access;
    bool row = false, early = false;
    std::string extent = {};       // its number of rows; empty: as many as there are queries or keys
    std::vector<Placement> parts;  // of a concatenation along the rows: each is copied, from `start` on
    std::string start = {};
    // A tensor whose rows lie anywhere, as an index tensor or a division of the position says: the element at
    // which the row of number i or j begins.
    int scattered = -1;  // that tensor
    std::string row_start = {}, col_stride = {};
  };
  // A value of the key alone, too dear to repeat for every score: in shared memory, computed once a tile.
  struct KeyVector {
    Expr leaf;
    std::string name;
    std::set<std::size_t> sweeps;
  };

  // kernel_text.cpp
  void find_dimensions();
  std::string dimension(int loop) const;
  virtual std::string template_head() const;
  virtual void write_kernel(const Writer& sweeps);
  void write_place(Writer& w, const std::string& tile, const std::string& batch);
  static std::string indent(const Writer& block);
  std::string shape_in_words(const graph::Shape& shape, bool pack) const;
  virtual void write_params();
  // The columns of a dimension that one warp holds.
  std::string held(int loop) const { return dimension(loop) + (split_ ? " / PARTS" : ""); }
  std::string first_held(int loop) const { return split_ ? "part * (" + held(loop) + ")" : ""; }
  std::string loop_extent(int loop) { return points_.index(plan_.loops[loop].size).text; }

  // kernel_operands.cpp
  std::vector<Placement> parts_of(const kernel::Operand& operand);
  void contracts(int input);
  bool scatter(Placement& place, const kernel::Operand& operand);
  bool is_affine(const graph::Operand& access, int rows, int cols) const;
  std::string fresh_tile(const std::string& of) const;
  void place_operands();
  void note_filled(const kernel::Operand& operand);
  std::string tile_type(std::size_t o) const;
  void write_operands(Writer& w);
  void write_matrices(std::size_t o, Writer& w);
  void write_segments(std::size_t o, Writer& w);
  struct Strides {
    std::vector<Sym> start;  // of each axis, where row and column are the first
    std::string rows, cols;  // strides in elements
  };
  Strides strides(const Placement& place, const kernel::Operand& operand);
  std::pair<std::string, std::string> matrix(const Placement& place, const kernel::Operand& operand);
  std::string matrix_name(std::size_t o) const;
  std::string any_matrix_name(std::size_t o) const { return "any_" + matrix_name(o); }

  // kernel_loads.cpp
  void write_load(std::size_t o, const std::string& first, Writer& w);
  void write_scattered(std::size_t o, const std::string& first, Writer& w);
  std::string row_number(const Placement& place) const;
  void declare_tile_row(const Placement& place, const std::string& number, Writer& w);
  bool reduces(const kernel::Operand& operand);
  void write_row_fill(std::size_t o, const std::string& first, Writer& w);
  bool is_used(std::size_t operand, const kernel::Sweep& sweep) const;
  bool uses_late(const kernel::Sweep& sweep) const;
  void write_key_loads(bool early, const std::string& first, const kernel::Sweep& sweep, Writer& w,
                       const std::string& before, const std::string& condition);
  void find_key_vectors();
  std::optional<std::string> staged(const kernel::Sweep& sweep, int input, const fusion::Index& index);
  bool fill_key_vectors(std::size_t number, const kernel::Sweep& sweep, const std::string& threads,
                        Writer& w);
  void write_key_vectors(std::size_t number, const kernel::Sweep& sweep, Writer& w);

  // kernel_sweep.cpp
  void declare(const kernel::Sweep& sweep, Writer& w);
  std::string name_of(Expr node);
  virtual void write_sweep(const kernel::Sweep& sweep, std::size_t number, Writer& w);
  // Which tiles there are, and what a sweep does with its states before anything else does.
  virtual void write_bounds(CoverText& cover, Writer& w) { cover.write_bounds(w); }
  virtual void write_left(const kernel::Sweep&, Writer&) {}
  void note_sparsity(const CoverText& cover, std::size_t number);
  void open_sweep(const kernel::Sweep& sweep, std::size_t number, Writer& w);
  void close_bet(const kernel::Sweep& sweep, Writer& w);
  static int row_vectors(const kernel::Sweep& sweep);
  void write_wholes(const kernel::Sweep& sweep, CoverText& cover, Writer& w);
  void write_tile(const kernel::Sweep& sweep, CoverText& cover, Writer& w);
  void write_item(const kernel::Sweep& sweep, CoverText& cover, const Item& item, Writer& w);
  void prefetch(const kernel::Sweep& sweep, Writer& w);
  void write_seen(const kernel::Sweep& sweep, kernel::Expr predicate, Writer& w);
  std::string whole(const kernel::Masked& masked, CoverText& cover) const;
  virtual void write_contract(const Item& item, Writer& w);
  void write_masked(const kernel::Masked& masked, const Item& item, CoverText& cover, Writer& w);
  std::string fragment(int slot) const { return slot == 0 ? "s" : "s" + std::to_string(slot); }

  // kernel_steps.cpp
  void element_loop(const std::string& columns, const std::string& needs,
                    const std::vector<std::string>& body, Writer& w, const std::string& first_column = {});
  Expr hoisted(Expr e, kernel::Space loop, Writer& w);
  void fill_in_turn(const std::string& name, const std::string& text, Writer& w);
  Code element_value(Expr inner, Writer& w);
  void assign(const Item& item, Expr value, Writer& w);
  void write_step(const kernel::Sweep& sweep, const kernel::Step& step, Writer& w);
  virtual void write_product(const kernel::Sweep& sweep, const kernel::Step& step, Writer& w);
  void write_reduce(const kernel::Step& step, Writer& w);
  void write_let(const kernel::Step& step, Writer& w);
  void declare_row(const std::string& name, Writer& w) const;
  void write_row(const std::string& name, const std::string& op, Expr value, Writer& w);
  void write_shift(const kernel::Sweep& sweep, const kernel::Step& step, Writer& w);
  void write_join(const kernel::State& state, const kernel::State& other, Writer& w);
  void write_rescale(const kernel::State& state, Expr value, Writer& w);

  // kernel_stores.cpp
  void write_finals(const kernel::Sweep& sweep, Writer& w);
  void write_final_steps(const kernel::Sweep& sweep, Writer& w);
  void write_fold(const kernel::Step& fold, Writer& w);
  void write_stores(Writer& w);
  void write_out(const kernel::Store& store, std::size_t s, Writer& w);
  virtual void write_result(std::size_t s, const std::string& function, const std::string& matrix,
                            const std::string& value, Writer& w);
  static bool depends(Expr e, Expr on);
  std::string output_type(const kernel::Store& store) const;
  struct OutputPlace {
    std::string start, rows, cols, heads;  // element of the first row and column, strides
  };
  OutputPlace output_place(const kernel::Store& store, std::size_t s);
  std::string output_matrix(const kernel::Store& store, std::size_t s);

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
  std::vector<int> filled_;       // tensors that filled operands are made of
  std::set<std::size_t> staged_;  // operands whose tiles the key vectors read
  Schedule schedule_;
  // The conditions under which a tile needs no mask, and their variables.
  std::map<std::string, std::string> wholes_;
  Writer uniform_;
  int turns_ = 0;  // fragments filled in turn so far
  int sweep_ = 0;
  bool earlier_rows_first_ = false;  // CTAs start with the tiles that have the most to do
  bool uneven_ = false;              // tiles of rows differ in what they have to do, and it is known how
  std::set<std::string> outliving_;  // row vectors that are declared further out already
  bool tests_elements_ = true;       // a tile is skipped whose elements a mask hides one by one
  bool counts_masked_ = true;        // tiles that need a mask are counted
  bool values_ready_ = false;        // the tile's values have arrived for every warp
};

}  // namespace flashlight::emit
