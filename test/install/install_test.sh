#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An installed Flashlight, used by hand: translate, compile, link, run. The consumer project beside this file is the program.
# Usage: install_test.sh <prefix> <scratch folder> <compiler> [--standalone]; <compiler> is g++, clang++ or nvcc. Exits with
# 77 (skipped) where the compiler is missing.
set -eu
prefix=$1 scratch=$2 compiler=$3 standalone=${4:-}
here=$(cd "$(dirname "$0")/consumer" && pwd)
case $compiler in
  nvcc) command -v nvcc > /dev/null || compiler=/usr/local/cuda/bin/nvcc ;;
  clang++) ! command -v clang++-19 > /dev/null || compiler=clang++-19 ;;
esac
command -v "$compiler" > /dev/null || { echo "no $compiler: skipped"; exit 77; }

rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"
"$prefix/bin/flashlight-translate" "$here/main.cpp" -o main.cu --fail-on-unfused --head-dims 64 --dtypes fp16 --c-header main.h $standalone \
  -- -std=c++20 -I"$here/include" -DTEMPERATURE=2.0
includes="-I$here/include -I$prefix/include"
if [ -n "$standalone" ]; then
  includes="-I$here/include"  # the program's own header; none of Flashlight's
  if grep -nE '^ *# *include *[<"](flashlight|dlpack)' main.cu; then exit 1; fi
fi
library=$(dirname "$(find "$prefix" -name libflashlight.a)")
case $compiler in
  *nvcc)
    "$compiler" -std=c++20 -arch=sm_80 -DTEMPERATURE=2.0 $includes main.cu -o main -L"$library" -lflashlight
    ./main --cpu ;;
  *)
    "$compiler" -std=c++20 -O1 -Wall -Wextra -Werror -Wno-unknown-pragmas -DTEMPERATURE=2.0 $includes -x c++ -c main.cu -o main.o
    "$compiler" main.o -o main -L"$library" -lflashlight -lboost_context -pthread
    # Another language calls the entry that the C header declares.
    echo '#include "main.h"
      int main(void) { return flashlight_attention(NULL, NULL, NULL, NULL, 0, NULL) == 0 || !flashlight_last_error()[0]; }' > caller.c
    "$compiler" -Dmain=consumer_main -std=c++20 -O1 -w -DTEMPERATURE=2.0 $includes -x c++ -c main.cu -o renamed.o
    cc -Wall -Wextra -Werror -c caller.c -o caller.o
    "$compiler" caller.o renamed.o -o caller -L"$library" -lflashlight -lboost_context -pthread
    ./caller
    ./main
    ./main --cpu ;;
esac
