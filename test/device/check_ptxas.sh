#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles the kernels for sm_80 and sm_90a; fails on any spill, local memory, C75xx line of ptxas, or warning.
# Usage: check_ptxas.sh <source directory of the project> [nvcc]. Exits with 77 (skipped) without nvcc.
set -u
root=$1
nvcc=${2:-nvcc}
command -v "$nvcc" > /dev/null || nvcc=/usr/local/cuda/bin/nvcc
command -v "$nvcc" > /dev/null || { echo "no nvcc: skipped"; exit 77; }

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failed=0
for arch in sm_80 sm_90a; do
  for file in flash_attention compile_only; do
    if ! "$nvcc" -std=c++20 -arch=$arch -Xptxas -v -I "$root/include" -c "$root/test/device/$file.cu" \
        -o "$scratch/$file.o" > "$scratch/log" 2>&1; then
      cat "$scratch/log"
      failed=1
    elif grep -E 'warning|C75[0-9][0-9]|[1-9][0-9]* bytes (stack frame|spill)' "$scratch/log"; then
      echo "$file.cu for $arch: see above"
      failed=1
    else
      used=$(grep -o 'Used [0-9]* registers' "$scratch/log" | cut -d' ' -f2 | sort -n)
      echo "$file.cu for $arch: $(echo "$used" | wc -l) kernels, at most $(echo "$used" | tail -1) registers, no spills"
    fi
  done
done
exit $failed
