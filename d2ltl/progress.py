"""Progress: bars in a terminal and in a notebook, and lines in the log that say how long the work will take.

The commands show the log; in Python, ``logging.basicConfig(level=logging.INFO)`` shows it.
"""

from __future__ import annotations

import contextvars
import logging
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tqdm.auto import tqdm

from _data_hub.language import _
from d2ltl import runtime
from d2ltl.history import Epoch, History

logger = logging.getLogger(__name__)

FIRST_SECONDS = 2  # of some work; from them the log estimates how long all of it will take
LONG = 10  # seconds; the log estimates no shorter work, and warns of no shorter epoch
SLOW = 2  # an epoch that takes so many times as long as the fastest one is slow

_runs = contextvars.ContextVar("_runs", default=(1, 1))  # number of the present run, and of all runs


def with_progress(
    items: Iterable[Any],
    desc: str,
    unit: str,
    total: int | None = None,
    tell: Callable[[float], None] | None = None,
) -> tqdm:
    """Return an iterable over `items` that shows a progress bar, which vanishes at the end.

    A notebook shows a widget, or text if ipywidgets is not installed. No bar is shown if stderr is a file or a pipe;
    then the log says how long it will take. `tell` is called with this estimate, in seconds, instead.
    """
    total = len(items) if total is None else total  # type: ignore[arg-type]

    def say(seconds: float) -> None:
        if bar.disable and seconds > LONG:
            logger.info(_("{work}: about {duration}").format(work=desc, duration=duration(seconds)))

    disable = False if in_notebook() else None  # None: where stderr is no terminal
    bar = tqdm(_timed(items, total, tell or say), desc, total, unit=unit, disable=disable, leave=False)
    return bar


def _timed(items: Iterable[Any], total: int, tell: Callable[[float], None]) -> Iterator[Any]:
    """Yield items, and tell how many seconds all of them will take, as soon as some have taken `FIRST_SECONDS`.

    The first two items do not count: MXNet compiles the network for the first one, and computes it during the second.
    """
    begun, told = 0.0, False
    for number, item in enumerate(items):
        yield item
        if number == 1:
            begun = time.perf_counter()
        elif number > 1 and not told and (passed := time.perf_counter() - begun) > FIRST_SECONDS:
            tell(passed / (number - 1) * total)
            told = True


class LineHandler(logging.StreamHandler):
    """Handler of log messages that writes lines above the progress bars of a terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message; the bars are cleared before and drawn again after it."""
        with tqdm.external_write_mode(self.stream):
            super().emit(record)


def in_notebook() -> bool:
    """Return whether the process is the kernel of a notebook."""
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def duration(seconds: float) -> str:
    """Return a duration as a text, rounded as an estimate is.

    Examples
    --------
    >>> [duration(seconds) for seconds in (0.3, 42, 100, 1234, 7500)]
    ['1 s', '42 s', '1 min 40 s', '21 min', '2 h 5 min']
    """
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    if seconds < 600:
        minutes, rest = divmod(round(seconds / 10) * 10, 60)
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    hours, minutes = divmod(round(seconds / 60), 60)
    return (f"{hours} h " if hours else "") + f"{minutes} min"


def one_after_another(function: Callable[..., Any], runs: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return the results of a function for the arguments of each run. The log then estimates all runs, too."""
    results = []
    before = _runs.get()
    for number, arguments in enumerate(runs, 1):
        _runs.set((number, len(runs)))
        try:
            results.append(function(*arguments))
        finally:
            _runs.set(before)
    return results


class TrainingLog:
    """What the log says about a training: how long it will take, a line for each epoch, and whether one was slow.

    `epochs` is the number of epochs of the training, `done` how many of them a checkpoint has brought.
    """

    def __init__(self, epochs: int, done: int = 0) -> None:
        self._epochs, self._done, self._before = epochs, done, done
        self._begun = time.perf_counter()
        self._fastest = math.inf  # seconds of an epoch, without its tests
        self._warned = False

    def estimate(self, seconds: float) -> None:
        """Log how long the training will take, given the seconds of its first epoch as the first batches promise."""
        if self._done > self._before:
            return
        self._fastest = seconds
        if seconds * self._epochs > LONG:
            each = _("about {duration} for each epoch{left}")
            logger.info(each.format(duration=duration(seconds), left=self._left(seconds)))

    def epoch(self, history: History) -> None:
        """Log the measurements of the last epoch, and how long the others will take; warn if it was slow."""
        self._done += 1
        epoch = history.epochs[-1]
        tested = "" if epoch.test_acc is None else _(", test acc {accuracy:.3f}").format(accuracy=epoch.test_acc)
        figures = _("loss {loss:.3f}, train acc {accuracy:.3f}{tested}, {seconds}").format(
            loss=epoch.loss, accuracy=epoch.train_acc, tested=tested, seconds=duration(epoch.seconds)
        )
        left = self._left((time.perf_counter() - self._begun) / (self._done - self._before))
        line = _("epoch {epoch} of {epochs}: {figures}{left}")
        logger.info(line.format(epoch=epoch.epoch, epochs=self._epochs, figures=figures, left=left))
        if epoch.seconds > max(LONG, SLOW * self._fastest) and not self._warned:
            self._warned = True
            logger.warning("%s", _slow(epoch, self._fastest))
        self._fastest = min(self._fastest, epoch.seconds)

    def _left(self, of_an_epoch: float) -> str:
        """Return how long the training will still take, and the runs after it if they take as long."""
        number, runs = _runs.get()
        here = (self._epochs - self._done) * of_an_epoch
        others = (runs - number) * self._epochs * of_an_epoch
        left = _("; about {duration} left").format(duration=duration(here)) if here else ""
        if not others:
            return left
        until = _("; about {duration} until the last of {runs} runs").format(
            duration=duration(here + others), runs=runs
        )
        return f"{left}{until}"


def _slow(epoch: Epoch, fastest: float) -> str:
    threads = runtime.threads()
    slow = _(
        "Epoch {epoch} took {seconds}; at the speed before, it takes {fastest}. Other programs seem to use the "
        "processors."
    ).format(epoch=epoch.epoch, seconds=duration(epoch.seconds), fastest=duration(fastest))
    remedy = (
        _(
            "Close them; or stop, and start again with OMP_NUM_THREADS={threads}, so that threads do not wait for each "
            "other."
        ).format(threads=threads - 1)
        if threads > 1
        else _("Close them.")
    )
    return f"{slow} {remedy}"
