"""Recommendation of a training strategy and a source model for a set of images: `advise`."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from mxnet.gluon import HybridBlock, nn
from sklearn.model_selection import StratifiedKFold

from d2ltl import runtime
from d2ltl.advice.measurements import Fit, Trial
from d2ltl.advice.transferability import accuracy_by_number, leep, log_me, probe_accuracy
from d2ltl.advice.verdict import SCRATCH_STEPS, Advice
from d2ltl.data.augmentation import test_augs
from d2ltl.data.folders import ImageFolder
from d2ltl.data.inventory import log_inventory
from d2ltl.data.pairs import Data, Pair, as_pair
from d2ltl.data.subsets import sample
from d2ltl.datasets import BOOK, defaults_of
from d2ltl.errors import DivergenceError, ImageFolderError, NetworkError, SettingsError, check_seeds
from d2ltl.methods.lp_ft import train_lp_ft
from d2ltl.models.networks import finetune_net, scratch_net
from d2ltl.models.shapes import check_input
from d2ltl.models.sources import at_hand, origin_of, shared_source, source_net
from d2ltl.parallel import Workers, worker_pool
from d2ltl.training.evaluation import predict
from d2ltl.training.features import codes_by_stage
from d2ltl.training.fine_tuning import train_fine_tuning
from d2ltl.training.linear_probe import train_on_codes

logger = logging.getLogger(__name__)

INCEPTION = 299  # pixels; the image size of Inception, which can run no smaller ones
MEASURED = 1000  # maximal number of images for the measurements
TRIED = 300  # maximal number of images for the trial of gentle fine-tuning
TRIAL_EPOCHS = 5  # of gentle fine-tuning; the default of `python -m d2ltl.compare`
SCRATCH_BATCH = 16  # batch size of the training from scratch
HELD_OUT = 4  # folds: trainings are tested on one of them, so each class needs as many images


def advise(
    data: Data | ImageFolder,
    sources: Mapping[str, HybridBlock] | None = None,
    *,
    size: int | None = None,
    seed: int = 0,
    skip_unreadable: bool = False,
    workers: Workers = None,
) -> Advice:
    """Recommend a training strategy and a source model for a set of images, from quick measurements.

    The measurements answer three questions. Are there few images per class (`Advice.few`)? Which source model fits them
    best, and does its last stage suit them (`Advice.similar`)? Is transfer more accurate than training from
    scratch (`Advice.needed`)?

    They fit linear classifiers on CNN codes, and train one network from scratch for 100 small steps without
    augmentation. If there are few images and the last stage suits them, they also try gentle fine-tuning
    (``lp-ft``), with at most 300 images. They use at most 1,000 training images. The classifiers are also fitted on
    fewer images, because another source model may be the best one then. The advice is an estimate; `run_comparison`
    trains the networks to the end and measures their test accuracy.

    ============  ==================================  ==================================================
    ..            the last stage suits them           the last stage does not
    ============  ==================================  ==================================================
    few images    linear classifier on the codes,     linear classifier on the codes of an earlier stage
                  or ``lp-ft`` if it is better
    many images   fine-tune all layers, or gently     fine-tune all layers for more epochs
    ============  ==================================  ==================================================

    If there are many images and the source model avoids two thirds of the errors, its features are good, and are
    fine-tuned gently (``lp-ft``). If training from scratch is certainly better, it is the advice.

    Parameters
    ----------
    data : str, path, pair or ImageFolder
        The `data` of `train_fine_tuning`, whose test images are not used; or only the training images.
    sources : mapping from str to HybridBlock, optional
        Source models from `source_net`, by the names that the advice uses for them; by default all source models on
        this machine (`d2ltl.models.sources.at_hand`).
    size : int, optional
        Height and width of the images that the networks see, in pixels; by default the size of `d2ltl.datasets` for
        this data and each network. A network that cannot run images of this size sees 224 × 224 or 299 × 299 pixels.
    seed : int
        Seed of the random choice of images, the cross-validation folds and the training from scratch.
    skip_unreadable : bool
        Whether to leave out images that cannot be read. If False, they raise an error.
    workers : int or str, optional
        Number of processes, or the address of a Dask scheduler, that measure the source models at the same time; see
        `run_comparison`. The images per second are then those of a worker.

    Raises
    ------
    ImageFolderError, NetworkError, SettingsError
        If the images, a network or a number cannot be used, or a class has fewer than 4 training images.
    """
    images = _training_images(data, skip_unreadable)
    if sources is None:
        sources = _sources_at_hand()
    _check(sources, size, seed)
    runtime.log_threads()
    drawn = sample(images, MEASURED, seed, at_least=HELD_OUT)
    name_of_data = os.fspath(data) if isinstance(data, (str, os.PathLike)) else ""
    sizes = [size or defaults_of(name_of_data, net.zoo_name).size for net in sources.values()]
    fits = []
    if workers is None:
        for number, ((name, net), of_net) in enumerate(zip(sources.items(), sizes), 1):
            logger.info("measuring %s (%d of %d)", name, number, len(sources))
            fits.append(_fit(name, net, drawn, of_net, seed))
    else:
        tasks = [(name, origin_of(net), drawn, of_net, seed) for (name, net), of_net in zip(sources.items(), sizes)]
        with worker_pool(workers) as run_all:
            fits = run_all(_fit_by_origin, tasks, describe=lambda fit: f"{fit.source}: measured")
    fits.sort(key=lambda fit: (not fit.dense, -fit.accuracy))
    best = sources[fits[0].source]
    logger.info("training from scratch, %d small steps", SCRATCH_STEPS)
    scratch, tested = _scratch_accuracy(best.zoo_name, drawn, fits[0].size, seed)
    advice = Advice(np.bincount(images.labels).tolist(), fits, scratch, tested)
    if advice.few and advice.similar and fits[0].dense:
        logger.info("trying gentle fine-tuning (lp-ft), %d epochs", TRIAL_EPOCHS)
        advice = replace(advice, trial=_trial(best, sample(drawn, TRIED, seed, at_least=HELD_OUT), fits[0].size, seed))
    return advice


def _sources_at_hand() -> dict[str, HybridBlock]:
    """Return all source models on this machine that the active array interface can run."""
    sources = {}
    for source in at_hand():
        net = source_net(*source)
        try:
            _size_for(net, BOOK.size)
        except NetworkError as error:
            logger.info("%s is left out: %s", source[0], error)
        else:
            sources[":".join(source)] = net
    return sources


def _size_for(net: HybridBlock, size: int) -> int:
    """Return the first size, of `size` and two larger ones, that a network can run; else raise NetworkError."""
    for larger in (BOOK.size, INCEPTION):
        try:
            check_input(net, size)
        except NetworkError:
            size = larger
    check_input(net, size)
    return size


def _check(sources: Mapping[str, HybridBlock], size: int | None, seed: int) -> None:
    if not sources:
        raise SettingsError("sources is empty; give at least one source model.")
    if size is not None and size < 1:
        raise SettingsError(f"size is {size}; the side of an image is at least 1 pixel.")
    check_seeds([seed])
    for name, net in sources.items():
        if not hasattr(net, "zoo_name"):
            raise NetworkError(f"{name} does not know its name in the zoo; get the source model by source_net().")


def _training_images(data: Data | ImageFolder, skip_unreadable: bool) -> ImageFolder:
    if isinstance(data, ImageFolder):
        images = data.drop_unreadable() if skip_unreadable else data
    else:
        pair = as_pair(data, skip_unreadable=skip_unreadable)
        log_inventory(pair)
        images = pair[0]
    numbers = np.bincount(images.labels, minlength=len(images.synsets))
    if numbers.min() < HELD_OUT:
        name = images.synsets[int(numbers.argmin())]
        raise ImageFolderError(
            f"{images.root} has {numbers.min()} images of {name} to train; advice needs {HELD_OUT} of each class."
        )
    return images


def _fit_by_origin(name: str, origin: tuple[str, str], images: ImageFolder, size: int, seed: int) -> Fit:
    return _fit(name, shared_source(*origin), images, size, seed)


def _fit(name: str, net: HybridBlock, images: ImageFolder, size: int, seed: int) -> Fit:
    size = _size_for(net, size)
    runtime.reseed(seed)
    untrained = scratch_net(len(images.synsets), net.zoo_name)
    of_untrained = codes_by_stage(untrained, images, size=size)  # decodes the images, before the time is taken
    start = time.perf_counter()
    codes = codes_by_stage(net, images, size=size)
    images_per_s = len(images) / (time.perf_counter() - start)
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
        images_per_s,
        accuracy_by_number(codes[-1], images.labels, seed=seed),
        isinstance(net.output, nn.Dense),
        len(images),
        log_me(of_untrained[-1], images.labels),
    )


def _scratch_accuracy(name: str, images: ImageFolder, size: int, seed: int) -> tuple[float, int]:
    """Return the accuracy of a network after a short training from scratch, and the number of images that tested it.

    The accuracy is 0 if the training diverges.
    """
    train, test = _held_out(images, seed)
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
        return 0.0, len(test)
    return history.curve("test_acc")[-1], len(test)


def _trial(source: HybridBlock, images: ImageFolder, size: int, seed: int) -> Trial:
    """Compare gentle fine-tuning with the linear probe that it starts from, on the held-out images.

    The accuracy of fine-tuning is 0 if it diverges.
    """
    train, test = _held_out(images, seed)
    shared: dict[str, Any] = {"data": (train, test), "size": size, "seed": seed, "verbose": False}
    net = finetune_net(len(images.synsets), source)
    probe = train_on_codes(net, "softmax", **shared).curve("test_acc")[-1]
    rate = defaults_of("", source.zoo_name).lr_lp_ft
    try:
        history = train_lp_ft(net, rate, num_epochs=TRIAL_EPOCHS, evaluate_every=TRIAL_EPOCHS, **shared)
    except DivergenceError:
        return Trial(0.0, probe, len(test))
    return Trial(history.curve("test_acc")[-1], probe, len(test))


def _held_out(images: ImageFolder, seed: int) -> Pair:
    """Return a random stratified split of the images: three quarters to train, the others to test."""
    cut = StratifiedKFold(HELD_OUT, shuffle=True, random_state=seed)
    train, test = (images.subset(part.tolist()) for part in next(cut.split(images.labels, images.labels)))
    return train, test
