// SPDX-License-Identifier: Apache-2.0
// std and the DSL's containers by name: their methods.
#include "clang/AST/DeclTemplate.h"
#include "frontend/place.h"

namespace flashlight::frontend {

using graph::Sym;
using namespace clang;

std::optional<Cell> Interpreter::library_method(const CXXMethodDecl* m, const Cell& self,
                                                const std::vector<Cell>& args) {
  std::string name = m->getNameAsString();
  if (isa<CXXConversionDecl>(m)) name = "conversion";
  if (auto* o = std::get_if<OptionalValue>(&self->value); o || name == "reset" || name == "emplace")
    return optional_method(name, m, self, args);
  if (std::holds_alternative<Fields>(self->value)) {
    if (name == "get") {
      auto* I = m->getTemplateSpecializationArgs();
      if (I && I->size() == 1)
        return list_method("at", self, {make_cell(Sym((long)I->get(0).getAsIntegral().getExtValue()))});
    }
    return list_method(name, self, args);
  }
  if (std::holds_alternative<Closure>(self->value) || std::holds_alternative<FunctionRef>(self->value)) {
    if (name == "operator()") return call_callable(self, nullptr, args);
    if (name == "conversion") return make_bool(true);
    if (name == "operator=") {
      assign(self, args.at(0)->value);
      return self;
    }
    return std::nullopt;
  }
  if (auto* p = std::get_if<Pointer>(&self->value)) {  // iterators
    if (name == "operator*") return pointee(self);
    if (name == "operator->") return self;
    if (name == "operator++" || name == "operator--") {
      Cell before = copy_cell(self);
      p->at += name == "operator++" ? 1 : -1;
      return args.empty() ? self : before;
    }
    if ((name == "operator+" || name == "operator-") && args.size() == 1 &&
        std::holds_alternative<Sym>(args[0]->value)) {
      std::int64_t by = index_of(args[0]);
      return make_cell(Pointer{p->cells, p->at + static_cast<std::size_t>(name == "operator+" ? by : -by)});
    }
    return std::nullopt;
  }
  if (auto* text = std::get_if<std::string>(&self->value)) {
    if (name == "size" || name == "length") return make_cell(Sym(static_cast<long>(text->size())));
    if (name == "empty") return make_bool(text->empty());
    if (name == "c_str" || name == "data") return self;
    return std::nullopt;
  }
  if (std::holds_alternative<Sym>(self->value)) {  // Scalar
    Sym s = sym_of(self);
    if (name == "to_double") return make_cell(convert(s, ast_.DoubleTy));
    if (name == "to_int") return make_cell(convert(s, ast_.LongTy));
    if (name == "is_float") return make_bool(s.type() == graph::SymType::Real);
    if (name == "operator=") {
      assign(self, args.at(0)->value);
      return self;
    }
  }
  if (name == "operator=" && args.size() == 1) {
    assign(self, args[0]->value);
    return self;
  }
  return std::nullopt;
}

std::optional<Cell> Interpreter::optional_method(StringRef name, const CXXMethodDecl* m, const Cell& self,
                                                 const std::vector<Cell>& args) {
  auto* o = std::get_if<OptionalValue>(&self->value);
  if (!o) return std::nullopt;
  QualType type;
  if (auto* special = dyn_cast<ClassTemplateSpecializationDecl>(m->getParent()))
    if (special->getTemplateArgs().size() >= 1) type = special->getTemplateArgs()[0].getAsType();
  auto wrap = [&](const Cell& c) { return type.isNull() ? copy_cell(c) : convert_to(copy_cell(c), type); };
  if (name == "has_value") return make_bool(o->content != nullptr);
  if (name == "conversion") {
    auto* conversion = cast<CXXConversionDecl>(m);
    return conversion->getConversionType()->isBooleanType() ? make_bool(o->content != nullptr)
                                                            : copy_cell(self);
  }
  if (name == "operator->" || name == "operator*" || name == "value") {
    if (!o->content) refuse("unsupported-expression", "the value of an optional that is empty here");
    return name == "operator->" ? make_cell(Pointer{{o->content}, 0}) : o->content;
  }
  if (name == "value_or") return o->content ? copy_cell(o->content) : wrap(args.at(0));
  if (name == "operator=") {
    OptionalValue next;
    if (auto* other = std::get_if<OptionalValue>(&args.at(0)->value)) {
      if (other->content) next.content = wrap(other->content);
    } else if (!std::holds_alternative<std::monostate>(args[0]->value)) {
      next.content = wrap(args[0]);
    }
    assign(self, next);
    return self;
  }
  if (name == "reset") {
    assign(self, OptionalValue{});
    return make_cell({});
  }
  if (name == "emplace" && args.size() == 1) {
    assign(self, OptionalValue{wrap(args[0])});
    return std::get<OptionalValue>(self->value).content;
  }
  return std::nullopt;
}

std::optional<Cell> Interpreter::list_method(StringRef name, const Cell& self,
                                             const std::vector<Cell>& args) {
  auto& cells = std::get<Fields>(self->value).cells;
  auto at = [&](std::int64_t i) {
    if (i < 0 || i >= static_cast<std::int64_t>(cells.size()))
      refuse("unsupported-expression",
             "index " + std::to_string(i) + " into a list of " + std::to_string(cells.size()));
    return cells[static_cast<std::size_t>(i)];
  };
  auto position = [&](const Cell& c) -> std::size_t {
    auto* p = std::get_if<Pointer>(&c->value);
    std::int64_t i = p ? static_cast<std::int64_t>(p->at) : index_of(c);
    if (i < 0 || i > static_cast<std::int64_t>(cells.size()))
      refuse("unsupported-expression",
             "position " + std::to_string(i) + " in a list of " + std::to_string(cells.size()));
    return static_cast<std::size_t>(i);
  };
  bool writes = name == "push_back" || name == "emplace_back" || name == "pop_back" || name == "clear" ||
                name == "insert" || name == "erase" || name == "fill" || name == "operator=" ||
                name == "resize";
  if (writes && self->readonly)
    refuse("aliased-mutation", "this writes to a variable that belongs to the caller",
           "return the value instead");
  if (name == "size" || name == "ssize") return make_cell(Sym(static_cast<long>(cells.size())));
  if (name == "empty") return make_bool(cells.empty());
  if ((name == "operator[]" || name == "at") && args.size() == 1) return at(index_of(args[0]));
  if (name == "front") return at(0);
  if (name == "back") return at(static_cast<std::int64_t>(cells.size()) - 1);
  if (name == "begin" || name == "cbegin" || name == "data") return make_cell(Pointer{cells, 0});
  if (name == "end" || name == "cend") return make_cell(Pointer{cells, cells.size()});
  if (name == "conversion") return copy_cell(self);
  if (name == "reserve" || name == "shrink_to_fit") return make_cell({});
  if ((name == "push_back" || name == "emplace_back") && args.size() == 1) {
    if (cells.size() >= static_cast<std::size_t>(limits_.trip_count))
      refuse("too-large", "a list of this length");
    cells.push_back(copy_cell(args[0]));
    return cells.back();
  }
  if (name == "pop_back" && !cells.empty()) {
    cells.pop_back();
    return make_cell({});
  }
  if (name == "clear") {
    cells.clear();
    return make_cell({});
  }
  if (name == "insert" && args.size() == 2 && !std::holds_alternative<Fields>(args[1]->value)) {
    cells.insert(cells.begin() + static_cast<std::ptrdiff_t>(position(args[0])), copy_cell(args[1]));
    return make_cell({});
  }
  if (name == "erase" && args.size() == 1) {
    std::size_t i = position(args[0]);
    if (i < cells.size()) cells.erase(cells.begin() + static_cast<std::ptrdiff_t>(i));
    return make_cell({});
  }
  if (name == "fill" && args.size() == 1) {
    for (Cell& c : cells) assign(c, copy_value(args[0]->value));
    return make_cell({});
  }
  if (name == "operator=" && args.size() == 1) {
    assign(self, args[0]->value);
    return self;
  }
  if (name == "operator==" && args.size() == 1) return comparison(OO_EqualEqual, self, args[0]);
  return std::nullopt;
}

}  // namespace flashlight::frontend
