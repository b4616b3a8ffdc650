// SPDX-License-Identifier: Apache-2.0
// Parameters of size 1 along an axis: what they broadcast against is not made equal to anything else.
#include <gtest/gtest.h>

#include "graph/evaluate.h"
#include "support.h"

namespace flashlight::frontend::test {
namespace {

using graph::Array;

graph::Function only(const std::string& text) {
  Program p = read(text);
  const FunctionSource& f = function(p, "f");
  EXPECT_EQ(f.variants.size(), 1u) << said(p);
  return f.variants.empty() ? graph::Function() : f.variants[0].function;
}

Array counting(std::vector<std::int64_t> shape) {
  std::int64_t n = 1;
  for (std::int64_t size : shape) n *= size;
  Array out{shape, std::vector<double>(static_cast<std::size_t>(n))};
  for (std::size_t k = 0; k < out.data.size(); ++k) out.data[k] = double(k % 7) / 8;
  return out;
}

// f with the parameter in either place, since facts about sizes depend on the order of the parameters.
void both_orders(const std::string& body, const Array& g, const std::vector<Array>& qkv, bool runs) {
  for (bool first : {true, false}) {
    std::string rest = "const Tensor& q, const Tensor& k, const Tensor& v", own = "const Tensor& g";
    graph::Function f =
        only("Tensor f(" + (first ? own + ", " + rest : rest + ", " + own) + ") { " + body + " }");
    std::vector<Array> in = qkv;
    in.insert(first ? in.begin() : in.end(), g);
    if (runs)
      EXPECT_EQ(graph::evaluate(f, in, {})[0].shape, (std::vector<std::int64_t>{2, 3, 5})) << to_string(f);
    else EXPECT_THROW(graph::evaluate(f, in, {}), std::invalid_argument) << to_string(f);
  }
}

const std::vector<Array> kInputs = {counting({2, 3, 4}), counting({2, 6, 4}), counting({2, 6, 5})};

TEST(Broadcast, OneParameterAgainstSeveralAxes) {
  const std::string gain = "return matmul(softmax(matmul(q * g, k.mT()), -1), v * g);";
  both_orders(gain, counting({2, 1, 1}), kInputs, true);
  both_orders(gain, counting({1}), kInputs, true);
  both_orders(gain, counting({2, 1, 4}), kInputs, false);  // v has 5
  both_orders(gain, counting({2, 3, 1}), kInputs, false);  // v has 6 rows
}

TEST(Broadcast, OneParameterAgainstRowsAndColumns) {
  const std::string body = "Tensor s = matmul(q, k.mT()); return matmul(softmax(s * g, -1), v) + g;";
  both_orders(body, counting({2, 1, 1}), kInputs, true);
  both_orders(body, counting({2, 3, 1}), kInputs, true);
  both_orders(body, counting({2, 3, 6}), kInputs, false);
}

TEST(Broadcast, TheLargerOfTwoIsContracted) {
  const std::string body = "return matmul(softmax(matmul(q * g, k.mT()), -1), v);";
  both_orders(body, counting({1, 1, 4}), kInputs, true);
  both_orders(body, counting({1, 1, 1}), kInputs, true);
  both_orders(body, counting({4}), {counting({2, 3, 1}), kInputs[1], kInputs[2]},
              true);  // q is the smaller one
}

// Both sides of a square mask are the sequence.
TEST(Broadcast, OfBothSidesOfAMaskMakesThemEqual) {
  graph::Function f = only(
      "Tensor f(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& valid) {\n"
      "  Tensor both = valid.unsqueeze(-1) & valid.unsqueeze(-2);\n"
      "  return matmul(softmax(where(both, matmul(q, k.mT()), -INFINITY), -1), v); }");
  EXPECT_EQ(f.tensors[0].shape[1], f.tensors[1].shape[1]) << to_string(f);
}

}  // namespace
}  // namespace flashlight::frontend::test
