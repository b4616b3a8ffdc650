// SPDX-License-Identifier: Apache-2.0
// One function in many spellings gives one kernel: the text behind the user's program is the same, names of
// the user aside.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "program.h"

namespace {

namespace fs = std::filesystem;

class Spelling : public testing::Test {
 protected:
  Spelling() : folder_(fs::path(testing::TempDir()) / ("flashlight-spelling-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~Spelling() override { fs::remove_all(folder_); }

  // The kernel and launcher that the translator writes for f: parameters q, k, v and the body, or a whole
  // signature.
  std::string kernel(
      const std::string& body,
      const std::string& signature = "Tensor f(const Tensor& q, const Tensor& k, const Tensor& v)") {
    const fs::path source = folder_ / "f.cpp";
    std::ofstream(source)
        << "#include <flashlight/flashlight.h>\nusing namespace flashlight;\nFLASHLIGHT_FUSE " << signature
        << " {\n"
        << body << "}\n";
    const Printed run = run_program(FLASHLIGHT_TRANSLATE " " + source.string() + " -o -");
    EXPECT_EQ(run.status, 0) << run.text << "\nfor\n" << body;
    const std::size_t start =
        run.text.find('\n', run.text.rfind("#line "));  // what stands behind the user's text
    EXPECT_NE(start, std::string::npos) << run.text;
    return start == std::string::npos ? "" : without_comments(run.text.substr(start));
  }

  static std::string without_comments(const std::string& text) {
    return std::regex_replace(std::regex_replace(text, std::regex("[ ]*//[^\n]*"), ""), std::regex("\n\n+"),
                              "\n");
  }
  // The names stand alone or as a part of an emitted one: q in q_tile, f in run_f_1.
  static std::string renamed(std::string text,
                             const std::vector<std::pair<std::string, std::string>>& names) {
    for (const auto& [from, to] : names)
      text = std::regex_replace(text, std::regex("([^A-Za-z0-9])" + from + "(?![A-Za-z0-9])"), "$1" + to);
    return text;
  }

  // Equality that shows the first line that differs.
  static testing::AssertionResult same(const std::string& a, const std::string& b) {
    std::istringstream as(a), bs(b);
    while (as || bs) {
      std::string x, y;
      std::getline(as, x), std::getline(bs, y);
      if (x != y) return testing::AssertionFailure() << "kernels differ:\n  " << x << "\n  " << y;
    }
    return testing::AssertionSuccess();
  }

  const std::string causal_ =
      "  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));\n"
      "  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));\n"
      "  scores = where(j <= i, scores, -INFINITY);\n"
      "  return matmul(softmax(scores, -1), v);\n";

 private:
  fs::path folder_;
};

TEST_F(Spelling, NamesOfTheUserMeanNothing) {
  const std::string other = kernel(
      "  Tensor s = matmul(asked, stored.transpose(-2, -1)) / std::sqrt(double(asked.size(-1)));\n"
      "  Tensor row = arange(asked.size(-2)).unsqueeze(-1), column = arange(stored.size(-2));\n"
      "  Tensor seen = where(column <= row, s, -INFINITY);\n"
      "  Tensor p = softmax(seen, -1);\n"
      "  return matmul(p, carried);\n",
      "Tensor recall(const Tensor& asked, const Tensor& stored, const Tensor& carried)");
  EXPECT_TRUE(same(renamed(other, {{"asked", "q"}, {"stored", "k"}, {"carried", "v"}, {"recall", "f"}}),
                   kernel(causal_)));
}

TEST_F(Spelling, TheOrderOfOperandsMeansNothing) {
  EXPECT_TRUE(same(kernel("  double scale = 1.0 / std::sqrt(double(q.size(-1)));\n"
                          "  Tensor scores = scale * matmul(q, k.transpose(-2, -1));\n"
                          "  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));\n"
                          "  scores = where(i >= j, scores, -INFINITY);\n"
                          "  return matmul(softmax(scores, -1), v);\n"),
                   kernel(causal_)));
}

TEST_F(Spelling, EinsumIsMatmul) {
  EXPECT_TRUE(same(
      kernel("  Tensor scores = einsum(\"...id,...jd->...ij\", {q, k}) / std::sqrt(double(q.size(-1)));\n"
             "  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));\n"
             "  scores = where(j <= i, scores, -INFINITY);\n"
             "  return einsum(\"...ij,...jd->...id\", {softmax(scores, -1), v});\n"),
      kernel(causal_)));
}

TEST_F(Spelling, ScaledQueriesAreScaledScores) {
  EXPECT_TRUE(same(kernel("  Tensor scores = matmul(q / std::sqrt(double(q.size(-1))), k.mT());\n"
                          "  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));\n"
                          "  scores = where(j <= i, scores, -INFINITY);\n"
                          "  return matmul(softmax(scores, -1), v);\n"),
                   kernel(causal_)));
}

TEST_F(Spelling, MaskedFillIsWhere) {
  EXPECT_TRUE(
      same(kernel("  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));\n"
                  "  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));\n"
                  "  scores = scores.masked_fill(j > i, -INFINITY);\n"
                  "  return matmul(softmax(scores, -1), v);\n"),
           kernel(causal_)));
}

TEST_F(Spelling, AddedMinusInfinityIsWhere) {
  EXPECT_TRUE(
      same(kernel("  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));\n"
                  "  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));\n"
                  "  scores = scores + where(j <= i, 0.0, -INFINITY).to(q.dtype());\n"
                  "  return matmul(softmax(scores, -1), v);\n"),
           kernel(causal_)));
}

TEST_F(Spelling, TheLibrarysCausalAttentionIsTheSame) {
  EXPECT_TRUE(same(kernel("  return scaled_dot_product_attention(q, k, v, {.is_causal = true});\n"),
                   kernel(causal_)));
}

TEST_F(Spelling, SoftmaxInThreeWays) {
  const std::string scores = "  Tensor s = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));\n";
  const std::string library = kernel(scores + "  return matmul(softmax(s, -1), v);\n");
  EXPECT_TRUE(
      same(kernel(scores + "  Tensor p = exp(s);\n  return matmul(p / p.sum(-1, true), v);\n"), library));
  EXPECT_TRUE(same(
      kernel(scores + "  Tensor p = exp(s - s.amax(-1, true));\n  return matmul(p, v) / p.sum(-1, true);\n"),
      library));
}

TEST_F(Spelling, AnotherProgramGivesAnotherKernel) {
  EXPECT_FALSE(
      same(kernel("  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));\n"
                  "  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));\n"
                  "  scores = where(j < i, scores, -INFINITY);\n"
                  "  return matmul(softmax(scores, -1), v);\n"),
           kernel(causal_)));
}

}  // namespace
