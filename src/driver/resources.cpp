// SPDX-License-Identifier: Apache-2.0
// Looks for header folders.
#include "driver/resources.h"

#include <filesystem>
#include <vector>

#include "driver/failure.h"
#include "driver/files.h"

namespace flashlight::driver {

namespace fs = std::filesystem;

namespace {

fs::path prefix_of_executable() {
  std::error_code none;
  return fs::read_symlink("/proc/self/exe", none).parent_path().parent_path();
}

std::string first_with(const std::vector<fs::path>& folders, const char* file) {
  std::error_code none;
  for (const fs::path& f : folders)
    if (!f.empty() && fs::is_regular_file(f / file, none)) return f.string();
  return {};
}

}  // namespace

std::string find_include_dir(const Options& o) {
  const char* header = "flashlight/flashlight.h";
  std::vector<fs::path> folders = {o.include_dir};
  if (o.include_dir.empty()) folders = {prefix_of_executable() / "include", FLASHLIGHT_INCLUDE_DIR};
  std::string found = first_with(folders, header);
  if (found.empty())
    throw Failure(kExitInputOutput, "no-include-dir",
                  o.include_dir.empty() ? "the DSL's headers are not found"
                                        : "no flashlight/flashlight.h in '" + o.include_dir + "'",
                  "name the folder that holds flashlight/flashlight.h with --include-dir");
  return found;
}

std::string read_header(const std::string& name, const std::string& include_dir) {
  const std::string folder = first_with({include_dir, "/usr/local/include", "/usr/include"}, name.c_str());
  if (folder.empty())
    throw Failure(kExitInputOutput, "cannot-read", "--standalone: the header <" + name + "> is not found",
                  "it belongs into '" + include_dir + "'");
  return read_regular_file((fs::path(folder) / name).string());
}

std::string find_resource_dir(const Options& o) {
  const char* header = "include/stddef.h";
  fs::path prefix = prefix_of_executable();
  std::vector<fs::path> folders = {o.resource_dir};
  if (o.resource_dir.empty())
    folders = {FLASHLIGHT_CLANG_RESOURCE_DIR, prefix / "lib/clang/" FLASHLIGHT_CLANG_MAJOR,
               prefix / "lib/llvm-" FLASHLIGHT_CLANG_MAJOR "/lib/clang/" FLASHLIGHT_CLANG_MAJOR};
  std::string found = first_with(folders, header);
  if (found.empty())
    throw Failure(kExitInputOutput, "no-resource-dir",
                  o.resource_dir.empty() ? "Clang's builtin headers are not found"
                                         : "no include/stddef.h in '" + o.resource_dir + "'",
                  "install libclang-common-" FLASHLIGHT_CLANG_MAJOR
                  "-dev, or name the folder that `clang-" FLASHLIGHT_CLANG_MAJOR
                  " -print-resource-dir` prints with --resource-dir");
  return found;
}

}  // namespace flashlight::driver
