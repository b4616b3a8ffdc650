// SPDX-License-Identifier: Apache-2.0
// Reads programs given as strings.
#pragma once
#include <string>
#include <vector>

#include "frontend/program.h"

namespace flashlight::frontend::test {

// The text as a file that includes the DSL's header and opens its namespace on its first two lines.
Program read(const std::string& text, std::vector<std::string> compiler_args = {}, int max_variants = 8);
// As it is.
Program read_raw(const std::string& text, std::vector<std::string> compiler_args = {}, int max_variants = 8);
// Everything that was said, one line each; for messages of failing tests.
std::string said(const Program&);

// The function of that name; fails the test and returns an empty one where it is missing.
const FunctionSource& function(const Program&, const std::string& name);
// The only variant of function `f`, printed with the parameters' names replaced by their positions.
std::string printed(const std::string& text, const std::string& name = "f");
std::string printed(graph::Function);

// Both programs' `f` must be one and the same Graph.
void expect_same(const std::string& a, const std::string& b);

// The program's `f` must be refused with this id, at the place that the text marks with /*!*/ in front of it.
void expect_refused(const std::string& text, const std::string& id,
                    std::vector<std::string> compiler_args = {});

}  // namespace flashlight::frontend::test
