// SPDX-License-Identifier: Apache-2.0
// A function's variants with their kernels, and the parameters that these have together.
#pragma once
#include "emit/kernel_text.h"
#include "emit/unit.h"

namespace flashlight::emit {

// One step of a variant. A fused kernel has a program; a group has the text of its kernel only; a product and
// an order have neither.
struct PartText {
  const fusion::Step* part = nullptr;
  const kernel::Program* program = nullptr;
  const Parameters* parameters = nullptr;
  KernelText kernel;
  bool is_kernel() const { return part->kind == fusion::StepKind::Kernel; }
  std::shared_ptr<const KernelText>
      combine;  // of a kernel for few queries: what combines its runs of keys; null: one run
  std::shared_ptr<const PartText> few;  // the same for few queries, where that may pay
};
struct VariantText {
  const frontend::Variant* variant = nullptr;
  std::vector<PartText> parts;  // in the order in which they run
};

// The parameters of a function's variants in their order, each once: a variant has none of what lies in an
// optional that is empty in it.
struct Signature {
  std::vector<graph::TensorParam> tensors;
  std::vector<graph::ScalarParam> scalars;
  std::vector<int> optional;  // tensors that some variant has not
};
Signature signature_of(const std::vector<VariantText>& variants);

}  // namespace flashlight::emit
