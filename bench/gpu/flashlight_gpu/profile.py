# SPDX-License-Identifier: Apache-2.0
"""What limits one kernel: hardware counters through ncu, or, where ncu may not read them, the times of kernels with a
stage done twice or left out."""

import argparse
import csv
import io
import json
import os
import pathlib
import re
import sys
import tempfile
import time

from . import build, cases, devices, machine, rivals, worker
from .process import run

SECTIONS = ("SpeedOfLight", "ComputeWorkloadAnalysis", "MemoryWorkloadAnalysis", "WarpStateStats", "Occupancy", "LaunchStats")
# What is shown of the several hundred counters; all of them go to the JSON file.
SHOWN = (
    r"gpu__time_duration\.sum", r"sm__cycles_elapsed\.max", r"sm__throughput\..*pct", r"dram__throughput\..*pct", r"dram__bytes.*\.sum$",
    r"lts__t_sector_hit_rate\.pct", r"sm__inst_executed_pipe_(tensor|xu|fma|alu|lsu)\w*\..*pct", r"sm__pipe_tensor\w*cycles_active\..*pct",
    r"l1tex__data_bank_conflicts_pipe_lsu_mem_shared\w*\.sum$", r"smsp__average_warps_issue_stalled_\w+\.ratio", r"sm__warps_active\..*pct",
    r"launch__(registers_per_thread|occupancy_limit_\w+|shared_mem_per_block\w*)$",
)
REFUSED = re.compile(r"ERR_NVGPUCTRPERM|Failed to initialize the profiler|LibraryNotLoaded|no permission|No kernels were profiled", re.I)

# Stages, by the primitive that a kernel calls for it and what becomes of the calls. Results are wrong on purpose.
AGAIN = """namespace flashlight::device {
FL_DEVICE float exp2_again(float x) {
#if defined(__CUDACC__)
  float unused;
  asm volatile("ex2.approx.ftz.f32 %0, %1;" : "=f"(unused) : "f"(x));
#endif
  return exp2_fast(x);
}
}  // namespace flashlight::device
#define exp2_fast(x) exp2_again(x)
"""
STAGES = {
    "scores twice": ("multiply_transposed(?:_async)?", 2),
    "values twice": ("multiply(?:_async)?", 2),
    "loads twice": ("load_tile_async", 2),
    "no loads": ("load_tile_async", 0),
    "exp twice": ("exp2_fast", AGAIN),
    "no exp": ("exp2_fast", "#define exp2_fast(x) (x)\n"),
}
AS_IT_IS = "as it is"
STAGE_SECONDS = 60  # for a process that times one stage
EMULATED = 20  # times as long may it take on the emulated device
HEADERS_END = "#include <flashlight/generated/launch.h>\n"


class StageError(RuntimeError):
    """Why a stage was not timed."""


def change_stage(text, stage):
    """The emitted file with a stage's calls repeated, dropped or, inside expressions, redefined behind the headers; None where
    the kernels do not call the primitive (they may be another target's). A bulk copy cannot be repeated or dropped alone: a
    barrier counts its bytes."""
    primitive, change = STAGES[stage]
    if primitive == "load_tile_async" and "tma_load(" in text:
        return None
    head, end, rest = text.partition(HEADERS_END)
    call = rf"\b{primitive}(?:<[^<>;]*>)?\("
    if not end or not re.search(call, rest):
        return None
    if isinstance(change, str):
        return head + end + change + rest
    statement = re.compile(rf"^[ \t]*{call}[^;]*;$", re.M)
    return head + end + statement.sub(lambda m: "\n".join([m[0]] * change) or ";", rest)


def read_counters(text):
    """Metrics of the first kernel in ncu's raw CSV: name -> (value, unit)."""
    lines = text.splitlines()
    start = next((n for n, l in enumerate(lines) if l.startswith('"ID"')), None)
    if start is None:
        return {}
    rows = list(csv.reader(io.StringIO("\n".join(lines[start:]))))
    if len(rows) < 3:
        return {}
    return {name: (value, unit) for name, unit, value in zip(rows[0], rows[1], rows[2]) if value}


def number(value):
    try:
        return float(value.replace(",", ""))
    except ValueError:
        return None


def explain(counters):
    """The counters worth reading first, one a line, and the most frequent reasons for which warps wait."""
    lines = [f"  {n} = {v} {u}" for n, (v, u) in counters.items() if any(re.search(p, n) for p in SHOWN) and "stalled" not in n]
    stalls = {n: number(v) for n, (v, _) in counters.items() if "issue_stalled" in n and n.endswith(".ratio") and "not_issued" not in n}
    worst = sorted(((v, n) for n, v in stalls.items() if v is not None), reverse=True)[:5]
    return lines + [f"  stall {n.split('issue_stalled_')[1].split('_per_')[0].split('.')[0]}: {v:.2f} warps an issue" for v, n in worst]


def counters_of(options):
    """(counters, reason): one of them is empty."""
    ncu = machine.find_tool("ncu")
    if not ncu:
        return {}, "ncu is not here"
    if options.device != "cuda":
        return {}, "no GPU"
    # The clock is left as it is; the first launch only warms up.
    command = [ncu, "--clock-control", "none", "--kernel-name", "regex:_sm[0-9]+", "--launch-skip", 1, "--launch-count", 1, "--page", "raw",
               "--csv", *[w for s in SECTIONS for w in ("--section", s)], sys.executable, "-B", build.BUNDLE / "gpu-profile", "--launch", "--variant", options.variant,
               "--size", options.size, *(["--arch", options.arch] if options.arch else [])]
    code, text, _ = run(command, options.budget_seconds / 2)  # the other half is for stages
    counters = read_counters(text)
    if counters:
        return counters, ""
    refused = REFUSED.search(text)
    return {}, f"ncu: {refused[0]}" if refused else f"ncu ended with {code}: {text.strip()[-300:]}"


def set_up(options, manifest):
    """The chosen case and its tensors, and a maker of Rivals from a dictionary of libraries."""
    variant = cases.VARIANTS[options.variant]
    size = cases.dry_size(variant) if options.device != "cuda" else next(s for s in variant.sizes if s.label == options.size)
    device = devices.choose(options.device, options.stand_in)
    tensors = cases.make_inputs(variant, size, device)
    return device, lambda libraries: worker.ours(variant, size, device, tensors, manifest, libraries)


def program_of(variant, manifest):
    for program in manifest["programs"]:
        if any(e["function"] == cases.VARIANTS[variant].program for e in program["entries"]):
            return program["name"]
    sys.exit(f"gpu-profile: the bundle has no kernel for {variant}")


def build_stages(options, arch, program):
    """Libraries of the kernel as it is and with each stage changed: stage -> name -> path."""
    folder = build.BUNDLE / f"build-{arch or options.device}-stages"
    folder.mkdir(exist_ok=True)
    text = (build.BUNDLE / "kernels" / f"{program}.cu").read_text()
    texts = {AS_IT_IS: text, **{s: changed for s in options.stage or STAGES if (changed := change_stage(text, s))}}
    names = {}
    for stage, changed in texts.items():
        names[stage] = f"{program}_{stage.replace(' ', '_')}"
        path = folder / f"{names[stage]}.cu"
        if not path.exists() or path.read_text() != changed:
            path.write_text(changed)
    made = build.Build(options.device, arch, options.jobs, kernels=folder)
    libraries, _ = made.build(programs=names.values())
    if names[AS_IT_IS] not in libraries:
        raise build.BuildError(made.failed[names[AS_IT_IS]])
    left_out = {s: "the kernel does not use that primitive" for s in options.stage or STAGES if s not in texts}
    left_out.update({s: "does not build" for s, name in names.items() if name not in libraries})
    return {stage: {program: libraries[name]} for stage, name in names.items() if name in libraries}, left_out


def time_inside(folder):
    """In a process of its own: times what <folder>/order.json names, side by side, and writes <folder>/times.json. Returns the exit code;
    the last line says what failed."""
    os.environ["FLASHLIGHT_EMULATOR_CHECKS"] = "off"  # a stage done twice is a race, one left out reads what nobody wrote
    order = json.loads((folder / "order.json").read_text())
    device, make = set_up(argparse.Namespace(**order["options"]), build.load_manifest())
    words = lambda error: f"{type(error).__name__}: {worker.first_line(error)}"  # noqa: E731
    try:
        times = device.time({stage: make(paths).call for stage, paths in order["libraries"].items()})
    except Exception as error:  # such as a trap, after which the device answers nothing
        print(words(error))
        return 1
    machine.save(folder / "times.json", {stage: {"failed": words(t)} if isinstance(t, Exception) else t for stage, t in times.items()})
    return 0


def time_apart(options, libraries, seconds):
    """Times of the stages, by another process: a kernel with a stage changed may hang or trap, and shall take no other's times with it.
    Raises StageError with what ended it."""
    chosen = {name: getattr(options, name) for name in ("variant", "size", "device", "stand_in")}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        order = {"options": chosen, "libraries": {stage: {n: str(p) for n, p in paths.items()} for stage, paths in libraries.items()}}
        (folder / "order.json").write_text(json.dumps(order))
        code, text, _ = run([sys.executable, "-B", build.BUNDLE / "gpu-profile", "--inside", folder], seconds)
        if (folder / "times.json").exists():  # whatever the process ended with afterwards
            return json.loads((folder / "times.json").read_text())
    last = (text.strip().splitlines() or ["no text"])[-1][:300]
    raise StageError(f"hangs: killed after {seconds:.0f} s" if code is None else f"ended with {code}: {last}")


def time_stage(options, libraries, stage, left):
    """A stage's times and how they differ from those of the kernel as it is, in the same process. Raises StageError."""
    if left < 5:
        raise StageError("out of time")
    limit = min(left, STAGE_SECONDS * (1 if options.device == "cuda" else EMULATED))
    times = time_apart(options, {s: libraries[s] for s in dict.fromkeys((AS_IT_IS, stage))}, limit)
    for one in times.values():
        if "failed" in one:
            raise StageError(one["failed"])
    return {**times[stage], "difference_ms": round(times[stage]["ms"] - times[AS_IT_IS]["ms"], 6)}


def time_stages(options, arch, manifest, seconds):
    """Stage -> its times, within so many seconds after the build; why others have none is printed."""
    libraries, left_out = build_stages(options, arch, program_of(options.variant, manifest))
    deadline = time.monotonic() + seconds
    times = {AS_IT_IS: time_stage(options, libraries, AS_IT_IS, deadline - time.monotonic())}
    for stage in libraries:
        if stage == AS_IT_IS:
            continue
        try:
            times[stage] = time_stage(options, libraries, stage, deadline - time.monotonic())
        except StageError as error:
            left_out[stage] = str(error)
    for stage, t in times.items():
        print(f"  {stage:<14} {t['ms']:>10.4f} ms  {t['difference_ms']:>+10.4f} ms")
    for stage, why in left_out.items():
        print(f"  {stage}: {why}")
    return times


def launch_only(options, arch, manifest):
    program = program_of(options.variant, manifest)
    made = build.Build(options.device, arch, options.jobs)
    libraries, _ = made.build(programs=[program])
    device, make = set_up(options, manifest)
    call = make(libraries).call  # launches once
    for _ in range(2):
        call()
    device.synchronize()


def look(options, gpu, arch, manifest):
    """Reads counters, or times stages; prints and writes what it found."""
    if gpu:
        build.Build("cuda", arch, options.jobs).build(programs=[program_of(options.variant, manifest)])
    begin = time.monotonic()
    counters, reason = ({}, "--stages was given") if options.stages else counters_of(options)
    record = {"kind": "profile", **machine.describe(options.device, manifest), "variant": options.variant, "size": options.size}
    if counters:
        print(f"{options.variant} {options.size}: counters read by ncu")
        print("\n".join(explain(counters)))
        record.update(method="ncu", counters={n: {"value": v, "unit": u} for n, (v, u) in counters.items()})
    else:
        print(f"{options.variant} {options.size}: no counters ({reason}); times of the kernel with a stage changed"
              + (" -- DRY RUN: times mean nothing" if not gpu else ""), flush=True)
        left = options.budget_seconds - (time.monotonic() - begin)
        record.update(method="stages", why_no_counters=reason, stages=time_stages(options, arch, manifest, left))
    machine.save(options.out, record)
    print(f"{options.out}: by {record['method']}")


def main(argv=None):
    parser = argparse.ArgumentParser(prog="gpu-profile", description="Says what limits one kernel. Exit: 0 done, 1 failed, 77 no GPU.")
    parser.add_argument("--variant", default="causal-hd128", choices=list(cases.VARIANTS))
    parser.add_argument("--size", default="16k", help="a size of the variant (16k)")
    parser.add_argument("--stages", action="store_true", help="time kernels with a stage changed although ncu may be permitted")
    parser.add_argument("--stage", action="append", choices=list(STAGES), help="only this one; may be repeated")
    parser.add_argument("--launch", action="store_true", help="only launch the kernel a few times, for a profiler")
    parser.add_argument("--inside", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--device", choices=("cuda", "emulated"), default="cuda", help="emulated: a dry run; its times mean nothing")
    parser.add_argument("--stand-in", choices=("torch", "numpy"), help="whose tensors a dry run uses")
    parser.add_argument("--arch", help="sm_90a, ..; the GPU's own unless given")
    parser.add_argument("--budget-seconds", type=float, default=240, help="of looking (240); building is not counted and has a limit for each step")
    parser.add_argument("-j", dest="jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-o", dest="out", type=pathlib.Path, default=pathlib.Path("gpu-profile.json"))
    options = parser.parse_args(argv)
    if options.inside:
        return time_inside(options.inside)
    if options.size not in [s.label for s in cases.VARIANTS[options.variant].sizes]:
        parser.error(f"{options.variant} has no size {options.size}")
    gpu = machine.cuda_device() if options.device == "cuda" else None
    if options.device == "cuda" and not gpu:
        print("skipped: no GPU answers here (nvidia-smi); --device emulated makes a dry run")
        return machine.SKIPPED
    manifest = build.load_manifest()
    arch = (options.arch or machine.arch_of(gpu["compute_cap"])) if gpu else None
    try:
        if options.launch:
            launch_only(options, arch, manifest)
        else:
            look(options, gpu, arch, manifest)
        return 0
    except (build.BuildError, rivals.Absent, RuntimeError) as error:
        print(f"gpu-profile: {error}", file=sys.stderr)
        return 1
