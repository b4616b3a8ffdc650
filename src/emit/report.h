// SPDX-License-Identifier: Apache-2.0
// The JSON report (docs/report.schema.json): what became of every function.
#pragma once
#include <string>
#include <vector>

#include "emit/unit.h"

namespace flashlight::emit {

// The settings of a run that its results depend on.
struct ReportHeader {
  std::string version;  // of the translator
  std::vector<std::string> archs, dtypes;
  std::vector<int> head_dims;
  std::vector<std::string> tiles;      // --tile
  std::vector<std::string> functions;  // --function
  bool strict_nan = false;
};

struct ReportUnit {
  std::string file;    // as given
  std::string output;  // as given; empty: none was written
  const std::vector<FusedFunction>* functions = nullptr;
};

const char* status_name(fusion::Status);

// Why a function is not fused, from whichever stage said so; absent for a fused one.
std::optional<frontend::Diagnostic> reason_of(const FusedFunction&);

// The same run gives the same bytes: fixed key order, no times, paths as given.
std::string render_report(const ReportHeader&, const std::vector<ReportUnit>&);

}  // namespace flashlight::emit
