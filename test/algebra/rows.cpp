// SPDX-License-Identifier: Apache-2.0
// Rows of data, the same on every platform.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "programs.h"

namespace flashlight::fusion::algebra::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  double uniform() { return (engine_() + 0.5) / 4294967296.0; }
  double normal() { return std::sqrt(-2 * std::log(uniform())) * std::cos(6.283185307179586 * uniform()); }
  std::vector<double> normals(double scale, double offset = 0) {
    std::vector<double> out(kKeys);
    for (double& x : out) x = offset + scale * normal();
    return out;
  }

 private:
  std::mt19937 engine_;
};

void set_scores(Bindings<double>& row, Scores kind, std::size_t i, Random& random) {
  constexpr double kOffsets[kRows] = {1e4, -1e4, 1e4, -1e4, 5e3, 0};
  switch (kind) {
    case Scores::kNormal: row.leaves[kS] = random.normals(1); break;
    case Scores::kWide: row.leaves[kS] = random.normals(20); break;
    case Scores::kOffset: row.leaves[kS] = random.normals(1, kOffsets[i]); break;
    case Scores::kBig:
      row.leaves[kS] = random.normals(4000);
      for (double& x : row.leaves[kS]) x = std::clamp(x, -1e4, 1e4);
      break;
  }
  row.leaves[kS2] =
      kind == Scores::kOffset ? random.normals(1, 40) : random.normals(kind == Scores::kNormal ? 1 : 20);
}

void set_masks(Bindings<double>& row, std::size_t i, Random& random) {
  std::vector<double> mask(kKeys), bias(kKeys);
  for (std::size_t j = 0; j < kKeys; ++j) {
    mask[j] = random.uniform() < 0.7;
    bias[j] = random.uniform() < 0.3 ? -kInf : random.normal();
    if (i == 0) mask[j] = 1, bias[j] = 0;
    if ((i == 1 && j < 9) || (i == 2 && j >= 9) || i == kFullyMaskedRow) mask[j] = 0, bias[j] = -kInf;
  }
  if (i == 4) {  // ties, one on either side of a tile's edge
    std::vector<double>& s = row.leaves[kS];
    s[5] = s[6] = std::round(*std::max_element(s.begin(), s.end())) + 1;
    mask[5] = mask[6] = 1;
  }
  row.leaves[kMask] = mask;
  row.leaves[kBias] = bias;
}

}  // namespace

std::vector<Bindings<double>> rows(Scores kind, unsigned seed) {
  Random random(seed);
  std::vector<double> pos(kKeys), decay(kKeys), key_norm(kKeys);
  double log_decay = 0;
  for (std::size_t j = 0; j < kKeys; ++j) {
    pos[j] = static_cast<double>(j);
    decay[j] = log_decay -= std::log1p(std::exp(-random.normal() - 2));
    key_norm[j] = 1 + std::abs(random.normal());
  }
  std::vector<Bindings<double>> out(kRows);
  for (std::size_t i = 0; i < kRows; ++i) {
    Bindings<double>& row = out[i];
    row.length = kKeys;
    set_scores(row, kind, i, random);
    set_masks(row, i, random);
    row.leaves[kV] = random.normals(1);
    row.leaves[kW] = random.normals(1);
    row.leaves[kPos] = pos;
    row.leaves[kFj] = decay;
    row.leaves[kKn] = key_norm;
    row.leaves[kSink] = {random.normal()};
    row.leaves[kLam] = {random.normal()};
    row.leaves[kFi] = {decay.back()};
    row.leaves[kI] = {static_cast<double>(i)};
    row.leaves[kQn] = {1 + std::abs(random.normal())};
    row.leaves[kT] = {1 + std::abs(random.normal())};
    for (auto& [id, values] : row.leaves)  // exact in float32
      for (double& x : values) x = static_cast<float>(x);
  }
  return out;
}

}  // namespace flashlight::fusion::algebra::test
