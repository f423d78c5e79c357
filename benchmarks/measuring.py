"""Time and memory of calls, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["Measured", "cell", "elsewhere", "this_script", "timed"]

Measured = dict[str, float]
LIMIT_SECONDS = 600


def peak_kilobytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    raise RuntimeError("the peak of the resident memory can be read on Linux only")


def timed(call: Callable[[], object], repeats: int) -> Measured:
    """Best time of several calls, and the peak of the memory over what was there before."""
    Path("/proc/self/clear_refs").write_text("5")
    before, best = peak_kilobytes(), float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return {"seconds": best, "extra_mb": (peak_kilobytes() - before) / 1024}


def elsewhere(command: Sequence[str]) -> Measured | None:
    """Run a command that prints JSON in its last line; None where it fails, or takes too long."""
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError, FileNotFoundError):
        return None
    return json.loads(done.stdout.splitlines()[-1])


def cell(result: Measured | None, base: Measured | None) -> str:
    if result is None:
        return "failed, or over 10 minutes"
    ratio = "" if base is None or result is base else f", {result['seconds'] / base['seconds']:.1f}x"
    return f"{result['seconds'] * 1e3:.0f} ms{ratio}, {result['extra_mb']:.0f} MB"


def this_script(path: str, *arguments: str) -> list[str]:
    return [sys.executable, path, *arguments]
