// SPDX-License-Identifier: Apache-2.0
// Calls of the DSL: arguments to graph::apply_op and back, storage shared by views, in-place ops, questions
// about dtypes.
#include <set>

#include "clang/AST/DeclTemplate.h"
#include "frontend/place.h"

namespace flashlight::frontend {

using graph::Sym;
using graph::SymType;
using namespace clang;

namespace {

// Ops whose result may share its argument's memory.
bool may_alias(std::string_view op) {
  static const std::set<std::string_view> views = {
      "transpose", "permute", "movedim", "mT",    "unsqueeze", "squeeze", "view",  "reshape",    "flatten",
      "unflatten", "expand",  "narrow",  "slice", "select",    "chunk",   "split", "contiguous", "to"};
  return views.count(op) != 0;
}

std::string op_name(const FunctionDecl* f) {
  if (!f->isOverloadedOperator()) return f->getNameAsString();
  std::string spelling = getOperatorSpelling(f->getOverloadedOperator());
  bool unary = f->getNumParams() + isa<CXXMethodDecl>(f) == 1;
  return unary && (spelling == "-" || spelling == "+") ? "unary" + spelling : spelling;
}

constexpr int kMaxAxes = 16;  // the DSL's limit

constexpr const char* kDTypeNames[] = {"kFloat16", "kBFloat16", "kFloat32", "kFloat64", "kInt8",
                                       "kUInt8",   "kInt32",    "kInt64",   "kBool"};
graph::Type category_of(graph::DType d) {
  if (d == graph::DType::Bool) return graph::Type::Bool;
  return d <= graph::DType::Float64 ? graph::Type::Float : graph::Type::Int;
}

}  // namespace

Cell Interpreter::dsl_call(const FunctionDecl* f, const Cell& self, const std::vector<Cell>& args) {
  std::string name = op_name(f);
  auto* method = dyn_cast<CXXMethodDecl>(f);
  if (method && self && method->getParent()->getName() != "Tensor") {
    if (auto c = library_method(method, self, args)) return *c;
    refuse("unsupported-call", "`" + f->getQualifiedNameAsString() + "` is not followed");
  }
  if (auto c = dsl_query(name, self ? self : args.empty() ? nullptr : args[0], args)) return *c;
  if (method && self) {
    if (name == "=") {
      assign(self, args.at(0)->value);
      bool moves = f->getParamDecl(0)->getType()->isRValueReferenceType();
      if (auto* from = std::get_if<TensorValue>(&args[0]->value); moves && from && args[0] != self)
        *from = {};
      return self;
    }
    if (name == "+=" || name == "-=" || name == "*=" || name == "/=") return dsl_in_place(name, self, args);
  }
  // What the DSL writes in itself is followed like the user's code: attention.h, chunk<N>.
  if (f->hasBody()) {
    Frame frame;
    frame.self = self;
    return enter(f, std::move(frame), args);
  }
  if (!graph::is_op(name))
    refuse("unsupported-call", "`" + name + "` has no meaning inside a fused function",
           "call it outside, before or after the function");
  std::vector<Cell> all = args;
  if (self) all.insert(all.begin(), self);
  return apply(name, all);
}

// What is asked about a tensor without being an op.
std::optional<Cell> Interpreter::dsl_query(llvm::StringRef name, const Cell& self,
                                           const std::vector<Cell>& args) {
  if (name == "is_floating" || name == "is_integer") {
    graph::Type wanted = name == "is_integer" ? graph::Type::Int : graph::Type::Float;
    if (auto* of = std::get_if<DTypeOf>(&self->value)) return dtype_is(*of, std::nullopt, wanted);
    if (auto* d = std::get_if<graph::DType>(&self->value)) return make_bool(category_of(*d) == wanted);
    return std::nullopt;
  }
  auto* t = self ? std::get_if<TensorValue>(&self->value) : nullptr;
  if (!t) return std::nullopt;
  if (name == "defined") return make_bool(t->view.node >= 0);
  if (name == "device") return make_cell(DeviceValue{});
  if (auto* device = args.empty() ? nullptr : std::get_if<DeviceValue>(&args.back()->value);
      device && name == "to") {
    if (!device->cuda)
      refuse("unsupported-call", "a tensor leaves the device", "move it before or after the call");
    return copy_cell(self);
  }
  if (name == "dtype") {
    if (t->view.node < 0) refuse("unsupported-expression", "the dtype of an undefined tensor");
    const graph::DTypeRule& rule = t->view.dtype;
    if (rule.inputs.empty() && rule.constant) return make_cell(*rule.constant);
    return make_cell(DTypeOf{t->view});
  }
  if (name == "item" || name == "data" || name == "raw")
    refuse(in_condition_ ? "dynamic-condition" : "unsupported-call",
           "`" + name.str() + "` reads a tensor's value on the host",
           "write it with where(), or read the value before the call and pass it as a parameter");
  return std::nullopt;
}

Cell Interpreter::apply(std::string_view op, const std::vector<Cell>& args) {
  graph::ArgList list;
  for (const Cell& c : args) list.push_back(to_arg(c->value));
  builder_.at(text_.range(where_));
  graph::Arg result;
  try {
    result = graph::apply_op(builder_, op, list);
  } catch (const graph::LoweringError& error) {
    refuse(error.id, builder_.named(error.what()), error.hint);
  } catch (graph::NeedRank& question) {
    question_ = where_;
    question.name = tensor_access_.at(static_cast<std::size_t>(question.param)).text;
    throw;
  } catch (const graph::NeedFacts& more) {
    for (const auto& [param, rank] : more.facts.ranks)
      if (rank.axes > kMaxAxes)
        refuse("unknown-rank", "the rank of a parameter does not follow from its use",
               "state it: assume(q.dim() == 4)");
    throw;
  }
  std::shared_ptr<Storage> shared;
  if (auto* t = args.empty() ? nullptr : std::get_if<TensorValue>(&args[0]->value)) {
    if (may_alias(op))
      shared = op == "expand" ? std::make_shared<Storage>(Storage{false, t->storage}) : t->storage;
  }
  return from_arg(result, shared);
}

graph::Arg Interpreter::to_arg(const Value& v) {
  if (auto* t = std::get_if<TensorValue>(&v)) {
    if (t->view.node < 0)
      refuse("unsupported-expression", "an undefined tensor takes part in an op", "give it a value first");
    return t->view;
  }
  if (auto* s = std::get_if<Sym>(&v)) return normal_number(*s);
  if (auto* d = std::get_if<graph::DType>(&v)) return *d;
  if (auto* of = std::get_if<DTypeOf>(&v)) return of->view;
  if (auto* text = std::get_if<std::string>(&v)) return *text;
  if (auto* o = std::get_if<OptionalValue>(&v)) return o->content ? to_arg(o->content->value) : graph::Arg();
  if (auto* fields = std::get_if<Fields>(&v)) {
    graph::ArgList list;
    for (const Cell& c : fields->cells) {
      if (!c) refuse("unsupported-type", "a field that has no place in a kernel takes part in an op");
      list.push_back(to_arg(c->value));
    }
    return list;
  }
  if (std::holds_alternative<std::monostate>(v) || std::holds_alternative<DeviceValue>(v)) return {};
  refuse("unsupported-call", std::string(kind_of(v)) + " as an argument of an op");
}

Cell Interpreter::from_arg(const graph::Arg& a, const std::shared_ptr<Storage>& storage) {
  if (auto* view = std::get_if<graph::TensorView>(&a))
    return make_cell(TensorValue{*view, storage ? storage : std::make_shared<Storage>()});
  if (auto* s = std::get_if<Sym>(&a)) return make_cell(*s);
  if (auto* d = std::get_if<graph::DType>(&a)) return make_cell(*d);
  if (auto* text = std::get_if<std::string>(&a)) return make_cell(*text);
  if (auto* list = std::get_if<graph::ArgList>(&a)) {
    std::vector<Cell> cells;
    for (const graph::Arg& element : *list) cells.push_back(from_arg(element, storage));
    return make_fields(std::move(cells));
  }
  return make_cell({});
}

// Mutation is followed where nobody else can see it: fresh storage that no other live handle or view shares.
Cell Interpreter::dsl_in_place(const std::string& op, const Cell& self, const std::vector<Cell>& args) {
  auto* t = std::get_if<TensorValue>(&self->value);
  if (!t || t->view.node < 0) refuse("unsupported-expression", "`" + op + "` on an undefined tensor");
  const std::string x = name_of(self), instead = "write `" + x + " = " + x + " " + op.substr(0, 1) + " ...`";
  if (t->storage->external)
    refuse("aliased-mutation", "`" + op + "` would write to the caller's tensor", instead);
  if (t->storage->behind)
    refuse("aliased-mutation",
           "`" + op + "` writes to an expanded tensor, in which several elements share memory", instead);
  if (t->storage.use_count() > 1)
    refuse("aliased-mutation", "`" + op + "` writes to memory that another tensor shares",
           instead + ", or take a clone() first");
  std::vector<Cell> all = args;
  all.insert(all.begin(), self);
  Cell result = apply(op, all);
  t->view = std::get<TensorValue>(result->value).view;
  return self;
}

// The variable that the cell is, for hints; of several that refer to it the first by name.
std::string Interpreter::name_of(const Cell& cell) const {
  std::string found;
  for (const auto& [variable, value] : frame_->variables) {
    const std::string name = variable->getNameAsString();
    if (value == cell && !name.empty() && (found.empty() || name < found)) found = name;
  }
  return found.empty() ? "x" : found;
}

// A yes-or-no question that the launcher answers; `question` is C++ in the function's scope, which makes
// sense only where `present` holds (empty: always).
bool Interpreter::ask_at_launch(const std::string& question, const std::string& present) {
  auto known = questions_.find(question);
  if (known == questions_.end()) {
    const std::string text = present.empty() ? question : "(" + present + " && " + question + ")";
    known = questions_.emplace(question, builder_.scalar_param(scalars_++, SymType::Boolean, question, text))
                .first;
  }
  return decide_sym(known->second);
}

Cell Interpreter::dtype_is(const DTypeOf& of, std::optional<graph::DType> exactly, graph::Type category) {
  const graph::DTypeRule& rule = of.view.dtype;
  int param = rule.inputs.size() == 1 && !rule.constant ? rule.inputs[0] : -1;
  const auto& types = builder_.facts().types;
  // On the second reading the category is known because the first one asked: the question stays.
  bool category_known = param < 0 || (types.count(param) && !reading_.category_asked.count(param));
  if (category_known) {
    graph::Type have = param < 0 ? of.view.type : types.at(param);
    if (have != category) return make_bool(false);
    if (!exactly || *exactly == graph::DType::Bool) return make_bool(true);
  }
  if (param < 0 || param >= static_cast<int>(tensor_access_.size()))
    refuse("dynamic-condition", "the branch depends on a dtype that is known at launch only");
  const Access& access = tensor_access_[static_cast<std::size_t>(param)];
  std::string dtype = "(" + access.text + ").dtype()";
  std::string question = exactly ? dtype + " == flashlight::" + kDTypeNames[static_cast<int>(*exactly)]
                                 : std::string("flashlight::") +
                                       (category == graph::Type::Float ? "is_floating" : "is_integer") + "(" +
                                       dtype + ")";
  if (!ask_at_launch(question, access.present)) return make_bool(false);
  if (category != graph::Type::Float && !types.count(param)) {
    reading_.category_asked.insert(param);
    builder_.need_type(param, category);
  }
  return make_bool(true);
}

Cell Interpreter::compare_dtypes(BinaryOperatorKind op, const Cell& a, const Cell& b) {
  auto* d = std::get_if<graph::DType>(&a->value);
  auto* e = std::get_if<graph::DType>(&b->value);
  if (d && e)
    return make_cell(arithmetic(op, Sym(static_cast<int>(*d)), Sym(static_cast<int>(*e)), ast_.BoolTy));
  auto* here = std::get_if<DeviceValue>(&a->value);
  auto* there = std::get_if<DeviceValue>(&b->value);
  if (here && there && (op == BO_EQ || op == BO_NE))
    return make_bool((here->cuda == there->cuda) == (op == BO_EQ));
  auto* of = std::get_if<DTypeOf>(d ? &b->value : &a->value);
  if (!of || !(d || e) || (op != BO_EQ && op != BO_NE))
    refuse("dynamic-condition",
           "a comparison of " + std::string(kind_of(a->value)) + " with " + kind_of(b->value));
  graph::DType wanted = d ? *d : *e;
  Cell same = dtype_is(*of, wanted, category_of(wanted));
  bool equal = sym_of(same).real() != 0;
  return make_bool(equal == (op == BO_EQ));
}

}  // namespace flashlight::frontend
