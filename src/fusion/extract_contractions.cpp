// SPDX-License-Identifier: Apache-2.0
// Sums over features of products of a query side and a key side.
#include "fusion/extraction.h"

#include <algorithm>

namespace flashlight::fusion {

using algebra::Expr;
using graph::Op;
using graph::Sym;
using graph::Type;

Expr Extraction::mixed(const Access& access) {
  const graph::Node& node = graph_[access.node];
  if (node.reduced.size() == 1 && holds_products(access)) {
    if (const auto all = written_out(access, 0)) return *all;
  }
  return contraction(access);
}

bool Extraction::holds_products(const Access& access) {
  const graph::Node& node = graph_[access.node];
  const auto factors = factors_of(graph_, compose(node.operands[0], open_iteration(access)));
  return std::any_of(factors.begin(), factors.end(), [&](const Access& factor) {
    const LoopSet loops = dependence_(factor);
    return !local_(factor) && (loops & bit(plan_.row)) && (loops & bit(plan_.stream));
  });
}

Expr Extraction::contraction(const Access& access) {
  const graph::Node& node = graph_[access.node];
  refuse_opaque(node.operands[0].node);
  const auto few = [](const Sym& size) { return size.as_integer() && *size.as_integer() <= kFewPositions; };
  const auto axis = std::find_if(node.reduced.begin(), node.reduced.end(), few);
  // Of what is mixed and written out, each part is needed by several.
  if (written_ > 0 && node.reduced.size() > 1 && axis != node.reduced.end())
    return *written_out(access, static_cast<std::size_t>(axis - node.reduced.begin()));
  return contraction_at(access, Positions(node.reduced.size()));
}

Extraction::Product Extraction::product_of(const Access& access, const Positions& at) {
  const graph::Node& node = graph_[access.node];
  Product result;
  Index iteration = access.index;
  for (std::size_t r = 0; r < at.size(); ++r) {
    iteration.push_back(at[r] ? *at[r] : Sym::axis(kFirstBound + static_cast<int>(result.sizes.size())));
    if (!at[r]) result.sizes.push_back(node.reduced[r]);
  }
  std::vector<Access> open = factors_of(graph_, compose(node.operands[0], iteration));
  while (!open.empty()) {
    const Access factor = open.back();
    open.pop_back();
    const graph::Node& inner = graph_[factor.node];
    const LoopSet loops = dependence_(factor);
    const bool of_both = (loops & bit(plan_.row)) && (loops & bit(plan_.stream));
    if (inner.op != Op::Reduce || inner.reduce != graph::ReduceKind::Sum || !of_both || sums_keys(inner)) {
      result.factors.push_back(factor);
      continue;
    }
    Index below = factor.index;
    for (const Sym& size : inner.reduced) {
      below.push_back(Sym::axis(kFirstBound + static_cast<int>(result.sizes.size())));
      result.sizes.push_back(size);
    }
    for (const Access& f : factors_of(graph_, compose(inner.operands[0], below))) open.push_back(f);
  }
  std::sort(result.factors.begin(), result.factors.end());
  return result;
}

bool Extraction::sums_keys(const graph::Node& node) const {
  return std::any_of(node.reduced.begin(), node.reduced.end(),
                     [&](const Sym& size) { return size == plan_.loops[plan_.stream].size; });
}

Access Extraction::at_digits(const Access& term, const std::vector<Sym>& digits) {
  Access result = term;
  for (Sym& index : result.index) {
    index = graph::substitute(index, [&](const Sym& leaf) -> std::optional<Sym> {
      if (leaf.op() != graph::SymOp::Axis || leaf.integer() < kFirstBound) return std::nullopt;
      return digits[static_cast<std::size_t>(leaf.integer() - kFirstBound)];
    });
  }
  return result;
}

// q (e^T k)^T, where the sum over features comes first: the product of q and k, over the whole sequence,
// would be made again for every pair; e^T k is better made before. It is told by what one side alone has the
// feature of, k and q: k links it to another feature, and has rows or batches that q has, too, but not all of
// q's. A sum over heads that share keys links nothing so.
void Extraction::check_features(const Access& access, const Product& terms) {
  LoopSet features = 0;
  for (std::size_t r = 0; r < terms.sizes.size(); ++r)
    features |= is_handful(terms.sizes[r]) ? 0 : bit(kFirstBound + static_cast<int>(r));
  for (std::size_t r = 0; r < terms.sizes.size(); ++r) {
    std::vector<LoopSet> along;
    for (const Access& factor : terms.factors)
      if (const LoopSet loops = dependence_(factor);
          loops & features & bit(kFirstBound + static_cast<int>(r)))
        along.push_back(loops);
    const auto of_key =
        std::count_if(along.begin(), along.end(), [&](LoopSet loops) { return loops & bit(plan_.stream); });
    if (of_key > 0 && of_key < static_cast<std::ptrdiff_t>(along.size())) continue;
    for (const LoopSet link : along)
      for (const LoopSet other : along)
        if ((link & ~other & features) && !(link & ~other & ~features) && (other & ~link & ~features))
          refuse(access, "unsupported-contraction", "an operand of the contraction is itself a product",
                 "contract tensors that vary with either queries or keys; project them before the function");
  }
}

namespace {

std::string at_line(const graph::Graph& graph, graph::NodeId id) {
  const std::string name = graph.label(id).empty() ? "" : " (`" + graph.label(id) + "`)";
  const unsigned line = graph.source(id).line;
  return name + (line > 0 ? ", in line " + std::to_string(line) : "");
}

}  // namespace

// Of the first reduction below that is too dear to be repeated: what kind of one, and where it stands.
std::string Extraction::made_by(const Access& value) {
  const graph::Node& node = graph_[value.node];
  if (node.op == Op::Reduce) {
    const bool product = node.reduce == graph::ReduceKind::Sum &&
                         factors_of(graph_, compose(node.operands[0], open_iteration(value))).size() > 1;
    return (product ? "a product" : "a reduction") + at_line(graph_, value.node);
  }
  if (node.op == Op::Scan) return "a running sum" + at_line(graph_, value.node);
  const bool descends = node.op == Op::Map || node.op == Op::Segment;
  for (std::size_t k = 0; descends && k < node.operands.size(); ++k)
    if (const Access below = compose(node.operands[k], value.index); !local_(below)) return made_by(below);
  return "looked up in computed values" + at_line(graph_, value.node);
}

Expr Extraction::contraction_at(const Access& access, const Positions& at) {
  const graph::Node& node = graph_[access.node];
  if (node.reduce != graph::ReduceKind::Sum) {
    refuse(access, "unsupported-reduction",
           "a reduction that is neither over the keys nor a contraction is not fused yet", "");
  }
  Leaf result;
  result.kind = Leaf::Contraction;
  result.node = access.node;
  result.index = access.index;
  const Product terms = product_of(access, at);
  Sym features = 1;
  for (const Sym& size : terms.sizes) features = features * size;
  result.feature = loop_of(Role::Feature, features);
  result.loops = static_cast<unsigned>(dependence_(access));
  if (terms.sizes.size() > static_cast<std::size_t>(std::count(at.begin(), at.end(), std::nullopt)))
    check_features(access, terms);
  const std::vector<Sym> digits = digits_of(Sym::axis(result.feature), terms.sizes);
  std::vector<Access> outside;
  for (const Access& term : terms.factors) {
    const Access factor = at_digits(term, digits);
    const LoopSet loops = dependence_(factor);
    if (!(loops & bit(result.feature))) {
      outside.push_back(factor);
      continue;
    }
    const bool row = loops & bit(plan_.row), key = loops & bit(plan_.stream);
    if (row && key) {
      if (const auto each = element_by_element(access, at)) return *each;
      refuse_mixed(access);
    }
    if (!local_(factor)) {
      refuse(access, "unsupported-contraction", "an operand of the contraction is itself " + made_by(factor),
             "contract tensors that vary with either queries or keys; project them before the function");
    }
    (key ? result.right : result.left).push_back({factor.node, factor.index});
  }
  if (result.right.empty() || result.left.empty()) {
    refuse(access, "unsupported-reduction", "a reduction over features of one side only is not fused yet",
           "compute it before the attention");
  }
  std::erase_if(outside, [&](const Access& factor) { return join_side(factor, result); });
  std::vector<Sym> positions;
  for (const auto& position : at)
    if (position) positions.push_back(*position);
  Expr product = leaf(std::move(result), positions);
  for (const Access& factor : outside) product = value(factor) * product;
  return product;
}

std::optional<Expr> Extraction::element_by_element(const Access& access, const Positions& at) {
  const bool whole =
      std::none_of(at.begin(), at.end(), [](const auto& position) { return position.has_value(); });
  if (!whole || !local_.of_pair(access)) return std::nullopt;
  return point(access);
}

void Extraction::refuse_mixed(const Access& access) {
  refuse(access.node, "mixed-heads",
         "scores or weights are summed over an axis of theirs, such as the heads: each head has its own "
         "maximum and sum, which "
         "would have to be found in a sweep before",
         "state how many there are, assume(q.size(1) == 8), up to 16; or mix the heads' results behind the "
         "attention");
}

bool Extraction::join_side(const Access& factor, Leaf& contraction) {
  const LoopSet loops = dependence_(factor);
  const bool row = loops & bit(plan_.row), key = loops & bit(plan_.stream);
  if (row == key || !local_(factor) || graph_[factor.node].type != Type::Float) return false;
  std::vector<graph::Operand>& side = key ? contraction.right : contraction.left;
  if (side.size() == 1 && graph_[side[0].node].op == Op::Input) return false;
  side.push_back({factor.node, factor.index});
  return true;
}

Index Extraction::iteration_at(const Access& access, const Positions& at) {
  Index iteration = access.index;
  for (const auto& position : at) iteration.push_back(*position);
  return iteration;
}

}  // namespace flashlight::fusion
