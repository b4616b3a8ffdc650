// SPDX-License-Identifier: Apache-2.0
// Finds the functions to read and describes their declarations.
#include "frontend/candidates.h"

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/ExprCXX.h"

namespace flashlight::frontend {

using namespace clang;

namespace {

bool is_marked(const FunctionDecl* f) {
  for (const FunctionDecl* d : f->redecls())
    for (const auto* a : d->specific_attrs<AnnotateAttr>())
      if (a->getAnnotation() == "flashlight::fuse") return true;
  const FunctionDecl* pattern = f->getTemplateInstantiationPattern();
  return pattern && pattern != f && is_marked(pattern);
}

class Search {
 public:
  explicit Search(const SourceText& text) : text_(text) {}

  void context(const DeclContext* c) {
    for (const Decl* d : c->decls()) {
      if (d->isImplicit() || !text_.is_user(d->getLocation())) {
        // A linkage specification has no place of its own.
        if (auto* l = dyn_cast<LinkageSpecDecl>(d); l && text_.is_user(l->getBeginLoc())) context(l);
        continue;
      }
      if (auto* f = dyn_cast<FunctionDecl>(d)) consider(f);
      else if (auto* t = dyn_cast<FunctionTemplateDecl>(d)) functions_of(t);
      else if (auto* t = dyn_cast<ClassTemplateDecl>(d)) {
        for (const auto* s : t->specializations())
          if (s->hasDefinition() && s->getTemplateSpecializationKind() != TSK_ExplicitSpecialization)
            context(s);
      } else if (auto* inner = dyn_cast<DeclContext>(d)) {
        if (isa<NamespaceDecl>(d) || isa<LinkageSpecDecl>(d) || isa<CXXRecordDecl>(d)) context(inner);
      }
    }
  }

  std::vector<const FunctionDecl*> result() {
    std::vector<const FunctionDecl*> out = bodiless_;
    std::set<const FunctionDecl*> called;
    for (const FunctionDecl* f : defined_) {
      if (!text_.is_main(f->getLocation())) continue;
      if (is_candidate(f)) out.push_back(f);
      else callees(f->getBody(), called);
    }
    for (const FunctionDecl* f : defined_)
      if (!text_.is_main(f->getLocation()) && (is_marked(f) || (called.count(f) && is_candidate(f))))
        out.push_back(f);
    return out;
  }

 private:
  void functions_of(const FunctionTemplateDecl* t) {
    const FunctionDecl* pattern = t->getTemplatedDecl();
    if (t->specializations().empty() && t == t->getCanonicalDecl() && text_.is_main(t->getLocation()) &&
        is_marked(pattern) && !t->getDeclContext()->isDependentContext())
      bodiless_.push_back(pattern);
    for (const FunctionDecl* s : t->specializations())
      if (s->getTemplateSpecializationKind() != TSK_ExplicitSpecialization) consider(s);
  }
  void consider(const FunctionDecl* f) {
    if (f->isDependentContext() || f->isDefaulted()) return;
    if (!f->doesThisDeclarationHaveABody()) {
      if (text_.is_main(f->getLocation()) && is_marked(f) && !f->getDefinition() &&
          f == f->getCanonicalDecl())
        bodiless_.push_back(f);
      return;
    }
    if (isa<CXXConstructorDecl>(f) || isa<CXXDestructorDecl>(f) || isa<CXXConversionDecl>(f)) return;
    defined_.push_back(f);
  }
  bool is_candidate(const FunctionDecl* f) {
    if (is_marked(f)) return true;
    // A lambda as a parameter: the caller is read, with the lambda in hand.
    for (const ParmVarDecl* p : f->parameters())
      if (auto* r = p->getType().getNonReferenceType()->getAsCXXRecordDecl(); r && r->isLambda())
        return false;
    const bool returns =
        holds_tensor(f->getReturnType(), 4) || (f->getReturnType()->isVoidType() && writes_tensor(f));
    if (f->isConstexpr() || f->isMain() || !returns || !takes_tensor(f)) return false;
    std::set<const FunctionDecl*> seen;
    return reaches_op(f, seen);
  }

  bool is_tensor(const CXXRecordDecl* r) const {
    return r && r->getIdentifier() && r->getName() == "Tensor" && text_.is_dsl(r->getLocation());
  }
  bool holds_tensor(QualType type, int depth) const {
    auto* record = type.getNonReferenceType()->getAsCXXRecordDecl();
    if (!record || depth == 0 || !record->hasDefinition()) return false;
    if (is_tensor(record)) return true;
    if (text_.is_dsl(record->getLocation())) return record->getName().starts_with("Tensor");
    if (auto* special = dyn_cast<ClassTemplateSpecializationDecl>(record);
        special && record->isInStdNamespace()) {
      auto args = special->getTemplateArgs().asArray();
      if (args.size() == 1 && args[0].getKind() == TemplateArgument::Pack) args = args[0].getPackAsArray();
      for (const TemplateArgument& a : args)
        if (a.getKind() == TemplateArgument::Type && holds_tensor(a.getAsType(), depth - 1)) return true;
      return false;
    }
    if (!text_.is_user(record->getLocation())) return false;
    for (const FieldDecl* f : record->fields())
      if (holds_tensor(f->getType(), depth - 1)) return true;
    return false;
  }

  // A result by way of a parameter.
  bool writes_tensor(const FunctionDecl* f) const {
    return std::any_of(f->param_begin(), f->param_end(), [&](const ParmVarDecl* p) {
      const QualType to = p->getType()->getPointeeType();
      return !to.isNull() && !to.isConstQualified() && is_tensor(to->getAsCXXRecordDecl());
    });
  }

  // What makes tensors out of nothing is setup, not a kernel.
  bool takes_tensor(const FunctionDecl* f) const {
    for (const ParmVarDecl* p : f->parameters())
      if (holds_tensor(p->getType(), 4)) return true;
    auto* method = dyn_cast<CXXMethodDecl>(f);
    return method && !method->isStatic() && holds_tensor(method->getThisType()->getPointeeType(), 4);
  }

  bool reaches_op(const FunctionDecl* f, std::set<const FunctionDecl*>& seen) {
    const FunctionDecl* definition = nullptr;
    const Stmt* body = f->getBody(definition);
    if (!body || !seen.insert(definition).second || seen.size() > 200) return false;
    std::set<const FunctionDecl*> called;
    callees(body, called);
    for (const FunctionDecl* c : called)
      if (text_.is_dsl(c->getLocation()) && is_op(c)) return true;
    for (const FunctionDecl* c : called)
      if (text_.is_user(c->getLocation()) && reaches_op(c, seen)) return true;
    return false;
  }
  bool is_op(const FunctionDecl* f) const {
    return !isa<CXXConstructorDecl>(f) && f->getOverloadedOperator() != OO_Equal &&
           f->getOverloadedOperator() != OO_Subscript && holds_tensor(f->getReturnType(), 2);
  }

  void callees(const Stmt* s, std::set<const FunctionDecl*>& out) const {
    if (!s) return;
    if (auto* call = dyn_cast<CallExpr>(s); call && call->getDirectCallee())
      out.insert(call->getDirectCallee());
    if (auto* c = dyn_cast<CXXConstructExpr>(s)) out.insert(c->getConstructor());
    if (auto* name = dyn_cast<DeclRefExpr>(s))
      if (auto* f = dyn_cast<FunctionDecl>(name->getDecl())) out.insert(f);
    if (auto* lambda = dyn_cast<LambdaExpr>(s)) {
      callees(lambda->getBody(), out);
      return;
    }
    for (const Stmt* child : s->children()) callees(child, out);
  }

  const SourceText& text_;
  std::vector<const FunctionDecl*> defined_;
  std::vector<const FunctionDecl*>
      bodiless_;  // marked, and nothing to read: no definition, or no instantiation
};

// Whether the text at `place` may name the type: neither it nor what it is made of is local, or declared
// later.
bool is_named_before(QualType type, SourceLocation place, const SourceManager& sources) {
  type = type.getNonReferenceType();
  if (type->isPointerType() || type->isArrayType())
    return is_named_before(QualType(type->getPointeeOrArrayElementType(), 0), place, sources);
  const TagDecl* tag = type->getAsTagDecl();
  if (!tag) return true;
  if (auto* record = dyn_cast<CXXRecordDecl>(tag); record && record->isLambda()) return false;
  if (tag->getParentFunctionOrMethod()) return false;
  if (auto* special = dyn_cast<ClassTemplateSpecializationDecl>(tag)) {
    for (const TemplateArgument& a : special->getTemplateArgs().asArray())
      if (a.getKind() == TemplateArgument::Type && !is_named_before(a.getAsType(), place, sources))
        return false;
    tag = special->getSpecializedTemplate()->getTemplatedDecl();
  }
  return sources.isBeforeInTranslationUnit(tag->getFirstDecl()->getLocation(), place);
}

// The conditions under which an instantiation is this one, over the names of the template's parameters.
class InstantiationTag {
 public:
  // `place`: where the conditions will stand.
  InstantiationTag(const ASTContext& ast, SourceLocation place) : ast_(ast), place_(place) {}

  // One template's parameters and arguments. False where a parameter has no name, or an argument no spelling:
  // the types that are invented for `auto` parameters of a function aside, which `invented` then says are
  // there.
  bool add(const TemplateParameterList* parameters, ArrayRef<TemplateArgument> arguments) {
    for (unsigned i = 0; i < arguments.size(); ++i) {
      const NamedDecl* p = parameters->getParam(i);
      const TemplateArgument& a = arguments[i];
      const bool is_type = a.getKind() == TemplateArgument::Type;
      if (is_type && isa<TemplateTypeParmDecl>(p) && cast<TemplateTypeParmDecl>(p)->isImplicit()) {
        invented = true;
        continue;
      }
      if (!p->getIdentifier()) return false;
      if (is_type) {
        if (!is_nameable(a.getAsType())) return false;
        add("std::is_same_v<" + p->getNameAsString() + ", " + spell(a.getAsType(), ast_) + ">");
      } else if (a.getKind() == TemplateArgument::Integral || a.getKind() == TemplateArgument::Declaration) {
        std::string value;
        llvm::raw_string_ostream out(value);
        PrintingPolicy policy(ast_.getLangOpts());
        policy.SuppressTagKeyword = true;
        a.print(policy, out, /*IncludeType=*/false);
        add(p->getNameAsString() + " == " + out.str());
      } else {
        return false;
      }
    }
    return true;
  }
  bool is_nameable(QualType type) const { return is_named_before(type, place_, ast_.getSourceManager()); }
  void add(const std::string& condition) { text += (text.empty() ? "" : " && ") + condition; }

  std::string text;
  bool invented = false;

 private:
  const ASTContext& ast_;
  SourceLocation place_;
};

// The parameters as the body names them: a definition outside of its class has lists of its own.
const TemplateParameterList* class_parameters(const FunctionDecl* pattern, const ClassTemplateDecl* of,
                                              unsigned outer) {
  if (pattern->isOutOfLine() && outer < pattern->getNumTemplateParameterLists())
    return pattern->getTemplateParameterList(outer);
  return of->getTemplateParameters();
}

// A C++ condition over template parameters that is true in this instantiation only; empty for what is no
// instantiation. Nothing where there is no such condition: a pack, a template as an argument, a parameter
// without a name.
std::optional<std::string> template_tag(const FunctionDecl* f, ASTContext& ast) {
  const FunctionDecl* pattern = f->getTemplateInstantiationPattern();
  if (!pattern || f->getTemplateSpecializationKind() == TSK_ExplicitSpecialization) return std::string();
  InstantiationTag tag(ast, pattern->getLocation());
  std::vector<const ClassTemplateSpecializationDecl*> classes;
  for (const DeclContext* c = f->getParent(); c; c = c->getParent()) {
    auto* of = dyn_cast<ClassTemplateSpecializationDecl>(c);
    if (of && of->getSpecializationKind() != TSK_ExplicitSpecialization) classes.insert(classes.begin(), of);
  }
  for (std::size_t k = 0; k < classes.size(); ++k) {
    auto from = classes[k]->getSpecializedTemplateOrPartial();
    if (!from.is<ClassTemplateDecl*>())
      return std::nullopt;  // a partial specialisation has parameters of its own
    const auto* list = class_parameters(pattern, from.get<ClassTemplateDecl*>(), static_cast<unsigned>(k));
    if (!tag.add(list, classes[k]->getTemplateArgs().asArray())) return std::nullopt;
  }
  if (auto* args = f->getTemplateSpecializationArgs()) {
    const FunctionTemplateDecl* t = pattern->getDescribedFunctionTemplate();
    if (!t) t = f->getPrimaryTemplate();
    if (!tag.add(t->getTemplateParameters(), args->asArray())) return std::nullopt;
  }
  for (const ParmVarDecl* p : f->parameters()) {
    if (!tag.invented || !p->getIdentifier()) continue;  // the types of the parameters say the rest
    if (!tag.is_nameable(p->getType())) return std::nullopt;
    tag.add("std::is_same_v<decltype(" + p->getNameAsString() + "), " + spell(p->getType(), ast) + ">");
  }
  return tag.text;
}

}  // namespace

std::vector<const FunctionDecl*> find_candidates(ASTContext& ast, const SourceText& text) {
  Search search(text);
  search.context(ast.getTranslationUnitDecl());
  // In the order of the text; instantiations of one template in theirs.
  std::vector<std::tuple<bool, unsigned, std::size_t, const FunctionDecl*>> order;
  for (const FunctionDecl* f : search.result()) {
    bool in_main = text.is_main(f->getLocation());
    unsigned offset = in_main ? text.sources().getFileOffset(text.sources().getFileLoc(f->getLocation())) : 0;
    order.emplace_back(!in_main, offset, order.size(), f);
  }
  std::sort(order.begin(), order.end());
  std::vector<const FunctionDecl*> found;
  for (const auto& entry : order) found.push_back(std::get<3>(entry));
  return found;
}

Diagnostic remark(const SourceText& text, SourceLocation where, std::string id, std::string what,
                  std::string hint) {
  Diagnostic d;
  d.severity = Severity::Remark;
  d.id = std::move(id);
  d.where = text.location(where);
  d.text = std::move(what);
  d.hint = std::move(hint);
  d.source_line = text.line(where);
  return d;
}

FunctionSource describe(const FunctionDecl* f, ASTContext& ast, const SourceText& text) {
  FunctionSource out;
  out.name = f->getNameAsString();
  out.qualified_name = f->getQualifiedNameAsString();
  out.result_type = spell(f->getReturnType(), ast);
  for (const ParmVarDecl* p : f->parameters())
    out.parameters.push_back({p->getNameAsString(), spell(p->getType(), ast)});
  out.location = text.location(f->getLocation());
  out.in_main_file = text.is_main(f->getLocation());
  out.must_fuse = is_marked(f);
  if (!f->hasBody() || f->isTemplated()) {
    out.refusal =
        remark(text, f->getLocation(), "no-body",
               f->isTemplated() ? "the template is never instantiated in this file"
                                : "the function has no body in this file",
               f->isTemplated() ? "instantiate it: template Tensor name<...>(...);" : "mark the definition");
    return out;
  }
  const std::optional<std::string> tag = template_tag(f, ast);
  out.template_tag = tag.value_or("");
  auto* body = dyn_cast<CompoundStmt>(f->getBody());
  if (body && out.in_main_file) out.body_offset = text.offset_behind(body->getLBracLoc());
  auto refuse = [&](const char* id, const char* what, const char* hint) {
    out.refusal = remark(text, f->getLocation(), id, what, hint);
  };
  if (!body)
    refuse("unsupported-statement", "the function is a try block as a whole",
           "put the try block inside the body");
  else if (!tag)
    refuse("unsupported-type", "an instantiation that no condition in the body tells from others",
           "name each template parameter, declare types in front of the template, and use neither packs nor "
           "partial "
           "specialisations");
  else if (f->isConstexpr()) refuse("unsupported-type", "a constexpr function", "drop constexpr");
  else if (f->getReturnType()->isVoidType())
    refuse("unsupported-type", "the function returns nothing", "return the result by value");
  else if (out.in_main_file && out.body_offset == 0)
    refuse("unsupported-statement", "the body comes out of a macro", "write the function without the macro");
  else if (f->isVariadic()) refuse("unsupported-type", "a function with a variable number of arguments", "");
  return out;
}

}  // namespace flashlight::frontend
