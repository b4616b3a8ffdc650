# SPDX-License-Identifier: Apache-2.0
"""Builds the bundle's kernels: with nvcc for a GPU, or with g++ for the emulated device. No make, no CMake."""

import concurrent.futures
import json
import os
import pathlib
import platform
import shlex
import time

from . import machine
from .process import run

COMPILE_SECONDS = 400  # a step that takes longer hangs
BUNDLE = pathlib.Path(__file__).resolve().parent.parent


class BuildError(RuntimeError):
    """A compiler's complaint."""


def load_manifest(bundle=BUNDLE):
    path = bundle / "manifest.json"
    if not path.exists():
        raise SystemExit(f"{path} is missing: run this from a folder that scripts/gpu-bundle wrote")
    return json.loads(path.read_text())


def library_folder(nvcc):
    """Where the toolkit of this nvcc keeps its libraries; None where they are not beside it."""
    target = {"aarch64": "sbsa"}.get(platform.machine(), platform.machine()) + "-linux"
    for home in (pathlib.Path(nvcc).parent.parent, pathlib.Path(nvcc).resolve().parent.parent):
        for folder in (home / "lib64", home / "targets" / target / "lib", home / "lib"):
            if any(folder.glob("libcublasLt.so*")):
                return folder
    return None


class Build:
    """Libraries and programs in <bundle>/build-<device>; what is newer than its sources is kept.

    device: "cuda" (arch: sm_90a, ..) or "emulated". Libraries share one libflashlight.so, so that the device that an emitted
    file registers is the same for all.
    """

    def __init__(self, device, arch=None, jobs=None, bundle=BUNDLE, kernels=None):
        self.device, self.bundle, self.jobs = device, bundle, jobs or os.cpu_count() or 1
        self.kernels = kernels or bundle / "kernels"  # where <name>.cu lie
        self.arch = arch
        self.folder = bundle / f"build-{arch or device}"
        self.host_folder = bundle / "build-host"  # the library's objects serve every device
        for folder in (self.folder, self.host_folder):
            folder.mkdir(exist_ok=True)
        source, party = bundle / "source", bundle / "third_party"
        self.source = source
        self.includes = [f"-I{p}" for p in (source / "include", source / "src", source / "samples", party / "eigen3", party / "dlpack")]
        self.newest_header = max(f.stat().st_mtime for f in source.rglob("*.h"))
        self.nvcc = machine.find_tool("nvcc") if device == "cuda" else None
        if device == "cuda" and not self.nvcc:
            raise BuildError("nvcc is not on PATH, in $CUDA_HOME/bin or in /usr/local/cuda/bin")
        # Kernels of one file side by side, where nvcc can: one file of many instances would else outlast all others.
        self.split = ["--split-compile=0"] if self.nvcc and "--split-compile " in (machine.output_of([self.nvcc, "--help"]) or "") else []
        self.cxx = shlex.split(os.environ.get("FLASHLIGHT_CXX", "g++"))
        self.times = {}  # seconds, by output
        self.failed = {}  # the compiler's words, by emitted file

    def _library_sources(self):
        folders = ["src/tensor", "src/runtime", "samples"] + (["src/emulator"] if self.device == "emulated" else [])
        sources = [p for f in folders for p in sorted((self.source / f).glob("*.cpp"))]
        return sources if self.device == "emulated" else sources + [self.bundle / "no_emulator.cpp"]

    def _run(self, command, target, inputs):
        """Makes one file, unless it is there and newer than the inputs and all headers."""
        if target.exists() and target.stat().st_mtime > max([self.newest_header] + [p.stat().st_mtime for p in inputs]):
            return target
        begin = time.monotonic()
        code, text, _ = run(command, COMPILE_SECONDS)
        if code != 0:
            target.unlink(missing_ok=True)
            ended = "" if code is not None else f"killed after {COMPILE_SECONDS} s\n"
            raise BuildError(f"{' '.join(map(str, command))}\n{ended}{text}")
        self.times[target.name] = round(time.monotonic() - begin, 2)
        return target

    def _compile_host(self, path):
        target = self.host_folder / f"{path.parent.name}_{path.stem}.o"
        optimise = "-O3" if path.name == "product.cpp" else "-O2"
        command = [*self.cxx, "-std=c++20", optimise, "-fPIC", *self.includes, "-c", path, "-o", target]
        return self._run(command, target, [path])

    def nvcc_command(self, path, target, *more):
        number = self.arch.removeprefix("sm_")
        return [self.nvcc, "-std=c++20", "-O3", f"-gencode=arch=compute_{number},code=sm_{number}", "-Xcompiler", "-fPIC", *self.split,
                *self.includes, *more, path, "-o", target]

    def _compile_kernels(self, name):
        path, target = self.kernels / f"{name}.cu", self.folder / f"{name}.o"
        if self.device == "cuda":
            return self._run(self.nvcc_command(path, target, "-c"), target, [path])
        command = [*self.cxx, "-std=c++20", "-O2", "-fPIC", *self.includes, "-x", "c++", "-c", path, "-o", target]
        return self._run(command, target, [path])

    def _products(self, name):
        """What an emitted file with matrix products links besides. The loader may not know the toolkit's folder. Nothing for other
        files: a machine without cuBLASLt builds them."""
        if self.device != "cuda" or "flashlight/generated/multiply.h" not in (self.kernels / f"{name}.cu").read_text():
            return []
        folder = library_folder(self.nvcc)
        found = ["-L", folder, "-Xlinker", "-rpath", "-Xlinker", folder] if folder else []
        return [*found, "-lcublasLt"]

    def _link(self, target, inputs, shared, products=()):
        here = ["-Xlinker", "-rpath", "-Xlinker", "$ORIGIN"]
        more = [] if target.name == "libflashlight.so" else ["-L", self.folder, "-lflashlight"]
        if self.device == "cuda":
            command = [self.nvcc, *(["-shared"] if shared else []), *inputs, *more, *here, *products, "-o", target]
        else:
            more += ["-lboost_context", "-pthread"] if target.name == "libflashlight.so" else []
            command = [*self.cxx, *(["-shared"] if shared else []), *inputs, *more, *here, "-o", target]
        return self._run(command, target, inputs)

    def build(self, programs=(), samples=()):
        """Returns two dictionaries of paths: programs' shared libraries and samples' executables, by name. An emitted file that
        does not compile or link is in `failed` instead; the others are built. Raises BuildError where the library fails."""
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            size = lambda name: (self.kernels / f"{name}.cu").stat().st_size  # noqa: E731
            emitted = {n: pool.submit(self._compile_kernels, n) for n in sorted([*programs, *samples], key=size, reverse=True)}  # the longest first
            objects = [pool.submit(self._compile_host, p) for p in self._library_sources()]
            self._link(self.folder / "libflashlight.so", [o.result() for o in objects], shared=True)

            def link(name, target, shared):
                try:
                    return self._link(target, [emitted[name].result()], shared, self._products(name))
                except BuildError as error:
                    self.failed[name] = str(error)
                    return None

            libraries = {n: pool.submit(link, n, self.folder / f"lib{n}.so", True) for n in programs}
            executables = {n: pool.submit(link, n, self.folder / n, False) for n in samples}
            finished = lambda futures: {n: path for n, f in futures.items() if (path := f.result())}  # noqa: E731
            return finished(libraries), finished(executables)

    def build_fact(self, path):
        """One program of facts/, which needs nothing but the CUDA runtime."""
        target = self.folder / f"fact_{path.stem}"
        return self._run(self.nvcc_command(path, target, "-I", path.parent), target, [path, *path.parent.glob("*.h")])
