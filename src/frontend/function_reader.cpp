// SPDX-License-Identifier: Apache-2.0
// Readings of one function: facts grow until nothing new is learned; a rank that nothing states is the one
// with which the program makes sense.
//
// size(0) says that a tensor has one axis or more, no more than that. The ranks from there to the usual four
// are tried: a wrong one makes the program throw, or makes axes equal that have nothing to do with each
// other, as if the batch were as long as the sequence. Where several ranks remain, operands of matrix
// products are [B, H, S, D], as the DSL has it; of others the program must say it.
#include "frontend/function_reader.h"

#include <algorithm>

namespace flashlight::frontend {

namespace {

constexpr int kMaxRounds = 256;
constexpr int kMaxAttempts = 300;  // per function
constexpr int kUsualRank = 4;

// Facts only grow: what one reading taught joins what it was given. False where that is nothing new.
bool learn(graph::Facts& facts, const graph::Builder& builder) {
  graph::Facts before = facts;
  if (auto loose = builder.loosened(); !loose.empty()) {
    facts.loose.insert(loose.begin(), loose.end());
    facts.sizes.clear();
    facts.exact.clear();
  } else {
    facts.merge(builder.learned());
  }
  return !(before == facts);
}

// Refusals of a program that throws for every input.
bool is_misfit(const std::string& id) {
  static const std::set<std::string> ids = {"shape-mismatch", "dim-out-of-range", "false-assumption",
                                            "assumption-violated"};
  return ids.count(id) != 0;
}

std::string listed(const std::vector<std::string>& words, const std::string& last) {
  std::string out;
  for (std::size_t k = 0; k < words.size(); ++k)
    out += (k == 0 ? "" : k + 1 < words.size() ? ", " : " " + last + " ") + words[k];
  return out;
}

// How a rank is stated; `rank` is an example, not what the program means.
std::string stating(const std::string& name, int rank, const std::set<std::string>& others = {}) {
  std::string out = "state it, for instance `assume(" + name + ".dim() == " + std::to_string(rank) + ")`";
  if (others.empty()) return out;
  std::vector<std::string> names;
  for (const std::string& other : others) names.push_back("`" + other + "`");
  return out + "; " + listed(names, "and") + (names.size() == 1 ? " is" : " are") + " open, too";
}

int count_twice(const graph::Shape& shape) {
  int count = 0;
  for (std::size_t k = 0; k < shape.size(); ++k)
    count +=
        !shape[k].is_constant() && std::find(shape.begin(), shape.begin() + k, shape[k]) != shape.begin() + k;
  return count;
}

// The condition makes an axis, or 1, as long as a product, as if a view had merged what the program splits;
// that a size can be divided, C == H * (C / H), says nothing, nor that it is another one, E == H * (C / H).
bool equates_product(const graph::Sym& c) {
  if (c.op() != graph::SymOp::Eq) return false;
  const bool first = c.args()[1].op() == graph::SymOp::Mul;
  const graph::Sym &size = c.args()[first ? 0 : 1], &product = c.args()[first ? 1 : 0];
  if (product.op() != graph::SymOp::Mul || !(size.op() == graph::SymOp::Symbol || size.is_integer(1)))
    return false;
  return std::none_of(product.args().begin(), product.args().end(), [&](const graph::Sym& factor) {
    return factor.op() == graph::SymOp::FloorDiv &&
           (factor.args()[0] == size || factor.args()[1] * factor == product);
  });
}

// Axes of one tensor that go by one size or must be 1, axes that are products of others, and axes beyond the
// usual number of them.
int coincidences(const graph::Function& f) {
  int count = 0;
  for (const graph::TensorParam& t : f.tensors) {
    int axes = static_cast<int>(t.shape.size()) - (t.pack ? 1 : 0);
    count +=
        std::count_if(t.shape.begin(), t.shape.end(), [](const graph::Sym& s) { return s.is_integer(1); });
    count += count_twice(t.shape) + std::max(0, axes - kUsualRank);
  }
  for (const graph::Output& out : f.outputs) count += count_twice(out.value.shape);
  for (const graph::Check& check : f.checks) count += equates_product(check.condition);
  return count;
}

}  // namespace

FunctionReader::FunctionReader(clang::ASTContext& ast, const SourceText& text, int max_variants)
    : ast_(ast), text_(text), reading_{Paths(std::max(1, max_variants)), Limits().steps, {}, {}, {}, false} {}

void FunctionReader::read(const clang::FunctionDecl* f, FunctionSource& out) {
  name_ = out.name;
  bool more = true;
  while (more) {
    graph::Facts facts;
    auto variant = read_path(f, facts);
    if (variant) out.variants.push_back(std::move(*variant));
    more = reading_.paths.next(variant.has_value());
    reading_.category_asked.clear();
  }
  out.result_expression = result_expression_;
  for (const clang::FunctionDecl* inlined : reading_.inlined)
    out.inlined.push_back(text_.location(inlined->getLocation()));
  if (out.variants.empty())
    throw Refusal{"unsupported-statement", f->getLocation(), "every path of the function throws", ""};
}

graph::Function FunctionReader::read_straight(const clang::FunctionDecl* f, graph::Facts& facts) {
  name_ = f->getNameAsString();
  reading_.all_parameters = true;
  auto variant = read_path(f, facts);
  if (!variant || variant->condition)
    throw Refusal{"unsupported-statement", f->getLocation(),
                  "the function branches on a value known at run time",
                  "a side of a rule is a single expression"};
  return std::move(variant->function);
}

// Nothing for a path that throws.
std::optional<Variant> FunctionReader::read_path(const clang::FunctionDecl* f, graph::Facts& facts) {
  Attempt result = attempt(f, facts);
  result.reading.steps = reading_.steps;
  reading_ = std::move(result.reading);
  if (result.variant) {
    result_expression_ = result.result_expression;
    facts = std::move(result.facts);
    return std::move(result.variant);
  }
  try {
    std::rethrow_exception(result.failure);
  } catch (const PathThrows&) { return std::nullopt; }
}

// The exception that is being handled ended the reading.
FunctionReader::Attempt FunctionReader::failed(std::string id) const {
  Attempt out(reading_);
  out.failure = std::current_exception();
  out.fits = !is_misfit(id);
  return out;
}

FunctionReader::Attempt FunctionReader::attempt(const clang::FunctionDecl* f, graph::Facts facts) {
  for (int round = 0; round < kMaxRounds; ++round) {
    reading_.paths.rewind();
    graph::Builder builder(facts);
    Interpreter interpreter(ast_, text_, builder, reading_);
    try {
      auto outputs = interpreter.run(f);
      if (learn(facts, builder)) continue;
      Attempt out(reading_);
      out.variant = Variant{reading_.paths.condition(), builder.finish(name_, std::move(outputs))};
      graph::verify(out.variant->function);
      out.coincidences = coincidences(out.variant->function) + builder.signs().odd;
      out.unusual = builder.signs().unusual;
      out.unusual_operands = builder.signs().unusual_operands;
      out.multiplied = builder.signs().multiplied;
      out.result_expression = interpreter.result_expression();
      out.facts = facts;
      return out;
    } catch (const PathThrows&) { return failed("assumption-violated"); } catch (const Refusal& r) {
      // What the reading learned up to here may settle what stopped it: an assume() before the loop.
      if (!learn(facts, builder)) return failed(r.id);
    } catch (const graph::LoweringError& e) {
      if (learn(facts, builder)) continue;
      try {
        throw Refusal{e.id, interpreter.where(), builder.named(e.what()), e.hint};
      } catch (const Refusal& r) { return failed(r.id); }
    } catch (const graph::NeedRank& question) {
      return choose(f, question, interpreter.question());
    } catch (const graph::NeedFacts& more) {
      if (more.facts == facts) throw std::logic_error("lowering asks for facts that it has");
      facts = more.facts;
    }
  }
  throw std::logic_error("the facts about the parameters do not settle");
}

FunctionReader::Attempt FunctionReader::choose(const clang::FunctionDecl* f, const graph::NeedRank& question,
                                               clang::SourceLocation where) {
  const Interpreter::Reading before = reading_;
  const int usual = question.facts.ranks.at(question.param).axes;
  std::vector<int> ranks{usual};
  for (int rank = question.least; rank <= std::max(usual, kUsualRank); ++rank)
    if (rank != usual) ranks.push_back(rank);
  std::vector<Attempt> attempts;
  std::vector<std::size_t> best;  // attempts with a result and the fewest coincidences
  auto compare = [&](const Attempt& a, const Attempt& b) {
    if (a.coincidences != b.coincidences) return a.coincidences - b.coincidences;
    return question.places ? a.unusual - b.unusual : 0;
  };
  for (int rank : ranks) {
    if (++attempts_ > kMaxAttempts) break;
    graph::Facts facts = question.facts;
    facts.ranks[question.param].axes = rank;
    long steps = reading_.steps;
    reading_ = before;
    reading_.steps = steps;
    attempts.push_back(attempt(f, std::move(facts)));
    const Attempt& now = attempts.back();
    if (!now.variant && now.settled) continue;
    if (best.empty() || compare(now, attempts[best[0]]) < 0) best = {attempts.size() - 1};
    else if (compare(now, attempts[best[0]]) == 0) best.push_back(attempts.size() - 1);
    // No other rank can do better.
    if (rank == usual && now.coincidences == 0 && now.multiplied.count(question.param))
      return std::move(attempts.back());
  }
  if (best.size() > 1 && !(best[0] == 0 && attempts[0].multiplied.count(question.param))) {
    // What becomes an operand of a product by way of views, and what broadcasts, has the usual number of axes
    // there.
    auto misfit = [&](std::size_t k) { return attempts[k].unusual_operands + attempts[k].unusual; };
    const int least = misfit(
        *std::min_element(best.begin(), best.end(), [&](auto x, auto y) { return misfit(x) < misfit(y); }));
    std::erase_if(best, [&](std::size_t k) { return misfit(k) != least; });
  }
  if (best.size() == 1) return std::move(attempts[best[0]]);
  if (!best.empty()) {
    if (best[0] == 0 && attempts[0].multiplied.count(question.param)) return std::move(attempts[0]);
    std::vector<int> likely;
    std::vector<const Attempt*> ties;
    for (std::size_t k : best) likely.push_back(ranks[k]), ties.push_back(&attempts[k]);
    return ask(question, where, likely, ties);
  }
  // What stopped the reading for another reason than the rank is the finding; else what the usual rank met.
  auto stopped = std::find_if(attempts.begin(), attempts.end(), [](const Attempt& a) { return a.fits; });
  if (stopped != attempts.end()) return std::move(*stopped);
  if (!attempts.empty()) return std::move(attempts.front());
  try {
    throw Refusal{"unknown-rank", where, "the rank of `" + question.name + "` does not follow from its use",
                  stating(question.name, kUsualRank)};
  } catch (const Refusal& r) { return failed(r.id); }
}

// Several ranks make sense: the program must say which. What hangs on this rank need not be stated; what is
// open whichever it is must be, too.
FunctionReader::Attempt FunctionReader::ask(const graph::NeedRank& question, clang::SourceLocation where,
                                            const std::vector<int>& likely,
                                            const std::vector<const Attempt*>& best) {
  Attempt out(best[0]->reading);
  out.coincidences = best[0]->coincidences;
  out.unusual = best[0]->unusual;
  out.unusual_operands = best[0]->unusual_operands;
  out.multiplied = best[0]->multiplied;
  out.settled = false;
  std::vector<int> sorted = likely;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string> words;
  for (int rank : sorted) words.push_back(std::to_string(rank));
  std::set<std::string> others = best[0]->open;
  for (const Attempt* attempt : best)
    std::erase_if(others, [&](const std::string& name) { return !attempt->open.contains(name); });
  // likely[0] is the usual rank, where that is one of them.
  out.failure = std::make_exception_ptr(
      Refusal{"unknown-rank", where, "`" + question.name + "` may have " + listed(words, "or") + " dims here",
              stating(question.name, likely[0], others)});
  out.open = std::move(others);
  out.open.insert(question.name);
  return out;
}

}  // namespace flashlight::frontend
