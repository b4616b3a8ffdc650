# SPDX-License-Identifier: Apache-2.0
"""Runs every sample against its eager self and against kept float64 results, then under compute-sanitizer."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time

from . import build, machine

TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
SANITIZER_CODE = 86
# One size that fits no tile, with tiles that a diagonal crosses, and a strided input.
SANITIZED = ["--sq", "150", "--sk", "137", "--d", "40", "--noncontiguous"]
LINE = re.compile(r"error (\S+) tolerance (\S+)")


def read_cases(text):
    """What a sample printed, in numbers: cases, failures, and the largest error in units of its tolerance."""
    lines = [l for l in text.splitlines() if re.search(r"  ok$|FAIL", l)]
    ratios = [float(e) / float(t) for l in lines for e, t in LINE.findall(l) if float(t) > 0]
    kept = re.search(r"(\d+) kept references compared", text)
    return {
        "cases": len(lines), "failures": [l.strip() for l in lines if "FAIL" in l],
        "worst": min(round(max(ratios), 3), 1e9) if ratios else None, "kept": int(kept[1]) if kept else 0,
    }


def run(command, seconds, environment=None):
    """Exit code (None: killed after `seconds`), output, and how long it took."""
    begin = time.monotonic()
    try:
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=max(1, seconds), env={**os.environ, **(environment or {})})
        return done.returncode, done.stdout, time.monotonic() - begin
    except subprocess.TimeoutExpired as expired:
        text = expired.stdout.decode(errors="replace") if isinstance(expired.stdout, bytes) else expired.stdout or ""
        return None, text, time.monotonic() - begin


class Check:
    def __init__(self, options, executables, deadline):
        self.options, self.executables, self.deadline = options, executables, deadline
        self.sanitizer = machine.find_tool("compute-sanitizer") if options.device == "cuda" else None
        self.tools = [t for t in options.tools.split(",") if t] if options.tools else []

    def left(self):
        return self.deadline - time.monotonic()

    def results_of(self, name):
        """In 16-bit types, also against the kept references; then in float32, where the file was translated for it."""
        record = self.ugly_sizes(name, "--expected", build.BUNDLE / "expected" / name)
        if not self.options.float32:
            record["float32"] = {"verdict": "skipped", "why": "not translated for float32"}
        elif self.left() < 5:
            record["float32"] = {"verdict": "skipped", "why": "out of time"}
        else:
            record["float32"] = self.ugly_sizes(name, "--dtype", "fp32")
        return record

    def ugly_sizes(self, name, *more):
        code, text, seconds = run([self.executables[name], "--ugly", *more], self.left())
        record = {**read_cases(text), "seconds": round(seconds, 1)}
        passed = code == 0 and record["cases"] > 0 and not record["failures"]
        verdict = "pass" if passed else "out of time" if code is None else "FAIL"
        return {**record, "verdict": verdict, **({} if passed else {"exit": code, "output": text[-4000:]})}

    def sanitize(self, name, tool):
        if not self.sanitizer:
            return {"verdict": "skipped", "why": "the emulated device checks itself" if self.options.device != "cuda" else "no compute-sanitizer"}
        if self.left() < 5:
            return {"verdict": "skipped", "why": "out of time"}
        command = [self.sanitizer, "--tool", tool, "--error-exitcode", SANITIZER_CODE, "--print-limit", 5,
                   self.executables[name], *SANITIZED]
        code, text, seconds = run(command, self.left())
        if code == 0:
            return {"verdict": "pass", "seconds": round(seconds, 1)}
        if re.search(r"Device not supported|not supported on this|Unable to find|failed to initialize", text, re.I) and "ERROR SUMMARY" not in text:
            return {"verdict": "skipped", "why": "compute-sanitizer does not work here: " + text.strip()[-300:]}
        return {"verdict": "FAIL" if code is not None else "out of time", "exit": code, "output": text[-4000:]}

    def run_all(self):
        """Results first, since they matter most; then the tools, all samples side by side."""
        names = list(self.executables)
        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            results = dict(zip(names, pool.map(self.results_of, names)))
            pairs = [(n, t) for t in self.tools for n in names]
            found = dict(zip(pairs, pool.map(lambda pair: self.sanitize(*pair), pairs)))
        for name in names:
            results[name]["sanitizer"] = {t: found[name, t] for t in self.tools}
        return results


def table(results, tools):
    rows = [["sample", "16-bit", "cases", "kept", "worst error / allowed", "float32", *tools]]
    for name, r in results.items():
        worst = "-" if r["worst"] is None else f"{r['worst']:.2f}"
        rows.append([name, r["verdict"], str(r["cases"]), str(r["kept"]), worst, r["float32"]["verdict"], *(r["sanitizer"][t]["verdict"] for t in tools)])
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows)


def records(result):
    """All that was run for a sample, by what it is called."""
    return {"16-bit types": result, "float32": result["float32"], **result["sanitizer"]}


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


def main(argv=None):
    parser = argparse.ArgumentParser(prog="gpu-check", description="Builds every sample and holds its kernels against the eager program "
                                     "and against float64 results computed elsewhere; then looks for memory errors and races. "
                                     "Exit: 0 all passed (what was skipped is listed), 1 not, 77 no GPU.")
    parser.add_argument("--device", choices=("cuda", "emulated"), default="cuda", help="emulated: a dry run without a GPU")
    parser.add_argument("--arch", help="sm_90a, ..; the GPU's own unless given")
    parser.add_argument("--build-only", action="store_true", help="compile and link for --arch (sm_90a) and run nothing; needs no GPU")
    parser.add_argument("--sample", action="append", default=[], help="only this one; may be repeated")
    parser.add_argument("--tools", default=",".join(TOOLS), help="of compute-sanitizer; empty: none")
    parser.add_argument("--budget-seconds", type=float, default=300)
    parser.add_argument("-j", dest="jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-o", dest="out", type=pathlib.Path, default=pathlib.Path("gpu-check.json"))
    options = parser.parse_args(argv)
    deadline = time.monotonic() + options.budget_seconds
    manifest = build.load_manifest()
    names = [s["name"] for s in manifest["samples"] if not options.sample or s["name"] in options.sample]
    options.float32 = any("fp32" in s["options"] for s in manifest["samples"])
    if options.build_only:
        return build_only(options, manifest, names)
    gpu = machine.cuda_device() if options.device == "cuda" else None
    if options.device == "cuda" and not gpu:
        print("skipped: no GPU answers here (nvidia-smi); --device emulated makes a dry run")
        return machine.SKIPPED

    failed = {s["name"]: s["failed"] for s in manifest["samples"] if "failed" in s and s["name"] in names}
    about = machine.describe(options.device, manifest)
    try:
        made = build.Build(options.device, (options.arch or machine.arch_of(gpu["compute_cap"])) if gpu else None, options.jobs)
        _, executables = made.build(samples=[n for n in names if n not in failed])
    except build.BuildError as error:
        print(error, file=sys.stderr)
        return 1
    build_seconds = options.budget_seconds - (deadline - time.monotonic())
    print(f"{about['device']}: {len(executables)} samples built in {build_seconds:.0f} s", flush=True)

    failed.update({name: f"does not build: {text[-4000:]}" for name, text in made.failed.items()})
    check = Check(options, executables, deadline)
    results = check.run_all()
    text = table(results, check.tools)
    options.out.write_text(json.dumps({"kind": "check", **about, "build_seconds": made.times, "failed_before": failed, "samples": results}, indent=1) + "\n")
    print(text)
    for name, r in results.items():
        for what, record in records(r).items():
            if record["verdict"] in ("FAIL", "out of time"):
                print(f"\n{name}, {what}: {record['verdict']}\n" + "\n".join(record.get("output", "").splitlines()[-12:]))
    for name, text in failed.items():
        print(f"\n{name}: FAIL before it ran: {text}")
    every = [(what, one) for r in results.values() for what, one in records(r).items()]
    for what, why in sorted({(what, one["why"]) for what, one in every if one["verdict"] == "skipped"}):
        print(f"skipped: {what}: {why}")
    bad = [what for what, one in every if one["verdict"] in ("FAIL", "out of time")]
    print(f"{options.out}: " + (f"{len(bad)} checks failed" if bad or failed else "all checks that ran passed"))
    return 1 if bad or failed else 0
