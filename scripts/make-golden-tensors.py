#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the golden tensors that test/tensor holds the DSL's ops against, computed by PyTorch.

Usage: /usr/bin/python3 scripts/make-golden-tensors.py [output]      (Debian: python3-torch, 1.13 or later)

The file is text, one record a line:
  tensor NAME DTYPE SIZES STRIDES OFFSET HEX   storage in little endian; SIZES, STRIDES as 2:3:4, - if empty
  case OP CHECK INPUTS ARGUMENTS OUTPUTS       names joined by commas, or -; CHECK: exact, close, or view
                                               (exact, and the strides as well)
ARGUMENTS are positional: i7 integer, f0.5 number, b1 bool, l0:1 list, s... string, t dtype, n none.
Where PyTorch has no kernel for a 16-bit dtype on the CPU, the op runs in float32 and is rounded, as the DSL
defines it.
"""

import pathlib
import sys

from golden_tensors import movement, pointwise, record, reductions

for make in (
    pointwise.unary_cases,
    pointwise.binary_cases,
    pointwise.choice_cases,
    reductions.reduction_cases,
    reductions.contraction_cases,
    movement.gather_cases,
    movement.view_cases,
    movement.conversion_cases,
    movement.creation_cases,
    reductions.attention_cases,
):
    make()
root = pathlib.Path(__file__).resolve().parent.parent
path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "test/tensor/golden/ops.txt"
path.write_text("\n".join(record.lines) + "\n")
count = sum(line.startswith("case") for line in record.lines)
print(f"{path.name}: {count} cases, {path.stat().st_size} bytes")
