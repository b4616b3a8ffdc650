# SPDX-License-Identifier: Apache-2.0
"""Records golden tensors and cases, and makes the values they are computed from."""

import math

import torch

DTYPES = {
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
    torch.float32: "float32",
    torch.float64: "float64",
    torch.int8: "int8",
    torch.uint8: "uint8",
    torch.int32: "int32",
    torch.int64: "int64",
    torch.bool: "bool",
}
FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
HALVES = (torch.float16, torch.bfloat16)
INTS = [torch.int8, torch.uint8, torch.int32, torch.int64]
INF, NAN = math.inf, math.nan

lines, names = [], {}


def hex_of(storage):
    raw = storage.view(torch.int16) if storage.dtype in HALVES else storage
    return raw.contiguous().numpy().tobytes().hex() or "-"


def numbers(values):
    return ":".join(str(v) for v in values) if len(values) else "-"


def put(t):
    """Records a tensor with exactly the storage between its first and last element; returns its name."""
    t = t.detach()
    if t.numel():
        past = 1 + sum((n - 1) * s for n, s in zip(t.shape, t.stride()))
        storage = torch.as_strided(t, (past,), (1,), t.storage_offset())
    else:
        storage = torch.empty(0, dtype=t.dtype)
    record = f"{DTYPES[t.dtype]} {numbers(t.shape)} {numbers(t.stride())} 0 {hex_of(storage)}"
    if record not in names:
        names[record] = f"t{len(names)}"
        lines.append(f"tensor {names[record]} {record}")
    return names[record]


def argument(value):
    if value is None:
        return "n"
    if isinstance(value, bool):
        return f"b{int(value)}"
    if isinstance(value, int):
        return f"i{value}"
    if isinstance(value, float):
        return f"f{value!r}"
    if isinstance(value, torch.dtype):
        return f"t{DTYPES[value]}"
    if isinstance(value, str):
        return "s" + value.replace(" ", "_").replace(",", ";")
    return "l" + numbers(value)


def case(op, inputs, outputs, *arguments, check="close"):
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    ins = ",".join(put(t) for t in inputs) or "-"
    args = ",".join(argument(a) for a in arguments) or "-"
    lines.append(f"case {op} {check} {ins} {args} " + ",".join(put(t) for t in outputs))


def run(f, *tensors):
    """f on the tensors; in float32 with rounding where a 16-bit dtype has no kernel."""
    try:
        return f(*tensors)
    except RuntimeError as error:
        if "not implemented for" not in str(error):
            raise
        narrow = next(t.dtype for t in tensors if t.dtype in HALVES)
        result = f(*(t.float() if t.dtype in HALVES else t for t in tensors))
        back = lambda r: r.to(narrow) if r.dtype == torch.float32 else r
        return tuple(map(back, result)) if isinstance(result, tuple) else back(result)


def wide(f, x):
    """f in float64, rounded to x's dtype: for ops that PyTorch composes, rounding in between."""
    return f(x.double()).to(x.dtype) if x.is_floating_point() else f(x)


generator = torch.Generator().manual_seed(7)


def normal(*sizes, dtype=torch.float32):
    return torch.randn(sizes, generator=generator, dtype=torch.float64).mul(64).round().div(64).to(dtype)


def whole(low, high, *sizes, dtype=torch.int64):
    return torch.randint(low, high, sizes, generator=generator).to(dtype)


def of(dtype, *sizes):
    """Values that fit the dtype."""
    if dtype == torch.bool:
        return whole(0, 2, *sizes).bool()
    if dtype == torch.uint8:
        return whole(0, 12, *sizes, dtype=dtype)
    return whole(-9, 10, *sizes, dtype=dtype) if dtype in INTS else normal(*sizes, dtype=dtype)
