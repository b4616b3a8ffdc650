# SPDX-License-Identifier: Apache-2.0
"""Times the emitted kernels beside their rivals, in one process on the same tensors, and checks them as it goes."""

import argparse
import ctypes
import json
import os
import pathlib
import sys
import time

from . import build, cases, devices, entries, machine, rivals

REFERENCE_ELEMENTS = 1 << 28  # scores of one slice of the reference: 1 GiB of float32
ALLOWED = 1.5  # our error may be this many times that of the naive bfloat16 program


def reference(variant, size, device, tensors, narrow=False):
    """The naive program in float32, or in bfloat16, a slice of queries at a time."""
    rows = max(1, min(size.length, REFERENCE_ELEMENTS // (size.batch * size.rows * size.heads * size.length)))
    given = tensors if narrow else {n: device.float32(t) for n, t in tensors.items()}
    parts = []
    for first in range(0, size.length, rows):
        one = lambda: cases.naive(variant, size, device.x, device, given, slice(first, min(size.length, first + rows)))  # noqa: E731,B023
        parts.append(device.narrowly(one) if narrow else one())
    return device.cat_rows(parts)


def load_entry(variant, manifest, libraries):
    """The variant's C entry. Raises Absent with the translator's words where there is none."""
    for program in manifest["programs"]:
        for entry in program["entries"]:
            if entry["function"] == variant.program:
                if program["name"] not in libraries:
                    raise RuntimeError("the kernel does not build")
                return entries.Entry(ctypes.CDLL(str(libraries[program["name"]])), entry)
        for unfused in program.get("unfused", []):
            if unfused["function"] == variant.program:
                raise rivals.Absent(f"not fused: {unfused['reason']}")
    failed = [p["failed"].splitlines()[0] for p in manifest["programs"] if "failed" in p]
    raise rivals.Absent("no such entry" + (f"; not translated: {failed[0]}" if failed else ""))


def ours(variant, device, tensors, like, manifest, libraries):
    entry = load_entry(variant, manifest, libraries)
    result = device.poisoned(like)
    call = entry.prepare({n: device.dl(t) for n, t in tensors.items()}, variant.scalars, [device.dl(result)])
    workspace = device.workspace(call.workspace_bytes)

    def run():
        call(device.stream(), device.pointer(workspace))
        return result

    try:
        run()
        device.synchronize()
    except entries.EntryError as error:
        if "no kernel for" in str(error):  # the file was not translated for this head dim: honest, and no failure
            raise rivals.Absent(str(error)) from None
        raise
    return rivals.Rival(run)


def first_line(error):
    return (str(error).strip().splitlines() or ["no text"])[0][:300]


class Bench:
    def __init__(self, options, device, manifest, libraries, record):
        self.options, self.device, self.manifest, self.libraries, self.record = options, device, manifest, libraries, record
        self.deadline = time.monotonic() + options.budget_seconds

    def save(self):
        temporary = self.options.out.with_suffix(".partial")
        temporary.write_text(json.dumps(self.record, indent=1) + "\n")
        os.replace(temporary, self.options.out)

    def left(self):
        return self.deadline - time.monotonic()

    def make_ready(self, variant, size, tensors, like):
        """name -> Rival or Absent, ours first."""
        makers = {"flashlight": lambda: ours(variant, self.device, tensors, like, self.manifest, self.libraries)}
        for name in self.options.rival:
            makers[name] = lambda make=rivals.RIVALS[name]: make(variant, size, self.device, tensors)
        ready = {}
        for name, make in makers.items():
            try:
                ready[name] = make() if self.left() > 0 else rivals.Absent("out of time")
            except rivals.Absent as absent:
                ready[name] = absent
            except Exception as error:  # whatever a rival throws, the others are still to be timed
                ready[name] = rivals.Absent(f"{type(error).__name__}: {first_line(error)}")
                if name == "flashlight":
                    self.record["failed"].append(f"{variant.name} {size.label}: {first_line(error)}")
                self.device.trim()
        return ready

    def judge(self, name, rival, expected, bar):
        """Error against float32. Only our own decides the run's exit code; a rival's wrong result is named with its time."""
        error = self.device.largest_difference(rival.call(), expected)
        return {"error": error if error < float("inf") else None, "correct": error <= bar}  # None: NaN or infinity somewhere

    def run_case(self, variant, size):
        device = self.device
        tensors = cases.make_inputs(variant, size, device)
        expected = reference(variant, size, device, tensors)
        eager_error = device.largest_difference(reference(variant, size, device, tensors, narrow=True), expected)
        case = {
            "variant": variant.name, "title": variant.title, "size": vars(size), "flops": variant.flops(size),
            "attended": variant.attended(size), "eager_bf16_error": eager_error, "allowed_error": ALLOWED * eager_error, "results": [],
        }
        self.record["cases"].append(case)
        ready = self.make_ready(variant, size, tensors, expected)
        present = {n: r for n, r in ready.items() if isinstance(r, rivals.Rival)}
        checked = {}
        for name in list(present):
            try:
                checked[name] = self.judge(name, present[name], expected, ALLOWED * eager_error)
            except Exception as error:  # out of memory, say
                ready[name] = rivals.Absent(f"{type(error).__name__}: {first_line(error)}")
                if name == "flashlight":
                    self.record["failed"].append(f"{variant.name} {size.label}: {first_line(error)}")
                del present[name]
                self.device.trim()
        del expected
        times = device.time({n: r.call for n, r in present.items()}) if present else {}
        for name, rival in ready.items():
            if name not in present:
                case["results"].append({"name": name, "absent": str(rival)})
                continue
            tflops = case["flops"] / times[name]["ms"] / 1e9
            case["results"].append({"name": name, **times[name], "tflops": round(tflops, 2), **checked[name], **rival.facts})
        self.save()
        return case

    def run(self, chosen):
        for variant, size in chosen:
            if self.left() <= 0:
                self.record["left_out"].append(f"{variant.name} {size.label}: out of time")
                continue
            try:
                show(self.run_case(variant, size))
            except Exception as error:  # one case's failure leaves the others
                self.record["failed"].append(f"{variant.name} {size.label}: {type(error).__name__}: {first_line(error)}")
                print(self.record["failed"][-1], flush=True)
            self.device.free()
        self.record["finished"] = True
        self.save()


def show(case):
    print(f"\n{case['variant']} {case['size']['label']}: {case['title']}", flush=True)
    for r in case["results"]:
        if "absent" in r:
            print(f"  {r['name']:<15} absent: {r['absent']}")
            continue
        wrong = "" if r["correct"] else f"  WRONG: {case['allowed_error']:.2e} is allowed"
        error = "not finite" if r["error"] is None else f"{r['error']:.1e}"
        more = f"  + block mask {r['block_mask_ms']:.3f} ms" if r.get("block_mask_ms") else ""
        print(f"  {r['name']:<15} {r['ms']:>10.4f} ms {r['tflops']:>8.1f} TFLOP/s  error {error}{more}{wrong}")


def choose(options):
    """The (variant, size) pairs asked for; the largest size of each unless sizes are named."""
    names = options.variant or list(cases.VARIANTS)
    unknown = [n for n in names if n not in cases.VARIANTS]
    if unknown:
        sys.exit(f"gpu-bench: no variant {unknown[0]}; there are {', '.join(cases.VARIANTS)}")
    variants = [cases.VARIANTS[n] for n in names]
    if options.device != "cuda":
        return [(v, cases.dry_size(v)) for v in variants]
    if not options.size:
        return [(v, v.sizes[-1]) for v in variants]
    return [(v, s) for v in variants for s in v.sizes if s.label in options.size or "all" in options.size]


def wrong_kernels(record):
    """Cases whose kernel failed or differs from the reference by more than is allowed."""
    return record["failed"] + [f"{c['variant']} {c['size']['label']}" for c in record["cases"] for r in c["results"] if r["name"] == "flashlight" and r.get("correct") is False]


def main(argv=None):
    parser = argparse.ArgumentParser(prog="gpu-bench", description="Times the emitted kernels beside PyTorch's attention. Exit: 0 done, "
                                     "1 one of our results is wrong or a build failed, 77 no GPU or no PyTorch.")
    parser.add_argument("--device", choices=("cuda", "emulated"), default="cuda", help="emulated: a dry run; its times mean nothing")
    parser.add_argument("--stand-in", choices=("torch", "numpy"), help="whose tensors a dry run uses")
    parser.add_argument("--arch", help="sm_90a, ..; the GPU's own unless given")
    parser.add_argument("--variant", action="append", help=", ".join(cases.VARIANTS))
    parser.add_argument("--size", action="append", help="512, 1k .. 16k, b1 .. b32 or all; the largest unless given")
    parser.add_argument("--rival", action="append", choices=[*rivals.RIVALS, "none"], help="all unless given")
    parser.add_argument("--budget-seconds", type=float, default=540)
    parser.add_argument("-j", dest="jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-o", dest="out", type=pathlib.Path, default=pathlib.Path("gpu-bench.json"))
    options = parser.parse_args(argv)
    options.rival = [r for r in options.rival or rivals.RIVALS if r != "none"]
    chosen = choose(options)
    gpu = machine.cuda_device() if options.device == "cuda" else None
    if options.device == "cuda" and not gpu:
        print("skipped: no GPU answers here (nvidia-smi); --device emulated makes a dry run")
        return machine.SKIPPED
    try:
        device = devices.choose(options.device, options.stand_in)
    except ImportError as error:
        print(f"skipped: {error}")
        return machine.SKIPPED

    manifest = build.load_manifest()
    try:
        made = build.Build(options.device, (options.arch or machine.arch_of(gpu["compute_cap"])) if gpu else None, options.jobs)
        wanted = {v.program for v, _ in chosen}
        libraries, _ = made.build(programs=[p["name"] for p in manifest["programs"] if wanted & {e["function"] for e in p["entries"]}])
    except build.BuildError as error:
        print(error, file=sys.stderr)
        return 1
    for name, text in made.failed.items():
        print(f"{name} does not build:\n{text}", file=sys.stderr)
    about = machine.describe(options.device, manifest)
    record = {"kind": "bench", **about, "tensors": device.name, "ceilings": device.ceilings(), "cases": [], "left_out": [], "failed": [], "finished": False}
    print(f"{about['device']}, {device.name}" + (" -- DRY RUN: times mean nothing" if about["dry_run"] else ""))
    print(json.dumps(record["ceilings"]), flush=True)
    Bench(options, device, manifest, libraries, record).run(chosen)
    wrong = wrong_kernels(record)
    print(f"\n{options.out}: {len(record['cases'])} cases" + (f"; WRONG RESULTS: {', '.join(wrong)}" if wrong else ""))
    return 1 if wrong else 0
