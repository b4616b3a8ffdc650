// SPDX-License-Identifier: Apache-2.0
// A function that is more than attention: what its marks, the remark, the report and the emitted text say.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "program.h"

namespace flashlight::test {
namespace {

using nlohmann::json;

const char* const kModule = R"(#include <flashlight/flashlight.h>
using namespace flashlight;
FLASHLIGHT_FUSE Tensor module(const Tensor& x, const Tensor& g, const Tensor& wq, const Tensor& wk, const Tensor& wv) {
  Tensor n = rms_norm(x, g);
  Tensor q = matmul(n, wq), k = matmul(n, wk), v = matmul(n, wv);
  return matmul(softmax(matmul(q, k.transpose(-2, -1)), -1), v) + x;
}
)";

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(Modules, AMarkIsMetByWhatRunsWhole) {
  Folder folder;
  folder.write("m.cpp", kModule);
  const Ended run = folder.translate({"m.cpp", "-o", "m.cu", "--report", "r.json", "--fail-on-unfused"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.err.find("'module' runs as 1 fused kernel, 3 matrix products and 1 generated kernel: "),
            std::string::npos)
      << run.err;
  EXPECT_NE(run.err.find("[matrix-product,-Rpass-missed=flashlight]"), std::string::npos) << run.err;
  const json report = json::parse(folder.read("r.json"));
  EXPECT_EQ(report["summary"], json({{"fused", 0}, {"partial", 1}, {"unfused", 0}}));
  const json& f = report["functions"][0];
  EXPECT_EQ(f["reason"]["id"], "matrix-product");
  EXPECT_EQ(f["reason"]["location"]["line"], 5);
  EXPECT_EQ(f["totals"]["kernels_fused"], 5);
  EXPECT_GT(f["totals"]["kernels_unfused"], 5);
}

TEST(Modules, TheNormIsWrittenOnceByAWarpARow) {
  Folder folder;
  folder.write("m.cpp", kModule);
  ASSERT_EQ(folder.translate({"m.cpp", "-o", "m.cu"}).exit_code, 0);
  const std::string text = folder.read("m.cu");
  EXPECT_EQ(count(text, "= warp_sum_of("), 1u);
  EXPECT_EQ(count(text, "= launch.product("), 3u);
  EXPECT_EQ(count(text, "#include <flashlight/generated/multiply.h>"), 1u);
  EXPECT_EQ(count(text, "run(launch, product"), 3u);
  // Nothing is started before all that may be refused is known, and a call that measures ends before.
  EXPECT_LT(text.find("if (launch.measuring()) return {};"), text.find("launch.check_type("));
  EXPECT_LT(text.rfind("launch.check_type("), text.find("start(module_1a_sm80"));
}

TEST(Modules, OthersDoNotLinkTheLibraryOfProducts) {
  Folder folder;
  folder.write("a.cpp", kAttention);
  ASSERT_EQ(folder.translate({"a.cpp", "-o", "a.cu"}).exit_code, 0);
  EXPECT_EQ(count(folder.read("a.cu"), "multiply.h"), 0u);
}

TEST(Modules, StandaloneFilesHoldWhatProductsNeed) {
  Folder folder;
  folder.write("m.cpp", kModule);
  ASSERT_EQ(folder.translate({"m.cpp", "-o", "m.cu", "--standalone"}).exit_code, 0);
  const std::string text = folder.read("m.cu");
  EXPECT_EQ(count(text, "#include <flashlight/"), 0u);
  EXPECT_EQ(count(text, "#include <cublasLt.h>"), 1u);
}

TEST(Modules, WhatNoStepComputesLeavesTheFunctionUnfused) {
  Folder folder;
  folder.write("m.cpp", R"(#include <flashlight/flashlight.h>
using namespace flashlight;
FLASHLIGHT_FUSE Tensor summed(const Tensor& x, const Tensor& w, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(matmul(x, w), k.transpose(-2, -1));
  return matmul(softmax(cumsum(scores, -2), -1), v);
}
)");
  const Ended run = folder.translate({"m.cpp", "-o", "m.cu", "--report", "r.json"});
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_NE(run.err.find("[unsupported-scan]"), std::string::npos) << run.err;
}

const char* const kTopK = R"(#include <flashlight/flashlight.h>
using namespace flashlight;
FLASHLIGHT_FUSE Tensor best(const Tensor& q, const Tensor& k, const Tensor& v, int64_t n) {
  Tensor scores = matmul(q, k.transpose(-2, -1));
  auto [values, keys] = scores.topk(n);
  return matmul(softmax(where(scores >= values.slice(-1, n - 1, n), scores, -INFINITY), -1), v);
}
)";

TEST(Modules, AnOrderCutsTheFunctionAndTheReportSaysWhere) {
  Folder folder;
  folder.write("m.cpp", kTopK);
  const Ended run = folder.translate({"m.cpp", "-o", "m.cu", "--report", "r.json", "--explain", "best"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.err.find("'best' runs as 1 fused kernel, 1 matrix product and 1 order: "), std::string::npos)
      << run.err;
  const json f = json::parse(folder.read("r.json"))["functions"][0];
  EXPECT_EQ(f["status"], "partial");
  EXPECT_EQ(f["reason"]["id"], "opaque");
  EXPECT_EQ(f["reason"]["location"]["line"], 5);
  ASSERT_EQ(f["kernels"][1]["kind"], "order") << f;
  const std::string why = f["kernels"][1]["why"], ops = f["kernels"][1]["ops"][0];
  EXPECT_NE(
      why.find("in line 5: an order has no law that holds tile by tile, so that 'scores' lies in memory"),
      std::string::npos)
      << why;
  EXPECT_EQ(ops, "sort (values)");
  EXPECT_NE(run.out.find("  Order by sort_sm80\n"), std::string::npos) << run.out;
  const std::string text = folder.read("m.cu");
  EXPECT_EQ(count(text, "#include <flashlight/generated/sort.h>"), 1u);
  EXPECT_EQ(count(text, "= launch.order("), 1u);
}

TEST(Modules, ARunningSumOfWhatIsNoScoreIsAStepOfItsOwn) {
  Folder folder;
  folder.write("m.cpp", R"(#include <flashlight/flashlight.h>
using namespace flashlight;
Tensor fading(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gates) {
  Tensor faded = cumsum(gates, -1);
  Tensor scores = matmul(q, k.transpose(-2, -1)) + faded.unsqueeze(-1) - faded.unsqueeze(-2);
  return matmul(softmax(scores, -1), v);
}
)");
  const Ended run = folder.translate({"m.cpp", "-o", "m.cu", "--report", "r.json", "--explain", "fading"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.err.find("'fading' runs as 1 fused kernel and 1 running sum: "), std::string::npos)
      << run.err;
  const json f = json::parse(folder.read("r.json"))["functions"][0];
  EXPECT_EQ(f["reason"]["id"], "running-sum");
  EXPECT_EQ(f["reason"]["location"]["line"], 4);
  ASSERT_EQ(f["kernels"][0]["kind"], "scan") << f;
  EXPECT_NE(run.out.find("  Running sum by running_sum_sm80\n"), std::string::npos) << run.out;
  EXPECT_EQ(count(folder.read("m.cu"), "= launch.running_sum("), 1u);
}

TEST(Modules, ExplainedInWords) {
  Folder folder;
  folder.write("m.cpp", kModule);
  const Ended run = folder.translate({"m.cpp", "-o", "m.cu", "--explain", "module"});
  EXPECT_EQ(count(run.out, "  Matrix product by cuBLASLt\n"), 3u) << run.out;
  EXPECT_EQ(count(run.out, "  Generated kernel module_1a_sm80"), 1u) << run.out;
  EXPECT_NE(run.out.find("  In all 5 kernels instead of "), std::string::npos) << run.out;
}

}  // namespace
}  // namespace flashlight::test
