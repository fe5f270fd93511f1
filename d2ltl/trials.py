"""One training run of an exercise: `run_trial`, and what it records."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import math
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import d2ltl  # its names load MXNet at their first use, so that --help need not wait for it
from d2ltl import runtime

if TYPE_CHECKING:
    from mxnet.gluon import HybridBlock

    from d2ltl.data import ImageFolder
    from d2ltl.history import History

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """One training run of an exercise.

    Attributes
    ----------
    way : str
        A key of `WAYS`, or what else tells the runs of an exercise apart.
    learning_rate : float or None
        None where nothing descends a gradient.
    seed : int
    history : History or None
        None if the run diverged.
    before : float or None
        Test accuracy before training, where it was measured.
    """

    way: str
    learning_rate: float | None
    seed: int
    history: History | None
    before: float | None = None

    @property
    def diverged(self) -> bool:
        """Whether the loss ceased to be a finite number."""
        return self.history is None

    @property
    def accuracy(self) -> float:
        """Test accuracy after the last epoch; NaN if the run diverged."""
        return math.nan if self.history is None else self.history.curve("test_acc")[-1]

    @property
    def seconds(self) -> float:
        """Wall time of all training passes; NaN if the run diverged."""
        return math.nan if self.history is None else self.history.seconds

    def to_dict(self) -> dict[str, Any]:
        """Return the trial as JSON values."""
        return asdict(self)


def _features_kept(batch_norm: str) -> Callable[[int, HybridBlock], HybridBlock]:
    def make_net(classes: int, source: HybridBlock) -> HybridBlock:
        net = d2ltl.finetune_net(classes, source)
        d2ltl.freeze(net.features, batch_norm)
        return net

    return make_net


WAYS: dict[str, Callable[[int, HybridBlock], HybridBlock]] = {
    "finetune": lambda classes, source: d2ltl.finetune_net(classes, source),
    "scratch": lambda classes, source: d2ltl.scratch_net(classes, source.zoo_name),
    "frozen": _features_kept("book"),  # grad_req alone, as exercise 3 says
    "fixed": _features_kept("fixed"),  # batch normalisation is held still too
    "codes-svm": lambda classes, source: d2ltl.finetune_net(classes, source),
    "codes-softmax": lambda classes, source: d2ltl.finetune_net(classes, source),
}
"""How to get a network for so many classes from a source model."""


def run_trial(
    way: str,
    learning_rate: float | None,
    seed: int = 0,
    *,
    source: HybridBlock,
    data: tuple[ImageFolder, ImageFolder],
    epochs: int = 5,
    size: int = 224,
    batch_size: int = 128,
) -> Trial:
    """Train one network, from the source model's weights or from none, and say how it went.

    Parameters
    ----------
    way : str
        A key of `WAYS`. Those that begin with ``codes-`` fit a linear classifier on CNN codes (`train_on_codes`), and
        use neither `learning_rate` nor `epochs`.
    source : HybridBlock
        From `source_net`. It stays as it is.
    data : pair of ImageFolder
        From `load_images`: to train and to test.
    learning_rate, seed, epochs, size, batch_size
        Those of `train_fine_tuning`.

    Raises
    ------
    SettingsError
        If there is no such way, or a number makes no sense. A run that diverges is a result, not an error.
    """
    if way not in WAYS:
        raise d2ltl.SettingsError(f"There is no way {way!r} to train; choose from {', '.join(WAYS)}.")
    runtime.reseed(seed)
    net = WAYS[way](len(data[0].synsets), source)
    if way.startswith("codes-"):
        with quiet():
            head = way.partition("-")[2]
            history = d2ltl.train_on_codes(net, head, data=data, seed=seed, size=size, batch_size=batch_size)
        return log_trial(Trial(way, None, seed, history))
    with quiet():
        history = train_or_diverge(net, learning_rate, batch_size, epochs, data=data, size=size, seed=seed)
    return log_trial(Trial(way, learning_rate, seed, history))


def train_or_diverge(net: HybridBlock, *args: Any, **options: Any) -> History | None:
    """Do what `train_fine_tuning` does, but return None if training diverges."""
    try:
        return d2ltl.train_fine_tuning(net, *args, **options)
    except d2ltl.DivergenceError:
        return None


def log_trial(trial: Trial) -> Trial:
    """Log how a trial went, and return it."""
    rate = "" if trial.learning_rate is None else f", learning rate {trial.learning_rate:g}"
    result = "diverged" if trial.diverged else f"test acc {trial.accuracy:.3f}, {trial.seconds:.0f} s"
    logger.info("%s%s, seed %d: %s", trial.way, rate, trial.seed, result)
    return trial


def quiet() -> AbstractContextManager[Any]:
    """Return a context that keeps back what every single run prints and, in a notebook, draws."""
    if "IPython" in sys.modules:
        capture: Any = importlib.import_module("IPython.utils.capture")
        return capture.capture_output(stderr=False)
    return contextlib.redirect_stdout(io.StringIO())
