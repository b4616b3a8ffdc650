// SPDX-License-Identifier: Apache-2.0
// Following statements: control flow is decided while reading, or forked on scalar parameters.
#include "clang/AST/DeclCXX.h"
#include "frontend/place.h"

namespace flashlight::frontend {

using graph::Sym;
using namespace clang;

Interpreter::Flow Interpreter::exec(const Stmt* s) {
  if (!s) return Flow::Next;
  if (auto* e = dyn_cast<Expr>(s)) {
    eval(e);
    return Flow::Next;
  }
  Place place(*this, s->getBeginLoc());
  switch (s->getStmtClass()) {
    case Stmt::NullStmtClass: return Flow::Next;
    case Stmt::CompoundStmtClass: return exec_block(cast<CompoundStmt>(s));
    case Stmt::DeclStmtClass:
      for (const Decl* d : cast<DeclStmt>(s)->decls()) declare(d);
      return Flow::Next;
    case Stmt::IfStmtClass: return exec_if(cast<IfStmt>(s));
    case Stmt::ForStmtClass: return exec_for(cast<ForStmt>(s));
    case Stmt::WhileStmtClass:
      if (cast<WhileStmt>(s)->getConditionVariable()) break;
      return exec_while(cast<WhileStmt>(s)->getCond(), cast<WhileStmt>(s)->getBody(), true);
    case Stmt::DoStmtClass: return exec_while(cast<DoStmt>(s)->getCond(), cast<DoStmt>(s)->getBody(), false);
    case Stmt::CXXForRangeStmtClass: return exec_range_for(cast<CXXForRangeStmt>(s));
    case Stmt::SwitchStmtClass: return exec_switch(cast<SwitchStmt>(s));
    case Stmt::CaseStmtClass:
    case Stmt::DefaultStmtClass: return exec(cast<SwitchCase>(s)->getSubStmt());
    case Stmt::AttributedStmtClass: return exec(cast<AttributedStmt>(s)->getSubStmt());
    case Stmt::BreakStmtClass: return Flow::Break;
    case Stmt::ContinueStmtClass: return Flow::Continue;
    case Stmt::ReturnStmtClass:
      if (auto* value = cast<ReturnStmt>(s)->getRetValue()) frame_->result = eval(value);
      return Flow::Return;
    default: break;
  }
  refuse("unsupported-statement",
         std::string("a statement of this kind is not followed (") + s->getStmtClassName() + ")",
         "write it with if, for, while or switch");
}

Interpreter::Flow Interpreter::exec_block(const CompoundStmt* block, unsigned from) {
  Flow flow = Flow::Next;
  auto* const* statements = block->body_begin();
  for (unsigned i = from; i < block->size() && flow == Flow::Next; ++i) flow = exec(statements[i]);
  // Names end here, so that their handles no longer count as aliases.
  for (const Stmt* s : block->body()) {
    auto* declaration = dyn_cast<DeclStmt>(s);
    if (!declaration) continue;
    for (const Decl* d : declaration->decls()) {
      if (auto* v = dyn_cast<ValueDecl>(d)) frame_->variables.erase(v);
      if (auto* v = dyn_cast<DecompositionDecl>(d))
        for (const BindingDecl* b : v->bindings()) frame_->variables.erase(b);
    }
  }
  return flow;
}

void Interpreter::declare(const Decl* d) {
  if (auto* v = dyn_cast<VarDecl>(d)) return declare_variable(v);
  // Types, aliases, static_assert, function declarations and labels do nothing when control passes over them.
}

void Interpreter::declare_variable(const VarDecl* v) {
  Place place(*this, v->getLocation());
  auto* record = v->getType()->getAsCXXRecordDecl();
  bool fixed = v->isConstexpr() || v->getType().isConstQualified() || (record && record->isLambda());
  if (v->isStaticLocal() && !fixed)
    refuse("unsupported-statement", "a static variable keeps its value between calls",
           "make it a local variable");
  if (v->hasExternalStorage()) return;
  Cell value = v->getInit() ? eval(v->getInit()) : make_cell({});
  if (auto* t = std::get_if<TensorValue>(&value->value); t && t->view.node >= 0)
    builder_.label(t->view.node, v->getNameAsString());
  frame_->variables[v] = value;
  if (auto* structure = dyn_cast<DecompositionDecl>(v)) bind_structure(structure, value);
}

void Interpreter::bind_structure(const DecompositionDecl* d, const Cell& value) {
  auto* fields = std::get_if<Fields>(&value->value);
  if (!fields || fields->cells.size() != d->bindings().size())
    refuse("unsupported-type", "a structured binding to " + std::string(kind_of(value->value)),
           "bind to a pair, tuple, array, struct or to chunk<N>()");
  std::size_t i = 0;
  for (const BindingDecl* b : d->bindings()) {
    const Cell& element = fields->cells[i++];
    if (!element) {
      frame_->variables[b] = nullptr;
      continue;
    }
    if (auto* t = std::get_if<TensorValue>(&element->value); t && t->view.node >= 0)
      builder_.label(t->view.node, b->getNameAsString());
    frame_->variables[b] = element;
  }
}

Interpreter::Flow Interpreter::exec_if(const IfStmt* s) {
  if (s->isConsteval()) return exec(s->isNonNegatedConsteval() ? s->getElse() : s->getThen());
  exec(s->getInit());
  if (s->getConditionVariable()) declare_variable(s->getConditionVariable());
  // A check of ranks is a fact; asked afterwards it is true.
  if (leaves_by_throw(s->getThen())) assume_rank(s->getCond(), false);
  else if (leaves_by_throw(s->getElse())) assume_rank(s->getCond(), true);
  Sym condition = eval_condition(s->getCond());
  bool taken;
  if (condition.is_constant()) {
    taken = condition.real() != 0;
  } else if (over_scalars_only(condition)) {
    Place place(*this, s->getCond()->getExprLoc());
    taken = decide_sym(condition);
  } else if (leaves_by_throw(s->getThen()) || leaves_by_throw(s->getElse())) {
    // A check of sizes: what the rest of the function builds on becomes a check at launch.
    taken = !leaves_by_throw(s->getThen());
    assume(s->getCond(), taken);
  } else {
    Place place(*this, s->getCond()->getExprLoc());
    taken = decide_sym(condition);
  }
  return exec(taken ? s->getThen() : s->getElse());
}

// How to state the size that the count depends on; empty: it depends on none.
std::string Interpreter::fixing_size(const Sym& count) const {
  std::vector<graph::SymbolId> symbols;
  graph::collect_symbols(count, symbols);
  for (const graph::SymbolId& id : symbols)
    if (id.kind == graph::SymbolId::Size)
      return ", for instance by `assume(" + builder_.named(graph::to_string(Sym::symbol(id))) + " == 4)`";
  return {};
}

bool Interpreter::loop_goes_on(const Expr* condition, int& trips) {
  if (!condition)
    refuse("loop-not-static", "a loop without a condition", "give it a trip count known when translating");
  Sym c = eval_condition(condition);
  Place place(*this, condition->getExprLoc());
  if (!c.is_constant())
    refuse("loop-not-static", "the trip count is known at launch only",
           "write the loop as a tensor operation, or fix the count" + fixing_size(c));
  if (c.real() == 0) return false;
  if (++trips > limits_.trip_count)
    refuse("loop-not-static", "more than " + std::to_string(limits_.trip_count) + " iterations",
           "write the loop as a tensor operation");
  return true;
}

Interpreter::Flow Interpreter::exec_for(const ForStmt* s) {
  if (s->getConditionVariable()) refuse("unsupported-statement", "a variable declared in a loop's condition");
  exec(s->getInit());
  int trips = 0;
  while (s->getCond() ? loop_goes_on(s->getCond(), trips) : ++trips <= limits_.trip_count) {
    Flow flow = exec(s->getBody());
    if (flow == Flow::Return) return flow;
    if (flow == Flow::Break) return Flow::Next;
    if (s->getInc()) eval(s->getInc());
  }
  if (!s->getCond()) refuse("loop-not-static", "the loop does not end by itself", "give it a trip count");
  return Flow::Next;
}

Interpreter::Flow Interpreter::exec_while(const Expr* condition, const Stmt* body, bool test_first) {
  int trips = 0;
  while (!test_first || loop_goes_on(condition, trips)) {
    Flow flow = exec(body);
    if (flow == Flow::Return) return flow;
    if (flow == Flow::Break) return Flow::Next;
    if (!test_first && !loop_goes_on(condition, trips)) return Flow::Next;
  }
  return Flow::Next;
}

Interpreter::Flow Interpreter::exec_range_for(const CXXForRangeStmt* s) {
  exec(s->getInit());
  Cell range = eval(s->getRangeInit());
  auto* fields = std::get_if<Fields>(&range->value);
  if (!fields)
    refuse("loop-not-static", "a loop over " + std::string(kind_of(range->value)),
           "loop over an array, a braced list or a list of tensors");
  if (fields->cells.size() > static_cast<std::size_t>(limits_.trip_count))
    refuse("loop-not-static", "more than " + std::to_string(limits_.trip_count) + " iterations");
  const auto* begin = cast<VarDecl>(s->getBeginStmt()->getSingleDecl());
  std::vector<Cell> cells = fields->cells;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    frame_->variables[begin] = make_cell(Pointer{cells, i});
    declare_variable(s->getLoopVariable());
    Flow flow = exec(s->getBody());
    frame_->variables.erase(s->getLoopVariable());
    if (flow == Flow::Return) return flow;
    if (flow == Flow::Break) break;
  }
  frame_->variables.erase(begin);
  return Flow::Next;
}

Interpreter::Flow Interpreter::exec_switch(const SwitchStmt* s) {
  exec(s->getInit());
  if (s->getConditionVariable()) declare_variable(s->getConditionVariable());
  Sym value = eval_condition(s->getCond());
  auto* body = dyn_cast<CompoundStmt>(s->getBody());
  if (!body) refuse("unsupported-statement", "a switch without a block");
  std::optional<unsigned> chosen, fallback;
  for (unsigned i = 0; i < body->size() && !chosen; ++i) {
    for (const Stmt* at = body->body_begin()[i]; isa<SwitchCase>(at) && !chosen;
         at = cast<SwitchCase>(at)->getSubStmt()) {
      auto* label = dyn_cast<CaseStmt>(at);
      if (!label) {
        fallback = i;
        continue;
      }
      Sym low = eval_sym(label->getLHS());
      Sym hit = graph::make_sym(graph::SymOp::Eq, {value, low});
      if (label->getRHS())
        hit = graph::make_sym(graph::SymOp::And,
                              {graph::make_sym(graph::SymOp::Le, {low, value}),
                               graph::make_sym(graph::SymOp::Le, {value, eval_sym(label->getRHS())})});
      Place place(*this, s->getCond()->getExprLoc());
      if (decide_sym(hit)) chosen = i;
    }
  }
  if (!chosen) chosen = fallback;
  if (!chosen) return Flow::Next;
  Flow flow = exec_block(body, *chosen);
  return flow == Flow::Break ? Flow::Next : flow;
}

}  // namespace flashlight::frontend
