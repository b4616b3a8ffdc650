# SPDX-License-Identifier: Apache-2.0
"""Other implementations of a case, each with the reason where it is absent."""

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

    def make(fullgraph, **facts):
        function = torch.compile(lambda t: cases.naive(variant, size, device.x, device, t), dynamic=False, fullgraph=fullgraph)
        call = lambda: function(tensors)  # noqa: E731
        return Rival(call, ready_seconds=_warm(call), **facts)

    try:
        return make(True)
    except torch._dynamo.exc.Unsupported:  # in parts, between which the interpreter runs, it is no compiled program
        return make(False, note="with graph breaks")


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
    """flex_attention, its score_mod, its block mask and what is to be told of the mask: the milliseconds that making it takes each time;
    made once a case, since FlexAttention is compiled anew for other functions. None of the masks depends on the head."""
    torch = _torch(device)
    if variant.form != "attention":
        raise Absent("FlexAttention cannot express it")
    try:
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    except ImportError:
        raise Absent("this PyTorch has no FlexAttention") from None
    if "flex" not in device.of_case:
        score_mod, mask_mod = variant.mods(torch, {"heads": size.heads, **tensors})
        mask, facts = None, {}
        if mask_mod is not None:
            batch = size.batch if variant.documents else None
            mask, facts = _block_mask(create_block_mask, device, mask_mod, batch, None, size.length, size.length)
        device.of_case["flex"] = flex_attention, score_mod, mask, facts
    return device.of_case["flex"]


def _block_mask(create_block_mask, device, *arguments):
    """The mask, and what is to be told of it. Compiled where that works: the plain function writes all scores' mask first."""

    def made_by(create, **facts):
        make = lambda: create(*arguments, device=device.kind)  # noqa: E731
        return make(), {"block_mask_ms": device.time_one(make), **facts}

    if device.kind != "cuda":
        return made_by(create_block_mask)
    try:
        return made_by(device.torch.compile(create_block_mask))
    except Exception as error:  # whatever this compiler says of one mask
        device.synchronize()  # raises where it was worse than a refusal
        why = type(error).__name__
    return made_by(create_block_mask, note=f"block mask not compiled: {why}")


def flex(mode=None, **options):
    """Compiled FlexAttention. options: kernel_options of the first call."""

    def make(variant, size, device, tensors):
        flex_attention, score_mod, mask, facts = _flex_parts(variant, size, device, tensors)
        function = device.torch.compile(flex_attention, dynamic=False, **({"mode": mode} if mode else {}))
        q, k, v = (tensors[n] for n in "qkv")

        def call(**options):
            return function(q, k, v, score_mod=score_mod, block_mask=mask, enable_gqa=size.heads != size.kv_heads, **options)

        return Rival(call, ready_seconds=_warm(lambda: call(**options)), **facts)

    return make


def kernel_options(variant):
    """Settings of FlexAttention's kernel that are right for the variant: every query sees a key in all of them. Tiles, warps and stages
    are left to the autotuner."""
    always = {"PRESCALE_QK": True, "ROWS_GUARANTEED_SAFE": True}
    if variant.contiguous:
        always["BLOCKS_ARE_CONTIGUOUS"] = True
    return [always, {**always, "USE_TMA": True}]


def flex_options(variant, size, device, tensors):
    """The fastest of kernel_options(), each autotuned; those that fail or differ from the default are dropped."""
    if device.kind != "cuda":
        raise Absent("kernel_options are for the GPU's kernel")
    begin = time.monotonic()
    good = flex()(variant, size, device, tensors).call()
    base = flex("max-autotune-no-cudagraphs", kernel_options=kernel_options(variant)[0])(variant, size, device, tensors)
    found, dropped = [], []
    for options in kernel_options(variant):
        try:
            same = device.largest_difference(base.call(kernel_options=options), good) <= 0.05 * max(1.0, device.largest(good))
            if not same:
                raise ValueError("another result")
            found.append((device.time_one(lambda: base.call(kernel_options=options)), options))
        except Exception as error:  # a setting that this compiler, device or size refuses, in whatever way
            device.synchronize()  # raises where it was worse than a refusal
            dropped.append(f"{options}: {str(error).splitlines()[0][:120] if str(error) else type(error).__name__}")
    if not found:
        raise Absent("no setting works: " + "; ".join(dropped))
    options = min(found, key=lambda pair: pair[0])[1]
    return Rival(lambda: base.call(kernel_options=options), ready_seconds=round(time.monotonic() - begin, 1),
                 block_mask_ms=base.facts.get("block_mask_ms"), note=f"{options}, autotuned" + (f"; dropped {'; '.join(dropped)}" if dropped else ""))


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
        return Rival(call, **{**base.facts, "ready_seconds": _warm(call)})
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
    "flex-options": flex_options,
    "flex-autotune": flex("max-autotune-no-cudagraphs"),
}
