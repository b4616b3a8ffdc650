// SPDX-License-Identifier: Apache-2.0
// Tile programs as text, a step a line.
#include <charconv>
#include <set>

#include "fusion/local.h"
#include "kernel/program.h"

namespace flashlight::kernel {

namespace alg = fusion::algebra;
using fusion::Access;
using fusion::Role;
using graph::Fn;
using graph::Op;
using graph::Sym;
using graph::SymOp;

namespace {

std::string joined(const std::vector<std::string>& parts, const std::string& between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
  return text;
}

std::string number(double value) {
  if (value == std::numeric_limits<double>::infinity()) return "inf";
  if (value == -std::numeric_limits<double>::infinity()) return "-inf";
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

class ProgramText {
 public:
  explicit ProgramText(const Program& program)
      : program_(program), plan_(*program.plan), function_(*program.function) {
    name_loops();
    name_leaves();
  }

  std::string run() {
    line("kernel of " + function_.name);
    for (std::size_t l = 0; l < plan_.loops.size(); ++l) loop(l);
    for (std::size_t o = 0; o < program_.operands.size(); ++o) operand(o);
    for (std::size_t c = 0; c < program_.contractions.size(); ++c) {
      const Contraction& contraction = program_.contractions[c];
      line("  contraction " + std::to_string(c) + ": " + names_.at(contraction.leaf) + " = tile" +
           std::to_string(contraction.left) + " x tile" + std::to_string(contraction.right) + "^T");
    }
    points();
    for (std::size_t s = 0; s < program_.sweeps.size(); ++s) sweep(s);
    combine();
    for (const Store& store : program_.stores) {
      std::vector<std::string> axes;
      for (int l : store.axis_loops) axes.push_back(loops_[l]);
      line("  store result" + function_.outputs[store.output].path + "[" + joined(axes, ", ") +
           "] = " + text(store.value));
    }
    for (const std::string& remark : program_.numerics) line("  remark: " + remark);
    return std::move(text_);
  }

 private:
  void line(const std::string& text) { text_ += text + "\n"; }

  // ---- names

  void name_loops() {
    int columns = 0, features = 0;
    auto numbered = [](const char* name, int& count) {
      const std::string suffix = count ? std::to_string(count) : "";
      ++count;
      return name + suffix;
    };
    for (std::size_t l = 0; l < plan_.loops.size(); ++l) {
      switch (plan_.loops[l].role) {
        case Role::Batch: loops_.push_back(plan_.loops[l].pack ? "pack" : "b" + std::to_string(l)); break;
        case Role::Row: loops_.push_back("i"); break;
        case Role::Stream: loops_.push_back("j"); break;
        case Role::Column: loops_.push_back(numbered("c", columns)); break;
        case Role::Feature: loops_.push_back(numbered("d", features)); break;
        case Role::Packed: loops_.push_back("g"); break;
      }
    }
  }

  // By what the user or the lowering calls them; of equal names the later ones are numbered.
  void name_leaves() {
    std::set<std::string> taken;
    auto name = [&](int id, std::string base) {
      if (base.empty()) base = "x" + std::to_string(id);
      std::string unique = base;
      for (int k = 2; !taken.insert(unique).second; ++k) unique = base + "." + std::to_string(k);
      names_[id] = unique;
    };
    alg::Arena& arena = *plan_.arena;
    for (std::size_t l = 0; l < plan_.leaves.size(); ++l)
      name(static_cast<int>(l), arena.leaf_info(static_cast<int>(l)).name);
    for (const auto& [id, space] : program_.temporaries) name(id, arena.leaf_info(id).name);
  }

  std::string host(const Sym& e, const std::vector<std::string>& data = {}) const {
    return graph::to_string(e, [&](const Sym& leaf) -> std::string {
      const auto at = static_cast<std::size_t>(leaf.integer());
      if (leaf.op() == SymOp::Axis && leaf.integer() >= fusion::kFirstBound)
        return "k" + std::to_string(leaf.integer() - fusion::kFirstBound);
      if (leaf.op() == SymOp::Axis) return at < loops_.size() ? loops_[at] : "";
      if (leaf.op() == SymOp::Datum) return at < data.size() ? data[at] : "";
      const graph::SymbolId id = leaf.symbol_id();
      const auto param = static_cast<std::size_t>(id.param);
      if (id.kind == graph::SymbolId::Scalar)
        return param < function_.scalars.size() ? function_.scalars[param].name : "";
      if (param >= function_.tensors.size()) return "";
      return function_.tensors[param].name +
             (id.kind == graph::SymbolId::Pack ? ".*" : "." + std::to_string(id.axis));
    });
  }

  // ---- Graph values at points

  std::string at(const graph::Node& input, const fusion::Index& index,
                 const std::vector<std::string>& data) const {
    std::vector<std::string> axes;
    for (const Sym& i : index) axes.push_back(host(i, data));
    return function_.tensors[input.input].name + "[" + joined(axes, ", ") + "]";
  }

  std::string point(const Access& access, int bound = fusion::kFirstBound) const {
    const graph::Node& node = function_.graph[access.node];
    std::vector<std::string> args, over;
    fusion::Index iteration = access.index;
    for (const Sym& size : node.reduced) {
      iteration.push_back(Sym::axis(bound++));
      over.push_back(host(iteration.back()) + " < " + host(size));
    }
    for (std::size_t k = node.op == Op::Gather; k < node.operands.size(); ++k)
      args.push_back(point(fusion::compose(node.operands[k], iteration), bound));
    switch (node.op) {
      case Op::Input: return at(node, access.index, {});
      case Op::Scalar: return host(node.value);
      case Op::Iota: return host(access.index[0]);
      case Op::Gather: {
        args.insert(args.begin(), "");
        const graph::Node& table = function_.graph[node.operands[0].node];
        return table.op == Op::Input ? at(table, fusion::compose(node.operands[0], access.index).index, args)
                                     : "gather";
      }
      case Op::Map: return mapped(node, args);
      case Op::Reduce:
        return std::string(graph::name_of(node.reduce)) + "(" + joined(over, ", ") + ": " + args[0] + ")";
      case Op::Segment: return "cat(" + joined(args, ", ") + ")";
      default: return graph::name_of(node.op);
    }
  }

  static std::string mapped(const graph::Node& node, const std::vector<std::string>& args) {
    auto infix = [&](const char* op) { return "(" + joined(args, op) + ")"; };
    switch (node.fn) {
      case Fn::Add: return infix(" + ");
      case Fn::Mul: return infix(" * ");
      case Fn::Lt: return infix(" < ");
      case Fn::Le: return infix(" <= ");
      case Fn::Eq: return infix(" == ");
      case Fn::Ne: return infix(" != ");
      case Fn::And: return infix(" & ");
      case Fn::Or: return infix(" | ");
      case Fn::Not: return "!" + args[0];
      default: return std::string(graph::name_of(node.fn)) + "(" + joined(args, ", ") + ")";
    }
  }

  // ---- expressions

  static bool is_infix(Expr e) {
    switch (e.op()) {
      case alg::Op::kAdd:
      case alg::Op::kMul:
      case alg::Op::kGt:
      case alg::Op::kGe:
      case alg::Op::kEq:
      case alg::Op::kAnd:
      case alg::Op::kOr:
      case alg::Op::kWhere: return true;
      default: return false;
    }
  }

  std::string inner(Expr e) { return is_infix(e) && !is_named(e) ? "(" + text(e) + ")" : text(e); }
  bool is_named(Expr e) {
    const std::string shown = text(e);
    return shown.size() < 12 && shown[0] == '%';
  }

  std::string product(Expr e) {
    std::string over, under;
    bool negative = false;
    for (Expr arg : e.args()) {
      if (arg.is_constant(-1)) negative = !negative;
      else if (arg.is(alg::Op::kPow) && arg.value() == -1) under += " / " + inner(arg.arg(0));
      else over += (over.empty() ? "" : " * ") + inner(arg);
    }
    return (negative ? "-" : "") + (over.empty() ? "1" : over) + under;
  }

  // Each once; where it grows long, as a name that a line of its own gives it: values share their parts, and
  // written out they would double with every step.
  std::string text(Expr e) {
    constexpr std::size_t kLong = 400;
    if (const auto found = texts_.find(e.id()); found != texts_.end()) return found->second;
    std::string written = written_out(e);
    if (written.size() > kLong) {
      const std::string name = "%" + std::to_string(++named_);
      line("    with " + name + " = " + written);
      written = name;
    }
    return texts_[e.id()] = written;
  }

  std::string written_out(Expr e) {
    auto function = [&](const std::string& name) {
      std::vector<std::string> args;
      for (Expr arg : e.args()) args.push_back(text(arg));
      return name + "(" + joined(args, ", ") + ")";
    };
    auto infix = [&](const char* between) {
      std::vector<std::string> parts;
      for (Expr arg : e.args()) parts.push_back(inner(arg));
      return joined(parts, between);
    };
    switch (e.op()) {
      case alg::Op::kConstant: return number(e.value());
      case alg::Op::kStreamLength: return host(plan_.loops[plan_.stream].size);
      case alg::Op::kLeaf: {
        const auto found = names_.find(e.leaf_id());
        return found == names_.end() ? "?" : found->second;
      }
      case alg::Op::kAdd: {
        std::string sum;
        for (Expr arg : e.args()) {
          const std::string term = arg.is(alg::Op::kMul) ? product(arg) : inner(arg);
          if (sum.empty()) sum = term;
          else sum += term[0] == '-' ? " - " + term.substr(1) : " + " + term;
        }
        return sum;
      }
      case alg::Op::kMul: return product(e);
      case alg::Op::kPow:
        return e.value() == 0.5  ? function("sqrt")
               : e.value() == -1 ? "1 / " + inner(e.arg(0))
                                 : inner(e.arg(0)) + "^" + number(e.value());
      case alg::Op::kWhere: return inner(e.arg(0)) + " ? " + inner(e.arg(1)) + " : " + inner(e.arg(2));
      case alg::Op::kGt: return infix(" > ");
      case alg::Op::kGe: return infix(" >= ");
      case alg::Op::kEq: return infix(" == ");
      case alg::Op::kAnd: return infix(" & ");
      case alg::Op::kOr: return infix(" | ");
      case alg::Op::kCall:
        if (e.function_id() == kKeysThrough) return "keys so far";
        return function(e.function_id() == kExp2 ? "exp2" : graph::name_of(static_cast<Fn>(e.function_id())));
      default: return function(alg::op_name(e.op()));
    }
  }

  // ---- parts

  void loop(std::size_t l) {
    static const char* const kRoles[] = {"batch", "row", "stream", "column", "feature", "packed"};
    const fusion::Loop& loop = plan_.loops[l];
    line("  loop " + loops_[l] + ": " + kRoles[static_cast<int>(loop.role)] + " < " + host(loop.size));
  }

  void operand(std::size_t o) {
    const Operand& operand = program_.operands[o];
    std::vector<std::string> factors;
    for (const graph::Operand& factor : operand.factors)
      factors.push_back(point({factor.node, factor.index}));
    line("  tile" + std::to_string(o) + "[" + loops_[operand.rows] + ", " + loops_[operand.cols] +
         "] = " + joined(factors, " * "));
  }

  // Point leaves that some step reads, where their names do not say all.
  void points() {
    std::set<int> read;
    for (const Sweep& sweep : program_.sweeps) {
      for (const Masked& m : sweep.masked) read_by(m.value, read), read_by(m.predicate, read);
      for (const Step& step : sweep.steps) read_by(step.value, read);
      for (const Step& step : sweep.finals) read_by(step.value, read);
    }
    if (program_.combine)
      for (const Step& step : program_.combine->steps) read_by(step.value, read);
    for (const Store& store : program_.stores) read_by(store.value, read);
    for (int id : read) {
      const fusion::Leaf& leaf = plan_.leaves[id];
      if (leaf.kind != fusion::Leaf::Point) continue;
      const std::string value = point({leaf.node, leaf.index});
      if (value != names_.at(id)) line("  value " + names_.at(id) + " = " + value);
    }
  }
  void read_by(Expr e, std::set<int>& read) const {
    if (!e) return;
    for (Expr leaf : alg::collect(e, {alg::Op::kLeaf})) {
      if (leaf.leaf_id() < static_cast<int>(plan_.leaves.size())) read.insert(leaf.leaf_id());
    }
  }

  void sweep(std::size_t number) {
    const Sweep& sweep = program_.sweeps[number];
    line("  sweep " + std::to_string(number + 1) + " of " + std::to_string(program_.sweeps.size()));
    static const char* const kKinds[] = {"max", "min", "sum", "prod", "value", "accumulator"};
    for (const State& state : sweep.states) {
      line("    state " + text(state.node) + ": " + kKinds[static_cast<int>(state.kind)] + " from " +
           kernel::number(state.initial) + (state.columns < 0 ? "" : " over " + loops_[state.columns]));
    }
    for (const Masked& m : sweep.masked) {
      line("    masked " + text(m.node) + " = " + text(m.value) +
           (m.predicate ? " where " + text(m.predicate) : "") + " else " +
           kernel::number(m.predicate ? m.fill : m.otherwise) +
           (m.predicate && m.fill != m.otherwise ? ", past the end " + kernel::number(m.otherwise) : ""));
    }
    for (Expr e : sweep.live) line("    live where " + text(e));
    if (sweep.bet) line("    bet " + text(sweep.bet->maximum) + " > " + kernel::number(sweep.bet->above));
    for (Expr e : sweep.bet ? sweep.bet->live : std::vector<Expr>{}) line("      live where " + text(e));
    for (const Step& s : sweep.steps) line("    " + step(sweep, s));
    for (const Step& s : sweep.finals) {
      static const char* const kFolds[] = {"max", "min", "sum", "product"};
      const std::string over = s.kind == StepKind::Fold ? std::string(kFolds[static_cast<int>(s.reduce)]) +
                                                              " over " + loops_[s.index] + " of "
                                                        : "";
      line("    final " + text(s.target) + " = " + over + text(s.value));
    }
  }

  std::string step(const Sweep& sweep, const Step& step) {
    auto state = [&] { return text(sweep.states[step.index].node); };
    switch (step.kind) {
      case StepKind::Contract: return "contract " + names_.at(program_.contractions[step.index].leaf);
      case StepKind::Reduce:
        return "let " + text(step.target) + " = " +
               (step.reduce == StateKind::Max   ? "max"
                : step.reduce == StateKind::Min ? "min"
                                                : "sum") +
               " over j of " + text(step.value);
      case StepKind::Scan:
        return "let " + text(step.target) + " = running sum over j of " + text(step.value) + " from " +
               state() + (step.operand == 1 ? ", own element left out" : "");
      case StepKind::Fold: return "fold";
      case StepKind::Let: return "let " + text(step.target) + " = " + text(step.value);
      case StepKind::Set: return state() + " = " + text(step.value);
      case StepKind::Scale: return state() + " *= " + inner(step.value);
      case StepKind::Shift:
        return state() + " += " + inner(step.value) + " * " +
               (step.operand < 0 ? std::string("keys before the tile")
                                 : text(sweep.states[step.operand].node));
      case StepKind::Add:
        if (sweep.states[step.index].kind == StateKind::Prod)
          return state() + " *= product over j of " + text(step.value);
        return state() + " += sum over j of " + text(step.value);
      case StepKind::Product:
        return state() + " += " + inner(step.value) + " x tile" + std::to_string(step.operand);
      case StepKind::Join: return state() + " joins that of the later run";
    }
    return "?";
  }

  void combine() {
    if (!program_.combine) return line("  keys in one run: " + program_.in_one_run);
    line("  runs of keys combined");
    Sweep both = program_.sweeps[0];  // the later run's states behind
    both.states.insert(both.states.end(), program_.combine->other.begin(), program_.combine->other.end());
    for (const Step& s : program_.combine->steps) line("    " + step(both, s));
  }

  const Program& program_;
  const fusion::KernelPlan& plan_;
  const graph::Function& function_;
  std::vector<std::string> loops_;
  std::map<int, std::string> names_;  // by leaf id
  std::map<int, std::string> texts_;  // by expression
  int named_ = 0;
  std::string text_;
};

}  // namespace

std::string to_string(const Program& program) { return ProgramText(program).run(); }

}  // namespace flashlight::kernel
