// SPDX-License-Identifier: Apache-2.0
// Reads compile_commands.json.
#pragma once
#include <string>
#include <vector>

namespace flashlight::emit {

struct CompileCommand {
  std::string directory, file;
  std::vector<std::string> arguments;  // the compiler first
};

// Throws std::invalid_argument that says what is malformed and where.
std::vector<CompileCommand> parse_compile_commands(const std::string& text);

// A shell command as words: quotes and backslashes resolved, nothing expanded.
std::vector<std::string> split_command(const std::string&);

}  // namespace flashlight::emit
