// SPDX-License-Identifier: Apache-2.0
// The rules that the translator carries.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "frontend/rules.h"
#include "frontend/support.h"
#include "rewrite/builtin.h"
#include "rewrite/verify_rule.h"

namespace flashlight::rewrite {
namespace {

class BuiltIn : public testing::TestWithParam<int> {
 protected:
  const Rule& rule() const { return builtin_rules()[static_cast<std::size_t>(GetParam())]; }
};

TEST_P(BuiltIn, IsVerified) {
  const auto fault = verify_rule(rule());
  EXPECT_FALSE(fault) << fault->id << ": " << fault->text;
}

TEST_P(BuiltIn, SaysItsMathematics) {
  EXPECT_NE(rule().mathematics.find('='), std::string::npos) << rule().name;
  EXPECT_EQ(rule().location.rfind("rules/", 0), 0u) << rule().location;
}

// A rule turned into another by one change of its replacement must not pass: the check can fail.
TEST_P(BuiltIn, AChangedOneIsRefused) {
  Rule changed = rule();
  const graph::TensorView& out = changed.replacement.outputs[0].value;
  std::vector<graph::Node> nodes;
  for (int id = 0; id < changed.replacement.graph.size(); ++id)
    nodes.push_back(changed.replacement.graph[id]);
  graph::Node twice;
  twice.op = graph::Op::Map;
  twice.fn = graph::Fn::Add;
  twice.shape = changed.replacement.graph[out.node].shape;
  const graph::Operand self{out.node, graph::identity_index(twice.shape.size())};
  twice.operands = {self, self};
  nodes.push_back(twice);
  changed.replacement.outputs[0].value.node = static_cast<int>(nodes.size()) - 1;
  changed.replacement.graph = graph::Graph::assemble(std::move(nodes));
  const auto fault = verify_rule(changed);
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->id, "wrong-rule");
}

INSTANTIATE_TEST_SUITE_P(Rules, BuiltIn, testing::Range(0, static_cast<int>(builtin_rules().size())),
                         [](const auto& info) {
                           return builtin_rules()[static_cast<std::size_t>(info.param)].name;
                         });

TEST(BuiltIns, HaveNamesOfTheirOwn) {
  std::set<std::string> names;
  for (const Rule& r : builtin_rules()) EXPECT_TRUE(names.insert(r.name).second) << r.name;
}

// What was embedded is what the files say.
TEST(BuiltIns, AreThoseOfTheFiles) {
  frontend::ReadOptions options;
  options.include_dir = FLASHLIGHT_SOURCE_DIR "/include";
  std::map<std::string, const Rule*> embedded;
  for (const Rule& r : builtin_rules()) embedded[r.name] = &r;
  for (const auto& entry : std::filesystem::directory_iterator(FLASHLIGHT_SOURCE_DIR "/rules")) {
    if (entry.path().extension() != ".cpp") continue;
    const frontend::RuleFile file = frontend::read_rules(entry.path(), options);
    for (const Rule& r : file.rules) {
      ASSERT_TRUE(embedded.count(r.name)) << r.name;
      const Rule& e = *embedded[r.name];
      EXPECT_EQ(frontend::test::printed(r.pattern), frontend::test::printed(e.pattern)) << r.name;
      EXPECT_EQ(frontend::test::printed(r.replacement), frontend::test::printed(e.replacement)) << r.name;
      EXPECT_EQ(r.mathematics, e.mathematics);
      EXPECT_EQ(r.phase, e.phase);
      EXPECT_EQ(r.finite, e.finite);
      EXPECT_EQ(r.masked, e.masked);
      embedded.erase(r.name);
    }
  }
  EXPECT_TRUE(embedded.empty());
}

}  // namespace
}  // namespace flashlight::rewrite
