// SPDX-License-Identifier: Apache-2.0
// Positions in kernels are exact, however large they, the constants beside them and their products are; and
// what is computed once for each key is there before it is read. Races and stray reads are errors of the
// emulated device.
#include "positions.h"

#include <gtest/gtest.h>

#include <string>
#include <type_traits>

namespace {

using namespace flashlight;

struct Arguments {
  explicit Arguments(std::int64_t queries, std::int64_t keys)
      : q(randn({2, queries, 40}, 1, kFloat16)),
        k(randn({2, keys, 40}, 2, kFloat16)),
        v(randn({2, keys, 40}, 3, kFloat16)) {}
  Tensor q, k, v;
};

template <class F, class... More> void expect_eager(F f, const Arguments& a, const More&... more) {
  auto on = [](const auto& x) {
    if constexpr (std::is_same_v<std::decay_t<decltype(x)>, Tensor>) return x.to(kCUDA);
    else return x;
  };
  const Tensor fused = f(on(a.q), on(a.k), on(a.v), on(more)...);
  ASSERT_EQ(fused.device(), kCUDA);
  const Tensor eager = f(a.q.to(kFloat32), a.k.to(kFloat32), a.v.to(kFloat32), more...);
  EXPECT_LE(max_abs_diff(fused.to(kCPU).to(kFloat64), eager.to(kFloat64)), 6e-3);
}

TEST(Positions, TheirProductsDoNotWrapAround) {
  const Arguments a(16, 47'000);
  expect_eager(squared_distance, a, 4e-9);
  expect_eager(squared_distance, Arguments(30, 70), 0.01);
}

TEST(Positions, PlacesInATableOfAllPairs) { expect_eager(flat, Arguments(70, 50), std::int64_t{3480}); }

TEST(Positions, ConstantsBeyond32Bits) {
  const Arguments a(70, 150);
  expect_eager(within_int, a);
  expect_eager(within_long, a);
}

TEST(Positions, MultiplesAgainstCapturedIntegers) {
  expect_eager(thirds, Arguments(40, 150), tensor({200, 449}));
}

TEST(Positions, StepsAreWhereTheyBelong) { expect_eager(stepped, Arguments(150, 150)); }

TEST(Positions, AParameterMayBeCalledFirst) { expect_eager(window, Arguments(150, 150), std::int64_t{40}); }

TEST(Positions, DivisionByAScalarOfZeroIsRefused) {
  const Arguments a(20, 30);
  expect_eager(strided, a, std::int64_t{4});
  EXPECT_THROW(strided(a.q, a.k, a.v, 0), Error);
  try {
    strided(a.q.to(kCUDA), a.k.to(kCUDA), a.v.to(kCUDA), 0);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("divided by step, which is 0"), std::string::npos)
        << error.what();
  }
}

TEST(Positions, NumbersOfKeysAreThereBeforeTheFirstProduct) { expect_eager(with_norms, Arguments(150, 150)); }

}  // namespace
