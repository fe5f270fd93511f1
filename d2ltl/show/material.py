"""Shared functions of the demonstrations: source model, images, short trainings."""

from __future__ import annotations

from typing import Any

from mxnet.gluon import HybridBlock

from d2ltl import runtime
from d2ltl.comparison.strategies import BASELINE, create_and_train
from d2ltl.data.pairs import Pair, load_images
from d2ltl.data.subsets import sample
from d2ltl.history import History
from d2ltl.models.sources import source_net

DATA = "hotdog-mini"
SIZE, BATCH_SIZE = 48, 16  # for the source model that comes with the library
IMAGENET_SIZE = 112  # image size for the ImageNet model


def source_model() -> HybridBlock:
    """Return the source model that comes with the library, which has learned from Tiny ImageNet."""
    return source_net("resnet18_v2", "tinyimagenet")


def imagenet_model() -> HybridBlock:
    """Return an ImageNet model, which comes with a package; an error says how to install it."""
    return source_net("efficientnet_lite0", "imagenet")


def half() -> Pair:
    """Return half of the training images and half of the test images of `DATA`."""
    train, test = (sample(part, len(part) // 2) for part in load_images(DATA))
    return train, test


def train(
    strategy: str, data: Pair, seed: int, epochs: int, source: HybridBlock | None = None, **options: Any
) -> tuple[HybridBlock, History]:
    """Train a network by a strategy with small settings; `options` override the arguments of `train_network`.

    The default `source` is `source_model`.
    """
    shown = {"data": data, "seed": seed, "num_epochs": epochs, "size": SIZE, "batch_size": BATCH_SIZE}
    # Loading a model draws random numbers. The documented figures depend on when: after seeding, where it is used.
    if source is None and strategy == BASELINE:
        source = source_model()
    runtime.reseed(seed)
    return create_and_train(strategy, source or source_model(), **{"verbose": False, **shown, **options})
