// SPDX-License-Identifier: Apache-2.0
// At whatever call writing fails or the process dies, each file is wholly old or wholly new.
#include "driver/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "driver/failure.h"

namespace flashlight::driver {
namespace {

namespace fs = std::filesystem;

// Counts calls; the n-th one fails, or kills the process behind half a write.
class Faulty : public FileCalls {
 public:
  Faulty(int at, bool deadly) : at_(at), deadly_(deadly) {}
  int open(const char* path, int flags, mode_t mode) override {
    return hit(ENOSPC) ? -1 : FileCalls::open(path, flags, mode);
  }
  ssize_t write(int fd, const void* data, std::size_t size) override {
    if (next() == at_) {
      ssize_t ignored = ::write(fd, data, size / 2);
      (void)ignored;
      return die_or(ENOSPC);
    }
    return FileCalls::write(fd, data, std::min<std::size_t>(size, 5));  // short writes are legal
  }
  int sync(int fd) override { return hit(EIO) ? -1 : FileCalls::sync(fd); }
  int close(int fd) override {
    int result = FileCalls::close(fd);
    return hit(EDQUOT) ? -1 : result;
  }
  int rename(const char* from, const char* to) override {
    return hit(EPERM) ? -1 : FileCalls::rename(from, to);
  }
  int calls() const { return calls_; }

 private:
  int next() { return ++calls_; }
  bool hit(int error) { return next() == at_ && die_or(error) < 0; }
  int die_or(int error) {
    if (deadly_) raise(SIGKILL);
    errno = error;
    return -1;
  }
  int at_, calls_ = 0;
  bool deadly_;
};

class Files : public testing::Test {
 protected:
  Files() {
    std::string name = testing::TempDir() + "flashlight-files-XXXXXX";
    root_ = mkdtemp(name.data());
    reset();
  }
  ~Files() override { fs::remove_all(root_); }

  void reset() {
    for (const auto& e : fs::directory_iterator(root_)) fs::remove(e);
    put("r.json", "old report\n");
    put("x.d", "old dependencies\n");
    put("x.cu", "old unit, which is longer than the new one\n");
  }
  void put(const std::string& name, const std::string& text) { std::ofstream(root_ + "/" + name) << text; }
  std::string get(const std::string& name) {
    std::stringstream text;
    text << std::ifstream(root_ + "/" + name).rdbuf();
    return text.str();
  }
  std::vector<OutputFile> outputs() {
    return {{root_ + "/r.json", "new report\n"},
            {root_ + "/x.d", "new dependencies\n"},
            {root_ + "/x.cu", "new unit\n"}};
  }
  // Old and new never mix, and the unit is new only where all others are.
  void expect_whole(int at) {
    bool report = get("r.json") == "new report\n", deps = get("x.d") == "new dependencies\n",
         unit = get("x.cu") == "new unit\n";
    EXPECT_TRUE(report || get("r.json") == "old report\n") << at;
    EXPECT_TRUE(deps || get("x.d") == "old dependencies\n") << at;
    EXPECT_TRUE(unit || get("x.cu") == "old unit, which is longer than the new one\n") << at;
    EXPECT_TRUE(!unit || (report && deps)) << at;
  }
  int calls_of_a_good_run() {
    Faulty counting(-1, false);
    write_outputs(outputs(), counting);
    reset();
    return counting.calls();
  }
  std::string root_;
};

TEST_F(Files, AreWritten) {
  Faulty calls(-1, false);
  write_outputs(outputs(), calls);
  EXPECT_EQ(get("x.cu"), "new unit\n");
  EXPECT_EQ(get("r.json"), "new report\n");
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 3)
      << "no temporary is left";
}

TEST_F(Files, EveryFailingCallIsReportedAndLeavesThemWhole) {
  int total = calls_of_a_good_run();
  ASSERT_GT(total, 20);
  for (int at = 1; at <= total; ++at) {
    Faulty calls(at, false);
    try {
      write_outputs(outputs(), calls);
      ADD_FAILURE() << "call " << at << " failed unnoticed";
    } catch (const Failure& f) {
      EXPECT_EQ(f.exit_code, kExitInputOutput);
      EXPECT_EQ(f.diagnostic.id, "cannot-write");
    }
    expect_whole(at);
    EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 3)
        << "a temporary is left, call " << at;
    reset();
  }
}

TEST_F(Files, DeathAtAnyCallLeavesThemWhole) {
  int total = calls_of_a_good_run();
  for (int at = 1; at <= total; ++at) {
    pid_t pid = fork();
    if (pid == 0) {
      Faulty calls(at, true);
      write_outputs(outputs(), calls);
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFSIGNALED(status)) << at;
    expect_whole(at);
    reset();
  }
}

TEST_F(Files, ASignalToStopWaitsForTheEnd) {
  class Stopping : public FileCalls {
   public:
    int rename(const char* from, const char* to) override {
      raise(SIGTERM);
      return FileCalls::rename(from, to);
    }
  };
  pid_t pid = fork();
  if (pid == 0) {
    Stopping calls;
    write_outputs(outputs(), calls);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  EXPECT_EQ(get("x.cu"), "new unit\n");
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 3);
}

TEST_F(Files, ATemporaryOfADeadRunIsNoObstacle) {
  put(".x.cu." + std::to_string(getpid()) + ".tmp", "left over");
  FileCalls calls;
  write_outputs(outputs(), calls);
  EXPECT_EQ(get("x.cu"), "new unit\n");
}

TEST_F(Files, LinksAreWrittenThroughAndModesKept) {
  put("real.cu", "old");
  chmod((root_ + "/real.cu").c_str(), 0640);
  fs::create_symlink("real.cu", root_ + "/link.cu");
  FileCalls calls;
  write_outputs({{root_ + "/link.cu", "new"}}, calls);
  EXPECT_TRUE(fs::is_symlink(root_ + "/link.cu"));
  EXPECT_EQ(get("real.cu"), "new");
  struct stat s;
  ASSERT_EQ(stat((root_ + "/real.cu").c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 07777, 0640u);
}

TEST_F(Files, NewFilesFollowTheUmask) {
  mode_t before = umask(027);
  FileCalls calls;
  write_outputs({{root_ + "/fresh.cu", "new"}}, calls);
  umask(before);
  struct stat s;
  ASSERT_EQ(stat((root_ + "/fresh.cu").c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 07777, 0640u);
}

TEST_F(Files, OnlyRegularOnesAreRead) {
  ASSERT_EQ(mkfifo((root_ + "/fifo").c_str(), 0666), 0);
  for (const std::string& path : {root_ + "/fifo", root_, std::string("/dev/zero"), root_ + "/missing"})
    EXPECT_THROW(read_regular_file(path), Failure) << path;
  EXPECT_THROW(read_regular_file(root_ + "/x.cu", 10), Failure);
  EXPECT_EQ(read_regular_file(root_ + "/x.d"), "old dependencies\n");
}

}  // namespace
}  // namespace flashlight::driver
