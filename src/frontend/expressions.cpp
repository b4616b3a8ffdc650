// SPDX-License-Identifier: Apache-2.0
// Following expressions: literals, operators, and the dispatch to everything else.
#include "clang/AST/DeclCXX.h"
#include "frontend/place.h"

namespace flashlight::frontend {

using graph::Sym;
using graph::SymOp;
using namespace clang;

Cell Interpreter::eval(const Expr* e) {
  Place place(*this, e->getExprLoc());
  return eval_node(e);
}

// Wrappers that mean nothing here are looked through.
static const Expr* wrapped(const Expr* e) {
  switch (e->getStmtClass()) {
    case Stmt::ParenExprClass: return cast<ParenExpr>(e)->getSubExpr();
    case Stmt::ExprWithCleanupsClass:
    case Stmt::ConstantExprClass: return cast<FullExpr>(e)->getSubExpr();
    case Stmt::MaterializeTemporaryExprClass: return cast<MaterializeTemporaryExpr>(e)->getSubExpr();
    case Stmt::CXXBindTemporaryExprClass: return cast<CXXBindTemporaryExpr>(e)->getSubExpr();
    case Stmt::SubstNonTypeTemplateParmExprClass:
      return cast<SubstNonTypeTemplateParmExpr>(e)->getReplacement();
    case Stmt::CXXStdInitializerListExprClass: return cast<CXXStdInitializerListExpr>(e)->getSubExpr();
    case Stmt::CXXDefaultArgExprClass: return cast<CXXDefaultArgExpr>(e)->getExpr();
    case Stmt::CXXDefaultInitExprClass: return cast<CXXDefaultInitExpr>(e)->getExpr();
    case Stmt::CXXRewrittenBinaryOperatorClass: return cast<CXXRewrittenBinaryOperator>(e)->getSemanticForm();
    case Stmt::ChooseExprClass: return cast<ChooseExpr>(e)->getChosenSubExpr();
    case Stmt::GenericSelectionExprClass: return cast<GenericSelectionExpr>(e)->getResultExpr();
    default: return nullptr;
  }
}

Cell Interpreter::eval_node(const Expr* e) {
  if (const Expr* inner = wrapped(e)) return eval(inner);
  switch (e->getStmtClass()) {
    case Stmt::IntegerLiteralClass: {
      const llvm::APInt& v = cast<IntegerLiteral>(e)->getValue();
      if (v.getActiveBits() > 63) refuse("unsupported-expression", "an integer beyond 64 bits with sign");
      return make_cell(Sym(static_cast<long>(v.getZExtValue())));
    }
    case Stmt::FloatingLiteralClass:
      return make_cell(Sym(cast<FloatingLiteral>(e)->getValueAsApproximateDouble()));
    case Stmt::CXXBoolLiteralExprClass: return make_bool(cast<CXXBoolLiteralExpr>(e)->getValue());
    case Stmt::CharacterLiteralClass:
      return make_cell(Sym(static_cast<long>(cast<CharacterLiteral>(e)->getValue())));
    case Stmt::StringLiteralClass: {
      auto* text = cast<StringLiteral>(e);
      if (text->getCharByteWidth() != 1) refuse("unsupported-expression", "a wide string");
      return make_cell(text->getString().str());
    }
    case Stmt::CXXNullPtrLiteralExprClass: return make_cell({});
    case Stmt::DeclRefExprClass: return eval_name(cast<DeclRefExpr>(e));
    case Stmt::MemberExprClass: return eval_member(cast<MemberExpr>(e));
    case Stmt::ArraySubscriptExprClass: return eval_subscript(cast<ArraySubscriptExpr>(e));
    case Stmt::CXXThisExprClass:
      if (!frame_->self) refuse("unsupported-expression", "`this` is not known here");
      return make_cell(Pointer{{frame_->self}, 0});
    case Stmt::UnaryOperatorClass: return eval_unary(cast<UnaryOperator>(e));
    case Stmt::BinaryOperatorClass: return eval_binary(cast<BinaryOperator>(e));
    case Stmt::CompoundAssignOperatorClass: return eval_compound_assignment(cast<CompoundAssignOperator>(e));
    case Stmt::ConditionalOperatorClass:
    case Stmt::BinaryConditionalOperatorClass: return eval_conditional(cast<AbstractConditionalOperator>(e));
    case Stmt::LambdaExprClass: return eval_lambda(cast<LambdaExpr>(e));
    case Stmt::CallExprClass:
    case Stmt::CXXMemberCallExprClass:
    case Stmt::CXXOperatorCallExprClass:
    case Stmt::UserDefinedLiteralClass: return eval_call(cast<CallExpr>(e));
    case Stmt::CXXConstructExprClass:
    case Stmt::CXXTemporaryObjectExprClass: return eval_construct(cast<CXXConstructExpr>(e));
    case Stmt::InitListExprClass: return eval_init_list(cast<InitListExpr>(e));
    case Stmt::CXXParenListInitExprClass: {
      auto* list = cast<CXXParenListInitExpr>(e);
      auto* record = e->getType()->getAsCXXRecordDecl();
      if (!record) break;
      return init_fields(record, const_cast<CXXParenListInitExpr*>(list)->getInitExprs());
    }
    case Stmt::CXXScalarValueInitExprClass:
    case Stmt::ImplicitValueInitExprClass: return default_value(e->getType());
    case Stmt::ArrayInitLoopExprClass: return eval_array_copy(cast<ArrayInitLoopExpr>(e));
    case Stmt::OpaqueValueExprClass: return eval(cast<OpaqueValueExpr>(e)->getSourceExpr());
    case Stmt::CXXThrowExprClass: throw PathThrows{};
    case Stmt::ImplicitCastExprClass:
    case Stmt::CStyleCastExprClass:
    case Stmt::CXXStaticCastExprClass:
    case Stmt::CXXFunctionalCastExprClass:
    case Stmt::CXXConstCastExprClass: return eval_cast(cast<CastExpr>(e));
    default: break;
  }
  // sizeof, type traits, concepts, noexcept, folds of constants, ...
  if (auto constant = constant_of(e)) return make_cell(*constant);
  refuse("unsupported-expression",
         std::string("an expression of this kind is not followed (") + e->getStmtClassName() + ")");
}

std::optional<Value> Interpreter::constant_of(const Expr* e) {
  if (e->isValueDependent() || e->isTypeDependent() || e->getType().isNull()) return std::nullopt;
  QualType type = e->getType().getNonReferenceType();
  if (!type->isArithmeticType() && !type->isEnumeralType()) return std::nullopt;
  Expr::EvalResult result;
  if (!e->EvaluateAsRValue(result, ast_) || result.HasSideEffects) return std::nullopt;
  return from_constant(result.Val, type);
}

Sym Interpreter::sym_of(const Cell& c) {
  if (auto* s = std::get_if<Sym>(&c->value)) return *s;
  if (auto* d = std::get_if<graph::DType>(&c->value)) return Sym(static_cast<int>(*d));
  if (std::holds_alternative<std::monostate>(c->value))
    refuse("unsupported-expression", "a number is read before it has a value");
  refuse("unsupported-expression", "expected a number, found " + std::string(kind_of(c->value)));
}

std::int64_t Interpreter::index_of(const Cell& c) {
  auto index = sym_of(c).as_integer();
  if (!index) refuse("unsupported-expression", "an index into a list must be known when translating");
  return *index;
}

void Interpreter::assign(const Cell& to, const Value& v) {
  if (!assign_value(*to, v))
    refuse("aliased-mutation", "this writes to a variable that belongs to the caller",
           "return the value instead");
}

Cell Interpreter::eval_unary(const UnaryOperator* e) {
  UnaryOperatorKind op = e->getOpcode();
  if (op == UO_Extension) return eval(e->getSubExpr());
  Cell operand = eval(e->getSubExpr());
  switch (op) {
    case UO_Plus: return operand;
    case UO_Minus: {
      Sym x = sym_of(operand);
      if (!e->getType()->isFloatingType()) return make_cell(arithmetic(BO_Sub, Sym(0), x, e->getType()));
      return make_cell(x.is_constant() ? Sym(-x.real()) : -x);
    }
    case UO_Not:
      if (!sym_of(operand).is_constant() && e->getType()->isUnsignedIntegerType())
        refuse("unsupported-expression", "the bits of an unsigned number that is known at launch only");
      return make_cell(arithmetic(BO_Sub, Sym(-1), sym_of(operand), e->getType()));
    case UO_LNot: return make_cell(graph::make_sym(SymOp::Not, {sym_of(operand)}));
    case UO_Deref: {
      if (std::holds_alternative<FunctionRef>(operand->value)) return operand;
      auto* pointer = std::get_if<Pointer>(&operand->value);
      if (!pointer || pointer->at >= pointer->cells.size())
        refuse("unsupported-expression", "a pointer to an unknown object");
      return pointer->cells[pointer->at];
    }
    case UO_AddrOf:
      if (std::holds_alternative<FunctionRef>(operand->value)) return operand;
      return make_cell(Pointer{{operand}, 0});
    case UO_PreInc:
    case UO_PreDec:
    case UO_PostInc:
    case UO_PostDec: {
      Value old = copy_value(operand->value);
      bool up = op == UO_PreInc || op == UO_PostInc, before = op == UO_PreInc || op == UO_PreDec;
      if (auto* pointer = std::get_if<Pointer>(&operand->value)) {
        Pointer moved = *pointer;
        moved.at += up ? 1 : -1;
        assign(operand, moved);
      } else {
        assign(operand, arithmetic(up ? BO_Add : BO_Sub, sym_of(operand), Sym(1), e->getType()));
      }
      return before ? operand : make_cell(old);
    }
    default: refuse("unsupported-expression", "this operator is not followed");
  }
}

Cell Interpreter::eval_binary(const BinaryOperator* e) {
  BinaryOperatorKind op = e->getOpcode();
  if (op == BO_LAnd || op == BO_LOr) return eval_logical(e);
  if (op == BO_Comma) {
    eval(e->getLHS());
    return eval(e->getRHS());
  }
  if (op == BO_Assign) {
    Value v = copy_value(eval(e->getRHS())->value);
    Cell to = eval(e->getLHS());
    assign(to, v);
    return to;
  }
  Cell a = eval(e->getLHS()), b = eval(e->getRHS());
  if (!std::holds_alternative<Sym>(a->value) || !std::holds_alternative<Sym>(b->value)) {
    if (BinaryOperator::isComparisonOp(op)) {
      if (auto* p = std::get_if<Pointer>(&a->value))
        if (auto* q = std::get_if<Pointer>(&b->value))
          return make_cell(arithmetic(op, Sym((long)p->at), Sym((long)q->at), e->getType()));
      return compare_dtypes(op, a, b);
    }
  }
  return make_cell(arithmetic(op, sym_of(a), sym_of(b), e->getType()));
}

Cell Interpreter::eval_compound_assignment(const CompoundAssignOperator* e) {
  Sym b = eval_sym(e->getRHS());
  Cell to = eval(e->getLHS());
  Sym a = convert(sym_of(to), e->getComputationLHSType());
  BinaryOperatorKind op = BinaryOperator::getOpForCompoundAssignment(e->getOpcode());
  Sym value = convert(arithmetic(op, a, b, e->getComputationResultType()), e->getType());
  if (e->getComputationResultType()->isIntegerType()) value = fitting(value, e->getType());
  assign(to, value);
  return to;
}

// The value of what is evaluated only where the condition holds.
Sym Interpreter::eval_reached(const Sym& condition, const Expr* e) {
  reached_.push_back(condition);
  try {
    const Sym value = eval_sym(e);
    reached_.pop_back();
    return value;
  } catch (...) {
    reached_.pop_back();
    throw;
  }
}

Cell Interpreter::eval_logical(const BinaryOperator* e) {
  bool is_and = e->getOpcode() == BO_LAnd;
  Sym a = eval_sym(e->getLHS());
  if (a.is_constant() && (a.real() != 0) != is_and) return make_bool(!is_and);
  if (a.is_constant()) return make_cell(eval_sym(e->getRHS()));
  const Sym b = eval_reached(is_and ? a : graph::make_sym(SymOp::Not, {a}), e->getRHS());
  return make_cell(graph::make_sym(is_and ? SymOp::And : SymOp::Or, {a, b}));
}

// Whether both arms of ?: may be evaluated: nothing in them writes or calls into the user's code.
static bool is_pure(const Stmt* s) {
  if (!s) return true;
  if (auto* u = dyn_cast<UnaryOperator>(s); u && u->isIncrementDecrementOp()) return false;
  if (auto* b = dyn_cast<BinaryOperator>(s); b && b->isAssignmentOp()) return false;
  if (isa<LambdaExpr>(s) || isa<CXXThrowExpr>(s) || isa<StmtExpr>(s)) return false;
  if (auto* call = dyn_cast<CallExpr>(s)) {
    auto* callee = call->getDirectCallee();
    if (!callee) return false;
    auto* method = dyn_cast<CXXMethodDecl>(callee);
    if (method ? !method->isConst() : callee->hasBody() && !callee->isInStdNamespace()) return false;
  }
  for (const Stmt* child : s->children())
    if (!is_pure(child)) return false;
  return true;
}

Cell Interpreter::eval_conditional(const AbstractConditionalOperator* e) {
  if (leaves_by_throw(e->getFalseExpr())) {  // assert()
    assume(e->getCond(), true);
    return eval(e->getTrueExpr());
  }
  Sym condition = eval_condition(e->getCond());
  if (condition.is_constant()) return eval(condition.real() != 0 ? e->getTrueExpr() : e->getFalseExpr());
  // A number picked at launch stays one expression; anything else is a branch.
  bool number = e->getType()->isArithmeticType() && e->isPRValue();
  if (number && is_pure(e->getTrueExpr()) && is_pure(e->getFalseExpr()))
    return make_cell(graph::make_sym(
        SymOp::Select, {condition, eval_reached(condition, e->getTrueExpr()),
                        eval_reached(graph::make_sym(SymOp::Not, {condition}), e->getFalseExpr())}));
  bool taken = [&] {
    Place place(*this, e->getCond()->getExprLoc());
    return decide_sym(condition);
  }();
  return eval(taken ? e->getTrueExpr() : e->getFalseExpr());
}

Cell Interpreter::eval_array_copy(const ArrayInitLoopExpr* e) {
  return copy_cell(eval(e->getCommonExpr()->getSourceExpr()));
}

}  // namespace flashlight::frontend
