// SPDX-License-Identifier: Apache-2.0
// The verifier: each invariant, broken once in a Graph that holds them all.
#include "build_language.h"

namespace flashlight::graph::build {
namespace {

// %0 x, %1 a host value, ... with one node of each kind.
Function sample() {
  Program p;
  V::b = &p.b;
  const V x{p.inputs[0]}, ids{p.inputs[3]}, mask{p.inputs[4]};
  const V rows =
      V::whole(p.b.gather({N, M}, {x.view.node, {Sym::datum(1), Sym::axis(1)}}, {ids.within({N})}), {N, M});
  const V joined = V::whole(p.b.segment({N, M + Sym(1)}, 1,
                                        {{p.b.scalar(Sym(0.0), Type::Float), {}},
                                         {rows.view.node, {Sym::axis(0), Sym::axis(1) - Sym(1)}}}),
                            {N, M + Sym(1)});
  const V running =
      V::whole(p.b.scan({N, M + Sym(1)}, 1, {joined.view.node, identity_index(2)}), {N, M + Sym(1)});
  const V masked = where(mask & (arange(M) <= arange(N).column()), x * rows + 3.0, kMinusInfinity);
  const V out =
      exp(masked) + sum(running, true) +
      to_float(V::whole(p.b.order(Op::Sort, {N}, N, true, {ids.view.node, {Sym::axis(1)}}), {N}).column());
  return p.b.finish("f", {{out.view, ""}});
}

std::vector<Node> nodes_of(const Function& f) {
  std::vector<Node> nodes;
  for (NodeId id = 0; id < f.graph.size(); ++id) nodes.push_back(f.graph[id]);
  return nodes;
}

std::size_t find(const std::vector<Node>& nodes, const std::function<bool(const Node&)>& is) {
  for (std::size_t k = 0; k < nodes.size(); ++k)
    if (is(nodes[k])) return k;
  ADD_FAILURE() << "no such node";
  return 0;
}
auto of_op(Op op) {
  return [op](const Node& n) { return n.op == op; };
}
auto of_fn(Fn fn) {
  return [fn](const Node& n) { return n.op == Op::Map && n.fn == fn; };
}

struct Break {
  const char* message;
  std::function<bool(const Node&)> which;
  std::function<void(Node&)> how;
};

TEST(Verify, HoldsForWhatTheBuilderMakes) { EXPECT_NO_THROW(verify(sample())); }

TEST(Verify, FindsEachBrokenNode) {
  const std::vector<Break> table = {
      {"precede", of_op(Op::Scan), [](Node& n) { n.operands[0].node = 10000; }},
      {"precede", of_op(Op::Scan), [](Node& n) { n.operands[0].node = -1; }},
      {"one expression per axis", of_fn(Fn::Exp), [](Node& n) { n.operands[0].index.pop_back(); }},
      {"one expression per axis", of_op(Op::Segment), [](Node& n) { n.operands[1].index.pop_back(); }},
      {"not an integer", of_fn(Fn::Exp), [](Node& n) { n.operands[0].index[0] = Sym(0.5); }},
      {"names an axis", of_fn(Fn::Exp), [](Node& n) { n.operands[0].index[0] = Sym::axis(2); }},
      {"names an axis", of_op(Op::Reduce), [](Node& n) { n.operands[0].index[1] = Sym::axis(2); }},
      {"names a datum", of_fn(Fn::Exp), [](Node& n) { n.operands[0].index[0] = Sym::datum(1); }},
      {"names a datum", of_op(Op::Gather), [](Node& n) { n.operands[0].index[0] = Sym::datum(2); }},
      {"is a view", of_op(Op::Gather), [](Node& n) { n.operands[0].index[0] = Sym::axis(0); }},
      {"position is no integer", of_op(Op::Gather),
       [](Node& n) { n.operands[1] = n.operands[0], n.operands[1].index[0] = Sym(0); }},
      {"no scalar|scalar that is no parameter", of_op(Op::Scalar), [](Node& n) { n.value = real_symbol(7); }},
      {"size of no parameter", of_op(Op::Iota), [](Node& n) { n.shape[0] = size_symbol(70, 0); }},
      {"host integer", of_op(Op::Iota), [](Node& n) { n.shape[0] = Sym(2.5); }},
      {"host integer", of_op(Op::Iota), [](Node& n) { n.shape[0] = Sym::axis(0); }},
      {"host integer", of_op(Op::Iota), [](Node& n) { n.shape[0] = Sym(-1); }},
      {"row of integers", of_op(Op::Iota), [](Node& n) { n.type = Type::Float; }},
      {"type of the host value", of_op(Op::Scalar), [](Node& n) { n.value = Sym(3); }},
      {"no axes", of_op(Op::Scalar), [](Node& n) { n.shape = {Sym(2)}; }},
      {"is no parameter", of_op(Op::Input), [](Node& n) { n.input = 9; }},
      {"differs from its parameter", of_op(Op::Input), [](Node& n) { n.shape[0] = Sym(4); }},
      {"fewer than two", of_fn(Fn::Mul), [](Node& n) { n.operands.pop_back(); }},
      {"mixes types", of_fn(Fn::Mul), [](Node& n) { n.type = Type::Int; }},
      {"unlike types", of_fn(Fn::Le), [](Node& n) { n.type = Type::Int; }},
      {"needs one float", of_fn(Fn::Exp), [](Node& n) { n.type = Type::Int; }},
      {"needs one float", of_fn(Fn::Exp), [](Node& n) { n.operands.push_back(n.operands[0]); }},
      {"same type", of_fn(Fn::ToFloat), [](Node& n) { n.fn = Fn::ToInt; }},
      {"no condition", of_fn(Fn::Where), [](Node& n) { n.operands[0] = n.operands[1]; }},
      {"-inf in its first", of_fn(Fn::Where), [](Node& n) { std::swap(n.operands[1], n.operands[2]); }},
      {"reduces nothing", of_op(Op::Reduce),
       [](Node& n) { n.reduced.clear(), n.operands[0].index[1] = Sym(0); }},
      {"axis of size 1", of_op(Op::Reduce), [](Node& n) { n.reduced[0] = Sym(1); }},
      {"type of its operand", of_op(Op::Reduce), [](Node& n) { n.type = Type::Int; }},
      {"only a reduction", of_op(Op::Scan), [](Node& n) { n.reduced = {Sym(3)}; }},
      {"only a concatenation", of_op(Op::Scan), [](Node& n) { n.segments = {Sym(3)}; }},
      {"no axis of its own", of_op(Op::Scan), [](Node& n) { n.axis = 2; }},
      {"no axis of its own", of_op(Op::Segment), [](Node& n) { n.axis = -1; }},
      {"sum to its axis", of_op(Op::Segment), [](Node& n) { n.segments[0] = Sym(2); }},
      {"one size per operand", of_op(Op::Segment), [](Node& n) { n.segments.pop_back(); }},
      {"along its last axis", of_op(Op::Sort), [](Node& n) { n.axis = -1; }},
  };
  const Function good = sample();
  for (const Break& b : table) {
    std::vector<Node> nodes = nodes_of(good);
    b.how(nodes[find(nodes, b.which)]);
    Function bad = good;
    bad.graph = Graph::assemble(std::move(nodes));
    const std::string message(b.message);
    try {
      verify(bad);
      ADD_FAILURE() << "not found: " << message;
    } catch (const std::logic_error& e) {
      const std::string text = e.what();
      const std::string wanted = message.substr(message.find('|') + 1);
      EXPECT_NE(text.find(wanted), std::string::npos) << "expected '" << wanted << "', got: " << text;
      EXPECT_NE(text.find("%"), std::string::npos) << "the node is not named: " << text;
    }
  }
}

TEST(Verify, FindsNodesThatAreTwice) {
  Function f = sample();
  std::vector<Node> nodes = nodes_of(f);
  nodes.push_back(nodes[find(nodes, of_fn(Fn::Exp))]);
  f.graph = Graph::assemble(std::move(nodes));
  EXPECT_THROW(verify(f), std::logic_error);
}

TEST(Verify, FindsWhatIsNotFlattened) {
  Function f = sample();
  std::vector<Node> nodes = nodes_of(f);
  Node sum = nodes[find(nodes, of_fn(Fn::Add))];
  const std::size_t at = find(nodes, of_fn(Fn::Add));
  for (Operand& o : sum.operands) o = {static_cast<NodeId>(at), identity_index(nodes[at].shape.size())};
  sum.shape = nodes[at].shape;
  nodes.push_back(sum);
  f.graph = Graph::assemble(std::move(nodes));
  EXPECT_THROW(verify(f), std::logic_error);
}

TEST(Verify, FindsBrokenOutputsAndParameters) {
  const std::vector<std::function<void(Function&)>> table = {
      [](Function& f) { f.outputs[0].value.node = -1; },
      [](Function& f) { f.outputs[0].value.node = f.graph.size(); },
      [](Function& f) { f.outputs[0].value.type = Type::Bool; },
      [](Function& f) { f.outputs[0].value.index.pop_back(); },
      [](Function& f) { f.outputs[0].value.index[0] = Sym::axis(5); },
      [](Function& f) { f.outputs[0].value.shape[0] = Sym::axis(0); },
      [](Function& f) { f.outputs[0].value.dtype.inputs = {17}; },
      [](Function& f) { f.tensors[0].may_broadcast.clear(); },
      [](Function& f) { f.checks.push_back({Sym(1), "", {}}); },
      [](Function& f) { f.checks.push_back({make_sym(SymOp::Lt, {Sym(0), size_symbol(33, 0)}), "", {}}); },
  };
  for (std::size_t k = 0; k < table.size(); ++k) {
    Function f = sample();
    table[k](f);
    EXPECT_THROW(verify(f), std::logic_error) << k;
  }
}

}  // namespace
}  // namespace flashlight::graph::build
