// SPDX-License-Identifier: Apache-2.0
// The writer of a kernel for sm_90a: one warpgroup loads by TMA, the others multiply by wgmma and run the
// same steps as every kernel. Its parts stand in hopper_kernel.cpp (the whole, operands, how it is started),
// hopper_sweep.cpp, hopper_overlap.cpp (tiles whose row program runs beside products) and hopper_results.cpp
// (how results leave).
#pragma once
#include "emit/kernel_writer.h"

namespace flashlight::emit {

class HopperWriter final : public KernelWriter {
 public:
  HopperWriter(const kernel::Program& program, const std::string& name, Parameters& parameters);

 private:
  // A row or key operand that TMA copies; others of the rows are filled by the consumers.
  bool is_copied(std::size_t o) const;
  void find_obstacle();
  std::string derived(std::size_t o, const std::string& suffix) const;
  std::string ring_type(std::size_t o) const;

  // hopper_kernel.cpp
  std::string template_head() const override;
  void write_kernel(const Writer& sweeps) override;
  void write_params() override;
  void write_start();
  std::string write_memory(Writer& w);
  void write_barriers(Writer& w) const;
  std::vector<std::string> steps_of(std::size_t o);
  std::string tile_source(std::size_t o);
  void write_start_of(std::size_t o, Writer& w);
  void write_key_starts(Writer& w);
  Writer row_loads();
  void write_row_fills(Writer& w);
  void open_work(Writer& w, const Writer& rows);

  // hopper_results.cpp
  std::vector<std::size_t> staged_results() const;
  std::optional<std::size_t> stage_rows() const;
  std::string staged_tile(std::size_t s) const;
  std::string write_result_tiles(const std::string& tiles, Writer& w) const;
  void write_result(std::size_t s, const std::string& function, const std::string& matrix,
                    const std::string& value, Writer& w) override;
  void write_staged(std::size_t s, const std::string& value, Writer& w);
  void write_row_releases(Writer& w) const;
  void write_late_release(Writer& w) const;
  std::string result_target(std::size_t s);

  // hopper_sweep.cpp
  void write_sweep(const kernel::Sweep& sweep, std::size_t number, Writer& w) override;
  void find_costs(const kernel::Sweep& sweep);
  void find_uses(const kernel::Sweep& sweep);
  void write_loader(const CoverText& cover, const Writer& bounds);
  std::string by_loader(const std::string& statement) const;
  std::string step_name() const { return notes_ ? "note" : "tile"; }  // what the consumers' loops go through
  std::string first_step(const CoverText& cover) const {
    return notes_ ? "notes.take(notes_at)" : cover.first();
  }
  std::string next_step(const CoverText& cover) const {
    return notes_ ? "notes.take(notes_at)" : cover.next();
  }
  std::string more_steps(const std::string& step) const {
    return step + (notes_ ? " != kNoMoreTiles" : " < tiles");
  }
  std::string first_key(const std::string& step) const { return (notes_ ? step + " / 2" : step) + " * N"; }
  void write_tiles(const kernel::Sweep& sweep, CoverText& cover, Writer& w);
  void write_tile_steps(const kernel::Sweep& sweep, CoverText& cover, Writer& w);
  void write_contract(const Item& item, Writer& w) override;
  void write_product(const kernel::Sweep& sweep, const kernel::Step& step, Writer& w) override;
  void write_key_vectors_apart(Writer& w) const;
  void use(std::size_t operand, Writer& w);
  bool is_in_flight(const std::string& registers) const;
  void make_way(const std::string& accumulator, Writer& w);
  void finish(Writer& w);
  bool is_asynchronous(const kernel::Sweep& sweep, const Item& item) const;

  // hopper_overlap.cpp
  struct Unit {  // numbers of items
    std::vector<std::size_t> contracts, front, rescales, products;
  };
  bool moves_accumulator(const kernel::Sweep& sweep, const Item& item) const;
  bool may_wait(const kernel::Sweep& sweep, const kernel::Step& step) const;
  std::vector<Unit> units_of(const kernel::Sweep& sweep) const;
  void write_overlapped(const kernel::Sweep& sweep, CoverText& cover, const std::vector<Unit>& units,
                        Writer& w);
  void write_weigh(const kernel::Sweep& sweep, CoverText& cover, const Unit& unit, const std::string& name,
                   bool first, Writer& w);
  void write_staged_vectors(const std::string& tile, Writer& w) const;
  std::set<std::string> outliving(const kernel::Sweep& sweep, const std::vector<Unit>& units);
  void write_link(const kernel::Sweep& sweep, const Unit& before, const Unit& unit, const std::string& weigh,
                  const std::string& tile, Writer& w);
  std::vector<std::string> scores_of(const Unit& unit) const;
  std::string product_place(std::size_t operand) const;
  void wait_contracted(const Unit& unit, Writer& w);
  void start_contracts(const Unit& unit, Writer& w);
  void release_contracted(const Unit& unit, Writer& w);
  std::vector<std::string> weights_of(const kernel::Sweep& sweep, const Unit& unit,
                                      std::vector<kernel::Expr>& values) const;
  void round_weights(const kernel::Sweep& sweep, const Unit& unit, Writer& w);
  std::string taken_by(const kernel::Sweep& sweep, const Unit& unit);
  void start_products(const kernel::Sweep& sweep, const Unit& unit, Writer& w);
  void finish_products(const kernel::Sweep& sweep, const Unit& unit, Writer& w);

  // A key operand's items in a tile: the first and last, and the last of each kind.
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  struct Use {
    std::size_t operand, first, last;
    std::size_t last_contract = kNone, last_product = kNone;
  };
  std::vector<Use> uses_;  // in order of first use
  std::size_t item_ = 0;   // the one that is written
  std::set<std::size_t> arrived_;
  std::vector<std::string> in_flight_;           // registers of products that have not been waited for
  std::map<kernel::Expr, std::string> weights_;  // rounded fragments
  std::set<std::size_t> behind_;  // operands of contractions and of later products: two places in one ring
  bool single_;                   // one sweep: both sides share its bounds
  bool notes_ = false;            // the loader finds the tiles and tells the consumers
  bool takes_turns_ = false;
  std::string base_params_;
  Writer shared_, loader_, vectors_;
};

}  // namespace flashlight::emit
