// SPDX-License-Identifier: Apache-2.0
// How a function is taken apart into steps: what partition.cpp and partition_products.cpp share.
#pragma once
#include "fusion/piece.h"
#include "fusion/products.h"
#include "fusion/roles.h"

namespace flashlight::fusion {

// Throws Refused where the function cannot be done so.
class Partition {
 public:
  // With `leftovers`, also by matrix products and groups; else by fused kernels only.
  Partition(const graph::Function& whole, const PlanOptions& options, bool leftovers)
      : tensors_(whole.tensors), options_(options), leftovers_(leftovers) {}

  std::vector<Step> run(const graph::Function& whole);

 private:
  static constexpr std::size_t kMostCuts = 8, kMostKernels = 8;
  struct Planned {
    Piece piece;
    StepKind kind = StepKind::Kernel;
    KernelPlan plan;
    ProductPlan product = {};
  };

  static Piece whole_of(const graph::Function& f);
  void split(const Piece& piece);
  void plan_one(Piece piece);
  static void merge_columns(Piece& piece);
  Piece part_of(const Piece& piece, const std::vector<std::size_t>& outputs) const;
  bool is_one_kernel(Piece piece) const;
  // Results that go together share a kernel. False where all would.
  bool split_results(const Piece& piece);
  // What refusals name is cut out until the rest is one kernel; a kernel before computes it.
  void cut(const Piece& piece, Refused refused);
  static bool is_result(const graph::Function& f, graph::NodeId node);
  // Declares the tensor that holds a view's values; its number.
  int intermediate(const graph::Function& f, const graph::TensorView& view);
  bool is_taken(const graph::Function& f, const std::string& name) const;

  // partition_products.cpp

  // Matrix products become steps of their own, with the values that they are made of written before; then the
  // rest.
  void around_products(const graph::Function& whole);
  // A side of a product: a tensor as it lies, or one that a step before writes.
  ProductSide side_of(const graph::Function& f, const graph::TensorView& side, const std::vector<int>& axes,
                      const Cuts& cuts);
  void add_product(const graph::Function& f, ProductPlan product, graph::Output result, std::size_t rank,
                   int tensor);

  std::vector<graph::TensorParam> tensors_;  // the whole function's, then the intermediates
  const PlanOptions& options_;
  bool leftovers_;
  std::vector<Planned> planned_;
  // Sides that are stored, and where.
  std::vector<std::pair<graph::TensorView, int>> stored_;
};

}  // namespace flashlight::fusion
