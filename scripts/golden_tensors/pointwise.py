# SPDX-License-Identifier: Apache-2.0
"""Cases of pointwise ops and of choices between values."""

import torch
import torch.nn.functional as F

from .record import FLOATS, HALVES, INF, INTS, NAN, case, normal, of, run, whole, wide

SPECIAL = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -2.5,
    3.25,
    7.0,
    -20.0,
    30.0,
    100.0,
    -100.0,
    1e-3,
    2e-7,
    65504.0,
    INF,
    -INF,
    NAN,
]

UNARY = {
    "neg": torch.neg,
    "abs": torch.abs,
    "square": torch.square,
    "relu": torch.relu,
    "sign": torch.sign,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "reciprocal": torch.reciprocal,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "expm1": torch.expm1,
    "log": torch.log,
    "log2": torch.log2,
    "log1p": torch.log1p,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "gelu": F.gelu,
    "softplus": lambda x: torch.where(x > 50, x, x.exp().log1p()),
    "log_sigmoid": lambda x: -UNARY["softplus"](-x),
    "logical_not": torch.logical_not,
    "isnan": torch.isnan,
    "isinf": torch.isinf,
}
EXACT_UNARY = {
    "neg",
    "abs",
    "square",
    "relu",
    "sign",
    "floor",
    "ceil",
    "sqrt",
    "reciprocal",
    "logical_not",
    "isnan",
    "isinf",
}
INT_UNARY = [
    "neg",
    "abs",
    "square",
    "relu",
    "sign",
    "floor",
    "ceil",
    "reciprocal",
    "sqrt",
    "rsqrt",
    "exp",
    "log",
    "sin",
    "tanh",
    "sigmoid",
    "erf",
    "logical_not",
    "isnan",
    "isinf",
    "exp2",
    "expm1",
    "log1p",
    "log2",
    "cos",
]

BINARY = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.true_divide,
    "remainder": torch.remainder,
    "floor_divide": lambda x, y: torch.div(x, y, rounding_mode="floor"),
    "pow": torch.pow,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "logaddexp": torch.logaddexp,
    "lt": torch.lt,
    "le": torch.le,
    "gt": torch.gt,
    "ge": torch.ge,
    "eq": torch.eq,
    "ne": torch.ne,
    "logical_and": torch.logical_and,
    "logical_or": torch.logical_or,
    "bitwise_and": torch.bitwise_and,
    "bitwise_or": torch.bitwise_or,
    "bitwise_xor": torch.bitwise_xor,
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
            if name not in INT_UNARY or (
                dtype == torch.bool and name in ("neg", "relu", "sign", "floor", "ceil", "abs", "square")
            ):
                continue
            x = of(dtype, 2, 5)
            case(name, [x], f(x), check=check)
    for dtype in INTS + [torch.bool]:
        x = of(dtype, 7)
        case("bitwise_not", [x], torch.bitwise_not(x), check="exact")
    for dtype in FLOATS:
        x = torch.tensor(SPECIAL, dtype=torch.float64).to(dtype)
        case("nan_to_num", [x], run(torch.nan_to_num, x), 0.0, None, None, check="exact")
        case(
            "nan_to_num",
            [x],
            run(lambda v: torch.nan_to_num(v, 1.0, 8.0, -8.0), x),
            1.0,
            8.0,
            -8.0,
            check="exact",
        )


def binary_cases():
    pairs = [(d, d) for d in FLOATS + INTS + [torch.bool]]
    pairs += [
        (torch.int32, torch.float32),
        (torch.int64, torch.float16),
        (torch.bool, torch.int32),
        (torch.uint8, torch.int32),
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.bfloat16),
        (torch.float64, torch.bfloat16),
        (torch.bool, torch.float16),
        (torch.int8, torch.int64),
    ]
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
        for left, right in [
            (torch.float16, torch.float32),
            (torch.int64, torch.float32),
            (torch.int32, torch.int64),
            (torch.float32, torch.int64),
            (torch.float32, torch.float64),
        ]:
            if name == "logaddexp" and not (left.is_floating_point and right.is_floating_point):
                continue
            x, y = of(left, 5), torch.tensor(2, dtype=right)
            case(name, [x, y], run(f, x, y), check=check)
    for name in [
        "add",
        "sub",
        "mul",
        "div",
        "remainder",
        "floor_divide",
        "pow",
        "lt",
        "le",
        "gt",
        "ge",
        "eq",
        "ne",
    ]:
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
        for left, right in [
            (torch.float32, torch.float32),
            (torch.float16, torch.float32),
            (torch.float32, torch.int32),
            (torch.bfloat16, torch.bfloat16),
            (torch.int64, torch.int64),
        ]:
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
    for left, right in [
        (torch.float32, torch.float32),
        (torch.float16, torch.float32),
        (torch.int64, torch.float32),
        (torch.bool, torch.int32),
        (torch.bfloat16, torch.bfloat16),
    ]:
        x, y = of(left, 3, 4), of(right, 4)
        case("where", [mask, x, y], torch.where(mask, x, y), check="exact")
    for dtype in FLOATS + [torch.int32]:
        x = of(dtype, 2, 3, 4)
        for value in ([-INF, 2.0] if dtype.is_floating_point else [2]):
            as_tensor = torch.tensor(value, dtype=dtype)
            case("where_scalar", [mask, x], torch.where(mask, x, as_tensor), value, check="exact")
            case("scalar_where", [mask, x], torch.where(mask, as_tensor, x), value, check="exact")
            case("masked_fill", [x, mask], x.masked_fill(mask, value), value, check="exact")
        case(
            "masked_fill_tensor",
            [x, mask, torch.tensor(1, dtype=dtype)],
            x.masked_fill(mask, 1),
            check="exact",
        )
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
