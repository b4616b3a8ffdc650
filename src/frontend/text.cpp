// SPDX-License-Identifier: Apache-2.0
// Places in the user's text and spellings of types.
#include "frontend/text.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/QualTypeNames.h"

namespace flashlight::frontend {

// The DSL's headers lie in <include_dir>/flashlight, or where the user's own -I finds them: a folder of that
// name that holds them all. The user's headers may lie beside such a folder.
bool SourceText::is_dsl_header(llvm::StringRef path) const {
  if (!include_dir_.empty() && path.starts_with(include_dir_ + "/flashlight/")) return true;
  const std::size_t folder = path.rfind("flashlight/");
  if (folder == llvm::StringRef::npos || (folder > 0 && path[folder - 1] != '/')) return false;
  const std::string root = path.take_front(folder).str() + "flashlight/";
  auto& files = sources_.getFileManager();
  return files.getOptionalFileRef(root + "flashlight.h") &&
         files.getOptionalFileRef(root + "generated/launch.h");
}

SourceText::Owner SourceText::owner(clang::SourceLocation loc) const {
  if (loc.isInvalid()) return Owner::System;
  loc = sources_.getFileLoc(loc);
  clang::FileID file = sources_.getFileID(loc);
  auto [it, fresh] = owners_.try_emplace(file, Owner::System);
  if (!fresh) return it->second;
  llvm::StringRef name = sources_.getFilename(loc);
  const bool dsl = is_dsl_header(name);
  if (file == sources_.getMainFileID()) it->second = Owner::User;
  else if (dsl) it->second = Owner::Dsl;
  else if (!name.empty() && !name.starts_with("<") && !sources_.isInSystemHeader(loc))
    it->second = Owner::User;
  return it->second;
}

bool SourceText::is_user(clang::SourceLocation loc) const { return owner(loc) == Owner::User; }
bool SourceText::is_dsl(clang::SourceLocation loc) const { return owner(loc) == Owner::Dsl; }

Location SourceText::location(clang::SourceLocation loc) const {
  if (loc.isInvalid()) return {main_path_, 0, 0};
  loc = sources_.getFileLoc(loc);
  Location out;
  out.file = sources_.isInMainFile(loc) ? main_path_ : sources_.getFilename(loc).str();
  out.line = sources_.getSpellingLineNumber(loc);
  out.column = sources_.getSpellingColumnNumber(loc);
  return out;
}

graph::SourceRange SourceText::range(clang::SourceLocation loc) const {
  Location at = location(loc);
  return {at.file, at.line, at.column};
}

std::string SourceText::line(clang::SourceLocation loc) const { return line_at(sources_, loc); }

std::string line_at(const clang::SourceManager& sources, clang::SourceLocation loc) {
  constexpr std::size_t kMaxLine = 2000;  // a longer one helps nobody
  if (loc.isInvalid()) return {};
  auto [file, offset] = sources.getDecomposedLoc(sources.getFileLoc(loc));
  bool invalid = false;
  llvm::StringRef text = sources.getBufferData(file, &invalid);
  if (invalid || offset > text.size()) return {};
  // A place behind the last token of a line is its '\n'.
  std::size_t begin = offset == 0 ? 0 : text.rfind('\n', offset - 1) + 1;  // npos + 1 is 0
  llvm::StringRef line = text.slice(begin, text.find('\n', offset)).rtrim("\r");
  return line.size() > kMaxLine ? std::string() : line.str();
}

std::size_t SourceText::offset_behind(clang::SourceLocation loc) const {
  if (loc.isInvalid() || loc.isMacroID() || !sources_.isInMainFile(loc)) return 0;
  return sources_.getFileOffset(loc) + 1;
}

std::string spell(clang::QualType type, const clang::ASTContext& ast) {
  clang::PrintingPolicy policy(ast.getLangOpts());
  policy.SuppressTagKeyword = true;
  policy.Bool = true;
  return clang::TypeName::getFullyQualifiedName(type, ast, policy);
}

}  // namespace flashlight::frontend
