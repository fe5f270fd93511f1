"""Exercises 1 to 3 of section 13.2: learning rates, tuning, frozen features.

Every run reseeds the random generators, starts from the weights of the source model, and does not change the source
model.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mxnet import autograd
from mxnet.gluon import HybridBlock

from d2ltl.data.folders import ImageFolder
from d2ltl.data.pairs import Data, as_pair
from d2ltl.data.subsets import split
from d2ltl.errors import DivergenceError, check_seeds, check_some
from d2ltl.exercises.trials import Trial, run_trial
from d2ltl.training.features import extract_codes

logger = logging.getLogger(__name__)

VALIDATION_SHARE = 0.25  # share of the training images for validation


def lr_sweep(
    rates: Sequence[float], *, seeds: Sequence[int] = (0,), way: str = "finetune", **options: Any
) -> list[Trial]:
    """Train with each learning rate and each seed (exercise 1 of section 13.2).

    Parameters
    ----------
    rates : sequence of float
        Learning rates.
    seeds : sequence of int
        Seeds, 0 or more.
    way : str
        Name of a strategy; see `find_strategy`.
    **options
        ``source``, ``data``, ``epochs``, ``size``, ``batch_size``: see `run_trial`.

    Returns
    -------
    list of Trial
        The runs, by learning rate, then by seed.

    Raises
    ------
    SettingsError
        If a sequence is empty or contains duplicates, or a seed is negative.
    """
    check_some(rates=rates)
    check_seeds(seeds)
    return [run_trial(way, rate, seed, **options) for rate in rates for seed in seeds]


def mean_accuracy(trials: Sequence[Trial]) -> dict[float | None, float]:
    """Return the mean test accuracy over the seeds for each learning rate; NaN if one of the runs diverged."""
    rates = dict.fromkeys(trial.learning_rate for trial in trials)
    return {rate: float(np.mean([t.accuracy for t in trials if t.learning_rate == rate])) for rate in rates}


@dataclass(frozen=True)
class Tuning:
    """The result of `tune` for one strategy.

    Attributes
    ----------
    grid : list of Trial
        Runs with every learning rate. Their test accuracy is the accuracy on the validation images.
    learning_rate : float
        Learning rate with the highest mean validation accuracy.
    epochs : int
        Number of epochs with the highest mean validation accuracy.
    trials : list of Trial
        Runs with the best settings, trained on all training images and tested on the test images.
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
    **options: Any,
) -> dict[str, Tuning]:
    """Choose the learning rate and the number of epochs of each strategy (exercise 2 of section 13.2).

    The accuracy on a validation set, a quarter of the training images, decides. (A choice by the test accuracy would
    overestimate the accuracy of the best run.) The networks are then trained again on all training images with the
    best settings.

    Parameters
    ----------
    rates : mapping from str to a sequence of float
        Learning rates to try for each strategy.
    data : str, path or pair
        Training and test images; see `train_fine_tuning`.
    epochs : int
        Maximal number of epochs. Smaller numbers are evaluated during the same runs.
    seeds : sequence of int
        Seeds, 0 or more.
    **options
        ``source``, ``size``, ``batch_size``: see `run_trial`.

    Returns
    -------
    dict from str to Tuning
        The result for each strategy.

    Raises
    ------
    DivergenceError
        If all learning rates of a strategy diverge.
    """
    data = as_pair(data)
    parts = split(data[0], VALIDATION_SHARE)
    tuned = {}
    for way, of_way in rates.items():
        grid = lr_sweep(of_way, seeds=seeds, way=way, data=parts, epochs=epochs, **options)
        rate, best_epochs = best_settings(grid)
        logger.info("%s: best with learning rate %g and %d epochs", way, rate, best_epochs)
        again = lr_sweep([rate], seeds=seeds, way=way, data=data, epochs=best_epochs, **options)
        tuned[way] = Tuning(grid, rate, best_epochs, again)
    return tuned


def best_settings(grid: Sequence[Trial]) -> tuple[float, int]:
    """Return the learning rate and the number of epochs with the highest mean accuracy over the seeds.

    Learning rates with a diverged run are excluded.

    Raises
    ------
    DivergenceError
        If every learning rate has a diverged run.
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
    **options: Any,
) -> list[Trial]:
    """Train with frozen features, and with fine-tuning for comparison (exercise 3 of section 13.2).

    Parameters
    ----------
    learning_rate : float
        Learning rate of all strategies with gradient descent.
    seeds : sequence of int
        Seeds, 0 or more.
    ways : sequence of str
        Names of strategies; see `find_strategy`.
    **options
        ``source``, ``data``, ``epochs``, ``size``, ``batch_size``: see `run_trial`.

    Returns
    -------
    list of Trial
        The runs, by strategy, then by seed.
    """
    check_some(ways=ways)
    check_seeds(seeds)
    return [run_trial(way, learning_rate, seed, **options) for way in ways for seed in seeds]


def features_by_mode(net: HybridBlock, images: ImageFolder, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the features of images in evaluation mode and in training mode.

    They differ if a layer of `net.features` behaves differently in training. An example is batch normalisation, which
    uses the statistics of the batch in training mode.

    Parameters
    ----------
    net : HybridBlock
        Network with `features`.
    images : ImageFolder
        Images of which to compute the features.
    **options
        ``size``, ``batch_size``: see `predict`.

    Returns
    -------
    evaluation, training : ndarray of float32, shape (N, channels)
    """
    evaluation = extract_codes(net, images, **options)
    with autograd.train_mode():
        return evaluation, extract_codes(net, images, **options)
