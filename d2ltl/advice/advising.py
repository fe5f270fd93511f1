"""Recommendation of a training strategy and a source model for a set of images: `advise`."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
from mxnet.gluon import HybridBlock
from sklearn.model_selection import StratifiedKFold

from d2ltl import runtime
from d2ltl.advice.transferability import leep, log_me, probe_accuracy
from d2ltl.advice.verdict import SCRATCH_STEPS, Advice, Fit
from d2ltl.data.augmentation import test_augs
from d2ltl.data.folders import ImageFolder
from d2ltl.data.pairs import Data, as_pair
from d2ltl.data.subsets import sample
from d2ltl.datasets import BOOK, defaults_of
from d2ltl.errors import DivergenceError, ImageFolderError, NetworkError, SettingsError, check_seeds
from d2ltl.models.networks import scratch_net
from d2ltl.models.shapes import check_input
from d2ltl.models.sources import source_net
from d2ltl.training.evaluation import predict
from d2ltl.training.features import codes_by_stage
from d2ltl.training.fine_tuning import train_fine_tuning

MEASURED = 1000  # maximal number of images for the measurements
SCRATCH_BATCH = 16  # batch size of the training from scratch
HELD_OUT = 4  # folds: the training from scratch is tested on one fold, and needs as many images of each class


def advise(
    data: Data | ImageFolder,
    sources: Mapping[str, HybridBlock] | None = None,
    *,
    size: int | None = None,
    seed: int = 0,
) -> Advice:
    """Recommend a training strategy and a source model for a set of images, from quick measurements.

    The measurements answer three questions. Are there few images per class (`Advice.few`)? Which source model fits them
    best, and are they similar to its source set (`Advice.similar`)? Is transfer more accurate than training from
    scratch (`Advice.needed`)?

    They fit linear classifiers on CNN codes, and train one network from scratch for 100 small steps without
    augmentation. They use at most 1,000 training images. The advice is an estimate; `run_comparison` trains the
    networks to the end and measures their test accuracy.

    ============  ==================================  ==================================================
    ..            similar to the source set           different from the source set
    ============  ==================================  ==================================================
    few images    linear classifier on the codes      linear classifier on the codes of an earlier stage
    many images   fine-tune all layers                fine-tune all layers for more epochs
    ============  ==================================  ==================================================

    If transfer is not more accurate, the advice is to train from scratch.

    Parameters
    ----------
    data : str, path, pair or ImageFolder
        The `data` of `train_fine_tuning`, whose test images are not used; or only the training images.
    sources : mapping from str to HybridBlock, optional
        Source models from `source_net`, by the names that the advice uses for them; by default ``source_net()``.
    size : int, optional
        Height and width of the images that the networks see, in pixels; by default the size of `d2ltl.datasets` for
        this data. A network that cannot run images of this size sees 224 × 224 pixels.
    seed : int
        Seed of the random choice of images, the cross-validation folds and the training from scratch.

    Raises
    ------
    ImageFolderError, NetworkError, SettingsError
        If the images, a network or a number cannot be used, or a class has fewer than 4 training images.
    """
    images = _training_images(data)
    if size is None:
        size = defaults_of(os.fspath(data) if isinstance(data, (str, os.PathLike)) else "").size
    sources = {"the source model": source_net()} if sources is None else sources
    _check(sources, size, seed)
    drawn = sample(images, MEASURED, seed, at_least=HELD_OUT)
    fits = [_fit(name, net, drawn, size, seed) for name, net in sources.items()]
    fits.sort(key=lambda fit: -fit.accuracy)
    best = sources[fits[0].source].zoo_name
    return Advice(len(images), len(images.synsets), fits, _scratch_accuracy(best, drawn, fits[0].size, seed))


def _check(sources: Mapping[str, HybridBlock], size: int, seed: int) -> None:
    if not sources:
        raise SettingsError("sources is empty; give at least one source model.")
    if size < 1:
        raise SettingsError(f"size is {size}; the side of an image is at least 1 pixel.")
    check_seeds([seed])
    for name, net in sources.items():
        if not hasattr(net, "zoo_name"):
            raise NetworkError(f"{name} does not know its name in the zoo; get the source model by source_net().")


def _training_images(data: Data | ImageFolder) -> ImageFolder:
    images = data if isinstance(data, ImageFolder) else as_pair(data)[0]
    numbers = np.bincount(images.labels, minlength=len(images.synsets))
    if numbers.min() < HELD_OUT:
        name = images.synsets[int(numbers.argmin())]
        raise ImageFolderError(
            f"{images.root} has {numbers.min()} images of {name} to train; advice needs {HELD_OUT} of each class."
        )
    return images


def _fit(name: str, net: HybridBlock, images: ImageFolder, size: int, seed: int) -> Fit:
    try:
        check_input(net, size)
    except NetworkError:
        size = BOOK.size
    runtime.reseed(seed)
    untrained = scratch_net(len(images.synsets), net.zoo_name)
    codes, of_untrained = (codes_by_stage(each, images, size=size) for each in (net, untrained))
    by_stage, by_untrained = (
        [probe_accuracy(of_stage, images.labels, seed=seed) for of_stage in stages] for stages in (codes, of_untrained)
    )
    return Fit(
        name,
        size,
        by_stage,
        by_untrained,
        log_me(codes[-1], images.labels),
        leep(predict(net, images, size=size)[0], images.labels),
    )


def _scratch_accuracy(name: str, images: ImageFolder, size: int, seed: int) -> float:
    """Return the test accuracy of a network after a short training from scratch; 0 if the training diverges."""
    cut = StratifiedKFold(HELD_OUT, shuffle=True, random_state=seed)
    train, test = (images.subset(part.tolist()) for part in next(cut.split(images.labels, images.labels)))
    runtime.reseed(seed)
    net = scratch_net(len(images.synsets), name)
    try:
        history = train_fine_tuning(
            net,
            BOOK.lr_scratch,
            SCRATCH_BATCH,
            max(1, round(SCRATCH_STEPS * SCRATCH_BATCH / len(train))),
            data=(train, test),
            size=size,
            train_augs=test_augs(size),
            seed=seed,
            verbose=False,
        )
    except DivergenceError:
        return 0.0
    return history.curve("test_acc")[-1]
