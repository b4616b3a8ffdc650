// SPDX-License-Identifier: Apache-2.0
// Runs Clang on one file and hands the AST to a callback. Nothing of the file is executed and nothing is
// written.
#pragma once
#include <functional>

#include "frontend/program.h"

namespace clang {
class ASTContext;
}

namespace flashlight::frontend {

// Parses program.path, fills program.text, diagnostics, dependencies and parsed; calls `with_ast` while the
// AST lives, only if the file compiles.
void parse(Program& program, const ReadOptions&, const std::function<void(clang::ASTContext&)>& with_ast);

// The headers' folder in the form that file names of the AST begin with.
std::string include_folder(const ReadOptions&);

}  // namespace flashlight::frontend
