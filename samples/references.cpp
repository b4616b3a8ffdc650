// SPDX-License-Identifier: Apache-2.0
// See references.h.
#include "references.h"

#include <cmath>
#include <cstdio>

namespace sample {

using flashlight::Tensor;

namespace {

// Two machines' math libraries differ in the last bits; a wrong seed, size or program differs in the first.
constexpr double kAgreement = 1e-9;

bool exists(const std::string& path) {
  std::FILE* const file = std::fopen(path.c_str(), "rb");
  if (file) std::fclose(file);
  return file != nullptr;
}

std::string difference(const Tensor& kept, const Tensor& r) {
  if (kept.dtype() != r.dtype() || kept.sizes() != r.sizes())
    return "has another shape than the result computed here";
  const Tensor here = r.contiguous();
  const double *a = kept.data<double>(), *b = here.data<double>();
  for (std::int64_t k = 0; k < r.numel(); ++k) {
    if (std::isnan(a[k]) && std::isnan(b[k])) continue;
    if (a[k] == b[k] || std::abs(a[k] - b[k]) <= kAgreement * std::fmax(1, std::abs(a[k]))) continue;
    char text[96];
    std::snprintf(text, sizeof text, "has %.12g where %.12g was computed here", a[k], b[k]);
    return text;
  }
  return "";
}

}  // namespace

std::string References::visit(const Tensor& r, int comparison, int output) {
  if (save_.empty() && expected_.empty()) return "";
  const std::string name =
      "/" + std::to_string(case_) + "." + std::to_string(comparison) + "." + std::to_string(output) + ".npy";
  if (!save_.empty() && r.numel() <= kLargest) flashlight::save_npy(save_ + name, r.contiguous());
  if (expected_.empty() || !exists(expected_ + name)) return "";
  ++compared_;
  const std::string wrong = difference(flashlight::load_npy(expected_ + name), r);
  return wrong.empty() ? "" : "the kept reference" + name + " " + wrong;
}

}  // namespace sample
