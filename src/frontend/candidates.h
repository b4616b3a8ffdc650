// SPDX-License-Identifier: Apache-2.0
// Which functions of a program are worth reading, and what the emitter must know about their text.
#pragma once
#include <vector>

#include "frontend/text.h"

namespace flashlight::frontend {

// Functions in the order of the text: those that return tensors and reach an op of the DSL, and those marked
// FLASHLIGHT_FUSE. Templates as instantiated. Functions of included user headers only if marked, or called by
// a function of the main file that is no candidate itself.
std::vector<const clang::FunctionDecl*> find_candidates(clang::ASTContext&, const SourceText&);

// Everything of a FunctionSource that is not read out of the body. A declaration that cannot be replaced is
// refused here.
FunctionSource describe(const clang::FunctionDecl*, clang::ASTContext&, const SourceText&);

// The diagnostic for a construct of the user's text.
Diagnostic remark(const SourceText&, clang::SourceLocation, std::string id, std::string text,
                  std::string hint);

}  // namespace flashlight::frontend
