// SPDX-License-Identifier: Apache-2.0
// What the frontend reads out of a source file: functions as Graphs, and the places in the text that the
// emitter needs.
#pragma once
#include <string>
#include <vector>

#include "graph/function.h"

namespace flashlight::frontend {

struct Location {
  std::string file;  // as the user named it
  unsigned line = 0, column = 0;
};

enum class Severity { Error, Warning, Remark, Note };

struct Diagnostic {
  Severity severity = Severity::Error;
  std::string id;  // stable; empty for the compiler's own messages
  Location where;
  std::string text, hint;
  std::string source_line;  // for the caret; may be empty
};

// One reading of a function: scalar parameters that steer `if`s pick the variant at run time.
struct Variant {
  std::optional<graph::Sym> condition;  // over scalar parameters; absent: always
  graph::Function function;
};

struct Parameter {
  std::string name, type;  // C++ spelling of the type, as valid before line 1 of the emitted file
};

struct FunctionSource {
  std::string name;            // unqualified
  std::string qualified_name;  // ns::Class::f
  std::string result_type;     // C++ spelling
  std::vector<Parameter> parameters;
  Location location;            // of the name
  std::size_t body_offset = 0;  // byte offset in the main file just behind the body's '{'
  bool in_main_file = true;
  bool must_fuse = false;    // FLASHLIGHT_FUSE
  std::string template_tag;  // empty, or a C++ boolean expression over template parameters that selects this
                             // instantiation
  std::vector<Variant> variants;  // empty: could not be read, `refusal` says why
  std::optional<Diagnostic> refusal;
  std::vector<Location> inlined;  // names of the user's functions that were followed on the way
  // How the results go back: a C++ expression with $0, $1, ... for the output tensors, e.g. "$0" or "{$0,
  // $1}".
  std::string result_expression;
};

struct Program {
  std::string path;  // as given
  std::string text;  // bytes of the main file
  std::vector<FunctionSource> functions;
  std::vector<Diagnostic> diagnostics;
  std::vector<std::string> dependencies;  // files read, for the depfile
  bool parsed = false;                    // false: the file does not compile; diagnostics say why
};

struct ReadOptions {
  std::vector<std::string> compiler_args;  // after the driver's own
  std::string include_dir;                 // where flashlight/flashlight.h lies
  std::string resource_dir;                // clang's builtin headers
  std::vector<std::string> only;           // --function; empty: all
  int max_variants = 8;                    // runtime branches per function
};

// Parses `path` (Clang, std-light DSL headers) and reads every function that marks FLASHLIGHT_FUSE or calls
// DSL ops. Never throws for bad input: what went wrong is in `diagnostics`.
Program read_program(const std::string& path, const ReadOptions&);

}  // namespace flashlight::frontend
