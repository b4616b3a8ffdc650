// SPDX-License-Identifier: Apache-2.0
// Making objects: aggregates, user classes by their constructors, arrays.
#include "clang/AST/DeclTemplate.h"
#include "frontend/place.h"

namespace flashlight::frontend {

using graph::Sym;
using namespace clang;

namespace {

bool is_named(const CXXRecordDecl* record, StringRef name) {
  return record && record->getIdentifier() && record->getName() == name;
}

// Whether a user's code runs at the end of such an object's life.
bool has_own_destructor(const CXXRecordDecl* record, const SourceText& text) {
  if (!record || !record->hasDefinition() || record->hasTrivialDestructor() ||
      !text.is_user(record->getLocation()))
    return false;
  if (auto* d = record->getDestructor(); d && d->isUserProvided()) return true;
  for (const FieldDecl* f : record->fields())
    if (has_own_destructor(f->getType()->getBaseElementTypeUnsafe()->getAsCXXRecordDecl(), text)) return true;
  for (const CXXBaseSpecifier& b : record->bases())
    if (has_own_destructor(b.getType()->getAsCXXRecordDecl(), text)) return true;
  return false;
}

// The value of a variable that is copied, or moved out of where nobody reads it again.
Cell take(const Cell& from, bool moves) {
  auto* t = std::get_if<TensorValue>(&from->value);
  if (!moves || from->readonly || !t) return copy_cell(from);
  TensorValue moved = std::move(*t);
  *t = {};
  return make_cell(std::move(moved));
}

}  // namespace

Cell Interpreter::eval_construct(const CXXConstructExpr* e) {
  const CXXConstructorDecl* constructor = e->getConstructor();
  const CXXRecordDecl* record = constructor->getParent();
  SourceLocation home = record->getLocation();
  bool copies = constructor->isCopyOrMoveConstructor() && e->getNumArgs() >= 1;
  if (e->getType()->isArrayType()) return default_value(e->getType());
  if (text_.is_dsl(home) && is_named(record, "Tensor")) {
    if (e->getNumArgs() == 0) return make_cell(TensorValue{});
    if (copies) return take(eval(e->getArg(0)), constructor->isMoveConstructor());
    refuse("unsupported-call", "a tensor made from raw memory");
  }
  if (copies && (!constructor->isUserProvided() || !text_.is_user(home)))
    return take(eval(e->getArg(0)), constructor->isMoveConstructor());
  if (!text_.is_user(home) && record->getIdentifier())
    if (auto known = library_construct(e, record->getName())) return *known;
  if (!text_.is_user(home) && !text_.is_dsl(home))
    refuse("unsupported-type", "`" + spelled(e->getType()) + "` is not followed");
  return construct_object(e, record);
}

Cell Interpreter::construct_object(const CXXConstructExpr* e, const CXXRecordDecl* record) {
  if (record->isUnion()) refuse("unsupported-type", "a union");
  if (has_own_destructor(record, text_))
    refuse("unsupported-type", "`" + spelled(e->getType()) + "` has a destructor of its own");
  const FunctionDecl* found = nullptr;
  const Stmt* body = e->getConstructor()->getBody(found);
  auto* definition = cast_or_null<CXXConstructorDecl>(found);
  std::vector<Cell> cells(record->getNumBases() + std::distance(record->field_begin(), record->field_end()));
  for (Cell& c : cells) c = make_cell({});
  Cell object = make_fields(std::move(cells));
  if (!definition) {
    if (e->getNumArgs() == 0 && !e->getConstructor()->isUserProvided()) return object;  // trivial
    refuse("no-body", "the constructor of `" + spelled(e->getType()) + "` has no body in this file");
  }
  Frame frame;
  frame.function = definition;
  frame.self = object;
  if (definition->isVariadic() || definition->getNumParams() > e->getNumArgs())
    refuse("unsupported-call", "a constructor with a variable number of arguments");
  for (unsigned i = 0; i < definition->getNumParams(); ++i)
    frame.variables[definition->getParamDecl(i)] = eval(e->getArg(i));
  if (callers_.size() >= static_cast<std::size_t>(limits_.call_depth))
    refuse("recursion", "constructors call themselves");
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
  auto& fields = std::get<Fields>(object->value).cells;
  for (const CXXCtorInitializer* init : definition->inits()) {
    Cell value = eval(init->getInit());
    if (init->isDelegatingInitializer()) {
      fields = std::get<Fields>(value->value).cells;
    } else if (init->isBaseInitializer()) {
      std::size_t at = 0;
      for (const CXXBaseSpecifier& b : record->bases()) {
        if (b.getType()->getAsCXXRecordDecl() == init->getBaseClass()->getAsCXXRecordDecl())
          fields[at] = value;
        ++at;
      }
    } else if (init->isMemberInitializer()) {
      fields[record->getNumBases() + init->getMember()->getFieldIndex()] = value;
    } else {
      refuse("unsupported-type", "an anonymous union or struct");
    }
  }
  exec(body);
  return object;
}

Cell Interpreter::eval_init_list(const InitListExpr* e) {
  if (!e->isSemanticForm() && e->getSemanticForm()) e = e->getSemanticForm();
  if (e->isTransparent()) return eval(e->getInit(0));
  QualType type = e->getType();
  if (auto* record = type->getAsCXXRecordDecl()) {
    if (record->isUnion()) refuse("unsupported-type", "a union");
    if (has_own_destructor(record, text_))
      refuse("unsupported-type", "`" + spelled(type) + "` has a destructor of its own");
    // std::array holds nothing but its elements.
    if (is_named(record, "array") && record->isInStdNamespace())
      return e->getNumInits() == 1 ? eval(e->getInit(0)) : default_value(type);
    return init_fields(record, ArrayRef<Expr*>(const_cast<InitListExpr*>(e)->getInits(), e->getNumInits()));
  }
  if (auto* array = ast_.getAsConstantArrayType(type)) {
    std::uint64_t size = array->getSize().getZExtValue();
    if (size > static_cast<std::uint64_t>(limits_.trip_count))
      refuse("unsupported-type", "an array of this length");
    std::vector<Cell> cells;
    for (std::uint64_t i = 0; i < size; ++i) {
      const Expr* init = i < e->getNumInits() ? e->getInit(i) : e->getArrayFiller();
      cells.push_back(init ? eval(init) : default_value(array->getElementType()));
    }
    return make_fields(std::move(cells));
  }
  if (e->getNumInits() == 1) return eval(e->getInit(0));
  if (e->getNumInits() == 0) return default_value(type);
  refuse("unsupported-type", "`" + spelled(type) + "` is not followed");
}

Cell Interpreter::init_fields(const CXXRecordDecl* record, ArrayRef<Expr*> inits) {
  std::vector<Cell> cells;
  std::size_t at = 0;
  auto next = [&](QualType type, const Expr* initialiser) {
    if (at < inits.size()) return eval(inits[at++]);
    return initialiser ? eval(initialiser) : default_value(type);
  };
  for (const CXXBaseSpecifier& b : record->bases()) cells.push_back(next(b.getType(), nullptr));
  for (const FieldDecl* f : record->fields())
    cells.push_back(f->isUnnamedBitField() ? make_cell({}) : next(f->getType(), f->getInClassInitializer()));
  return make_fields(std::move(cells));
}

// T() and T{}.
Cell Interpreter::default_value(QualType type) {
  type = type.getCanonicalType().getUnqualifiedType();
  if (type->isBooleanType()) return make_bool(false);
  if (type->isFloatingType()) return make_cell(Sym(0.0));
  if (type->isIntegralOrEnumerationType())
    return make_cell(*from_constant(APValue(ast_.MakeIntValue(0, ast_.LongTy)), type));
  if (type->isPointerType() || type->isNullPtrType()) return make_cell({});
  if (auto* array = ast_.getAsConstantArrayType(type)) {
    std::uint64_t size = array->getSize().getZExtValue();
    if (size > static_cast<std::uint64_t>(limits_.trip_count))
      refuse("unsupported-type", "an array of this length");
    std::vector<Cell> cells;
    for (std::uint64_t i = 0; i < size; ++i) cells.push_back(default_value(array->getElementType()));
    return make_fields(std::move(cells));
  }
  auto* record = type->getAsCXXRecordDecl();
  if (!record || !record->getIdentifier())
    refuse("unsupported-type", "`" + spelled(type) + "` is not followed");
  StringRef name = record->getName();
  auto* special = dyn_cast<ClassTemplateSpecializationDecl>(record);
  auto args = special ? special->getTemplateArgs().asArray() : ArrayRef<TemplateArgument>();
  bool dsl = text_.is_dsl(record->getLocation());
  if (dsl && name == "Tensor") return make_cell(TensorValue{});
  if ((dsl || record->isInStdNamespace()) && (name == "Optional" || name == "optional"))
    return make_cell(OptionalValue{});
  if (record->isInStdNamespace() && name == "array" && args.size() == 2) {
    std::vector<Cell> cells;
    std::uint64_t size = args[1].getAsIntegral().getZExtValue();
    if (size > static_cast<std::uint64_t>(limits_.trip_count))
      refuse("unsupported-type", "an array of this length");
    for (std::uint64_t i = 0; i < size; ++i) cells.push_back(default_value(args[0].getAsType()));
    return make_fields(std::move(cells));
  }
  if (record->isInStdNamespace() && (name == "pair" || name == "tuple")) {
    std::vector<Cell> cells;
    if (args.size() == 1 && args[0].getKind() == TemplateArgument::Pack) args = args[0].getPackAsArray();
    for (const TemplateArgument& a : args) cells.push_back(default_value(a.getAsType()));
    return make_fields(std::move(cells));
  }
  if (dsl && name == "Tensors" && args.size() == 1) {
    std::vector<Cell> cells;
    for (std::uint64_t i = 0, n = args[0].getAsIntegral().getZExtValue(); i < n && i < 4096; ++i)
      cells.push_back(make_cell(TensorValue{}));
    return make_fields(std::move(cells));
  }
  if (dsl && name == "Scalar") return make_cell(Sym(0));
  if ((dsl || !text_.is_user(record->getLocation())) &&
      (name == "Sizes" || name == "TensorList" || name == "vector"))
    return make_fields({});
  if (text_.is_user(record->getLocation()) && !record->isUnion()) return init_fields(record, {});
  refuse("unsupported-type", "`" + spelled(type) + "` is not followed");
}

}  // namespace flashlight::frontend
