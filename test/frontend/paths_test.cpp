// SPDX-License-Identifier: Apache-2.0
// The enumeration of runtime branches.
#include "frontend/paths.h"

#include <gtest/gtest.h>

namespace flashlight::frontend {
namespace {

using graph::Sym;
using graph::SymOp;

Sym scalar(int i) { return Sym::symbol({graph::SymbolId::Scalar, i, 0}, graph::SymType::Integer); }
Sym flag(int i) { return Sym::symbol({graph::SymbolId::Scalar, i, 0}, graph::SymType::Boolean); }
Sym is(const Sym& s, int v) { return graph::make_sym(SymOp::Eq, {s, Sym(v)}); }

TEST(Paths, ReadsEveryCombinationOnce) {
  Paths paths(8);
  std::set<int> seen;
  do {
    int code = 0;
    for (int i = 0; i < 3; ++i) code = code * 2 + paths.decide(flag(i));
    EXPECT_TRUE(seen.insert(code).second);
  } while (paths.next(true));
  EXPECT_EQ(seen.size(), 8u);
}

TEST(Paths, AsksOnlyWhatIsReached) {
  Paths paths(8);
  int count = 0;
  do {
    if (paths.decide(flag(0))) paths.decide(flag(1));
    ++count;
  } while (paths.next(true));
  EXPECT_EQ(count, 3);
}

TEST(Paths, ARereadingGetsTheSameAnswers) {
  Paths paths(8);
  bool first = paths.decide(flag(0));
  paths.rewind();
  EXPECT_EQ(paths.decide(flag(0)), first);
  EXPECT_TRUE(paths.next(true));
  EXPECT_EQ(paths.decide(flag(0)), !first);
  EXPECT_FALSE(paths.next(true));
}

TEST(Paths, EarlierAnswersSettleLaterQuestions) {
  Paths paths(8);
  EXPECT_TRUE(paths.decide(is(scalar(0), 3)));
  EXPECT_FALSE(paths.decide(is(scalar(0), 4)));
  EXPECT_TRUE(paths.decide(graph::make_sym(SymOp::Lt, {scalar(0), Sym(5)})));
  EXPECT_FALSE(paths.decide(graph::make_sym(SymOp::Not, {is(scalar(0), 3)})));
  EXPECT_EQ(*paths.condition(), is(scalar(0), 3));
}

TEST(Paths, ConstantsAskNothing) {
  Paths paths(1);
  EXPECT_TRUE(paths.decide(Sym::boolean(true)));
  EXPECT_FALSE(paths.condition());
  EXPECT_FALSE(paths.next(true));
}

TEST(Paths, TheLimitCountsPathsWithAResult) {
  Paths paths(2);
  int results = 0;
  EXPECT_THROW(
      do {
        for (int i = 0; i < 2; ++i) paths.decide(flag(i));
        ++results;
      } while (paths.next(true)),
      TooManyPaths);
  EXPECT_EQ(results, 2);

  Paths checks(1);  // three checks that throw, one result
  int last = 0;
  do {
    for (last = 0; last < 3; ++last)
      if (checks.decide(flag(last))) break;
  } while (checks.next(last == 3));
  EXPECT_EQ(last, 3);
}

}  // namespace
}  // namespace flashlight::frontend
