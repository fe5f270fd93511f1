"""Many runs in several processes, and one training in several processes.

``python -m benchmarks.workers.several TASK`` is one of the processes of a data-parallel training.
"""

from __future__ import annotations

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.workers.protocol import Results, read_task, seconds_of

STRATEGIES = ("finetune", "scratch")


def runs(task: dict[str, Any]) -> Results:
    """Measure a comparison of two strategies with several seeds, by a number of worker processes; 0: without them."""
    options = {"pretrained": task["weights"], "strategies": STRATEGIES, "seeds": range(task["seeds"])}
    options.update({name: task[name] for name in ("size", "batch_size", "epochs")}, workers=task["workers"] or None)
    with tempfile.TemporaryDirectory() as out:
        seconds = seconds_of(lambda: d2ltl.run_comparison(task["folder"], out=out, **options))
    trained = len(STRATEGIES) * task["seeds"] * task["epochs"] * len(d2ltl.load_images(task["folder"])[0])
    return {"seconds": seconds, "images_per_s": trained / seconds}


def calls(task: dict[str, Any]) -> Results:
    """Measure what starting the workers costs, and what a run that does nothing costs."""
    from d2ltl.parallel import worker_pool

    start = time.perf_counter()
    with worker_pool(task["workers"]) as run_all:
        run_all(str, [(0,)] * task["workers"])
        started = time.perf_counter()
        run_all(str, [(0,)] * task["calls"])
        end = time.perf_counter()
    return {"start_s": started - start, "seconds_per_call": (end - started) / task["calls"]}


def data_parallel(task: dict[str, Any]) -> Results:
    """Measure a step of fine-tuning that a number of worker processes share."""
    command = [sys.executable, "-m", "d2ltl.data_parallel", str(task["workers"])]
    command += ["benchmarks.workers.several", json.dumps(task)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def step(task: dict[str, Any], kvstore: str = "device") -> Results:
    """Measure a step of fine-tuning. The bytes are all that this machine sends to itself meanwhile (Linux)."""
    train, test = d2ltl.load_images(task["folder"])
    sent: list[int] = []
    net = d2ltl.finetune_net(task["classes"], d2ltl.source_net("resnet18_v2", task["weights"]))
    history = d2ltl.train_fine_tuning(
        net, 0.01, task["batch_size"], task["epochs"], data=(train, test), size=task["size"],
        kvstore=kvstore, callbacks=[lambda _: sent.append(_loopback_bytes())], verbose=False,
    )  # fmt: skip
    steps = len(train) // task["batch_size"]
    seconds = min(epoch.seconds for epoch in history.epochs[1:]) / steps
    moved = (sent[-1] - sent[0]) / (task["epochs"] - 1) / steps
    return {"images_per_s": task["batch_size"] / seconds, "step_s": seconds, "mb_per_step": moved / 1e6}


def _loopback_bytes() -> int:
    lines = Path("/proc/net/dev").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.split()[0] == "lo:")


if __name__ == "__main__":
    from d2ltl.training.workers import WorkerGroup

    results = step(read_task(), "dist_sync")
    if WorkerGroup("dist_sync").rank == 0:
        print(json.dumps(results))
