// SPDX-License-Identifier: Apache-2.0
// Masked attention in many ways, each fused, for counting the tiles that the emulated device visits.
#pragma once
#include <flashlight/flashlight.h>

#include <ostream>
#include <string>
#include <vector>

// What a mask may capture, of one batch of sequences: integers unless said otherwise.
struct Captured {
  flashlight::Tensor rows;      // [B, Sq]
  flashlight::Tensor keys;      // [B, Sk]
  flashlight::Tensor table;     // [64]
  flashlight::Tensor row_flag;  // [Sq], bool
  flashlight::Tensor key_flag;  // [Sk], bool
  flashlight::Tensor dense;     // [B, Sq, Sk], bool
};

struct FusedMask {
  std::string name;
  // softmax(q k^T / sqrt(d) where the mask holds) v; on CUDA tensors the fused kernel.
  flashlight::Tensor (*attend)(const flashlight::Tensor& q, const flashlight::Tensor& k,
                               const flashlight::Tensor& v, const Captured& captured);
  // The mask itself, eagerly: broadcasts to [B, Sq, Sk].
  flashlight::Tensor (*visible)(const flashlight::Tensor& b, const flashlight::Tensor& i,
                                const flashlight::Tensor& j, const Captured& captured);
  // What the analysis finds of it: every tile without a visible pair, every tile that is visible throughout.
  bool all_empty, all_full;
  bool by_elements = false;  // warps see for themselves whether a tile is full
};

inline std::ostream& operator<<(std::ostream& out, const FusedMask& mask) { return out << mask.name; }

std::vector<FusedMask> fused_masks();
// Documents, where other ones are not left out but get the score -1e10.
FusedMask filled_documents();
