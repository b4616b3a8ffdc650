# SPDX-License-Identifier: Apache-2.0
"""Other implementations of a case, each with the reason where it is absent."""

import itertools
import time

from . import cases


class Absent(Exception):
    """This rival cannot run this case here; the text says why."""


class Rival:
    """call() computes the case; `note` says what was chosen, `seconds` how long it took to get ready."""

    def __init__(self, call, **facts):
        self.call, self.facts = call, facts


def _torch(device):
    if not hasattr(device, "torch"):
        raise Absent("PyTorch is not installed")
    return device.torch


def _warm(call):
    """First call, which may compile. Returns its seconds."""
    begin = time.monotonic()
    call()
    return round(time.monotonic() - begin, 2)


def eager(variant, size, device, tensors):
    return Rival(lambda: device.narrowly(lambda: cases.naive(variant, size, device.x, device, tensors)))


def compiled(variant, size, device, tensors):
    torch = _torch(device)
    function = torch.compile(lambda t: cases.naive(variant, size, device.x, device, t), dynamic=False)
    call = lambda: function(tensors)  # noqa: E731
    return Rival(call, ready_seconds=_warm(call))


def sdpa(backend):
    def make(variant, size, device, tensors):
        torch = _torch(device)
        if not variant.sdpa:
            raise Absent("scaled_dot_product_attention has no such score function or mask")
        from torch.nn.attention import SDPBackend, sdpa_kernel

        if not hasattr(SDPBackend, backend):
            raise Absent(f"this PyTorch has no SDPBackend.{backend}")
        q, k, v = (tensors[n] for n in "qkv")
        grouped = {"enable_gqa": True} if size.heads != size.kv_heads else {}

        def call():
            with sdpa_kernel(getattr(SDPBackend, backend)):
                return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=variant.program == "causal", **grouped)

        try:
            return Rival(call, ready_seconds=_warm(call))
        except RuntimeError as error:
            raise Absent(f"refused by PyTorch: {str(error).splitlines()[0]}") from None

    return make


def _flex_parts(variant, size, device, tensors):
    torch = _torch(device)
    if variant.form != "attention":
        raise Absent("FlexAttention cannot express it")
    try:
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    except ImportError:
        raise Absent("this PyTorch has no FlexAttention") from None
    score_mod, mask_mod = variant.mods(torch, {"heads": size.heads, **tensors})
    return torch, flex_attention, create_block_mask, score_mod, mask_mod


def _block_mask(torch, create_block_mask, variant, mask_mod, size, device):
    """The mask, and the milliseconds that making it takes each time. None of the masks depends on the head."""
    if mask_mod is None:
        return None, None
    batch = size.batch if variant.program == "document_causal" else None
    create = torch.compile(create_block_mask) if device.kind == "cuda" else create_block_mask
    make = lambda: create(mask_mod, batch, None, size.length, size.length, device=device.kind)  # noqa: E731
    mask = make()
    return mask, device.time({"block mask": make})["block mask"]["ms"]


def flex(mode=None):
    def make(variant, size, device, tensors):
        torch, flex_attention, create, score_mod, mask_mod = _flex_parts(variant, size, device, tensors)
        mask, mask_ms = _block_mask(torch, create, variant, mask_mod, size, device)
        function = torch.compile(flex_attention, dynamic=False, **({"mode": mode} if mode else {}))
        q, k, v = (tensors[n] for n in "qkv")

        def call(**options):
            return function(q, k, v, score_mod=score_mod, block_mask=mask, enable_gqa=size.heads != size.kv_heads, **options)

        return Rival(call, ready_seconds=_warm(call), block_mask_ms=mask_ms)

    return make


def kernel_options(variant, device):
    """Settings of FlexAttention's kernel that are right for the variant: every query sees a key in all of them."""
    always = {"PRESCALE_QK": True, "ROWS_GUARANTEED_SAFE": True}
    if variant.contiguous:
        always["BLOCKS_ARE_CONTIGUOUS"] = True
    tiles = [(128, 64, 4), (128, 128, 8), (64, 64, 4), (128, 64, 8)]
    for tma, (m, n, warps), stages in itertools.product((False, True), tiles, (3, 2)):
        yield {**always, "USE_TMA": tma, "BLOCK_M": m, "BLOCK_N": n, "num_warps": warps, "num_stages": stages}


def flex_options(seconds=90):
    """The fastest of kernel_options(), as far as `seconds` reach; those that fail or differ from the default are dropped."""

    def make(variant, size, device, tensors):
        if device.kind != "cuda":
            raise Absent("kernel_options are for the GPU's kernel")
        begin = time.monotonic()
        base = flex()(variant, size, device, tensors)
        good = base.call()
        best, tried, dropped = (device.time({"x": base.call})["x"]["ms"], {}), 0, 0
        for options in kernel_options(variant, device):
            if time.monotonic() - begin > seconds:
                break
            tried += 1
            try:
                same = device.largest_difference(base.call(kernel_options=options), good) <= 0.05 * max(1.0, device.largest(good))
                ms = device.time({"x": lambda: base.call(kernel_options=options)})["x"]["ms"] if same else float("inf")
            except Exception:  # a setting that this compiler, device or size refuses, in whatever way
                ms = float("inf")
            dropped += ms == float("inf")
            best = min(best, (ms, options), key=lambda pair: pair[0])
        options = {"kernel_options": best[1]} if best[1] else {}
        call = lambda: base.call(**options)  # noqa: E731
        _warm(call)
        return Rival(call, ready_seconds=round(time.monotonic() - begin, 1), block_mask_ms=base.facts["block_mask_ms"],
                     note=f"{best[1] or 'default settings'}; best of {tried}, {dropped} refused or wrong")

    return make


def flex_flash(variant, size, device, tensors):
    """FlexAttention's FlashAttention-4 backend."""
    _torch(device)
    import importlib.util

    try:
        found = importlib.util.find_spec("flash_attn.cute")
    except ImportError:
        found = None
    if not found:
        raise Absent("flash_attn.cute is not installed")
    base = flex()(variant, size, device, tensors)
    call = lambda: base.call(kernel_options={"BACKEND": "FLASH"})  # noqa: E731
    try:
        return Rival(call, ready_seconds=_warm(call), block_mask_ms=base.facts["block_mask_ms"])
    except Exception as error:
        raise Absent(f"refused by PyTorch: {str(error).splitlines()[0]}") from None


# In the order in which they are made ready: cheap ones first.
RIVALS = {
    "eager": eager,
    "sdpa-cudnn": sdpa("CUDNN_ATTENTION"),
    "sdpa-flash": sdpa("FLASH_ATTENTION"),
    "sdpa-efficient": sdpa("EFFICIENT_ATTENTION"),
    "sdpa-math": sdpa("MATH"),
    "compile": compiled,
    "flex": flex(),
    "flex-flash": flex_flash,
    "flex-options": flex_options(),
    "flex-autotune": flex("max-autotune-no-cudagraphs"),
}
