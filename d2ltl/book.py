"""The names that the chapter uses, so that its cells run as printed, on a CPU too.

In the book's cells replace ``from d2l import mxnet as d2l`` by ``from d2ltl import book as d2l``. With NumPy 1.24 or
later that line must come before ``from mxnet import …``: it gives NumPy the alias without which MXNet cannot be
imported. (The extra ``book`` installs an older NumPy, with which the order does not matter.)

The functions behave as those of the book's own package (d2l 1.0.3), less its traps: a download is checked, a
machine without a GPU works, and an epoch of less than five batches does not divide by zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mxnet as mx
from matplotlib import pyplot as plt
from mxnet import gluon
from mxnet.gluon.data import DataLoader

from d2ltl.history import History
from d2ltl.plot import show_images
from d2ltl.runtime import devices as try_all_gpus
from d2ltl.train import fit
from data_hub import DATA_HUB, DATA_URL, download, download_all, download_extract, extract

__all__ = [
    "DATA_HUB",
    "DATA_URL",
    "download",
    "download_all",
    "download_extract",
    "extract",
    "plt",
    "show_images",
    "train_ch13",
    "try_all_gpus",
    "try_gpu",
]


def try_gpu(i: int = 0) -> mx.Context:
    """Return GPU `i`, or the CPU where there is none."""
    return mx.gpu(i) if mx.context.num_gpus() > i else mx.cpu()


def train_ch13(
    net: gluon.HybridBlock,
    train_iter: DataLoader,
    test_iter: DataLoader,
    loss: Callable[[Any, Any], Any],
    trainer: gluon.Trainer,
    num_epochs: int,
    devices: Sequence[mx.Context] | None = None,
) -> History:
    """Train a network on several devices, and print the book's two summary lines (sections 13.1 and 13.2).

    The network's parameters must be on `devices` already (all GPUs, else the CPU, by default).
    """
    return fit(net, train_iter, test_iter, loss, trainer, num_epochs, devices or try_all_gpus())
