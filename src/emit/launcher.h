// SPDX-License-Identifier: Apache-2.0
// The host function that checks arguments, chooses an instantiation and starts a kernel.
#pragma once
#include "emit/kernel_text.h"
#include "emit/unit.h"

namespace flashlight::emit {

struct VariantText {
  const frontend::Variant* variant = nullptr;
  const kernel::Program* program = nullptr;
  const Parameters* parameters = nullptr;
  KernelText kernel;
};

// The parameters of a function's variants in their order, each once: a variant has none of what lies in an optional that is
// empty in it.
struct Signature {
  std::vector<graph::TensorParam> tensors;
  std::vector<graph::ScalarParam> scalars;
  std::vector<int> optional;  // tensors that some variant has not
};
Signature signature_of(const std::vector<VariantText>& variants);

// "flashlight::Optional<flashlight::TensorList> name(const Tensor& q, double lam)".
std::string launcher_signature(const Signature& signature, const std::string& name);

// One instantiation that the launcher may choose.
struct Instance {
  std::string type;              // bfloat16
  std::map<int, int> padded;     // by loop
  target::TileShape shape;
  int shared_bytes = 0;
};
// Throws fusion::Refused ("no-tile") where no shape fits.
std::vector<Instance> instances_of(const VariantText& variant, const EmitOptions& options);

// "TensorList{out0, out1}".
std::string results(const VariantText& variant);

// The launcher of a function, over all its variants, and its C entry, which stands outside of namespaces.
void write_c_entry(const std::string& name, const std::string& function_name, const CEntry& entry, const Signature& signature, Writer& w);
void write_launcher(const std::string& name, const std::string& function_name, const std::vector<VariantText>& variants,
                    const EmitOptions& options, Writer& w);

}  // namespace flashlight::emit
