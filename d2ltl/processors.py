"""How busy other programs keep the processors."""

from __future__ import annotations

import os
import time

import psutil

SECONDS = 0.1  # the least time to look: the kernel counts in hundredths of a second


class Look:
    """A look at the processors that this process may use, from now on.

    It costs no time of its own if something else is done until it ends, such as importing NumPy.
    """

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._busy, self._own = _busy_seconds(), time.process_time()

    def end(self) -> float:
        """Return how many processors other processes have kept busy, on average, for at least `SECONDS`."""
        time.sleep(max(0.0, self._begun + SECONDS - time.perf_counter()))
        seconds = time.perf_counter() - self._begun
        busy, own = _busy_seconds() - self._busy, time.process_time() - self._own
        return max(0.0, busy - own) / seconds


def allowed_cpus() -> set[int]:
    """Return the numbers of the logical processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return os.sched_getaffinity(0)
    return set(range(psutil.cpu_count() or 1))


def _busy_seconds() -> float:
    """Return how many seconds the processors have been busy since the machine was started.

    Programs that were started by ``nice`` count only if this process is one of them; otherwise they make way for it.
    """
    polite = psutil.Process().nice() > 0
    allowed = allowed_cpus()
    times = [times for number, times in enumerate(psutil.cpu_times(percpu=True)) if number in allowed]
    return sum(of.user + of.system + (getattr(of, "nice", 0) if polite else 0) for of in times)


BEGUN = Look()  # ends in `d2ltl.runtime.prepare`, when NumPy is imported
