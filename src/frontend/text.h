// SPDX-License-Identifier: Apache-2.0
// Places in the user's text: which files are the user's, where a construct stands, how a type is spelled.
#pragma once
#include <map>
#include <string>

#include "clang/AST/Decl.h"
#include "clang/Basic/SourceManager.h"
#include "frontend/program.h"

namespace flashlight::frontend {

class SourceText {
 public:
  SourceText(const clang::SourceManager& sources, std::string main_path, std::string include_dir)
      : sources_(sources), main_path_(std::move(main_path)), include_dir_(std::move(include_dir)) {}

  const clang::SourceManager& sources() const { return sources_; }
  // In the main file or a header of the user's, as opposed to the DSL's headers and the system's.
  bool is_user(clang::SourceLocation) const;
  bool is_dsl(clang::SourceLocation) const;
  bool is_main(clang::SourceLocation loc) const { return sources_.isInMainFile(sources_.getFileLoc(loc)); }
  // Where the text itself stands: a macro's use, its argument's own place; physical lines, #line is not
  // followed.
  Location location(clang::SourceLocation) const;
  graph::SourceRange range(clang::SourceLocation) const;
  std::string line(clang::SourceLocation) const;
  // Byte offset in the main file just behind the token at `loc`; 0 where it is not plain text of the main
  // file.
  std::size_t offset_behind(clang::SourceLocation) const;

 private:
  enum class Owner { User, Dsl, System };
  Owner owner(clang::SourceLocation) const;
  bool is_dsl_header(llvm::StringRef path) const;

  const clang::SourceManager& sources_;
  std::string main_path_, include_dir_;
  mutable std::map<clang::FileID, Owner> owners_;
};

// The line of text that `loc` stands in; empty where there is none, or where it is too long to show.
std::string line_at(const clang::SourceManager&, clang::SourceLocation loc);

// The type with every name qualified, as valid anywhere in the file.
std::string spell(clang::QualType, const clang::ASTContext&);

}  // namespace flashlight::frontend
