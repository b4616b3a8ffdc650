// SPDX-License-Identifier: Apache-2.0
// The command line as data.
#pragma once
#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "target/tile_shape.h"

namespace flashlight::driver {

struct Options {
  std::vector<std::string> sources;
  std::vector<std::string> compiler_args;  // --extra-arg, then what stands behind `--`
  bool fixed_command = false;              // `--` was given: no compilation database is looked for
  std::string build_dir;                   // -p
  std::string output;                      // -o: a file, "-", or an existing folder
  std::string report;                      // --report: a file or "-"
  std::string c_header;                    // --c-header: a file
  bool standalone = false;
  bool depend = false;  // -MD
  std::string depfile;  // -MF
  std::vector<std::string> archs = {"sm_80"};
  std::vector<int> head_dims = {64, 128};
  std::vector<std::string> dtypes = {"bf16", "fp16"};
  std::vector<std::string> tiles;      // --tile: rows x keys, as "128x64"
  std::vector<std::string> functions;  // --function
  std::vector<std::string> explain;    // --explain
  std::vector<std::string> rules;      // --rules: files of the user's rewrite rules
  bool list_rules = false;
  std::string dump;               // a stage
  std::string check;              // a baseline report
  std::string pass, pass_missed;  // regular expressions; empty: the default
  bool no_pass_missed = false;
  bool report_only = false, fail_on_unfused = false, strict_nan = false;
  std::string resource_dir, include_dir;
  double max_seconds = 60;
  std::size_t max_megabytes = 4096;

  // Without any of these a run would have no effect.
  bool prints() const { return !dump.empty() || !explain.empty() || list_rules; }
  bool checks() const { return !check.empty() || fail_on_unfused; }
};

// --help and --version: print it and end with success.
struct Answer {
  std::string text;
};

// Of "128x64". Throws Failure (kExitUsage) where rows or keys are no multiples of 16 up to 256.
target::TileSize tile_size(const std::string& text);

// Throws Failure (kExitUsage).
std::variant<Options, Answer> parse_options(int argc, const char* const* argv);

}  // namespace flashlight::driver
