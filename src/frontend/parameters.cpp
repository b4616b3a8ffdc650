// SPDX-License-Identifier: Apache-2.0
// The function's edge: parameters flattened into tensors and scalars, results into outputs.
#include <algorithm>
#include <charconv>
#include <utility>

#include "clang/AST/DeclTemplate.h"
#include "frontend/place.h"

namespace flashlight::frontend {

using graph::Sym;
using graph::SymType;
using namespace clang;

namespace {

constexpr int kMaxElements = 64;  // of one array parameter

ArrayRef<TemplateArgument> arguments_of(const CXXRecordDecl* record) {
  auto* special = dyn_cast<ClassTemplateSpecializationDecl>(record);
  if (!special) return {};
  auto args = special->getTemplateArgs().asArray();
  return args.size() == 1 && args[0].getKind() == TemplateArgument::Pack ? args[0].getPackAsArray() : args;
}

}  // namespace

std::vector<graph::Output> Interpreter::run(const FunctionDecl* f) {
  Frame frame;
  frame.function = f;
  frame_ = &frame;
  callers_ = {f};
  if (auto* method = dyn_cast<CXXMethodDecl>(f); method && !method->isStatic()) {
    frame.self = struct_parameter(method->getParent(), "", "", true);
    for (const Cell& field : std::get<Fields>(frame.self->value).cells)
      if (field) field->readonly = true;
  }
  for (const ParmVarDecl* p : f->parameters()) frame.variables[p] = parameter(p);
  where_ = f->getLocation();
  exec(f->getBody());
  if (!frame.result)
    refuse_at(f->getLocation(), "unsupported-statement", "the function ends without a return");
  std::vector<graph::Output> outputs;
  std::string text;
  results(frame.result, f->getReturnType(), "", outputs, text);
  if (outputs.empty()) refuse_at(f->getLocation(), "unsupported-type", "the function returns no tensor");
  // A deduced return type cannot be deduced from a braced list.
  if (text[0] == '{' && f->getDeclaredReturnType()->getContainedDeducedType())
    text = spelled(f->getReturnType().getCanonicalType()) + text;
  result_expression_ = text;
  return outputs;
}

Cell Interpreter::parameter(const ParmVarDecl* p) {
  QualType type = p->getType();
  Cell c = parameter(type.getNonReferenceType(), p->getNameAsString(), p->getNameAsString(),
                     reading_.all_parameters || p->isReferenced() || p->isUsed());
  bool callers = type->isLValueReferenceType() && !type.getNonReferenceType().isConstQualified();
  if (c && callers) {
    c->readonly = true;
    if (auto* fields = std::get_if<Fields>(&c->value))
      for (const Cell& element : fields->cells)
        if (element) element->readonly = true;
  }
  return c;
}

Cell Interpreter::scalar_parameter(SymType type, const std::string& name, const std::string& access) {
  const std::string absent = type == SymType::Boolean ? "false" : "0";
  return make_cell(builder_.scalar_param(scalars_++, type, name, where_present(access, absent)));
}

// What lies in an optional is handed to the launcher on every call, also where the optional is empty.
std::string Interpreter::where_present(const std::string& access, const std::string& absent) const {
  return present_.empty() ? access : "(" + present_ + " ? " + access + " : " + absent + ")";
}

// Null: a type that has no place in a kernel; that matters only where the function uses it.
Cell Interpreter::parameter(QualType type, const std::string& name, const std::string& access,
                            bool referenced) {
  type = type.getNonReferenceType().getCanonicalType().getUnqualifiedType();
  if (name.empty() || !referenced) return nullptr;
  if (type->isBooleanType()) return scalar_parameter(SymType::Boolean, name, access);
  if (type->isFloatingType()) return scalar_parameter(SymType::Real, name, access);
  if (type->isScopedEnumeralType()) {
    if (text_.is_dsl(type->castAs<EnumType>()->getDecl()->getLocation())) return nullptr;  // DType, Device
    return scalar_parameter(SymType::Integer, name, "static_cast<long>(" + access + ")");
  }
  if (type->isIntegralOrEnumerationType()) {
    Cell number = scalar_parameter(SymType::Integer, name, access);
    if (!type->isUnsignedIntegerType()) return number;
    fitting(sym_of(number), type);  // of 64 bits: it is handed on with a sign
    unsigned_.insert(scalars_ - 1);
    return number;
  }
  auto* record = type->getAsCXXRecordDecl();
  if (!record || record->isLambda()) return nullptr;
  StringRef kind = record->getIdentifier() ? record->getName() : "";
  bool dsl = text_.is_dsl(record->getLocation()), std = record->isInStdNamespace();
  if (dsl && kind == "Tensor") {
    tensor_access_.push_back({access, present_});
    auto storage = std::make_shared<Storage>(Storage{true, nullptr});
    const std::string given = where_present(access, "flashlight::Tensor()");
    return make_cell(TensorValue{builder_.input(tensors_++, name, given), storage});
  }
  if (dsl && kind == "Scalar") {
    if (ask_at_launch(access + ".is_float()", present_))
      return scalar_parameter(SymType::Real, name, access + ".to_double()");
    return scalar_parameter(SymType::Integer, name, access + ".to_int()");
  }
  auto args = arguments_of(record);
  if ((dsl && kind == "Optional") || (std && kind == "optional")) {
    const std::string question = access + ".has_value()";
    if (!ask_at_launch(question, present_)) return make_cell(OptionalValue{});
    const std::string outside =
        std::exchange(present_, present_.empty() ? question : present_ + " && " + question);
    Cell content = parameter(args[0].getAsType(), name, "(*" + access + ")", true);
    present_ = outside;
    return content ? make_cell(OptionalValue{content}) : nullptr;
  }
  auto list = [&](std::size_t n, auto&& type_of, auto&& access_of) -> Cell {
    if (n > kMaxElements) return nullptr;
    std::vector<Cell> cells;
    for (std::size_t i = 0; i < n; ++i) {
      cells.push_back(parameter(type_of(i), name + std::to_string(i), access_of(i), true));
      if (!cells.back()) return nullptr;
    }
    return make_fields(std::move(cells));
  };
  auto indexed = [&](std::size_t i) { return access + "[" + std::to_string(i) + "]"; };
  if (std && kind == "array" && args.size() == 2)
    return list(
        args[1].getAsIntegral().getZExtValue(), [&](std::size_t) { return args[0].getAsType(); }, indexed);
  if (dsl && kind == "Tensors" && args.size() == 1) {
    QualType tensor = ast_.getRecordType(
        cast<CXXRecordDecl>(record->getDeclContext()->lookup(&ast_.Idents.get("Tensor")).front()));
    return list(args[0].getAsIntegral().getZExtValue(), [&](std::size_t) { return tensor; }, indexed);
  }
  if (std && kind == "pair")
    return list(
        2, [&](std::size_t i) { return args[i].getAsType(); },
        [&](std::size_t i) { return access + (i ? ".second" : ".first"); });
  if (std && kind == "tuple")
    return list(
        args.size(), [&](std::size_t i) { return args[i].getAsType(); },
        [&](std::size_t i) { return "std::get<" + std::to_string(i) + ">(" + access + ")"; });
  if (!text_.is_user(record->getLocation()) || !record->hasDefinition() || record->isUnion()) return nullptr;
  return struct_parameter(record, name, access, false);
}

// The fields of a struct, or of *this from `inside` a member function. A field that has no place in a kernel
// is an error only where it is used.
Cell Interpreter::struct_parameter(const CXXRecordDecl* record, const std::string& name,
                                   const std::string& access, bool inside) {
  std::vector<Cell> cells;
  for (const CXXBaseSpecifier& b : record->bases()) {
    auto* base = b.getType()->getAsCXXRecordDecl();
    bool known = base && base->hasDefinition() && !b.isVirtual() && text_.is_user(base->getLocation());
    cells.push_back(known ? struct_parameter(base, name, access, inside) : nullptr);
  }
  for (const FieldDecl* f : record->fields()) {
    bool reachable =
        f->getIdentifier() && (inside || f->getAccess() == AS_public || f->getAccess() == AS_none);
    std::string field = f->getNameAsString();
    cells.push_back(!reachable     ? nullptr
                    : name.empty() ? parameter(f->getType(), field, "this->" + field, true)
                                   : parameter(f->getType(), name + "." + field, access + "." + field, true));
  }
  return make_fields(std::move(cells));
}

namespace {

std::string number_text(const Sym& s) {
  if (s.type() == SymType::Boolean) return s.integer() ? "true" : "false";
  if (s.type() == SymType::Integer) return std::to_string(s.integer());
  char buffer[64];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, s.real());
  return error == std::errc() ? std::string(buffer, end) : std::string("0");
}

}  // namespace

void Interpreter::results(const Cell& c, QualType type, const std::string& path,
                          std::vector<graph::Output>& outputs, std::string& text) {
  type = type.getCanonicalType();
  if (type->isReferenceType())
    refuse_at(frame_->function->getLocation(), "unsupported-type", "the function returns a reference",
              "return the tensor by value");
  if (auto* t = std::get_if<TensorValue>(&c->value)) {
    if (t->view.node < 0) {
      text += "flashlight::Tensor()";
      return;
    }
    text += "$" + std::to_string(outputs.size());
    outputs.push_back({t->view, path});
    return;
  }
  if (auto* s = std::get_if<Sym>(&c->value); s && s->is_constant()) {
    text += number_text(*s);
    return;
  }
  auto* fields = std::get_if<Fields>(&c->value);
  auto* record = type->getAsCXXRecordDecl();
  bool whole =
      fields && std::none_of(fields->cells.begin(), fields->cells.end(), [](const Cell& f) { return !f; });
  if (!whole || !record)
    refuse_at(frame_->function->getLocation(), "unsupported-type",
              "the result holds " + std::string(kind_of(c->value)),
              "return tensors, and pairs, tuples, arrays or structs of them");
  bool std = record->isInStdNamespace(), dsl = text_.is_dsl(record->getLocation());
  auto args = arguments_of(record);
  auto descend = [&](QualType element, std::size_t i, const std::string& step) {
    if (i) text += ", ";
    results(fields->cells[i], element, path + step, outputs, text);
  };
  bool tensors = dsl && record->getName() == "Tensors";
  if (tensors) text += spelled(type) + "(flashlight::TensorList";
  text += "{";
  std::size_t n = fields->cells.size();
  if (std && record->getName() == "pair") {
    for (std::size_t i = 0; i < n; ++i) descend(args[i].getAsType(), i, i ? ".second" : ".first");
  } else if (std && record->getName() == "tuple") {
    for (std::size_t i = 0; i < n; ++i) descend(args[i].getAsType(), i, "[" + std::to_string(i) + "]");
  } else if (std || dsl) {  // array, vector, TensorList, Tensors
    QualType element = std && !args.empty() && args[0].getKind() == TemplateArgument::Type
                           ? args[0].getAsType()
                           : ast_.VoidTy;
    for (std::size_t i = 0; i < n; ++i) descend(element, i, "[" + std::to_string(i) + "]");
  } else {
    if (!record->isAggregate())
      refuse_at(frame_->function->getLocation(), "unsupported-type",
                "the result `" + spelled(type) + "` is no aggregate", "return a struct without constructors");
    std::size_t i = 0;
    for (const CXXBaseSpecifier& b : record->bases()) descend(b.getType(), i, ""), ++i;
    for (const FieldDecl* f : record->fields()) descend(f->getType(), i, "." + f->getNameAsString()), ++i;
  }
  text += tensors ? "})" : "}";
}

std::string Interpreter::spelled(QualType type) const { return spell(type, ast_); }

void Interpreter::refuse(std::string id, std::string text, std::string hint) const {
  throw Refusal{std::move(id), where_, std::move(text), std::move(hint)};
}

void Interpreter::refuse_at(SourceLocation where, std::string id, std::string text, std::string hint) const {
  throw Refusal{std::move(id), where, std::move(text), std::move(hint)};
}

}  // namespace flashlight::frontend
