# SPDX-License-Identifier: Apache-2.0
"""C entries of the samples' emitted files, called with NumPy arrays on the emulated device.

Usage: entry_test.py <bench/gpu> <folder of .cu files> <folder of shared libraries>. Exit code 77: skipped, no NumPy.
"""

import ctypes
import os
import pathlib
import sys
import unittest

try:
    import numpy as np
except ImportError:
    print("skipped: NumPy is not installed")
    sys.exit(77)

BENCH, EMITTED, LIBRARIES = map(pathlib.Path, sys.argv[1:4])
sys.path.insert(0, str(BENCH))
from flashlight_gpu import entries  # noqa: E402


def entry(sample, function):
    found = [e for e in entries.entries_in((EMITTED / f"{sample}.cu").read_text()) if e["function"] == function]
    library = ctypes.CDLL(str(LIBRARIES / f"libentry_{sample}.so"))
    return entries.Entry(library, found[0])


def dl(array, dtype=None, device=entries.CPU):
    strides = [s // array.itemsize for s in array.strides]
    described = entries.describe(array.ctypes.data, array.shape, strides, dtype or array.dtype.name, device)
    described.array = array  # which would go, and leave its memory to another
    return described


def softmax_product(scores, v):
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ v


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float16)


def scores_of(q, k):
    return np.float64(q) @ np.float64(k).swapaxes(-1, -2) / np.sqrt(q.shape[-1])


class Entries(unittest.TestCase):
    def run_entry(self, function, tensors, scalars, out):
        function.prepare({n: dl(t) for n, t in tensors.items()}, scalars, [dl(out)])()

    def test_causal_attention_of_strided_tensors(self):
        q, k, v = (normal(s, 2, 50, 3, 40).swapaxes(1, 2) for s in range(3))  # [B, S, H, D] seen as [B, H, S, D]
        out = np.full((2, 50, 3, 40), np.nan, np.float16).swapaxes(1, 2)
        self.run_entry(entry("causal_attention", "causal_attention"), {"q": q, "k": k, "v": v}, {}, out)
        scores = np.where(np.tri(50, dtype=bool), scores_of(q, k), -np.inf)
        self.assertLess(np.abs(softmax_product(scores, np.float64(v)) - out).max(), 4e-3)

    def test_scalars_reach_the_kernel(self):
        q, k, v = (normal(s, 1, 2, 90, 64) for s in range(3))
        far = {}
        for window in (3, 40):
            out = np.full_like(q, np.nan)
            self.run_entry(entry("sliding_window", "sliding_window"), {"q": q, "k": k, "v": v}, {"window": window}, out)
            distance = np.arange(90)[:, None] - np.arange(90)
            scores = np.where((distance >= 0) & (distance <= window), scores_of(q, k), -np.inf)
            far[window] = np.abs(softmax_product(scores, np.float64(v)) - out).max()
        self.assertLess(max(far.values()), 4e-3)

    def test_integer_tensors(self):
        q, k, v = (normal(s, 2, 2, 70, 64) for s in range(3))
        document = np.arange(70)[None] // np.array([[20], [30]])
        out = np.full_like(q, np.nan)
        self.run_entry(entry("document", "document_attention"), {"q": q, "k": k, "v": v, "document": document}, {}, out)
        same = (document[:, :, None] == document[:, None, :])[:, None]
        self.assertLess(np.abs(softmax_product(np.where(same, scores_of(q, k), -np.inf), np.float64(v)) - out).max(), 4e-3)

    def test_lambda_is_a_scalar_by_its_own_name(self):
        self.assertEqual(entry("differential_attention", "differential_attention").entry["scalars"], ["lambda"])

    def test_no_workspace_is_needed(self):
        q = normal(0, 1, 1, 4, 64)
        call = entry("causal_attention", "causal_attention").prepare({n: dl(q) for n in "qkv"}, {}, [dl(np.empty_like(q))])
        self.assertEqual(call.workspace_bytes, 0)


class Kernels(unittest.TestCase):
    def started(self, arch):
        """Which kernels a call starts where FLASHLIGHT_ARCH is `arch`."""
        q = normal(0, 1, 1, 16, 64)
        out = np.empty_like(q)
        function = entry("causal_attention", "causal_attention")
        with entries.environment(FLASHLIGHT_ARCH=arch), function.observed() as kernels:
            function.prepare({n: dl(q) for n in "qkv"}, {}, [dl(out)])()
        return kernels

    def test_those_for_hopper_run_unless_others_are_asked_for(self):
        self.assertEqual(self.started(None), ["causal_attention_1_sm90a"])
        self.assertEqual(self.started("sm_90a"), ["causal_attention_1_sm90a"])
        self.assertEqual(self.started("sm_80"), ["causal_attention_1_sm80"])
        self.assertNotIn("FLASHLIGHT_ARCH", os.environ)

    def test_an_unknown_architecture_is_refused(self):
        with self.assertRaisesRegex(entries.EntryError, "FLASHLIGHT_ARCH is 'sm_70'; sm_80 and sm_90a are known"):
            self.started("sm_70")


class Errors(unittest.TestCase):
    """Each is reported by code and text, and the next call works."""

    def expect(self, pattern, **changes):
        q = normal(0, 1, 2, 20, 64)
        tensors = {"q": dl(q), "k": dl(q), "v": dl(q)}
        out = np.empty_like(q)
        function = entry("causal_attention", "causal_attention")
        good = function.prepare(tensors, {}, [dl(out)])
        results = [changes.pop("out", dl(out))]
        with self.assertRaisesRegex(entries.EntryError, pattern):
            function.prepare({**tensors, **changes}, {}, results)()
        good()
        self.assertTrue(np.isfinite(out).all())

    def test_sizes_that_do_not_match(self):
        self.expect("argument 'v' has size 19.*where 20 is expected", v=dl(normal(1, 1, 2, 19, 64)))

    def test_result_of_the_wrong_size(self):
        self.expect("result 1 has sizes .*63. where the function returns .*64", out=dl(np.empty((1, 2, 20, 63), np.float16)))

    def test_result_of_the_wrong_type(self):
        self.expect("result 1 is kFloat32 where the function returns kFloat16", out=dl(np.empty((1, 2, 20, 64), np.float32)))

    def test_type_without_a_kernel(self):
        wide = {n: dl(np.zeros((1, 2, 20, 64), np.float64)) for n in "qkv"}
        self.expect("argument 'q' is kFloat64", out=dl(np.empty((1, 2, 20, 64), np.float64)), **wide)

    def test_unknown_type(self):
        q = normal(0, 1, 2, 20, 64)
        bad = dl(q)
        bad.dtype.lanes = 4
        self.expect("argument .q. has a DLPack type that is not supported: .* 4 lanes", q=bad)

    def test_memory_that_the_device_cannot_reach(self):
        self.expect("argument .k. has DLPack device type 2 where kernels run on the emulated device", k=dl(normal(1, 1, 2, 20, 64), device=entries.CUDA))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
