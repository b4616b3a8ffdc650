# SPDX-License-Identifier: Apache-2.0
"""Cases of reductions, ops along a dim, contractions, norms and attention."""

import torch
import torch.nn.functional as F

from .record import FLOATS, HALVES, INF, INTS, NAN, case, generator, normal, of, run, whole, wide


def reduction_cases():
    names = {
        "sum": torch.sum,
        "amax": torch.amax,
        "amin": torch.amin,
        "mean": torch.mean,
        "logsumexp": torch.logsumexp,
    }
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
                        check = (
                            "close"
                            if dtype.is_floating_point and name in ("sum", "mean", "logsumexp")
                            else "exact"
                        )
                        result = (
                            wide(lambda t: f(t, dims, keep), v)
                            if name == "logsumexp"
                            else run(lambda t: f(t, dims, keep), v)
                        )
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
                f = lambda t: (
                    t.float().var(dims or None, unbiased, keep).to(dtype)
                    if dtype in HALVES
                    else t.var(dims or None, unbiased, keep)
                )
                case("var", [x], f(x), dims, unbiased, keep)
    special = torch.tensor(
        [[1.0, NAN, 2.0], [INF, 1.0, INF], [-INF, -INF, -INF], [INF, -INF, 0.0], [-INF, 1.0, 2.0]]
    )
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
    shapes = [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3, 4)),
        ((2, 3, 4), (4, 2)),
        ((4,), (2, 4, 3)),
        ((2, 3, 4), (4,)),
        ((2, 1, 3, 4), (5, 4, 2)),
        ((2, 1, 2, 3), (1, 3, 3, 2)),
        ((2, 0), (0, 3)),
        ((0, 2), (2, 3)),
        ((2, 3, 0), (2, 0, 2)),
        ((5, 7), (7, 9)),
    ]
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
    equations = [
        ("bhid,bhjd->bhij", (2, 2, 3, 4), (2, 2, 5, 4)),
        ("bhij,bhjd->bhid", (2, 2, 3, 5), (2, 2, 5, 4)),
        ("ij,jk", (2, 3), (3, 4)),
        ("ij,kj->ik", (2, 3), (4, 3)),
        ("i,j->ij", (2,), (3,)),
        ("i,i->", (3,), (3,)),
        ("ij->ji", (2, 3)),
        ("ii->i", (3, 3)),
        ("ii", (3, 3)),
        ("ij->", (2, 3)),
        ("ijk->ik", (2, 3, 4)),
        ("ba", (2, 3)),
        ("bi,bi->b", (2, 3), (2, 3)),
        ("bij,bjk,bkl->bil", (2, 2, 3), (2, 3, 4), (2, 4, 2)),
        ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
        ("iij,jk->ik", (2, 2, 3), (3, 2)),
        ("bi,i->bi", (2, 3), (3,)),
        ("ijk,jk->", (2, 3, 4), (3, 4)),
        ("bhqd,bkd->bhqk", (2, 3, 2, 4), (2, 5, 4)),
        ("i j , j k -> k i", (2, 3), (3, 4)),
        ("bn,bn,bn->bn", (2, 3), (2, 3), (2, 3)),
        ("ab,cd->dacb", (2, 3), (4, 2)),
        ("bid,bjd->bij", (1, 3, 4), (2, 5, 4)),
        ("xA,Ay->xy", (2, 3), (3, 2)),
        ("ij,jk->ik", (2, 0), (0, 3)),
    ]
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


def attention_cases():
    def attention(q, k, v, scale=None, mask=None):
        q, k, v = q.double(), k.double(), v.double()
        s = q @ k.transpose(-2, -1) * (scale or q.shape[-1] ** -0.5)
        if mask is not None:
            s = s.masked_fill(~mask, -INF) if mask.dtype == torch.bool else s + mask.double()
        return torch.softmax(s, -1) @ v

    for dtype in (torch.float32, torch.float64):
        q, k, v = (
            normal(2, 4, 5, 8, dtype=dtype),
            normal(2, 4, 7, 8, dtype=dtype),
            normal(2, 4, 7, 3, dtype=dtype),
        )
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
        case(
            "sdpa",
            [q, kg, vg],
            attention(q, kg.repeat_interleave(2, 1), vg.repeat_interleave(2, 1)).to(dtype),
            False,
            None,
            True,
        )
        h, i, j = torch.arange(4).view(4, 1, 1), torch.arange(5).view(5, 1), torch.arange(7)
        bias = 2.0 ** (-8.0 * (h + 1) / 4) * (j - i)
        case(
            "flex_alibi_causal",
            [q, k, v],
            attention(q, k, v, None, torch.where(j <= i, bias.double(), torch.tensor(-INF).double())).to(
                dtype
            ),
        )
