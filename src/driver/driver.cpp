// SPDX-License-Identifier: Apache-2.0
// From the command line to written files: check, translate in a confined child, write.
#include "driver/driver.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <exception>

#include "driver/confine.h"
#include "driver/depfile.h"
#include "driver/diagnostics.h"
#include "driver/failure.h"
#include "driver/files.h"
#include "driver/options.h"
#include "driver/places.h"
#include "driver/translation.h"

namespace flashlight::driver {

namespace {

void print(const frontend::Diagnostic& d) {
  static const bool colours = wants_colours();
  std::string text = render(d, colours);
  for (std::size_t sent = 0; sent < text.size();) {
    ssize_t n = write(STDERR_FILENO, text.data() + sent, text.size() - sent);
    if (n <= 0) return;  // there is nobody left to tell
    sent += static_cast<std::size_t>(n);
  }
}

std::string last_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

Failure failure_of(const Outcome& outcome, const Options& o) {
  const std::string file = !o.sources.empty() ? o.sources.front() : !o.rules.empty() ? o.rules.front() : "";
  auto too_complex = [&](const std::string& what, const std::string& hint) {
    return Failure(kExitInput, "input-too-complex", what, hint, file);
  };
  std::string seconds = std::to_string(o.max_seconds);
  seconds.erase(seconds.find_last_not_of('0') + 1);
  if (seconds.back() == '.') seconds.pop_back();
  switch (outcome.kind) {
    case Outcome::TimedOut:
      return too_complex("translating took longer than " + seconds + " s",
                         "raise the limit with --max-seconds");
    case Outcome::OutOfMemory:
      return too_complex("translating needed more than " + std::to_string(o.max_megabytes) + " MB",
                         "raise the limit with --max-memory");
    case Outcome::StackExhausted:
      return too_complex("the program is nested too deeply", "break up long expressions");
    default: break;
  }
  std::string text = "the translator failed";
  if (outcome.kind == Outcome::Threw) text += ": " + outcome.bytes;
  else if (outcome.signal) text += std::string(": ") + strsignal(outcome.signal);
  if (std::string line = last_line(outcome.standard_error); !line.empty()) text += " (" + line + ")";
  return Failure(kExitInternal, "internal", text,
                 "this is a fault of flashlight-translate; please report it with the source", file);
}

Translation translate_confined(const Options& o, const Places& places) {
  Limits limits;
  limits.seconds = o.max_seconds;
  limits.memory_bytes = o.max_megabytes << 20;
  Outcome outcome = run_confined([&] { return to_bytes(translate(o, places.units)); }, limits);
  if (outcome.kind != Outcome::Done) throw failure_of(outcome, o);
  return from_bytes(outcome.bytes);
}

// Of a run whose check failed: what became of the functions is what to look at.
std::vector<OutputFile> report_of(const Places& places, const Translation& t) {
  if (places.report.empty() || t.report.empty()) return {};
  return {{places.report, t.report}};
}

// The .cu last: a run that dies before leaves a state that is built again.
std::vector<OutputFile> outputs_of(const Options& o, const Places& places, const Translation& t) {
  std::vector<OutputFile> files;
  if (o.prints()) files.push_back({"-", t.printed});
  if (!places.report.empty()) files.push_back({places.report, t.report});
  if (!places.c_header.empty()) files.push_back({places.c_header, t.c_header});
  if (!o.depfile.empty()) files.push_back({o.depfile, render_depfile(places.units, t.dependencies)});
  else
    for (std::size_t i = 0; i < places.depfiles.size(); ++i)
      files.push_back({places.depfiles[i], render_depfile({places.units[i]}, {t.dependencies.at(i)})});
  for (std::size_t i = 0; i < places.units.size(); ++i)
    if (!places.units[i].empty()) files.push_back({places.units[i], t.units.at(i)});
  return files;
}

int run_checked(int argc, const char* const* argv) {
  auto parsed = parse_options(argc, argv);
  FileCalls calls;
  if (auto* answer = std::get_if<Answer>(&parsed)) {
    write_outputs({{"-", answer->text}}, calls);
    return kExitDone;
  }
  const Options& o = std::get<Options>(parsed);
  Places places = find_places(o);
  Translation t = translate_confined(o, places);
  for (const frontend::Diagnostic& d : t.diagnostics) print(d);
  const bool done = t.exit_code == kExitDone;
  if (!done && t.exit_code != kExitCheck) return t.exit_code;
  check_outputs_against(places, t.dependencies);
  write_outputs(done ? outputs_of(o, places, t) : report_of(places, t), calls);
  return t.exit_code;
}

// A pipe must not take the number of a closed standard stream. Read-only, so that writing there still fails.
void occupy_standard_streams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd) _exit(kExitInputOutput);
}

}  // namespace

int run(int argc, const char* const* argv) {
  occupy_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone is a write that failed
  std::signal(SIGXFSZ, SIG_IGN);  // likewise a file that grew beyond its limit
  try {
    return run_checked(argc, argv);
  } catch (const Failure& f) {
    print(f.diagnostic);
    return f.exit_code;
  } catch (const std::exception& e) {
    print(Failure(kExitInternal, "internal", std::string("the translator failed: ") + e.what()).diagnostic);
    return kExitInternal;
  }
}

}  // namespace flashlight::driver
