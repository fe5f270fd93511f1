"""How a worker gets its task and answers; the standard library only, since every peer's environment imports it."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Results = dict[str, float]


def read_task() -> dict[str, Any]:
    """Return the task, which is the only argument, in JSON."""
    return json.loads(sys.argv[1])


def answer(task: dict[str, Any], functions: dict[str, Callable[[dict[str, Any]], Results]]) -> None:
    """Do a task with the function that its ``do`` names, and print the results as the last line, in JSON."""
    results = functions[task["do"]](task)
    print(json.dumps({**results, "peak_mb": peak_memory()}))


def peak_memory() -> float:
    """Return the most memory that this process, without its children, ever held, in MB.

    Not ``ru_maxrss``, in which Linux also counts what the process that started this one held.
    """
    return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024


def seconds_of(function: Callable[[], object]) -> float:
    """Return the wall time of a call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def training_results(images: int, first: float, epoch: float, loading: float) -> Results:
    """Return the figures of a training.

    Parameters
    ----------
    images : int
        In the training set.
    first, epoch, loading : float
        Wall time in seconds of the first epoch, of a later one, and of passing over its batches without a network.
    """
    return {
        "first_images_per_s": images / first,
        "images_per_s": images / epoch,
        "loading_share": loading / epoch,
    }
