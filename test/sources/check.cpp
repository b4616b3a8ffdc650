// SPDX-License-Identifier: Apache-2.0
// Translates, compiles and runs programs, and says of each how that went.
#include "check.h"

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace flashlight::sources {

namespace {

struct Ran {
  int status = 0;
  std::string said;
};

Ran command(const std::string& line) {
  std::FILE* pipe = popen(("exec 2>&1; " + line).c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot run " + line);
  Ran out;
  char buffer[4096];
  while (std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) out.said.append(buffer, n);
  int status = pclose(pipe);
  out.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return out;
}

std::map<std::string, Outcome> one_by_one(const std::vector<Source>& sources, const Tools& tools, Kind kind,
                                          const std::string& said) {
  std::map<std::string, Outcome> out;
  if (sources.size() == 1) {
    out[sources[0].name] = {kind, said};
    return out;
  }
  for (const Source& s : sources) out.merge(check({s}, tools));
  return out;
}

// The ids of the remarks on functions that were left as they are: "p.cpp:3:1: remark: 'p7' is unfused: ..
// [id,..]".
std::map<std::string, std::string> refusals(const std::string& said) {
  std::map<std::string, std::string> out;
  std::istringstream lines(said);
  for (std::string line; std::getline(lines, line);) {
    std::size_t name = line.find("remark: '"), end = line.find("' is unfused"), id = line.rfind('[');
    if (name == std::string::npos || end == std::string::npos || id == std::string::npos) continue;
    name += std::string("remark: '").size();
    out[line.substr(name, end - name)] = line.substr(id + 1, line.find(',', id) - id - 1);
  }
  return out;
}

}  // namespace

Tools::Tools()
    : translator(FLASHLIGHT_TRANSLATOR_COMMAND),
      compiler(FLASHLIGHT_COMPILER_COMMAND),
      link(FLASHLIGHT_LIBRARIES) {}

const char* kind_name(Kind kind) {
  static constexpr const char* names[] = {"agrees", "is refused", "is not translated", "does not compile",
                                          "disagrees with its eager run"};
  return names[static_cast<int>(kind)];
}

std::map<std::string, Outcome> check(const std::vector<Source>& sources, const Tools& tools) {
  const std::string file = tools.folder + "/programs";
  std::ofstream(file + ".cpp") << write_file(sources);
  const Ran translated =
      command(tools.translator + " " + file + ".cpp -o " + file + ".cu --head-dims 64 --dtypes bf16");
  if (translated.status != 0) return one_by_one(sources, tools, Kind::NotTranslated, translated.said);

  std::map<std::string, Outcome> out;
  std::string names;
  const auto refused = refusals(translated.said);
  for (const Source& s : sources) {
    auto why = refused.find(s.name);
    if (why != refused.end()) out[s.name] = {Kind::Refused, why->second};
    else names += " " + s.name;
  }
  if (names.empty()) return out;
  const Ran compiled =
      command(tools.compiler + " -x c++ " + file + ".cu -x none " + tools.link + " -o " + file);
  if (compiled.status != 0) return one_by_one(sources, tools, Kind::NotCompiled, compiled.said);

  const Ran ran = command(file + names);
  for (const Source& s : sources) {
    if (out.count(s.name)) continue;
    Outcome& o = out[s.name];
    std::istringstream lines(ran.said);
    bool seen = false;
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind(s.name + ":", 0) != 0) continue;
      seen = true;
      if (line.find("FAIL") != std::string::npos) o = {Kind::Disagrees, o.text + line + "\n"};
    }
    if (!seen) o = {Kind::Disagrees, "it has not run:\n" + ran.said};
  }
  return out;
}

}  // namespace flashlight::sources
