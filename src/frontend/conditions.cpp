// SPDX-License-Identifier: Apache-2.0
// Conditions: decided while reading, forked on scalar parameters, or taken as facts by assume() and checks
// that throw.
#include <utility>

#include "clang/AST/DeclCXX.h"
#include "frontend/place.h"

namespace flashlight::frontend {

using graph::Sym;
using namespace clang;

// Sizes are known at launch only, scalars too, but there the launcher can choose a variant.
bool Interpreter::over_scalars_only(const Sym& s) {
  std::vector<graph::SymbolId> symbols;
  graph::collect_symbols(s, symbols);
  for (const auto& id : symbols)
    if (id.kind != graph::SymbolId::Scalar) return false;
  return true;
}

bool Interpreter::decide_sym(const Sym& condition) {
  if (condition.is_constant()) return condition.real() != 0;
  if (!over_scalars_only(condition))
    refuse("dynamic-condition", "the branch depends on a size that is known at launch only",
           "state the size with assume(), or write it with where()");
  try {
    std::size_t before = reading_.paths.questions();
    bool answer = reading_.paths.decide(condition);
    if (reading_.paths.questions() > before) reading_.last_question = where_;
    return answer;
  } catch (const TooManyPaths& e) {
    refuse_at(reading_.last_question, "too-many-variants",
              "more than " + std::to_string(e.limit) + " combinations of branches on scalar parameters",
              "make them template parameters, or split the function");
  }
}

Sym Interpreter::eval_condition(const Expr* condition) {
  bool outer = std::exchange(in_condition_, true);
  Sym s = eval_sym(condition);
  in_condition_ = outer;
  return s;
}

bool Interpreter::leaves_by_throw(const Stmt* s) const {
  if (!s) return false;
  if (auto* block = dyn_cast<CompoundStmt>(s))
    return !block->body_empty() && leaves_by_throw(block->body_back());
  auto* e = dyn_cast<Expr>(s);
  if (!e) return false;
  e = e->IgnoreImplicit()->IgnoreParens();
  if (isa<CXXThrowExpr>(e)) return true;
  auto* call = dyn_cast<CallExpr>(e);
  auto* callee = call ? call->getDirectCallee() : nullptr;
  return callee && callee->isNoReturn();
}

namespace {

const Expr* condition_inside(const Expr* e) {
  for (;;) {
    e = e->IgnoreParenImpCasts();
    if (auto* cleanups = dyn_cast<ExprWithCleanups>(e)) e = cleanups->getSubExpr();
    else if (auto* rewritten = dyn_cast<CXXRewrittenBinaryOperator>(e)) e = rewritten->getSemanticForm();
    else return e;
  }
}

}  // namespace

// The parts of the condition that say x.dim() == n become facts; true where that is all it says.
bool Interpreter::assume_rank(const Expr* e, bool holds) {
  e = condition_inside(e);
  if (auto* u = dyn_cast<UnaryOperator>(e); u && u->getOpcode() == UO_LNot)
    return assume_rank(u->getSubExpr(), !holds);
  auto* b = dyn_cast<BinaryOperator>(e);
  if (b && b->getOpcode() == (holds ? BO_LAnd : BO_LOr)) {
    bool left = assume_rank(b->getLHS(), holds);
    return assume_rank(b->getRHS(), holds) && left;
  }
  if (!b || b->getOpcode() != (holds ? BO_EQ : BO_NE)) return false;
  for (auto [x, n] : {std::pair(b->getLHS(), b->getRHS()), std::pair(b->getRHS(), b->getLHS())}) {
    auto* call = dyn_cast<CXXMemberCallExpr>(x->IgnoreParenImpCasts());
    if (!call || !call->getMethodDecl() || !text_.is_dsl(call->getMethodDecl()->getLocation())) continue;
    if (!call->getMethodDecl()->getIdentifier() || call->getMethodDecl()->getName() != "dim") continue;
    Place place(*this, e->getExprLoc());
    apply("assume_rank", {eval(call->getImplicitObjectArgument()), eval(n)});
    return true;
  }
  return false;
}

// assume(), and `if (!condition) throw`.
void Interpreter::assume(const Expr* e, bool holds) {
  e = condition_inside(e);
  Place place(*this, e->getExprLoc());
  if (auto* u = dyn_cast<UnaryOperator>(e); u && u->getOpcode() == UO_LNot)
    return assume(u->getSubExpr(), !holds);
  auto* b = dyn_cast<BinaryOperator>(e);
  if (b && b->getOpcode() == (holds ? BO_LAnd : BO_LOr)) {
    assume(b->getLHS(), holds);
    return assume(b->getRHS(), holds);
  }
  if (assume_rank(e, holds)) return;
  Sym condition = eval_sym(e);
  if (!holds) condition = graph::make_sym(graph::SymOp::Not, {condition});
  if (condition.is_constant() && condition.real() != 0) return;
  if (condition.is_constant())
    refuse("assumption-violated", "this assumption never holds", "the eager program throws here, too");
  builder_.at(text_.range(where_));
  try {
    builder_.assume(condition);
  } catch (const graph::LoweringError& error) { refuse(error.id, builder_.named(error.what()), error.hint); }
}

}  // namespace flashlight::frontend
