// SPDX-License-Identifier: Apache-2.0
// Checks of the paths on the command line.
#include "driver/places.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "driver/failure.h"

namespace flashlight::driver {

namespace fs = std::filesystem;

namespace {

void check_source(const std::string& path) {
  struct stat s;
  if (stat(path.c_str(), &s) != 0)
    throw Failure(kExitInputOutput, "cannot-read", std::string("cannot read: ") + std::strerror(errno), {},
                  path);
  if (!S_ISREG(s.st_mode))
    throw Failure(kExitInputOutput, "cannot-read", "cannot read: not a regular file", {}, path);
  if (access(path.c_str(), R_OK) != 0)
    throw Failure(kExitInputOutput, "cannot-read", std::string("cannot read: ") + std::strerror(errno), {},
                  path);
}

void check_output(const std::string& path) {
  if (path.empty() || path == "-") return;
  auto cannot = [&](const std::string& why, const std::string& hint = {}) {
    throw Failure(kExitInputOutput, "cannot-write", "cannot write: " + why, hint, path);
  };
  struct stat s;
  if (stat(path.c_str(), &s) == 0) {
    if (S_ISDIR(s.st_mode)) cannot("it is a folder");
    if (access(path.c_str(), W_OK) != 0) cannot(std::strerror(errno));
    if (!S_ISREG(s.st_mode)) return;
  }
  std::string folder = fs::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  if (stat(folder.c_str(), &s) != 0)
    cannot("the folder '" + folder + "' does not exist", "make the folder first");
  if (!S_ISDIR(s.st_mode)) cannot("'" + folder + "' is not a folder");
  if (access(folder.c_str(), W_OK | X_OK) != 0)
    cannot("the folder '" + folder + "': " + std::strerror(errno));
}

std::string identity(const std::string& path) {
  std::error_code ignored;
  fs::path real = fs::weakly_canonical(fs::absolute(path, ignored), ignored);
  return real.empty() ? path : real.string();
}

// True for one file under two names, hard links included.
bool same_file(const std::string& a, const std::string& b) {
  std::error_code none;
  return identity(a) == identity(b) || fs::equivalent(a, b, none);
}

bool is_device(const std::string& path) {
  struct stat s;
  return path == "-" || (stat(path.c_str(), &s) == 0 && !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode));
}

std::vector<std::string> all_of(const Places& places) {
  std::vector<std::string> out;
  for (const std::string& u : places.units) out.push_back(u);
  out.push_back(places.report);
  out.push_back(places.c_header);
  out.insert(out.end(), places.depfiles.begin(), places.depfiles.end());
  std::erase_if(out, [](const std::string& p) { return p.empty() || is_device(p); });
  return out;
}

[[noreturn]] void output_is_input(const std::string& output, const std::string& input) {
  throw Failure(kExitUsage, "output-is-input", "the output '" + output + "' is the input '" + input + "'",
                "inputs are never overwritten; name another output");
}

std::vector<std::string> name_units(const Options& o) {
  if (o.output.empty()) return std::vector<std::string>(o.sources.size());
  std::error_code none;
  if (o.output == "-" || !fs::is_directory(o.output, none)) {
    if (o.sources.size() > 1)
      throw Failure(kExitUsage, "one-output-for-many", "several sources cannot go to one output",
                    "name an existing folder with -o, or translate them one by one");
    if (o.output.back() == '/') check_output(o.output);
    return {o.output};
  }
  std::vector<std::string> out;
  for (const std::string& s : o.sources)
    out.push_back((fs::path(o.output) / fs::path(s).filename().replace_extension(".cu")).string());
  return out;
}

}  // namespace

Places find_places(const Options& o) {
  for (const std::string& s : o.sources) check_source(s);
  Places places;
  places.units = name_units(o);
  places.report = o.report_only && o.report.empty() ? "-" : o.report;
  places.c_header = o.c_header;
  if (!o.depfile.empty()) places.depfiles = {o.depfile};
  else if (o.depend)
    for (const std::string& u : places.units)
      places.depfiles.push_back(fs::path(u).replace_extension(".d").string());

  std::vector<std::string> outputs = all_of(places), inputs = o.sources;
  if (!o.check.empty()) inputs.push_back(o.check);
  for (std::size_t i = 0; i < outputs.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (same_file(outputs[i], outputs[j]))
        throw Failure(kExitUsage, "one-output-for-many", "two outputs go to '" + outputs[i] + "'",
                      "give each a name of its own");
  for (const std::string& out : outputs)
    for (const std::string& in : inputs)
      if (same_file(out, in)) output_is_input(out, in);
  for (const std::string& u : places.units) check_output(u);
  check_output(places.report);
  check_output(places.c_header);
  for (const std::string& d : places.depfiles) check_output(d);
  return places;
}

void check_outputs_against(const Places& places, const std::vector<std::vector<std::string>>& dependencies) {
  std::set<std::string> inputs;
  for (const auto& files : dependencies)
    for (const std::string& f : files) inputs.insert(identity(f));
  for (const std::string& out : all_of(places))
    if (inputs.count(identity(out))) output_is_input(out, out);
}

}  // namespace flashlight::driver
