# SPDX-License-Identifier: Apache-2.0
"""Programs that may hang or crash: each in a process group of its own, which is killed as a whole."""

import os
import signal
import subprocess
import time


def kill(process):
    """Ends the process and all that it started: compute-sanitizer's program outlives it otherwise, and holds its output open."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run(command, seconds, environment=None):
    """Exit code (None: killed after `seconds`), output, and how long it took."""
    begin = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", start_new_session=True, env={**os.environ, **(environment or {})})
    try:
        text, _ = process.communicate(timeout=max(1, seconds))
        code = process.returncode
    except subprocess.TimeoutExpired:
        kill(process)
        code = None
        try:
            text, _ = process.communicate(timeout=10)
        except subprocess.TimeoutExpired as stuck:  # in the driver, where no signal reaches it
            text = stuck.stdout or ""
            text = text.decode(errors="replace") if isinstance(text, bytes) else text
    except BaseException:
        kill(process)
        raise
    return code, text, time.monotonic() - begin
