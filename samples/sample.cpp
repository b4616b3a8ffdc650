// SPDX-License-Identifier: Apache-2.0
// Cases of the samples: their inputs, their three runs, and what is printed about them.
#include "sample.h"

#include <flashlight/emulator/emulator.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "references.h"
#include "verdict.h"

namespace sample {

using namespace flashlight;

namespace {

const char* short_name(DType dtype) {
  return dtype == kBFloat16  ? "bf16"
         : dtype == kFloat16 ? "fp16"
         : dtype == kFloat32 ? "fp32"
                             : name_of(dtype);
}

std::string describe(const Shape& s) {
  char text[160];
  std::snprintf(text, sizeof text, "B=%-2lld H=%-2lld Hkv=%-2lld Sq=%-4lld Sk=%-4lld D=%-3lld Dv=%-3lld %s%s",
                static_cast<long long>(s.batch), static_cast<long long>(s.heads),
                static_cast<long long>(s.key_heads), static_cast<long long>(s.queries),
                static_cast<long long>(s.keys), static_cast<long long>(s.depth),
                static_cast<long long>(s.value_depth), short_name(s.dtype), s.contiguous ? "" : " strided");
  return text;
}

// The device's run of a case.
struct Fused {
  std::vector<Tensor> outputs;
  bool translated = true;
  std::string failure;
  long long visited = 0, masked = 0;  // key tiles; counted by the emulated device only
};

Fused run_fused(const void* callable, detail::Run run, const Shape& shape) {
  Fused fused;
  emulator::reset_counters();
  try {
    for (const Tensor& x : run(callable, Cast(shape.dtype, shape.dtype, kCUDA, shape.contiguous))) {
      if (x.device() != kCUDA) fused.failure = "the result of CUDA tensors is on the CPU";
      fused.outputs.push_back(x.to(kCPU));
    }
  } catch (const Error& error) {
    fused.failure = error.what();
    // The plain program: its ops, which run on the CPU, were given the device's tensors.
    fused.translated = fused.failure.find("this op runs on the CPU only") == std::string::npos;
  }
  fused.visited = emulator::counter("tile");
  fused.masked = emulator::counter("masked tile");
  return fused;
}

struct Outcome {
  Fused fused;
  std::vector<Verdict> verdicts;  // by output
  std::string failure;            // empty: passed
};

Outcome run_case(const void* callable, detail::Run run, const Shape& shape, bool eager_only, bool strict_nan,
                 References* references, int comparison) {
  Outcome o;
  try {
    const TensorList r = run(callable, Cast(shape.dtype, kFloat64, kCPU, true));
    const TensorList e = run(callable, Cast(shape.dtype, shape.dtype, kCPU, shape.contiguous));
    if (!eager_only) o.fused = run_fused(callable, run, shape);
    if (!o.fused.failure.empty()) o.failure = o.fused.failure;
    const bool fused = !eager_only && o.failure.empty();
    for (std::size_t k = 0; k < r.size(); ++k) {
      // Without a fused run, eager is held against itself: it must have the reference's shape and specials.
      o.verdicts.push_back(
          judge(r[k], e[k], fused ? o.fused.outputs.at(k) : e[k], shape.dtype, fused ? strict_nan : true));
      if (o.failure.empty()) o.failure = o.verdicts.back().failure;
      if (o.failure.empty() && references)
        o.failure = references->visit(r[k], comparison, static_cast<int>(k));
    }
  } catch (const Error& error) { o.failure = std::string("the eager run failed: ") + error.what(); }
  return o;
}

constexpr const char* kNotTranslated =
    "not translated: this is the plain program, which has no kernel for device tensors";

}  // namespace

Tensor Cast::operator()(const Tensor& x) const {
  Tensor y = is_floating(x.dtype()) ? x.to(storage_).to(compute_)
                                    : x;  // every run starts from the same rounded numbers
  if (!contiguous_ && y.dim() == 4) y = y.transpose(1, 2).contiguous().transpose(1, 2);
  return y.to(device_);
}

Case::Case(const Shape& shape, bool friendly, bool eager_only, bool strict_nan, References* references)
    : shape_(shape),
      friendly_(friendly),
      eager_only_(eager_only),
      strict_nan_(strict_nan),
      references_(references) {
  if (shape_.key_heads == 0) shape_.key_heads = shape_.heads;
  if (shape_.value_depth == 0) shape_.value_depth = shape_.depth;
  if (shape_.self_attention) shape_.keys = shape_.queries;
}

Tensor Case::queries() { return randn({b(), h(), sq(), d()}); }
Tensor Case::keys() { return randn({b(), hkv(), sk(), d()}); }
Tensor Case::values() { return randn({b(), hkv(), sk(), dv()}); }
Tensor Case::randn(Sizes sizes) { return flashlight::randn(sizes, seed_++, kFloat64); }

void Case::compare_runs(const char* label, const void* callable, detail::Run run) {
  if (friendly_) compare_friendly(label, callable, run);
  else compare_on_one_line(label, callable, run);
  std::fflush(stdout);
}

void Case::compare_friendly(const char* label, const void* callable, detail::Run run) {
  const Outcome o = run_case(callable, run, shape_, eager_only_, strict_nan_, references_, compared_);
  ++compared_;
  failed_ += !o.failure.empty();
  if (compared_ == 1) std::printf("%s\n", describe(shape_).c_str());
  if (*label) std::printf("%s\n", label);
  for (const Verdict& v : o.verdicts) {
    std::printf("  eager, %s on the CPU:  off the float64 result by %.2e\n", short_name(shape_.dtype),
                v.eager_error);
    if (eager_only_ || !o.fused.failure.empty()) continue;
    std::printf("  fused kernel:          off by %.2e, allowed %.2e\n", v.fused_error, v.allowed);
    if (v.empty)
      std::printf("  rows that see no key:  %lld of the result's numbers belong to them\n", v.empty);
  }
  if (o.fused.visited > 0)
    std::printf("  key tiles visited:     %lld, of which %lld ran mask code\n", o.fused.visited,
                o.fused.masked);
  const char* failure = o.fused.translated ? o.failure.c_str() : kNotTranslated;
  std::printf("  %s%s\n", o.failure.empty() ? "ok" : "FAIL: ", o.failure.empty() ? "" : failure);
}

void Case::compare_on_one_line(const char* label, const void* callable, detail::Run run) {
  const Outcome o = run_case(callable, run, shape_, eager_only_, strict_nan_, references_, compared_);
  ++compared_;
  failed_ += !o.failure.empty();
  std::string line = describe(shape_);
  if (*label) line = std::string(label) + ": " + line;
  char text[96];
  const bool fused = !eager_only_ && o.fused.failure.empty();
  for (const Verdict& v : o.verdicts) {
    if (fused) std::snprintf(text, sizeof text, "  error %.2e tolerance %.2e", v.fused_error, v.allowed);
    else std::snprintf(text, sizeof text, "  eager error %.2e", v.eager_error);
    line += text;
    if (v.empty) line += " empty " + std::to_string(v.empty);
  }
  if (fused) {
    std::snprintf(text, sizeof text, "  tiles visited %lld masked %lld", o.fused.visited, o.fused.masked);
    line += text;
  }
  if (o.failure.empty()) line += "  ok";
  else line += "  FAIL: " + (o.fused.translated ? o.failure : std::string(kNotTranslated));
  std::printf("%s\n", line.c_str());
}

}  // namespace sample
