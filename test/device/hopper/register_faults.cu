// SPDX-License-Identifier: Apache-2.0
// Kernels with one fault each, as ../faults.cu. Registers of asynchronous products, touched too early or too late.
#include "faults.h"

namespace flashlight::test::hopper {

namespace {

FL_KERNEL(kThreads) reads_an_accumulator_before_its_wait(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  prepare({smem});
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  start(c, {smem});
  const auto copy = [&](const Element& e) FL_INLINE { p.out[0] = c[e]; };
  for_each_element<1, 8>(copy);  // FAULT: pending-register
  wait_products<0>(c);
}

FL_KERNEL(kThreads) writes_an_accumulator_in_flight(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  prepare({smem});
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  start(c, {smem});
  c.fill(0);  // FAULT: pending-register
  wait_products<0>(c);
}

FL_KERNEL(kThreads) overwrites_an_operand_in_flight(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  prepare({smem});
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c, s;
  Operand<bfloat16, 64> weights;
  s.fill(1);
  round_fragment(weights, s);
  fence_products(c, weights);
  multiply_async<kSet>(c, weights, Shared{smem}.tile());
  commit_products();
  round_fragment(weights, s);  // FAULT: pending-register
  wait_products<0>(c, weights);
}

FL_KERNEL(kThreads) forgets_the_register_fence(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  fence_products(c);
  c.fill(0);
  multiply_transposed_async<kAdd>(c, s.tile(), s.other());  // FAULT: missing-fence
  commit_products();
  wait_products<0>(c);
}

FL_KERNEL(kThreads) forgets_the_fence_after_reading(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  start(c, s);
  wait_products<0>(c);
  for_each_element<1, 8>([&](const Element& e) FL_INLINE { p.out[thread_index()] = c[e]; });
  multiply_transposed_async<kSet>(c, s.tile(), s.other());  // FAULT: missing-fence
  commit_products();
  wait_products<0>(c);
}

FL_KERNEL(kThreads) forgets_the_fence_of_an_operand(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  prepare({smem});
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c, s;
  Operand<bfloat16, 64> weights;
  s.fill(1);
  round_fragment(weights, s);
  fence_products(c);
  multiply_async<kSet>(c, weights, Shared{smem}.tile());  // FAULT: missing-fence
  commit_products();
  wait_products<0>(c, weights);
}

FL_KERNEL(kThreads) waits_for_an_older_group_only(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  prepare({smem});
  if (!is_first_warpgroup()) return;
  Acc<1, 64> first, second;
  start(first, {smem});
  start(second, {smem});
  wait_products<1>(first, second);  // FAULT: pending-register
  wait_products<0>(second);
}

FL_KERNEL(kThreads) forgets_to_commit(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  fence_products(c);
  multiply_transposed_async<kSet>(c, s.tile(), s.other());
  wait_products<0>(c);  // FAULT: pending-register
  commit_products();
  wait_products<0>(c);
}

FL_KERNEL(kThreads) lets_an_accumulator_go(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (!is_first_warpgroup()) return;
  {
    Acc<1, 64> c;
    fence_products(c);
    multiply_transposed_async<kSet>(c, s.tile(), s.other());  // FAULT: pending-register
    commit_products();
  }
  wait_products<0>();
}

FL_KERNEL(kThreads) adds_to_nothing(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  fence_products(c);
  multiply_transposed_async<kAdd>(c, s.tile(), s.other());  // FAULT: uninitialised-register
  commit_products();
  wait_products<0>(c);
}

}  // namespace

std::vector<Entry> register_faults() {
  return {
      FL_ENTRY(reads_an_accumulator_before_its_wait),
      FL_ENTRY(writes_an_accumulator_in_flight),
      FL_ENTRY(overwrites_an_operand_in_flight),
      FL_ENTRY(forgets_the_register_fence),
      FL_ENTRY(forgets_the_fence_after_reading),
      FL_ENTRY(forgets_the_fence_of_an_operand),
      FL_ENTRY(waits_for_an_older_group_only),
      FL_ENTRY(forgets_to_commit),
      FL_ENTRY(lets_an_accumulator_go),
      FL_ENTRY(adds_to_nothing),
  };
}

}  // namespace flashlight::test::hopper
