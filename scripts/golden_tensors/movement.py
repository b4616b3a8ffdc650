# SPDX-License-Identifier: Apache-2.0
"""Cases of ops that move, convert and create elements."""

import torch

from .record import DTYPES, HALVES, INF, INTS, NAN, case, normal, of, whole


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
        case(
            "index_select",
            [y, torch.tensor([2, 0])],
            y.index_select(-1, torch.tensor([2, 0])),
            -1,
            check="exact",
        )
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
    case(
        "cat",
        [torch.empty(0), a, torch.empty(0)],
        torch.cat([torch.empty(0), a, torch.empty(0)], 1),
        1,
        check="exact",
    )
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
        case(
            "reshape", [v], v.reshape(v.shape[0], v.shape[1], -1), (v.shape[0], v.shape[1], -1), check="exact"
        )
        case("flatten", [v], v.flatten(1, 2), 1, 2, check="exact")
        case("flatten", [v], v.flatten(), 0, -1, check="exact")
        case("contiguous", [v], v.contiguous(), check="view")
        case("repeat", [v[:, :, 0, 0]], v[:, :, 0, 0].repeat(2, 1, 3), (2, 1, 3), check="exact")
    case("split", [x], list(x.split([1, 4], 3)), (1, 4), 3, check="view")
    case("split", [x], list(x.split([2, 0, 1], 1)), (2, 0, 1), 1, check="view")
    case("view", [x], x.view(6, 20), (6, 20), check="view")
    case("view", [x], x.view(2, 3, -1, 2, 5), (2, 3, -1, 2, 5), check="view")
    case("view", [x.transpose(0, 1)], x.transpose(0, 1).view(3, 2, 20), (3, 2, 20), check="view")
    case(
        "view",
        [x.transpose(0, 1)],
        x.transpose(0, 1).view(3, 2, 2, 2, 5, 1),
        (3, 2, 2, 2, 5, 1),
        check="view",
    )
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
    case(
        "view",
        [one.expand(2, 4, 3, 2)],
        one.expand(2, 4, 3, 2).view(2, 2, 2, 3, 2),
        (2, 2, 2, 3, 2),
        check="view",
    )
    scalar, empty = torch.tensor(1.5), torch.empty(0, 3)
    case("unsqueeze", [scalar], scalar.unsqueeze(0), 0, check="exact")
    case("reshape", [scalar], scalar.reshape(1, 1), (1, 1), check="exact")
    case("flatten", [scalar], scalar.flatten(), 0, -1, check="exact")
    case("reshape", [empty], empty.reshape(3, 0), (3, 0), check="exact")
    case("transpose", [empty], empty.t(), 0, 1, check="exact")
    case("repeat", [scalar], scalar.repeat(2, 3), (2, 3), check="exact")


def conversion_cases():
    values = {
        True: torch.tensor([0.0, 1.0, -1.5, 2.5, 100.75, 1e-3, 3.0, 17.0, 0.1]),
        False: torch.tensor([0, 1, 5, 100, 127]),
    }
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
        full = (
            (0, *arguments, 1)
            if len(arguments) == 1
            else (*arguments, 1) if len(arguments) == 2 else arguments
        )
        case("arange", [], torch.arange(*full), *full)
    case("arange", [], torch.arange(0, 5, 1, dtype=torch.float16), 0, 5, 1, torch.float16)
    for value in (1, 2.5, True):
        case("full", [], torch.full((2, 3), value), (2, 3), value, check="exact")
    case("full", [], torch.full((), 3.0), (), 3.0, check="exact")
    case("eye", [], torch.eye(3), 3, None, check="exact")
    case("eye", [], torch.eye(2, 4), 2, 4, check="exact")
    case("zeros", [], torch.zeros(2, 0), (2, 0), check="exact")
    case("ones", [], torch.ones(3), (3,), check="exact")
