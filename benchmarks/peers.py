"""Who is measured, and the environment of each: one line to add a peer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
OURS = "d2ltl"

ENVIRONMENTS = {
    "book": [
        ["mxnet==1.9.1", "numpy<2", "matplotlib", "ipython", "pandas", "setuptools<81; python_version >= '3.12'"],
        ["--no-deps", "d2l==1.0.3"],  # its pins are of 2023; the lines above are what it imports
    ],
    "pytorch": [["torch==2.13.0", "torchvision==0.28.0", "pillow"]],
}
"""What pip installs, call by call. The environment `OURS` is the one that this program runs in."""


class Peer(NamedTuple):
    """One way of doing the works.

    Attributes
    ----------
    environment : str
        `OURS`, or one of `ENVIRONMENTS`.
    worker : str
        The module of `benchmarks.workers` that does the work.
    tuned, bfloat16 : bool
        What that is told.
    """

    environment: str
    worker: str
    tuned: bool = False
    bfloat16: bool = False


PEERS = {
    "book": Peer("book", "book"),
    "pytorch": Peer("pytorch", "pytorch"),
    "pytorch-tuned": Peer("pytorch", "pytorch", tuned=True),
    "pytorch-tuned-bf16": Peer("pytorch", "pytorch", tuned=True, bfloat16=True),
    "d2ltl": Peer(OURS, "ours"),
    "d2ltl-bf16": Peer(OURS, "ours", bfloat16=True),
}


def python_of(environment: str) -> Path:
    """Return the interpreter of an environment."""
    return Path(sys.executable) if environment == OURS else ROOT / ".venv-bench" / environment / "bin/python"


def set_up(environment: str) -> None:
    """Make an environment, unless it is there and was made as it is asked for now."""
    python = python_of(environment)
    stamp = python.parents[1] / "installed.json"
    wanted = json.dumps([sys.version, ENVIRONMENTS[environment]])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Setting up {python.parents[1]}, once.", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", python.parents[1]], check=True)
    for arguments in [["--upgrade", "pip"], *ENVIRONMENTS[environment]]:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *arguments], check=True)
    stamp.write_text(wanted)


def packages(environment: str) -> dict[str, str]:
    """Return the version of every package in an environment."""
    command = [python_of(environment), "-m", "pip", "list", "--format", "json"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {package["name"].lower(): package["version"] for package in json.loads(listed)}
