// SPDX-License-Identifier: Apache-2.0
// --check: an earlier report as the measure of this run.
#pragma once
#include <string>
#include <vector>

#include "emit/report.h"

namespace flashlight::emit {

struct BaselineFunction {
  std::string file, name;
  fusion::Status status = fusion::Status::Unfused;
};

// Reads the functions of a report. Throws std::invalid_argument that says what is malformed.
std::vector<BaselineFunction> parse_baseline(const std::string& text);

// One error for each function of the baseline that this run fuses less than the baseline did, or no longer
// has. Only files of this run count. Overloads share a name: they are compared in order of status.
std::vector<frontend::Diagnostic> compare_to_baseline(const std::vector<BaselineFunction>&,
                                                      const std::vector<ReportUnit>&);

// True if the baseline speaks of any file of this run; otherwise comparing them would prove nothing.
bool covers(const std::vector<BaselineFunction>&, const std::vector<ReportUnit>&);

}  // namespace flashlight::emit
