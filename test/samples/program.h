// SPDX-License-Identifier: Apache-2.0
// Running a program and keeping what it printed.
#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <string>

struct Printed {
  int status = -1;   // exit code; -1: it did not start or was killed
  std::string text;  // standard output and error
};

// `command` is a shell command; the tests build it of paths of the build tree and words of their own.
inline Printed run_program(const std::string& command) {
  Printed printed;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return printed;
  char buffer[4096];
  while (std::size_t n = fread(buffer, 1, sizeof buffer, pipe)) printed.text.append(buffer, n);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) printed.status = WEXITSTATUS(status);
  return printed;
}
