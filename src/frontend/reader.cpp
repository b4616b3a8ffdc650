// SPDX-License-Identifier: Apache-2.0
// Reads a program: finds its functions and reads each.
#include <algorithm>
#include <exception>

#include "frontend/candidates.h"
#include "frontend/function_reader.h"
#include "frontend/large_stack.h"
#include "frontend/parse.h"

namespace flashlight::frontend {

namespace {

bool is_wanted(const FunctionSource& f, const std::vector<std::string>& only) {
  return only.empty() || std::any_of(only.begin(), only.end(), [&](const std::string& n) {
           return n == f.name || n == f.qualified_name;
         });
}

void read_function(const clang::FunctionDecl* f, clang::ASTContext& ast, const SourceText& text,
                   const ReadOptions& options, Program& program) {
  FunctionSource out = describe(f, ast, text);
  if (!is_wanted(out, options.only)) return;
  if (!out.refusal) {
    try {
      FunctionReader(ast, text, options.max_variants).read(f, out);
    } catch (const Refusal& r) {
      out.refusal = remark(text, r.where.isValid() ? r.where : f->getLocation(), r.id, r.text, r.hint);
    } catch (const std::exception& e) {
      out.refusal = remark(text, f->getLocation(), "internal",
                           std::string("the translator failed: ") + e.what(), "please report this function");
    }
  }
  if (out.refusal) {
    out.variants.clear();
    // A helper that cannot be followed is one finding, however many functions call it.
    bool known =
        std::any_of(program.diagnostics.begin(), program.diagnostics.end(), [&](const Diagnostic& d) {
          return d.id == out.refusal->id && d.where.file == out.refusal->where.file &&
                 d.where.line == out.refusal->where.line && d.where.column == out.refusal->where.column;
        });
    if (!known) program.diagnostics.push_back(*out.refusal);
  }
  program.functions.push_back(std::move(out));
}

void read(Program& program, const ReadOptions& options) {
  parse(program, options, [&](clang::ASTContext& ast) {
    SourceText text(ast.getSourceManager(), program.path, include_folder(options));
    for (const clang::FunctionDecl* f : find_candidates(ast, text))
      read_function(f, ast, text, options, program);
  });
}

}  // namespace

Program read_program(const std::string& path, const ReadOptions& options) {
  Program program;
  program.path = path;
  on_large_stack([&] {
    try {
      read(program, options);
    } catch (const std::exception& e) {
      Diagnostic d;
      d.id = "internal";
      d.where.file = program.path;
      d.text = std::string("reading the program failed: ") + e.what();
      program.diagnostics.push_back(std::move(d));
      program.parsed = false;
    }
  });
  return program;
}

}  // namespace flashlight::frontend
