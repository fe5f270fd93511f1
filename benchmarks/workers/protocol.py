"""Communication with the workers. It uses only the standard library, because all environments import it."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Results = dict[str, float]

MARK = "measured:"  # the line before and after the steps whose layers are logged


def read_task() -> dict[str, Any]:
    """Return the task, the only command-line argument, decoded from JSON."""
    return json.loads(sys.argv[1])


def answer(task: dict[str, Any], functions: dict[str, Callable[[dict[str, Any]], Results]]) -> None:
    """Run the function that the task's ``do`` names, and print its results as JSON in the last line."""
    results = functions[task["do"]](task)
    print(json.dumps({**results, "peak_mb": peak_memory()}))


def peak_memory() -> float:
    """Return the peak memory of this process, without its children, in MB.

    On Linux, ``ru_maxrss`` also includes the memory of the parent process, so this function does not use it.
    """
    return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024


def seconds_of(function: Callable[[], object]) -> float:
    """Return the wall time of a call, in seconds."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def training_results(images: int, first: float, epoch: float, loading: float) -> Results:
    """Return the results of a training from its number of images and wall times in seconds.

    The times are of the `first` epoch, of a later `epoch`, and of `loading` all batches of an epoch.
    """
    return {
        "first_images_per_s": images / first,
        "images_per_s": images / epoch,
        "loading_share": loading / epoch,
    }
