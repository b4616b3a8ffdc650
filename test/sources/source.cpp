// SPDX-License-Identifier: Apache-2.0
// Writes random programs: what they compute comes from Pieces, the C++ around it from here.
#include "source.h"

#include "pieces.h"

namespace flashlight::sources {

namespace {

std::string with(std::string text, const std::string& scores) {
  for (std::size_t at = text.find('#'); at != std::string::npos; at = text.find('#', at + scores.size()))
    text.replace(at, 1, scores);
  return text;
}

class Writer {
 public:
  Writer(Decisions& decisions, const std::string& name) : d_(decisions), pieces_(decisions), name_(name) {}

  Source write() {
    inputs();
    if (d_.maybe(15)) flex();
    else attention();
    options();
    Source out;
    out.name = name_;
    out.features = features_;
    out.program = helpers_ + signature() + " {\n" + body_ + "}\n";
    out.run = run();
    return out;
  }

 private:
  void line(const std::string& text) { body_ += "  " + text + "\n"; }
  std::string fresh(const std::string& stem) { return stem + std::to_string(++count_); }
  // A name at namespace scope.
  std::string helper() { return name_ + "_" + fresh("part"); }

  // How q, k and v come in.
  void inputs() {
    unsigned form = d_.maybe(40) ? 1 + d_.below(4) : 0;
    features_.push_back("inputs " + std::to_string(form));
    if (form == 1) {
      helpers_ += "struct " + name_ + "_inputs { Tensor q, k, v; };\n";
      inputs_ = "const " + name_ + "_inputs& in";
      given_ = name_ + "_inputs{cast(q), cast(k), cast(v)}";
      line("const auto& [q, k, v] = in;");
    } else if (form == 2) {
      inputs_ = "const std::array<Tensor, 3>& in";
      given_ = "std::array<Tensor, 3>{cast(q), cast(k), cast(v)}";
      line("Tensor q = in[0], k = in[1], v = in.back();");
    } else if (form == 3) {
      inputs_ = "const Tensor& q, const Tensor& kv";
      given_ = "cast(q), cast(cat({k, v}, -1))";
      line("auto parts = kv.split({q.size(-1), kv.size(-1) - q.size(-1)}, -1);");
      line("const Tensor &k = parts[0], v = parts[1];");
    } else if (form == 4) {
      inputs_ = "Tensor q, std::pair<Tensor, Tensor> kv";
      given_ = "cast(q), std::make_pair(cast(k), cast(v))";
      line("Tensor k, v;"), line("std::tie(k, v) = kv;");
    }
  }

  // Numbers as the fields of a struct.
  void options() {
    std::string fields, names;
    for (const Parameter& p : pieces_.parameters())
      if (p.type != "const Tensor&")
        fields += p.type + " " + p.name + "; ", names += (names.empty() ? "" : ", ") + p.name;
    if (names.empty() || !d_.maybe(25)) return;
    features_.push_back("options");
    grouped_ = true;
    helpers_ += "struct " + name_ + "_options { " + fields + "};\n";
    body_ = "  const auto& [" + names + "] = options;\n" + body_;
    names_ = names;
  }

  void attention() {
    line(d_.one_of({"Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));",
                    "const Tensor i = arange(q.size(-2)).view({-1, 1}); auto j = arange(k.size(-2));",
                    "auto [i, j] = std::make_pair(arange(q.size(-2)).unsqueeze(1), arange(k.size(-2)));"}));
    line("(void)i, (void)j;");
    scores();
    for (unsigned n = d_.below(4); n > 0; --n) step(pieces_.score());
    for (unsigned n = d_.below(3); n > 0; --n) step(pieces_.mask(pieces_.predicate()));
    weights();
  }

  void scores() {
    std::string query = d_.one_of({"q", "q", "(q * 0.5)", "q.contiguous()"});
    std::string product =
        d_.one_of({"matmul(Q, k.transpose(-2, -1))", "matmul(Q, k.mT())", "Q.matmul(transpose(k, -1, -2))",
                   "einsum(\"bhid,bhjd->bhij\", {Q, k})", "einsum(\"...id,...jd->...ij\", {Q, k})",
                   "(Q.unsqueeze(-2) * k.unsqueeze(-3)).sum(-1)"});
    product.replace(product.find('Q'), 1, query);
    std::string scale = d_.one_of({" / std::sqrt(double(q.size(-1)))",
                                   " * (1.0f / std::sqrt(static_cast<float>(q.size(-1))))",
                                   " * std::pow(q.size(-1), -0.5)", " * 0.2"});
    line("Tensor s = " + product + scale + ";");
  }

  // The piece applied to the scores in one of the ways of C++.
  void step(const Piece& p) {
    features_.push_back(p.feature);
    static const std::vector<std::string> names = {
        "assignment", "variable", "by reference", "generic lambda", "function", "template",      "object",
        "loop",       "if",       "switch",       "conditional",    "block",    "std::function", "in place",
        "pair",       "optional", "enum",         "static member",  "while"};
    unsigned form = d_.below(static_cast<unsigned>(names.size()));
    if (((form >= 8 && form <= 10) || form == 15 || form == 16) && flags_ >= 2) form = 0;
    features_.push_back("form " + names[form]);
    std::string x = with(p.text, "s"), f = fresh("f");
    switch (form) {
      case 1: line("Tensor " + f + " = " + x + ";"), line("s = " + f + ";"); break;
      case 2:
        line("auto " + f + " = [&](const Tensor& x) { return " + with(p.text, "x") + "; };"),
            line("s = " + f + "(s);");
        break;
      case 3:
        line("auto " + f + " = [=](auto&& x) -> Tensor { return " + with(p.text, "x") + "; };"),
            line("s = " + f + "(s);");
        break;
      case 4:
      case 5:
      case 6:
      case 17: in_helper(p, form); break;
      case 7: line("for (int n = 0; n < 3; ++n) { if (n > 0) continue; s = " + x + "; }"); break;
      case 8: line("if (" + flag("bool", "false, true") + ") s = " + x + ";"); break;
      case 9:
        line("switch (" + flag("int", "0, 1, 2") + ") { case 1: s = " + x +
             "; break; case 2: s = s * 0.5; default: break; }");
        break;
      case 10: line("s = " + flag("bool", "false, true") + " ? " + x + " : s;"); break;
      case 11: line("{ Tensor t = std::move(s); s = " + with(p.text, "t") + "; }"); break;
      case 12:
        line("std::function<Tensor(const Tensor&)> " + f + " = [&](const Tensor& x) { return " +
             with(p.text, "x") + "; };"),
            line("s = " + f + "(s);");
        break;
      case 13: line("s = " + x + ";"), line("s += 0.5;"), line("s *= 2;"); break;
      case 14:
        line("auto [" + f + ", " + f + "_] = std::pair<Tensor, double>(" + x + ", 1.5);"),
            line("s = " + f + " * " + f + "_;");
        break;
      case 15: {
        std::string number = flag("std::optional<double>", "std::nullopt, 0.5");
        line("if (" + number + ") s = s * *" + number + ";"),
            line("s = " + x + " * " + number + ".value_or(1);");
        break;
      }
      case 16: {
        std::string type = helper();
        helpers_ += "enum class " + type + " { kOff, kOn = 3, kTwice };\n";
        line("switch (" + flag(type, type + "::kOff, " + type + "::kOn, " + type + "::kTwice") + ") {");
        line("  case " + type + "::kTwice: s = 2 * s; [[fallthrough]];"),
            line("  case " + type + "::kOn: s = " + x + "; break;");
        line("  case " + type + "::kOff: break;"), line("}");
        break;
      }
      case 18: line("int " + f + " = 2; while (" + f + "-- > 1) s = " + x + ";"); break;
      default: line("s = " + x + ";"); break;
    }
  }

  std::string flag(const std::string& type, const std::string& values) {
    ++flags_;
    std::string name = pieces_.parameter(type, "flag", "");
    loops_ += "  for (" + type + " " + name + " : std::initializer_list<" + type + ">{" + values + "})\n";
    return name;
  }

  // A function, a template or an object that takes the names it needs.
  void in_helper(const Piece& p, unsigned form) {
    std::string f = helper(), parameters, arguments;
    for (const Name& n : p.names) parameters += ", " + n.type + " " + n.name, arguments += ", " + n.name;
    std::string body = " { return " + with(p.text, "x") + "; }";
    if (form == 4) helpers_ += "static Tensor " + f + "(const Tensor& x" + parameters + ")" + body + "\n";
    if (form == 5)
      helpers_ += "template <class T> T " + f + "(const T& x" + parameters + ", double = 1)" + body + "\n";
    if (form == 6)
      helpers_ += "struct " + f + " { Tensor operator()(Tensor x" + parameters + ") const" + body + " };\n";
    if (form == 17)
      helpers_ += "namespace inside { struct " + f + " { static Tensor apply(const Tensor& x" + parameters +
                  ", int = 0)" + body + " }; }\n",
          f = "inside::" + f + "::apply";
    line("s = " + f + (form == 6 ? "{}" : "") + "(s" + arguments + ");");
  }

  void weights() {
    std::string product = d_.one_of({"matmul(p, v)", "p.matmul(v)", "einsum(\"bhij,bhjd->bhid\", {p, v})"});
    unsigned form = d_.below(6);
    features_.push_back("softmax " + std::to_string(form));
    switch (form) {
      case 1: line("Tensor p = s.softmax(-1);"); break;
      case 2:
        line("Tensor m = s.amax(-1, true), e = exp(s - m);"), line("Tensor p = e / e.sum(-1, true);");
        break;
      case 3: line("Tensor p = exp(log_softmax(s, -1));"); break;
      case 4: line("Tensor p = exp(s - logsumexp(s, -1, true));"); break;
      case 5: line("Tensor p = exp(s - s.amax(-1, true)), l = p.sum(-1, true);"), product += " / l"; break;
      default: line("Tensor p = softmax(s, -1);"); break;
    }
    std::string out = d_.one_of({product, product, product + " * 0.5", "relu(" + product + ")", "GATE"});
    if (out == "GATE")
      out = product + " * " +
            pieces_.parameter("const Tensor&", "gate", "c.randn({c.b(), c.h(), c.sq(), c.dv()})");
    unsigned results = form == 5 ? 0 : d_.below(4);
    features_.push_back("results " + std::to_string(results));
    if (results < 2) return line("return " + out + ";");
    result_ = results == 2 ? "std::pair<Tensor, Tensor>" : "std::tuple<Tensor, Tensor>";
    line("return {" + out + ", logsumexp(s, -1)};");
  }

  void flex() {
    features_.push_back("flex");
    std::string score = "s";
    for (unsigned n = d_.below(3); n > 0; --n) {
      Piece p = pieces_.score();
      features_.push_back(p.feature);
      score = with(p.text, "(" + score + ")");
    }
    Piece mask = pieces_.predicate();
    features_.push_back(mask.feature);
    std::string capture = d_.one_of({"[&]", "[=]"}), type = d_.one_of({"auto", "Tensor", "const Tensor&"});
    line("auto score = " + capture + "(" + type + " s, " + type + " b, " + type + " h, " + type + " i, " +
         type + " j) -> Tensor { (void)b, (void)h, (void)i, (void)j; return " + score + "; };");
    line("auto seen = " + capture + "(" + type + " b, " + type + " h, " + type + " i, " + type +
         " j) -> Tensor { (void)b, (void)h, (void)i, (void)j; return " + mask.text + "; };");
    std::string f = helper();
    switch (d_.below(3)) {
      case 1:
        helpers_ += "template <class F> auto " + f +
                    "(F inner, int64_t n) { return [inner, n](auto b, auto h, auto i, auto j) { return "
                    "inner(b, h, i, j) | (j < n); }; }\n";
        line("return flex_attention(q, k, v, score, " + f + "(seen, 2));");
        break;
      case 2:
        helpers_ += "template <class F, class G> auto " + f +
                    "(F f, G g) { return [=](const auto&... at) { return f(at...) & g(at...); }; }\n";
        line("auto near = [](auto, auto, auto i, auto j) { return abs(i - j) < 40; };");
        line("return flex_attention(q, k, v, score, " + f + "(seen, near), {.scale = 0.3});");
        break;
      default: line("return flex_attention(q, k, v, score, seen);"); break;
    }
  }

  std::string signature() const {
    std::string out = result_ + " " + name_ + "(" + inputs_;
    for (const Parameter& p : pieces_.parameters())
      if (!grouped_ || p.type == "const Tensor&") out += ", " + p.type + " " + p.name;
    if (grouped_) out += ", const " + name_ + "_options& options";
    return out + ")";
  }

  std::string run() const {
    std::string out = "static void run_" + name_ +
                      "(sample::Case& c) {\n  Tensor q = c.queries(), k = c.keys(), v = c.values();\n";
    std::string call = name_ + "(" + given_;
    for (const Parameter& p : pieces_.parameters()) {
      bool tensor = p.type == "const Tensor&";
      if (!p.argument.empty())
        out += "  " + std::string(tensor ? "Tensor" : p.type) + " " + p.name + " = " + p.argument + ";\n";
      if (tensor || !grouped_) call += ", " + (tensor ? "cast(" + p.name + ")" : p.name);
    }
    if (grouped_) call += ", " + name_ + "_options{" + names_ + "}";
    return out + loops_ + "    c.compare(\"" + name_ + "\", [&](const sample::Cast& cast) { return " + call +
           "); });\n}\n";
  }

  Decisions& d_;
  Pieces pieces_;
  std::string name_, helpers_, body_, loops_, result_ = "Tensor", names_;
  std::string inputs_ = "const Tensor& q, const Tensor& k, const Tensor& v",
              given_ = "cast(q), cast(k), cast(v)";
  bool grouped_ = false;
  std::vector<std::string> features_;
  int count_ = 0, flags_ = 0;
};

}  // namespace

Source write_source(Decisions& decisions, const std::string& name) { return Writer(decisions, name).write(); }

std::string write_file(const std::vector<Source>& sources) {
  std::string out =
      "#include <flashlight/flashlight.h>\n\n#include <cstdio>\n#include <cstring>\n#include "
      "<array>\n#include <functional>\n#include <optional>\n#include <tuple>\n"
      "#include <utility>\n\n#include \"sample.h\"\nusing namespace flashlight;\n\n";
  for (const Source& s : sources) out += s.program + s.run + "\n";
  out +=
      "int main(int argc, char** argv) {\n  int failed = 0;\n"
      "  const sample::Shape shapes[] = {{.queries = 37, .keys = 70, .depth = 24}, {.batch = 1, .heads = 3, "
      ".queries = 65, .keys = 20, .depth = 64, .value_depth = 40}};\n"
      "  auto run = [&](const char* name, void (*body)(sample::Case&)) {\n"
      "    for (int a = 1; a < argc; ++a)\n      if (std::strcmp(argv[a], name) == 0)\n"
      "        for (const sample::Shape& shape : shapes) {\n"
      "          sample::Case c(shape, false, false, false);\n          body(c);\n          failed += "
      "!c.passed();\n        }\n  };\n";
  for (const Source& s : sources) out += "  run(\"" + s.name + "\", run_" + s.name + ");\n";
  return out + "  return failed != 0;\n}\n";
}

}  // namespace flashlight::sources
