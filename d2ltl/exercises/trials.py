"""Training runs of the exercises, and their records."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mxnet.gluon import HybridBlock

from d2ltl.comparison.strategies import Rates, find_strategy, train_network
from d2ltl.data.pairs import Data, Pair, as_pair
from d2ltl.errors import DivergenceError, SettingsError
from d2ltl.history import History
from d2ltl.models.sources import origin_of, shared_source
from d2ltl.parallel import Workers, stop_if_asked, worker_pool

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """The record of one training run of an exercise.

    `way` is the name of the strategy, or of the initialisation in `first_epoch`. `learning_rate` is None for strategies
    without gradient descent. `history` is None if the run diverged. `before` is the test accuracy before the training;
    None if it was not measured.
    """

    way: str
    learning_rate: float | None
    seed: int
    history: History | None
    before: float | None = None

    @property
    def diverged(self) -> bool:
        """Whether the loss became infinite or NaN."""
        return self.history is None

    @property
    def accuracy(self) -> float:
        """Test accuracy after the last epoch; NaN if the run diverged."""
        return math.nan if self.history is None else self.history.curve("test_acc")[-1]

    @property
    def seconds(self) -> float:
        """Wall time of all training passes, in seconds; NaN if the run diverged."""
        return math.nan if self.history is None else self.history.seconds

    def to_dict(self) -> dict[str, Any]:
        """Return the trial as a dict of JSON values."""
        return {**vars(self), "history": self.history and self.history.to_dict()}


def run_trial(
    way: str,
    learning_rate: float | None,
    seed: int = 0,
    *,
    source: HybridBlock,
    data: Data,
    epochs: int = 5,
    size: int = 224,
    batch_size: int = 128,
) -> Trial:
    """Train one network by a strategy, and return the record of the run.

    A run that diverges raises no error; its `Trial.history` is None.

    Parameters
    ----------
    way : str
        Name of a strategy; see `find_strategy`. Strategies that begin with ``codes-`` fit a linear classifier on CNN
        codes (`train_on_codes`), and use neither `learning_rate` nor `epochs`.
    learning_rate : float or None
        Learning rate of the strategy.
    source : HybridBlock
        Source model from `source_net`. It is not changed.
    data, epochs, seed, size, batch_size
        See `train_fine_tuning`, where `epochs` is called `num_epochs`.
    """
    by_gradient = bool(find_strategy(way).rate)
    if by_gradient and learning_rate is None:
        raise SettingsError(f"The strategy {way} needs a learning rate; the one given is None.")
    rate = learning_rate if by_gradient else None
    rates = None if rate is None else Rates(*[rate] * len(Rates._fields))
    pair = as_pair(data)
    options: dict[str, Any] = {"num_epochs": epochs, "size": size, "batch_size": batch_size, "seed": seed}
    history = history_unless_diverged(
        lambda: train_network(way, source, data=pair, rates=rates, verbose=False, callbacks=[stop_if_asked], **options)[
            1
        ]
    )
    return log_trial(Trial(way, rate, seed, history))


def run_trials(
    runs: Sequence[tuple[str, float | None, int]], workers: Workers, *, source: HybridBlock, data: Data, **options: Any
) -> list[Trial]:
    """Return the results of `run_trial` for each strategy, learning rate and seed, in this order; see `lr_sweep`."""
    pair = as_pair(data)
    if workers is None:
        return [run_trial(*run, source=source, data=pair, **options) for run in runs]
    with worker_pool(workers) as run_all:
        tasks = [(*run, origin_of(source), pair, options) for run in runs]
        return run_all(_run_by_origin, tasks, describe=describe_trial)


def _run_by_origin(
    way: str, rate: float | None, seed: int, origin: tuple[str, str], data: Pair, options: dict[str, Any]
) -> Trial:
    return run_trial(way, rate, seed, source=shared_source(*origin), data=data, **options)


def history_unless_diverged(train: Callable[[], History]) -> History | None:
    """Return the history of a training, or None if it diverges."""
    try:
        return train()
    except DivergenceError:
        return None


def log_trial(trial: Trial) -> Trial:
    """Log the result of a trial, and return the trial."""
    logger.info("%s", describe_trial(trial))
    return trial


def describe_trial(trial: Trial) -> str:
    """Return the result of a trial as one line."""
    rate = "" if trial.learning_rate is None else f", learning rate {trial.learning_rate:g}"
    result = "diverged" if trial.diverged else f"test acc {trial.accuracy:.3f}, {trial.seconds:.0f} s"
    return f"{trial.way}{rate}, seed {trial.seed}: {result}"
