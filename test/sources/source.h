// SPDX-License-Identifier: Apache-2.0
// Random programs in the DSL: one attention function each, and the C++ that calls it.
#pragma once
#include <string>
#include <vector>

#include "decisions.h"

namespace flashlight::sources {

struct Source {
  std::string name;                   // of the function
  std::string program;                // helpers and the function, as a user would write them
  std::string run;                    // void run_<name>(sample::Case&): makes the inputs and compares
  std::vector<std::string> features;  // what it is made of, for the count
};

Source write_source(Decisions&, const std::string& name);

// A file of several programs, whose main() takes the names of those to run.
std::string write_file(const std::vector<Source>&);

}  // namespace flashlight::sources
