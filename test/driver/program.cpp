// SPDX-License-Identifier: Apache-2.0
// The program and its folder, for tests.
#include "program.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace flashlight::test {

namespace fs = std::filesystem;

const char* const kAttention = R"(#include <flashlight/flashlight.h>
using namespace flashlight;

FLASHLIGHT_FUSE Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  return matmul(softmax(scores, -1), v);
}
)";

const char* const kPointwise = R"(#include <flashlight/flashlight.h>
using namespace flashlight;

Tensor doubled(const Tensor& x) { return x + x; }
)";

const char* const kUnmet = R"(#include <flashlight/flashlight.h>
using namespace flashlight;

FLASHLIGHT_FUSE Tensor scaled(const Tensor& x) { return x * 2.0; }
)";

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

Folder::Folder() {
  std::string name = (fs::temp_directory_path() / "flashlight-test-XXXXXX").string();
  if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp failed");
  path_ = name;
}

Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void Folder::write(const std::string& name, const std::string& text) const {
  fs::create_directories(fs::path(path_ + "/" + name).parent_path());
  std::ofstream(path_ + "/" + name, std::ios::binary) << text;
}

std::string Folder::read(const std::string& name) const { return read_file(path_ + "/" + name); }

bool Folder::has(const std::string& name) const { return fs::exists(path_ + "/" + name); }

std::map<std::string, std::string> Folder::snapshot() const {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(path_)) {
    struct stat s;
    if (lstat(entry.path().c_str(), &s) != 0) continue;
    std::string state = std::to_string(s.st_mode) + " " + std::to_string(s.st_ino) + " " +
                        std::to_string(s.st_mtim.tv_sec) + "." + std::to_string(s.st_mtim.tv_nsec);
    out[entry.path().string()] = state + (S_ISREG(s.st_mode) ? " " + read_file(entry.path().string()) : "");
  }
  return out;
}

Ended Folder::shell(const std::string& command) const {
  Folder streams;
  std::string line = "cd " + quoted(path_) + " && { " + command + "\n} >" + quoted(streams / "out") + " 2>" +
                     quoted(streams / "err");
  int status = std::system(line.c_str());
  Ended run;
  run.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  run.out = streams.read("out");
  run.err = streams.read("err");
  return run;
}

Ended Folder::translate(const std::vector<std::string>& arguments, const std::string& before) const {
  std::string line = before.empty() ? "" : before + " ";
  line += quoted(FLASHLIGHT_TRANSLATE);
  for (const std::string& a : arguments) line += " " + quoted(a);
  return shell(line);
}

}  // namespace flashlight::test
