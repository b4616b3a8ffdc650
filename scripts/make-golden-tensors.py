#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the golden tensors that test/tensor holds the DSL's ops against, computed by PyTorch.

Usage: /usr/bin/python3 scripts/make-golden-tensors.py [output]      (Debian: python3-torch, 1.13 or later)

The file is text, one record a line:
  tensor NAME DTYPE SIZES STRIDES OFFSET HEX   storage bytes in little endian; SIZES and STRIDES as 2:3:4, or - if empty
  case OP CHECK INPUTS ARGUMENTS OUTPUTS       names joined by commas, or -; CHECK: exact, close, or view (exact, and
                                               the strides as well)
ARGUMENTS are positional: i7 integer, f0.5 number, b1 bool, l0:1 list, s... string, t dtype, n none.
Where PyTorch has no kernel for a 16-bit dtype on the CPU, the op runs in float32 and is rounded, as the DSL defines it.
"""
import math
import pathlib
import sys

import torch
import torch.nn.functional as F

DTYPES = {torch.float16: "float16", torch.bfloat16: "bfloat16", torch.float32: "float32", torch.float64: "float64",
          torch.int8: "int8", torch.uint8: "uint8", torch.int32: "int32", torch.int64: "int64", torch.bool: "bool"}
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
    """f in float64, rounded to x's dtype: for ops that PyTorch composes, rounding in between or cancelling."""
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


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.25, 7.0, -20.0, 30.0, 100.0, -100.0, 1e-3, 2e-7, 65504.0, INF, -INF, NAN]

UNARY = {
    "neg": torch.neg, "abs": torch.abs, "square": torch.square, "relu": torch.relu, "sign": torch.sign,
    "floor": torch.floor, "ceil": torch.ceil, "reciprocal": torch.reciprocal, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt,
    "exp": torch.exp, "exp2": torch.exp2, "expm1": torch.expm1, "log": torch.log, "log2": torch.log2,
    "log1p": torch.log1p, "sin": torch.sin, "cos": torch.cos, "tanh": torch.tanh, "erf": torch.erf,
    "sigmoid": torch.sigmoid, "silu": F.silu, "gelu": F.gelu,
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "log_sigmoid": lambda x: -torch.logaddexp(-x, torch.zeros_like(x)),
    "logical_not": torch.logical_not, "isnan": torch.isnan, "isinf": torch.isinf,
}
EXACT_UNARY = {"neg", "abs", "square", "relu", "sign", "floor", "ceil", "sqrt", "reciprocal", "logical_not", "isnan",
               "isinf"}
INT_UNARY = ["neg", "abs", "square", "relu", "sign", "floor", "ceil", "reciprocal", "sqrt", "rsqrt", "exp", "log", "sin",
             "tanh", "sigmoid", "erf", "logical_not", "isnan", "isinf", "exp2", "expm1", "log1p", "log2", "cos"]

BINARY = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.true_divide, "remainder": torch.remainder,
    "floor_divide": lambda x, y: torch.div(x, y, rounding_mode="floor"), "pow": torch.pow, "maximum": torch.maximum,
    "minimum": torch.minimum, "logaddexp": torch.logaddexp, "lt": torch.lt, "le": torch.le, "gt": torch.gt,
    "ge": torch.ge, "eq": torch.eq, "ne": torch.ne, "logical_and": torch.logical_and, "logical_or": torch.logical_or,
    "bitwise_and": torch.bitwise_and, "bitwise_or": torch.bitwise_or, "bitwise_xor": torch.bitwise_xor,
}
BITWISE = {"bitwise_and", "bitwise_or", "bitwise_xor"}
NO_BOOL = {"sub", "remainder", "floor_divide", "pow", "logaddexp"}
CLOSE_BINARY = {"pow", "logaddexp"}


def unary_cases():
    for name, f in UNARY.items():
        check = "exact" if name in EXACT_UNARY else "close"
        for dtype in FLOATS:
            x = torch.tensor(SPECIAL, dtype=torch.float64).to(dtype)
            case(name, [x], (wide if name in ("softplus", "log_sigmoid") else run)(f, x), check=check)
        x = normal(3, 4).t()[:, 1:]
        case(name, [x], run(f, x), check=check)
        for dtype in INTS + [torch.bool]:
            if name not in INT_UNARY or (dtype == torch.bool and name in ("neg", "relu", "sign", "floor", "ceil", "abs", "square")):
                continue
            x = of(dtype, 2, 5)
            case(name, [x], f(x), check=check)
    for dtype in INTS + [torch.bool]:
        x = of(dtype, 7)
        case("bitwise_not", [x], torch.bitwise_not(x), check="exact")
    for dtype in FLOATS:
        x = torch.tensor(SPECIAL, dtype=torch.float64).to(dtype)
        case("nan_to_num", [x], run(torch.nan_to_num, x), 0.0, None, None, check="exact")
        case("nan_to_num", [x], run(lambda v: torch.nan_to_num(v, 1.0, 8.0, -8.0), x), 1.0, 8.0, -8.0, check="exact")


def binary_cases():
    pairs = [(d, d) for d in FLOATS + INTS + [torch.bool]]
    pairs += [(torch.int32, torch.float32), (torch.int64, torch.float16), (torch.bool, torch.int32),
              (torch.uint8, torch.int32), (torch.float16, torch.float32), (torch.bfloat16, torch.float32),
              (torch.float16, torch.bfloat16), (torch.float64, torch.bfloat16), (torch.bool, torch.float16),
              (torch.int8, torch.int64)]
    for name, f in BINARY.items():
        check = "close" if name in CLOSE_BINARY else "exact"
        for left, right in pairs:
            floating = left.is_floating_point or right.is_floating_point
            if name in BITWISE and floating:
                continue
            if name in NO_BOOL and torch.bool in (left, right):
                continue
            if name == "logaddexp" and not (left.is_floating_point and right.is_floating_point):
                continue
            x, y = of(left, 3, 1, 4), of(right, 2, 1)
            if name in ("remainder", "floor_divide"):
                y = torch.where(y == 0, torch.ones_like(y), y)
            if name == "pow" and not floating:
                y = y.abs().clamp(max=3)
            case(name, [x, y], run(f, x, y), check=check)
        if name in BITWISE:
            continue
        values = torch.tensor([0.0, -0.0, 1.0, -1.0, 2.5, -7.5, INF, -INF, NAN, 1e4])
        x, y = values.unsqueeze(1), values.unsqueeze(0)
        for dtype in (torch.float32, torch.float64):
            case(name, [x.to(dtype), y.to(dtype)], f(x.to(dtype), y.to(dtype)), check=check)
        # Without dims: the other operand's dtype wins within a category.
        for left, right in [(torch.float16, torch.float32), (torch.int64, torch.float32), (torch.int32, torch.int64),
                            (torch.float32, torch.int64), (torch.float32, torch.float64)]:
            if name == "logaddexp" and not (left.is_floating_point and right.is_floating_point):
                continue
            x, y = of(left, 5), torch.tensor(2, dtype=right)
            case(name, [x, y], run(f, x, y), check=check)
    for name in ["add", "sub", "mul", "div", "remainder", "floor_divide", "pow", "lt", "le", "gt", "ge", "eq", "ne"]:
        f, check = BINARY[name], "close" if name in CLOSE_BINARY else "exact"
        for dtype in FLOATS + INTS + [torch.bool]:
            for scalar in (2, 0.5, -1.5, 3, True):
                if dtype == torch.bool and name in NO_BOOL:
                    continue
                if name == "sub" and scalar is True:
                    continue
                x = of(dtype, 6)
                case(name + "_scalar", [x], run(lambda v: f(v, scalar), x), scalar, check=check)
        for dtype in FLOATS + [torch.int32]:
            for scalar in (2, 0.5):
                x = of(dtype, 6)
                x = torch.where(x == 0, torch.ones_like(x), x)
                if name == "pow":
                    x = x.abs()
                g = lambda v: f(torch.tensor(scalar, dtype=torch.result_type(v, scalar)), v)
                case("scalar_" + name, [x], run(g, x), scalar, check=check)
    for name in ["add", "sub", "mul", "div"]:
        for left, right in [(torch.float32, torch.float32), (torch.float16, torch.float32), (torch.float32, torch.int32),
                            (torch.bfloat16, torch.bfloat16), (torch.int64, torch.int64)]:
            if name == "div" and left == torch.int64:
                continue
            x, y = of(left, 3, 4), of(right, 4)
            y = torch.where(y == 0, torch.ones_like(y), y)
            expected = x.clone()
            run_in_place(name, expected.t()[1:3], y[:3].to(right))
            case("in_place_" + name, [x, y[:3]], expected, check="exact")


def run_in_place(name, target, y):
    result = BINARY[name](target.float(), y.float()) if target.dtype in HALVES else BINARY[name](target, y)
    target.copy_(result.to(target.dtype))


def choice_cases():
    mask = whole(0, 2, 3, 1).bool()
    for left, right in [(torch.float32, torch.float32), (torch.float16, torch.float32), (torch.int64, torch.float32),
                        (torch.bool, torch.int32), (torch.bfloat16, torch.bfloat16)]:
        x, y = of(left, 3, 4), of(right, 4)
        case("where", [mask, x, y], torch.where(mask, x, y), check="exact")
    for dtype in FLOATS + [torch.int32]:
        x = of(dtype, 2, 3, 4)
        for value in ([-INF, 2.0] if dtype.is_floating_point else [2]):
            as_tensor = torch.tensor(value, dtype=dtype)
            case("where_scalar", [mask, x], torch.where(mask, x, as_tensor), value, check="exact")
            case("scalar_where", [mask, x], torch.where(mask, as_tensor, x), value, check="exact")
            case("masked_fill", [x, mask], x.masked_fill(mask, value), value, check="exact")
        case("masked_fill_tensor", [x, mask, torch.tensor(1, dtype=dtype)], x.masked_fill(mask, 1), check="exact")
    case("where_scalars", [mask], torch.where(mask, 1.0, 0.0), 1.0, 0.0, check="exact")
    case("where_scalars", [mask], torch.where(mask, 1, 0), 1, 0, check="exact")
    for dtype in FLOATS + [torch.int32, torch.int64]:
        x = of(dtype, 3, 4)
        if dtype.is_floating_point:
            x[0, 0] = NAN
        low, high = (-0.5, 0.75) if dtype.is_floating_point else (-2, 3)
        for a, b in [(low, high), (None, high), (low, None)]:
            case("clamp", [x], run(lambda v: v.clamp(a, b), x), a, b, check="exact")
        case("clamp_min", [x], run(lambda v: v.clamp_min(low), x), low, check="exact")
        case("clamp_max", [x], run(lambda v: v.clamp_max(high), x), high, check="exact")
        a, b = of(dtype, 4), of(dtype, 3, 1)
        case("clamp_tensor", [x, a, b], run(lambda v, p, q: torch.clamp(v, p, q), x, a, b), check="exact")
    for k in (-1, 0, 2):
        x = normal(2, 3, 4)
        case("tril", [x], x.tril(k), k, check="exact")
        case("triu", [x], x.triu(k), k, check="exact")


def reduction_cases():
    names = {"sum": torch.sum, "amax": torch.amax, "amin": torch.amin, "mean": torch.mean, "logsumexp": torch.logsumexp}
    for dtype in FLOATS + INTS + [torch.bool]:
        x = of(dtype, 2, 3, 4)
        views = [x, x.permute(2, 0, 1)] if dtype in (torch.float32, torch.int32) else [x]
        for v in views:
            for dims in [(-1,), (0, 2), (1,), (0, 1, 2)]:
                for keep in (False, True):
                    for name, f in names.items():
                        if name == "mean" and not dtype.is_floating_point:
                            continue
                        if name == "logsumexp" and dtype in INTS + [torch.bool]:
                            continue
                        check = "close" if dtype.is_floating_point and name in ("sum", "mean", "logsumexp") else "exact"
                        result = wide(lambda t: f(t, dims, keep), v) if name == "logsumexp" else \
                            run(lambda t: f(t, dims, keep), v)
                        case(name, [v], result, dims, keep, check=check)
                    for name in ("any", "all"):
                        r = v.bool()
                        for d in sorted(d % 3 for d in dims)[::-1]:
                            r = getattr(r, name)(d, keepdim=keep)
                        case(name, [v], r, dims, keep, check="exact")
            case("sum", [v], run(lambda t: t.sum(), v), (), False)
            case("prod", [v], run(lambda t: t.prod(), v), (), False)
            case("prod", [v], run(lambda t: t.prod(1), v), (1,), False)
            case("any", [v], v.bool().any(), (), False, check="exact")
            case("all", [v], v.bool().all(), (), False, check="exact")
            if dtype != torch.bool:
                case("argmax", [v], run(lambda t: t.argmax(), v), None, False, check="exact")
                case("argmax", [v], run(lambda t: t.argmax(1, True), v), 1, True, check="exact")
            case("cumsum", [v], run(lambda t: t.cumsum(-1), v), -1)
            case("cumsum", [v], run(lambda t: t.cumsum(0), v), 0)
        if dtype.is_floating_point:
            for dims, unbiased, keep in [((-1,), True, False), ((0, 2), False, True), ((), True, False)]:
                f = lambda t: t.float().var(dims or None, unbiased, keep).to(dtype) if dtype in HALVES else \
                    t.var(dims or None, unbiased, keep)
                case("var", [x], f(x), dims, unbiased, keep)
    special = torch.tensor([[1.0, NAN, 2.0], [INF, 1.0, INF], [-INF, -INF, -INF], [INF, -INF, 0.0], [-INF, 1.0, 2.0]])
    for dtype in FLOATS:
        x = special.to(dtype)
        for name in ("amax", "amin", "sum", "mean", "logsumexp"):
            case(name, [x], wide(lambda t: names[name](t, (1,), False), x), (1,), False)
        case("argmax", [x], run(lambda t: t.argmax(1), x), 1, False, check="exact")
        for name, f in [("softmax", torch.softmax), ("log_softmax", torch.log_softmax)]:
            case(name, [x], wide(lambda t: f(t, 1), x), 1)
            y = normal(2, 5, 3, dtype=dtype) * 4
            case(name, [y], wide(lambda t: f(t, -2), y), -2)
            case(name, [y.transpose(0, 2)], wide(lambda t: f(t, -1), y.transpose(0, 2)), -1)
            case(name, [y], f(y.double(), 1).float(), 1, torch.float32)
        y = normal(2, 5, dtype=dtype)
        case("softmax", [y * 1e4], wide(lambda t: torch.softmax(t, -1), y * 1e4), -1)
    empty = torch.empty(2, 0, 3)
    case("sum", [empty], empty.sum(1), (1,), False)
    case("prod", [empty], empty.prod(1), (1,), False)
    case("mean", [empty], empty.mean(1), (1,), False)
    case("logsumexp", [empty], empty.logsumexp(1), (1,), False)
    case("any", [empty], empty.bool().any(1), (1,), False)
    case("all", [empty], empty.bool().all(1), (1,), False)
    case("sum", [empty], empty.sum(0), (0,), False)
    case("amax", [empty], empty.amax(0), (0,), False)
    case("sum", [empty], empty.sum(), (), False)
    case("softmax", [empty], empty.softmax(1), 1)
    case("softmax", [empty], empty.softmax(2), 2)
    case("cumsum", [empty], empty.cumsum(1), 1)
    case("var", [normal(1, 3)], torch.full((3,), NAN), (0,), True, False)
    scalar = torch.tensor(2.5)
    case("sum", [scalar], scalar.sum(), (), False)
    case("sum", [scalar], scalar.sum(-1, True), (-1,), True)
    case("softmax", [scalar], scalar.softmax(0), 0)
    for dtype in [torch.float32, torch.float16, torch.int64]:
        x = torch.randperm(24, generator=generator).reshape(2, 4, 3).to(dtype)
        for dim in (-1, 1):
            for flag in (False, True):
                case("sort", [x], list(x.sort(dim, flag)), dim, flag, check="exact")
                f = lambda t: tuple(t.topk(2, dim, flag))
                case("topk", [x], list(run(f, x)), 2, dim, flag, check="exact")
    x = torch.tensor([3.0, NAN, -INF, 1.0, INF])
    case("sort", [x], list(x.sort()), -1, False, check="exact")
    case("sort", [x], list(x.sort(descending=True)), -1, True, check="exact")
    x = torch.tensor([2, 1, 2, 1, 2])
    case("sort", [x], list(torch.sort(x, stable=True)), -1, False, check="exact")
    case("sort", [x], list(torch.sort(x, stable=True, descending=True)), -1, True, check="exact")


def contraction_cases():
    shapes = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((2, 3, 4), (4, 2)), ((4,), (2, 4, 3)),
              ((2, 3, 4), (4,)), ((2, 1, 3, 4), (5, 4, 2)), ((2, 1, 2, 3), (1, 3, 3, 2)), ((2, 0), (0, 3)), ((0, 2), (2, 3)),
              ((2, 3, 0), (2, 0, 2)), ((5, 7), (7, 9))]
    for dtype in FLOATS + [torch.int64, torch.int32]:
        for a, b in shapes:
            x, y = of(dtype, *a), of(dtype, *b)
            f = lambda p, q: (p.float() @ q.float()).to(dtype) if dtype in HALVES else p @ q
            case("matmul", [x, y], f(x, y), check="close" if dtype.is_floating_point else "exact")
    q, k = normal(2, 5, 3, 4).transpose(1, 2), normal(2, 6, 3, 4).transpose(1, 2)
    case("matmul", [q, k.transpose(-2, -1)], q @ k.transpose(-2, -1))
    w = normal(4, 6)[:, ::2]
    case("matmul", [q, w], q @ w)
    x, y = normal(3, 2, 4), normal(3, 4, 5)
    case("bmm", [x, y], torch.bmm(x, y))
    for dtype in FLOATS:
        x, w, b = normal(2, 3, 4, dtype=dtype), normal(5, 4, dtype=dtype), normal(5, dtype=dtype)
        wide = torch.float32 if dtype in HALVES else dtype
        case("linear", [x, w, b], F.linear(x.to(wide), w.to(wide), b.to(wide)).to(dtype))
        case("linear", [x, w], F.linear(x.to(wide), w.to(wide)).to(dtype))
    equations = [("bhid,bhjd->bhij", (2, 2, 3, 4), (2, 2, 5, 4)), ("bhij,bhjd->bhid", (2, 2, 3, 5), (2, 2, 5, 4)),
                 ("ij,jk", (2, 3), (3, 4)), ("ij,kj->ik", (2, 3), (4, 3)), ("i,j->ij", (2,), (3,)), ("i,i->", (3,), (3,)),
                 ("ij->ji", (2, 3)), ("ii->i", (3, 3)), ("ii", (3, 3)), ("ij->", (2, 3)), ("ijk->ik", (2, 3, 4)),
                 ("ba", (2, 3)), ("bi,bi->b", (2, 3), (2, 3)), ("bij,bjk,bkl->bil", (2, 2, 3), (2, 3, 4), (2, 4, 2)),
                 ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), ("iij,jk->ik", (2, 2, 3), (3, 2)), ("bi,i->bi", (2, 3), (3,)),
                 ("ijk,jk->", (2, 3, 4), (3, 4)), ("bhqd,bkd->bhqk", (2, 3, 2, 4), (2, 5, 4)),
                 ("i j , j k -> k i", (2, 3), (3, 4)), ("bn,bn,bn->bn", (2, 3), (2, 3), (2, 3)), ("ab,cd->dacb", (2, 3), (4, 2)),
                 ("bid,bjd->bij", (1, 3, 4), (2, 5, 4)), ("xA,Ay->xy", (2, 3), (3, 2)), ("ij,jk->ik", (2, 0), (0, 3))]
    for equation, *sizes in equations:
        for dtype in (torch.float32, torch.float64, torch.float16, torch.int64):
            if dtype in (torch.float16, torch.int64) and len(sizes) == 1 and "ii" in equation:
                continue
            tensors = [of(dtype, *s) for s in sizes]
            if dtype == torch.float16:
                result = torch.einsum(equation, *[t.double() for t in tensors]).half()
            else:
                result = torch.einsum(equation, *tensors)
            case("einsum", tensors, result, equation)
    for dtype in FLOATS:
        x, w, b = normal(2, 3, 4, dtype=dtype), normal(4, dtype=dtype), normal(4, dtype=dtype)
        f = lambda t, *p: F.layer_norm(t.double(), (4,), *[v.double() for v in p], eps=1e-5).to(dtype)
        case("layer_norm", [x, w, b], f(x, w, b), 1e-5)
        case("layer_norm", [x, w], f(x, w), 1e-5)
        case("layer_norm", [x], f(x), 1e-5)
        rms = lambda t: t.double() * torch.rsqrt(t.double().square().mean(-1, True) + 1e-6)
        case("rms_norm", [x, w], (rms(x) * w.double()).to(dtype), 1e-6)
        case("rms_norm", [x.transpose(0, 1)], rms(x.transpose(0, 1)).to(dtype), 1e-6)
    x, w, b = normal(2, 3, 4), normal(3, 4), normal(3, 4)
    case("layer_norm", [x, w, b], F.layer_norm(x, (3, 4), w, b, 1e-3), 1e-3)


def gather_cases():
    for dtype in [torch.float32, torch.bfloat16, torch.bool, torch.int8, torch.float64]:
        x = of(dtype, 3, 4, 5)
        i, j, k = whole(-3, 3, 2, 1), whole(0, 4, 6), whole(-5, 5, 2, 6)
        case("index", [x, i], x[i], check="exact")
        case("index", [x, i, j], x[i, j], check="exact")
        case("index", [x, i, j, k], x[i, j, k], check="exact")
        y = x.permute(2, 0, 1)
        p = whole(-5, 5, 4)
        case("index", [y, p], y[p], check="exact")
        case("index", [x, torch.tensor(1), j.int()], x[torch.tensor(1), j], check="exact")
        case("index_select", [x, j], x.index_select(1, j), 1, check="exact")
        case("index_select", [y, torch.tensor([2, 0])], y.index_select(-1, torch.tensor([2, 0])), -1, check="exact")
        g = whole(0, 4, 2, 6, 5)
        case("gather", [x, g], x.gather(1, g), 1, check="exact")
        g = whole(0, 3, 3, 4, 2)
        case("gather", [y.permute(1, 2, 0), g], y.permute(1, 2, 0).gather(-1, g), -1, check="exact")
        case("repeat_interleave", [x], x.repeat_interleave(2, 1), 2, 1, check="exact")
        case("repeat_interleave", [y], y.repeat_interleave(3, -1), 3, -1, check="exact")
        case("repeat_interleave", [y], y.repeat_interleave(2), 2, None, check="exact")
        case("cat", [x, x[:, :2]], torch.cat([x, x[:, :2]], 1), 1, check="exact")
        case("stack", [x, x], torch.stack([x, x], -1), -1, check="exact")
        case("stack", [x[0].t(), x[1].t()], torch.stack([x[0].t(), x[1].t()], 1), 1, check="exact")
    a, b = of(torch.float16, 2, 3), of(torch.float32, 2, 1)
    case("cat", [a, b], torch.cat([a, b], -1), -1, check="exact")
    a, b = of(torch.int32, 2), of(torch.float16, 3)
    case("cat", [a, b], torch.cat([a, b]), 0, check="exact")
    a = normal(2, 3)
    case("cat", [torch.empty(0), a, torch.empty(0)], torch.cat([torch.empty(0), a, torch.empty(0)], 1), 1, check="exact")
    case("index", [a, torch.empty(0, dtype=torch.int64)], a[torch.empty(0, dtype=torch.int64)], check="exact")


def view_cases():
    x = normal(2, 3, 4, 5)
    t = x.permute(3, 1, 0, 2)
    for v in (x, t, x[:, ::2, 1:]):
        case("transpose", [v], v.transpose(1, -1), 1, -1, check="view")
        case("permute", [v], v.permute(-1, 0, 2, 1), (-1, 0, 2, 1), check="view")
        case("mT", [v], v.mT, check="view")
        case("movedim", [v], v.movedim(0, -2), (0,), (-2,), check="view")
        case("movedim", [v], v.movedim((0, 1), (-1, 0)), (0, 1), (-1, 0), check="view")
        for d in (0, 2, -1, -5, 4):
            case("unsqueeze", [v], v.unsqueeze(d), d, check="view")
        case("narrow", [v], v.narrow(-2, 1, 1), -2, 1, 1, check="view")
        case("narrow", [v], v.narrow(0, -1, 1), 0, -1, 1, check="view")
        case("slice", [v], v[:, 1:], 1, 1, None, 1, check="view")
        case("slice", [v], v[..., :-1], -1, None, -1, 1, check="view")
        case("slice", [v], v[:, :, ::2], 2, None, None, 2, check="view")
        case("slice", [v], v[-9:99], 0, -9, 99, 1, check="view")
        case("slice", [v], v[:, 2:1], 1, 2, 1, 1, check="view")
        case("select", [v], v.select(1, -1), 1, -1, check="view")
        case("select", [v], v.select(-1, 2), -1, 2, check="view")
        case("chunk", [v], list(v.chunk(2, -1)), 2, -1, check="view")
        case("chunk", [v], list(v.chunk(4, 2)), 4, 2, check="view")
        case("split", [v], list(v.split(2, -1)), (2,), -1, check="view")
        case("reshape", [v], v.reshape(v.shape[0], -1), (v.shape[0], -1), check="exact")
        case("reshape", [v], v.reshape(-1), (-1,), check="exact")
        case("reshape", [v], v.reshape(v.shape[0], v.shape[1], -1), (v.shape[0], v.shape[1], -1), check="exact")
        case("flatten", [v], v.flatten(1, 2), 1, 2, check="exact")
        case("flatten", [v], v.flatten(), 0, -1, check="exact")
        case("contiguous", [v], v.contiguous(), check="view")
        case("repeat", [v[:, :, 0, 0]], v[:, :, 0, 0].repeat(2, 1, 3), (2, 1, 3), check="exact")
    case("split", [x], list(x.split([1, 4], 3)), (1, 4), 3, check="view")
    case("split", [x], list(x.split([2, 0, 1], 1)), (2, 0, 1), 1, check="view")
    case("view", [x], x.view(6, 20), (6, 20), check="view")
    case("view", [x], x.view(2, 3, -1, 2, 5), (2, 3, -1, 2, 5), check="view")
    case("view", [x.transpose(0, 1)], x.transpose(0, 1).view(3, 2, 20), (3, 2, 20), check="view")
    case("view", [x.transpose(0, 1)], x.transpose(0, 1).view(3, 2, 2, 2, 5, 1), (3, 2, 2, 2, 5, 1), check="view")
    case("view", [x[:, :, ::2]], x[:, :, ::2].view(6, 2, 5), (6, 2, 5), check="view")
    case("unflatten", [t], t.unflatten(3, (2, 2)), 3, (2, 2), check="view")
    case("unflatten", [x], x.unflatten(-2, (-1, 2)), -2, (-1, 2), check="view")
    one = normal(2, 1, 3, 1)
    case("squeeze", [one], one.squeeze(1), 1, check="view")
    case("squeeze", [one], one.squeeze(0), 0, check="view")
    case("squeeze", [one], one.squeeze(-1), -1, check="view")
    case("squeeze", [one], one.squeeze(), None, check="view")
    case("expand", [one], one.expand(2, 4, -1, 2), (2, 4, -1, 2), check="view")
    case("expand", [one], one.expand(3, 2, 1, 3, 5), (3, 2, 1, 3, 5), check="view")
    case("repeat", [one], one.repeat(1, 2, 1, 3), (1, 2, 1, 3), check="exact")
    case("reshape", [one.expand(2, 4, 3, 1)], one.expand(2, 4, 3, 1).reshape(8, 3), (8, 3), check="exact")
    case("view", [one.expand(2, 4, 3, 2)], one.expand(2, 4, 3, 2).view(2, 2, 2, 3, 2), (2, 2, 2, 3, 2), check="view")
    scalar, empty = torch.tensor(1.5), torch.empty(0, 3)
    case("unsqueeze", [scalar], scalar.unsqueeze(0), 0, check="exact")
    case("reshape", [scalar], scalar.reshape(1, 1), (1, 1), check="exact")
    case("flatten", [scalar], scalar.flatten(), 0, -1, check="exact")
    case("reshape", [empty], empty.reshape(3, 0), (3, 0), check="exact")
    case("transpose", [empty], empty.t(), 0, 1, check="exact")
    case("repeat", [scalar], scalar.repeat(2, 3), (2, 3), check="exact")


def conversion_cases():
    values = {True: torch.tensor([0.0, 1.0, -1.5, 2.5, 100.75, 1e-3, 3.0, 17.0, 0.1]), False: torch.tensor([0, 1, 5, 100, 127])}
    for source in DTYPES:
        for target in DTYPES:
            x = values[source.is_floating_point].to(source)
            if target == torch.uint8:
                x = x.abs() if source in (torch.float32, torch.float64) else x.float().abs().to(source)
            case("to", [x], x.to(target), target, check="exact")
    wrap = torch.tensor([300, -300, 2**40 + 7, -1])
    for target in INTS:
        case("to", [wrap], wrap.to(target), target, check="exact")
    for target in HALVES:
        x = torch.tensor([INF, -INF, NAN, 1e30, 65519.9, 65520.0, 5.9e-8, 2.9e-8, 1 / 3], dtype=torch.float32)
        case("to", [x], x.to(target), target, check="exact")
        case("to", [x.double()], x.double().float().to(target), target, check="exact")


def creation_cases():
    for arguments in [(5,), (2, 9, 3), (5, 0, -2), (0.0, 1.0, 0.25), (1.0, -1.0, -0.5), (3, 3), (0, 7, 2.5)]:
        full = (0, *arguments, 1) if len(arguments) == 1 else (*arguments, 1) if len(arguments) == 2 else arguments
        case("arange", [], torch.arange(*full), *full)
    case("arange", [], torch.arange(0, 5, 1, dtype=torch.float16), 0, 5, 1, torch.float16)
    for value in (1, 2.5, True):
        case("full", [], torch.full((2, 3), value), (2, 3), value, check="exact")
    case("full", [], torch.full((), 3.0), (), 3.0, check="exact")
    case("eye", [], torch.eye(3), 3, None, check="exact")
    case("eye", [], torch.eye(2, 4), 2, 4, check="exact")
    case("zeros", [], torch.zeros(2, 0), (2, 0), check="exact")
    case("ones", [], torch.ones(3), (3,), check="exact")


def attention_cases():
    def attention(q, k, v, scale=None, mask=None):
        q, k, v = q.double(), k.double(), v.double()
        s = q @ k.transpose(-2, -1) * (scale or q.shape[-1] ** -0.5)
        if mask is not None:
            s = s.masked_fill(~mask, -INF) if mask.dtype == torch.bool else s + mask.double()
        return torch.softmax(s, -1) @ v

    for dtype in (torch.float32, torch.float64):
        q, k, v = normal(2, 4, 5, 8, dtype=dtype), normal(2, 4, 7, 8, dtype=dtype), normal(2, 4, 7, 3, dtype=dtype)
        causal = torch.ones(5, 7).tril().bool()
        case("sdpa", [q, k, v], attention(q, k, v).to(dtype), False, None, False)
        case("sdpa", [q, k, v], attention(q, k, v, None, causal).to(dtype), True, None, False)
        case("sdpa", [q, k, v], attention(q, k, v, 0.3).to(dtype), False, 0.3, False)
        mask = whole(0, 2, 2, 1, 5, 7).bool()
        mask[..., 0] = True
        case("sdpa", [q, k, v, mask], attention(q, k, v, None, mask).to(dtype), False, None, False)
        bias = normal(4, 1, 7, dtype=dtype)
        case("sdpa", [q, k, v, bias], attention(q, k, v, None, bias).to(dtype), False, None, False)
        kg, vg = k[:, :2], v[:, :2]
        case("sdpa", [q, kg, vg], attention(q, kg.repeat_interleave(2, 1), vg.repeat_interleave(2, 1)).to(dtype),
             False, None, True)
        h, i, j = torch.arange(4).view(4, 1, 1), torch.arange(5).view(5, 1), torch.arange(7)
        bias = 2.0 ** (-8.0 * (h + 1) / 4) * (j - i)
        case("flex_alibi_causal", [q, k, v],
             attention(q, k, v, None, torch.where(j <= i, bias.double(), torch.tensor(-INF).double())).to(dtype))


for make in (unary_cases, binary_cases, choice_cases, reduction_cases, contraction_cases, gather_cases, view_cases,
             conversion_cases, creation_cases, attention_cases):
    make()
root = pathlib.Path(__file__).resolve().parent.parent
path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "test/tensor/golden/ops.txt"
path.write_text("\n".join(lines) + "\n")
print(f"{path.name}: {sum(l.startswith('case') for l in lines)} cases, {path.stat().st_size} bytes")
