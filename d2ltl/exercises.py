"""The four exercises of section 13.2 as functions, for notebooks, assignments and ``python -m d2ltl.exercises``.

Every run starts from the source model's weights, is reseeded, and leaves the source model as it was.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import d2ltl  # its names load MXNet at their first use, so that --help need not wait for it
from d2ltl.exercise_rows import HOT_DOG, PHOTOCOPIER, ClassRow, class_rows, first_epoch, imagenet_net, start_from_row
from d2ltl.trials import WAYS, Trial, quiet, run_trial

if TYPE_CHECKING:
    from mxnet.gluon import HybridBlock

    from d2ltl.data import ImageFolder

__all__ = ["HOT_DOG", "PHOTOCOPIER", "WAYS", "ClassRow", "Trial", "Tuning", "at_most", "best_settings", "class_rows",
           "features_by_mode", "first_epoch", "frozen_features", "hold_out", "imagenet_net", "lr_sweep",
           "mean_accuracy", "quiet", "run_trial", "start_from_row", "thin", "tune"]  # fmt: skip

logger = logging.getLogger(__name__)

VALIDATION_SHARE = 0.25  # of the training images, to choose settings by


def thin(data: tuple[ImageFolder, ImageFolder], step: int) -> tuple[ImageFolder, ImageFolder]:
    """Return every `step`-th training image and every `step`-th test image, for a quick try."""
    train, test = data
    return train.subset(range(0, len(train), step)), test.subset(range(0, len(test), step))


def at_most(data: tuple[ImageFolder, ImageFolder], number: int) -> tuple[ImageFolder, ImageFolder]:
    """Return the training and the test images, thinned out to `number` of each where there are more."""
    train, test = (
        part.subset(np.linspace(0, len(part) - 1, min(number, len(part))).astype(int).tolist()) for part in data
    )
    return train, test


def lr_sweep(
    rates: Sequence[float], *, seeds: Sequence[int] = (0,), way: str = "finetune", **options: Any
) -> list[Trial]:
    """Train at each learning rate, with each seed (exercise 1 of section 13.2).

    Parameters
    ----------
    rates : sequence of float
    seeds : sequence of int
    way, **options
        ``source``, ``data``, ``epochs``, ``size``, ``batch_size``: those of `run_trial`.
    """
    _check_some(rates=rates, seeds=seeds)
    return [run_trial(way, rate, seed, **options) for rate in rates for seed in seeds]


def _check_some(**sequences: Sequence[Any]) -> None:
    for name, values in sequences.items():
        if not values or len(set(values)) < len(values):
            raise d2ltl.SettingsError(f"{name} is {list(values)}; give at least one, and each once.")
        if name == "seeds" and min(values) < 0:
            raise d2ltl.SettingsError(f"A seed is {min(values)}; seeds are 0 or more.")


def mean_accuracy(trials: Sequence[Trial]) -> dict[float | None, float]:
    """Return the mean test accuracy over the seeds by learning rate; NaN where a run diverged."""
    rates = dict.fromkeys(trial.learning_rate for trial in trials)
    return {rate: float(np.mean([t.accuracy for t in trials if t.learning_rate == rate])) for rate in rates}


@dataclass(frozen=True)
class Tuning:
    """What `tune` found for one way to train.

    Attributes
    ----------
    grid : list of Trial
        Trained on a part of the training images; their test accuracies are of the validation part.
    learning_rate, epochs : float, int
        The best by mean validation accuracy.
    trials : list of Trial
        Trained on all training images with the best settings, and tested on the test images.
    """

    grid: list[Trial]
    learning_rate: float
    epochs: int
    trials: list[Trial]


def tune(
    rates: Mapping[str, Sequence[float]],
    *,
    data: tuple[ImageFolder, ImageFolder],
    epochs: int = 5,
    seeds: Sequence[int] = (0,),
    **options: Any,
) -> dict[str, Tuning]:
    """Choose the learning rate and the number of epochs of each way to train (exercise 2 of section 13.2).

    They are chosen on a quarter of the training images that the training leaves out. Chosen by the test images, the
    best of many runs would seem better than it is. Each way is then trained anew, with what was chosen.

    Parameters
    ----------
    rates : mapping from str to a sequence of float
        The learning rates to try, by a key of `WAYS`.
    epochs : int
        The most to try: the accuracies after fewer are those on the way there.
    seeds : sequence of int
    data, **options
        ``source``, ``size``, ``batch_size``: those of `run_trial`.

    Raises
    ------
    DivergenceError
        If no learning rate of a way will do.
    """
    parts = hold_out(data[0])
    tuned = {}
    for way, of_way in rates.items():
        grid = lr_sweep(of_way, seeds=seeds, way=way, data=parts, epochs=epochs, **options)
        rate, best_epochs = best_settings(grid)
        logger.info("%s: best with learning rate %g and %d epochs", way, rate, best_epochs)
        again = lr_sweep([rate], seeds=seeds, way=way, data=data, epochs=best_epochs, **options)
        tuned[way] = Tuning(grid, rate, best_epochs, again)
    return tuned


def hold_out(images: ImageFolder, share: float = VALIDATION_SHARE, seed: int = 0) -> tuple[ImageFolder, ImageFolder]:
    """Return two parts of images, with the classes in proportion: the rest, and a share to choose settings by."""
    from sklearn.model_selection import train_test_split

    try:
        rest, held = train_test_split(
            range(len(images)), test_size=share, stratify=images.labels, random_state=seed)  # fmt: skip
    except ValueError as error:
        raise d2ltl.SettingsError(f"A share of {share} cannot be held out of {len(images)} images: {error}") from error
    return images.subset(sorted(rest)), images.subset(sorted(held))


def best_settings(grid: Sequence[Trial]) -> tuple[float, int]:
    """Return the learning rate and the number of epochs with the highest mean accuracy over the seeds.

    Raises
    ------
    DivergenceError
        If a seed diverged at every learning rate.
    """
    curves: dict[float, np.ndarray] = {}
    for rate in dict.fromkeys(trial.learning_rate for trial in grid):
        histories = [trial.history for trial in grid if trial.learning_rate == rate]
        if rate is not None and all(histories):
            curves[rate] = np.mean([history.curve("test_acc") for history in histories if history], axis=0)
    if not curves:
        raise d2ltl.DivergenceError("Training diverged at every learning rate tried. Try lower ones.")
    rate = max(curves, key=lambda rate: curves[rate].max())
    return rate, int(curves[rate].argmax()) + 1


def frozen_features(
    learning_rate: float,
    *,
    seeds: Sequence[int] = (0,),
    ways: Sequence[str] = ("finetune", "frozen", "fixed", "codes-svm", "codes-softmax"),
    **options: Any,
) -> list[Trial]:
    """Train with the features kept, and fine-tuned for comparison (exercise 3 of section 13.2).

    Parameters
    ----------
    learning_rate : float
        Of all ways that descend a gradient.
    seeds : sequence of int
    ways : sequence of str
        Keys of `WAYS`.
    **options
        ``source``, ``data``, ``epochs``, ``size``, ``batch_size``: those of `run_trial`.
    """
    _check_some(ways=ways, seeds=seeds)
    return [run_trial(way, learning_rate, seed, **options) for way in ways for seed in seeds]


def features_by_mode(net: HybridBlock, images: ImageFolder, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the features of the same images in evaluation mode and in training mode, float32, (N, channels) each.

    They are the same only if nothing in `net.features` behaves otherwise while training. Batch normalisation does:
    it normalises by the statistics of the batch.

    Parameters
    ----------
    net : HybridBlock
    images : ImageFolder
    **options
        ``size``, ``batch_size``: those of `predict`.
    """
    from mxnet import autograd

    evaluation = d2ltl.extract_codes(net, images, **options)
    with autograd.train_mode():
        return evaluation, d2ltl.extract_codes(net, images, **options)


if __name__ == "__main__":
    from d2ltl.exercise_commands import main

    sys.exit(main())
