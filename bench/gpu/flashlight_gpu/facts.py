# SPDX-License-Identifier: Apache-2.0
"""Puts what the kernels assume of the hardware to the test: small programs, each of which prints what it saw."""

import argparse
import concurrent.futures
import json
import os
import pathlib

from . import build, machine
from .process import run

SECONDS = 60  # a program that runs longer hangs


def read_facts(text):
    """The JSON lines of a program; other lines are ignored."""
    facts = []
    for line in text.splitlines():
        try:
            fact = json.loads(line)
        except ValueError:
            continue
        if isinstance(fact, dict) and "verdict" in fact:
            facts.append(fact)
    return facts


def links_libcuda(path):
    """Whether the program needs libcuda to start, which a machine without a driver lacks."""
    needed = machine.output_of(["readelf", "-d", str(path)]) or machine.output_of(["ldd", str(path)])
    return None if needed is None else "libcuda.so" in needed


def link_fact(programs):
    linked = [p.name for p in programs if links_libcuda(p)]
    unknown = any(links_libcuda(p) is None for p in programs)
    verdict = "FAIL" if linked else "INFO" if unknown else "PASS"
    observed = ", ".join(linked) or ("neither readelf nor ldd is here" if unknown else "none")
    return {"fact": "no-program-links-libcuda", "verdict": verdict, "observed": observed, "expected": "none", "program": "link"}


def observe(program):
    code, text, _ = run([program], SECONDS)
    name = program.name.removeprefix("fact_")
    facts = [{**f, "program": name} for f in read_facts(text)]
    if code not in (0, 1) or not facts:  # 1: a fact failed, and says so itself
        why = "hangs" if code is None else f"exit code {code}"
        facts.append({"fact": f"{name}-runs", "verdict": "FAIL", "observed": f"{why}: {text.strip()[-200:]}", "expected": "it ends", "program": name})
    return facts


def main(argv=None):
    parser = argparse.ArgumentParser(prog="gpu-facts", description="Tests each hardware fact that the Hopper kernels rest on. Exit: 0 all "
                                     "hold, 1 one does not or does not compile, 77 no GPU or no nvcc.")
    parser.add_argument("--compile-only", action="store_true", help="needs no GPU")
    parser.add_argument("--arch", default="sm_90a", help="what to compile for (sm_90a)")
    parser.add_argument("--program", action="append", default=[], help="only this one of facts/; may be repeated")
    parser.add_argument("-j", dest="jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-o", dest="out", type=pathlib.Path, default=pathlib.Path("gpu-facts.json"))
    options = parser.parse_args(argv)
    gpu = machine.cuda_device()
    if not machine.find_tool("nvcc"):
        print("skipped: no nvcc")
        return machine.SKIPPED
    if not options.compile_only and (not gpu or not gpu["compute_cap"].startswith("9.")):
        print("skipped: no GPU of compute capability 9.x answers here (nvidia-smi); --compile-only compiles")
        return machine.SKIPPED

    sources = sorted((build.BUNDLE / "facts").glob("*.cu"))
    sources = [s for s in sources if not options.program or s.stem in options.program]
    made = build.Build("cuda", options.arch, options.jobs)
    try:
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            programs = list(pool.map(made.build_fact, sources))
    except build.BuildError as error:
        print(error)
        return 1
    facts = [link_fact(programs)]
    if not options.compile_only:
        for program in programs:  # one after another: the rates want the GPU to themselves
            facts += observe(program)
    for f in facts:
        print(f"{f['verdict']:<5} {f['fact']:<42} {f['observed']}")
    about = machine.describe("cuda", build.load_manifest() if (build.BUNDLE / "manifest.json").exists() else {})
    machine.save(options.out, {"kind": "facts", **about, "compiled_only": options.compile_only, "facts": facts})
    failed = [f["fact"] for f in facts if f["verdict"] == "FAIL"]
    ran = "compiled only, nothing ran" if options.compile_only else f"{len(facts)} facts"
    print(f"{options.out}: {len(programs)} programs, {ran}" + (f"; FAILED: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0
