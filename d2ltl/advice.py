"""Which way of transferring suits a target set, and which source model: `advise`."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import d2ltl  # its names load MXNet at their first use, so that --help need not wait for it
from d2ltl import runtime
from d2ltl.datasets import BOOK, defaults_of, find_data
from d2ltl.trials import quiet, train_or_diverge

if TYPE_CHECKING:
    from mxnet.gluon import HybridBlock

    from d2ltl.data import ImageFolder, Pair

FEW = 100  # images of each class; fewer are few, by rule of thumb: codes and fine-tuning are about even there
LEARNED = 0.2  # share of errors that what was learned must avoid; measured: 0.2 to 0.6 on food, mostly below on digits
NEEDED = 0.02  # accuracy by which transfer must beat a network from scratch: a standard error of 1,000 images
MEASURED = 1000  # images at most, drawn at random
SCRATCH_IMAGES, SCRATCH_BATCH = 1600, 16  # what the network from scratch is given: 100 steps
HELD_OUT = 4  # one image of so many tests it


@dataclass(frozen=True)
class Fit:
    """How well a source model suits the images.

    Attributes
    ----------
    source : str
    size : int
        Side of the images it was shown, in pixels.
    by_stage : list of float
        Cross-validated accuracy of a linear classifier on the codes of each of its stages.
    untrained : list of float
        The same of the same network with random weights.
    log_me, leep : float
        Of the codes of its last stage, and of its own answers (`d2ltl.log_me`, `d2ltl.leep`).
    """

    source: str
    size: int
    by_stage: list[float]
    untrained: list[float]
    log_me: float
    leep: float

    @property
    def stage(self) -> int:
        """The stage whose codes tell most, from 1."""
        return int(np.argmax(self.by_stage)) + 1

    @property
    def accuracy(self) -> float:
        """Of a linear classifier on the codes of that stage."""
        return max(self.by_stage)

    @property
    def learned(self) -> float:
        """Share of the untrained network's errors, at its best stage, that codes of the trained one's last avoid."""
        errors = 1 - max(self.untrained)
        return (self.by_stage[-1] - max(self.untrained)) / errors if errors else 0.0


@dataclass(frozen=True)
class Advice:
    """What was measured of a target set before training on it, and the advice that follows; as text by ``str``.

    Attributes
    ----------
    images, classes : int
    fits : list of Fit
        Of the source models, best first.
    scratch : float
        Accuracy of the best source's network after a short training from scratch.
    """

    images: int
    classes: int
    fits: list[Fit]
    scratch: float

    @property
    def few(self) -> bool:
        """Whether there are fewer than `FEW` images of each class."""
        return self.images / self.classes < FEW

    @property
    def similar(self) -> bool:
        """Whether the images are like those of the source set: whether what the last stage learned there helps here.

        The first stages suit any image, and the last ones the source set (Yosinski et al. 2014). So `Fit.learned`
        compares the last with layers that have learned nothing, and must reach `LEARNED`.
        """
        return self.fits[0].learned >= LEARNED

    @property
    def needed(self) -> bool:
        """Whether transfer does better than a short training from scratch, by `NEEDED`."""
        return self.fits[0].accuracy > self.scratch + NEEDED

    @property
    def way(self) -> str:
        """One of ``'codes'``, ``'finetune'``, ``'codes of a stage'``, ``'train all'`` and ``'scratch'``."""
        if not self.needed:
            return "scratch"
        if self.few:
            best = self.fits[0]
            return "codes" if self.similar or best.stage == len(best.by_stage) else "codes of a stage"
        return "finetune" if self.similar else "train all"

    def __str__(self) -> str:
        """Return the measured figures and the advice in plain sentences."""
        best = self.fits[0]
        lines = [
            f"{self.images} images of {self.classes} classes, {self.images / self.classes:.0f} of each on average: "
            f"{'few' if self.few else 'not few'} (the limit is {FEW}).",
            *map(_sentence, self.fits),
        ]
        if len(self.fits) > 1:
            lines.append(f"{best.source} suits best. {_agreement(self.fits)}")
        lines.append(_likeness(best, self.similar))
        lines.append(
            f"The same network from scratch: {self.scratch:.3f} after {SCRATCH_IMAGES / SCRATCH_BATCH:.0f} small "
            f"steps. Transfer is {'' if self.needed else 'not '}needed."
        )
        return "\n".join([*lines, f"Advice: {_WAYS[self.way].format(source=best.source, stage=best.stage)}"])


_WAYS = {
    "codes": "a linear classifier on the codes of {source}. Training its layers gains little from few images.",
    "finetune": "fine-tune all layers of {source}, at a small learning rate. There are enough images to adapt them.",
    "codes of a stage": "a linear classifier on the codes of stage {stage} of {source}. Later stages know other "
    "things, and there are too few images to teach them these.",
    "train all": "train all layers, starting from the weights of {source}, and longer than usual. The late layers have "
    "to learn anew, and there are enough images for it.",
    "scratch": "train from scratch; {source} brings nothing that these images do not teach as well.",
}


def _sentence(fit: Fit) -> str:
    stages = ", ".join(f"{accuracy:.3f}" for accuracy in fit.by_stage)
    return (
        f"{fit.source}: a linear classifier on its codes is right in {fit.accuracy:.3f} of them (by stage: {stages}; "
        f"cross-validated); LogME {fit.log_me:.3f}, LEEP {fit.leep:.3f}."
    )


def _agreement(fits: list[Fit]) -> str:
    dissent = [
        name
        for name, values in (("LogME", [fit.log_me for fit in fits]), ("LEEP", [fit.leep for fit in fits]))
        if values[0] < max(values)
    ]
    return f"{' and '.join(dissent)} would choose another." if dissent else "LogME and LEEP say so too."


def _likeness(fit: Fit, similar: bool) -> str:
    return (
        f"With random weights, codes of the same network give {max(fit.untrained):.3f}: what its last stage learned "
        f"avoids {max(0, fit.learned):.0%} of those errors. The images are {'like' if similar else 'unlike'} those of "
        f"the source set (the limit is {LEARNED:.0%})."
    )


def advise(
    data: str | os.PathLike[str] | Pair | ImageFolder,
    sources: Mapping[str, HybridBlock] | None = None,
    *,
    size: int | None = None,
    seed: int = 0,
) -> Advice:
    """Measure what the introduction to transfer learning says to ask before you start, and recommend a way.

    How many images are there (`Advice.few`)? Which source model suits them, and are they like those it was trained on
    (`Advice.similar`)? Is transfer needed at all (`Advice.needed`)? Nothing is trained but linear classifiers and,
    once, a network from scratch for 100 small steps, without augmentation. At most 1,000 of the images are looked at.
    It is an estimate: `run_comparison` knows.

    ============  ==================================  ================================
    ..            similar to the source set           different
    ============  ==================================  ================================
    few images    linear classifier on the codes      … on codes of an earlier stage
    many          fine-tune all layers                train all, longer
    ============  ==================================  ================================

    Parameters
    ----------
    data : path or ImageFolder
        The training images: a folder, archive or name (`run_comparison`), or the pair that `load_images` returns, of
        which the test images are left alone; or the first part of such a pair.
    sources : mapping from str to HybridBlock, optional
        Source models of `source_net` by the names that the advice shall call them; ``source_net()`` by default.
    size : int, optional
        Side of the images that the networks see, in pixels; the data's own (`d2ltl.datasets`) by default. A network
        that cannot run so small images gets 224.
    seed : int
        Decides which images are drawn, the folds, and the network from scratch.

    Raises
    ------
    ImageFolderError, NetworkError, SettingsError
        If images, networks or a number cannot be used; of each class, at least 4 images are needed.
    """
    images = _training_images(data)
    size = defaults_of(str(data)).size if size is None else size
    sources = {"the source model": d2ltl.source_net()} if sources is None else sources
    _check(sources, size, seed)
    sample = _sample(images, seed)
    fits = [_fit(name, net, sample, size, seed) for name, net in sources.items()]
    fits.sort(key=lambda fit: -fit.accuracy)
    best = sources[fits[0].source].zoo_name
    return Advice(len(images), len(images.synsets), fits, _scratch_accuracy(best, sample, fits[0].size, seed))


def _check(sources: Mapping[str, HybridBlock], size: int, seed: int) -> None:
    if not sources:
        raise d2ltl.SettingsError("sources is empty; give at least one source model.")
    if size < 1:
        raise d2ltl.SettingsError(f"size is {size}; the side of an image is at least 1 pixel.")
    if seed < 0:
        raise d2ltl.SettingsError(f"A seed is {seed}; seeds are 0 or more.")
    for name, net in sources.items():
        if not hasattr(net, "zoo_name"):
            raise d2ltl.NetworkError(f"{name} does not know its name in the zoo; get the source model by source_net().")


def _training_images(data: str | os.PathLike[str] | Pair | ImageFolder) -> ImageFolder:
    pair = d2ltl.load_images(find_data(os.fspath(data))) if isinstance(data, (str, os.PathLike)) else data
    images: ImageFolder
    images, *_ = pair if isinstance(pair, tuple) else (pair,)
    numbers = np.bincount(images.labels, minlength=len(images.synsets))
    if numbers.min() < HELD_OUT:
        name = images.synsets[int(numbers.argmin())]
        raise d2ltl.ImageFolderError(
            f"{images.root} has {numbers.min()} images of {name} to train; advice needs {HELD_OUT} of each class."
        )
    return images


def _sample(images: ImageFolder, seed: int) -> ImageFolder:
    """Return `MEASURED` of the images, of each class in proportion but at least `HELD_OUT`."""
    rng = np.random.default_rng(seed)
    chosen: list[int] = []
    for label in range(len(images.synsets)):
        members = rng.permutation(np.flatnonzero(images.labels == label))
        share = min(1.0, MEASURED / len(images))
        chosen += members[: max(HELD_OUT, math.floor(share * len(members)))].tolist()
    return images.subset(sorted(chosen))


def _fit(name: str, net: HybridBlock, images: ImageFolder, size: int, seed: int) -> Fit:
    from d2ltl.nets import check_input

    try:
        check_input(net, size)
    except d2ltl.NetworkError:
        size = BOOK.size
    runtime.reseed(seed)
    untrained = d2ltl.scratch_net(len(images.synsets), net.zoo_name)
    codes, of_untrained = (d2ltl.codes_by_stage(each, images, size=size) for each in (net, untrained))
    by_stage, by_untrained = (
        [d2ltl.probe_accuracy(of_stage, images.labels, seed=seed) for of_stage in stages]
        for stages in (codes, of_untrained)
    )
    return Fit(
        name,
        size,
        by_stage,
        by_untrained,
        d2ltl.log_me(codes[-1], images.labels),
        d2ltl.leep(d2ltl.predict(net, images, size=size)[0], images.labels),
    )


def _scratch_accuracy(name: str, images: ImageFolder, size: int, seed: int) -> float:
    """Return the accuracy of a network after a short training, 0 if it diverges."""
    from sklearn.model_selection import StratifiedKFold

    cut = StratifiedKFold(HELD_OUT, shuffle=True, random_state=seed)
    train, test = (images.subset(part.tolist()) for part in next(cut.split(images.labels, images.labels)))
    runtime.reseed(seed)
    net = d2ltl.scratch_net(len(images.synsets), name)
    with quiet():
        history = train_or_diverge(
            net,
            BOOK.lr_scratch,
            SCRATCH_BATCH,
            max(1, round(SCRATCH_IMAGES / len(train))),
            data=(train, test),
            size=size,
            train_augs=d2ltl.test_augs(size),
            seed=seed,
        )
    return history.epochs[-1].test_acc if history else 0.0


if __name__ == "__main__":
    from d2ltl.advice_command import main

    raise SystemExit(main())
