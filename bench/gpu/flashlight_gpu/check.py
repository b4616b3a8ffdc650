# SPDX-License-Identifier: Apache-2.0
"""Runs every sample against its eager self and against kept float64 results, then under compute-sanitizer."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import sys
import threading
import time

from . import build, machine
from .entries import kernels_in
from .process import run

TOOLS = ("memcheck", "racecheck", "synccheck", "initcheck")
SANITIZER_CODE = 86
# One size that fits no tile, with tiles that a diagonal crosses, and a strided input.
SANITIZED = ["--sq", "150", "--sk", "137", "--d", "40", "--noncontiguous"]
PROGRAM_SECONDS = {"cuda": 60, "emulated": 300}  # a program that runs longer hangs
SANITIZER_SECONDS = 90
KNOWS_BULK_COPIES = (2025, 4)  # the first compute-sanitizer whose initcheck does
LINE = re.compile(r"error (\S+) tolerance (\S+)")
# What is known to be outside of the tolerance, up to which error, and why (ARCHITECTURE.md, Departures).
DEPARTURES = {("stick_breaking", "float32"): (1e-3, "a running sum in float32, where the eager program has float64")}
BAD = ("FAIL", "hangs", "out of time")


def read_cases(text):
    """What a sample printed, in numbers: cases, failures, the largest error in units of its tolerance, and the kernels' starts."""
    lines = [l for l in text.splitlines() if re.search(r"  ok$|FAIL", l)]
    ratios = [float(e) / float(t) for l in lines for e, t in LINE.findall(l) if float(t) > 0]
    kept = re.search(r"(\d+) kept references compared", text)
    started = re.search(r"^kernels:(.*)$", text, re.M)
    words = started[1].split() if started else []
    return {
        "cases": len(lines), "failures": [l.strip() for l in lines if "FAIL" in l],
        "worst": min(round(max(ratios), 3), 1e9) if ratios else None, "kept": int(kept[1]) if kept else 0,
        "kernels": {name: int(count) for name, count in zip(words[::2], words[1::2])},
    }


def sanitizer_version(tool):
    """(year, release) of compute-sanitizer; None where it does not say."""
    found = re.search(r"Version (\d+)\.(\d+)", machine.output_of([tool, "--version"]) or "")
    return (int(found[1]), int(found[2])) if found else None


def of_runs(kernel):
    """Whether it is for few queries, or combines what runs of keys leave."""
    return "_few_" in kernel or "_combine_" in kernel


def arch_of(kind):
    return "sm_80" if kind in ("runs", "float32") else kind


def runs_of(kind):
    """Which of a file's kernels are to run, whatever the sizes are: with keys in three runs, or without any."""
    return {} if kind == "float32" else {"FLASHLIGHT_KEY_RUNS": "3" if kind == "runs" else "0"}


def excuse(name, kind, failures):
    """Why these failures are none: (verdict, why), or None."""
    if failures and all("this file has kernels for" in f for f in failures):
        return "refused", failures[0].split("FAIL: ")[-1]
    if (name, kind) in DEPARTURES:
        most, why = DEPARTURES[name, kind]
        errors = [re.search(r"FAIL: error (\S+) where", f) for f in failures]
        if all(e and float(e[1]) <= most for e in errors):
            return "departs", f"{why}: at most {most:g} is expected"
    return None


class Check:
    """results: sample -> {"results": kind -> record, "sanitizer": tool -> kind -> record}. A kind is what was run: an architecture's
    kernels in 16-bit types, "runs", those for few queries with keys in runs, or "float32"."""

    def __init__(self, options, executables, deadline, save=lambda results: None):
        self.options, self.executables, self.deadline = options, executables, deadline
        self.sanitizer = machine.find_tool("compute-sanitizer") if options.device == "cuda" else None
        self.sanitizer_version = sanitizer_version(self.sanitizer) if self.sanitizer else None
        self.tools = [t for t in options.tools.split(",") if t] if options.tools else []
        self.results = {name: {"results": {}, "sanitizer": {t: {} for t in self.tools}} for name in executables}
        self.names_of = {name: kernels_in((build.BUNDLE / "kernels" / f"{name}.cu").read_text()) for name in executables}
        self.save, self.lock = save, threading.Lock()

    def left(self):
        return self.deadline - time.monotonic()

    def kinds_of(self, name):
        """Both architectures' kernels where the file has both and the device runs them."""
        both = self.options.hopper and any(k.endswith("_sm90a") for k in self.names_of[name])
        runs = ["runs"] if any(map(of_runs, self.names_of[name])) else []
        return (["sm_90a", "sm_80"] if both else ["sm_80"]) + runs

    def ugly_sizes(self, name, kind):
        if kind == "float32" and not self.options.float32:
            return {"verdict": "skipped", "why": "not translated for float32"}
        if self.left() < 5:
            return {"verdict": "out of time"}
        more = ["--dtype", "fp32"] if kind == "float32" else ["--arch", arch_of(kind), "--expected", build.BUNDLE / "expected" / name]
        limit = min(self.left(), PROGRAM_SECONDS[self.options.device])
        code, text, seconds = run([self.executables[name], "--ugly", *more], limit, runs_of(kind))
        record = {**read_cases(text), "seconds": round(seconds, 1)}
        due = [k for k in self.names_of[name] if k.endswith(arch_of(kind).replace("_", "")) and of_runs(k) == (kind == "runs")]
        missing = [k for k in due if kind != "float32" and k not in record["kernels"]]
        if code == 0 and record["cases"] > 0 and not record["failures"] and not missing:
            return {**record, "verdict": "pass"}
        if code == 1 and (excused := excuse(name, kind, record["failures"])):
            return {**record, "verdict": excused[0], "why": excused[1]}
        if missing:
            record["never_started"] = missing
        verdict = "FAIL" if code is not None else "hangs" if limit == PROGRAM_SECONDS[self.options.device] else "out of time"
        return {**record, "verdict": verdict, "exit": code, "output": text[-4000:]}

    def why_not_sanitized(self, tool, kind):
        """Why a tool's words about these kernels are not worth having; None where they are."""
        if not self.sanitizer:
            return "the emulated device checks itself" if self.options.device != "cuda" else "no compute-sanitizer"
        version = self.sanitizer_version
        if tool == "initcheck" and arch_of(kind) == "sm_90a" and version and version < KNOWS_BULK_COPIES:
            return f"initcheck of compute-sanitizer {version[0]}.{version[1]} takes what cp.async.bulk stores for never written; 2025.4 knows it"
        return None

    def sanitize(self, name, tool, kind):
        if why := self.why_not_sanitized(tool, kind):
            return {"verdict": "skipped", "why": why}
        if self.left() < 5:
            return {"verdict": "skipped", "why": "out of time"}
        limit = min(self.left(), SANITIZER_SECONDS)
        # What the runtime returns is looked at by the program itself; memory may be given back when the context is gone.
        returned = ["--report-api-errors", "no"] if tool == "memcheck" else []
        command = [self.sanitizer, "--tool", tool, *returned, "--error-exitcode", SANITIZER_CODE, "--print-limit", 5,
                   self.executables[name], *SANITIZED, "--arch", arch_of(kind)]
        code, text, seconds = run(command, limit, runs_of(kind))
        record = {"seconds": round(seconds, 1)}
        if code == 0:
            return {**record, "verdict": "pass"}
        if re.search(r"Device not supported|not supported on this|Unable to find|failed to initialize", text, re.I) and "ERROR SUMMARY" not in text:
            return {**record, "verdict": "skipped", "why": "compute-sanitizer does not work here: " + text.strip()[-300:]}
        if code is None:  # instrumented kernels are slow: that one is killed says nothing about it
            return {**record, "verdict": "skipped", "why": f"killed after {limit:.0f} s", "output": text[-4000:]}
        return {**record, "verdict": "FAIL", "exit": code, "output": text[:4000] + ("\n..\n" + text[-2000:] if len(text) > 6000 else text[4000:])}

    def keep(self, place, kind, work, *arguments):
        record = work(*arguments)
        with self.lock:
            place[kind] = record
            self.save(self.results)

    def run_all(self):
        """Results first, since they matter most; then one tool after another, all samples side by side."""
        kinds = {n: self.kinds_of(n) for n in self.executables}
        first = [(self.results[n]["results"], k, self.ugly_sizes, n, k) for n in kinds for k in [*kinds[n], "float32"]]
        then = [(self.results[n]["sanitizer"][t], k, self.sanitize, n, t, k) for t in self.tools for n in kinds for k in kinds[n]]
        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            for done in [pool.submit(self.keep, *work) for work in first + then]:
                done.result()
        return self.results


def records(result):
    """All that was run for a sample, by what it is called."""
    tools = {f"{tool}, {kind}": r for tool, by_kind in result["sanitizer"].items() for kind, r in by_kind.items()}
    return {**result["results"], **tools}


def table(results, tools):
    rows = [["sample", "sm_90a", "sm_80", "runs", "float32", "cases", "kept", "worst error / allowed", *tools]]
    for name, r in results.items():
        runs = r["results"].values()
        worst = max((one["worst"] for one in runs if one.get("worst") is not None), default=None)
        verdicts = [r["results"].get(kind, {"verdict": "-"})["verdict"] for kind in ("sm_90a", "sm_80", "runs", "float32")]
        counts = [str(sum(one.get(what, 0) for one in runs)) for what in ("cases", "kept")]
        checked = [", ".join(dict.fromkeys(one["verdict"] for one in r["sanitizer"][t].values())) or "-" for t in tools]
        rows.append([name, *verdicts, *counts, "-" if worst is None else f"{worst:.2f}", *checked])
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows)


def show(results, tools, failed):
    """Prints the table, what went wrong and what was left out. Returns how many checks failed."""
    print(table(results, tools))
    every = [(name, what, record) for name, r in results.items() for what, record in records(r).items()]
    bad = [one for one in every if one[2]["verdict"] in BAD]
    for name, what, record in bad:
        print(f"\n{name}, {what}: {record['verdict']}")
        if missing := record.get("never_started"):
            print(f"never started: {', '.join(missing)}")
        print("\n".join(record.get("output", "").splitlines()[-12:]))
    for name, text in failed.items():
        print(f"\n{name}: FAIL before it ran: {text}")
    reasons = {}
    for name, what, record in every:
        if record["verdict"] not in (*BAD, "pass"):
            reasons.setdefault((record["verdict"], record["why"]), []).append(f"{name} ({what})")
    for (verdict, why), where in reasons.items():
        print(f"{verdict}: {', '.join(where) if len(where) <= 3 else f'{len(where)} checks'}: {why}")
    return len(bad) + len(failed)


def build_only(options, manifest, names):
    """All that the runners would build; without --sample the programs too."""
    if options.device == "cuda" and not machine.find_tool("nvcc"):
        print("skipped: no nvcc")
        return machine.SKIPPED
    arch = (options.arch or "sm_90a") if options.device == "cuda" else None
    programs = [] if options.sample else [p["name"] for p in manifest["programs"] if "failed" not in p]
    begin = time.monotonic()
    try:
        made = build.Build(options.device, arch, options.jobs)
        made.build(programs, names)
    except build.BuildError as error:
        print(error, file=sys.stderr)
        return 1
    for name, text in made.failed.items():
        print(f"FAILED: {name} does not build:\n{text}", file=sys.stderr)
    if made.failed:
        return 1
    slowest = max(made.times.items(), key=lambda item: item[1], default=("nothing", 0))
    print(f"{len(names)} samples and {len(programs)} programs built for {arch or 'the emulated device'} in {time.monotonic() - begin:.0f} s on "
          f"{options.jobs} cores; the longest step, {slowest[0]}, took {slowest[1]:.0f} s; nothing was run")
    return 0


def parse(argv):
    parser = argparse.ArgumentParser(prog="gpu-check", description="Builds every sample and holds its kernels, those for sm_90a and those for "
                                     "sm_80, against the eager program and against float64 results computed elsewhere; then looks for memory "
                                     "errors and races. Exit: 0 all passed (what was skipped is listed), 1 not, 77 no GPU.")
    parser.add_argument("--device", choices=("cuda", "emulated"), default="cuda", help="emulated: a dry run without a GPU")
    parser.add_argument("--arch", help="sm_90a, ..; the GPU's own unless given")
    parser.add_argument("--build-only", action="store_true", help="compile and link for --arch (sm_90a) and run nothing; needs no GPU")
    parser.add_argument("--sample", action="append", default=[], help="only this one; may be repeated")
    parser.add_argument("--tools", default=",".join(TOOLS), help="of compute-sanitizer; empty: none")
    parser.add_argument("--budget-seconds", type=float, default=300, help="of running (300); building comes before and has a limit for each step")
    parser.add_argument("-j", dest="jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-o", dest="out", type=pathlib.Path, default=pathlib.Path("gpu-check.json"))
    return parser.parse_args(argv)


def main(argv=None):
    options = parse(argv)
    manifest = build.load_manifest()
    if unknown := set(options.sample) - {s["name"] for s in manifest["samples"]}:
        sys.exit(f"gpu-check: the bundle has no sample {', '.join(sorted(unknown))}")
    names = [s["name"] for s in manifest["samples"] if not options.sample or s["name"] in options.sample]
    options.float32 = any("fp32" in s["options"] for s in manifest["samples"])
    if options.build_only:
        return build_only(options, manifest, names)
    gpu = machine.cuda_device() if options.device == "cuda" else None
    if options.device == "cuda" and not gpu:
        print("skipped: no GPU answers here (nvidia-smi); --device emulated makes a dry run")
        return machine.SKIPPED

    failed = {s["name"]: s["failed"] for s in manifest["samples"] if "failed" in s and s["name"] in names}
    arch = (options.arch or machine.arch_of(gpu["compute_cap"])) if gpu else None
    options.hopper = arch in (None, "sm_90a")  # the emulated device passes for one
    about = machine.describe(options.device, manifest)
    begin = time.monotonic()
    try:
        made = build.Build(options.device, arch, options.jobs)
        _, executables = made.build(samples=[n for n in names if n not in failed])
    except build.BuildError as error:
        print(error, file=sys.stderr)
        return 1
    build_seconds = time.monotonic() - begin
    print(f"{about['device']}: {len(executables)} samples built in {build_seconds:.0f} s", flush=True)

    failed.update({name: f"does not build: {text[-4000:]}" for name, text in made.failed.items()})
    record = {"kind": "check", **about, "build_wall_seconds": round(build_seconds, 1), "build_seconds": made.times, "failed_before": failed}

    def save(results, finished=False):
        machine.save(options.out, {**record, "finished": finished, "samples": results})

    check = Check(options, executables, time.monotonic() + options.budget_seconds, save)
    results = check.run_all()
    save(results, finished=True)
    bad = show(results, check.tools, failed)
    print(f"{options.out}: " + (f"{bad} checks failed" if bad else "all checks that ran passed"))
    return 1 if bad else 0
