// SPDX-License-Identifier: Apache-2.0
// Ranks: which axes of a view are meant, and what their use says about the ranks of the function's
// parameters.
#pragma once
#include <span>

#include "graph/dsl_args.h"

namespace flashlight::graph {

inline int rank_of(const TensorView& v) { return static_cast<int>(v.shape.size()); }
// Axes of the view other than the pack.
inline int explicit_axes(const TensorView& v) { return rank_of(v) - (v.pack ? 1 : 0); }

// Ensures that the view has `count` trailing axes besides its pack. With a pack it asks for a parameter with
// more of them (throws NeedFacts); without one too few axes are the program's error.
void need_trailing(Builder&, const TensorView&, int count, const Args&);
// Ensures that the view has exactly `rank` axes; `guessed`: unless the program says otherwise elsewhere.
void need_exact(Builder&, const TensorView&, int rank, const Args&, bool guessed = false);
// Ensures that the rank of the view is known, for a dim that counts from the front or for dim() itself. That
// says only that the view has `least` axes or more: which rank is meant is for the reader to find out, from
// `usual` downwards; `places`: the dim places a new axis.
void need_known(Builder&, const TensorView&, int least, int usual, const Args&, bool places = false);
// [B, H, S, D]
inline constexpr int kUsualRank = 4;

// The axis that `dim` names in the view; `extra` positions past the end count too (1 for unsqueeze and
// stack).
int axis_of(Builder&, const TensorView&, std::int64_t dim, const Args&, int extra = 0);

// The axes that several dims name; a view of unknown rank gets the axes that the largest of them needs.
std::vector<int> axes_of(Builder&, const TensorView&, std::span<const std::int64_t> dims, const Args&);

// Leading axes broadcast aligned at their ends: raises ranks until no view has more leading axes than a view
// with a pack has. The last own[k] axes of views[k] take no part.
void align_leading(Builder&, std::span<const TensorView> views, std::span<const int> own, const Args&);

// The tensor parameter that the view shows without any computing, through views and gathers by index; -1:
// none.
int raw_parameter(const Builder&, const TensorView&);

}  // namespace flashlight::graph
