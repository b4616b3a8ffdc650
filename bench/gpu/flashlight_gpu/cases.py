# SPDX-License-Identifier: Apache-2.0
"""What gpu-bench times: the variants, their sizes, their operations, and each as a program of a few lines.

A variant's mods are FlexAttention's: score_mod(score, b, h, i, j) and mask_mod(b, h, i, j) over index tensors, made for a
namespace x (torch or numpy) and parameters p, so that FlexAttention, the naive program and the float32 reference read the
same lines. The kernel is made from bench/programs.
"""

import dataclasses
import math

WINDOW, PREFIX, CAP, DOCUMENTS, LAMBDA = 256, 256, 30.0, 12, 0.5
POINTS, VALUE_POINTS, PAIR_FEATURES = 4, 8, 128  # of invariant point attention
LENGTHS = ((32, 512), (16, 1024), (8, 2048), (4, 4096), (2, 8192), (1, 16384))  # batch, sequence: 16k tokens each


@dataclasses.dataclass(frozen=True)
class Size:
    label: str
    batch: int
    heads: int
    kv_heads: int
    length: int
    depth: int
    value_depth: int
    rows: int = 1  # evoformer's N: rows that share a pair bias


@dataclasses.dataclass(frozen=True)
class Variant:
    name: str
    program: str  # flashlight_<program> is the C entry
    title: str
    sizes: tuple
    mods: object = None  # (x, p) -> score_mod or None, mask_mod or None
    seen: object = None  # (i, S) -> keys that query i attends to; None: all
    scalars: dict = dataclasses.field(default_factory=dict)
    form: str = "attention"  # or "differential", "evoformer", "invariant_point"
    documents: bool = False  # takes the number of each token's document
    sdpa: bool = False  # PyTorch's scaled_dot_product_attention expresses it
    contiguous: bool = True  # in FlexAttention's sense: what a row of blocks attends to has no gaps

    def attended(self, size):
        """Mean number of keys a query attends to."""
        if not self.seen:
            return size.length
        return sum(self.seen(i, size.length) for i in range(size.length)) / size.length

    def flops(self, size):
        """Two products: 2 Sq mean(keys) (d + dv) a head; differential attention has two heads' worth; points are features."""
        streams = 2 if self.form == "differential" else 1
        depth = size.depth + size.value_depth
        if self.form == "invariant_point":
            depth += 3 * (POINTS + VALUE_POINTS) + PAIR_FEATURES
        each = 2 * size.length * self.attended(size) * depth
        return each * size.batch * size.rows * size.heads * streams

    def least_bytes(self, size):
        """What must be moved: every input read once, every result written once."""
        shapes = [*shapes_of(self, size).values(), *result_shapes(self, size)]
        tokens = 8 * size.batch * size.length if self.documents else 0
        return 2 * sum(math.prod(s) for s in shapes) + tokens


def document_starts(length):
    """Token of each document's start: DOCUMENTS of nearly equal length."""
    return sorted({length * d // DOCUMENTS for d in range(DOCUMENTS)})


def document_of(length):
    starts = document_starts(length) + [length]
    return [d for d, (a, b) in enumerate(zip(starts, starts[1:])) for _ in range(a, b)]


def _length_of_document(i, length):
    starts = document_starts(length) + [length]
    return next(b - a for a, b in zip(starts, starts[1:]) if a <= i < b)


def _position_in_document(i, length):
    return i - max(s for s in document_starts(length) if s <= i)


def _causal(x, p):
    return None, lambda b, h, i, j: j <= i


def _alibi(x, p):
    return lambda s, b, h, i, j: s + x.exp2((h + 1) * (-8.0 / p["heads"])) * (j - i), None


def _softcap(x, p):
    return lambda s, b, h, i, j: CAP * x.tanh(s / CAP), None


def _window(x, p):
    return None, lambda b, h, i, j: (j <= i) & (i - j <= WINDOW)


def _prefix(x, p):
    return None, lambda b, h, i, j: (j < PREFIX) | (j <= i)


def _document(x, p):
    ids = p["document"]
    return None, lambda b, h, i, j: ids[b, i] == ids[b, j]


def _document_causal(x, p):
    same = _document(x, p)[1]
    return None, lambda b, h, i, j: same(b, h, i, j) & (j <= i)


def _plain(x, p):
    return None, None


def _lengths(heads, kv_heads, depth, value_depth=None):
    return tuple(Size(f"{s // 1024}k" if s >= 1024 else str(s), b, heads, kv_heads, s, depth, value_depth or depth) for b, s in LENGTHS)


def _evoformer(depth):
    return tuple(Size(f"b{b}", b, 4, 4, 256, depth, depth, rows=256) for b in (1, 2, 4, 8, 16, 32))


def _variants():
    shapes = {
        "vanilla": ("full attention", _plain, None, {}, True),
        "causal": ("causal", _causal, lambda i, s: i + 1, {}, True),
        "alibi": ("ALiBi, not causal", _alibi, None, {}, False),
        "softcap": (f"soft cap {CAP:g}", _softcap, None, {"cap": CAP}, False),
        "sliding_window": (f"causal window of {WINDOW}", _window, lambda i, s: min(i, WINDOW) + 1, {"window": WINDOW}, False),
        "prefix_lm": (f"prefix LM, prefix {PREFIX}", _prefix, lambda i, s: max(min(PREFIX, s), i + 1), {"prefix": PREFIX}, False),
        "document_mask": (f"{DOCUMENTS} documents", _document, _length_of_document, {}, False),
        "document_causal": (f"{DOCUMENTS} documents, causal", _document_causal, lambda i, s: _position_in_document(i, s) + 1, {}, False),
    }

    def make(name, suffix, what, sizes):
        title, mods, seen, scalars, sdpa = shapes[name]
        documents = name.startswith("document")
        gaps = documents or name in ("sliding_window", "prefix_lm")  # partial blocks on both sides of full ones
        return Variant(f"{name}-{suffix}", name, f"{title}, {what}", sizes, mods, seen, scalars, documents=documents, sdpa=sdpa,
                       contiguous=not gaps)

    for depth in (64, 128):  # model dimension 2048
        for name in ("vanilla", "causal", "softcap"):
            heads = 2048 // depth
            yield make(name, f"hd{depth}", f"{heads} heads of {depth}", _lengths(heads, heads, depth))
    for kv_heads in (16, 2):
        for name in shapes:
            yield make(name, f"g{16 // kv_heads}", f"16 heads of 64 on {kv_heads} key heads", _lengths(16, kv_heads, 64))
    for depth in (64, 128):
        heads = 2048 // (2 * depth)
        yield Variant(f"differential-hd{depth}", "differential", f"differential, {heads} pairs of heads of {depth}",
                      _lengths(heads, heads, depth, 2 * depth), scalars={"lambda": LAMBDA}, form="differential")
        for name, what in (("evoformer", "pair bias"), ("evoformer_gated", "pair bias and gate")):
            yield Variant(f"{name}-hd{depth}", name, f"Evoformer rows with {what}, heads of {depth}", _evoformer(depth), form="evoformer")
    sizes = tuple(Size(f"{n // 1024}k" if n >= 1024 else str(n), 1, 12, 12, n, 16, 16) for n in (256, 512, 1024, 2048))
    yield Variant("invariant-point", "invariant_point", "invariant point attention, 12 heads of 16", sizes, form="invariant_point")


VARIANTS = {v.name: v for v in _variants()}


def dry_size(variant):
    """A size that the emulated device runs in seconds; longer than a window or a prefix, where there is one."""
    usual = variant.sizes[0]
    length = 300 if variant.scalars.keys() & {"window", "prefix"} else 9 if variant.form == "invariant_point" else 80
    if variant.form != "attention":
        return Size("dry", 1, 2, 2, length, usual.depth, usual.value_depth, rows=min(usual.rows, 3))
    return Size("dry", 1, 4, max(1, 4 * usual.kv_heads // usual.heads), length, usual.depth, usual.value_depth)


def shapes_of(variant, size):
    """The floating tensors by the program's parameter names, in the order of their seeds."""
    b, h, g, s, d, dv = size.batch, size.heads, size.kv_heads, size.length, size.depth, size.value_depth
    if variant.form == "differential":
        return {"q1": (b, h, s, d), "k1": (b, h, s, d), "q2": (b, h, s, d), "k2": (b, h, s, d), "v": (b, h, s, dv)}
    if variant.form == "evoformer":
        n = size.rows
        whole = ("q", "k", "v", "gate") if variant.program == "evoformer_gated" else "qkv"
        return {**{x: (b, n, h, s, d) for x in whole}, "mask_bias": (b, n, 1, 1, s), "pair_bias": (b, 1, h, s, s)}
    if variant.form == "invariant_point":
        return {
            **{x: (b, h, s, d) for x in "qkv"}, "q_points": (b, h, s, POINTS, 3), "k_points": (b, h, s, POINTS, 3),
            "v_points": (b, h, s, VALUE_POINTS, 3), "pair_bias": (b, h, s, s), "pairs": (b, s, s, PAIR_FEATURES), "weight": (h,),
            "frames.rotation": (b, s, 3, 3), "frames.translation": (b, s, 3),
        }
    return {"q": (b, h, s, d), "k": (b, g, s, d), "v": (b, g, s, dv)}


def result_shapes(variant, size):
    b, h, s, dv = size.batch, size.heads, size.length, size.value_depth
    if variant.form == "evoformer":
        return [(b, size.rows, h, s, dv)]
    if variant.form == "invariant_point":
        return [(b, h, s, dv), (b, h, s, VALUE_POINTS, 3), (b, h, s, PAIR_FEATURES)]
    return [(b, h, s, dv)]


def make_inputs(variant, size, device):
    """The tensors by the program's parameter names, from seeds that their order fixes: bfloat16, standard normal. Any matrix is a
    frame to the arithmetic; a small one keeps distances moderate."""
    small = lambda name: 0.25 if name.startswith("frames.") else 1.0  # noqa: E731
    tensors = {name: device.randn(shape, seed, small(name)) for seed, (name, shape) in enumerate(shapes_of(variant, size).items(), 1)}
    if variant.documents:
        tensors["document"] = device.integers([document_of(size.length)] * size.batch)
    return tensors


def _invariant_point(size, device, t, rows):
    common = lambda points, some: device.einsum("bnxy,bhnpy->bhnpx", t["frames.rotation"][:, some], points) \
        + t["frames.translation"][:, some][:, None, :, None]  # noqa: E731
    everything = slice(0, size.length)
    apart = common(t["q_points"][:, :, rows], rows)[:, :, :, None] - common(t["k_points"], everything)[:, :, None]
    distance = (apart * apart).sum(-1).sum(-1)
    scores = device.matmul(t["q"][..., rows, :], device.mT(t["k"])) * size.depth ** -0.5 + t["pair_bias"][..., rows, :]
    weights = device.softmax(scores - 0.5 * device.softplus(t["weight"]).reshape(-1, 1, 1) * distance)
    points = device.einsum("bhij,bhjpx->bhipx", weights, common(t["v_points"], everything)) - t["frames.translation"][:, rows][:, None, :, None]
    own = device.einsum("bnyx,bhnpy->bhnpx", t["frames.rotation"][:, rows], points)
    return [device.matmul(weights, t["v"]), own, device.einsum("bhij,bijc->bhic", weights, t["pairs"][:, rows])]


def naive(variant, size, x, device, tensors, rows=None):
    """The program as a person writes it, in the tensors' dtype: its results. rows: only these queries (a slice), for large references."""
    t, rows = tensors, rows or slice(0, size.length)
    if variant.form == "invariant_point":
        return _invariant_point(size, device, t, rows)
    if variant.form == "differential":
        scale = size.depth ** -0.5
        maps = [device.softmax(device.matmul(t[q][..., rows, :], device.mT(t[k])) * scale) for q, k in (("q1", "k1"), ("q2", "k2"))]
        return [device.matmul(maps[0] - LAMBDA * maps[1], t["v"])]
    if variant.form == "evoformer":
        scores = device.matmul(t["q"][..., rows, :], device.mT(t["k"])) * size.depth ** -0.5
        scores = scores + t["mask_bias"] + t["pair_bias"][..., rows, :]
        result = device.matmul(device.softmax(scores), t["v"])
        return [device.sigmoid(t["gate"][..., rows, :]) * result if "gate" in t else result]
    k, v = (device.repeat_heads(t[n], size.heads // size.kv_heads) for n in ("k", "v"))
    b = device.arange(size.batch).reshape(-1, 1, 1, 1)
    h = device.arange(size.heads).reshape(-1, 1, 1)
    i = device.arange(size.length)[rows].reshape(-1, 1)
    j = device.arange(size.length)
    score_mod, mask_mod = variant.mods(x, {"heads": size.heads, **tensors})
    scores = device.matmul(t["q"][..., rows, :], device.mT(k)) * size.depth ** -0.5
    if score_mod:
        scores = score_mod(scores, b, h, i, j)
    if mask_mod:
        scores = x.where(mask_mod(b, h, i, j), scores, -float("inf"))
    return [device.matmul(device.softmax(scores), v)]
