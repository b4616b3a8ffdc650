// SPDX-License-Identifier: Apache-2.0
// Whatever the confined work does, the parent learns what it was.
#include "driver/confine.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace flashlight::driver {
namespace {

constexpr Limits kSmall{2.0, std::size_t{512} << 20, std::size_t{8} << 20};

// Uses the stack and cannot be turned into a loop.
int sink(int depth) {
  volatile char frame[256] = {};
  frame[depth % 256] = 1;
  return depth == 0 ? 0 : sink(depth + 1) + frame[depth % 256];
}

void bad_access() {
  volatile std::uintptr_t address = 64;
  *reinterpret_cast<volatile int*>(address) = 1;
}

TEST(Confine, HandsBackTheAnswer) {
  std::string large(10 << 20, 'x');
  Outcome o = run_confined([&] { return large; }, kSmall);
  EXPECT_EQ(o.kind, Outcome::Done);
  EXPECT_EQ(o.bytes, large);
}

TEST(Confine, AnExceptionIsCarriedOver) {
  Outcome o = run_confined([]() -> std::string { throw std::runtime_error("no way"); }, kSmall);
  EXPECT_EQ(o.kind, Outcome::Threw);
  EXPECT_EQ(o.bytes, "no way");
}

TEST(Confine, AnEndlessLoopTimesOut) {
  auto begin = std::chrono::steady_clock::now();
  Limits limits = kSmall;
  limits.seconds = 0.3;
  Outcome o = run_confined(
      []() -> std::string {
        volatile int forever = 1;
        while (forever) {}
        return {};
      },
      limits);
  EXPECT_EQ(o.kind, Outcome::TimedOut);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST(Confine, SleepTimesOutToo) {
  Limits limits = kSmall;
  limits.seconds = 0.2;
  EXPECT_EQ(run_confined(
                [] {
                  sleep(100);
                  return std::string();
                },
                limits)
                .kind,
            Outcome::TimedOut);
}

TEST(Confine, MemoryIsLimited) {
  Outcome o = run_confined(
      [] {
        std::vector<std::string> all;
        while (true) all.emplace_back(16 << 20, 'x');
        return std::string();
      },
      kSmall);
  EXPECT_EQ(o.kind, Outcome::OutOfMemory);
}

TEST(Confine, ADeepRecursionIsTold) {
  EXPECT_EQ(run_confined([] { return std::to_string(sink(1)); }, kSmall).kind, Outcome::StackExhausted);
}

TEST(Confine, ADeepRecursionOnAThreadOfTheWorkIsTold) {
  Outcome o = run_confined(
      [] {
        std::thread([] { sink(1); }).join();
        return std::string();
      },
      kSmall);
  EXPECT_EQ(o.kind, Outcome::StackExhausted);
}

TEST(Confine, ABadAccessIsACrashAndNoRecursion) {
  Outcome o = run_confined(
      [] {
        bad_access();
        return std::string();
      },
      kSmall);
  EXPECT_EQ(o.kind, Outcome::Crashed);
  EXPECT_EQ(o.signal, SIGSEGV);
  o = run_confined(
      [] {
        std::thread(bad_access).join();
        return std::string();
      },
      kSmall);
  EXPECT_EQ(o.kind, Outcome::Crashed);
}

TEST(Confine, AnAbortIsACrashWithItsLastWords) {
  Outcome o = run_confined(
      []() -> std::string {
        dprintf(2, "assertion failed\n");
        std::abort();
      },
      kSmall);
  EXPECT_EQ(o.kind, Outcome::Crashed);
  EXPECT_EQ(o.signal, SIGABRT);
  EXPECT_EQ(o.standard_error, "assertion failed\n");
}

TEST(Confine, AnEarlyExitIsNoAnswer) {
  EXPECT_EQ(run_confined([]() -> std::string { _exit(7); }, kSmall).kind, Outcome::Crashed);
}

TEST(Confine, NoFileCanBeWritten) {
  std::string path = testing::TempDir() + "flashlight-confine-test";
  Outcome o = run_confined(
      [&] {
        int fd = open(path.c_str(), O_CREAT | O_WRONLY, 0666);
        return std::to_string(write(fd, "x", 1));
      },
      kSmall);
  unlink(path.c_str());
  EXPECT_EQ(o.bytes, "-1");
}

TEST(Confine, NothingReachesStandardOutput) {
  Outcome o = run_confined(
      [] {
        dprintf(1, "stray");
        return std::string("answer");
      },
      kSmall);
  EXPECT_EQ(o.bytes, "answer");
  EXPECT_EQ(o.standard_error, "stray");
}

}  // namespace
}  // namespace flashlight::driver
