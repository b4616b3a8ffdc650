// SPDX-License-Identifier: Apache-2.0
// A misuse throws flashlight::Error, and the text names the op, the shapes and the rule.
#include <flashlight/flashlight.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace flashlight {
namespace {

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const std::exception& error) { return error.what(); }
  return "no error";
}

struct Misuse {
  const char* expected;
  std::function<void()> run;
};

TEST(Error, NamesOpShapesAndRule) {
  const Tensor x = zeros({2, 3}), y = zeros({4, 5}), i = zeros({2}, kInt64), b = zeros({2, 3}, kBool);
  const Misuse misuses[] = {
      {"add([2, 3] float32, [4, 5] float32): sizes 3 and 5 at dim -1 do not broadcast (equal or 1)",
       [&] { x + y; }},
      {"matmul([2, 3] float32, [4, 5] float32): the inner sizes 3 and 4 differ", [&] { matmul(x, y); }},
      {"matmul([2, 2, 3] float32, [4, 3, 2] float32): sizes 2 and 4 at dim -3",
       [&] { matmul(zeros({2, 2, 3}), zeros({4, 3, 2})); }},
      {"matmul([2, 3] float32, [2] int64): floating and integer", [&] { matmul(x, i); }},
      {"bmm([2, 3] float32", [&] { bmm(x, y); }},
      {"linear([2, 3] float32, [4, 5] float32): the last sizes", [&] { linear(x, y); }},
      {"sum([2, 3] float32): dim 2 is out of range [-2, 1]", [&] { x.sum(2); }},
      {"sum([2, 3] float32): dim 1 is named twice", [&] { x.sum({1, -1}); }},
      {"softmax([2, 3] float32): dim -3", [&] { softmax(x, -3); }},
      {"softmax([2] int64): a floating tensor", [&] { softmax(i, 0); }},
      {"mean([2] int64): a floating tensor", [&] { i.mean(); }},
      {"amax([0, 3] float32): no elements", [&] { amax(zeros({0, 3}), 0); }},
      {"argmax([0] float32): no elements", [&] { argmax(zeros({0})); }},
      {"view([3, 2] float32): strides [1, 3] cannot show [6] without a copy", [&] { x.mT().view(-1); }},
      {"view([2, 3] float32): the elements do not fill [4]", [&] { x.view(4); }},
      {"view([2, 3] float32): only one size may be -1", [&] { x.view({-1, -1}); }},
      {"reshape([0] float32): -1 is ambiguous", [&] { zeros({0}).reshape({0, -1}); }},
      {"permute([2, 3] float32): dim 0 is named twice", [&] { x.permute({0, 0}); }},
      {"permute([2, 3] float32): the dims [0]", [&] { x.permute(0); }},
      {"expand([2, 3] float32): dim 0", [&] { x.expand({4, 3}); }},
      {"narrow([2, 3] float32): start 1 with length 3", [&] { x.narrow(1, 1, 3); }},
      {"select([2, 3] float32): index 2 is out of range", [&] { x.select(0, 2); }},
      {"slice([2, 3] float32): the step", [&] { x.slice(0, 0, 2, 0); }},
      {"split([2, 3] float32): the sizes [1, 1] do not add up to 3", [&] { x.split({1, 1}, 1); }},
      {"unflatten([2, 3] float32): size 3 of dim 1 does not split into [2, 2]",
       [&] { x.unflatten(1, {2, 2}); }},
      {"flatten([2, 3] float32): start_dim", [&] { x.flatten(1, 0); }},
      {"where([2, 3] float32, [2, 3] float32): the condition", [&] { where(x, x, 0); }},
      {"masked_fill([2, 3] float32, [2, 3] float32): the mask", [&] { x.masked_fill(x, 0); }},
      {"masked_fill([2] int64, [2] bool): the value is not finite",
       [&] { i.masked_fill(i == 0, -INFINITY); }},
      {"neg([2, 3] bool): bool has no subtraction", [&] { -b; }},
      {"sub([2, 3] bool, [2, 3] bool): bool has no subtraction", [&] { b - b; }},
      {"bitwise_and([2, 3] float32, [2, 3] bool): & | ^ ~", [&] { x & b; }},
      {"bitwise_not([2, 3] float32)", [&] { ~x; }},
      {"remainder: an integer divisor is 0", [&] { i % 0; }},
      {"floor_divide: an integer divisor is 0", [&] { floor_divide(i, i); }},
      {"index([2, 3] float32, [1] int64): index 2 is out of range for a size of 2",
       [&] { x.index({tensor({2})}); }},
      {"index([2, 3] float32, [1] int64): index -3", [&] { x.index({tensor({-3})}); }},
      {"index([2, 3] float32, [2, 3] bool): indices must be integers", [&] { x.index({b}); }},
      {"index([2, 3] float32, [2] int64, [2] int64, [2] int64): between one", [&] { x.index({i, i, i}); }},
      {"index_select([2, 3] float32, [1] int64): index -1", [&] { x.index_select(0, tensor({-1})); }},
      {"gather([2, 3] float32, [2] int64): x and index", [&] { x.gather(0, i); }},
      {"cat([2, 3] float32, [4, 5] float32): the sizes differ at dim 1", [&] { cat({x, y}, 0); }},
      {"stack([2, 3] float32, [4, 5] float32): the tensors", [&] { stack({x, y}); }},
      {"topk([2, 3] float32): k = 4", [&] { x.topk(4); }},
      {"rms_norm([2, 3] float32, [2] float32): weight", [&] { rms_norm(x, zeros({2}), 1e-6); }},
      {"einsum([2, 3] float32): \"ij,jk\" has 2 operands, given are 1", [&] { einsum("ij,jk", {x}); }},
      {"einsum([2, 3] float32, [4, 5] float32): letter 'j' names sizes 3 and 4",
       [&] { einsum("ij,jk->ik", {x, y}); }},
      {"einsum([2, 3] float32): \"i\" names 1 dims of a tensor with 2", [&] { einsum("i->i", {x}); }},
      {"einsum([2, 3] float32): \"ij->ik\": output letter 'k'", [&] { einsum("ij->ik", {x}); }},
      {"einsum([2, 3] float32): \"ij->ii\": letter 'i' occurs twice", [&] { einsum("ij->ii", {x}); }},
      {"einsum([2, 3] float32): \"i.j\": unexpected '.'", [&] { einsum("i.j", {x}); }},
      {"einsum([2, 3] float32): letter 'i' names sizes 2 and 3", [&] { einsum("ii", {x}); }},
      {"data([2, 3] float32): data<T>() with T of dtype int64", [&] { x.data<std::int64_t>(); }},
      {"item([2, 3] float32): only a tensor of one element", [&] { x.item<float>(); }},
      {"add(undefined, [2, 3] float32): a tensor is undefined", [&] { Tensor() + x; }},
      {"dim(undefined)", [&] { Tensor().dim(); }},
      {"assume: the condition at error_test.cpp:", [&] { assume(x.size(0) == 3); }},
      {"a list of 17 sizes: at most 16",
       [&] {
         Sizes s;
         for (int n = 0; n < 17; ++n) s.push_back(1);
       }},
      {"sizes [-1]: a size is negative", [&] { zeros(-1); }},
      {"is too large", [&] { empty({1LL << 40, 1LL << 40}); }},
      {"tensor: the nested lists are ragged", [&] { tensor({{1, 2}, {3}}); }},
      {"arange: the step leads away", [&] { arange(0, 3, -1); }},
      {"in place, several indices",
       [&] {
         Tensor e = zeros(1).expand(3);
         e += 1;
       }},
      {"in place, the result must have the sizes",
       [&] {
         Tensor s = zeros(1);
         s += zeros(3);
       }},
      {"clamp: at least one", [&] { x.clamp(); }},
      {"randn: the dtype must be floating", [&] { randn({2}, 0, kInt32); }},
      {"assume", [&] { scaled_dot_product_attention(x, x, x, {.mask = b, .is_causal = true}); }},
  };
  for (const Misuse& misuse : misuses) {
    const std::string text = error_of(misuse.run);
    EXPECT_NE(text.find(misuse.expected), std::string::npos)
        << "wanted: " << misuse.expected << "\nhave:   " << text;
  }
}

TEST(Error, OpsOnCudaTensorsSayWhatToDo) {
  const Tensor x = zeros({2, 3}).to(kCUDA);
  const std::function<void()> ops[] = {[&] { x + 1; },
                                       [&] { x.sum(); },
                                       [&] { matmul(x, x.mT()); },
                                       [&] { softmax(x, -1); },
                                       [&] { x.clone(); },
                                       [&] { x.to(kFloat16); },
                                       [&] { x.mT().contiguous(); },
                                       [&] { x.mT().reshape(-1); },
                                       [&] { cat({x, x}); },
                                       [&] { where(x, x, x); },
                                       [&] { x.index({tensor({0})}); },
                                       [&] { x.sort(); },
                                       [&] { x.allclose(x); },
                                       [&] { x.var(); },
                                       [&] { rms_norm(x); },
                                       [&] { einsum("ij->ji", {x}); },
                                       [&] { x.repeat({2, 2}); },
                                       [&] { x.tril(); },
                                       [&] { x.cumsum(0); },
                                       [&] { x.argmax(); },
                                       [&] {
                                         Tensor y = x;
                                         y += 1;
                                       },
                                       [&] { zeros({2, 3}) + x; }};
  for (const auto& op : ops) {
    const std::string text = error_of(op);
    EXPECT_NE(text.find("runs on the CPU only"), std::string::npos) << text;
    EXPECT_NE(text.find("take cuda tensors"), std::string::npos) << text;
  }
  EXPECT_NE(error_of([&] { x.data<float>(); }).find("not on the CPU"), std::string::npos);
}

TEST(Error, IsAStandardException) {
  try {
    throw Error("text");
  } catch (const std::exception& error) { EXPECT_STREQ(error.what(), "text"); }
}

}  // namespace
}  // namespace flashlight
