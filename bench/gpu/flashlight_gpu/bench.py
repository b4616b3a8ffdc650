# SPDX-License-Identifier: Apache-2.0
"""Times the emitted kernels beside their rivals: all of a case in one process on the same tensors. This is the supervisor, which
knows no tensors: it builds, watches the process that times (worker.py), starts it anew where something ended it, and keeps the record."""

import argparse
import json
import os
import pathlib
import selectors
import subprocess
import sys
import time

from . import build, cases, devices, machine, process, rivals, worker

GRACE_SECONDS = 30  # beyond the budget, for what has begun
EMULATED = 20  # times as long may a step take on the emulated device
KINDS = ("causal", "differential", "evoformer", "invariant_point")  # programs or forms that come first
NAMES = [*worker.OURS, *rivals.RIVALS]


class Bench:
    def __init__(self, options, manifest, libraries, record):
        self.options, self.manifest, self.libraries, self.record = options, manifest, libraries, record
        self.deadline = time.monotonic() + options.budget_seconds
        self.absent = {}  # case -> name -> why it is not tried again

    def save(self):
        machine.save(self.options.out, self.record)

    def order(self, chosen):
        o = self.options
        return {
            "kind": o.device, "stand_in": o.stand_in, "seconds": self.deadline - time.monotonic(), "measures": o.device == "cuda",
            "cases": [(v.name, vars(s)) for v, s in chosen], "names": o.names, "absent": self.absent, "ceilings": not self.record["ceilings"],
            "manifest": self.manifest, "libraries": {n: str(p) for n, p in self.libraries.items()},
        }

    def take(self, event):
        """Adds what the worker told to the record. Returns the case that is done with it, or None."""
        for what in ("tensors", "ceilings"):
            if what in event:
                self.record[what] = event[what]
        if "ceilings" in event:
            print(json.dumps(event["ceilings"]), flush=True)
        for what in ("failed", "left_out"):
            if what in event:
                self.record[what].append(event[what])
                print(event[what], flush=True)
        if "result" in event:
            self.record["cases"].append(event["result"])
            show(event["result"])
        self.save()
        return event.get("case_done")

    def watch(self, chosen):
        """Runs a worker on these cases. Returns the labels of those that are done, and the step that ended it: None, or
        {"case", "name", "why"}."""
        reading, writing = os.pipe()
        with open(self.options.out.with_suffix(".log"), "ab") as log:
            child = subprocess.Popen([sys.executable, "-B", str(build.BUNDLE / "gpu-bench"), "--worker", str(writing)], pass_fds=[writing],
                                     stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)
        os.close(writing)
        done, step, why, rest = [], {"step": "start", "seconds": worker.START_SECONDS}, None, b""
        begin = time.monotonic()
        try:
            child.stdin.write(json.dumps(self.order(chosen)).encode())
            child.stdin.close()
            with selectors.DefaultSelector() as selector:
                selector.register(reading, selectors.EVENT_READ)
                while True:
                    limit = begin + step["seconds"] * (1 if self.options.device == "cuda" else EMULATED)
                    last = self.deadline + GRACE_SECONDS
                    if not selector.select(max(0, min(limit, last) - time.monotonic())):
                        why = "out of time" if last <= limit else f"hangs: killed after {step['seconds']} s"
                        break
                    data = os.read(reading, 1 << 16)
                    if not data:
                        break
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        event = json.loads(line)
                        if "step" in event:
                            step, begin = event, time.monotonic()
                        elif "poisoned" in event:
                            why = f"ended the process: {event['poisoned']}"
                        elif case := self.take(event):
                            done.append(case)
        except BrokenPipeError:
            pass
        finally:
            os.close(reading)
            if why:
                process.kill(child)
            try:
                code = child.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill(child)
                code = "stuck"
            process.kill(child)  # compilers that it started
        if not why and code == 0:
            return done, None
        return done, {"case": step.get("case"), "name": step.get("name"), "step": step["step"], "why": why or f"the process ended with {code}"}

    def leave_out_program(self, ended, todo):
        """What of ours hung or trapped is not tried on the program's other cases: each would cost a new process and this limit again."""
        labels = {f"{v.name} {s.label}": v.program for v, s in todo}
        for label, program in labels.items():
            if program == labels.get(ended["case"]):
                why = f"not tried again after {ended['case']}, {ended['step']}: {ended['why']}"
                self.absent.setdefault(label, {}).setdefault(ended["name"], why)

    def run(self, chosen):
        todo = list(chosen)
        while todo:
            done, ended = self.watch(todo)
            todo = [(v, s) for v, s in todo if f"{v.name} {s.label}" not in done]
            if not ended:
                break
            if ended["why"] == "out of time":
                self.record["left_out"] += [f"{v.name} {s.label}: out of time" + (f" in {ended['step']}, {ended['name'] or 'all'}" if k == 0 else "")
                                            for k, (v, s) in enumerate(todo)]
                break
            text = f"{ended['case'] or 'the process'}, {ended['name'] or 'all'}, {ended['step']}: {ended['why']}"
            print(text, flush=True)
            if ended["step"] == "ceilings" and not self.record["ceilings"]:  # cases are worth timing without
                self.record["ceilings"] = {"failed": ended["why"]}
                continue
            if ended["case"] is None:  # before the first case, or between two: the next worker would end there too
                self.record["failed"].append(text)
                self.record["left_out"] += [f"{v.name} {s.label}: no process to time it" for v, s in todo]
                break
            if ended["name"] is None:
                self.record["failed"].append(text)
                todo = [(v, s) for v, s in todo if f"{v.name} {s.label}" != ended["case"]]
                continue
            if ended["name"] in worker.OURS:
                self.record["failed"].append(text)
                self.leave_out_program(ended, todo)
            self.absent.setdefault(ended["case"], {})[ended["name"]] = f"{ended['step']}: {ended['why']}"
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
        more += f"  {', '.join(r['kernels'])}" if r.get("kernels") else ""
        more += f"  ({r['note']})" if r.get("note") else ""
        print(f"  {r['name']:<15} {r['ms']:>10.4f} ms {r['tflops']:>8.1f} TFLOP/s {r['tb_s']:>6.2f} TB/s  error {error}{more}{wrong}", flush=True)


def early(chosen):
    """The same cases, one of each kind first: a run that is cut short has seen all kinds. It is the largest of a kind's first variant."""
    first = {}
    for variant, size in chosen:
        kind = variant.program if variant.form == "attention" else variant.form
        if kind in KINDS and first.setdefault(kind, (variant, size))[0] is variant:
            first[kind] = variant, size
    head = [first[kind] for kind in KINDS if kind in first]
    return head + [case for case in chosen if case not in head]


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
    chosen = [(v, s) for v in variants for s in v.sizes if s.label in options.size or "all" in options.size]
    return chosen or sys.exit(f"gpu-bench: none of these variants has a size {' or '.join(options.size)}")


def wrong_kernels(record):
    """Cases whose kernel failed or differs from the reference by more than is allowed."""
    return record["failed"] + [f"{c['variant']} {c['size']['label']} {r['name']}" for c in record["cases"] for r in c["results"]
                               if r["name"] in worker.OURS and r.get("correct") is False]


def parse(argv):
    parser = argparse.ArgumentParser(prog="gpu-bench", description="Times the emitted kernels beside PyTorch's attention. Exit: 0 done, "
                                     "1 one of our results is wrong or a build failed, 77 no GPU or no PyTorch.")
    parser.add_argument("--device", choices=("cuda", "emulated"), default="cuda", help="emulated: a dry run; its times mean nothing")
    parser.add_argument("--stand-in", choices=("torch", "numpy"), help="whose tensors a dry run uses")
    parser.add_argument("--arch", help="sm_90a, ..; the GPU's own unless given")
    parser.add_argument("--variant", action="append", help=", ".join(cases.VARIANTS))
    parser.add_argument("--size", action="append", help="512, 1k .. 16k, b1 .. b32 or all; the largest unless given")
    parser.add_argument("--rival", action="append", choices=[*NAMES[1:], "none"], help="all unless given; flashlight-sm80: our kernels for sm_80")
    parser.add_argument("--budget-seconds", type=float, default=540, help="of timing (540); building comes before and has a limit for each step")
    parser.add_argument("-j", dest="jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-o", dest="out", type=pathlib.Path, default=pathlib.Path("gpu-bench.json"))
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    options.names = ["flashlight"] + [r for r in NAMES[1:] if r in (options.rival or NAMES)]
    return options


def main(argv=None):
    options = parse(argv)
    if options.worker is not None:
        return worker.main(options.worker, json.load(sys.stdin))
    chosen = early(choose(options))
    gpu = machine.cuda_device() if options.device == "cuda" else None
    if options.device == "cuda" and not gpu:
        print("skipped: no GPU answers here (nvidia-smi); --device emulated makes a dry run")
        return machine.SKIPPED
    if missing := devices.missing(options.device, options.stand_in):
        print(f"skipped: {missing}")
        return machine.SKIPPED

    manifest = build.load_manifest()
    begin = time.monotonic()
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
    record = {"kind": "bench", **about, "tensors": "", "ceilings": {}, "cases": [], "left_out": [], "failed": [], "finished": False}
    print(about["device"] + (" -- DRY RUN: times mean nothing" if about["dry_run"] else "") + f"; built in {time.monotonic() - begin:.0f} s", flush=True)
    options.out.with_suffix(".log").unlink(missing_ok=True)
    Bench(options, manifest, libraries, record).run(chosen)
    wrong = wrong_kernels(record)
    print(f"\n{options.out}: {len(record['cases'])} cases" + (f"; WRONG RESULTS: {', '.join(wrong)}" if wrong else ""))
    return 1 if wrong else 0
