// SPDX-License-Identifier: Apache-2.0
// Faults that are planted in the text of an emitted kernel for sm_90a, one active at a time.
#pragma once
#include <flashlight/emulator/emulator.h>
#include <flashlight/flashlight.h>

#include <vector>

// q [.., Sq, D], k and v [.., Sk, D], causal, for D of 64, whose results are staged apart, and 256, over the
// rows.
flashlight::Tensor planted(const flashlight::Tensor& q, const flashlight::Tensor& k,
                           const flashlight::Tensor& v);

// The number of the fault that is active; 0: none. In the emitted file.
extern int planted_fault;

// How the rows' tile is loaded, and the same with another count of bytes.
#define PLANTED_ROWS "q_ring.load(q_at, p.q_source.map, {0, row0, q_start}, Keep::kLeast);"
#define PLANTED_ROWS_EXPECTING(BYTES)                                                                \
  "if ($) {\n q_ring.empty(q_at).wait(q_at.parity ^ 1);\n q_ring.full(q_at).arrive_expect(" BYTES    \
  ");\n tma_load(q_tile, p.q_source.map, q_ring.full(q_at), {0, row0, q_start}, Keep::kLeast);\n } " \
  "else " PLANTED_ROWS

struct PlantedFault {
  const char* name;
  const char* find;                                      // in the emitted text; the last place is changed
  const char* replace;                                   // $: whether this fault is active
  std::vector<flashlight::emulator::FindingKind> kinds;  // one of them must be found
  int head_dim = 64;
};

inline const std::vector<PlantedFault>& planted_faults() {
  using enum flashlight::emulator::FindingKind;
  static const std::vector<PlantedFault> faults{
      {"NoFenceOfScores",
       "turns.take();\n        fence_products(s);",
       "turns.take();\n        if (!$) fence_products(s);",
       {kMissingFence}},
      {"NoFenceOfWeights",
       "fence_products(acc, weights);\n        multiply",
       "if (!$) fence_products(acc, weights);\n        multiply",
       {kMissingFence}},
      {"NoFenceOfBarriers", "fence_barrier_init();", "if (!$) fence_barrier_init();", {kMissingFence}},
      {"BarriersForNobodyElse", "sync_threads();", "if (!$) sync_threads();", {kBarrier, kRace}},
      {"MoreBytesThanCome", PLANTED_ROWS, PLANTED_ROWS_EXPECTING("q_tile.bytes + 16"), {kDeadlock, kBarrier}},
      {"FewerBytesThanCome",
       PLANTED_ROWS,
       PLANTED_ROWS_EXPECTING("q_tile.bytes - 16"),
       {kBarrier, kDeadlock}},
      {"WaitsForOtherTile",
       "k_ring.wait(k_at);\n        turns",
       "($ ? v_ring : k_ring).wait(k_at);\n        turns",
       {kPendingCopy, kRace}},
      {"DoesNotWaitForRows", "q_ring.wait(q_at);", "if (!$) q_ring.wait(q_at);", {kPendingCopy, kRace}},
      {"ReleasesBeforeProductsAreDone",
       "weigh(next);\n        wait_products<0>(acc, weights);\n        v_ring.release(v_at);",
       "weigh(next);\n        if ($) v_ring.release(v_at);\n        wait_products<0>(acc, weights);\n        "
       "if (!$) v_ring.release(v_at);",
       {kRace}},
      {"ReleasesOtherTile",
       "v_ring.release(v_at);\n        v_at",
       "($ ? k_ring : v_ring).release(v_at);\n        v_at",
       {kDeadlock, kBarrier, kRace}},
      {"DoesNotRelease",
       "k_ring.release(k_at);\n        k_at",
       "if (!$) k_ring.release(k_at);\n        k_at",
       {kDeadlock}},
      {"ReadsScoresTooEarly",
       "wait_products<1>(s);",
       "if ($) wait_products<2>(s); else wait_products<1>(s);",
       {kPendingRegister}},
      {"RescalesTooEarly",
       "wait_products<0>(acc, weights);\n        if",
       "if ($) wait_products<1>(acc, weights); else wait_products<0>(acc, weights);\n        if",
       {kPendingRegister}},
      {"KeepsTheTurn", "turns.pass();", "if (!$) turns.pass();", {kDeadlock}},
      {"KeepsTheRows", "if (!keeps_rows) q_ring", "if (!keeps_rows && !$) q_ring", {kDeadlock}},
      {"ReleasesRowsUnderResults",
       "wait_stores_read<0>();\n      q_ring",
       "if (!$) wait_stores_read<0>();\n      q_ring",
       {kRace, kPendingCopy},
       256},
      {"KeepsTheRowsUnderResults",
       "wait_stores_read<0>();\n      q_ring",
       "wait_stores_read<0>();\n      if (!$) q_ring",
       {kDeadlock},
       256},
      {"ReleasesRowsBeforeResults",
       "&& p.out0_target.mapped;",
       "&& p.out0_target.mapped && !$;",
       {kRace, kPendingCopy, kBarrier, kDeadlock},
       256},
      {"StagesWhatLeaves",
       "wait_stores_read<0>();\n      sync",
       "if (!$) wait_stores_read<0>();\n      sync",
       {kRace}},
      {"NoFenceOfResults", "fence_proxy_async();", "if (!$) fence_proxy_async();", {kMissingFence}},
      {"StoresBeforeAllHaveStaged",
       "sync_warpgroup(warpgroup);\n      if",
       "if (!$) sync_warpgroup(warpgroup);\n      if",
       {kRace, kMissingFence, kUninitialisedShared}},
      {"StoresOverAnothersRows", "64 * warpgroup, p.out0", "($ ? 0 : 64) * warpgroup, p.out0", {kRace}},
      {"EndsWhileResultsLeave",
       "wait_stores_read<0>();  // of",
       "if (!$) wait_stores_read<0>();  // of",
       {kPendingCopy}},
      {"RowsLoadedBeforeTheyAreRead",
       "q_ring.wait(q_at);",
       "q_ring.wait(q_at);\n    if ($) q_ring.release(q_at);",
       {kRace, kPendingCopy, kBarrier, kDeadlock}},
      {"SkipsARound",
       "rounds.any(); rounds.next()) {\n    const",
       "rounds.any(); rounds.next()) {\n    if ($ && rounds.round == 1) continue;\n    const",
       {kDeadlock, kBarrier, kRace}},
      {"RowsTooFarApart",
       "{p.k.stride[0], p.k.stride[1], p.n_key",
       "{p.k.stride[0] + ($ ? 8 : 0), p.k.stride[1], p.n_key",
       {kOutOfBoundsGlobal}},
      {"TilesOverlap",
       "v_ring{smem + 1024 + q_ring.tile_bytes + k_ring.tile_bytes,",
       "v_ring{smem + 1024 + q_ring.tile_bytes + ($ ? 1024 : k_ring.tile_bytes),",
       {kRace, kPendingCopy, kBarrier}},
      {"BarriersOverlap",
       "smem + q_ring.barrier_bytes + k_ring.barrier_bytes}",
       "smem + q_ring.barrier_bytes + ($ ? 0 : k_ring.barrier_bytes)}",
       {kBarrier, kDeadlock, kRace}},
      {"LoadsOneTileTooFew",
       "v_ring.load(v_at,",
       "if (!$ || tile + 1 < tiles) v_ring.load(v_at,",
       {kDeadlock}},
  };
  return faults;
}
