// SPDX-License-Identifier: Apache-2.0
// Follows a function until its facts are settled and its branches enumerated.
#include "frontend/function_reader.h"

#include <algorithm>

namespace flashlight::frontend {

namespace {

constexpr int kMaxRounds = 256;

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

}  // namespace

FunctionReader::FunctionReader(clang::ASTContext& ast, const SourceText& text, int max_variants)
    : ast_(ast), text_(text), reading_{Paths(std::max(1, max_variants)), Limits().steps, {}, {}, false} {}

void FunctionReader::read(const clang::FunctionDecl* f, FunctionSource& out) {
  bool more = true;
  while (more) {
    graph::Facts facts;
    auto variant = read_path(f, out.name, facts);
    if (variant) out.variants.push_back(std::move(*variant));
    more = reading_.paths.next(variant.has_value());
    reading_.category_asked.clear();
  }
  out.result_expression = result_expression_;
  if (out.variants.empty())
    throw Refusal{"unsupported-statement", f->getLocation(), "every path of the function throws", ""};
}

graph::Function FunctionReader::read_straight(const clang::FunctionDecl* f, graph::Facts& facts) {
  reading_.all_parameters = true;
  auto variant = read_path(f, f->getNameAsString(), facts);
  if (!variant || variant->condition)
    throw Refusal{"unsupported-statement", f->getLocation(), "the function branches on a value known at run time",
                  "a side of a rule is a single expression"};
  return std::move(variant->function);
}

// One path, read until nothing new is learned; nothing for a path that throws.
std::optional<Variant> FunctionReader::read_path(const clang::FunctionDecl* f, const std::string& name,
                                                 graph::Facts& facts) {
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

}  // namespace flashlight::frontend
