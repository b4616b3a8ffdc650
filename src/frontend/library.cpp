// SPDX-License-Identifier: Apache-2.0
// std and the DSL's containers by name: their constructors and free functions. Bodies of the standard library
// are never followed.
#include <cmath>

#include "clang/AST/DeclTemplate.h"
#include "frontend/place.h"
#include "llvm/ADT/StringSwitch.h"

namespace flashlight::frontend {

using graph::Sym;
using namespace clang;

namespace {

ArrayRef<TemplateArgument> template_args(const CXXRecordDecl* record) {
  auto* special = dyn_cast_or_null<ClassTemplateSpecializationDecl>(record);
  if (!special) return {};
  auto args = special->getTemplateArgs().asArray();
  return args.size() == 1 && args[0].getKind() == TemplateArgument::Pack ? args[0].getPackAsArray() : args;
}

QualType type_arg(ArrayRef<TemplateArgument> args, std::size_t i) {
  return i < args.size() && args[i].getKind() == TemplateArgument::Type ? args[i].getAsType() : QualType();
}

}  // namespace

std::optional<Cell> Interpreter::library_construct(const CXXConstructExpr* e, StringRef name) {
  std::vector<Cell> args;
  for (const Expr* a : e->arguments())
    if (!isa<CXXDefaultArgExpr>(a)) args.push_back(eval(a));  // allocators
  auto types = template_args(e->getConstructor()->getParent());
  auto element = [&](const Cell& c, std::size_t i) {
    QualType type = type_arg(types, i);
    if (type.isNull()) return copy_cell(c);
    return type->isReferenceType() ? c : convert_to(copy_cell(c), type);
  };
  auto* list = args.empty() ? nullptr : std::get_if<Fields>(&args[0]->value);

  if (name == "Optional" || name == "optional") {
    if (args.empty() || std::holds_alternative<std::monostate>(args[0]->value))
      return make_cell(OptionalValue{});
    if (auto* other = std::get_if<OptionalValue>(&args[0]->value))
      return make_cell(OptionalValue{other->content ? element(other->content, 0) : nullptr});
    if (args.size() == 1) return make_cell(OptionalValue{element(args[0], 0)});
    return std::nullopt;
  }
  if (name == "pair" || name == "tuple") {
    if (args.size() != types.size()) {
      if (args.empty()) return default_value(e->getType());
      if (args.size() != 1 || !list || list->cells.size() != types.size()) return std::nullopt;
      args = std::vector<Cell>(list->cells);
    }
    std::vector<Cell> cells;
    for (std::size_t i = 0; i < args.size(); ++i) cells.push_back(element(args[i], i));
    return make_fields(std::move(cells));
  }
  bool passes =
      llvm::StringSwitch<bool>(name)
          .Cases("Scalar", "TextView", "Text", "Literal", "function", true)
          .Cases("basic_string", "basic_string_view", "initializer_list", "Tensors", "nullptr_t", true)
          .Cases("Sizes", "TensorList", "vector", "array", "span", true)
          .Default(false);
  if (!passes) return std::nullopt;
  if (args.empty()) {
    if (name == "basic_string" || name == "basic_string_view") return make_cell(std::string());
    return default_value(e->getType());
  }
  bool container = name == "Sizes" || name == "TensorList" || name == "vector";
  if (args.size() == 1 && (list || !container || name == "TensorList")) {
    if (!list || name == "function") return copy_cell(args[0]);
    std::vector<Cell> cells;
    for (const Cell& c : list->cells) cells.push_back(name == "Literal" ? copy_cell(c) : element(c, 0));
    return make_fields(std::move(cells));
  }
  if (args.size() == 1 && name == "Sizes") return make_fields({make_cell(sym_of(args[0]))});
  auto* first = std::get_if<Pointer>(&args[0]->value);
  if (args.size() == 2 && container && first) {  // [first, last) or (first, count)
    auto* last = std::get_if<Pointer>(&args[1]->value);
    std::size_t end = last ? last->at : first->at + static_cast<std::size_t>(index_of(args[1]));
    std::vector<Cell> cells;
    for (std::size_t i = first->at; i < end && i < first->cells.size(); ++i)
      cells.push_back(copy_cell(first->cells[i]));
    return make_fields(std::move(cells));
  }
  if (name == "vector" && args.size() <= 2) {  // (count) or (count, value)
    std::int64_t count = index_of(args[0]);
    if (count < 0 || count > limits_.trip_count) refuse("unsupported-type", "a vector of this length");
    std::vector<Cell> cells;
    for (std::int64_t i = 0; i < count; ++i)
      cells.push_back(args.size() == 2 ? element(args[1], 0) : default_value(type_arg(types, 0)));
    return make_fields(std::move(cells));
  }
  return std::nullopt;
}

namespace {

// get<I>(t) and get<T>(t): the position, or -1.
int get_index(const FunctionDecl* f) {
  auto* args = f->getTemplateSpecializationArgs();
  if (!args || args->size() == 0) return -1;
  if (args->get(0).getKind() == TemplateArgument::Integral)
    return static_cast<int>(args->get(0).getAsIntegral().getExtValue());
  if (args->get(0).getKind() != TemplateArgument::Type || f->getNumParams() != 1) return -1;
  auto* record = f->getParamDecl(0)->getType().getNonReferenceType()->getAsCXXRecordDecl();
  int at = 0;
  for (const TemplateArgument& a : template_args(record)) {
    if (a.getKind() == TemplateArgument::Type &&
        a.getAsType().getCanonicalType() == args->get(0).getAsType().getCanonicalType())
      return at;
    ++at;
  }
  return -1;
}

}  // namespace

std::optional<Cell> Interpreter::library_function(const FunctionDecl* f, const std::vector<Cell>& args) {
  if (f->isOverloadedOperator()) {
    if (args.size() == 2) return comparison(f->getOverloadedOperator(), args[0], args[1]);
    return std::nullopt;
  }
  if (!f->getIdentifier()) return std::nullopt;
  StringRef name = f->getName();
  auto copies = [&] {
    std::vector<Cell> cells;
    for (const Cell& c : args) cells.push_back(copy_cell(c));
    return cells;
  };
  if (f->isInStdNamespace()) {
    if (args.size() == 1 && llvm::StringSwitch<bool>(name)
                                .Cases("move", "forward", "as_const", "move_if_noexcept", "ref", "cref", true)
                                .Default(false))
      return args[0];
    if (name == "get" && args.size() == 1) {
      auto* fields = std::get_if<Fields>(&args[0]->value);
      int i = get_index(f);
      if (!fields || i < 0 || i >= static_cast<int>(fields->cells.size())) return std::nullopt;
      return fields->cells[i];
    }
    if (name == "make_pair" || name == "make_tuple") return make_fields(copies());
    if (name == "tie" || name == "forward_as_tuple") return make_fields(args, true);
    if (name == "make_optional" && args.size() == 1) return make_cell(OptionalValue{copy_cell(args[0])});
    if (name == "tuple_cat") {
      std::vector<Cell> cells;
      for (const Cell& c : args) {
        auto* fields = std::get_if<Fields>(&c->value);
        if (!fields) return std::nullopt;
        for (const Cell& element : fields->cells)
          cells.push_back(fields->references ? element : copy_cell(element));
      }
      return make_fields(std::move(cells));
    }
    if ((name == "swap" || name == "exchange") && args.size() == 2) {
      Value a = args[0]->value, b = args[1]->value;
      assign(args[0], b);
      if (name == "swap") assign(args[1], a);
      return make_cell(std::move(a));
    }
    if (name == "invoke" && !args.empty())
      return call_callable(args[0], nullptr, std::vector<Cell>(args.begin() + 1, args.end()));
    if (name == "apply" && args.size() == 2) {
      auto* fields = std::get_if<Fields>(&args[1]->value);
      if (fields) return call_callable(args[0], nullptr, fields->cells);
    }
    if (args.size() == 1 && std::holds_alternative<Fields>(args[0]->value)) {
      auto& cells = std::get<Fields>(args[0]->value).cells;
      if ((name == "max" || name == "min") && !cells.empty()) {
        Sym best = sym_of(cells[0]);
        for (const Cell& c : cells)
          best = graph::make_sym(name == "max" ? graph::SymOp::Max : graph::SymOp::Min, {best, sym_of(c)});
        return make_cell(best);
      }
      return list_method(name, args[0], {});  // std::size, std::begin, std::end, std::data, std::empty
    }
  }
  std::vector<Sym> numbers;
  for (const Cell& c : args) {
    auto* s = std::get_if<Sym>(&c->value);
    if (!s) return std::nullopt;
    numbers.push_back(*s);
  }
  if (numbers.empty()) {  // std::numeric_limits<float>::infinity() and other constants
    if (auto* method = dyn_cast<CXXMethodDecl>(f);
        method && method->getParent()->getName() == "numeric_limits") {
      bool single = ast_.getTypeSize(f->getReturnType()) == 32;
      if (name == "infinity") return make_cell(Sym(HUGE_VAL));
      if (!f->getReturnType()->isFloatingType()) return std::nullopt;
      if (name == "lowest")
        return make_cell(Sym(single ? -3.40282346638528859812e+38 : -1.79769313486231570815e+308));
      if (name == "max")
        return make_cell(Sym(single ? 3.40282346638528859812e+38 : 1.79769313486231570815e+308));
      if (name == "min")
        return make_cell(Sym(single ? 1.17549435082228750797e-38 : 2.22507385850720138309e-308));
      if (name == "epsilon")
        return make_cell(Sym(single ? 1.1920928955078125e-07 : 2.22044604925031308085e-16));
    }
  }
  if (auto s = math_call(name, numbers, f->getReturnType().getNonReferenceType())) return make_cell(*s);
  return std::nullopt;
}

// == and != of optionals with nullopt and of lists; everything else is not followed.
std::optional<Cell> Interpreter::comparison(OverloadedOperatorKind op, const Cell& a, const Cell& b) {
  if (op != OO_EqualEqual && op != OO_ExclaimEqual) {
    auto* x = std::get_if<std::string>(&a->value);
    auto* y = std::get_if<std::string>(&b->value);
    if (op == OO_Plus && x && y) return make_cell(*x + *y);
    return std::nullopt;
  }
  auto answer = [&](Sym equal) {
    return make_cell(op == OO_EqualEqual ? equal : graph::make_sym(graph::SymOp::Not, {equal}));
  };
  auto absent = [](const Cell& c) { return std::holds_alternative<std::monostate>(c->value); };
  for (auto [x, y] : {std::pair(&a, &b), std::pair(&b, &a)})
    if (auto* o = std::get_if<OptionalValue>(&(*x)->value)) {
      if (absent(*y)) return answer(Sym::boolean(!o->content));
      if (!o->content) return answer(Sym::boolean(false));
    }
  if (auto* x = std::get_if<std::string>(&a->value))
    if (auto* y = std::get_if<std::string>(&b->value)) return answer(Sym::boolean(*x == *y));
  if (auto* x = std::get_if<Pointer>(&a->value))  // iterators
    if (auto* y = std::get_if<Pointer>(&b->value)) return answer(Sym::boolean(x->at == y->at));
  auto* x = std::get_if<Fields>(&a->value);
  auto* y = std::get_if<Fields>(&b->value);
  if (!x || !y) return std::nullopt;
  if (x->cells.size() != y->cells.size()) return answer(Sym::boolean(false));
  Sym equal = Sym::boolean(true);
  for (std::size_t i = 0; i < x->cells.size(); ++i) {
    if (!std::holds_alternative<Sym>(x->cells[i]->value)) return std::nullopt;
    equal = graph::make_sym(
        graph::SymOp::And,
        {equal, graph::make_sym(graph::SymOp::Eq, {sym_of(x->cells[i]), sym_of(y->cells[i])})});
  }
  return answer(equal);
}

}  // namespace flashlight::frontend
