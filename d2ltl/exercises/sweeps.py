"""Exercises 1 to 3 of section 13.2: learning rates, tuning, frozen features; and the accuracy by number of images.

Every run reseeds the random generators and starts from the weights of the source model, which it does not change.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mxnet import autograd
from mxnet.gluon import HybridBlock

from d2ltl.comparison.strategies import Rates, find_strategy
from d2ltl.data.augmentation import test_augs
from d2ltl.data.batches import loader
from d2ltl.data.folders import ImageFolder
from d2ltl.data.formats import PathLike
from d2ltl.data.pairs import Data, as_pair
from d2ltl.data.subsets import split
from d2ltl.errors import DivergenceError, SettingsError, check_seeds, check_some
from d2ltl.exercises.trials import Run, Trial, run_trials
from d2ltl.models.outputs import device_of
from d2ltl.parallel import Workers
from d2ltl.training.features import extract_codes, mean_of_map

logger = logging.getLogger(__name__)

VALIDATION_SHARE = 0.25  # share of the training images for validation


def lr_sweep(
    rates: Sequence[float],
    *,
    seeds: Sequence[int] = (0,),
    way: str = "finetune",
    workers: Workers = None,
    keep: PathLike | None = None,
    **options: Any,
) -> list[Trial]:
    """Train with each learning rate and each seed (exercise 1 of section 13.2), and return the runs in this order.

    Parameters
    ----------
    rates, seeds : sequence of float, sequence of int
        Learning rates, and seeds of 0 or more; no duplicates.
    way : str
        Name of a strategy; see `find_strategy`.
    workers : int or str, optional
        See `run_comparison`. The source model is then from `source_net`, and unchanged.
    keep : path, optional
        Folder for the records of finished runs, which are not run again, and for the checkpoints of the others. Use it
        for the same arguments only.
    **options
        ``source``, ``data``, ``epochs``, ``size``, ``batch_size``: see `run_trial`.
    """
    check_some(rates=rates)
    check_seeds(seeds)
    return run_trials([Run(way, rate, seed) for rate in rates for seed in seeds], workers, keep, **options)


def mean_accuracy(trials: Sequence[Trial]) -> dict[float | None, float]:
    """Return the mean test accuracy over the seeds for each learning rate; NaN if one of the runs diverged."""
    rates = dict.fromkeys(trial.learning_rate for trial in trials)
    return {rate: float(np.mean([t.accuracy for t in trials if t.learning_rate == rate])) for rate in rates}


@dataclass(frozen=True)
class Tuning:
    """The result of `tune` for one strategy: the settings with the highest mean validation accuracy, and the runs.

    `grid` contains runs with every learning rate; their test accuracy is the accuracy on the validation images.
    `trials` are runs with the best settings, trained on all training images and tested on the test images.
    """

    grid: list[Trial]
    learning_rate: float
    epochs: int
    trials: list[Trial]


def tune(
    rates: Mapping[str, Sequence[float]],
    *,
    data: Data,
    epochs: int = 5,
    seeds: Sequence[int] = (0,),
    keep: PathLike | None = None,
    **options: Any,
) -> dict[str, Tuning]:
    """Choose the learning rate and the number of epochs of each strategy (exercise 2 of section 13.2).

    The accuracy on a validation set decides: the images for validation of the data set, or else a quarter of the
    training images. (A choice by the test accuracy would overestimate the accuracy of the best run.) The networks are
    then trained again on all training images with the best settings.

    Parameters
    ----------
    rates : mapping from str to a sequence of float
        Learning rates to try for each strategy.
    epochs : int
        Maximal number of epochs. Smaller numbers are evaluated during the same runs.
    data, seeds, keep, **options
        See `lr_sweep`.

    Raises
    ------
    DivergenceError
        If all learning rates of a strategy diverge.
    """
    data = as_pair(data)
    train = data[0]
    parts = split(train, VALIDATION_SHARE) if train.validation is None else (train, train.validation)
    tuned = {}
    for way, of_way in rates.items():
        folders = [None if keep is None else Path(keep, part) for part in ("grid", "best")]
        grid = lr_sweep(of_way, seeds=seeds, way=way, keep=folders[0], data=parts, epochs=epochs, **options)
        rate, best_epochs = best_settings(grid)
        logger.info("%s: best with learning rate %g and %d epochs", way, rate, best_epochs)
        again = lr_sweep([rate], seeds=seeds, way=way, keep=folders[1], data=data, epochs=best_epochs, **options)
        tuned[way] = Tuning(grid, rate, best_epochs, again)
    return tuned


def best_settings(grid: Sequence[Trial]) -> tuple[float, int]:
    """Return the learning rate and the number of epochs with the highest mean accuracy over the seeds.

    Learning rates with a diverged run are excluded; `DivergenceError` is raised if none is left.
    """
    curves: dict[float, np.ndarray] = {}
    for rate in dict.fromkeys(trial.learning_rate for trial in grid):
        histories = [trial.history for trial in grid if trial.learning_rate == rate]
        if rate is not None and all(histories):
            curves[rate] = np.mean([history.curve("test_acc") for history in histories if history], axis=0)
    if not curves:
        raise DivergenceError("Training diverged at every learning rate tried. Try lower ones.")
    rate = max(curves, key=lambda rate: curves[rate].max())
    return rate, int(curves[rate].argmax()) + 1


def frozen_features(
    learning_rate: float,
    *,
    seeds: Sequence[int] = (0,),
    ways: Sequence[str] = ("finetune", "frozen", "fixed", "codes-svm", "codes-softmax"),
    workers: Workers = None,
    keep: PathLike | None = None,
    **options: Any,
) -> list[Trial]:
    """Train with frozen features, and with fine-tuning for comparison (exercise 3 of section 13.2).

    Return the runs by strategy (`ways`; see `find_strategy`), then by seed. All strategies with gradient descent use
    the same learning rate. See `lr_sweep` for the other arguments.
    """
    check_some(ways=ways)
    check_seeds(seeds)
    return run_trials([Run(way, learning_rate, seed) for way in ways for seed in seeds], workers, keep, **options)


def learning_curve(
    numbers: Sequence[int],
    *,
    source: HybridBlock,
    data: Data,
    seeds: Sequence[int] = (0,),
    ways: Sequence[str] = ("codes-softmax", "finetune", "scratch"),
    rates: Rates | None = None,
    workers: Workers = None,
    keep: PathLike | None = None,
    **options: Any,
) -> list[Trial]:
    """Train with each number of training images, each strategy and each seed, and return the runs in this order.

    With the same seed, the images of a smaller number are among those of a larger one. The runs are tested on all test
    images. The number of steps is the same for all but very few images; see `run_trial`.

    Parameters
    ----------
    numbers : sequence of int
        Numbers of training images, at least one of each class; no duplicates.
    ways : sequence of str
        Names of strategies; see `find_strategy`.
    rates : Rates, optional
        Learning rates of the strategies; by default those of the source model.
    source, data, seeds, workers, keep, **options
        See `lr_sweep`.

    Raises
    ------
    SettingsError
        If a number is smaller than the number of classes, or larger than that of the training images.
    """
    check_some(numbers=numbers, ways=ways)
    check_seeds(seeds)
    data, rates = as_pair(data), rates or Rates.of(source.zoo_name)
    least, most = len(data[0].synsets), len(data[0])
    for number in numbers:
        if not least <= number <= most:
            raise SettingsError(f"{number} training images are asked for; {most} are there, of {least} classes.")
    rate_of = {way: getattr(rates, find_strategy(way).rate, None) for way in ways}
    runs = [Run(way, rate_of[way], seed, number) for number in numbers for way in ways for seed in seeds]
    return run_trials(runs, workers, keep, source=source, data=data, **options)


def features_by_mode(
    net: HybridBlock, images: ImageFolder, *, size: int = 224, batch_size: int = 128
) -> tuple[np.ndarray, np.ndarray]:
    """Return the features of images in evaluation mode and in training mode, both float32 of shape (N, channels).

    They differ if a layer of `net.features` behaves differently in training. An example is batch normalisation, which
    uses the statistics of the batch in training mode. See `predict` for `size` and `batch_size`.
    """
    evaluation = extract_codes(net, images, size=size, batch_size=batch_size)
    batches = loader(images, test_augs(size), batch_size)
    with autograd.train_mode():
        training = [mean_of_map(net.features(X.as_in_context(device_of(net)))).asnumpy() for X, _ in batches]
    return evaluation, np.concatenate(training)
