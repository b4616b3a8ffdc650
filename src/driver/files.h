// SPDX-License-Identifier: Apache-2.0
// Writes outputs so that each file is at every moment wholly old or wholly new.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

namespace flashlight::driver {

// The system calls that writing needs; tests put failing ones in their place. Results and errno as in POSIX.
class FileCalls {
 public:
  virtual ~FileCalls() = default;
  virtual int open(const char* path, int flags, mode_t mode);
  virtual ssize_t write(int fd, const void* data, std::size_t size);
  virtual int sync(int fd);
  virtual int close(int fd);
  virtual int rename(const char* from, const char* to);
};

struct OutputFile {
  std::string path;  // "-": standard output
  std::string text;
};

// Writes all or, where an error shows before the first rename, none; renames in the given order. A file that
// already holds its text is left alone, time stamp included. Throws Failure (kExitInputOutput).
void write_outputs(const std::vector<OutputFile>&, FileCalls&);

// The bytes of a regular file of at most `limit` bytes; a FIFO or a device would hang. Throws Failure
// (kExitInputOutput).
std::string read_regular_file(const std::string& path, std::size_t limit = std::size_t{64} << 20);

}  // namespace flashlight::driver
