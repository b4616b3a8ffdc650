// SPDX-License-Identifier: Apache-2.0
// What names mean: variables, constants of the surroundings, members, elements, and what lambdas capture of
// them.
#include "clang/AST/DeclCXX.h"
#include "frontend/place.h"

namespace flashlight::frontend {

using graph::Sym;
using namespace clang;

Cell Interpreter::eval_name(const DeclRefExpr* e) {
  const ValueDecl* d = e->getDecl();
  if (auto found = frame_->variables.find(d); found != frame_->variables.end()) {
    if (!found->second)
      refuse("unsupported-type",
             "`" + d->getNameAsString() + "` has a type that has no place in a kernel: `" +
                 spelled(d->getType()) + "`",
             "pass numbers and tensors, or structs of them");
    return found->second;
  }
  if (auto* enumerator = dyn_cast<EnumConstantDecl>(d))
    return make_cell(*from_constant(APValue(enumerator->getInitVal()), e->getType()));
  if (auto* function = dyn_cast<FunctionDecl>(d)) return make_cell(FunctionRef{function});
  if (auto* variable = dyn_cast<VarDecl>(d)) return eval_global(variable);
  if (auto* parameter = dyn_cast<TemplateParamObjectDecl>(d))
    if (auto value = from_constant(parameter->getValue(), parameter->getType())) return make_cell(*value);
  refuse("unsupported-expression", "`" + d->getNameAsString() + "` is not known here");
}

// Constants outside the function, and those of an enclosing function that a lambda uses without capturing
// them.
Cell Interpreter::eval_global(const VarDecl* v) {
  std::string name = v->getNameAsString();
  QualType type = v->getType().getNonReferenceType();
  auto* record = type->getAsCXXRecordDecl();
  if (record && record->getIdentifier() && record->getName() == "nullopt_t") return make_cell({});
  const VarDecl* definition = nullptr;
  const Expr* init = v->getAnyInitializer(definition);
  if (record && record->getIdentifier() && record->isInStdNamespace() &&
      record->getName().ends_with("stream"))
    refuse("unsupported-call", "`" + v->getQualifiedNameAsString() + "` is not followed", kPrintElsewhere);
  bool lambda = record && record->isLambda() && record->captures().empty();
  bool fixed = v->isConstexpr() || type.isConstQualified() || lambda;
  if (!fixed || !init)
    refuse("unsupported-expression", "`" + name + "` lives outside the function and may change",
           "make it constexpr, or pass it as a parameter");
  if ((type->isArithmeticType() || type->isEnumeralType()) && !v->getType()->isReferenceType())
    if (const APValue* value = definition->evaluateValue())
      if (auto constant = from_constant(*value, type)) return make_cell(*constant);
  auto& known = frame_->variables[v];
  known = make_cell({});  // guards against a constant that needs itself
  known = eval(init);
  return known;
}

Cell Interpreter::eval_member(const MemberExpr* e) {
  const ValueDecl* member = e->getMemberDecl();
  if (auto* variable = dyn_cast<VarDecl>(member)) return eval_global(variable);
  if (auto* enumerator = dyn_cast<EnumConstantDecl>(member))
    return make_cell(*from_constant(APValue(enumerator->getInitVal()), e->getType()));
  if (auto* method = dyn_cast<FunctionDecl>(member)) return make_cell(FunctionRef{method});
  auto* field = dyn_cast<FieldDecl>(member);
  if (!field) refuse("unsupported-expression", "a member of this kind is not followed");
  Cell object = eval(e->getBase());
  if (e->isArrow()) {
    auto* pointer = std::get_if<Pointer>(&object->value);
    if (!pointer) refuse("unsupported-expression", "a pointer to an unknown object");
    object = pointer->cells.at(pointer->at);
  }
  auto* fields = std::get_if<Fields>(&object->value);
  auto* record = cast<CXXRecordDecl>(field->getParent());
  // std::pair has a base of its own that holds nothing.
  std::size_t index = (record->isInStdNamespace() ? 0 : record->getNumBases()) + field->getFieldIndex();
  if (!fields || index >= fields->cells.size())
    refuse("unsupported-expression",
           "`" + field->getNameAsString() + "` is a member of " + kind_of(object->value));
  if (!fields->cells[index])
    refuse("unsupported-type",
           "`" + field->getNameAsString() + "` has a type that has no place in a kernel: `" +
               spelled(field->getType()) + "`",
           "read it before the call and pass a number or a tensor");
  return fields->cells[index];
}

Cell Interpreter::eval_subscript(const ArraySubscriptExpr* e) {
  Cell base = eval(e->getBase());
  std::int64_t index = index_of(eval(e->getIdx()));
  auto* pointer = std::get_if<Pointer>(&base->value);
  if (!pointer) refuse("unsupported-expression", "indexing " + std::string(kind_of(base->value)));
  std::int64_t at = static_cast<std::int64_t>(pointer->at) + index;
  if (at < 0 || at >= static_cast<std::int64_t>(pointer->cells.size()))
    refuse("unsupported-expression", "index " + std::to_string(index) + " is out of range");
  return pointer->cells[at];
}

Cell Interpreter::eval_lambda(const LambdaExpr* e) {
  Closure closure;
  closure.type = e->getLambdaClass();
  auto init = e->capture_init_begin();
  for (const LambdaCapture& capture : e->captures()) {
    const Expr* value = *init++;
    if (capture.capturesThis()) {
      closure.self = capture.getCaptureKind() == LCK_StarThis ? copy_cell(frame_->self) : frame_->self;
    } else if (capture.capturesVariable()) {
      const ValueDecl* v = capture.getCapturedVar();
      bool by_reference = capture.getCaptureKind() == LCK_ByRef || v->getType()->isReferenceType();
      bool init_capture = isa<VarDecl>(v) && cast<VarDecl>(v)->isInitCapture();
      Cell cell = eval(init_capture ? cast<VarDecl>(v)->getInit() : value);
      // A copy of a parameter that is a reference is a copy: only [&] and [&x = y] share.
      bool shares = capture.getCaptureKind() == LCK_ByRef || (init_capture && by_reference);
      closure.captures[v] = shares ? cell : copy_cell(cell);
    }
  }
  return make_cell(std::move(closure));
}

}  // namespace flashlight::frontend
