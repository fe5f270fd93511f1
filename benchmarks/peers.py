"""The peers, the implementations to measure, and their Python environments. A new peer needs one line."""

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
        ["--no-deps", "d2l==1.0.3"],  # its pins date from 2023; the list above contains the packages that it imports
    ],
    "pytorch": [["torch==2.13.0", "torchvision==0.28.0", "pillow", "onnx==1.23.2", "onnxruntime==1.32.0"]],
}
"""Arguments of the calls of pip for each environment. `OURS` is the environment that this program runs in."""

AVX2 = {
    "DNNL_MAX_CPU_ISA": "AVX2",  # MXNet's oneDNN
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # PyTorch's oneDNN
    "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's own kernels
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}
"""Environment variables that hold a peer to AVX2, the instructions of an older processor."""


class Peer(NamedTuple):
    """An implementation to measure.

    `environment` is `OURS` or a key of `ENVIRONMENTS`, `worker` a module of `benchmarks.workers`. `tuned` and
    `bfloat16` are options of the worker. `held` says whether the variables `AVX2` hold it to these instructions.
    """

    environment: str
    worker: str
    tuned: bool = False
    bfloat16: bool = False
    held: bool = True


PEERS = {
    "book": Peer("book", "book"),
    "pytorch": Peer("pytorch", "pytorch"),
    "pytorch-tuned": Peer("pytorch", "pytorch", tuned=True),
    "pytorch-tuned-bf16": Peer("pytorch", "pytorch", tuned=True, bfloat16=True),
    "onnxruntime": Peer("pytorch", "onnx_runtime", tuned=True, held=False),
    "d2ltl": Peer(OURS, "ours"),
    "d2ltl-bf16": Peer(OURS, "ours", bfloat16=True),
}


def python_of(environment: str) -> Path:
    """Return the Python interpreter of an environment."""
    return Path(sys.executable) if environment == OURS else ROOT / ".venv-bench" / environment / "bin/python"


def set_up(environment: str) -> None:
    """Create an environment, unless it exists with the same packages and Python version."""
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
