"""Further measurements: start-up time, and the time to unpack an archive."""

from __future__ import annotations

import hashlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import data_hub
from benchmarks.workers.protocol import Results, seconds_of

HELP = ["-m", "d2ltl.compare", "--help"]
MXNET = ["-c", "import numpy; numpy.bool = bool; import mxnet"]
D2LTL = ["-c", "import d2ltl; d2ltl.train_fine_tuning"]
FILE_BYTES = 28_500  # average size of the book's photographs


def start_up(task: dict[str, Any]) -> Results:
    """Measure the time of `--help`, and the time that the library adds to importing MXNet (medians)."""
    starts = [HELP, MXNET, D2LTL]
    seconds = [[seconds_of(partial(_python, arguments)) for arguments in starts] for _ in range(task["starts"])]
    help_s, mxnet_s, d2ltl_s = (statistics.median(of_one) for of_one in zip(*seconds))
    return {"help_s": help_s, "added_s": d2ltl_s - mxnet_s}


def _python(arguments: list[str]) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def unpack(task: dict[str, Any]) -> Results:
    """Measure `data_hub.download_extract` of a local archive, and compare it with ``sha1sum`` and ``unzip``."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "pictures.zip")
        _write_archive(archive, task["files"])
        data_hub.register("pictures", archive.as_uri(), hashlib.sha1(archive.read_bytes()).hexdigest())
        os.environ["D2LTL_DATA"] = os.path.join(folder, "cache")
        os.sync()  # so that pending writes do not disturb the measurement
        by_commands = seconds_of(partial(_sha1sum_and_unzip, archive, os.path.join(folder, "by_commands")))
        os.sync()
        by_hub = seconds_of(partial(data_hub.download_extract, "pictures"))
    return {"commands_s": by_commands, "hub_s": by_hub, "hub_ratio": by_hub / by_commands}


def _write_archive(path: Path, files: int) -> None:
    noise = random.Random(0)
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(files):
            archive.writestr(f"pictures/{i % 4}/{i:04}.jpg", noise.randbytes(FILE_BYTES))


def _sha1sum_and_unzip(archive: Path, folder: str) -> None:
    subprocess.run(["sha1sum", archive], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["unzip", "-q", archive, "-d", folder], check=True)
