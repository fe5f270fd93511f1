"""The costs that the simulation needs, measured on this machine with the works of the benchmarks."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import d2ltl
from benchmarks.images import link_images
from benchmarks.measuring import run, task_of
from benchmarks.works import FLOAT32, RUNS, STEP, Work
from d2ltl.models.precision import has_bfloat16
from d2ltl.runtime import versions

DATA = "hotdog-mini"
CALLS = 1000


def measure() -> dict[str, Any]:
    """Return the results of each work by name, and the machine. Nothing else should run meanwhile."""
    works = {
        "runs, 1 worker": Work("runs", (), {**RUNS, "workers": 1, "threads": 1}),
        "runs, 2 workers": Work("runs", (), {**RUNS, "workers": 2, "threads": 1}),
        "calls, 2 workers": Work("calls", (), {"workers": 2, "calls": CALLS, "threads": 1}),
        "step": Work("step", (), STEP),
        "half a step": Work("step", (), {**STEP, "batch_size": STEP["batch_size"] // 2}),
        "step, 1 worker": Work("data_parallel", (), {**STEP, "workers": 1}),
        "step, 2 workers": Work("data_parallel", (), {**STEP, "workers": 2}),
    }
    pair = d2ltl.load_images(DATA)
    measured: dict[str, Any] = {"machine": {**versions(), "bfloat16": has_bfloat16()}}
    with tempfile.TemporaryDirectory() as temporary:
        for name, work in works.items():
            folder = Path(temporary, name)
            link_images(pair, work.settings.get("images", (2, 2)), folder)
            measured[name] = run(FLOAT32, task_of(work, FLOAT32, folder, len(pair[0].synsets)))
            print(name, measured[name], flush=True)
    return measured
