// SPDX-License-Identifier: Apache-2.0
// How a function is taken apart into steps: what partition.cpp, partition_products.cpp and partition_rows.cpp
// share.
#pragma once
#include <optional>

#include "fusion/piece.h"
#include "fusion/products.h"
#include "fusion/roles.h"

namespace flashlight::fusion {

// Throws Refused where the function cannot be done so.
class Partition {
 public:
  Partition(const graph::Function& whole, const PlanOptions& options)
      : tensors_(whole.tensors), options_(options) {}

  std::vector<Step> run(const graph::Function& whole);
  // Why the function is not one kernel, if it is not.
  const std::optional<Reason>& reason() const { return reason_; }

 private:
  static constexpr std::size_t kMostCuts = 8, kMostKernels = 8;
  // By what a part is taken apart.
  struct Means {
    bool cuts = false;       // values in between, which other kernels compute
    bool leftovers = false;  // matrix products, and groups
  };
  struct Planned {
    Piece piece;
    StepKind kind = StepKind::Kernel;
    KernelPlan plan;
    ProductPlan product = {};
    RowsPlan rows = {};
    bool is_kernel() const { return kind == StepKind::Kernel; }
  };

  static Piece whole_of(const graph::Function& f);
  // One kernel, or one for each group of results; then around products; then with values that kernels hand to
  // each other. Throws Refused where none of these can be; with `attends`, where none has a kernel.
  void plan(const Piece& piece, bool attends);
  // A concatenation as its parts, each written into its place; or as a whole behind the attention, by a
  // group, if that takes fewer kernels: parts may be made of the same attention.
  void plan_by(const Piece& piece, Means means);
  void plan_as(const Piece& piece);
  std::pair<std::size_t, std::size_t> kernels_and_steps() const;
  void split(const Piece& whole);
  void plan_one(Piece piece);
  // The piece as one kernel that all stages can make, its results seen as that writes them. Throws Refused.
  KernelPlan plan_of(Piece& piece) const;
  bool as_group(const Piece& piece);
  Piece part_of(const Piece& piece, const std::vector<std::size_t>& outputs) const;
  bool is_one_kernel(Piece piece) const;
  // Results that go together share a kernel. False where all would.
  bool split_results(const Piece& piece);
  // What refusals name is cut out until the rest is one kernel; a kernel before computes it.
  void cut(const Piece& piece, Refused refused);
  // partition_attention.cpp: what the attention inside leaves is stored in float32, sums and what they are
  // divided by; then comes what is made of it. False where there is nothing around the attention.
  bool cut_attention(const Piece& piece);
  static bool is_result(const graph::Function& f, graph::NodeId node);
  // Declares the tensor that holds a view's values; its number.
  int intermediate(const graph::Function& f, const graph::TensorView& view);
  int intermediate(const graph::Function& f, const graph::TensorView& view, const std::string& label);
  bool is_taken(const graph::Function& f, const std::string& name) const;

  // partition_products.cpp

  // Matrix products become steps of their own, with the values that they are made of written before; then the
  // rest.
  void around_products(const Piece& whole);
  // A side of a product: a tensor as it lies, or one that a step before writes.
  ProductSide side_of(const graph::Function& f, const graph::TensorView& side, const std::vector<int>& axes,
                      const Cuts& cuts);
  void add_product(const graph::Function& f, ProductPlan product, graph::Output result, std::size_t rank,
                   Target target);
  // A value as a function of its own, other nodes read from tensors.
  Piece piece_of(const graph::Function& f, const graph::TensorView& value, const Cuts& cuts,
                 const Cuts& ordered = {}) const;
  // The tensor that lies in memory as the piece's one value does, if there is one: its index is affine.
  static std::optional<ProductSide> as_it_lies(const Piece& piece);

  // partition_rows.cpp

  // Orders, and running sums of what is no score, become steps of their own, with what they read written
  // before; then the rest. False, with nothing planned, where there is none.
  bool around_rows(const graph::Function& whole, bool sums);
  struct RowSteps;
  // What the order or running sum reads, over its rows' axes and the elements.
  ProductSide source_of(RowSteps& steps, graph::NodeId node);
  void add_row_step(RowSteps& steps, const std::vector<graph::NodeId>& nodes);

  std::vector<graph::TensorParam> tensors_;  // the whole function's, then the intermediates
  const PlanOptions& options_;
  Means means_ = {};
  std::optional<Reason> reason_;
  std::vector<Planned> planned_;
  // Sides that are stored, and where.
  std::vector<std::pair<graph::TensorView, int>> stored_;
};

}  // namespace flashlight::fusion
