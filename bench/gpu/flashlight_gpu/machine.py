# SPDX-License-Identifier: Apache-2.0
"""Which tools and which device are there."""

import datetime
import glob
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess

SKIPPED = 77  # exit code where nothing could be checked


def find_tool(name):
    """Its path, on PATH or where CUDA is usually installed; None."""
    if found := shutil.which(name):
        return found
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    usual = [f"{home}/bin", f"{home}/compute-sanitizer", *sorted(glob.glob("/usr/local/cuda-*/bin"), reverse=True), "/usr/local/nvidia/bin", *sorted(glob.glob("/opt/nvidia/nsight-compute/*"), reverse=True)]
    return next((f"{folder}/{name}" for folder in usual if os.path.isfile(f"{folder}/{name}")), None)


def output_of(command, timeout=60):
    """Standard output of a command; None where it is missing, fails or hangs."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=timeout).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def save(path, record):
    """Writes JSON so that the file is whole at any moment."""
    temporary = path.with_suffix(".partial")
    temporary.write_text(json.dumps(record, indent=1) + "\n")
    os.replace(temporary, path)


def query(fields):
    """nvidia-smi's answer for the first GPU, by field; None where there is no GPU."""
    smi = find_tool("nvidia-smi")
    text = smi and output_of([smi, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits", "-i", "0"])
    return dict(zip(fields, (v.strip() for v in text.splitlines()[0].split(",")))) if text and text.strip() else None


def cuda_device():
    """name, driver, compute_cap and clocks of the first GPU; None without one."""
    return query(["name", "driver_version", "compute_cap", "clocks.max.sm", "clocks.sm", "memory.total"]) or device_by_torch()


def device_by_torch():
    """The same where nvidia-smi is missing, as far as PyTorch knows it."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    if not torch.cuda.is_available():
        return None
    major, minor = torch.cuda.get_device_capability(0)
    return {"name": torch.cuda.get_device_name(0), "driver_version": "unknown", "compute_cap": f"{major}.{minor}"}


def arch_of(compute_cap):
    """What to compile for: with the architecture's own instructions (sm_90a) from 9.0 on."""
    number = compute_cap.replace(".", "")
    return f"sm_{number}" + ("a" if int(number) >= 90 else "")


def nvcc_version(nvcc):
    found = re.search(r"release ([\d.]+), V([\d.]+)", output_of([nvcc, "--version"]) or "")
    return found[2] if found else "unknown"


def describe(device, manifest):
    """What every result file says about where it comes from. device: "cuda" or "emulated"."""
    gpu = cuda_device() if device == "cuda" else None
    nvcc = find_tool("nvcc")
    return {
        "device": gpu["name"] if gpu else f"emulated device on {platform.machine()}",
        "dry_run": gpu is None,  # no figure of an emulated device says anything about a GPU
        "gpu": gpu,
        "nvcc": nvcc_version(nvcc) if nvcc else None,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": manifest.get("commit", "unknown"),
        "translator_options": manifest.get("translator_options", []),
    }
