// SPDX-License-Identifier: Apache-2.0
// Runs flashlight-translate as a user does: a folder of files, a command line, an exit code.
#pragma once
#include <map>
#include <string>
#include <vector>

namespace flashlight::test {

struct Ended {
  int exit_code = -1;  // 128 + n: ended by signal n
  std::string out, err;
};

// A folder of its own for one test, removed at its end.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const;
  std::string read(const std::string& name) const;
  bool has(const std::string& name) const;
  // Every entry below the folder with its bytes and time of change: equal snapshots mean that nothing was
  // touched.
  std::map<std::string, std::string> snapshot() const;

  // Runs the program here. `before` stands in front of the command: variables, ulimit.
  Ended translate(const std::vector<std::string>& arguments, const std::string& before = {}) const;
  Ended shell(const std::string& command) const;

 private:
  std::string path_;
};

std::string quoted(const std::string&);  // for the shell

extern const char* const kAttention;  // a program whose `attention` becomes a kernel
extern const char* const kPointwise;  // a program that uses the DSL, but has nothing to fuse
extern const char* const kUnmet;      // FLASHLIGHT_FUSE on a function that cannot be fused

}  // namespace flashlight::test
