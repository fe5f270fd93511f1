"""Replacement for the book's package d2l, so that the cells of the chapter run as printed, on a CPU too.

In the book's cells, replace ``from d2l import mxnet as d2l`` by ``from d2ltl import book as d2l``. This line must come
before ``from mxnet import …``, because it restores an alias that MXNet needs and NumPy 1.24 removed. Unlike d2l 1.0.3,
downloads are checked, a machine without a GPU works, and an epoch with fewer than five batches does not divide by zero.
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
from d2ltl.training.fine_tuning import losses_by, train_on_batches
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
    """Return GPU `i`, or the CPU if that GPU does not exist."""
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
    """Train a network on several devices, and print the book's two-line summary (sections 13.1 and 13.2).

    `net` has its parameters on `devices`: by default all GPUs, or the CPU if there is no GPU. `loss` is a function from
    outputs (n, classes) and labels (n,) to losses (n,).
    """
    losses_of = losses_by(net, loss)
    return train_on_batches(net, losses_of, train_iter, test_iter, trainer, num_epochs, devices or try_all_gpus())
