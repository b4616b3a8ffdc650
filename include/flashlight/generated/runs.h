// SPDX-License-Identifier: Apache-2.0
// Keys in several runs: which tiles are whose, where a run leaves its sweep's states, and how both kernels
// are started.
#pragma once

#include "flashlight/generated/launch.h"

namespace flashlight::generated {

struct RunTiles {
  int begin, end;
};

// The states of all runs, float32: of one state after another [run][batch element][row][column]. A state of
// rows has one column.
struct RunStates {
  float* base;
  long long rows;  // rows of all batch elements
  int runs;

  // An equal share of the tiles [first, end); runs without any are empty.
  FL_HOST_DEVICE RunTiles tiles(int first, int end, int run) const {
    const long long count = greatest_of(0, end - first);
    return {first + static_cast<int>(count * run / runs), first + static_cast<int>(count * (run + 1) / runs)};
  }

  // Of the state behind `before` columns of others.
  FL_DEVICE device::GlobalMatrix<float> matrix(int before, int columns, int run, int element,
                                               int n_row) const {
    const long long row = run * rows + static_cast<long long>(element) * n_row;
    float* const first = base + before * runs * rows + row * columns;
    const bool vectors = columns % 4 == 0 && reinterpret_cast<std::uintptr_t>(first) % 16 == 0;
    return {first, columns, 1, n_row, columns, vectors};
  }
};

// The rows that the warp's fragments hold; 0 outside the matrix.
template <int MI>
FL_DEVICE void load_rows(device::RowVec<MI>& x, const device::GlobalMatrix<float>& from, int row0,
                         int warp FL_AND_WHERE) {
  device::for_each_row<MI>([&](const device::Row& r) FL_INLINE {
    x[r] = device::load_element(device::read_only(from), row0 + device::row_of<MI>(warp, r), 0 FL_AND_HERE);
  });
}
template <int MI, int N>
FL_DEVICE void load_fragment(device::Acc<MI, N>& x, const device::GlobalMatrix<float>& from, int row0,
                             int warp, int first_col FL_AND_WHERE) {
  device::for_each_element<MI, N>([&](const device::Element& e) FL_INLINE {
    x[e] = device::load_element(device::read_only(from), row0 + device::row_of<MI>(warp, e),
                                first_col + device::col_of(e) FL_AND_HERE);
  });
}

// Starts the kernel on every run, and where there are several the one that combines them. Throws as start()
// does.
template <class P, class Q>
void start_runs(void (*kernel)(P), void (*combine)(Q), const Launch& launch,
                std::remove_cv_t<std::remove_reference_t<P>>& p, long long batch, const Cta& cta,
                const Cta& combining, const char* name, const char* combine_name) {
  start(kernel, launch, p, batch * p.states.runs, cta, name);
  if (p.states.runs > 1) start(combine, launch, p, batch, combining, combine_name);
}

}  // namespace flashlight::generated
