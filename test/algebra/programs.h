// SPDX-License-Identifier: Apache-2.0
// Attention-like programs that exercise every law, and rows of data to run them on.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "fusion/algebra/expr.h"
#include "fusion/algebra/runtime.h"

namespace flashlight::fusion::algebra::test {

// Leaf ids of the programs below.
enum LeafId { kS, kS2, kV, kW, kPos, kMask, kBias, kFj, kKn, kSink, kLam, kFi, kI, kQn, kT, kLeafCount };

// The leaves as expressions; `prefix` goes before every name.
class Leaves {
 public:
  explicit Leaves(Arena& arena, const std::string& prefix = "");
  Expr operator[](LeafId id) const { return leaves_[static_cast<std::size_t>(id)]; }
  Expr constant(double c) const { return arena_.constant(c); }
  Expr length() const { return arena_.stream_length(); }

 private:
  Arena& arena_;
  std::vector<Expr> leaves_;
};

Expr softmax(Expr x);
Expr naive_softmax(Expr x);
Expr log_sum_exp(Expr x);
// Scores with the keys outside the mask at -inf.
Expr masked_scores(const Leaves& leaves, LeafId scores = kS);

struct Program {
  std::string name;
  std::vector<Expr> outputs;
  int sweeps = 1;
  // Allowed relative to max(|exact|, 1).
  double double_error = 1e-9;
  double float_error = 3e-6;
  bool has_scan = false;
};

std::vector<Program> programs(Arena& arena, const std::string& prefix = "");

// Distributions of the scores: small, large, far from zero, up to 1e4.
enum class Scores { kNormal, kWide, kOffset, kBig };

// Six rows of 23 keys; row 0 masks nothing, 1 a prefix, 2 a suffix, 3 everything, 4 has ties at the maximum.
inline constexpr std::size_t kRows = 6, kKeys = 23, kFullyMaskedRow = 3;
std::vector<Bindings<double>> rows(Scores scores, unsigned seed);

template <typename T>
Bindings<T> converted(const Bindings<double>& b) {
  Bindings<T> r;
  r.length = b.length;
  for (const auto& [id, values] : b.leaves) r.leaves[id].assign(values.begin(), values.end());
  return r;
}

}  // namespace flashlight::fusion::algebra::test
