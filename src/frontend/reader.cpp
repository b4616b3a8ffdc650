// SPDX-License-Identifier: Apache-2.0
// Reads a program: finds its functions and follows each until its facts are settled and its branches
// enumerated.
#include <pthread.h>

#include <algorithm>
#include <exception>

#include "frontend/candidates.h"
#include "frontend/interpreter.h"
#include "frontend/parse.h"

namespace flashlight::frontend {

namespace {

constexpr int kMaxRounds = 256;
constexpr std::size_t kStack = std::size_t{256} << 20;  // reserved, not used: deep expressions recurse

// Facts only grow: what one reading taught joins what it was given. False where that is nothing new.
bool learn(graph::Facts& facts, const graph::Builder& builder) {
  graph::Facts before = facts;
  const graph::Facts& learned = builder.learned();
  for (const auto& [param, rank] : learned.ranks) facts.ranks[param] = rank;
  for (const auto& [param, type] : learned.types) facts.types[param] = type;
  for (const auto& [symbol, size] : learned.sizes) facts.sizes[symbol] = size;
  facts.exact.insert(learned.exact.begin(), learned.exact.end());
  return !(before == facts);
}

class FunctionReader {
 public:
  FunctionReader(clang::ASTContext& ast, const SourceText& text, int max_variants)
      : ast_(ast), text_(text), reading_{Paths(std::max(1, max_variants)), Limits().steps, {}, {}} {}

  void read(const clang::FunctionDecl* f, FunctionSource& out) {
    bool more = true;
    while (more) {
      auto variant = read_path(f, out.name);
      if (variant) out.variants.push_back(std::move(*variant));
      more = reading_.paths.next(variant.has_value());
      reading_.category_asked.clear();
    }
    out.result_expression = result_expression_;
    if (out.variants.empty())
      throw Refusal{"unsupported-statement", f->getLocation(), "every path of the function throws", ""};
  }

 private:
  // One path, read until nothing new is learned; nothing for a path that throws.
  std::optional<Variant> read_path(const clang::FunctionDecl* f, const std::string& name) {
    graph::Facts facts;
    for (int round = 0; round < kMaxRounds; ++round) {
      reading_.paths.rewind();
      graph::Builder builder(facts);
      Interpreter interpreter(ast_, text_, builder, reading_);
      try {
        auto outputs = interpreter.run(f);
        if (learn(facts, builder)) continue;
        result_expression_ = interpreter.result_expression();
        Variant v{reading_.paths.condition(), builder.finish(name, std::move(outputs))};
        graph::verify(v.function);
        return v;
      } catch (const PathThrows&) { return std::nullopt; } catch (const Refusal&) {
        // What the reading learned up to here may settle what stopped it: an assume() before the loop.
        if (!learn(facts, builder)) throw;
      } catch (const graph::LoweringError& e) {
        if (!learn(facts, builder)) throw Refusal{e.id, interpreter.where(), e.what(), e.hint};
      } catch (const graph::NeedFacts& more) {
        if (more.facts == facts) throw std::logic_error("lowering asks for facts that it has");
        facts = more.facts;
      }
    }
    throw std::logic_error("the facts about the parameters do not settle");
  }

  clang::ASTContext& ast_;
  const SourceText& text_;
  Interpreter::Reading reading_;
  std::string result_expression_;
};

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

// On a stack of its own: Clang and the interpreter recurse with the nesting of the text.
void on_large_stack(void (*run)(void*), void* argument) {
  struct Job {
    void (*run)(void*);
    void* argument;
  } job{run, argument};
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  bool started = pthread_attr_setstacksize(&attributes, kStack) == 0 && pthread_create(
                                                                            &thread, &attributes,
                                                                            [](void* p) -> void* {
                                                                              auto* j = static_cast<Job*>(p);
                                                                              j->run(j->argument);
                                                                              return nullptr;
                                                                            },
                                                                            &job) == 0;
  pthread_attr_destroy(&attributes);
  if (started) pthread_join(thread, nullptr);
  else run(argument);
}

}  // namespace

Program read_program(const std::string& path, const ReadOptions& options) {
  struct Work {
    Program program;
    const ReadOptions& options;
  } work{{}, options};
  work.program.path = path;
  on_large_stack(
      [](void* p) {
        auto& w = *static_cast<Work*>(p);
        try {
          read(w.program, w.options);
        } catch (const std::exception& e) {
          Diagnostic d;
          d.id = "internal";
          d.where.file = w.program.path;
          d.text = std::string("reading the program failed: ") + e.what();
          w.program.diagnostics.push_back(std::move(d));
          w.program.parsed = false;
        }
      },
      &work);
  return std::move(work.program);
}

}  // namespace flashlight::frontend
