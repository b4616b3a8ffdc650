# SPDX-License-Identifier: Apache-2.0
"""What the process that times does where a kernel, a rival or the device fails. Standard library only: PyTorch is played.

Usage: worker_test.py <source folder of the project>
"""

import argparse
import contextlib
import ctypes
import io
import json
import os
import pathlib
import sys
import tempfile
import types
import unittest
import weakref
from unittest import mock

ROOT = pathlib.Path(sys.argv[1])
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "bench/gpu"))
from flashlight_gpu import build, cases, devices, entries, profile, rivals, worker  # noqa: E402

VARIANT = cases.VARIANTS["causal-g1"]
SIZE = VARIANT.sizes[0]


class Unsupported(RuntimeError):
    """torch._dynamo.exc.Unsupported."""


def played_torch(compile=lambda function, **options: function):
    """As much of PyTorch as is asked for here."""
    torch = types.ModuleType("torch")
    torch.__version__, torch.compile, torch.set_grad_enabled = "2.x", compile, mock.Mock()
    torch._dynamo = types.ModuleType("torch._dynamo")
    torch._dynamo.config, torch._dynamo.exc = types.SimpleNamespace(), types.SimpleNamespace(Unsupported=Unsupported)
    return torch


class FakeDevice(devices.Device):
    """Results are numbers."""

    def __init__(self, **attributes):
        self.kind, self.of_case, self.trims, self.works, self.x = "cuda", {}, 0, True, None
        self.__dict__.update(attributes)

    def synchronize(self):
        if not self.works:
            raise RuntimeError("an illegal address")

    def trim(self):
        super().trim()
        self.trims += 1

    def time_one(self, call):
        call()
        return 1.0


class Working(unittest.TestCase):
    def setUp(self):
        order = {"seconds": 60, "ceilings": False, "cases": [], "names": [], "absent": {}, "measures": True}
        self.worker = worker.Worker(order, io.StringIO())
        self.worker.device = self.device = FakeDevice()

    def told(self):
        return [json.loads(line) for line in self.worker.events.getvalue().splitlines()]

    def attempt(self, work, name="flex"):
        return str(self.worker.attempt("case", name, work))

    def test_ours_may_take_less_time_than_a_compiler_and_the_start_more(self):
        for what, name in (("start", None), ("first call", "flashlight"), ("times", "flashlight-sm80"), ("first call", "flex"), ("ceilings", None)):
            self.worker.step(what, "case", name)
        self.assertEqual([t["seconds"] for t in self.told()], [300, 25, 25, 180, 120])

    def test_an_exception_is_let_go_before_memory_is_given_back(self):
        held = []

        def out_of_memory():
            tensor = FakeDevice()
            held.append(weakref.ref(tensor))
            raise RuntimeError("out of memory")

        def refused():
            try:
                out_of_memory()
            except RuntimeError:
                raise rivals.Absent("refused: out of memory") from None

        at_trim = []
        self.device.trim = lambda: at_trim.append(held[-1]())
        self.assertEqual(self.attempt(out_of_memory), "RuntimeError: out of memory")
        self.assertEqual(self.attempt(refused), "refused: out of memory")
        self.assertEqual(at_trim, [None, None])

    def test_a_plain_refusal_costs_nothing(self):
        def absent():
            raise rivals.Absent("not installed")

        self.assertEqual(self.attempt(absent), "not installed")
        self.assertEqual((self.device.trims, self.told()), (0, []))

    def test_a_failure_of_ours_is_told(self):
        self.attempt(lambda: 1 / 0, "flashlight")
        self.assertEqual(self.told(), [{"failed": "case flashlight: division by zero"}])

    def test_ceilings_that_fail_are_told_as_such(self):
        self.device.ceilings = lambda: 1 / 0
        self.assertEqual(self.worker.ceilings(), {"failed": "ZeroDivisionError: division by zero"})

    def test_a_device_that_no_longer_answers_ends_the_process(self):
        self.device.ceilings, self.device.works = (lambda: 1 / 0), False
        with mock.patch.object(os, "_exit", side_effect=SystemExit) as ended:
            self.assertRaises(SystemExit, self.worker.ceilings)
        ended.assert_called_once_with(worker.POISONED)
        self.assertEqual(self.told(), [{"poisoned": "ZeroDivisionError: division by zero"}])

    def test_a_bar_that_is_not_finite_judges_nothing(self):
        self.device.largest_difference = lambda a, b: float("inf")
        with mock.patch.object(cases, "make_inputs", lambda *_: {}), mock.patch.object(worker, "reference", lambda *_, **__: []):
            self.assertRaisesRegex(ValueError, "not finite", self.worker.run_case, "case", VARIANT, SIZE)

    def test_the_process_ends_without_what_libraries_do_then(self):
        reading, writing = os.pipe()
        run = lambda self: self.tell(result="r")  # noqa: E731
        with mock.patch.object(worker.Worker, "run", run), mock.patch.object(os, "_exit", side_effect=SystemExit) as ended:
            self.assertRaises(SystemExit, worker.main, writing, self.worker.order)
        ended.assert_called_once_with(0)
        with os.fdopen(reading) as events:
            self.assertEqual(events.read(), '{"result": "r"}\n')

    def test_kernels_that_are_the_same_are_timed_once(self):
        one = lambda *kernels: rivals.Rival(None, kernels=list(kernels))  # noqa: E731
        for ours, other, kept in (("a_sm90a", "a_sm80", True), ("a_few_sm80", "a_few_sm80", False)):
            ready = worker.leave_out_twins({"flashlight": one(ours), "flashlight-sm80": one(other)})
            self.assertEqual(isinstance(ready["flashlight-sm80"], rivals.Rival), kept)
        alone = {"flashlight": rivals.Absent("trapped"), "flashlight-sm80": one("a_sm80")}
        self.assertIsInstance(worker.leave_out_twins(alone)["flashlight-sm80"], rivals.Rival)

    def test_whether_there_is_a_form_for_hopper_is_read_and_not_tried(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(build, "BUNDLE", pathlib.Path(folder)):
            (pathlib.Path(folder) / "kernels").mkdir()
            (pathlib.Path(folder) / "kernels/p.cu").write_text("FL_KERNEL(32) a_1_sm80(FL_PARAMS(p) p) {\nFL_HOPPER_KERNEL(384) a_1_sm90a(FL_PARAMS(q) p) {\n"
                                                               "FL_KERNEL(32) a_1_few_sm80(FL_PARAMS(p) p) {\n")
            found = [worker.has_hopper_form("p", kernels) for kernels in (["a_1_sm80"], ["a_1_few_sm80"], ["b_sm80"], [])]
        self.assertEqual(found, [True, False, False, False])


class Library:
    """An emitted file's, with functions that ctypes would give."""

    class Function:
        def __init__(self, value):
            self.value = value

        def __call__(self, *arguments):
            return self.value

    def __init__(self, size, code, text):
        self.flashlight_f, self.flashlight_f_workspace_size = self.Function(code), self.Function(size)
        self.flashlight_last_error, self.flashlight_observe_launches = self.Function(text), self.Function(None)


class Refusing(unittest.TestCase):
    def call(self, size=0, code=0, text=b""):
        entry = entries.Entry(Library(size, code, text), {"symbol": "flashlight_f", "tensors": [], "scalars": [], "results": 0})
        with mock.patch.object(worker, "load_entry", lambda *_: (entry, "p")), mock.patch.object(cases, "result_shapes", lambda *_: []):
            device = FakeDevice(workspace=lambda size: None, pointer=lambda memory: None, stream=lambda: None)
            return worker.ours(VARIANT, SIZE, device, {}, {}, {})

    def test_a_workspace_of_unknown_size_is_an_error(self):
        unknown = ctypes.c_size_t(-1).value
        self.assertRaisesRegex(entries.EntryError, "f: argument 'k' has size 3", self.call, unknown, 0, b"f: argument 'k' has size 3")
        self.assertEqual(self.call(256).facts["workspace_bytes"], 256)

    def test_what_the_file_was_not_translated_for_is_absent(self):
        for text in (b"f: no kernel for these sizes and types", b"f: no kernel for these arguments",
                     b"f: q.size(-1) is 160, and this file has kernels for up to 128; translate with larger --head-dims",
                     b"f: argument 'q' is kFloat32, and this file has kernels for kFloat16 only; translate with other --dtypes"):
            self.assertRaisesRegex(rivals.Absent, "kernel", self.call, 0, 1, text)
        for text in (b"f: no kernel image is available for execution on the device (kernel a, ..)", b"f: misaligned address"):
            self.assertRaises(entries.EntryError, self.call, 0, 1, text)


class Rivals(unittest.TestCase):
    def test_gradients_are_off(self):
        torch = played_torch()
        with mock.patch.dict(sys.modules, {"torch": torch, "torch._dynamo": torch._dynamo}):
            devices.TorchDevice("cpu")
        torch.set_grad_enabled.assert_called_once_with(False)

    def compiled(self, refuse):
        asked = []

        def compile(function, fullgraph, **options):
            asked.append(fullgraph)
            return refuse if fullgraph else (lambda tensors: [])

        rival = lambda: rivals.compiled(VARIANT, SIZE, FakeDevice(torch=played_torch(compile)), {})  # noqa: E731
        return rival, asked

    def test_a_program_compiled_in_parts_says_so(self):
        def refuse(tensors):
            raise Unsupported("graph break")

        rival, asked = self.compiled(refuse)
        self.assertEqual((rival().facts["note"], asked), ("with graph breaks", [True, False]))

    def test_a_program_compiled_whole_says_nothing_and_other_failures_stay(self):
        def fail(tensors):
            raise MemoryError("no memory")

        rival, asked = self.compiled(lambda tensors: [])
        self.assertNotIn("note", rival().facts)
        rival, asked = self.compiled(fail)
        self.assertRaises(MemoryError, rival)
        self.assertEqual(asked, [True])

    def test_a_block_mask_that_does_not_compile_is_made_without(self):
        def fail(*arguments, **named):
            raise Unsupported("vmap")

        plain = lambda *arguments, device: ("mask", arguments, device)  # noqa: E731
        for compile, note in ((lambda function: fail, {"note": "block mask not compiled: Unsupported"}), (lambda function: function, {})):
            mask, facts = rivals._block_mask(plain, FakeDevice(torch=played_torch(compile)), "mod", None)
            self.assertEqual((mask, facts), (("mask", ("mod", None), "cuda"), {"block_mask_ms": 1.0, **note}))

    def test_a_block_mask_that_broke_the_device_is_not_tried_again(self):
        device = FakeDevice(torch=played_torch(lambda function: function))

        def trap(*arguments, **named):
            device.works = False
            raise RuntimeError("illegal")

        self.assertRaisesRegex(RuntimeError, "an illegal address", rivals._block_mask, trap, device)


# Stands in for the process that times a stage.
STAGE = """#!/usr/bin/env python3
import json, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[sys.argv.index("--inside") + 1])
order = json.loads((folder / "order.json").read_text())
assert order["options"] == {"variant": "causal-g1", "size": "512", "device": "cuda", "stand_in": None}, order
stages = list(order["libraries"])
if "traps" in stages: os.kill(os.getpid(), 11)
if "hangs" in stages: time.sleep(60)
if "refuses" in stages: sys.exit("an error of its own")
times = {s: {"ms": 1.0 if s == "as it is" else 1.5} for s in stages}
if "throws" in stages: times["throws"] = {"failed": "RuntimeError: thrown"}
(folder / "times.json").write_text(json.dumps(times))
if "crashes at its end" in stages: os.kill(os.getpid(), 11)
"""


class Stages(unittest.TestCase):
    def times(self, *stages, seconds=60, limit=20):
        options = argparse.Namespace(variant="causal-g1", size="512", device="cuda", stand_in=None)
        libraries = {stage: {"p": pathlib.Path("/lib.so")} for stage in ("as it is", *stages)}
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(build, "BUNDLE", pathlib.Path(folder)), contextlib.redirect_stdout(io.StringIO()) as said, \
                mock.patch.object(profile, "program_of", lambda *_: "p"), mock.patch.object(profile, "STAGE_SECONDS", limit), \
                mock.patch.object(profile, "build_stages", lambda *_: (libraries, {"absent": "does not build"})):
            (pathlib.Path(folder) / "gpu-profile").write_text(STAGE)
            return profile.time_stages(options, "sm_90a", {}, seconds), said.getvalue()

    def test_a_stage_that_ends_its_process_leaves_the_others(self):
        times, said = self.times("traps", "no exp", "refuses", "throws", "crashes at its end")
        self.assertEqual({s: t["difference_ms"] for s, t in times.items()}, {"as it is": 0.0, "no exp": 0.5, "crashes at its end": 0.5})
        for line in ("traps: ended with -11: no text", "refuses: ended with 1: an error of its own", "throws: RuntimeError: thrown", "absent: does not build"):
            self.assertIn(f"  {line}\n", said)

    def test_a_stage_that_hangs_is_killed(self):
        times, said = self.times("hangs", "no exp", limit=4)
        self.assertEqual(list(times), ["as it is", "no exp"])
        self.assertIn("hangs: hangs: killed after 4 s", said)

    def test_without_the_kernel_as_it_is_there_is_nothing(self):
        self.assertRaisesRegex(profile.StageError, "out of time", self.times, seconds=1)

    def test_the_process_of_a_stage_writes_what_it_timed(self):
        device = FakeDevice(time=lambda calls: {"as it is": {"ms": calls["as it is"]()}, "no exp": RuntimeError("trap")})
        make = lambda paths: rivals.Rival(lambda: paths["p"])  # noqa: E731
        with tempfile.TemporaryDirectory() as name, mock.patch.object(profile, "set_up", lambda *_: (device, make)), mock.patch.object(build, "load_manifest", dict), \
                mock.patch.dict(os.environ):
            folder = pathlib.Path(name)
            (folder / "order.json").write_text(json.dumps({"options": {}, "libraries": {"as it is": {"p": 7}, "no exp": {"p": 8}}}))
            self.assertEqual(profile.main(["--inside", name]), 0)
            self.assertEqual(json.loads((folder / "times.json").read_text()), {"as it is": {"ms": 7}, "no exp": {"failed": "RuntimeError: trap"}})
            device.time = lambda calls: 1 / 0
            with contextlib.redirect_stdout(io.StringIO()) as said:
                self.assertEqual(profile.main(["--inside", name]), 1)
            self.assertEqual(said.getvalue(), "ZeroDivisionError: division by zero\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
