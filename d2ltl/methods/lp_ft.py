"""LP-FT: a linear probe first, then gentle fine-tuning of all layers, for a source model with good features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mxnet.gluon import HybridBlock

from d2ltl.data.pairs import Data, as_pair
from d2ltl.history import History
from d2ltl.models.sources import use_running_statistics
from d2ltl.training.fine_tuning import train_fine_tuning
from d2ltl.training.linear_probe import PROBE_OPTIONS, train_on_codes

MOMENTUM = 0.9


def train_lp_ft(
    net: HybridBlock, learning_rate: float, batch_size: int = 32, num_epochs: int = 5, *, data: Data, **options: Any
) -> History:
    """Fit the output layer by a linear probe, then fine-tune all layers at a small learning rate.

    The book's way can spoil good features: a new output layer of random weights sends large gradients into them, and
    the statistics of small batches replace those of the source set. Here the output layer starts from a linear probe
    (Kumar et al. 2022, *Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution*). Batch
    normalisation stays in inference mode (`use_running_statistics`). The learning rate is the same for all layers; it
    rises linearly over the first tenth of the steps and then falls as a cosine. The momentum is 0.9.

    Parameters
    ----------
    net : HybridBlock
        Network from `finetune_net`, with one output per class. Its output is a dense layer.
    learning_rate : float
        Highest learning rate. About 0.0003 suits EfficientNet-Lite.
    batch_size, num_epochs, data, **options
        See `train_fine_tuning`, also for the errors. The history has the epochs of the fine-tuning; the probe takes one
        pass over the images more.
    """
    pair = as_pair(data)
    checkpoint = options.get("checkpoint")
    if not (checkpoint and Path(checkpoint).exists()):  # a run that resumes loads its output layer
        shared = {name: options[name] for name in PROBE_OPTIONS if name in options}
        train_on_codes(net, "softmax", data=pair, batch_size=batch_size, **{**shared, "verbose": False})
    net.output.collect_params().setattr("lr_mult", 1)
    use_running_statistics(net.features)
    given = {"momentum": MOMENTUM, "schedule": "cosine", "data": pair, **options}
    return train_fine_tuning(net, learning_rate, batch_size, num_epochs, **given)
