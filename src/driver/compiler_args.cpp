// SPDX-License-Identifier: Apache-2.0
// Compilation databases and flags of other compilers.
#include "driver/compiler_args.h"

#include <filesystem>
#include <set>
#include <stdexcept>

#include "driver/failure.h"
#include "driver/files.h"
#include "emit/compile_commands.h"

namespace flashlight::driver {

namespace fs = std::filesystem;

namespace {

bool starts_with(const std::string& text, const std::string& prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

// nvcc's own: alone, with one argument behind, or told by a prefix.
const std::set<std::string> kNvccAlone = {"-G",
                                          "-dc",
                                          "-dw",
                                          "-dlink",
                                          "-device-c",
                                          "-device-w",
                                          "--device-c",
                                          "--device-w",
                                          "-lineinfo",
                                          "--generate-line-info",
                                          "--extended-lambda",
                                          "-extended-lambda",
                                          "--expt-extended-lambda",
                                          "-expt-extended-lambda",
                                          "--expt-relaxed-constexpr",
                                          "-expt-relaxed-constexpr",
                                          "-use_fast_math",
                                          "--use_fast_math",
                                          "--forward-unknown-to-host-compiler",
                                          "-forward-unknown-to-host-compiler",
                                          "--forward-unknown-to-host-linker",
                                          "-forward-unknown-to-host-linker",
                                          "-keep",
                                          "--keep",
                                          "-res-usage",
                                          "--resource-usage",
                                          "--compile-as-tools-patch",
                                          "-restrict",
                                          "--restrict",
                                          "-ptx",
                                          "-cubin",
                                          "-fatbin",
                                          "--device-debug",
                                          "--source-in-ptx",
                                          "-src-in-ptx",
                                          "-dlto",
                                          "--dlink-time-opt",
                                          "-disable-warnings",
                                          "--disable-warnings"};
const std::set<std::string> kNvccWithArgument = {"-gencode",
                                                 "--generate-code",
                                                 "-arch",
                                                 "--gpu-architecture",
                                                 "-code",
                                                 "--gpu-code",
                                                 "-Xptxas",
                                                 "--ptxas-options",
                                                 "-Xcudafe",
                                                 "-Xnvlink",
                                                 "--nvlink-options",
                                                 "-Xfatbin",
                                                 "-Xarchive",
                                                 "-ccbin",
                                                 "--compiler-bindir",
                                                 "-rdc",
                                                 "--relocatable-device-code",
                                                 "-maxrregcount",
                                                 "--maxrregcount",
                                                 "-keep-dir",
                                                 "--keep-dir",
                                                 "-default-stream",
                                                 "--default-stream",
                                                 "-t",
                                                 "--threads",
                                                 "-diag-suppress",
                                                 "--diag-suppress",
                                                 "-diag-error",
                                                 "--diag-error",
                                                 "-diag-warn",
                                                 "--diag-warn",
                                                 "-cudart",
                                                 "--cudart",
                                                 "-odir",
                                                 "--output-directory",
                                                 "-ptxas-options",
                                                 "-options-file",
                                                 "--options-file",
                                                 "-optf",
                                                 "-split-compile",
                                                 "--split-compile",
                                                 "-fmad",
                                                 "--fmad",
                                                 "-ftz",
                                                 "--ftz",
                                                 "-prec-div",
                                                 "--prec-div",
                                                 "-prec-sqrt",
                                                 "--prec-sqrt",
                                                 "-cudadevrt",
                                                 "--cudadevrt",
                                                 "-time",
                                                 "--time"};
// Clang's flags with a folder or file behind, joined or apart.
const std::vector<std::string> kWithPath = {"-isystem", "-iquote",   "-idirafter", "-include",
                                            "-imacros", "-isysroot", "-I"};

std::string joined_name(const std::string& flag) { return flag.substr(0, flag.find('=')); }

void add_list(const std::string& list, std::vector<std::string>& out) {
  for (std::size_t begin = 0; begin <= list.size();) {
    std::size_t comma = std::min(list.find(',', begin), list.size());
    if (comma > begin) out.push_back(list.substr(begin, comma - begin));
    begin = comma + 1;
  }
}

// The host compiler's flags are wrapped in nvcc's.
std::vector<std::string> unwrap(const std::vector<std::string>& args) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& a = args[i];
    std::string name = joined_name(a);
    bool joined = name.size() < a.size();
    if (name == "-Xcompiler" || name == "--compiler-options") {
      if (joined) add_list(a.substr(name.size() + 1), out);
      else if (i + 1 < args.size()) add_list(args[++i], out);
    } else if (kNvccWithArgument.count(name)) {
      if (!joined) ++i;
    } else if (!kNvccAlone.count(a)) {
      out.push_back(a);
    }
  }
  return out;
}

std::string absolute(const std::string& path, const std::string& directory) {
  return fs::path(path).is_absolute() ? path : (fs::path(directory) / path).lexically_normal().string();
}

std::string find_upwards(const std::string& source) {
  std::error_code none;
  for (fs::path folder = fs::absolute(source, none).lexically_normal().parent_path();;
       folder = folder.parent_path()) {
    fs::path file = folder / "compile_commands.json";
    if (fs::is_regular_file(file, none)) return file.string();
    if (folder == folder.parent_path()) return {};
  }
}

std::vector<emit::CompileCommand> read_database(const std::string& path) {
  try {
    return emit::parse_compile_commands(read_regular_file(path));
  } catch (const std::invalid_argument& e) {
    throw Failure(kExitUsage, "bad-compile-commands",
                  std::string("malformed compilation database: ") + e.what(),
                  "make it anew with CMAKE_EXPORT_COMPILE_COMMANDS", path);
  }
}

}  // namespace

std::vector<std::string> portable_args(const std::vector<std::string>& command, const std::string& directory,
                                       const std::string& file) {
  std::vector<std::string> args = unwrap(
                               {command.begin() + std::min<std::size_t>(1, command.size()), command.end()}),
                           out;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& a = args[i];
    if (a == "--") continue;
    if (!starts_with(a, "-") && absolute(a, directory) == absolute(file, directory)) continue;
    std::string flag;
    for (const std::string& f : kWithPath)
      if (flag.empty() && starts_with(a, f)) flag = f;
    if (flag.empty()) {
      out.push_back(a);
    } else if (a.size() > flag.size()) {
      out.push_back(flag);
      out.push_back(absolute(a.substr(flag.size()), directory));
    } else if (i + 1 < args.size()) {
      out.push_back(flag);
      out.push_back(absolute(args[++i], directory));
    }
  }
  return out;
}

std::vector<std::string> compiler_args_for(const std::string& source, const Options& o,
                                           std::string* database) {
  std::vector<std::string> out;
  std::string path;
  if (!o.build_dir.empty()) path = (fs::path(o.build_dir) / "compile_commands.json").string();
  else if (!o.fixed_command) path = find_upwards(source);
  if (!path.empty()) {
    std::error_code none;
    fs::path wanted = fs::weakly_canonical(source, none);
    for (const emit::CompileCommand& c : read_database(path)) {
      if (fs::weakly_canonical(absolute(c.file, c.directory), none) != wanted) continue;
      out = portable_args(c.arguments, c.directory, c.file);
      *database = path;
      break;
    }
  }
  out.insert(out.end(), o.compiler_args.begin(), o.compiler_args.end());
  return out;
}

}  // namespace flashlight::driver
