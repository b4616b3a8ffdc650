// SPDX-License-Identifier: Apache-2.0
// Rules that must not be used: wrong, endless or not rules at all.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "frontend/rules.h"
#include "rewrite/rewrite.h"
#include "rewrite/verify_rule.h"

namespace flashlight::rewrite {
namespace {

frontend::RuleFile read(const std::string& text) {
  char folder[] = "/tmp/flashlight_rules_XXXXXX";
  const std::string path = std::string(mkdtemp(folder)) + "/rules.cpp";
  std::ofstream(path) << "#include <flashlight/rule.h>\nusing namespace flashlight;\n" << text;
  frontend::ReadOptions options;
  options.include_dir = FLASHLIGHT_SOURCE_DIR "/include";
  frontend::RuleFile file = frontend::read_rules(path, options);
  std::filesystem::remove_all(folder);
  return file;
}

// The id of what is wrong with the only rule of this file; empty if nothing is.
std::string fault_of(const std::string& text) {
  const frontend::RuleFile file = read(text);
  for (const frontend::Diagnostic& d : file.program.diagnostics)
    if (d.severity == frontend::Severity::Error) return d.id;
  if (file.rules.size() != 1) return "rules: " + std::to_string(file.rules.size());
  const auto fault = verify_rule(file.rules[0]);
  return fault ? fault->id : "";
}

std::string rule(const std::string& phase, const std::string& parameters, const std::string& pattern,
                 const std::string& replacement) {
  return "namespace " + phase + " { struct r {\n  static Tensor pattern(" + parameters + ") { " + pattern +
         " }\n  static Tensor replacement(" + parameters + ") { " + replacement + " }\n}; }\n";
}

TEST(Refuse, RightRulesPass) {
  EXPECT_EQ(fault_of(rule("fold", "Tensor x", "return log(exp(x));", "return x;")), "");
  EXPECT_EQ(
      fault_of(rule("fold", "Tensor x, double c", "assume(c > 0); return (c * x).amax(-1) + x.amax(-1);",
                    "return (c + 1) * x.amax(-1);")),
      "");
}

TEST(Refuse, WrongOnes) {
  EXPECT_EQ(fault_of(rule("fold", "Tensor x, Tensor r", "return softmax(x * exp(r.unsqueeze(-1)), -1);",
                          "return softmax(x, -1);")),
            "wrong-rule");
  EXPECT_EQ(fault_of(rule("fold", "Tensor x, double c", "return (c * x).amax(-1) + x.amax(-1);",
                          "return (c + 1) * x.amax(-1);")),
            "wrong-rule")
      << "holds for c > 0 only";
  EXPECT_EQ(fault_of(rule("fold", "Tensor x", "return (x + 1).mean(-1);", "return x.mean(-1) + 1.001;")),
            "wrong-rule");
  EXPECT_EQ(
      fault_of(rule("fold", "Tensor x", "return x.prod(-1) + 0 * x.sum(-1);", "return exp(log(x).sum(-1));")),
      "wrong-rule");
}

// Right at size 1; right for finite values.
TEST(Refuse, WrongInACorner) {
  EXPECT_EQ(fault_of(rule("fold", "Tensor x", "return x.sum(-1);", "return x.amax(-1);")), "wrong-rule");
  EXPECT_EQ(fault_of(rule("fold", "rule::Masked x", "return (exp(x) * exp(-x)).sum(-1);",
                          "return sign(exp(x)).sum(-1);")),
            "wrong-rule");
}

TEST(Refuse, TheCounterexampleIsTold) {
  const frontend::RuleFile file = read(rule("fold", "Tensor x", "return x.sum(-1);", "return x.amax(-1);"));
  ASSERT_EQ(file.rules.size(), 1u);
  const auto fault = verify_rule(file.rules[0]);
  ASSERT_TRUE(fault);
  EXPECT_NE(fault->text.find("x = [2]{"), std::string::npos) << fault->text;
}

TEST(Refuse, EndlessOnes) {
  EXPECT_EQ(
      fault_of(rule("fold", "Tensor x", "return exp(x).sum(-1);", "return (exp(x - 1) * exp(1.0)).sum(-1);")),
      "endless-rule");
  EXPECT_EQ(fault_of(rule("hoist", "Tensor x, Tensor r", "return x.sum(-1) * r;",
                          "return (x * r.unsqueeze(-1)).sum(-1);")),
            "endless-rule");
}

TEST(Refuse, NoRules) {
  EXPECT_EQ(fault_of("namespace fold { struct r { static Tensor pattern(Tensor x) { return exp(x); } }; }"),
            "malformed-rule");
  EXPECT_EQ(fault_of(rule("nowhere", "Tensor x", "return log(exp(x));", "return x;")), "malformed-rule");
  EXPECT_EQ(fault_of(rule("fold", "Tensor x", "return x;", "return x;")), "malformed-rule");
  EXPECT_EQ(fault_of(rule("fold", "Tensor x, Tensor y", "return exp(x);", "return exp(x) + 0 * y;")),
            "malformed-rule");
  EXPECT_EQ(fault_of(rule("fold", "Tensor x", "return cumsum(x, -1);", "return x;")), "malformed-rule");
  EXPECT_EQ(fault_of(rule("fold", "Tensor x, double c", "assume(c > 9); return c * x;", "return x * c;")),
            "malformed-rule");
  EXPECT_EQ(fault_of("namespace fold { struct r {"
                     " static Tensor pattern(Tensor x) { return log(exp(x)); }"
                     " static Tensor replacement(Tensor y) { return y; } }; }"),
            "malformed-rule");
}

// A rule of the user's is applied like the translator's own.
TEST(Apply, UserRules) {
  const frontend::RuleFile rules = read(rule("fold", "Tensor x", "return log(exp(x));", "return x;"));
  const frontend::RuleFile other =
      read(rule("fold", "Tensor x, Tensor y", "return exp(log(exp(x)) + y);", "return exp(x + y);"));
  ASSERT_EQ(other.rules.size(), 1u);
  const Rewritten r = rewrite(other.rules[0].pattern, rules.rules);
  EXPECT_EQ(r.trace.size(), 1u);
  std::string want = graph::to_string(other.rules[0].replacement), got = graph::to_string(r.function);
  EXPECT_EQ(got.substr(got.find('\n')), want.substr(want.find('\n')));
}

}  // namespace
}  // namespace flashlight::rewrite
