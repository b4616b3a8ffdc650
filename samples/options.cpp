// SPDX-License-Identifier: Apache-2.0
// The samples' command line, and the list of ugly sizes.
#include <flashlight/runtime.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "references.h"
#include "sample.h"

namespace sample {

using namespace flashlight;

namespace {

constexpr const char* kHelp =
    "Runs this sample's function three ways, in float64 and eagerly on the CPU and as a fused kernel, and "
    "compares.\n"
    "  --b N --h N --hkv N      batch, heads, key heads\n"
    "  --sq N --sk N            queries, keys\n"
    "  --d N --dv N             head dims of queries and keys, of values\n"
    "  --dtype bf16|fp16|fp32   storage type\n"
    "  --noncontiguous          store [B, H, S, D] inputs as [B, S, H, D]\n"
    "  --ugly                   a list of sizes that fit no tile, in bf16 and fp16 unless --dtype is given, "
    "some strided\n"
    "  --eager                  leave the fused run out\n"
    "  --arch sm_80|sm_90a      which of a file's kernels run, where it has both (sm_90a)\n"
    "  --strict-nan             rows that see no key must give NaN (as translated with --strict-nan)\n"
    "  --save FOLDER            keep the small float64 results there, for --expected on another machine\n"
    "  --expected FOLDER        hold the float64 results of this machine against those\n"
    "Exit: 0 all agreed, 1 not, 2 usage.\n";

struct Options {
  Shape shape;
  bool ugly = false, eager = false, strict_nan = false, friendly = true;
  References references;
  bool one_dtype = false;  // --dtype
};

[[noreturn]] void usage(const char* text, const char* argument) {
  std::fprintf(stderr, "%s: '%s'; see --help\n", text, argument);
  std::exit(2);
}

std::int64_t number(const char* text) {
  char* end = nullptr;
  const long long value = std::strtoll(text, &end, 10);
  if (end == text || *end || value < 0 || value > (1 << 20)) usage("not a size", text);
  return value;
}

DType dtype(std::string_view text) {
  if (text == "bf16") return kBFloat16;
  if (text == "fp16") return kFloat16;
  if (text == "fp32") return kFloat32;
  usage("no dtype", text.data());
}

// Which of a file's kernels run, on a GPU or on the emulated device.
void choose_kernels(const char* arch) {
  if (arch != std::string_view("sm_80") && arch != std::string_view("sm_90a")) usage("no architecture", arch);
  setenv("FLASHLIGHT_ARCH", arch, 1);
}

// How often each kernel was started.
std::map<std::string, long long>& started() {
  static std::map<std::string, long long> kernels;
  return kernels;
}

void print_started() {
  std::string line;
  for (const auto& [kernel, count] : started()) line += " " + kernel + " " + std::to_string(count);
  if (!line.empty()) std::printf("kernels:%s\n", line.c_str());
}

std::int64_t* size_of(Shape& s, std::string_view option) {
  if (option == "--b") return &s.batch;
  if (option == "--h") return &s.heads;
  if (option == "--hkv") return &s.key_heads;
  if (option == "--sq") return &s.queries;
  if (option == "--sk") return &s.keys;
  if (option == "--d") return &s.depth;
  if (option == "--dv") return &s.value_depth;
  return nullptr;
}

const char* behind(int argc, char** argv, int& k) {
  if (++k == argc) usage("a value is missing behind", argv[k - 1]);
  return argv[k];
}

Options parse(int argc, char** argv, const Shape& defaults) {
  Options o;
  o.shape = defaults;
  for (int k = 1; k < argc; ++k) {
    const std::string_view option = argv[k];
    if (option == "--help") {
      std::fputs(kHelp, stdout);
      std::exit(0);
    }
    if (option == "--ugly") o.ugly = true;
    else if (option == "--eager") o.eager = true;
    else if (option == "--strict-nan") o.strict_nan = true;
    else if (option == "--noncontiguous") o.shape.contiguous = o.friendly = false;
    else if (std::int64_t* size = size_of(o.shape, option); size || option == "--dtype") {
      const char* const value = behind(argc, argv, k);
      if (size) *size = number(value);
      else o.shape.dtype = dtype(value), o.one_dtype = true;
      o.friendly = false;
    } else if (option == "--arch") {
      choose_kernels(behind(argc, argv, k));
    } else if (option == "--save") {
      o.references.save(behind(argc, argv, k));
    } else if (option == "--expected") {
      o.references.expect(behind(argc, argv, k));
    } else {
      usage("unknown option", argv[k]);
    }
  }
  return o;
}

// Sizes of one, around a tile's edge and of no multiple of it; more queries than keys and the reverse; a head
// dim that is padded; batches and heads only where they are cheap.
std::vector<Shape> ugly(const Shape& defaults, bool one_dtype) {
  struct Ugly {
    int queries, keys, depth;
    DType dtype;
    bool contiguous;
  };
  static constexpr Ugly kList[] = {
      {1, 1, 64, kBFloat16, true},      {1, 257, 64, kFloat16, true},     {17, 17, 128, kFloat16, true},
      {17, 200, 40, kBFloat16, false},  {64, 64, 64, kBFloat16, false},   {64, 128, 40, kFloat16, true},
      {128, 128, 128, kBFloat16, true}, {128, 17, 64, kFloat16, true},    {200, 64, 40, kBFloat16, false},
      {200, 257, 64, kFloat16, false},  {257, 200, 128, kBFloat16, true}, {257, 257, 64, kBFloat16, true},
  };
  std::vector<Shape> shapes;
  for (const Ugly& u : kList) {
    Shape s = defaults;
    s.queries = u.queries;
    s.keys = u.keys;
    s.depth = u.depth;
    if (!one_dtype) s.dtype = u.dtype;
    s.contiguous = u.contiguous;
    s.batch = u.queries * u.keys <= 64 * 128 ? 2 : 1;
    if (s.key_heads == 0) s.heads = 2;
    shapes.push_back(s);
  }
  return shapes;
}

}  // namespace

int detail::run(int argc, char** argv, const Shape& defaults, void* callable, Body body) {
  Options o = parse(argc, argv, defaults);
  bool passed = true;
  observe_launches([](const char* kernel) { ++started()[kernel]; });
  for (const Shape& shape : o.ugly ? ugly(o.shape, o.one_dtype) : std::vector{o.shape}) {
    o.references.begin_case();
    Case c(shape, o.friendly && !o.ugly, o.eager, o.strict_nan, &o.references);
    try {
      body(callable, c);
      passed &= c.passed();
    } catch (const Error& error) {
      std::printf("FAIL: %s\n", error.what());
      passed = false;
    }
  }
  if (o.ugly || !o.friendly) print_started();
  if (o.references.compared()) std::printf("%d kept references compared\n", o.references.compared());
  if (o.references.found_none()) std::printf("FAIL: no kept reference was found for --expected\n");
  return passed && !o.references.found_none() ? 0 : 1;
}

}  // namespace sample
