"""Preparation of the process for MXNet, devices, random seeds, versions."""

from __future__ import annotations

import logging
import math
import os
import platform
import random
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from _data_hub.language import _
from d2ltl.errors import check_seeds
from d2ltl.processors import Look, allowed_cpus

if TYPE_CHECKING:
    from mxnet import Context

__version__ = "0.2.0.dev0"

logger = logging.getLogger(__name__)

threads_were_given = False  # whether OMP_NUM_THREADS was set before `prepare` was called, or `keep_threads` set it
processors_taken = 0  # how many of the usable processors other programs used when `prepare` was called
draws = random.Random()  # of augmentation; other threads (Jupyter's, Dask's) draw from Python's global generator
CGROUP = Path("/sys/fs/cgroup")  # Linux lists the resource limits of a container here


def prepare(look: Look | None = None) -> None:
    """Prepare this process for MXNet 1.9.1: restore the alias ``numpy.bool`` and set the number of threads.

    NumPy 1.24 removed the alias. MXNet reads ``OMP_NUM_THREADS`` only when its library is loaded; this function sets
    the variable to the number of `usable_processors` that are free just now, at least 1, unless the user has set it.
    (Threads wait for each other at every layer: beside a busy process, two threads on two processors are slower than
    one.) It warns if MXNet is already loaded and runs on fewer threads than there are processors. `look` is a look at
    the processors that has begun; a new one takes a tenth of a second.
    """
    if "bool" not in vars(np):  # hasattr() would emit a FutureWarning
        np.bool = bool  # type: ignore[attr-defined, unused-ignore]
    global threads_were_given, processors_taken
    threads_were_given = "OMP_NUM_THREADS" in os.environ
    if threads_were_given:
        return
    usable = usable_processors()
    if "mxnet" not in sys.modules:
        spare = _allowed_processors() - usable  # of a machine that gives a container only some of its processors
        processors_taken = min(usable - 1, max(0, round((look or Look()).end() - spare)))
        os.environ["OMP_NUM_THREADS"] = str(usable - processors_taken)
    elif threads() < usable:
        warnings.warn(
            f"MXNet was loaded before d2ltl and computes on {threads()} of {usable} processors. To use all of "
            f"them, restart Python and `import d2ltl` before mxnet, or set OMP_NUM_THREADS={usable} first.",
            RuntimeWarning,
            stacklevel=3,
        )


def threads() -> int:
    """Return the number of threads that MXNet computes with in this process."""
    given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(given) if given.isdecimal() else max(1, len(allowed_cpus()) // 2)  # MXNet's own default


def threads_of_each(processes: int) -> int:
    """Return the number of threads of each of some processes that share this machine.

    The free processors are shared out, unless the user has set ``OMP_NUM_THREADS``.
    """
    return threads() if threads_were_given else max(1, (usable_processors() - processors_taken) // processes)


def log_threads() -> None:
    """Log how many processors are used, if it is not all of them because other programs use the others."""
    if processors_taken and not threads_were_given:
        usable = usable_processors()
        text = _(
            "computing on {number} of {all} processors, because other programs use the rest; OMP_NUM_THREADS={all} "
            "takes all"
        )
        logger.info(text.format(number=threads(), all=usable))


def keep_threads(number: object) -> None:
    """Compute on so many threads as the run that is to be resumed did.

    Nothing is changed if the user has set ``OMP_NUM_THREADS``, MXNet is loaded, or `number` is no number of threads.
    """
    global threads_were_given
    if not threads_were_given and "mxnet" not in sys.modules and isinstance(number, int) and number > 0:
        os.environ["OMP_NUM_THREADS"] = str(number)
        threads_were_given = True


def warn_of_threads(what: str, before: int | None, now: int | None) -> None:
    """Log a warning if what is to be resumed was begun with another number of threads; None is not known."""
    if before and now and before != now:
        logger.warning(
            "%s was begun with OMP_NUM_THREADS=%d, and MXNet has %d threads now: the figures will differ a little from "
            "those of an uninterrupted run. Restart with OMP_NUM_THREADS=%d for the same figures.",
            *(what, before, now, before),
        )


def usable_processors() -> int:
    """Return the number of physical cores that this process may use, at least 1.

    The number respects the CPU affinity of the process and the CPU quota of its cgroup (containers). Two hardware
    threads of one core count as one, because MXNet does not compute faster with the second.
    """
    return max(1, math.ceil(min(_allowed_processors(), _cgroup_quota())))


def _allowed_processors() -> float:
    """Return the number of physical cores that the CPU affinity of this process allows."""
    logical = psutil.cpu_count() or 1
    threads_per_core = logical / (psutil.cpu_count(logical=False) or logical)
    return len(allowed_cpus()) / threads_per_core


def _cgroup_quota() -> float:
    """Return the CPU quota of the container in processors (cgroup v2, then v1); infinity if there is no quota."""
    try:
        if (CGROUP / "cpu.max").exists():
            quota, period = (CGROUP / "cpu.max").read_text().split()
        else:
            quota = (CGROUP / "cpu/cpu.cfs_quota_us").read_text()
            period = (CGROUP / "cpu/cpu.cfs_period_us").read_text()
        return float(quota) / float(period) if float(quota) > 0 else math.inf
    except (OSError, ValueError):  # no cgroup, or the quota "max"
        return math.inf


def devices() -> list[Context]:
    """Return all GPUs, or ``[cpu(0)]`` if there is no GPU; the book's ``try_all_gpus`` then returns an empty list."""
    import mxnet as mx

    return [mx.gpu(i) for i in range(mx.context.num_gpus())] or [mx.cpu()]


def reseed(seed: int, epoch: int = 0) -> None:
    """Seed the random generators of Python, NumPy and MXNet from the pair (seed, epoch); epoch 0 is the initialisation.

    A resumed run thus draws the same random numbers as an uninterrupted one.
    """
    import mxnet as mx

    check_seeds([seed])
    value = int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
    random.seed(value)
    draws.seed(value)
    np.random.seed(value)
    mx.random.seed(value & 0x7FFFFFFF)


def versions() -> dict[str, str]:
    """Return the environment of a measurement: package versions, platform, processor and number of threads."""
    import mxnet as mx

    return {
        "d2ltl": __version__,
        "mxnet": mx.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "threads": os.environ.get("OMP_NUM_THREADS", "MXNet's default"),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")  # on Linux, platform.processor() is empty
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{usable_processors()} x {names[0] if names else platform.processor()}"
