// SPDX-License-Identifier: Apache-2.0
// The verifier names what is wrong with a tile program that was tampered with.
#include "attention_programs.h"

namespace flashlight::kernel {
namespace {

namespace alg = fusion::algebra;

class Tampering : public testing::Test {
 protected:
  std::unique_ptr<Lowered> lowered_ = lower(3, attention_program("logsumexp beside it").body);
  Program& program_ = lowered_->program;
  Sweep& sweep_ = lowered_->program.sweeps[0];

  int step(StepKind kind, int nth = 0) {
    for (std::size_t s = 0; s < sweep_.steps.size(); ++s) {
      if (sweep_.steps[s].kind == kind && nth-- == 0) return static_cast<int>(s);
    }
    ADD_FAILURE() << "no such step in\n" << to_string(program_);
    return 0;
  }

  // The text of what verify throws; "" if nothing.
  std::string complaint() {
    try {
      verify(program_);
    } catch (const std::logic_error& error) { return error.what(); }
    return "";
  }
  void expect(const std::string& place, const std::string& what) {
    const std::string text = complaint();
    EXPECT_NE(text.find(place), std::string::npos) << text;
    EXPECT_NE(text.find(what), std::string::npos) << text;
  }
};

TEST_F(Tampering, NothingWrong) { EXPECT_EQ(complaint(), ""); }

TEST_F(Tampering, OperandOfNoLoop) {
  program_.operands[0].cols = 99;
  expect("operand 0", "columns");
}

TEST_F(Tampering, OperandWithoutFactors) {
  program_.operands[1].factors.clear();
  expect("operand 1", "no factors");
}

TEST_F(Tampering, OperandThatVariesWithAnotherAxis) {
  program_.operands[program_.contractions[0].left].factors.push_back(
      program_.operands[program_.contractions[0].right].factors[0]);
  expect("operand", "another axis");
}

TEST_F(Tampering, ContractionOfKeysWithKeys) {
  program_.contractions[0].left = program_.contractions[0].right;
  expect("contraction 0", "no query rows");
}

TEST_F(Tampering, ContractionOfAPointValue) {
  for (std::size_t l = 0; l < program_.plan->leaves.size(); ++l) {
    if (program_.plan->leaves[l].kind == fusion::Leaf::Point)
      program_.contractions[0].leaf = static_cast<int>(l);
  }
  expect("contraction 0", "point by point");
}

TEST_F(Tampering, StepsOutOfOrder) {
  std::swap(sweep_.steps[step(StepKind::Let)], sweep_.steps[step(StepKind::Let, 1)]);
  expect("sweep 1, step", "not defined here");
}

TEST_F(Tampering, ContractionLeftOut) {
  sweep_.steps.erase(sweep_.steps.begin() + step(StepKind::Contract));
  expect("sweep 1", "contraction without a step");
}

TEST_F(Tampering, ContractionOfAnotherSweep) {
  sweep_.contractions.clear();
  expect("sweep 1, masked value 0", "contraction that its sweep does not compute");
}

TEST_F(Tampering, StateOutOfRange) {
  sweep_.steps[step(StepKind::Set)].index = 7;
  expect("sweep 1, step", "no such state");
}

TEST_F(Tampering, SumIntoAMaximum) {
  const int add = step(StepKind::Add), set = step(StepKind::Set);
  sweep_.steps[add].index = sweep_.steps[set].index;
  expect("sweep 1, step", "what is no sum");
}

TEST_F(Tampering, AccumulatorWithoutColumns) {
  for (State& state : sweep_.states) state.columns = -1;
  expect("sweep 1, state", "has columns");
}

TEST_F(Tampering, ProductWithTheQueries) {
  sweep_.steps[step(StepKind::Product)].operand = program_.contractions[0].left;
  expect("sweep 1, step", "no key rows");
}

TEST_F(Tampering, ProductWithTheKeys) {
  sweep_.steps[step(StepKind::Product)].operand = program_.contractions[0].right;
  expect("sweep 1, step", "accumulator's columns");
}

TEST_F(Tampering, ScaleByAScore) {
  sweep_.steps[step(StepKind::Scale)].value = sweep_.masked[0].node;
  expect("sweep 1, step", "does not live here");
}

TEST_F(Tampering, WeightThatReadsAState) {
  Step& add = sweep_.steps[step(StepKind::Add)];  // a sum holds but a part of itself before the end
  add.value = add.value * sweep_.states[add.index].node;
  expect("sweep 1, step", "does not live here");
}

TEST_F(Tampering, WeightThatCountsThePadding) {
  sweep_.steps[step(StepKind::Add)].value = program_.plan->arena->constant(1);
  expect("sweep 1, step", "past the end");
}

TEST_F(Tampering, MaskedValueOfItself) {
  sweep_.masked[0].value = sweep_.masked[0].node + 1.0;
  expect("sweep 1, masked value 0", "made of itself");
}

TEST_F(Tampering, MaskedValueOfARowTemporary) {
  sweep_.masked[0].value = sweep_.masked[0].value + sweep_.steps[step(StepKind::Let)].target;
  expect("sweep 1, step", "not defined here");
}

TEST_F(Tampering, PredicateThatIsANumber) {
  sweep_.masked[0].predicate = sweep_.masked[0].value;
  expect("sweep 1, masked value 0", "no condition");
}

TEST_F(Tampering, TilesLeftOutThatCount) {
  sweep_.live = {alg::not_of(sweep_.live.at(0))};
  expect("sweep 1, live", "leaves out tiles");
}

TEST_F(Tampering, StateThatNothingReads) {
  for (Store& store : program_.stores) store.value = program_.plan->arena->constant(0);
  expect("sweep 1, state", "never read");
}

TEST_F(Tampering, TemporaryDefinedTwice) {
  sweep_.steps.push_back(sweep_.steps[step(StepKind::Let)]);
  expect("sweep 1, step", "defined twice");
}

TEST_F(Tampering, FixupOfATileValue) {
  program_.stores[0].value = program_.stores[0].value * sweep_.steps[step(StepKind::Let)].target;
  expect("store 0", "not defined here");
}

TEST_F(Tampering, FixupOfTheAlgebrasOwnState) {
  program_.stores[1].value = program_.stores[1].value + alg::reduce_sum(program_.plan->arena->constant(1));
  expect("store 1", "which no step computes");
}

TEST_F(Tampering, RowResultOfAnAccumulator) {
  program_.stores[1].value = program_.stores[0].value;
  expect("store 1", "varies with more");
}

TEST_F(Tampering, ResultLeftOut) {
  program_.stores.pop_back();
  expect("program", "leaves a result out");
}

TEST_F(Tampering, ResultStoredTwice) {
  program_.stores[1] = program_.stores[0];
  expect("store 1", "stored twice");
}

TEST(Verify, FinalsOfAnEarlierSweepOnly) {
  const auto lowered = lower(3, attention_program("softmax of softmax").body);
  ASSERT_EQ(lowered->program.sweeps.size(), 2u);
  ASSERT_FALSE(lowered->program.sweeps[0].finals.empty());
  lowered->program.sweeps[0].finals.clear();
  EXPECT_THROW(verify(lowered->program), std::logic_error);
}

}  // namespace
}  // namespace flashlight::kernel
