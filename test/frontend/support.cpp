// SPDX-License-Identifier: Apache-2.0
// Reads programs given as strings.
#include "support.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

namespace flashlight::frontend::test {

namespace {

constexpr const char* kHeader = "#include <flashlight/flashlight.h>\nusing namespace flashlight;\n";

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    char pattern[] = "/tmp/flashlight_frontend_XXXXXX";
    folder_ = mkdtemp(pattern);
    std::ofstream(path()) << text;
  }
  ~TemporaryFile() { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/program.cpp"; }

 private:
  std::string folder_;
};

}  // namespace

Program read_raw(const std::string& text, std::vector<std::string> compiler_args, int max_variants) {
  TemporaryFile file(text);
  ReadOptions options;
  options.include_dir = FLASHLIGHT_SOURCE_DIR "/include";
  options.compiler_args = std::move(compiler_args);
  options.max_variants = max_variants;
  return read_program(file.path(), options);
}

Program read(const std::string& text, std::vector<std::string> compiler_args, int max_variants) {
  return read_raw(kHeader + text, std::move(compiler_args), max_variants);
}

std::string said(const Program& p) {
  std::string out;
  for (const Diagnostic& d : p.diagnostics)
    out += std::to_string(d.where.line) + ":" + std::to_string(d.where.column) + " [" + d.id + "] " + d.text +
           "\n  " + d.source_line + "\n";
  return out;
}

const FunctionSource& function(const Program& p, const std::string& name) {
  static const FunctionSource none;
  for (const FunctionSource& f : p.functions)
    if (f.name == name) return f;
  ADD_FAILURE() << "no function " << name << "\n" << said(p);
  return none;
}

std::string printed(graph::Function f) {
  for (std::size_t i = 0; i < f.tensors.size(); ++i)
    f.tensors[i].name = f.tensors[i].access = "p" + std::to_string(i);
  for (std::size_t i = 0; i < f.scalars.size(); ++i)
    f.scalars[i].name = f.scalars[i].access = "s" + std::to_string(i);
  std::string text = graph::to_string(f), out;
  // Nodes that nothing uses leave gaps in the numbers; names of variables follow as comments. Neither is the
  // Graph's.
  std::map<std::string, std::string> numbers;
  for (std::size_t i = 0; i < text.size();) {
    if (text.compare(i, 4, "  //") == 0) {
      i = std::min(text.find('\n', i), text.size());
    } else if (text[i] == '%') {
      std::size_t end = text.find_first_not_of("0123456789", i + 1);
      auto [it, fresh] = numbers.try_emplace(text.substr(i, end - i));
      if (fresh) it->second = "%" + std::to_string(numbers.size() - 1);
      out += it->second;
      i = end;
    } else {
      out += text[i++];
    }
  }
  return out;
}

std::string printed(const std::string& text, const std::string& name) {
  Program p = read(text);
  const FunctionSource& f = function(p, name);
  EXPECT_EQ(f.variants.size(), 1u) << text << "\n" << said(p);
  return f.variants.empty() ? "" : printed(f.variants[0].function);
}

void expect_same(const std::string& a, const std::string& b) {
  std::string x = printed(a), y = printed(b);
  EXPECT_FALSE(x.empty());
  EXPECT_EQ(x, y) << a << "\n" << b;
}

void expect_refused(const std::string& text, const std::string& id, std::vector<std::string> compiler_args) {
  Program p = read(text, std::move(compiler_args));
  const FunctionSource& f = function(p, "f");
  ASSERT_TRUE(f.refusal) << text << "\nwas read";
  EXPECT_TRUE(f.variants.empty());
  EXPECT_EQ(f.refusal->id, id) << said(p);
  EXPECT_EQ(f.refusal->severity, Severity::Remark);
  EXPECT_FALSE(f.refusal->text.empty());
  std::size_t mark = text.find("/*!*/");
  ASSERT_NE(mark, std::string::npos) << "the test marks no place";
  mark += 5;
  unsigned line =
      3 + static_cast<unsigned>(std::count(text.begin(), text.begin() + static_cast<long>(mark), '\n'));
  std::size_t begin = text.rfind('\n', mark) + 1;
  EXPECT_EQ(f.refusal->where.line, line) << said(p);
  EXPECT_EQ(f.refusal->where.column, mark - begin + 1) << said(p);
  EXPECT_EQ(f.refusal->where.file, p.path);
  EXPECT_EQ(f.refusal->source_line, text.substr(begin, text.find('\n', mark) - begin));
  int remarks = 0;
  for (const Diagnostic& d : p.diagnostics) remarks += d.where.line == line;
  EXPECT_EQ(remarks, 1) << said(p);
}

}  // namespace flashlight::frontend::test
