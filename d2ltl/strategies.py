"""The strategies that a comparison knows: one line to add one."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mxnet.gluon import HybridBlock
from mxnet.gluon.data.vision import ImageFolderDataset

from d2ltl import runtime
from d2ltl.codes import train_on_codes
from d2ltl.errors import SettingsError
from d2ltl.history import History
from d2ltl.methods.distillation import distill
from d2ltl.nets import finetune_net, freeze, freeze_stages, scratch_net
from d2ltl.train import train_fine_tuning
from d2ltl.zoo import source_net

BASELINE = "scratch"  # what the gains are measured against
STUDENT = "mobilenet0.25"

Pair = tuple[ImageFolderDataset, ImageFolderDataset]  # to train, to test


class Strategy(NamedTuple):
    """One way to get a network for the target task, and to train it.

    Attributes
    ----------
    make_net : callable
        From the number of classes and the source model.
    train : callable
        From the network, the images, the settings of the comparison, the seed, and the file of the checkpoint, if any.
    learning_rate : str
        The setting that holds it; empty where nothing descends a gradient.
    description : str
    """

    make_net: Callable[[int, HybridBlock], HybridBlock]
    train: Callable[[HybridBlock, Pair, dict[str, Any], int, Path | None], History]
    learning_rate: str
    description: str


def _by_gradient(make_net: Callable[[int, HybridBlock], HybridBlock], learning_rate: str, description: str) -> Strategy:
    def train(net: HybridBlock, images: Pair, settings: dict[str, Any], seed: int, checkpoint: Path | None) -> History:
        kept = {"data": images, "size": settings["size"], "seed": seed, "checkpoint": checkpoint}
        return train_fine_tuning(net, settings[learning_rate], settings["batch_size"], settings["epochs"], **kept)

    return Strategy(make_net, train, learning_rate, description)


def _on_codes(head: str, description: str) -> Strategy:
    def train(net: HybridBlock, images: Pair, settings: dict[str, Any], seed: int, _: Path | None) -> History:
        return train_on_codes(
            net, head, data=images, seed=seed, size=settings["size"], batch_size=settings["batch_size"]
        )

    return Strategy(finetune_net, train, "", description)


def _frozen_net(classes: int, source: HybridBlock) -> HybridBlock:
    net = finetune_net(classes, source)
    freeze(net.features)
    return net


def _partly_frozen_net(classes: int, source: HybridBlock, k: int) -> HybridBlock:
    net = finetune_net(classes, source)
    freeze_stages(net, k)
    return net


def _untrained_net(classes: int, source: HybridBlock) -> HybridBlock:
    return scratch_net(classes, source.zoo_name)


def _student_net(classes: int, _: HybridBlock) -> HybridBlock:
    return scratch_net(classes, STUDENT)


def _distil(net: HybridBlock, images: Pair, settings: dict[str, Any], seed: int, checkpoint: Path | None) -> History:
    """Fine-tune a teacher as `finetune` does, then train the student."""
    runtime.reseed(seed)  # so that the teacher is the network that `finetune` trains
    teacher = finetune_net(len(images[0].synsets), source_net(settings["net"], settings["pretrained"]))
    kept = checkpoint and checkpoint.with_suffix(".teacher")
    STRATEGIES["finetune"].train(teacher, images, settings, seed, kept)
    history = distill(
        *(net, teacher, settings["lr_scratch"], settings["batch_size"], settings["epochs"]),
        **{"data": images, "size": settings["size"], "seed": seed, "checkpoint": checkpoint},
    )
    if kept:
        kept.unlink()
    return history


STRATEGIES = {
    "finetune": _by_gradient(finetune_net, "lr_finetune", "pretrained features under a new output layer, all trained"),
    "scratch": _by_gradient(_untrained_net, "lr_scratch", "the same network, untrained"),
    "frozen": _by_gradient(_frozen_net, "lr_finetune", "pretrained features kept, the new output layer trained"),
    "codes-svm": _on_codes("svm", "a linear SVM on the pretrained features' output, computed once"),
    "codes-softmax": _on_codes("softmax", "logistic regression on the pretrained features' output, computed once"),
    "distilled": Strategy(_student_net, _distil, "lr_scratch", f"an untrained {STUDENT} learns from a fine-tuned net"),
}


def find_strategy(name: str) -> Strategy:
    """Return a strategy: one of `STRATEGIES`, or ``freeze-K``, which keeps the first K of the network's stages.

    Raises
    ------
    SettingsError
        If there is no such strategy.
    """
    if name in STRATEGIES:
        return STRATEGIES[name]
    if freeze_k := re.fullmatch(r"freeze-([1-9][0-9]*)", name):
        make_net = partial(_partly_frozen_net, k=int(freeze_k[1]))
        return _by_gradient(make_net, "lr_finetune", f"the first {freeze_k[1]} stages kept, the rest fine-tuned")
    choice = f"{', '.join(STRATEGIES)}, or freeze-1, freeze-2, … to keep so many stages"
    raise SettingsError(f"There is no strategy {name!r}; choose from {choice}.")
