"""Training runs of the exercises, and their records."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mxnet.gluon import HybridBlock

from d2ltl.comparison.strategies import Rates, find_strategy, train_network
from d2ltl.data.formats import PathLike
from d2ltl.data.pairs import Data, Pair, as_pair
from d2ltl.data.subsets import sample
from d2ltl.errors import DivergenceError, SettingsError
from d2ltl.files import write_json
from d2ltl.history import History
from d2ltl.models.sources import origin_of, shared_source
from d2ltl.parallel import Workers, stop_if_asked, worker_pool

logger = logging.getLogger(__name__)

MOST_REPEATED = 10  # how many times as many epochs a few images get


@dataclass(frozen=True)
class Trial:
    """The record of one training run of an exercise.

    `way` is the name of the strategy, or of the initialisation in `first_epoch`. `learning_rate` is None for strategies
    without gradient descent. `history` is None if the run diverged. `before` is the test accuracy before the training;
    None if it was not measured. `images` is the number of training images that were drawn; None for all.
    """

    way: str
    learning_rate: float | None
    seed: int
    history: History | None
    before: float | None = None
    images: int | None = None

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

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Trial:
        """Return the trial that `to_dict` converted to a dict."""
        history = values["history"]
        return cls(**{**values, "history": history and History.from_dict(history)})


class Run(NamedTuple):
    """The arguments of `run_trial` in which the runs of a sweep differ."""

    way: str
    learning_rate: float | None
    seed: int
    images: int | None = None

    def file_name(self) -> str:
        """Return a name for the record of the run, different for each run of a sweep."""
        rate = "" if self.learning_rate is None else f"-{self.learning_rate:g}"
        images = "" if self.images is None else f"-{self.images}-images"
        return f"{self.way}{rate}{images}-seed{self.seed}"


def run_trial(
    way: str,
    learning_rate: float | None,
    seed: int = 0,
    *,
    source: HybridBlock,
    data: Data,
    images: int | None = None,
    epochs: int = 5,
    size: int = 224,
    batch_size: int = 128,
    checkpoint: PathLike | None = None,
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
    images : int, optional
        Number of training images, which `sample` draws with the seed; by default all. A smaller number gets more
        epochs, up to ten times as many, so that the number of steps is the same. Only the last epoch is tested.
    data, epochs, seed, size, batch_size, checkpoint
        See `train_fine_tuning`, where `epochs` is called `num_epochs`.
    """
    by_gradient = bool(find_strategy(way).rate)
    if by_gradient and learning_rate is None:
        raise SettingsError(f"The strategy {way} needs a learning rate; the one given is None.")
    rate = learning_rate if by_gradient else None
    rates = None if rate is None else Rates(*[rate] * len(Rates._fields))
    train, test = as_pair(data)
    options: dict[str, Any] = {"num_epochs": epochs, "size": size, "batch_size": batch_size, "seed": seed,
                               "checkpoint": checkpoint, "callbacks": [stop_if_asked], "verbose": False}  # fmt: skip
    if images is not None:
        more = epochs * min(MOST_REPEATED, max(1, round(len(train) / images)))
        options.update(num_epochs=more, evaluate_every=more)
        train = sample(train, images, seed)
    history = history_unless_diverged(lambda: train_network(way, source, data=(train, test), rates=rates, **options)[1])
    return log_trial(Trial(way, rate, seed, history, images=images))


def run_trials(
    runs: Sequence[Run],
    workers: Workers,
    keep: PathLike | None,
    *,
    source: HybridBlock,
    data: Data,
    **options: Any,
) -> list[Trial]:
    """Return the results of `run_trial` for each run, in this order; see `lr_sweep`."""
    pair, folder = as_pair(data), None if keep is None else Path(keep).absolute()
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    with worker_pool(workers) as run_all:
        origin = source if workers is None else origin_of(source)
        return run_all(_run, [(run, origin, pair, options, folder) for run in runs], describe=describe_trial)


def _run(
    run: Run, source: HybridBlock | tuple[str, str], data: Pair, options: dict[str, Any], folder: Path | None
) -> Trial:
    """Run a trial, or load its record. Workers get the name and the weights of the source model."""
    record = folder and folder / f"{run.file_name()}.json"
    if record and record.exists():
        return log_trial(Trial.from_dict(json.loads(record.read_text(encoding="utf-8"))))
    net = shared_source(*source) if isinstance(source, tuple) else source
    checkpoint = record and record.with_name(f"{record.stem}.checkpoint")
    trial = run_trial(**run._asdict(), source=net, data=data, checkpoint=checkpoint, **options)
    if record and checkpoint:
        write_json(record, trial.to_dict())
        checkpoint.unlink(missing_ok=True)
    return trial


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
    images = "" if trial.images is None else f", {trial.images} images"
    result = "diverged" if trial.diverged else f"test acc {trial.accuracy:.3f}, {trial.seconds:.0f} s"
    return f"{trial.way}{rate}{images}, seed {trial.seed}: {result}"
