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
  // By what a function is taken apart.
  struct Means {
    bool cuts = false;       // values in between, which other kernels compute
    bool leftovers = false;  // matrix products, and groups
  };
  Partition(const graph::Function& whole, const PlanOptions& options, Means means)
      : tensors_(whole.tensors), options_(options), means_(means) {}

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
  // The piece as one kernel that all stages can make; its columns are merged. Throws Refused.
  KernelPlan plan_of(Piece& piece) const;
  static void merge_columns(Piece& piece);
  Piece part_of(const Piece& piece, const std::vector<std::size_t>& outputs) const;
  bool is_one_kernel(Piece piece) const;
  // Results that go together share a kernel. False where all would.
  bool split_results(const Piece& piece);
  // What refusals name is cut out until the rest is one kernel; a kernel before computes it.
  void cut(const Piece& piece, Refused refused);
  // What the attention inside leaves is stored in float32, sums and what they are divided by; then comes what
  // is made of it. False where there is nothing around the attention.
  bool cut_attention(const Piece& piece);
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
                   Target target);

  std::vector<graph::TensorParam> tensors_;  // the whole function's, then the intermediates
  const PlanOptions& options_;
  Means means_;
  std::vector<Planned> planned_;
  // Sides that are stored, and where.
  std::vector<std::pair<graph::TensorView, int>> stored_;
};

}  // namespace flashlight::fusion
