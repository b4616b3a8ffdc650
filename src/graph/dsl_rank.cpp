// SPDX-License-Identifier: Apache-2.0
// Ranks: which axes of a view are meant, and what their use says about the ranks of the function's
// parameters.
#include "graph/dsl_rank.h"

#include <algorithm>
#include <cstdlib>

namespace flashlight::graph {
namespace {

// Which axis is the pack: the first, except in nodes whose axes a normal form has reordered. -1: none.
int pack_axis(const Node& n) {
  for (std::size_t k = 0; k < n.shape.size(); ++k)
    if (n.shape[k].op() == SymOp::Symbol && n.shape[k].symbol_id().kind == SymbolId::Pack)
      return static_cast<int>(k);
  return -1;
}

bool has_pack(const Node& n) { return pack_axis(n) >= 0; }

// The operand is read along the pack of the node that it belongs to.
bool carries_pack(const Builder& b, const Node& n, const Operand& operand) {
  const int axis = pack_axis(b.node(operand.node));
  return axis >= 0 && operand.index[static_cast<std::size_t>(axis)] == Sym::axis(pack_axis(n));
}

// Input nodes that `id` depends on. With `pack_only`, those whose pack is the pack of `id`.
void collect_inputs(const Builder& b, NodeId id, bool pack_only, std::set<NodeId>& seen,
                    std::vector<NodeId>& out) {
  if (!seen.insert(id).second) return;
  const Node& n = b.node(id);
  if (pack_only && !has_pack(n)) return;
  if (n.op == Op::Input) out.push_back(id);
  for (const Operand& operand : n.operands)
    if (!pack_only || carries_pack(b, n, operand)) collect_inputs(b, operand.node, pack_only, seen, out);
}

std::vector<NodeId> inputs_behind(const Builder& b, NodeId id, bool pack_only) {
  std::set<NodeId> seen;
  std::vector<NodeId> out;
  collect_inputs(b, id, pack_only, seen, out);
  return out;
}

int explicit_axes(const Node& input) { return static_cast<int>(input.shape.size()) - 1; }

// The input with a pack that has the fewest axes: others catch up when they meet it in a broadcast.
NodeId input_to_raise(const Builder& b, const TensorView& v, const Args& args) {
  std::vector<NodeId> inputs = inputs_behind(b, v.node, true);
  if (inputs.empty())  // zeros_like and its kin have a pack that no operand carries
    for (NodeId id = 0; id <= v.node; ++id)
      if (b.node(id).op == Op::Input && has_pack(b.node(id))) inputs.push_back(id);
  if (inputs.empty())
    args.fail("unknown-rank", "the rank of " + describe(v) + " cannot be inferred",
              "state it: assume(x.dim() == 4)");
  return *std::min_element(inputs.begin(), inputs.end(), [&](NodeId p, NodeId q) {
    return explicit_axes(b.node(p)) < explicit_axes(b.node(q));
  });
}

// Asks for a parameter with so many axes that the view gets `wanted.axes` besides its pack, or so many in all
// if `wanted.known`.
[[noreturn]] void raise(Builder& b, const TensorView& v, Facts::Rank wanted, const Args& args) {
  const Node& input = b.node(input_to_raise(b, v, args));
  wanted.axes += explicit_axes(input) - explicit_axes(v);
  b.need_rank(input.input, wanted);
}

// The parameter that is seen here with axes added or dropped at most, if it has the rank of what it
// broadcasts against: the program means its own. -1: none.
int borrowed_rank(const Builder& b, const TensorView& v) {
  const Node& n = b.node(v.node);
  if (v.pack || n.op != Op::Input) return -1;
  auto rank = b.facts().ranks.find(n.input);
  return rank != b.facts().ranks.end() && rank->second.named ? -1 : n.input;
}

// The parameter that is seen here as it is, if its rank was guessed. -1: none.
int guessed_rank(const Builder& b, const TensorView& v) {
  const Node& n = b.node(v.node);
  if (v.pack || n.op != Op::Input || !b.is_identity({v.node, v.index}, v.shape)) return -1;
  auto rank = b.facts().ranks.find(n.input);
  return rank != b.facts().ranks.end() && rank->second.guessed ? n.input : -1;
}

// A dim beyond a guessed rank says that it is larger.
void raise_guess(Builder& b, const TensorView& v, int least) {
  if (rank_of(v) >= least) return;
  if (int param = guessed_rank(b, v); param >= 0) b.need_rank(param, {true, least, true, true});
}

// Whether some parameter supplies all the axes of the view: then its rank is meant, and not one of a view
// made to broadcast.
bool has_rank_of_a_parameter(const Builder& b, const TensorView& v) {
  auto inputs = inputs_behind(b, v.node, false);
  return std::any_of(inputs.begin(), inputs.end(), [&](NodeId id) {
    return !has_pack(b.node(id)) && static_cast<int>(b.node(id).shape.size()) >= rank_of(v);
  });
}

}  // namespace

void need_trailing(Builder& b, const TensorView& v, int count, const Args& args) {
  if (explicit_axes(v) >= count) return;
  if (v.pack) raise(b, v, {false, count}, args);
  raise_guess(b, v, count);
  args.fail("dim-out-of-range",
            "needs a tensor of at least " + std::to_string(count) + " dims, got " + describe(v));
}

void need_exact(Builder& b, const TensorView& v, int rank, const Args& args, bool guessed) {
  if (int param = borrowed_rank(b, v); param >= 0)
    b.need_rank(param, {true, static_cast<int>(b.node(v.node).shape.size()) + rank - rank_of(v), true});
  if (int param = guessed_rank(b, v); param >= 0 && rank_of(v) != rank)
    b.need_rank(param, {true, rank, true});
  if ((v.pack ? explicit_axes(v) > rank : rank_of(v) != rank))
    args.fail("shape-mismatch", "needs a tensor of " + std::to_string(rank) + " dims, got " + describe(v));
  // Of a value made of several parameters it may be the rank of any of them.
  if (v.pack) raise(b, v, {true, rank, b.node(v.node).op == Op::Input, guessed}, args);
}

void need_known(Builder& b, const TensorView& v, int least, int usual, const Args& args, bool places) {
  if (int param = borrowed_rank(b, v); param >= 0) {
    int more = static_cast<int>(b.node(v.node).shape.size()) - rank_of(v);
    b.choose_rank(param, std::max(0, least + more), std::max(0, usual + more), places);
  }
  if (!v.pack) return;
  const Node& input = b.node(input_to_raise(b, v, args));
  int own = explicit_axes(input), more = own - explicit_axes(v);
  try {
    b.choose_rank(input.input, std::max(own, least + more), std::max(own, usual + more), places);
  } catch (NeedRank& question) {
    if (b.node(v.node).op != Op::Input) question.facts.ranks.at(input.input).named = false;
    throw;
  }
}

int axis_of(Builder& b, const TensorView& v, std::int64_t dim, const Args& args, int extra) {
  if (v.pack && dim < 0) need_trailing(b, v, static_cast<int>(-dim) - extra, args);
  raise_guess(b, v, static_cast<int>(dim < 0 ? -dim : dim + 1) - extra);
  if (dim >= 0) {
    // unsqueeze(0) and unsqueeze(1) usually make the fourth axis of a mask or a bias.
    int usual = dim <= 1 ? kUsualRank - extra : kUsualRank;
    need_known(b, v, static_cast<int>(dim) + 1 - extra, usual, args, extra > 0);
  }
  std::int64_t rank = rank_of(v) + extra, axis = dim < 0 ? dim + rank : dim;
  if (axis < 0 || axis >= rank)
    args.fail("dim-out-of-range", "dim " + std::to_string(dim) + " is out of range for " + describe(v),
              "dims go from " + std::to_string(-rank) + " to " + std::to_string(rank - 1));
  return static_cast<int>(axis);
}

std::vector<int> axes_of(Builder& b, const TensorView& v, std::span<const std::int64_t> dims,
                         const Args& args) {
  std::int64_t most = -1;
  for (std::int64_t dim : dims) most = std::max(most, dim);
  if (most >= 0) axis_of(b, v, most, args);
  std::vector<int> axes;
  for (std::int64_t dim : dims) axes.push_back(axis_of(b, v, dim, args));
  return axes;
}

void align_leading(Builder& b, std::span<const TensorView> views, std::span<const int> own,
                   const Args& args) {
  int most = 0;
  for (std::size_t k = 0; k < views.size(); ++k) most = std::max(most, explicit_axes(views[k]) - own[k]);
  bool pack = std::any_of(views.begin(), views.end(), [](const TensorView& v) { return v.pack; });
  for (std::size_t k = 0; k < views.size(); ++k)
    if (!views[k].pack && !views[k].shape.empty())
      b.signs().unusual += std::abs(rank_of(views[k]) - own[k] - (pack ? kUsualRank - own[k] : most));
  for (std::size_t k = 0; k < views.size(); ++k) {
    if (!views[k].pack || explicit_axes(views[k]) - own[k] == most) continue;
    bool known = false;
    for (std::size_t other = 0; other < views.size(); ++other)
      if (!views[other].pack && explicit_axes(views[other]) - own[other] == most)
        known = known || has_rank_of_a_parameter(b, views[other]);
    raise(b, views[k], {known, most + own[k]}, args);
  }
}

int raw_parameter(const Builder& b, const TensorView& v) {
  NodeId id = v.node;
  const Node* n = &b.node(id);
  while (n->op == Op::Gather || b.is_copy(id)) n = &b.node(id = n->operands[0].node);
  return n->op == Op::Input ? n->input : -1;
}

}  // namespace flashlight::graph
