// SPDX-License-Identifier: Apache-2.0
// Random programs through the translator, the compiler and the emulated device, held against their eager
// runs.
//
//   random_sources [--from SEED] [--count N] [--per-file 25] [--folder DIR] [--shrinking ATTEMPTS] [--print]
//
// A failure prints its seed and the shortest program found that fails in the same way; the last line says
// where to go on: --from. What the translator refuses with a reason is counted by the reason and is no
// failure.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>

#include "check.h"

namespace {

using namespace flashlight::sources;

constexpr const char* kUsage =
    "Random programs through the translator, the compiler and the emulated device, held against their\n"
    "eager runs.\n"
    "Usage: random_sources [options]\n"
    "  --from SEED              the first program (0)\n"
    "  --count N                how many programs (100)\n"
    "  --per-file N             programs in one source file (25)\n"
    "  --folder DIR             where the files are written (.)\n"
    "  --shrinking ATTEMPTS     attempts to shorten a program that fails (24)\n"
    "  --print                  print the programs, run nothing\n"
    "  --translator, --compiler, --link COMMAND   instead of those of the build\n"
    "Exit: 0 all agree, 1 one fails or most are refused, 2 usage.\n";

struct Options {
  std::uint64_t from = 0, count = 100;
  unsigned per_file = 25;
  int shrinking = 24;  // attempts to shorten a program that fails
  bool print = false, help = false;
  Tools tools;
};

Options parse(int argc, char** argv) {
  Options o;
  for (int a = 1; a < argc; ++a) {
    std::string name = argv[a];
    auto value = [&] {
      if (a + 1 == argc) throw std::invalid_argument(name + " needs a value");
      return std::string(argv[++a]);
    };
    if (name == "-h" || name == "--help") o.help = true;
    else if (name == "--from") o.from = std::stoull(value());
    else if (name == "--count") o.count = std::stoull(value());
    else if (name == "--per-file") o.per_file = static_cast<unsigned>(std::stoul(value()));
    else if (name == "--shrinking") o.shrinking = std::stoi(value());
    else if (name == "--print") o.print = true;
    else if (name == "--folder") o.tools.folder = value();
    else if (name == "--translator") o.tools.translator = value();
    else if (name == "--compiler") o.tools.compiler = value();
    else if (name == "--link") o.tools.link = value();
    else throw std::invalid_argument("unknown option " + name);
  }
  if (o.per_file == 0) throw std::invalid_argument("--per-file must be at least 1");
  return o;
}

Source source_of(std::uint64_t seed) {
  Decisions decisions(seed);
  return write_source(decisions, "p" + std::to_string(seed));
}

// Sets ever fewer choices to anything but the simplest, as long as the program fails in the same way.
Source shrink(std::uint64_t seed, const Outcome& failure, const Options& o) {
  Decisions first(seed);
  Source best = write_source(first, "p" + std::to_string(seed));
  std::vector<unsigned> tape = first.tape();
  int attempts = o.shrinking;
  for (std::size_t width = (tape.size() + 1) / 2; width > 0 && attempts > 0; width /= 2)
    for (std::size_t at = 0; at < tape.size() && attempts > 0; at += width) {
      std::vector<unsigned> shorter = tape;
      bool changes = false;
      for (std::size_t k = at; k < std::min(at + width, tape.size()); ++k)
        changes |= shorter[k] != 0, shorter[k] = 0;
      if (!changes) continue;
      Decisions replay(shorter);
      Source candidate = write_source(replay, best.name);
      --attempts;
      if (check({candidate}, o.tools).at(candidate.name).kind != failure.kind) continue;
      best = candidate;
      tape = replay.tape();
    }
  return best;
}

int run(const Options& o) {
  std::map<std::string, int> refused, features;
  int fused = 0, failed = 0;
  for (std::uint64_t seed = o.from; seed < o.from + o.count;) {
    std::vector<Source> sources;
    std::map<std::string, std::uint64_t> seeds;
    for (; sources.size() < o.per_file && seed < o.from + o.count; ++seed) {
      sources.push_back(source_of(seed));
      seeds[sources.back().name] = seed;
      for (const std::string& f : sources.back().features) ++features[f];
    }
    for (const auto& [name, outcome] : check(sources, o.tools)) {
      if (outcome.kind == Kind::Passed) ++fused;
      else if (outcome.kind == Kind::Refused) ++refused[outcome.text];
      else {
        ++failed;
        std::printf("seed %llu: %s\n%s\n", static_cast<unsigned long long>(seeds[name]),
                    kind_name(outcome.kind), outcome.text.c_str());
        if (o.shrinking > 0) std::printf("shrunk to\n%s\n", shrink(seeds[name], outcome, o).program.c_str());
      }
      std::fflush(stdout);
    }
  }
  std::printf("%d agree, %d fail", fused, failed);
  for (const auto& [reason, count] : refused) std::printf(", %d %s", count, reason.c_str());
  std::printf("; reach:");
  for (const auto& [feature, count] : features) std::printf(" %s %d,", feature.c_str(), count);
  std::printf(" go on with --from %llu\n", static_cast<unsigned long long>(o.from + o.count));
  // A translator that refuses most of them tests nothing.
  const bool idle = fused + failed < static_cast<int>(o.count) / 2;
  if (idle) std::printf("too many are refused\n");
  return failed != 0 || idle;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Options o = parse(argc, argv);
    if (o.help) return std::fputs(kUsage, stdout) < 0;
    if (!o.print) return run(o);
    std::vector<Source> sources;
    for (std::uint64_t seed = o.from; seed < o.from + o.count; ++seed) sources.push_back(source_of(seed));
    std::fputs(write_file(sources).c_str(), stdout);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "random_sources: %s; see --help\n", error.what());
    return 2;
  }
}
