#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles every fact program for sm_90a; fails on an error, a warning or a spill. Exits with 77 (skipped) without nvcc.
# Usage: compile_facts.sh <bench/gpu>
set -u
nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
[ -x "$nvcc" ] || { echo "no nvcc: skipped"; exit 77; }
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failed=0
for file in "$1"/facts/*.cu; do
  name=$(basename "$file" .cu)
  if ! "$nvcc" -std=c++20 -O3 -gencode=arch=compute_90a,code=sm_90a -Xptxas -v -cubin "$file" -o "$scratch/$name" > "$scratch/log" 2>&1; then
    cat "$scratch/log"
    failed=1
  elif grep -E 'warning|[1-9][0-9]* bytes (stack frame|spill)' "$scratch/log"; then
    echo "$name: see above"
    failed=1
  else
    echo "$name: $(grep -c 'Used [0-9]* registers' "$scratch/log") kernels, no spills"
  fi
done
# The header is what its generator writes.
cp "$1/facts/make-wgmma" "$scratch" && "$scratch/make-wgmma" && cmp "$scratch/wgmma.h" "$1/facts/wgmma.h" || failed=1
exit $failed
