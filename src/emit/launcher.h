// SPDX-License-Identifier: Apache-2.0
// The host function that checks arguments, chooses an instantiation and starts a kernel.
#pragma once
#include "emit/instances.h"

namespace flashlight::emit {

// "flashlight::Optional<flashlight::TensorList> name(const Tensor& q, double lam)".
std::string launcher_signature(const Signature& signature, const std::string& name);

// The launcher of a function, over all its variants, and its C entry, which stands outside of namespaces.
void write_c_entry(const std::string& name, const std::string& function_name, const CEntry& entry,
                   const std::vector<VariantText>& variants, Writer& w);
void write_launcher(const std::string& name, const std::string& function_name,
                    const std::vector<VariantText>& variants, const EmitOptions& options, Writer& w);

}  // namespace flashlight::emit
