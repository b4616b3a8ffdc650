// SPDX-License-Identifier: Apache-2.0
// Formulas and names that facts about steps are made of.
#pragma once
#include <set>

#include "emit/facts.h"

namespace flashlight::emit {

// A size as a factor of a formula.
std::string size_text(const graph::Function& f, const graph::Sym& size);
std::string times(const std::vector<std::string>& factors);
// Elements read and written once; `e` is the size of an element in bytes.
std::string fused_bytes(const graph::Function& f, const std::set<int>& tensors);
// Every Graph value of more than one element written once and read by each of its users once, as the eager
// program does.
std::string unfused_bytes(const graph::Function& f);
// What is computed, in order: an entry is what the eager program runs as a kernel.
std::vector<std::string> ops_of(const graph::Function& f);
// A step that is no fused kernel.
KernelFacts leftover_facts(const PartText& v);

}  // namespace flashlight::emit
