// SPDX-License-Identifier: Apache-2.0
// Building and taking apart accumulator nodes.
#include "fusion/algebra/accumulator_node.h"

#include <algorithm>

namespace flashlight::fusion::algebra {

// args: product, then (u, reference) per exponent, then (x, reference) per power.
// numbers: number of exponents, then the lambdas, then the powers.
Expr accumulator_node(AccumulatorParts parts) {
  std::erase_if(parts.powers, [](const PowerPart& p) { return p.power == 0; });
  std::sort(parts.powers.begin(), parts.powers.end(),
            [](const PowerPart& a, const PowerPart& b) { return a.x < b.x; });
  std::sort(parts.exponents.begin(), parts.exponents.end(),
            [](const ExponentPart& a, const ExponentPart& b) { return a.u < b.u; });
  Arena& arena = parts.product.arena();
  if (parts.product.is_constant(1) && parts.exponents.empty() && parts.powers.empty())
    return arena.stream_length();
  std::vector<Expr> args{parts.product};
  std::vector<double> numbers{static_cast<double>(parts.exponents.size())};
  for (const ExponentPart& e : parts.exponents) {
    args.insert(args.end(), {e.u, e.reference});
    numbers.push_back(e.lambda);
  }
  for (const PowerPart& p : parts.powers) {
    args.insert(args.end(), {p.x, p.reference});
    numbers.push_back(p.power);
  }
  return arena.make(Op::kAccumulator, std::move(args), std::move(numbers));
}

AccumulatorParts accumulator_parts(Expr accumulator) {
  const Node& n = accumulator.node();
  AccumulatorParts parts{n.args[0], {}, {}};
  const auto exponents = static_cast<std::size_t>(n.numbers[0]);
  for (std::size_t i = 0; i + 1 < n.numbers.size(); ++i) {
    const Expr value = n.args[1 + 2 * i], reference = n.args[2 + 2 * i];
    if (i < exponents) parts.exponents.push_back({n.numbers[1 + i], value, reference});
    else parts.powers.push_back({value, static_cast<int>(n.numbers[1 + i]), reference});
  }
  return parts;
}

std::vector<FamilyMember> lower_family(Expr accumulator) {
  const AccumulatorParts full = accumulator_parts(accumulator);
  std::vector<FamilyMember> family;
  std::vector<int> powers(full.powers.size(), 0);
  while (true) {
    AccumulatorParts parts = full;
    for (std::size_t i = 0; i < powers.size(); ++i) parts.powers[i].power = powers[i];
    family.push_back({powers, accumulator_node(std::move(parts))});
    std::size_t i = powers.size();
    while (i > 0 && powers[i - 1] == full.powers[i - 1].power) powers[--i] = 0;
    if (i == 0) return family;
    ++powers[i - 1];
  }
}

double binomial(int n, int k) {
  double value = 1;
  for (int i = 1; i <= k; ++i) value = value * (n - k + i) / i;
  return value;
}

}  // namespace flashlight::fusion::algebra
