# SPDX-License-Identifier: Apache-2.0
"""What the GPU runners read, compute and print. Standard library only.

Usage: runners_test.py <source folder of the project>
"""

import argparse
import contextlib
import io
import json
import pathlib
import sys
import tempfile
import time
import unittest
import weakref
import xml.dom.minidom
from unittest import mock

ROOT = pathlib.Path(sys.argv[1])
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "bench/gpu"))
from flashlight_gpu import bench, build, cases, check, devices, entries, facts, machine, process, profile, report, svg  # noqa: E402

EMITTED = """
namespace flashlight::generated {
Optional<TensorList> window_1(const Tensor& q, const Tensor& keys, long long window);
}
#include <flashlight/generated/c_entry.h>
#include <flashlight/generated/launch.h>
FL_KERNEL(128) window_1_sm80() {
  multiply_transposed<PARTS>(s, q_tile, k_tile, warp);
  x = exp2_fast(y);
}
extern "C" int flashlight_window(const DLTensor* const* in, DLTensor* const* out, const double* scalars, void*, std::size_t, void* stream) {
  return c_entry("ns::window", out, 2, in, {"q", "keys"}, scalars, 1, stream, [&](Launch& launch, const Tensor* t) {
    run_window_1(launch, t[0], t[1], integer_scalar(scalars[0], "window"));
  });
}
"""


def mask_of(variant, length):
    ids = {(0, i): d for i, d in enumerate(cases.document_of(length))}  # ids[b, i], without NumPy
    return variant.mods(None, {"heads": 1, "document": ids})[1]


class Cases(unittest.TestCase):
    def test_attended_keys_are_those_of_the_mask(self):
        for variant in cases.VARIANTS.values():
            if variant.form != "attention":
                continue
            for length in (300, 613):
                mask = mask_of(variant, length)
                seen = sum(1 if mask is None else bool(mask(0, 0, i, j)) for i in range(length) for j in range(length))
                size = cases.Size("", 1, 1, 1, length, 64, 64)
                self.assertAlmostEqual(variant.attended(size), seen / length, msg=variant.name)

    def test_flops(self):
        at = lambda name: cases.VARIANTS[name].flops(cases.VARIANTS[name].sizes[-1])  # noqa: E731
        self.assertEqual(at("vanilla-hd64"), 4 * 16384**2 * 2048)
        self.assertAlmostEqual(at("causal-hd128") / at("vanilla-hd128"), 0.5, 3)
        self.assertEqual(at("differential-hd64"), 6 * 16384**2 * 2048)  # 6 B S^2 H D, H counting both streams
        self.assertAlmostEqual(at("evoformer-hd64") / 1e12, 0.55, 2)

    def test_least_bytes(self):
        at = lambda name, k=-1: cases.VARIANTS[name].least_bytes(cases.VARIANTS[name].sizes[k])  # noqa: E731
        self.assertEqual(at("vanilla-hd64"), 4 * 2 * 16384 * 2048)
        self.assertAlmostEqual(at("evoformer-hd64") / 1e9, 4.3, 1)  # q, k, v and the result, 1.07 GB each
        pairs, bias = 2 * 2048**2 * 128, 2 * 12 * 2048**2
        self.assertGreater(at("invariant-point"), pairs + bias)
        self.assertLess(at("invariant-point"), 1.05 * (pairs + bias))

    def test_every_document_has_its_tokens(self):
        ids = cases.document_of(100)
        self.assertEqual((len(ids), len(set(ids)), ids), (100, cases.DOCUMENTS, sorted(ids)))

    def test_programs_exist(self):
        text = "".join(p.read_text() for p in (ROOT / "bench/programs").glob("*.cpp"))
        for variant in cases.VARIANTS.values():
            self.assertRegex(text, rf"\b{variant.program}\(const Tensor&")


class Reading(unittest.TestCase):
    def test_entries(self):
        self.assertEqual(entries.entries_in(EMITTED), [{"symbol": "flashlight_window", "function": "ns::window", "tensors": ["q", "keys"],
                                                         "scalars": ["window"], "results": 2}])

    def test_cases_of_a_sample(self):
        found = check.read_cases("B=1  error 1.00e-03 tolerance 4.00e-03  tiles visited 2 masked 1  ok\n"
                                 "B=2  error 5.00e-03 tolerance 4.00e-03  FAIL: error 0.005 where 0.004 is allowed\n3 kept references compared\n")
        self.assertEqual((found["cases"], len(found["failures"]), found["worst"], found["kept"]), (2, 1, 1.25, 3))

    def test_kernels_that_started(self):
        self.assertEqual(check.read_cases("B=1  ok\nkernels: a_1_sm80 3 a_1_sm90a 9\n")["kernels"], {"a_1_sm80": 3, "a_1_sm90a": 9})
        text = "FL_KERNEL(32 * WARPS) a_1_sm80(FL_PARAMS(p) p) {\nFL_HOPPER_KERNEL(kWarpgroupSize * (M / 64 + 1)) a_1_sm90a(FL_PARAMS(q) p) {\n"
        self.assertEqual(entries.kernels_in(text), ["a_1_sm80", "a_1_sm90a"])

    def test_what_is_known_to_depart_is_no_failure_up_to_its_bound(self):
        near, far = ["FAIL: error 4e-05 where 1e-05 is allowed"], ["FAIL: error 0.1 where 1e-05 is allowed"]
        self.assertEqual(check.excuse("stick_breaking", "float32", near)[0], "departs")
        self.assertIsNone(check.excuse("stick_breaking", "float32", near + far))
        self.assertIsNone(check.excuse("stick_breaking", "sm_80", near))
        self.assertIsNone(check.excuse("causal", "float32", near))

    def test_a_refusal_is_none(self):
        refusal = "B=1  FAIL: f: argument 'q' is kFloat32, and this file has kernels for kFloat16 only; translate with other --dtypes"
        self.assertEqual(check.excuse("latent", "float32", [refusal])[0], "refused")
        self.assertIsNone(check.excuse("latent", "float32", [refusal, "FAIL: error 1 where 0 is allowed"]))

    def test_initcheck_is_left_out_where_it_does_not_know_bulk_copies(self):
        with tempfile.TemporaryDirectory() as folder:
            tool = pathlib.Path(folder) / "compute-sanitizer"
            for said, version in (("Version 2025.3.1.0 (build 1)(public-release)", (2025, 3)), ("no version", None)):
                tool.write_text(f"#!/bin/sh\necho 'NVIDIA (R) Compute Sanitizer'\necho '{said}'\n")
                tool.chmod(0o755)
                self.assertEqual(check.sanitizer_version(tool), version)
        one = check.Check.__new__(check.Check)
        one.sanitizer, one.sanitizer_version = "compute-sanitizer", (2025, 3)
        self.assertRegex(one.sanitize("causal", "initcheck", "sm_90a")["why"], "2025.3 takes what cp.async.bulk stores for never written")
        self.assertEqual([one.why_not_sanitized(t, k) for t, k in (("memcheck", "sm_90a"), ("initcheck", "sm_80"), ("initcheck", "runs"))], [None] * 3)
        for known in ((2025, 4), (2026, 1), None):
            one.sanitizer_version = known
            self.assertIsNone(one.why_not_sanitized("initcheck", "sm_90a"))

    def test_facts(self):
        text = 'noise\n{"fact": "a", "verdict": "PASS", "observed": "", "expected": ""}\n{"no": 1}\n[1]\n'
        self.assertEqual([f["fact"] for f in facts.read_facts(text)], ["a"])

    def test_counters(self):
        text = '==PROF== noise\n"ID","Kernel Name","gpu__time_duration.sum","smsp__average_warps_issue_stalled_wait_per_issue_active.ratio"\n' \
               '"","","us","inst"\n"0","k","1,024.5","0.7"\n'
        counters = profile.read_counters(text)
        self.assertEqual(counters["gpu__time_duration.sum"], ("1,024.5", "us"))
        shown = "\n".join(profile.explain(counters))
        self.assertIn("gpu__time_duration.sum = 1,024.5 us", shown)
        self.assertIn("stall wait: 0.70", shown)
        self.assertEqual(profile.read_counters("==ERROR== ERR_NVGPUCTRPERM"), {})

    def test_stages_change_the_primitive_that_the_kernel_uses(self):
        changed = profile.change_stage(EMITTED, "no exp")
        self.assertLess(changed.index("#define exp2_fast"), changed.index("FL_KERNEL"))
        self.assertGreater(changed.index("#define exp2_fast"), changed.index("generated/launch.h"))
        self.assertEqual(profile.change_stage(EMITTED, "scores twice").count("multiply_transposed<PARTS>(s, q_tile"), 2)
        self.assertIsNone(profile.change_stage(EMITTED, "values twice"))
        self.assertIsNone(profile.change_stage(EMITTED, "loads twice"))
        hopper = EMITTED.replace("multiply_transposed<PARTS>(s, q_tile, k_tile, warp);",
                                 "multiply_transposed_async<kSet>(s, q_tile, k_ring.tile(k_at), warpgroup);\n  tma_load(q_tile, p.map);\n  load_tile_async();")
        self.assertEqual(profile.change_stage(hopper, "scores twice").count("multiply_transposed_async<kSet>(s, q_tile"), 2)
        self.assertIsNone(profile.change_stage(hopper, "loads twice"))
        self.assertIsNone(profile.change_stage("int main() {}", "no exp"))

    def test_architectures(self):
        self.assertEqual([machine.arch_of(c) for c in ("8.0", "8.9", "9.0", "10.0")], ["sm_80", "sm_89", "sm_90a", "sm_100a"])


class Building(unittest.TestCase):
    def linked(self, text, cuda="cuda"):
        """The command that links a program of such an emitted file, with a toolkit that has cuBLASLt."""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "cuda-1/bin").mkdir(parents=True)
            (folder / "cuda-1/lib64").mkdir()
            (folder / "cuda-1/lib64/libcublasLt.so.13").touch()
            (folder / "cuda-1/bin/nvcc").touch()
            (folder / "nvcc").symlink_to(folder / "cuda-1/bin/nvcc")
            (folder / "a.cu").write_text(text)
            made = build.Build.__new__(build.Build)
            made.device, made.folder, made.kernels, made.nvcc, made.cxx = cuda, folder, folder, folder / "nvcc", ["g++"]
            made._run = lambda command, target, inputs: " ".join(map(str, command))
            return made._link(folder / "liba.so", [], True, made._products("a")).replace(str(folder.resolve()), "HERE").replace(name, "HERE")

    def test_only_files_with_products_link_cublaslt(self):
        self.assertNotIn("cublas", self.linked(EMITTED))
        products = "#include <flashlight/generated/multiply.h>\n" + EMITTED
        self.assertIn("-rpath -Xlinker HERE/cuda-1/lib64 -lcublasLt", self.linked(products))
        self.assertNotIn("cublas", self.linked(products, "emulated"))

    def test_the_library_needs_no_cublaslt(self):
        made = build.Build.__new__(build.Build)
        made.device, made.folder, made.nvcc = "cuda", pathlib.Path("/f"), "/nvcc"
        made._run = lambda command, target, inputs: " ".join(map(str, command))
        self.assertNotIn("cublas", made._link(made.folder / "libflashlight.so", [], True))

    def test_budgets_begin_when_all_is_built(self):
        class Slow:
            def __init__(self, *_):
                self.failed, self.times = {}, {}

            def build(self, **_):
                time.sleep(0.3)
                return {}, {}

        left = []
        checking, timing = check.Check, bench.Bench
        seen = lambda deadline: left.append(deadline - time.monotonic())  # noqa: E731
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as said, \
                mock.patch.object(build, "Build", Slow), mock.patch.object(build, "load_manifest", lambda: {"samples": [], "programs": []}), \
                mock.patch.object(devices, "missing", lambda *_: None), \
                mock.patch.object(check, "Check", lambda *a: (seen(a[2]), checking(*a))[1]), \
                mock.patch.object(bench, "Bench", lambda *a: (seen(time.monotonic() + a[0].budget_seconds), timing(*a), mock.Mock())[2]):
            self.assertEqual(check.main(["--device", "emulated", "--budget-seconds", "0.2", "-o", f"{folder}/c.json"]), 0)
            self.assertEqual(bench.main(["--device", "emulated", "--budget-seconds", "0.2", "-o", f"{folder}/b.json"]), 0)
        self.assertEqual(len(left), 2)
        self.assertGreater(min(left), 0)
        self.assertRegex(said.getvalue(), r"built in \d+ s")


def result(name, ms, tflops=100.0, **more):
    return {"name": name, "ms": ms, "tflops": tflops, "error": 1e-3, "correct": True, "graph": False, **more}


def run_of(*results, **more):
    case = {"variant": "causal-g1", "title": "causal", "size": {"label": "16k"}, "flops": 1e12, "allowed_error": 2e-3, "results": list(results)}
    return {"kind": "bench", "device": "GPU & Co", "dry_run": False, "gpu": {"driver_version": "1.2"}, "nvcc": "13.0", "date": "2030-01-02T03:04:05Z",
            "commit": "0123456789abcdef", "tensors": "PyTorch", "file": "a.json", "left_out": [],
            "ceilings": {"matmul_tflops": 700.0, "matmul": "m", "copy_tb_s": 4.0, "copy": "c", "clocks_in_matmul": {"clocks.sm": "1500"}},
            "cases": [case], **more}


class Reports(unittest.TestCase):
    def test_a_wrong_rival_is_not_the_fastest(self):
        text, _ = report.render([run_of(result("flashlight", 1.0), result("flex", 0.5, correct=False), result("eager", 3.0))])
        self.assertIn("| causal-g1 | 16k | 1.000 ms, 100 | eager: 3.000 ms, 100 | 3.00 | - |", text)

    def test_a_wrong_result_of_ours_is_marked_and_has_no_ratio(self):
        text, _ = report.render([run_of(result("flashlight", 1.0, correct=False), result("eager", 3.0))])
        self.assertIn("1.000 ms, 100 **wrong** | eager: 3.000 ms, 100 | - | - |", text)

    def test_absent_rivals_are_named_with_the_reason(self):
        text, _ = report.render([run_of(result("flashlight", 1.0), {"name": "flex-flash", "absent": "not installed"})])
        self.assertIn("- flex-flash: not installed (causal-g1 16k)", text)

    def test_block_masks_are_told_apart(self):
        text, _ = report.render([run_of(result("flashlight", 1.0), result("flex", 2.0, block_mask_ms=7.5))])
        self.assertIn("| causal-g1 | 16k | flex | 2.000 | 7.500 |", text)

    def test_a_later_run_of_the_same_commit_replaces_cases(self):
        text, _ = report.render([run_of(result("flashlight", 1.0)), run_of(result("flashlight", 2.0), date="2030-01-03T00:00:00Z", file="b.json")])
        self.assertIn("2.000 ms", text)
        self.assertNotIn("1.000 ms", text)
        self.assertIn("from a.json, b.json", text)

    def test_passes_over_a_case_are_joined_by_name(self):
        first = run_of(result("flashlight", 1.0), result("eager", 3.0), result("flex", 2.0), {"name": "compile", "absent": "out of time"})
        again = run_of(result("flashlight", 2.0), result("compile", 5.0), {"name": "flex", "absent": "out of time"}, {"name": "eager", "absent": "refused"},
                       date="2030-01-03T00:00:00Z", file="b.json")
        joined = {r["name"]: r for r in report.merge([first, again])[0]["cases"]["causal-g1", "16k"]["results"]}
        self.assertEqual({n: r.get("ms", r.get("absent")) for n, r in joined.items()}, {"flashlight": 2.0, "eager": "refused", "flex": 2.0, "compile": 5.0})
        self.assertEqual((joined["flex"]["beside_ms"], joined["compile"]["beside_ms"]), (1.0, 2.0))
        self.assertNotIn("beside_ms", first["cases"][0]["results"][0])
        text, _ = report.render([first, again])
        self.assertIn("| 2.000 ms, 100 | flex: 2.000 ms, 100 | 2.00 |", text)  # in its own pass ours took 1 ms
        self.assertIn("is by one pass each", text)

    def test_a_pass_without_ours_gives_no_ratio(self):
        first = run_of({"name": "flashlight", "absent": "hangs"}, result("eager", 3.0))
        self.assertIn("| 1.000 ms, 100 | eager: 3.000 ms, 100 | - |", report.render([first, run_of(result("flashlight", 1.0), file="b.json")])[0])

    def test_cases_stand_as_they_are_listed_whatever_came_first(self):
        run = run_of(result("flashlight", 1.0))
        case = lambda variant, label: {**run["cases"][0], "variant": variant, "size": {"label": label}}  # noqa: E731
        run["cases"] = [case("causal-g1", "16k"), case("evoformer-hd64", "b32"), case("gone", "x"), case("vanilla-hd64", "16k"), case("causal-g1", "1k")]
        self.assertEqual(list(report.merge([run])[0]["cases"]), [("vanilla-hd64", "16k"), ("causal-g1", "1k"), ("causal-g1", "16k"), ("evoformer-hd64", "b32"), ("gone", "x")])

    def test_what_a_later_pass_timed_is_not_left_out(self):
        run = run_of(left_out=["causal-g1 16k: out of time in times, flex", "alibi-g1 16k: out of time"])
        self.assertEqual(report.merge([run])[0]["left_out"], ["alibi-g1 16k: out of time"])

    def test_ceilings_that_failed_are_those_of_the_next_pass_or_none(self):
        failed = run_of(result("flashlight", 1.0, tb_s=1.0), result("eager", 3.0), ceilings={"failed": "no memory"})
        self.assertIn("No ceilings were measured", report.render([failed])[0])
        self.assertIn("700.0 TFLOP/s", report.render([failed, run_of(file="b.json")])[0])

    def test_nothing_recorded_is_said(self):
        self.assertEqual(report.render([]), (report.NOTHING, {}))

    def test_dry_runs_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            (path / "a.json").write_text(json.dumps(run_of(dry_run=True)))
            self.assertRaisesRegex(SystemExit, "a dry run is no result", report.load, path)

    def test_the_block_between_the_marks_is_replaced(self):
        page = f"a\n{report.BEGIN}\nold\n{report.END}\nb\n"
        self.assertEqual(report.replace_block(page, "new\n"), f"a\n{report.BEGIN}\nnew\n{report.END}\nb\n")
        self.assertRaises(SystemExit, report.replace_block, "no marks", "new")

    def test_hardware_facts(self):
        fact = {"kind": "facts", "device": "GPU", "date": "2030-01-02T03:04:05Z", "facts": [{"fact": "f", "verdict": "FAIL", "observed": "a|b"}]}
        self.assertIn("| f | FAIL | a/b |", report.render([fact])[0])
        self.assertNotIn("| f |", report.render([{**fact, "compiled_only": True}])[0])

    def test_our_other_kernels_are_no_rival(self):
        case = run_of(result("flashlight", 1.0), result("flashlight-sm80", 0.5), result("eager", 3.0))["cases"][0]
        self.assertEqual(report.best_rival(case)["name"], "eager")

    def test_the_nearest_ceiling(self):
        run = run_of()
        self.assertEqual(report.of_ceilings({}, result("flashlight", 1.0, tflops=350.0, tb_s=1.0), run), "50 % of product")
        self.assertEqual(report.of_ceilings({}, result("flashlight", 1.0, tflops=35.0, tb_s=3.0), run), "75 % of copy")
        self.assertEqual(report.of_ceilings({}, result("flashlight", 1.0, tb_s=3.0), {"ceilings": {}}), "-")

    def test_samples_that_did_not_pass_are_named(self):
        sample = {"results": {"sm_90a": {"verdict": "pass"}, "float32": {"verdict": "departs", "why": "w"}}, "sanitizer": {"racecheck": {"sm_80": {"verdict": "FAIL"}}}}
        run = {"kind": "check", "device": "GPU", "date": "2030-01-02T03:04:05Z", "commit": "c", "samples": {"a": sample, "b": sample}, "failed_before": {"x": "t"}}
        text, _ = report.render([run])
        for line in ("| sm_90a | 2 pass |", "| racecheck, sm_80 | 2 FAIL |", "- a, float32: departs: w", "- b, racecheck, sm_80: FAIL", "- x: failed before it ran"):
            self.assertIn(line, text)

    def test_the_readme_shows_the_last_run(self):
        self.assertEqual(report.readme_block([]), report.README_NOTHING)
        text = report.readme_block([run_of(result("flashlight", 9.0)), run_of(result("flashlight", 1.0), result("eager", 3.0), commit="later", date="2031")])
        self.assertIn("| causal | 16k | 1.000 ms, 100 | eager: 3.000 ms, 100 | 3.00 |", text)
        self.assertIn("docs/performance-2/variants.svg", text)
        self.assertNotIn("9.000", text)

    def test_wrong_or_failed_kernels_decide_the_exit_code(self):
        self.assertEqual(bench.wrong_kernels({**run_of(result("flashlight", 1.0, correct=False)), "failed": []}), ["causal-g1 16k flashlight"])
        self.assertEqual(bench.wrong_kernels({**run_of(result("flex", 1.0, correct=False)), "failed": []}), [])
        self.assertEqual(bench.wrong_kernels({**run_of(), "failed": ["x: launch"]}), ["x: launch"])


class FakeCuda:
    """As much of torch.cuda as timing takes; its clock moves when a call says so."""

    def __init__(self):
        clock = self
        self.now, self.captured = 0.0, None

        class Event:
            def __init__(self, enable_timing):
                self.at = None

            def record(self):
                self.at = clock.now

            def elapsed_time(self, end):
                return end.at - self.at

        class Graph:
            def replay(self):
                clock.now += self.ms

        class Stream:
            def wait_stream(self, other):
                pass

        self.Event, self.CUDAGraph, self.Stream = Event, Graph, Stream
        self.cuda = self
        self.usual = self.current = Stream()

    def current_stream(self):
        return self.current

    def set_stream(self, stream):
        self.current = stream

    def empty_cache(self):
        pass

    def _sleep(self, cycles):
        self.now += 5

    def synchronize(self):
        pass

    def stream(self, stream):
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def graph(self, graph):
        begin = self.now
        yield
        graph.ms, self.now = self.now - begin, begin

    def zero_(self):  # of the memory that flushes the L2
        self.now += 0.1


class Timing(unittest.TestCase):
    def setUp(self):
        self.cuda = FakeCuda()
        self.device = devices.TorchDevice.__new__(devices.TorchDevice)
        self.device.kind, self.device.torch, self.device._flush, self.device._host_ms = "cuda", self.cuda, self.cuda, {}
        self.device.warm_ups, self.device.repeats, self.device.rounds = devices.WARM_UPS, devices.REPEATS, devices.ROUNDS

    def taking(self, ms, fails_at=None):
        def call():
            call.count += 1
            if call.count == fails_at:
                raise RuntimeError("out of memory")
            self.cuda.now += ms

        call.count = 0
        return call

    def test_calls_are_repeated_interleaved_and_replayed_below_50_us(self):
        calls, turns = {"fast": self.taking(0.01), "usual": self.taking(1.0), "slow": self.taking(30.0)}, []
        times = self.device.time(calls, turns.append)
        self.assertEqual(turns, ["fast", "usual", "slow"] * 4)  # warm-ups, three rounds
        for name, ms, repeats, graph in (("fast", 0.01, 60, True), ("usual", 1.0, 60, False), ("slow", 30.0, 21, False)):
            self.assertAlmostEqual(times[name]["ms"], ms, msg=name)
            self.assertEqual((times[name]["repeats"], times[name]["graph"], len(times[name]["rounds_ms"])), (repeats, graph, 3))
        self.assertGreaterEqual(calls["slow"].count, 10 + 21)

    def test_what_fails_leaves_the_others(self):
        times = self.device.time({"bad": self.taking(1.0, fails_at=40), "good": self.taking(2.0)})
        self.assertRegex(str(times["bad"]), "out of memory")
        self.assertAlmostEqual(times["good"]["ms"], 2.0)
        self.assertRaisesRegex(RuntimeError, "out of memory", self.device.time_one, self.taking(1.0, fails_at=1))


    def test_a_capture_that_fails_leaves_the_usual_stream(self):
        @contextlib.contextmanager
        def graph(_):
            self.cuda.current = "the capture's"
            yield
            raise ValueError("what is this")

        self.cuda.graph = graph
        times = self.device.time({"fast": self.taking(0.01)})
        self.assertEqual((times["fast"]["graph"], self.cuda.current), (False, self.cuda.usual))

    def test_what_failed_holds_no_tensors(self):
        class Tensor:
            pass

        held = []

        def call():
            tensor = Tensor()
            held.append(weakref.ref(tensor))
            try:
                raise MemoryError("first")
            except MemoryError:
                raise RuntimeError("out of memory")

        error = self.device.time({"bad": call})["bad"]
        self.assertEqual(str(error), "out of memory")
        self.assertIsNone(held[0]())

    def test_when_the_time_is_up_all_have_had_the_same_rounds(self):
        times = self.device.time({"a": self.taking(1.0), "b": self.taking(2.0)}, enough=lambda: True)
        self.assertEqual([len(times[n]["rounds_ms"]) for n in "ab"], [1, 1])

    def test_results_are_as_many_as_expected(self):
        self.device._difference = lambda a, b: abs(a - b)
        self.assertEqual(self.device.largest_difference((1, 5), [1, 2]), 3)
        self.assertRaisesRegex(ValueError, "1 results where 2", self.device.largest_difference, 1, [1, 2])


class Processes(unittest.TestCase):
    def test_a_program_that_hangs_is_killed_with_what_it_started(self):
        code, text, seconds = process.run(["sh", "-c", "echo begun; sleep 60 & sleep 60"], 1)
        self.assertEqual((code, text), (None, "begun\n"))
        self.assertLess(seconds, 20)

    def test_output_and_exit_code(self):
        self.assertEqual(process.run(["sh", "-c", "echo $A; exit 3"], 20, {"A": "b"})[:2], (3, "b\n"))


# Stands in for the process that times: what it does to a case is told by what is not absent.
WORKER = """#!/usr/bin/env python3
import json, os, sys, time
order = json.load(sys.stdin)
events = os.fdopen(int(sys.argv[2]), "w", 1)
tell = lambda **e: print(json.dumps(e), file=events)
tell(step="start", case=None, name=None, seconds=30)
if order["ceilings"]: tell(ceilings={"stand_in": "x"})
for variant, size in order["cases"]:
    case = variant + " " + size["label"]
    absent = order["absent"].get(case, {})
    for name in order["names"]:
        if name in absent: continue
        tell(step="first call", case=case, name=name, seconds=1 if name == "flex" else 30)
        if name == "flashlight" and variant == "causal-g1":
            tell(poisoned="an illegal address")
            os._exit(3)
        if name == "flex" and variant == "causal-g1": time.sleep(60)
        if name == "eager" and variant == "causal-g1": os.kill(os.getpid(), 11)
    if variant == "alibi-g1":
        tell(step="inputs and reference", case=case, name=None, seconds=30)
        sys.exit(5)
    results = [{"name": n, **({"absent": absent[n]} if n in absent else {"ms": 1.0, "tflops": 1.0, "tb_s": 1.0, "error": 0.0, "correct": True})} for n in order["names"]]
    tell(result={"variant": variant, "title": "t", "size": size, "allowed_error": 1.0, "results": results}, case_done=case)
"""


class Supervision(unittest.TestCase):
    def supervise(self, *variants, budget="60"):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "gpu-bench").write_text(WORKER)
            before, build.BUNDLE = build.BUNDLE, pathlib.Path(folder)
            try:
                options = bench.parse(["--budget-seconds", budget, "-o", f"{folder}/out.json", "--rival", "eager", "--rival", "flex"])
                record = {"ceilings": {}, "cases": [], "left_out": [], "failed": [], "finished": False}
                with contextlib.redirect_stdout(io.StringIO()):
                    bench.Bench(options, {}, {}, record).run([(cases.VARIANTS[v], cases.VARIANTS[v].sizes[-1]) for v in variants])
                self.assertEqual(json.loads((pathlib.Path(folder) / "out.json").read_text()), record)
                return record
            finally:
                build.BUNDLE = before

    def test_what_ends_the_process_is_left_out_and_all_else_is_timed(self):
        record = self.supervise("vanilla-g1", "causal-g1", "softcap-g1")
        self.assertEqual([c["variant"] for c in record["cases"]], ["vanilla-g1", "causal-g1", "softcap-g1"])
        why = {r["name"]: r.get("absent") for r in record["cases"][1]["results"]}
        self.assertRegex(why["flashlight"], "ended the process: an illegal address")
        self.assertRegex(why["flex"], "hangs: killed after 1 s")
        self.assertRegex(why["eager"], "the process ended with -11")
        self.assertEqual([r.get("absent") for c in (record["cases"][0], record["cases"][2]) for r in c["results"]], [None] * 6)
        self.assertEqual(len(record["failed"]), 1)  # ours; rivals' failures are no failures of the run
        self.assertTrue(record["finished"])

    def test_what_of_ours_trapped_is_not_tried_on_the_program_again(self):
        record = self.supervise("causal-g1", "causal-g8", "softcap-g1")
        why = [r.get("absent") for c in record["cases"] for r in c["results"] if r["name"] == "flashlight"]
        self.assertRegex(why[1], "not tried again after causal-g1 16k, first call: ended the process: an illegal address")
        self.assertIsNone(why[2])
        self.assertEqual([r.get("absent") for r in record["cases"][1]["results"] if r["name"] != "flashlight"], [None] * 2)
        self.assertEqual(len(record["failed"]), 1)

    def test_ceilings_that_end_the_process_leave_the_cases(self):
        measure, = (line for line in WORKER.splitlines() if "tell(ceilings" in line)
        crash = 'if order["ceilings"]:\n    tell(step="ceilings", case=None, name=None, seconds=30)\n    sys.exit(4)'
        with mock.patch(f"{__name__}.WORKER", WORKER.replace(measure, crash)):
            record = self.supervise("vanilla-g1")
        self.assertEqual(([c["variant"] for c in record["cases"]], record["ceilings"]), (["vanilla-g1"], {"failed": "the process ended with 4"}))

    def test_one_case_of_each_kind_comes_first(self):
        chosen = bench.choose(argparse.Namespace(variant=None, size=["all"], device="cuda"))
        ordered = bench.early(chosen)
        self.assertEqual([f"{v.name} {s.label}" for v, s in ordered[:5]],
                         ["causal-hd64 16k", "differential-hd64 16k", "evoformer-hd64 b32", "invariant-point 2k", "vanilla-hd64 512"])
        names = lambda some: sorted(f"{v.name} {s.label}" for v, s in some)  # noqa: E731
        self.assertEqual(names(ordered), names(chosen))

    def test_a_case_without_a_reference_leaves_the_others(self):
        record = self.supervise("alibi-g1", "vanilla-g1")
        self.assertEqual([c["variant"] for c in record["cases"]], ["vanilla-g1"])
        self.assertRegex(record["failed"][0], "alibi-g1 16k, all, inputs and reference: the process ended with 5")

    def test_the_budget_ends_a_run_and_the_record_says_so(self):
        bench.GRACE_SECONDS, before = 0.5, bench.GRACE_SECONDS
        try:
            record = self.supervise("causal-g1", "vanilla-g1", budget="0.2")
        finally:
            bench.GRACE_SECONDS = before
        self.assertEqual((record["cases"], len(record["left_out"])), ([], 2))
        self.assertRegex(record["left_out"][0], "out of time")


class Plots(unittest.TestCase):
    def test_plots_are_well_formed(self):
        run = run_of(result("flashlight", 1.0), {"name": "flex", "absent": "<no>"})
        run["cases"].append({**run["cases"][0], "size": {"label": "1k"}})
        _, files = report.render([run])
        self.assertEqual(set(files), {"performance/variants.svg", "performance/causal-g1.svg"})
        for text in files.values():
            xml.dom.minidom.parseString(text)

    def test_bars_are_as_long_as_their_values(self):
        drawn = xml.dom.minidom.parseString(svg.bars("t", "u", [("g", [("a", 50.0), ("b", 100.0), ("c", None)])]))
        widths = [float(r.getAttribute("width")) for r in drawn.getElementsByTagName("rect") if r.getAttribute("height") == "11" and r.getAttribute("x") == "170"]
        self.assertEqual(len(widths), 2)
        self.assertAlmostEqual(widths[0] * 2, widths[1], 1)

    def test_axes_end_at_a_round_number(self):
        self.assertEqual([svg.round_up(x) for x in (0.3, 1, 11, 24, 26, 501)], [0.5, 1, 20, 25, 50, 1000])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
