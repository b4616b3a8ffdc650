// SPDX-License-Identifier: Apache-2.0
// compile_commands.json to a list of commands.
#include "emit/compile_commands.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace flashlight::emit {

using nlohmann::json;

std::vector<std::string> split_command(const std::string& command) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < command.size(); ++i) {
    char c = command[i];
    if (c == '\\' && quote != '\'' && i + 1 < command.size()) {
      word += command[++i];
      in_word = true;
    } else if (quote ? c == quote : c == '"' || c == '\'') {
      quote = quote ? 0 : c;
      in_word = true;
    } else if (!quote && (c == ' ' || c == '\t' || c == '\n')) {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

std::vector<CompileCommand> parse_compile_commands(const std::string& text) {
  json all;
  try {
    all = json::parse(text);
  } catch (const json::exception& e) { throw std::invalid_argument(e.what()); }
  if (!all.is_array()) throw std::invalid_argument("not a list of commands");
  std::vector<CompileCommand> out;
  for (const json& entry : all) {
    std::string where = "entry " + std::to_string(out.size());
    try {
      CompileCommand c;
      c.directory = entry.at("directory").get<std::string>();
      c.file = entry.at("file").get<std::string>();
      if (entry.contains("arguments")) c.arguments = entry.at("arguments").get<std::vector<std::string>>();
      else c.arguments = split_command(entry.at("command").get<std::string>());
      out.push_back(std::move(c));
    } catch (const json::exception& e) { throw std::invalid_argument(where + ": " + e.what()); }
  }
  return out;
}

}  // namespace flashlight::emit
