# SPDX-License-Identifier: Apache-2.0
"""Tensors and clocks: PyTorch on a GPU; for dry runs PyTorch on the CPU, or NumPy, beside the emulated device."""

import concurrent.futures
import gc
import importlib.util
import statistics
import time

from . import entries

WARM_UPS, REPEATS, ROUNDS = 10, 20, 3
GRAPH_BELOW_MS = 0.05  # below, launches are replayed from a graph: the host cannot keep up
GRAPH_LAUNCHES = 20
FLUSH_BYTES = 256 << 20  # several times the L2 of any device
SLOW_MS, SLOW_REPEATS = 10, 7  # a round of calls slower than that: all rounds together still make more than 20


def as_list(results):
    """What an implementation returns, as a list of tensors."""
    return list(results) if isinstance(results, (list, tuple)) else [results]


class Device:
    """What both kinds share."""

    def trim(self):
        """Gives back memory that nobody uses, after what ran out of it."""
        gc.collect()

    def largest_difference(self, a, b):
        """max |a - b| over all results; infinite where either is not finite."""
        a, b = as_list(a), as_list(b)
        if len(a) != len(b):
            raise ValueError(f"{len(a)} results where {len(b)} are expected")
        return max(self._difference(x, y) for x, y in zip(a, b))

    def largest(self, a):
        return max(self._largest(x) for x in as_list(a))

    def time_one(self, call):
        """Its median in milliseconds."""
        result = self.time({"one": call})["one"]
        if isinstance(result, Exception):
            raise result
        return result["ms"]


def bare(error):
    """The exception without the frames that it came through, which hold tensors."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def summarise(rounds, graph=False):
    """Statistics of milliseconds, by round."""
    every = [t for r in rounds for t in r]
    return {
        "ms": statistics.median(every), "min_ms": min(every), "rounds_ms": [statistics.median(r) for r in rounds],
        "repeats": len(every), "graph": graph,
    }


class TorchDevice(Device):
    """kind: "cuda", or "cpu" where the kernels run on the emulated device and nothing is measured."""

    def __init__(self, kind):
        import torch
        import torch._dynamo

        self.torch = self.x = torch
        torch.set_grad_enabled(False)  # where gradients may be asked for, FlexAttention writes what they need: more than the others do
        self.kind, self.name = kind, f"PyTorch {torch.__version__}, {kind}"
        self.repeats, self.warm_ups, self.rounds = (REPEATS, WARM_UPS, ROUNDS) if kind == "cuda" else (2, 1, 2)
        # One case compiles the same functions for many settings; none of them shall silently run uncompiled.
        for limit in ("recompile_limit", "cache_size_limit", "accumulated_recompile_limit", "accumulated_cache_size_limit"):
            if hasattr(torch._dynamo.config, limit):
                setattr(torch._dynamo.config, limit, 1024)
        if hasattr(torch._dynamo.config, "fail_on_recompile_limit_hit"):
            torch._dynamo.config.fail_on_recompile_limit_hit = True
        self.of_case = {}  # what rivals keep until free()
        self._host_ms = {}  # by id of a call that is timed
        self._flush = torch.empty(FLUSH_BYTES // 4, dtype=torch.int32, device=kind) if kind == "cuda" else None

    # Tensors
    def randn(self, shape, seed, scale=1.0):
        generator = self.torch.Generator(self.kind).manual_seed(seed)
        return self.torch.randn(shape, generator=generator, device=self.kind, dtype=self.torch.bfloat16) * scale

    def integers(self, values):
        return self.torch.tensor(values, device=self.kind)

    def arange(self, n):
        return self.torch.arange(n, device=self.kind)

    def float32(self, t):
        return t.float() if t.is_floating_point() else t

    def narrowly(self, program):
        return program()  # the tensors are bfloat16

    def matmul(self, a, b):
        return self.torch.matmul(a.to(b.dtype), b)

    def mT(self, t):
        return t.mT

    def softmax(self, t):
        return self.torch.softmax(t, -1)

    def sigmoid(self, t):
        return self.torch.sigmoid(t)

    def softplus(self, t):
        return self.torch.nn.functional.softplus(t)

    def einsum(self, formula, a, b):
        return self.torch.einsum(formula, a, b)

    def repeat_heads(self, t, times):
        return t.repeat_interleave(times, 1) if times > 1 else t

    def cat(self, parts, axis):
        return self.torch.cat(parts, axis)

    def poisoned(self, shape):
        """A bfloat16 result tensor full of NaN."""
        return self.torch.full(shape, float("nan"), dtype=self.torch.bfloat16, device=self.kind)

    def _difference(self, a, b):
        if a.shape != b.shape:
            raise ValueError(f"a result is {tuple(a.shape)} where {tuple(b.shape)} is expected")
        difference = (a.float() - b.float()).abs()
        return float("inf") if not bool(self.torch.isfinite(difference).all()) else float(difference.max())

    def _largest(self, a):
        return float(a.float().abs().max())

    def dl(self, t):
        device = entries.CUDA if self.kind == "cuda" else entries.CPU
        return entries.describe(t.data_ptr(), tuple(t.shape), t.stride(), str(t.dtype).removeprefix("torch."), device)

    def workspace(self, size):
        return self.torch.empty(size, dtype=self.torch.uint8, device=self.kind) if size else None

    @staticmethod
    def pointer(workspace):
        return None if workspace is None else workspace.data_ptr()

    def stream(self):
        return self.torch.cuda.current_stream().cuda_stream if self.kind == "cuda" else None

    def synchronize(self):
        if self.kind == "cuda":
            self.torch.cuda.synchronize()

    def trim(self):
        super().trim()
        if self.kind == "cuda":
            self.torch.cuda.empty_cache()  # PyTorch keeps what its tensors no longer need

    def free(self):
        """Between cases: compiled functions and cached memory of the last one."""
        self.of_case.clear()
        self.torch._dynamo.reset()
        self.trim()

    # Clocks
    def _hold(self, milliseconds):
        """Keeps the stream busy for about so long, so that the host is ahead of the device: else a call's launch overhead counts
        as its time."""
        if hasattr(self.torch.cuda, "_sleep"):
            self.torch.cuda._sleep(int(2e6 * min(milliseconds, 50)))

    def _events(self, call, repeats):
        """Milliseconds of each of `repeats` calls, the L2 flushed before each."""
        event = lambda: self.torch.cuda.Event(enable_timing=True)  # noqa: E731
        pairs = []
        self._hold(1 + repeats * self._host_ms.get(id(call), 0.3))
        for _ in range(repeats):
            self._flush.zero_()
            begin, end = event(), event()
            begin.record()
            call()
            end.record()
            pairs.append((begin, end))
        self.torch.cuda.synchronize()
        return [b.elapsed_time(e) for b, e in pairs]

    def _graph(self, call):
        """A call that replays GRAPH_LAUNCHES launches; None where the implementation cannot be captured."""
        torch = self.torch
        usual = torch.cuda.current_stream()
        try:
            side = torch.cuda.Stream()
            side.wait_stream(usual)
            with torch.cuda.stream(side):
                call()
            usual.wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                for _ in range(GRAPH_LAUNCHES):
                    call()
            return graph.replay
        except Exception:  # whatever it was: the call itself works, and is timed without a graph
            torch.cuda.set_stream(usual)  # a capture that fails leaves its own in place
            torch.cuda.synchronize()
            return None

    def _wall(self, call, repeats):
        times = []
        for _ in range(repeats):
            begin = time.perf_counter()
            call()
            times.append(1e3 * (time.perf_counter() - begin))
        return times

    def _warm_up(self, call):
        """Returns what is timed instead, a replay of a graph or None, and how often a round."""
        for _ in range(self.warm_ups):
            call()
        self.torch.cuda.synchronize()
        self._host_ms[id(call)] = min(self._wall(call, 3))  # what enqueueing takes, where the call does not wait
        usual = statistics.median(self._events(call, 5))
        replay = self._graph(call) if usual < GRAPH_BELOW_MS else None
        return replay, self.repeats if usual < SLOW_MS else min(SLOW_REPEATS, self.repeats)

    def _round(self, call, replay, repeats):
        self._events(call, 2)  # the clock and the caches as the others left them
        if replay:
            return [t / GRAPH_LAUNCHES for t in self._events(replay, repeats)]
        return self._events(call, repeats)

    def time(self, calls, before=lambda name: None, enough=lambda: False):
        """Times implementations side by side, round after round. calls: name -> function. before(name): called ahead of each one's
        turn. enough(): asked after each round, whether it was the last; all have had as many then. Returns name -> summary, or the
        exception that one threw."""
        found, ways, rounds = {}, {}, {name: [] for name in calls}

        def turn(name, work):
            if name in found:
                return
            try:
                before(name)
                work()
            except Exception as error:  # the others go on, where the device still answers
                found[name] = bare(error)
                self.synchronize()
            if name in found:  # the exception has let go of what it held
                self.trim()

        for name, call in calls.items():
            if self.kind == "cuda":
                turn(name, lambda: ways.update({name: self._warm_up(call)}))  # noqa: B023
        for _ in range(self.rounds):
            for name, call in calls.items():
                once = lambda: self._round(call, *ways[name]) if self.kind == "cuda" else self._wall(call, self.repeats)  # noqa: E731,B023
                turn(name, lambda: rounds[name].append(once()))  # noqa: B023
            if enough():
                break
        self._host_ms.clear()
        return {n: found[n] if n in found else summarise(rounds[n], bool(ways.get(n, (None,))[0])) for n in calls}

    def ceilings(self):
        """What this device reaches in this run: a large product of bfloat16 matrices, a large copy, and the clock then."""
        if self.kind != "cuda":
            return {"stand_in": "no GPU: nothing was measured"}
        from . import machine

        torch, n, count = self.torch, 8192, 1 << 30
        a, b = self.randn((n, n), 1), self.randn((n, n), 2)
        source = torch.randint(0, 255, (count,), dtype=torch.uint8, device=self.kind)
        target = torch.empty_like(source)
        product = summarise([self._events(lambda: torch.matmul(a, b), 30)[10:]])["ms"]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:  # nvidia-smi looks while products run: a clock falls at once
            seen = pool.submit(machine.query, ["clocks.sm", "clocks.mem", "clocks.max.sm", "power.draw", "temperature.gpu"])
            while not seen.done():
                for _ in range(20):
                    torch.matmul(a, b)
                torch.cuda.synchronize()
            clocks = seen.result()
        copy = summarise([self._events(lambda: target.copy_(source), 30)[10:]])["ms"]
        return {
            "matmul_tflops": round(2 * n**3 / product / 1e9, 1), "matmul": f"{n}x{n}x{n} bfloat16, standard normal",
            "copy_tb_s": round(2 * count / copy / 1e9, 3), "copy": f"{count >> 20} MiB, bytes read and written",
            "clocks_in_matmul": clocks,
        }


class NumpyDevice(Device):
    """Stands in where there is no PyTorch: float32 arrays that hold bfloat16 values, uint16 where kernels read them."""

    def __init__(self):
        import numpy

        self.np = self.x = numpy
        self.kind, self.name = "cpu", f"NumPy {numpy.__version__} as a stand-in"
        self._narrow_products = False
        self._narrow = {}  # by id of the array: its bfloat16 image

    def _round(self, t):
        bits = self.np.ascontiguousarray(t, self.np.float32).view(self.np.uint32).astype(self.np.uint64)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(self.np.uint16)

    def _widen(self, t):
        return (t.astype(self.np.uint32) << 16).view(self.np.float32)

    def randn(self, shape, seed, scale=1.0):
        return self._widen(self._round(self.np.random.default_rng(seed).standard_normal(shape) * scale))

    def integers(self, values):
        return self.np.array(values, self.np.int64)

    def arange(self, n):
        return self.np.arange(n)

    def float32(self, t):
        return t

    def narrowly(self, program):
        """The program with the operands and results of its products rounded to bfloat16."""
        self._narrow_products = True
        try:
            return program()
        finally:
            self._narrow_products = False

    def matmul(self, a, b):
        if not self._narrow_products:
            return self.np.matmul(a, b)
        return self._widen(self._round(self.np.matmul(self._widen(self._round(a)), self._widen(self._round(b)))))

    def mT(self, t):
        return t.swapaxes(-1, -2)

    def softmax(self, t):
        weights = self.np.exp(t - t.max(-1, keepdims=True))
        return weights / weights.sum(-1, keepdims=True)

    def sigmoid(self, t):
        return 1 / (1 + self.np.exp(-t))

    def softplus(self, t):
        return self.np.log1p(self.np.exp(t))

    def einsum(self, formula, a, b):
        if not self._narrow_products:
            return self.np.einsum(formula, a, b)
        return self._widen(self._round(self.np.einsum(formula, self._widen(self._round(a)), self._widen(self._round(b)))))

    def repeat_heads(self, t, times):
        return self.np.repeat(t, times, 1)

    def cat(self, parts, axis):
        return self.np.concatenate(parts, axis)

    def poisoned(self, shape):
        return self.np.full(shape, 0xFFFF, self.np.uint16)

    def _value(self, t):
        return self._widen(t) if t.dtype == self.np.uint16 else self.np.float32(t)

    def _difference(self, a, b):
        difference = self.np.abs(self._value(a) - self._value(b))
        return float(difference.max()) if self.np.isfinite(difference).all() else float("inf")

    def _largest(self, a):
        return float(self.np.abs(self._value(a)).max())

    def dl(self, t):
        if t.dtype == self.np.float32:
            t = self._narrow.setdefault(id(t), (t, self._round(t)))[1]
        dtype = "bfloat16" if t.dtype == self.np.uint16 else t.dtype.name
        return entries.describe(t.ctypes.data, t.shape, [s // t.itemsize for s in t.strides], dtype, entries.CPU)

    def workspace(self, size):
        return self.np.empty(size, self.np.uint8) if size else None

    @staticmethod
    def pointer(workspace):
        return None if workspace is None else workspace.ctypes.data

    def stream(self):
        return None

    def synchronize(self):
        pass

    def free(self):
        self._narrow.clear()

    _wall = TorchDevice._wall

    def time(self, calls, before=lambda name: None, enough=lambda: False):
        rounds = [{n: (before(n), self._wall(c, 2))[1] for n, c in calls.items()} for _ in range(2)]
        return {n: summarise([r[n] for r in rounds]) for n in calls}

    def ceilings(self):
        return {"stand_in": "no GPU: nothing was measured"}


def missing(kind, stand_in=None):
    """What choose() needs and is not installed; None."""
    there = lambda name: importlib.util.find_spec(name) is not None  # noqa: E731
    if kind == "cuda" or stand_in == "torch":
        return None if there("torch") else "PyTorch is not installed"
    return None if there("numpy") or (stand_in is None and there("torch")) else "neither PyTorch nor NumPy is installed"


def choose(kind, stand_in=None):
    """The device of a run. kind: "cuda" or "emulated"; stand_in: "torch" or "numpy", for the latter."""
    if kind == "cuda":
        return TorchDevice("cuda")
    if stand_in != "numpy":
        try:
            return TorchDevice("cpu")
        except ImportError:
            if stand_in == "torch":
                raise
    return NumpyDevice()
