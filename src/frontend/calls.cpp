// SPDX-License-Identifier: Apache-2.0
// Calls: what is the DSL's becomes an op, what is std's is known by name, everything else with a body is
// inlined.
#include "clang/AST/DeclTemplate.h"
#include "clang/Basic/Builtins.h"
#include "frontend/place.h"

namespace flashlight::frontend {

using graph::Sym;
using namespace clang;

Cell Interpreter::pointee(const Cell& c) {
  auto* pointer = std::get_if<Pointer>(&c->value);
  if (!pointer || pointer->at >= pointer->cells.size())
    refuse("unsupported-expression", "a pointer to an unknown object");
  return pointer->cells[pointer->at];
}

Cell Interpreter::eval_call(const CallExpr* e) {
  const FunctionDecl* callee = e->getDirectCallee();
  if (auto* op = dyn_cast<CXXOperatorCallExpr>(e); op && callee) return eval_operator_call(op, callee);
  if (callee && callee->getBuiltinID() && !callee->isInStdNamespace()) return eval_builtin(e, callee);
  if (callee && callee->getIdentifier() && callee->getName() == "assume" &&
      text_.is_dsl(callee->getLocation())) {
    assume(e->getArg(0), true);
    return make_cell({});
  }
  Cell self;
  if (auto* method = dyn_cast<CXXMemberCallExpr>(e)) {
    const Expr* object = method->getImplicitObjectArgument();
    self = eval(object);
    if (object->getType()->isPointerType()) self = pointee(self);
  }
  Cell target = callee ? nullptr : eval(e->getCallee());
  std::vector<Cell> args;
  for (const Expr* a : e->arguments()) args.push_back(eval(a));
  return callee ? call(callee, self, args) : call_callable(target, nullptr, args);
}

Cell Interpreter::eval_operator_call(const CXXOperatorCallExpr* e, const FunctionDecl* callee) {
  std::vector<Cell> args;
  auto* method = dyn_cast<CXXMethodDecl>(callee);
  // Assignment evaluates its right side first.
  if (e->isAssignmentOp() && e->getNumArgs() == 2) {
    Cell right = eval(e->getArg(1));
    args = {eval(e->getArg(0)), right};
  } else {
    for (const Expr* a : e->arguments()) args.push_back(eval(a));
  }
  if (!method || method->isStatic()) {
    if (method) args.erase(args.begin());
    return call(callee, nullptr, args);
  }
  Cell self = args.front();
  args.erase(args.begin());
  return call(callee, self, args);
}

Cell Interpreter::eval_builtin(const CallExpr* e, const FunctionDecl* callee) {
  StringRef name = callee->getName();
  if (name.starts_with("__builtin_expect") || name == "__builtin_launder") return eval(e->getArg(0));
  if (name == "__builtin_unreachable" || name == "__builtin_trap" || callee->isNoReturn()) throw PathThrows{};
  if (name == "__builtin_assume") {
    assume(e->getArg(0), true);
    return make_cell({});
  }
  if (name.contains("printf") || name == "puts" || name == "putchar" || name == "fputs" || name == "fwrite")
    refuse("unsupported-call", "`" + name.str() + "` is not followed", kPrintElsewhere);
  if (auto constant = constant_of(e)) return make_cell(*constant);
  std::vector<Sym> numbers;
  for (const Expr* a : e->arguments()) {
    Cell c = eval(a);
    if (!std::holds_alternative<Sym>(c->value))
      refuse("unsupported-call", "`" + name.str() + "` is not followed");
    numbers.push_back(sym_of(c));
  }
  if (auto s = math_call(name, numbers, e->getType())) return make_cell(*s);
  refuse("unsupported-call", "`" + name.str() + "` is not followed");
}

Cell Interpreter::call(const FunctionDecl* f, const Cell& self, const std::vector<Cell>& args) {
  auto* method = dyn_cast<CXXMethodDecl>(f);
  SourceLocation home = f->getLocation();
  if (method && method->getParent()->isLambda()) {
    if (isa<CXXConversionDecl>(f)) return self;  // to a function pointer
    return call_callable(self, f, args);
  }
  if (text_.is_dsl(home)) return dsl_call(f, self, args);
  if (!text_.is_user(home)) {
    if (method && self) {
      if (auto c = library_method(method, self, args)) return *c;
    } else if (auto c = library_function(f, args)) {
      return *c;
    }
    if (f->isNoReturn()) throw PathThrows{};
    refuse("unsupported-call", "`" + f->getQualifiedNameAsString() + "` is not followed",
           "use the DSL's ops, or move the call out of this function");
  }
  if (method && self && (method->isCopyAssignmentOperator() || method->isMoveAssignmentOperator()) &&
      !method->isUserProvided()) {
    assign(self, copy_value(args.at(0)->value));
    return self;
  }
  Frame frame;
  frame.self = self;
  return enter(f, std::move(frame), args);
}

// A lambda, a function pointer or a std::function; `chosen` is the specialisation that Clang picked.
Cell Interpreter::call_callable(const Cell& callee, const FunctionDecl* chosen,
                                const std::vector<Cell>& args) {
  if (auto* function = std::get_if<FunctionRef>(&callee->value))
    return call(function->function, nullptr, args);
  auto* closure = std::get_if<Closure>(&callee->value);
  if (!closure) refuse("unsupported-call", "a call of " + std::string(kind_of(callee->value)));
  if (!chosen) {
    const CXXMethodDecl* op = closure->type->getLambdaCallOperator();
    chosen = op;
    if (auto* generic = op ? op->getDescribedFunctionTemplate() : nullptr) {
      chosen = nullptr;
      for (const FunctionDecl* spec : generic->specializations()) {
        if (chosen)
          refuse("unsupported-call", "a generic lambda behind std::function", "name its parameter types");
        chosen = spec;
      }
    }
  }
  if (!chosen) refuse("unsupported-call", "a lambda that was never instantiated");
  Frame frame;
  frame.self = closure->self;
  frame.variables = closure->captures;
  return enter(chosen, std::move(frame), args);
}

Cell Interpreter::enter(const FunctionDecl* f, Frame frame, const std::vector<Cell>& args) {
  std::string name = f->getQualifiedNameAsString();
  if (auto* method = dyn_cast<CXXMethodDecl>(f); method && method->isVirtual())
    refuse("unsupported-call", "`" + name + "` is virtual", "call a function that is known when translating");
  const FunctionDecl* definition = nullptr;
  const Stmt* body = f->getBody(definition);
  if (!body) {
    if (f->isNoReturn()) throw PathThrows{};
    refuse("no-body", "`" + name + "` has no body in this file",
           "define it in this file or in an included header");
  }
  if (!isa<CompoundStmt>(body)) refuse("unsupported-statement", "`" + name + "` is a try block as a whole");
  if (callers_.size() >= static_cast<std::size_t>(limits_.call_depth)) {
    bool again = std::find(callers_.begin(), callers_.end(), definition) != callers_.end();
    refuse(again ? "recursion" : "too-large",
           again ? "`" + name + "` calls itself without an end known when translating"
                 : "the call chain is too deep",
           "use a loop with a known trip count");
  }
  if (definition->isVariadic() || definition->getNumParams() > args.size())
    refuse("unsupported-call", "`" + name + "` takes a variable number of arguments");
  frame.function = definition;
  for (unsigned i = 0; i < definition->getNumParams(); ++i) {
    const ParmVarDecl* p = definition->getParamDecl(i);
    frame.variables[p] = args[i];
    if (auto* t = std::get_if<TensorValue>(&args[i]->value); t && t->view.node >= 0)
      builder_.label(t->view.node, p->getNameAsString());
  }
  struct Restore {
    Interpreter& i;
    Frame* outer;
    ~Restore() {
      i.frame_ = outer;
      i.callers_.pop_back();
    }
  } restore{*this, frame_};
  frame_ = &frame;
  callers_.push_back(definition);
  if (text_.is_user(definition->getLocation())) reading_.inlined.insert(definition);
  exec(body);
  if (frame.result) return frame.result;
  if (!definition->getReturnType()->isVoidType() && !isa<CXXConstructorDecl>(definition))
    refuse("unsupported-statement", "`" + name + "` ends without a return");
  return make_cell({});
}

}  // namespace flashlight::frontend
