// SPDX-License-Identifier: Apache-2.0
// The passes from a source file to its emitted text, in order.
#pragma once
#include <string>
#include <vector>

#include "driver/options.h"
#include "emit/unit.h"
#include "frontend/program.h"
#include "rewrite/rule.h"

namespace flashlight::driver {

// A source on its way through the passes; each fills its part.
struct Unit {
  const Options* options = nullptr;
  const std::vector<rewrite::Rule>* rules = nullptr;
  std::string path;
  frontend::ReadOptions reading;
  frontend::Program program;                   // read; its Graphs are rewritten in place
  std::vector<emit::FusedFunction> functions;  // one for each of program.functions
  std::string text;                            // render
  std::string printed;                         // --dump
};

// --dump=<name> prints what a pass made.
struct Dump {
  const char* name;
  std::string (*print)(const Unit&);
};

struct Pass {
  const char* name;
  void (*run)(Unit&);
  std::vector<Dump> dumps;
};

// In order; a pass builds on those before it only.
const std::vector<Pass>& passes();

// Runs them all; stops behind the first for a file that does not compile.
void run_passes(Unit&);

}  // namespace flashlight::driver
