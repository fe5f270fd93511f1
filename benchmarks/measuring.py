"""Running the works: every task in a separate process, the peers in turn."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.images import link_images
from benchmarks.peers import PEERS, ROOT, python_of
from benchmarks.works import ROUNDS, WORKS, Work
from d2ltl.data.folders import ImageFolder

WEIGHTS = ROOT / "d2ltl/models/weights/resnet18_v2-tinyimagenet.params"


def works_of(quick: bool, full: bool, bfloat16: bool = True, avx2: bool = False) -> dict[str, Work]:
    """Return the works of a run by name. In a quick run, each work is smaller and is done once.

    Without `bfloat16` (the processor has none), they are done without the peers that use it; with `avx2`, also without
    those that cannot be held to these instructions.
    """
    absent = {name for name, peer in PEERS.items() if (peer.bfloat16 and not bfloat16) or (avx2 and not peer.held)}
    works = {
        name: replace(work, peers=tuple(peer for peer in work.peers if peer not in absent))
        for name, work in WORKS.items()
        if full or not work.full
    }
    if not quick:
        return works
    return {n: replace(work, settings={**work.settings, **work.quick}, rounds=1) for n, work in works.items()}


def measure(
    works: dict[str, Work], pair: tuple[ImageFolder, ImageFolder], done: Iterable[dict[str, Any]] = ()
) -> Iterator[dict[str, Any]]:
    """Run the works on images, and yield the results of each task as soon as it is finished.

    A dict has the keys ``round``, ``work``, ``peer``, and either the results of the worker or ``error``. Those that are
    `done` are left out.
    """
    classes = len(pair[0].synsets)
    finished = {(record["round"], record["work"], record["peer"]) for record in done}
    with tempfile.TemporaryDirectory() as temporary:
        for number in range(1, ROUNDS + 1):
            for name, work in works.items():
                folder = Path(temporary, name)
                if "images" in work.settings and number == 1:
                    link_images(pair, work.settings["images"], folder)
                for peer in work.peers if number <= work.rounds else ():
                    if (number, name, peer) in finished:
                        continue
                    start = time.perf_counter()
                    results = run(peer, task_of(work, peer, folder, classes))
                    seconds = time.perf_counter() - start
                    print(f"round {number}: {name} {peer} {seconds:.0f} s {results.get('error', '')}", flush=True)
                    yield {"round": number, "work": name, "peer": peer, **results}


def task_of(work: Work, peer: str, folder: Path, classes: int) -> dict[str, Any]:
    """Return the task of a worker, as JSON values."""
    return {
        "do": work.do,
        "net": "resnet18_v2",
        **work.settings,
        "folder": str(folder),
        "classes": classes,
        "weights": str(WEIGHTS),
        "tuned": PEERS[peer].tuned,
        "bfloat16": PEERS[peer].bfloat16,
    }


def run(peer: str, task: dict[str, Any]) -> dict[str, Any]:
    """Run a task in a peer's worker process, and return its results, or ``error`` with the last line on stderr."""
    done = process(peer, task)
    if done.returncode:
        *_, message = ["no message", *done.stderr.strip().splitlines()]
        return {"error": f"exit status {done.returncode}: {message}"}
    return json.loads(done.stdout.splitlines()[-1])


def process(peer: str, task: dict[str, Any], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a task in a peer's worker process with more environment variables, and return the finished process."""
    module = f"benchmarks.workers.{PEERS[peer].worker}"
    # `import d2ltl` set OMP_NUM_THREADS in this process; each peer must choose its number of threads itself
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    if "threads" in task:
        environment["OMP_NUM_THREADS"] = str(task["threads"])
    environment |= variables
    command = [python_of(PEERS[peer].environment), "-m", module, json.dumps(task)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
