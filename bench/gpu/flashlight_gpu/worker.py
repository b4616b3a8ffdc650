# SPDX-License-Identifier: Apache-2.0
"""One process that times cases. It tells its supervisor (bench.py) what it is about to do and for how long it may, so that a hang is
known for one and ended, and what ended a context (a trap, an illegal address) is known by name and left out next time."""

import ctypes
import json
import math
import os
import sys
import time

from . import build, cases, devices, entries, rivals

REFERENCE_ELEMENTS = 1 << 28  # scores of one slice of the reference: 1 GiB of float32
ALLOWED = 1.5  # our error may be this many times that of the naive bfloat16 program
OURS = {"flashlight": None, "flashlight-sm80": "sm_80"}  # -> FLASHLIGHT_ARCH
SAME_KERNELS = "the same kernels as flashlight"
OUT_OF_TIME = "out of time"  # of what was not tried: nothing is known of it
POISONED = 3  # exit code of a worker whose device no longer answers
START_SECONDS = 300  # the first import of PyTorch on a machine reads gigabytes
STEP_SECONDS = {**dict.fromkeys(OURS, 25), "compile": 180, "flex": 180, "flex-flash": 240, "flex-options": 400, "flex-autotune": 400}
USUAL_SECONDS = 120
EXPENSIVE = {"flex-options": 45, "flex-autotune": 45}  # seconds that must be left to begin


def reference(variant, size, device, tensors, narrow=False):
    """The naive program in float32, or in bfloat16, a slice of queries at a time: its results."""
    rows = max(1, min(size.length, REFERENCE_ELEMENTS // (size.batch * size.rows * size.heads * size.length)))
    given = tensors if narrow else {n: device.float32(t) for n, t in tensors.items()}
    parts = []
    for first in range(0, size.length, rows):
        one = lambda: cases.naive(variant, size, device.x, device, given, slice(first, min(size.length, first + rows)))  # noqa: E731,B023
        parts.append(device.narrowly(one) if narrow else one())
    axis = 3 if variant.form == "evoformer" else 2
    return [device.cat(some, axis) if len(some) > 1 else some[0] for some in zip(*parts)]


def has_hopper_form(program, kernels):
    """Whether the file has kernels for sm_90a in place of any of these for sm_80. Asked of its text: to start one may end the process."""
    known = entries.kernels_in((build.BUNDLE / "kernels" / f"{program}.cu").read_text())
    return any(k.endswith("_sm80") and k.removesuffix("_sm80") + "_sm90a" in known for k in kernels)


def load_entry(variant, manifest, libraries):
    """The variant's C entry and the name of its program. Raises Absent with the translator's words where there is none."""
    for program in manifest["programs"]:
        for entry in program["entries"]:
            if entry["function"] == variant.program:
                if program["name"] not in libraries:
                    raise RuntimeError("the kernel does not build")
                return entries.Entry(ctypes.CDLL(str(libraries[program["name"]])), entry), program["name"]
        for unfused in program.get("unfused", []):
            if unfused["function"] == variant.program:
                raise rivals.Absent(f"not fused: {unfused['reason']}")
    failed = [p["failed"].splitlines()[0] for p in manifest["programs"] if "failed" in p]
    raise rivals.Absent("no such entry" + (f"; not translated: {failed[0]}" if failed else ""))


def ours(variant, size, device, tensors, manifest, libraries, arch=None):
    """Our kernels. arch: what FLASHLIGHT_ARCH says at their launches."""
    entry, program = load_entry(variant, manifest, libraries)
    results = [device.poisoned(shape) for shape in cases.result_shapes(variant, size)]
    try:
        call = entry.prepare({n: device.dl(t) for n, t in tensors.items()}, variant.scalars, [device.dl(r) for r in results])
        workspace = device.workspace(call.workspace_bytes)

        def run():
            call(device.stream(), device.pointer(workspace))
            return results

        def run_for_arch():
            with entries.environment(FLASHLIGHT_ARCH=arch):
                return run()

        chosen = run_for_arch if arch else run
        with entry.observed() as kernels:
            chosen()
        device.synchronize()
    except entries.EntryError as error:
        if error.refuses():
            raise rivals.Absent(str(error)) from None
        raise
    if arch and not has_hopper_form(program, kernels):
        raise rivals.Absent(SAME_KERNELS)
    return rivals.Rival(chosen, kernels=kernels, workspace_bytes=call.workspace_bytes)


def first_line(error):
    return (str(error).strip().splitlines() or ["no text"])[0][:300]


def leave_out_twins(ready):
    """Without flashlight-sm80 where a launcher took kernels for sm_80 by itself: of these sizes it has no others."""
    kernels = [ready[name].facts["kernels"] for name in OURS if isinstance(ready.get(name), rivals.Rival)]
    if len(kernels) == len(OURS) and kernels[0] == kernels[1]:
        ready["flashlight-sm80"] = rivals.Absent(SAME_KERNELS)
    return ready


class Worker:
    def __init__(self, order, events):
        """order: what bench.Bench sends. events: a file for lines of JSON."""
        self.order, self.events = order, events
        self.deadline = time.monotonic() + order["seconds"]
        self.device = None

    def tell(self, **event):
        self.events.write(json.dumps(event) + "\n")
        self.events.flush()

    def step(self, what, case=None, name=None):
        seconds = START_SECONDS if what == "start" else STEP_SECONDS.get(name, USUAL_SECONDS)
        self.tell(step=what, case=case, name=name, seconds=seconds)

    def left(self):
        return self.deadline - time.monotonic()

    def still_works(self):
        try:
            self.device.synchronize()
            return True
        except Exception:
            return False

    def end_if_poisoned(self, text):
        if not self.still_works():
            self.tell(poisoned=text)
            os._exit(POISONED)

    def attempt(self, case, name, work):
        """work(), or the Absent that says why not. Ends the process where the device no longer answers."""
        try:
            result = work()
            self.device.synchronize()  # what it started fails here, not in somebody else's turn
            return result
        except rivals.Absent as absent:
            text = str(absent)
            refused = absent.__context__ is None and "memory" not in text  # else it stands for an exception: perhaps no memory is left
        except Exception as error:  # whatever one throws, the others are still to be timed
            text, refused = f"{type(error).__name__}: {first_line(error)}", False
            self.end_if_poisoned(text)
            if name in OURS:
                self.tell(failed=f"{case} {name}: {first_line(error)}")
        if not refused:  # the exceptions are gone by now, and with them the frames that held tensors
            self.device.trim()
        return rivals.Absent(text)

    def make_ready(self, case, variant, size, tensors):
        """name -> Rival or Absent, ours first."""
        makers = {name: lambda arch=OURS[name]: ours(variant, size, self.device, tensors, self.order["manifest"], self.order["libraries"], arch)
                  for name in self.order["names"] if name in OURS}
        for name in self.order["names"]:
            if name not in OURS:
                makers[name] = lambda make=rivals.RIVALS[name]: make(variant, size, self.device, tensors)
        ready = {}
        for name, make in makers.items():
            if why := self.order["absent"].get(case, {}).get(name):
                ready[name] = rivals.Absent(why)
            elif self.left() <= EXPENSIVE.get(name, 0) and self.order["measures"]:
                ready[name] = rivals.Absent(OUT_OF_TIME)
            else:
                self.step("first call", case, name)
                ready[name] = self.attempt(case, name, make)
        return leave_out_twins(ready)

    def judge(self, rival, expected, bar):
        """Error against float32. Only our own decides the run's exit code; a rival's wrong result is named with its time."""
        error = self.device.largest_difference(rival.call(), expected)
        return {"error": error if error < float("inf") else None, "correct": error <= bar}  # None: NaN or infinity somewhere

    def run_case(self, case, variant, size):
        device = self.device
        self.step("inputs and reference", case)
        tensors = cases.make_inputs(variant, size, device)
        expected = reference(variant, size, device, tensors)
        bar = device.largest_difference(reference(variant, size, device, tensors, narrow=True), expected)
        device.synchronize()
        if not math.isfinite(bar):  # which would accept every result
            raise ValueError("the naive bfloat16 program or its reference is not finite: nothing can be judged")
        record = {
            "variant": variant.name, "title": variant.title, "size": vars(size), "flops": variant.flops(size), "least_bytes": variant.least_bytes(size),
            "attended": variant.attended(size), "eager_bf16_error": bar, "allowed_error": ALLOWED * bar, "results": [],
        }
        ready = self.make_ready(case, variant, size, tensors)
        checked = {}
        for name, rival in ready.items():
            if isinstance(rival, rivals.Rival):
                self.step("result", case, name)
                checked[name] = self.attempt(case, name, lambda rival=rival: self.judge(rival, expected, ALLOWED * bar))
                if isinstance(checked[name], rivals.Absent):
                    ready[name] = checked[name]
        del expected
        present = {n: r for n, r in ready.items() if isinstance(r, rivals.Rival)}
        times = {}
        if present:
            times = device.time({n: r.call for n, r in present.items()}, lambda name: self.step("times", case, name), lambda: self.left() <= 0)
        for name, error in ((n, t) for n, t in times.items() if isinstance(t, Exception)):
            def fail(error=error):
                raise error
            ready[name] = self.attempt(case, name, fail)
        for name, rival in ready.items():
            if isinstance(rival, rivals.Absent):
                record["results"].append({"name": name, "absent": str(rival)})
                continue
            rates = {"tflops": round(record["flops"] / times[name]["ms"] / 1e9, 2), "tb_s": round(record["least_bytes"] / times[name]["ms"] / 1e9, 3)}
            record["results"].append({"name": name, **times[name], **rates, **checked[name], **rival.facts})
        return record

    def ceilings(self):
        """What the device reaches, or why that is not known: cases are worth timing all the same."""
        try:
            return self.device.ceilings()
        except Exception as error:
            text = f"{type(error).__name__}: {first_line(error)}"
            self.end_if_poisoned(text)
        self.device.trim()
        return {"failed": text}

    def run(self):
        order = self.order
        self.step("start")
        self.device = devices.choose(order["kind"], order["stand_in"])
        self.tell(tensors=self.device.name)
        if order["ceilings"]:
            self.step("ceilings")
            self.tell(ceilings=self.ceilings())
        for variant, size in ((cases.VARIANTS[v], cases.Size(**s)) for v, s in order["cases"]):
            case = f"{variant.name} {size.label}"
            if self.left() <= 0:
                self.tell(left_out=f"{case}: out of time", case_done=case)
                continue
            try:
                self.tell(result=self.run_case(case, variant, size), case_done=case)
            except Exception as error:  # one case's failure leaves the others
                text = f"{type(error).__name__}: {first_line(error)}"
                self.end_if_poisoned(text)
                self.tell(failed=f"{case}: {text}", case_done=case)
            self.device.free()


def main(fd, order):
    """Does not return: what libraries do at the end of a process may crash, and then all was timed already."""
    with os.fdopen(fd, "w") as events:
        Worker(order, events).run()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)
