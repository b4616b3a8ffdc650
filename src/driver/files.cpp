// SPDX-License-Identifier: Apache-2.0
// Writing and reading of whole files, every call checked.
#include "driver/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstdio>
#include <cstring>

#include "driver/failure.h"

namespace flashlight::driver {

int FileCalls::open(const char* path, int flags, mode_t mode) { return ::open(path, flags, mode); }
ssize_t FileCalls::write(int fd, const void* data, std::size_t size) { return ::write(fd, data, size); }
int FileCalls::sync(int fd) { return ::fsync(fd); }
int FileCalls::close(int fd) { return ::close(fd); }
int FileCalls::rename(const char* from, const char* to) { return ::rename(from, to); }

namespace {

Failure cannot_write(const std::string& path, int error) {
  return Failure(kExitInputOutput, "cannot-write", std::string("cannot write: ") + std::strerror(error), {},
                 path == "-" ? "<standard output>" : path);
}

Failure cannot_read(const std::string& path, const std::string& why) {
  return Failure(kExitInputOutput, "cannot-read", "cannot read: " + why, {}, path);
}

// From the first temporary to the last rename, a signal waits: a run that is told to stop leaves nothing half
// done.
class SignalsWait {
 public:
  SignalsWait() {
    sigset_t set;
    sigemptyset(&set);
    for (int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&set, s);
    sigprocmask(SIG_BLOCK, &set, &before_);
  }
  ~SignalsWait() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  SignalsWait(const SignalsWait&) = delete;
  SignalsWait& operator=(const SignalsWait&) = delete;

 private:
  sigset_t before_;
};

void write_all(FileCalls& calls, int fd, const std::string& path, const std::string& text) {
  for (std::size_t sent = 0; sent < text.size();) {
    ssize_t n = calls.write(fd, text.data() + sent, text.size() - sent);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw cannot_write(path, n < 0 ? errno : EIO);
    sent += static_cast<std::size_t>(n);
  }
}

// Pipes and terminals cannot be synchronised; that is no error.
void sync_and_close(FileCalls& calls, int fd, const std::string& path) {
  int error = calls.sync(fd) != 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP ? errno : 0;
  if (calls.close(fd) != 0 && error == 0 && errno != EINTR) error = errno;
  if (error) throw cannot_write(path, error);
}

// Standard output, a device, a pipe: no temporary can stand beside it.
void write_through(FileCalls& calls, const OutputFile& file) {
  int fd = file.path == "-" ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                            : calls.open(file.path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
  if (fd < 0) throw cannot_write(file.path, errno);
  if (file.path != "-") fcntl(fd, F_SETFL, 0);
  try {
    write_all(calls, fd, file.path, file.text);
  } catch (...) {
    calls.close(fd);
    throw;
  }
  sync_and_close(calls, fd, file.path);
}

bool is_special(const std::string& path) {
  struct stat s;
  return path == "-" || (stat(path.c_str(), &s) == 0 && !S_ISREG(s.st_mode));
}

// A symbolic link is written through, not replaced.
std::string behind_links(const std::string& path) {
  char* real = realpath(path.c_str(), nullptr);
  std::string out = real ? real : path;
  std::free(real);
  return out;
}

std::string folder_of(const std::string& path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

bool holds(const std::string& path, const std::string& text) {
  struct stat s;
  if (stat(path.c_str(), &s) != 0 || static_cast<std::size_t>(s.st_size) != text.size()) return false;
  try {
    return read_regular_file(path, text.size()) == text;
  } catch (const Failure&) { return false; }
}

// A complete file beside its goal, gone again unless renamed to it.
class Temporary {
 public:
  Temporary(FileCalls& calls, const OutputFile& file)
      : calls_(calls), goal_(behind_links(file.path)), shown_(file.path) {
    std::size_t slash = goal_.rfind('/');
    std::string name = slash == std::string::npos ? goal_ : goal_.substr(slash + 1);
    std::string stem = folder_of(goal_) + "/." + name.substr(0, 200) + "." + std::to_string(getpid());
    int fd = -1;
    for (int attempt = 0; fd < 0 && attempt < 100;
         ++attempt) {  // a killed run of this number may have left one
      path_ = stem + (attempt ? "-" + std::to_string(attempt) : "") + ".tmp";
      fd = calls.open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd < 0 && errno != EEXIST) break;
    }
    if (fd < 0) throw cannot_write(shown_, errno);
    try {
      struct stat s;
      if (stat(goal_.c_str(), &s) == 0 && fchmod(fd, s.st_mode & 07777) != 0)
        throw cannot_write(shown_, errno);
      write_all(calls, fd, shown_, file.text);
    } catch (...) {
      calls.close(fd);
      unlink(path_.c_str());
      throw;
    }
    try {
      sync_and_close(calls, fd, shown_);
    } catch (...) {
      unlink(path_.c_str());
      throw;
    }
  }
  Temporary(Temporary&& other) noexcept
      : calls_(other.calls_),
        goal_(other.goal_),
        shown_(other.shown_),
        path_(std::exchange(other.path_, {})) {}
  ~Temporary() {
    if (!path_.empty()) unlink(path_.c_str());
  }
  void rename() {
    if (calls_.rename(path_.c_str(), goal_.c_str()) != 0) throw cannot_write(shown_, errno);
    path_.clear();
    int folder = calls_.open(folder_of(goal_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (folder < 0) throw cannot_write(shown_, errno);
    sync_and_close(calls_, folder, shown_);
  }

 private:
  FileCalls& calls_;
  std::string goal_, shown_, path_;
};

}  // namespace

void write_outputs(const std::vector<OutputFile>& files, FileCalls& calls) {
  SignalsWait wait;
  std::vector<Temporary> temporaries;
  for (const OutputFile& file : files)
    if (!is_special(file.path) && !holds(file.path, file.text)) temporaries.emplace_back(calls, file);
  for (const OutputFile& file : files)
    if (is_special(file.path)) write_through(calls, file);
  for (Temporary& t : temporaries) t.rename();
}

std::string read_regular_file(const std::string& path, std::size_t limit) {
  int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) throw cannot_read(path, std::strerror(errno));
  struct Closer {
    int fd;
    ~Closer() { close(fd); }
  } closer{fd};
  struct stat s;
  if (fstat(fd, &s) != 0) throw cannot_read(path, std::strerror(errno));
  if (!S_ISREG(s.st_mode)) throw cannot_read(path, "not a regular file");
  std::string text;
  char buffer[1 << 16];
  while (true) {
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw cannot_read(path, std::strerror(errno));
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > limit) throw cannot_read(path, "larger than " + std::to_string(limit) + " bytes");
  }
}

}  // namespace flashlight::driver
