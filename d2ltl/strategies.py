"""The strategies that a comparison knows: one line to add one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mxnet.gluon import HybridBlock

from d2ltl.nets import finetune_net, freeze, scratch_net

BASELINE = "scratch"  # what the gains are measured against


class Strategy(NamedTuple):
    """One way to get a network for the target task."""

    make_net: Callable[[int, HybridBlock], HybridBlock]  # from the number of classes and the source model
    learning_rate: str  # the setting that holds it
    description: str


def _frozen_net(classes: int, source: HybridBlock) -> HybridBlock:
    net = finetune_net(classes, source)
    freeze(net.features)
    return net


STRATEGIES = {
    "finetune": Strategy(finetune_net, "lr_finetune", "pretrained features under a new output layer, all trained"),
    "scratch": Strategy(lambda n, source: scratch_net(n, source.zoo_name), "lr_scratch", "the same network, untrained"),
    "frozen": Strategy(_frozen_net, "lr_finetune", "pretrained features kept, the new output layer trained"),
}
