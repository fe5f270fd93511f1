"""LP-FT: a linear probe first, then gentle fine-tuning of the last stages, for a source model with good features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mxnet import autograd, gluon
from mxnet.gluon import HybridBlock, nn

from d2ltl.data import augmentation
from d2ltl.data.pairs import Data, as_pair
from d2ltl.errors import SettingsError
from d2ltl.history import History
from d2ltl.models.freezing import first_stages, freeze, stages, use_running_statistics
from d2ltl.models.outputs import check_devices, for_inference, move_to, outputs_of
from d2ltl.training.fine_tuning import Losses, train_classifier
from d2ltl.training.linear_probe import PROBE_OPTIONS, train_on_codes
from d2ltl.training.loop import check_optimiser

MOMENTUM = 0.9
MAX_NORM = 20  # of a gradient; measured on photographs: 4 to 18, on images unlike the source set: hundreds
SMALLEST_CROP = 0.35  # share of the image area; the book's 0.08 takes more epochs to learn from


def train_lp_ft(
    net: HybridBlock,
    learning_rate: float,
    batch_size: int = 32,
    num_epochs: int = 5,
    *,
    data: Data,
    size: int = 224,
    trained_stages: int = 2,
    train_augs: Callable[[Any], Any] | None = None,
    **options: Any,
) -> History:
    """Fit the output layer by a linear probe, then fine-tune the last stages at a small learning rate.

    The book's way can spoil good features: a new output layer of random weights sends large gradients into them, and
    the statistics of small batches replace those of the source set. Here the output layer starts from a linear probe
    (Kumar et al. 2022, *Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution*). Batch
    normalisation stays in inference mode (`use_running_statistics`). The learning rate rises linearly over the first
    tenth of the steps and then falls as a cosine; the momentum is 0.9. Gradients are clipped to a norm of 20: where the
    features do not suit the images, the weights of the probe are large. The first stages stay fixed and run without
    gradients, which takes about half of the time of training all stages.

    Parameters
    ----------
    net : HybridBlock
        Network from `finetune_net`, with one output per class. Its output is a dense layer.
    learning_rate : float
        Highest learning rate, for all layers that are trained. About 0.001 suits EfficientNet-Lite.
    trained_stages : int
        Number of stages to train (see `freeze_stages`), counted from the last one.
    train_augs : callable, optional
        See `train_fine_tuning`. By default, the crops are larger than the book's: at least 35 % of the image area.
    batch_size, num_epochs, data, size, **options
        See `train_fine_tuning`, also for the errors; there is no `loss`. The history has the epochs of the fine-tuning.
        Their seconds leave out the probe, which takes one pass over the images.
    """
    for name, value, least in (("trained_stages", trained_stages, 0), ("num_epochs", num_epochs, 1)):
        if value < least:
            raise SettingsError(f"{name} is {value}; it is at least {least}.")
    check_optimiser(learning_rate, **{name: options[name] for name in ("momentum", "schedule") if name in options})
    pair = as_pair(data)
    checkpoint = options.get("checkpoint")
    if not (checkpoint and Path(checkpoint).exists()):  # a run that resumes loads its output layer
        shared = {name: options[name] for name in PROBE_OPTIONS if name in options}
        train_on_codes(net, "softmax", data=pair, size=size, batch_size=batch_size, verbose=False, **shared)
    net.output.collect_params().setattr("lr_mult", 1)
    use_running_statistics(net.features)
    fixed = first_stages(net, max(0, len(stages(net)) - trained_stages))
    return train_classifier(
        net,
        _losses_by(net, fixed, options),
        learning_rate,
        batch_size,
        num_epochs,
        data=pair,
        size=size,
        train_augs=train_augs or augmentation.train_augs(size, area=SMALLEST_CROP),
        max_norm=MAX_NORM,
        **{"momentum": MOMENTUM, "schedule": "cosine", "settings": {"trained_stages": trained_stages}, **options},
    )


def _losses_by(net: HybridBlock, fixed: list[HybridBlock], options: dict[str, Any]) -> Losses:
    """Freeze some first layers; return a function that maps images and labels to losses and outputs."""
    devices = check_devices(options.get("devices"))
    move_to(net, devices)
    trained = nn.HybridSequential(prefix="")
    trained.add(*(layer for layer in net.features if layer not in fixed), net.output)
    trained.hybridize(static_alloc=True, static_shape=True)
    for layer in fixed:
        freeze(layer)
    early = for_inference(fixed, devices[0]) if fixed else None
    cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss()

    def losses_of(X: Any, y: Any) -> tuple[Any, Any]:
        if early is not None:
            with autograd.pause():
                X = early(X)
        outputs = outputs_of(trained, X)
        return cross_entropy(outputs, y), outputs

    return losses_of
