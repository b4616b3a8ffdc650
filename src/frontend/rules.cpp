// SPDX-License-Identifier: Apache-2.0
// Pairs of functions that a file defines, read with common facts.
#include "frontend/rules.h"

#include "clang/AST/DeclCXX.h"
#include "frontend/candidates.h"
#include "frontend/function_reader.h"
#include "frontend/large_stack.h"
#include "frontend/parse.h"

namespace flashlight::frontend {

using namespace clang;

namespace {

struct Pair {
  const DeclContext* context = nullptr;
  const FunctionDecl *pattern = nullptr, *replacement = nullptr;
};

// In the order of the text.
class Pairs {
 public:
  explicit Pairs(const SourceText& text) : text_(text) {}

  void search(const DeclContext* c) {
    Pair pair;
    pair.context = c;
    std::vector<const DeclContext*> inner;
    for (const Decl* d : c->decls()) {
      if (d->isImplicit() || !text_.is_main(d->getLocation())) continue;
      if (auto* f = dyn_cast<FunctionDecl>(d); f && f->doesThisDeclarationHaveABody() && f->getIdentifier()) {
        if (f->getName() == "pattern") pair.pattern = f;
        if (f->getName() == "replacement") pair.replacement = f;
      }
      if (isa<NamespaceDecl>(d) || isa<CXXRecordDecl>(d)) inner.push_back(cast<DeclContext>(d));
    }
    if (pair.pattern || pair.replacement) found_.push_back(pair);
    for (const DeclContext* i : inner) search(i);
  }
  const std::vector<Pair>& found() const { return found_; }

 private:
  const SourceText& text_;
  std::vector<Pair> found_;
};

class RuleReader {
 public:
  RuleReader(ASTContext& ast, const SourceText& text, RuleFile& out) : ast_(ast), text_(text), out_(out) {}

  void read(const Pair& pair) {
    const FunctionDecl* any = pair.pattern ? pair.pattern : pair.replacement;
    try {
      out_.rules.push_back(rule_of(pair, any));
    } catch (const Refusal& r) {
      error(r.where.isValid() ? r.where : any->getLocation(), r.id, r.text, r.hint);
    }
  }

 private:
  void error(SourceLocation where, const std::string& id, const std::string& what, const std::string& hint) {
    Diagnostic d = remark(text_, where, id, what, hint);
    d.severity = Severity::Error;
    out_.program.diagnostics.push_back(std::move(d));
  }
  [[noreturn]] static void malformed(const FunctionDecl* f, const std::string& text,
                                     const std::string& hint) {
    throw Refusal{"malformed-rule", f->getLocation(), text, hint};
  }

  rewrite::Rule rule_of(const Pair& pair, const FunctionDecl* any) {
    if (!pair.pattern || !pair.replacement)
      malformed(any, std::string("a rule without its ") + (pair.pattern ? "replacement" : "pattern"),
                "write both as static functions of one struct");
    check_parameters(pair);
    rewrite::Rule rule;
    auto* named = cast<NamedDecl>(Decl::castFromDeclContext(pair.context));
    rule.name = named->getNameAsString();
    const Location at = text_.location(named->getLocation());
    rule.location = at.file + ":" + std::to_string(at.line);
    rule.mathematics = comment_above(at.line);
    rule.phase = phase_of(pair.context, any);
    for (const ParmVarDecl* p : pair.pattern->parameters()) {
      if (!is_tensor(p)) continue;
      const std::string type = spell(p->getType().getNonReferenceType().getUnqualifiedType(), ast_);
      rule.finite.push_back(StringRef(type).ends_with("Finite"));
      rule.masked.push_back(StringRef(type).ends_with("Masked"));
    }
    const QualType result = pair.replacement->getReturnType().getUnqualifiedType();
    rule.cancels = StringRef(spell(result, ast_)).ends_with("Cancelling");
    // Both sides with the same facts: what one says of a parameter's rank and sizes holds for the other.
    graph::Facts facts, before;
    do {
      before = facts;
      rule.pattern = FunctionReader(ast_, text_, 1).read_straight(pair.pattern, facts);
      rule.replacement = FunctionReader(ast_, text_, 1).read_straight(pair.replacement, facts);
    } while (!(facts == before));
    return rule;
  }

  bool is_tensor(const ParmVarDecl* p) const {
    auto* r = p->getType().getNonReferenceType()->getAsCXXRecordDecl();
    return r && r->getIdentifier() && r->getName() == "Tensor" && text_.is_dsl(r->getLocation());
  }
  void check_parameters(const Pair& pair) const {
    const auto a = pair.pattern->parameters(), b = pair.replacement->parameters();
    if (a.size() != b.size())
      malformed(pair.replacement, "the two sides have different parameters", "name them alike");
    for (std::size_t k = 0; k < a.size(); ++k) {
      if (a[k]->getName() != b[k]->getName() || !ast_.hasSameType(a[k]->getType(), b[k]->getType()))
        malformed(pair.replacement, "the two sides have different parameters", "name them alike");
      if (!is_tensor(a[k]) && !a[k]->getType()->isArithmeticType())
        malformed(pair.pattern, "parameter " + a[k]->getNameAsString() + " is no tensor and no number",
                  "take tensors and numbers by value");
    }
  }

  rewrite::Phase phase_of(const DeclContext* c, const FunctionDecl* any) const {
    for (; c; c = c->getParent())
      if (auto* n = dyn_cast<NamespaceDecl>(c); n && n->getIdentifier())
        if (auto phase = rewrite::phase_named(n->getNameAsString())) return *phase;
    malformed(any, "the rule is in no phase", "put it into namespace stabilise, distribute, hoist or fold");
  }

  // The lines that begin with // right above a line, joined.
  std::string comment_above(unsigned line) const {
    llvm::SmallVector<StringRef, 0> lines;
    StringRef(out_.program.text).split(lines, "\n");
    std::string out;
    for (unsigned k = line - 1; k-- > 0 && k < lines.size();) {
      StringRef text = lines[k].trim();
      if (!text.consume_front("//")) break;
      out = text.trim().str() + (out.empty() ? "" : " ") + out;
    }
    return out;
  }

  ASTContext& ast_;
  const SourceText& text_;
  RuleFile& out_;
};

void read(RuleFile& file, const ReadOptions& options) {
  parse(file.program, options, [&](ASTContext& ast) {
    SourceText text(ast.getSourceManager(), file.program.path, include_folder(options));
    Pairs pairs(text);
    pairs.search(ast.getTranslationUnitDecl());
    RuleReader reader(ast, text, file);
    for (const Pair& p : pairs.found()) reader.read(p);
  });
}

}  // namespace

RuleFile read_rules(const std::string& path, const ReadOptions& options) {
  RuleFile file;
  file.program.path = path;
  on_large_stack([&] {
    try {
      read(file, options);
    } catch (const std::exception& e) {
      Diagnostic d;
      d.id = "internal";
      d.where.file = path;
      d.text = std::string("reading the rules failed: ") + e.what();
      file.program.diagnostics.push_back(std::move(d));
      file.program.parsed = false;
    }
  });
  return file;
}

}  // namespace flashlight::frontend
