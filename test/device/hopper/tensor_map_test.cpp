// SPDX-License-Identifier: Apache-2.0
// Which tensors TMA takes, and what the emulated device keeps of them.
#include "flashlight/device/hopper/tensor_map.h"

#include <gtest/gtest.h>

#include <string>

#include "flashlight/emulator/tensor_map.h"

namespace flashlight::test {
namespace {

using namespace flashlight::device;
using Tile = SharedTile<bfloat16, 64, 128>;

alignas(16) unsigned char memory[64];

std::string refusal(const TensorShape& shape, const void* base = memory) {
  TensorMap map;
  const char* const error = make_tensor_map<Tile>(map, base, shape);
  return error ? error : "";
}

TEST(TensorMap, KeepsShapeAndBox) {
  TensorMap map;
  ASSERT_EQ((make_tensor_map<SharedTile<bfloat16, 48, 96>>(map, memory, {3, {90, 7, 5}, {1, 96, 672}})),
            nullptr);
  emulator::TensorLayout t;
  ASSERT_TRUE(emulator::decode(map.words, t));
  EXPECT_EQ(t.base, memory);
  EXPECT_EQ(t.rank, 3);
  EXPECT_EQ(t.sizes[0], 90u);
  EXPECT_EQ(t.sizes[2], 5u);
  EXPECT_EQ(t.strides[0], 192u);
  EXPECT_EQ(t.strides[1], 1344u);
  EXPECT_EQ(t.box[0], 32);  // 96 columns come in blocks of 32
  EXPECT_EQ(t.box[1], 48);
  EXPECT_EQ(t.box[2], 1);
  EXPECT_EQ(t.swizzle, 2);  // 64 bytes
  TensorMap none{};
  EXPECT_FALSE(emulator::decode(none.words, t));
}

TEST(TensorMap, StrideOfASingleElementMeansNothing) {
  EXPECT_EQ(refusal({4, {128, 10, 1, 1}, {1, 128, 0, 3}}), "");
  EXPECT_EQ(refusal({2, {5, 1}, {1, 5}}), "");
}

TEST(TensorMap, RefusesWithAReason) {
  EXPECT_EQ(refusal({2, {128, 10}, {1, 128}}), "");
  EXPECT_NE(refusal({2, {128, 10}, {1, 128}}, memory + 2).find("base"), std::string::npos);
  EXPECT_NE(refusal({1, {128}, {1}}).find("axes"), std::string::npos);
  EXPECT_NE(refusal({6, {128}, {1}}).find("axes"), std::string::npos);
  EXPECT_NE(refusal({2, {128, 10}, {2, 256}}).find("contiguous"), std::string::npos);
  EXPECT_NE(refusal({2, {128, 10}, {1, 129}}).find("stride"), std::string::npos);
  EXPECT_NE(refusal({3, {128, 10, 4}, {1, 128, 0}}).find("stride"), std::string::npos);  // broadcast
  EXPECT_NE(refusal({2, {128, 10}, {1, -128}}).find("stride"), std::string::npos);
  EXPECT_NE(refusal({2, {128, 0}, {1, 128}}).find("empty"), std::string::npos);
}

}  // namespace
}  // namespace flashlight::test
