// SPDX-License-Identifier: Apache-2.0
// Reads the command line with CLI11 and translates its errors into the driver's.
#include "driver/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <regex>

#include "driver/failure.h"
#include "driver/version.h"

namespace flashlight::driver {

namespace {

// Options that compilers spell with one dash and several letters; CLI11 knows only two dashes for those.
const std::vector<std::string> kOneDash = {"MD", "MF", "Rpass", "Rpass-missed", "Rno-pass-missed"};

std::string two_dashes(const std::string& argument) {
  for (const std::string& name : kOneDash) {
    std::string spelled = "-" + name;
    if (argument == spelled || argument.rfind(spelled + "=", 0) == 0) return "-" + argument;
    if (name == "MF" && argument.size() > 3 && argument.rfind(spelled, 0) == 0)
      return "--MF=" + argument.substr(3);
  }
  return argument;
}

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(34); }
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: flashlight-translate [options] <source>... [-- <compiler arguments>]\n";
  }
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    std::string name = Formatter::make_option_name(option, is_positional);
    for (const std::string& one : kOneDash)
      if (name == "--" + one) return "-" + one;
    return name;
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string type = option->get_type_name();
    return type.empty() ? "" : type[0] == '=' ? type : " " + type;
  }
};

// Options of stages that this version does not have: said clearly, never taken in silence.
const std::map<std::string, std::string> kLater = {
    {"split", "writing a .cpp and a .cu"},
    {"precise", "splitting P into high and low parts"},
};

void declare_outputs(CLI::App& app, Options& o) {
  app.add_option("-o,--output", o.output,
                 "Where the CUDA C++ goes: a file, - for standard output, or an existing folder")
      ->type_name("FILE")
      ->group("Output");
  app.add_option("--c-header", o.c_header, "Write a C header that declares the emitted C entries")
      ->type_name("FILE")
      ->group("Output");
  app.add_flag("--standalone", o.standalone,
               "Put the headers into the output, so that it compiles without an include path")
      ->group("Output");
  app.add_option("--report", o.report, "Write the JSON report (- for standard output)")
      ->type_name("FILE")
      ->group("Output");
  app.add_flag("--report-only", o.report_only, "Translate and report, write no CUDA C++")->group("Output");
  app.add_flag("--MD", o.depend, "Write a depfile beside the output")->group("Output");
  app.add_option("--MF", o.depfile, "Where -MD writes")->type_name("FILE")->group("Output");
  app.add_option("--explain", o.explain, "Print in words what became of this function")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->group("Output");
  app.add_flag("--list-rules", o.list_rules, "Print the rewrite rules, with those of --rules")
      ->group("Output");
  app.add_option("--dump", o.dump, "Print a stage: ast, graph, rewritten, plan or kernel")
      ->type_name("STAGE")
      ->group("Output");
  app.add_option("--Rpass", o.pass,
                 "Print remarks on fused functions (REGEX must match the word `flashlight`)")
      ->type_name("=REGEX")
      ->group("Output");
  app.add_option("--Rpass-missed", o.pass_missed, "Remarks on every function left unfused")
      ->type_name("=REGEX")
      ->group("Output");
  app.add_flag("--Rno-pass-missed", o.no_pass_missed, "No remarks on functions left unfused")
      ->group("Output");
}

void declare_translation(CLI::App& app, Options& o) {
  app.add_option("--arch", o.archs, "GPU architectures, of sm_80 and sm_90a (sm_80)")
      ->type_name("LIST")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group("Translation");
  app.add_option("--head-dims", o.head_dims, "Head dimensions to make kernels for (64,128)")
      ->type_name("LIST")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group("Translation");
  app.add_option("--dtypes", o.dtypes, "Storage types to make kernels for (bf16,fp16)")
      ->type_name("LIST")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group("Translation");
  app.add_option("--tile", o.tiles,
                 "Rows x keys of a tile, as 128x64, where it fits (a list: the first that does)")
      ->type_name("LIST")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group("Translation");
  app.add_option("--function", o.functions, "Only this function (may be repeated)")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->group("Translation");
  app.add_option("--rules", o.rules, "Also apply the rewrite rules in this C++ file (may be repeated)")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->group("Translation");
  app.add_flag("--strict-nan", o.strict_nan,
               "Rows whose every score is -inf give NaN, as the eager program does")
      ->group("Translation");
  app.add_option("--check", o.check, "Fail if a function that is fused in this report is no longer fused")
      ->type_name("BASELINE.json")
      ->group("Translation");
  app.add_flag("--fail-on-unfused", o.fail_on_unfused, "Fail if a function with attention in it is not fused")
      ->group("Translation");
}

void declare_compilation(CLI::App& app, Options& o) {
  app.add_option("-p", o.build_dir,
                 "Folder of compile_commands.json; else the parents of the source are searched")
      ->type_name("DIR")
      ->group("Compilation");
  app.add_option("--extra-arg", o.compiler_args, "One more compiler argument (may be repeated)")
      ->type_name("ARG")
      ->allow_extra_args(false)
      ->group("Compilation");
  app.add_option("--include-dir", o.include_dir, "Folder that holds flashlight/flashlight.h")
      ->type_name("DIR")
      ->group("Compilation");
  app.add_option("--resource-dir", o.resource_dir, "Clang's resource folder")
      ->type_name("DIR")
      ->group("Compilation");
  app.add_option("--max-seconds", o.max_seconds, "Time limit of the translation (60)")
      ->type_name("N")
      ->check(CLI::Range(0.01, 86400.0).description(""))
      ->group("Compilation");
  app.add_option("--max-memory", o.max_megabytes, "Memory limit of the translation in MB (4096)")
      ->type_name("N")
      ->check(CLI::Range(64, 1 << 20).description(""))
      ->group("Compilation");
}

[[noreturn]] void usage(const std::string& id, const std::string& text,
                        const std::string& hint = "see --help") {
  throw Failure(kExitUsage, id, text, hint);
}

void check_one_of(const std::string& option, const std::vector<std::string>& given,
                  const std::vector<std::string>& known) {
  std::string list;
  for (const std::string& k : known) list += (list.empty() ? "" : ", ") + k;
  if (given.empty()) usage("bad-value", option + ": the list is empty", "known: " + list);
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (std::find(known.begin(), known.end(), given[i]) == known.end())
      usage("bad-value", option + ": '" + given[i] + "' is not known to this version", "known: " + list);
    if (std::find(given.begin(), given.begin() + i, given[i]) != given.begin() + i)
      usage("bad-value", option + ": '" + given[i] + "' stands twice");
  }
}

void check_regex(const std::string& option, const std::string& text) {
  try {
    std::regex r(text, std::regex::extended);
  } catch (const std::regex_error&) {
    usage("bad-value", option + ": '" + text + "' is not a regular expression");
  }
}

void check_values(const Options& o) {
  check_one_of("--arch", o.archs, {"sm_80", "sm_90a"});
  check_one_of("--dtypes", o.dtypes, {"bf16", "fp16", "fp32"});
  if (!o.dump.empty()) check_one_of("--dump", {o.dump}, {"ast", "graph", "rewritten", "plan", "kernel"});
  if (o.head_dims.empty()) usage("bad-value", "--head-dims: the list is empty");
  for (int d : o.head_dims)
    if (d < 8 || d > 256 || d % 8 != 0)
      usage("bad-value", "--head-dims: " + std::to_string(d) + " is not a multiple of 8 from 8 to 256");
  for (const std::string& tile : o.tiles) tile_size(tile);
  check_regex("-Rpass", o.pass);
  check_regex("-Rpass-missed", o.pass_missed);
}

void check_combinations(const Options& o) {
  if (o.sources.empty() && !o.list_rules) usage("no-source", "no source file is given");
  if (!o.c_header.empty() && (o.output.empty() || o.c_header == "-"))
    usage("conflicting-options", "--c-header is a file beside an output, and declares what is in it",
          "name the output with -o");
  if (o.report_only && !o.output.empty())
    usage("conflicting-options", "--report-only writes no CUDA C++, so -o has no meaning");
  if (o.output.empty() && !o.report_only && !o.prints() && !o.checks())
    usage("no-output", "no output is asked for", "name one with -o, or say --report-only");
  if (!o.depfile.empty() && !o.depend) usage("conflicting-options", "-MF has no meaning without -MD");
  if (o.depend && (o.output.empty() || o.output == "-"))
    usage("conflicting-options", "-MD needs an output file to name as the target", "name one with -o");
  bool report_printed = o.report == "-" || (o.report_only && o.report.empty());
  if ((o.output == "-") + report_printed + o.prints() > 1)
    usage("conflicting-options", "two outputs go to standard output", "send one of them to a file");
}

Failure from_cli(const CLI::ParseError& e) {
  std::string text = e.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&e))
    return Failure(kExitUsage, "unknown-option", text, "see --help; compiler arguments go behind --");
  if (dynamic_cast<const CLI::ConversionError*>(&e) || dynamic_cast<const CLI::ValidationError*>(&e))
    return Failure(kExitUsage, "bad-value", text, "see --help");
  return Failure(kExitUsage, "bad-usage", text, "see --help");
}

void refuse_later_options(const std::vector<std::string>& arguments) {
  for (const std::string& a : arguments)
    for (const auto& [name, stage] : kLater)
      if (a == "--" + name || a.rfind("--" + name + "=", 0) == 0)
        usage("not-available", "--" + name + " needs " + stage + ", which is not in this version",
              "leave it out");
}

// An empty value is most often an unset variable of a script; taken as "no such output" it would be dropped
// in silence.
void refuse_empty_values(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options())
    for (const std::string& value : option->results())
      if (value.empty()) usage("bad-value", option->get_name() + ": the value is empty");
}

}  // namespace

target::TileSize tile_size(const std::string& text) {
  constexpr int kStep = 16, kMost = 256;
  static const std::regex form("([0-9]{1,3})x([0-9]{1,3})");
  std::smatch found;
  if (std::regex_match(text, found, form)) {
    const target::TileSize size{std::stoi(found[1]), std::stoi(found[2])};
    const auto fine = [&](int x) { return x >= kStep && x <= kMost && x % kStep == 0; };
    if (fine(size.m) && fine(size.n)) return size;
  }
  usage("bad-value", "--tile: '" + text + "' is not ROWSxKEYS, each a multiple of 16 from 16 to 256",
        "as in --tile 128x64");
}

std::variant<Options, Answer> parse_options(int argc, const char* const* argv) {
  Options o;
  std::vector<std::string> own(argv + std::min(argc, 1), argv + argc), behind;
  if (auto dashes = std::find(own.begin(), own.end(), "--"); dashes != own.end()) {
    o.fixed_command = true;
    behind.assign(dashes + 1, own.end());
    own.erase(dashes, own.end());
  }
  for (std::string& a : own) a = two_dashes(a);

  CLI::App app(
      "Reads C++ programs whose attention is written in the tensor DSL and writes them as CUDA C++ with "
      "fused kernels.",
      "flashlight-translate");
  app.formatter(std::make_shared<HelpFormatter>());
  app.footer(
      "Exit codes: 0 done, 1 errors in the input, 2 usage, 3 a check failed, 70 internal error, 74 "
      "input/output.");
  app.set_version_flag("--version", version_text());
  app.add_option("source", o.sources, "C++ files")->type_name("");
  declare_outputs(app, o);
  declare_translation(app, o);
  declare_compilation(app, o);

  refuse_later_options(own);
  std::reverse(own.begin(), own.end());  // CLI11 takes them from the back
  try {
    app.parse(own);
  } catch (const CLI::CallForHelp&) { return Answer{app.help()}; } catch (const CLI::CallForVersion&) {
    return Answer{version_text() + "\n"};
  } catch (const CLI::ParseError& e) { throw from_cli(e); }
  refuse_empty_values(app);
  o.compiler_args.insert(o.compiler_args.end(), behind.begin(), behind.end());
  check_values(o);
  check_combinations(o);
  return o;
}

}  // namespace flashlight::driver
