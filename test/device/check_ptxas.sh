#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles the kernels for sm_80 and sm_90a; fails on any spill, local memory, C75xx line of ptxas, or warning.
# Kernels for Hopper have a body for sm_90a only; that their files compile for sm_80 too is checked.
# Usage: check_ptxas.sh <source directory of the project> [nvcc]. Exits with 77 (skipped) without nvcc.
set -u
root=$1
nvcc=${2:-nvcc}
command -v "$nvcc" > /dev/null || nvcc=/usr/local/cuda/bin/nvcc
command -v "$nvcc" > /dev/null || { echo "no nvcc: skipped"; exit 77; }

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failed=0

check() {
  arch=$1
  file=$2
  # One architecture by name: -arch=sm_90a alone makes nvcc assemble for compute_90 too.
  if ! "$nvcc" -std=c++20 -gencode="arch=compute_${arch#sm_},code=$arch" -Xptxas -v -I "$root/include" -c "$root/test/device/$file.cu" \
      -o "$scratch/object.o" > "$scratch/log" 2>&1; then
    cat "$scratch/log"
    failed=1
  elif grep -E 'warning|C75[0-9][0-9]|[1-9][0-9]* bytes (stack frame|spill)' "$scratch/log"; then
    echo "$file.cu for $arch: see above"
    failed=1
  else
    used=$(grep -o 'Used [0-9]* registers' "$scratch/log" | cut -d' ' -f2 | sort -n)
    echo "$file.cu for $arch: $(echo "$used" | wc -l) kernels, at most $(echo "$used" | tail -1) registers, no spills"
  fi
}

for arch in sm_80 sm_90a; do
  check $arch flash_attention
  check $arch compile_only
  check $arch hopper_attention
done
check sm_90a hopper/compile_only
exit $failed
