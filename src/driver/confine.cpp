// SPDX-License-Identifier: Apache-2.0
// The confined child: limits, a thread with a large stack, a pipe back.
#include "driver/confine.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <new>
#include <system_error>

#if defined(__SANITIZE_ADDRESS__)
#define FLASHLIGHT_ASAN 1
#elif defined(__has_feature)
#define FLASHLIGHT_ASAN __has_feature(address_sanitizer)
#else
#define FLASHLIGHT_ASAN 0
#endif

namespace flashlight::driver {

namespace {

// Exit statuses of the child; any other end is a crash.
constexpr int kAnswered = 0, kThrew = 90, kNoMemory = 91, kNoStack = 92, kBadAccess = 100;  // + the signal
constexpr std::size_t kGuard = std::size_t{1}
                               << 20;  // below the stack: large frames must hit it, not jump over it
constexpr std::size_t kMaxAnswer = std::size_t{1} << 30, kMaxErrors = 4096;

std::uintptr_t stack_low = 0;  // of the child's worker thread, for its signal handler

struct Work {
  const std::function<std::string()>* run;
  std::string answer;
  int status = kAnswered;
};

void on_bad_access(int signal, siginfo_t* info, void*) {
  auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  bool on_stack = address + kGuard >= stack_low && address < stack_low + kGuard;
  _exit(on_stack ? kNoStack : kBadAccess + signal);
}

// Stack overflows are told from other bad accesses by their address; the handler needs a stack of its own for
// that. On a thread that the work started, there is none: an overflow there ends by the signal itself, any
// other bad access does not.
void watch_stack() {
  pthread_attr_t own;
  void* low = nullptr;
  std::size_t bytes = 0;
  if (pthread_getattr_np(pthread_self(), &own) == 0) pthread_attr_getstack(&own, &low, &bytes);
  stack_low = reinterpret_cast<std::uintptr_t>(low);
  static char alternate[64 << 10];
  stack_t stack{};
  stack.ss_sp = alternate;
  stack.ss_size = sizeof alternate;
  sigaltstack(&stack, nullptr);
  struct sigaction action{};
  action.sa_sigaction = on_bad_access;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, nullptr);
  sigaction(SIGBUS, &action, nullptr);
}

void* run_work(void* argument) {
  watch_stack();
  auto* work = static_cast<Work*>(argument);
  try {
    work->answer = (*work->run)();
  } catch (const std::bad_alloc&) { work->status = kNoMemory; } catch (const std::exception& e) {
    work->status = kThrew;
    work->answer = e.what();
  } catch (...) {
    work->status = kThrew;
    work->answer = "an exception of unknown type";
  }
  return nullptr;
}

void limit(int what, rlim_t value) {
  rlimit r{value, value};
  setrlimit(static_cast<__rlimit_resource>(what), &r);
}

void confine(const Limits& limits, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kThrew);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 0);
  std::signal(SIGXFSZ, SIG_IGN);
  limit(RLIMIT_CPU, static_cast<rlim_t>(limits.seconds) + 5);
#if !FLASHLIGHT_ASAN  // its shadow alone is larger than any sensible limit
  limit(RLIMIT_AS, limits.memory_bytes + 2 * limits.stack_bytes);
#endif
  std::set_new_handler([] { _exit(kNoMemory); });
}

void use_as(int from, int to) {
  if (from < 0 || dup2(from, to) < 0) _exit(kThrew);
}

[[noreturn]] void child(const std::function<std::string()>& run, const Limits& limits, pid_t parent,
                        int answer, int errors) {
  confine(limits, parent);
  use_as(open("/dev/null", O_RDONLY), STDIN_FILENO);
  use_as(errors, STDOUT_FILENO);
  use_as(errors, STDERR_FILENO);

  Work work{&run, {}, kAnswered};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setguardsize(&attributes, kGuard);
  pthread_t thread;
  if (pthread_attr_setstacksize(&attributes, limits.stack_bytes) != 0 ||
      pthread_create(&thread, &attributes, run_work, &work) != 0)
    _exit(kNoMemory);
  pthread_join(thread, nullptr);

  for (std::size_t sent = 0; sent < work.answer.size();) {
    ssize_t n = write(answer, work.answer.data() + sent, work.answer.size() - sent);
    if (n < 0 && errno != EINTR) _exit(kThrew);
    if (n > 0) sent += static_cast<std::size_t>(n);
  }
  _exit(work.status);  // not exit: nothing of the parent's buffers is flushed twice
}

class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void close_end(int which) {
    if (ends_[which] >= 0) close(ends_[which]);
    ends_[which] = -1;
  }
  // Appends what is there; closes at the end of the data.
  void drain(std::string& into) {
    char buffer[1 << 16];
    ssize_t n = read(ends_[0], buffer, sizeof buffer);
    if (n > 0) into.append(buffer, static_cast<std::size_t>(n));
    else if (n == 0 || errno != EINTR) close_end(0);
  }

 private:
  int ends_[2] = {-1, -1};
};

// Reads both pipes to their ends; false when the time is up or the answer is beyond all measure.
bool collect(Pipe& answer, Pipe& errors, double seconds, Outcome& outcome) {
  using Clock = std::chrono::steady_clock;
  auto deadline =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  while (answer.read_end() >= 0 || errors.read_end() >= 0) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0 || outcome.bytes.size() > kMaxAnswer) return false;
    pollfd ends[2] = {{answer.read_end(), POLLIN, 0}, {errors.read_end(), POLLIN, 0}};
    if (poll(ends, 2, static_cast<int>(left)) < 0 && errno != EINTR) return false;
    if (ends[0].revents) answer.drain(outcome.bytes);
    if (ends[1].revents) errors.drain(outcome.standard_error);
    std::string& text = outcome.standard_error;
    if (text.size() > 2 * kMaxErrors) text.erase(0, text.size() - kMaxErrors);
  }
  return true;
}

Outcome::Kind kind_of(int status) {
  if (WIFSIGNALED(status)) {
    if (WTERMSIG(status) == SIGXCPU) return Outcome::TimedOut;
    return WTERMSIG(status) == SIGSEGV ? Outcome::StackExhausted : Outcome::Crashed;
  }
  switch (WEXITSTATUS(status)) {
    case kAnswered: return Outcome::Done;
    case kThrew: return Outcome::Threw;
    case kNoMemory: return Outcome::OutOfMemory;
    case kNoStack: return Outcome::StackExhausted;
  }
  return Outcome::Crashed;
}

}  // namespace

Outcome run_confined(const std::function<std::string()>& work, const Limits& limits) {
  Pipe answer, errors;
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid == 0) child(work, limits, parent, answer.write_end(), errors.write_end());
  answer.close_end(1);
  errors.close_end(1);

  Outcome outcome;
  bool in_time = collect(answer, errors, limits.seconds, outcome);
  if (!in_time) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  outcome.kind = in_time ? kind_of(status) : Outcome::TimedOut;
  if (outcome.bytes.size() > kMaxAnswer) outcome.kind = Outcome::OutOfMemory;
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  else if (WEXITSTATUS(status) > kBadAccess) outcome.signal = WEXITSTATUS(status) - kBadAccess;
  // LLVM reports a failed allocation of its own and aborts.
  if (outcome.kind == Outcome::Crashed && outcome.standard_error.find("out of memory") != std::string::npos)
    outcome.kind = Outcome::OutOfMemory;
  return outcome;
}

}  // namespace flashlight::driver
