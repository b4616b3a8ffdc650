// SPDX-License-Identifier: Apache-2.0
// What the report and the comments of an emitted kernel say about it.
#pragma once
#include "emit/launcher.h"

namespace flashlight::emit {

KernelFacts facts_of(const PartText& part, const EmitOptions& options);
// Of the kernel for sm_90a, where some instance has one.
std::optional<KernelFacts> hopper_facts_of(const PartText& part, const EmitOptions& options);
// The whole function, of the first of its variants.
Totals totals_of(const VariantText& variant);
// Of the kernels for few queries and for combining what they leave; none where there are none.
std::vector<KernelFacts> few_facts_of(const PartText& part, const EmitOptions& options);
// The row program in words: what is streamed, which states are kept, how the result is made.
// The graph of a group, a line a node.
std::vector<std::string> value_comment(const PartText& v);

std::vector<std::string> formula_comment(const kernel::Program& program);

}  // namespace flashlight::emit
