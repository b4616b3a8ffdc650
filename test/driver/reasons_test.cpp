// SPDX-License-Identifier: Apache-2.0
// Programs that are left as they are, by the reason that a run gives for them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "program.h"

namespace flashlight::test {
namespace {

struct Case {
  const char* id;
  const char* body;  // of f(q, k, v, t)
};

class Reasons : public testing::TestWithParam<Case> {};

TEST_P(Reasons, IsGivenWithItsPlace) {
  Folder folder;
  folder.write("a.cpp",
               "#include <flashlight/flashlight.h>\nusing namespace flashlight;\n"
               "Tensor f(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& t) {\n  Tensor s = "
               "matmul(q, k.mT());\n" +
                   std::string(GetParam().body) + "}\n");
  const Ended run = folder.translate({"a.cpp", "--report-only", "-Rno-pass-missed"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const nlohmann::json f = nlohmann::json::parse(run.out)["functions"][0];
  ASSERT_EQ(f["status"], "unfused");
  EXPECT_EQ(f["reason"]["id"], GetParam().id) << f;
  EXPECT_NE(f["reason"]["text"], "");
  EXPECT_GE(f["reason"]["location"]["line"], 3) << f;
}

INSTANTIATE_TEST_SUITE_P(
    Programs, Reasons,
    testing::Values(
        Case{"no-tile", "assume(q.size(-1) == 1024); return matmul(softmax(s, -1), v);\n"},
        Case{"no-row-axis", "return logsumexp(s, -1).sum(-1);\n"},
        Case{"scores-sized-result", "return softmax(s, -1);\n"},
        Case{"unsupported-reduction", "return matmul(softmax(s, -1), v) * s.mean({-2, -1}, true);\n"},
        Case{"unsupported-integer",
             "return matmul(softmax(s, -1), v) / floor_divide((s > 0).to(kInt64).sum(-1, true), 2);\n"},
        Case{"unsupported-segment", "return matmul(softmax(cat({s, matmul(q, t.mT()) * 2}, -1), -1), v);\n"},
        Case{"unsupported-point", "return matmul(softmax(s + (t * 2).index({t.to(kInt64)}), -1), v);\n"}),
    [](const auto& info) {
      std::string name;
      for (const char* c = info.param.id; *c; ++c)
        if (*c != '-') name += c == info.param.id || c[-1] == '-' ? static_cast<char>(std::toupper(*c)) : *c;
      return name;
    });

TEST(ReasonsOfHeaders, FunctionsOfAHeaderAreNotRewritten) {
  Folder folder;
  std::string header = kAttention;
  header.replace(header.find("Tensor attention"), 6, "inline Tensor");
  folder.write("a.h", "#pragma once\n" + header);
  folder.write("a.cpp", "#include \"a.h\"\n");
  const Ended run = folder.translate({"a.cpp", "-o", "x.cu"});
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_NE(run.err.find("[not-in-main-file]"), std::string::npos) << run.err;
}

}  // namespace
}  // namespace flashlight::test
