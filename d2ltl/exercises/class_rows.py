"""Exercise 4 of section 13.2: uses of the output weights of the ImageNet class hot dog."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from mxnet.gluon import HybridBlock
from sklearn.metrics import roc_auc_score

from d2ltl import runtime
from d2ltl.data.folders import ImageFolder
from d2ltl.data.pairs import Data, Images, as_images, as_pair
from d2ltl.errors import SettingsError, WeightsError
from d2ltl.exercises.trials import Trial, history_unless_diverged, log_trial
from d2ltl.models import packages, sources
from d2ltl.models.networks import class_row, finetune_net
from d2ltl.models.outputs import float32
from d2ltl.models.parameters import parameter_of, set_value, value_of
from d2ltl.training.evaluation import evaluate, predict, run_on_images
from d2ltl.training.fine_tuning import train_fine_tuning

logger = logging.getLogger(__name__)

HOT_DOG, PHOTOCOPIER = 934, 713  # rows of an ImageNet model's output layer; the exercise uses 713 for the hot dog
POSITIVE = "hotdog"  # class folder in the book's data


def imagenet_net() -> HybridBlock:
    """Return an ImageNet model whose weights are on this machine; the log says which.

    The model is the book's resnet18_v2 if its weights have been downloaded, otherwise the EfficientNet-Lite0 or the
    SqueezeNet of the extra ``imagenet-offline``. `WeightsError` is raised if this machine has none of them.
    """
    for name in ("resnet18_v2", "efficientnet_lite0", "squeezenet1.1"):
        if sources.has_imagenet(name):
            logger.info("ImageNet model: %s", name)
            return sources.source_net(name, "imagenet")
    raise WeightsError(
        "The weights of an ImageNet model are not on this machine. "
        f"{packages.how_to_install('efficientnet_lite0')}. Or download the book's: "
        "d2ltl.source_net('resnet18_v2', 'imagenet')."
    )


@dataclass(frozen=True)
class ClassRow:
    """One class of a source model: index in the output layer, name, output weights, and scores for images.

    `weights` is a float32 array of shape (1, channels). `scores` are the probabilities of the class for the images,
    float32 of shape (N,). `auc` is the area under the ROC curve of the scores: the probability that a random positive
    image has a higher score than a random other image. 1 is perfect, 0.5 is chance.
    """

    index: int
    name: str
    weights: np.ndarray
    scores: np.ndarray
    auc: float

    def highest(self, number: int) -> list[int]:
        """Return the indices of the `number` images with the highest scores, highest first."""
        return np.argsort(-self.scores, kind="stable")[:number].tolist()

    def to_dict(self) -> dict[str, Any]:
        """Return all attributes except the weights as a dict of JSON values."""
        return {"index": self.index, "name": self.name, "scores": self.scores.tolist(), "auc": self.auc}


def class_rows(
    source: HybridBlock,
    images: Images,
    rows: Sequence[int] = (PHOTOCOPIER, HOT_DOG),
    *,
    positive: str = POSITIVE,
    **options: Any,
) -> list[ClassRow]:
    """Return the output weights of several classes of a source model, with their probabilities for images.

    Parameters
    ----------
    source : HybridBlock
        Source model from `source_net`.
    images, **options
        Images, ``size`` and ``batch_size``, as in `predict`.
    rows : sequence of int
        Indices of the classes in the output layer.
    positive : str
        Class of the images that count as positive in the AUC.
    """
    images = as_images(images)
    is_positive = images.labels == label_of(positive, images)
    weights = [class_row(source, row) for row in rows]  # before `predict`, because it checks the rows
    probabilities, _ = predict(source, images, **options)
    return [
        ClassRow(row, source.classes[row], row_weights, scores, float(roc_auc_score(is_positive, scores)))
        for row, row_weights, scores in zip(rows, weights, probabilities[:, list(rows)].T)
    ]


def label_of(name: str, images: ImageFolder) -> int:
    """Return the label of a class of images; raise SettingsError if the class does not exist."""
    if name not in images.synsets:
        raise SettingsError(f"{images.root} has no class {name!r}, only {', '.join(images.synsets)}.")
    return images.synsets.index(name)


def start_from_row(
    net: HybridBlock, source: HybridBlock, row: int, images: ImageFolder, *, positive: str = POSITIVE, **options: Any
) -> None:
    """Initialise the output layer of a network with two classes from one row of the source model.

    The class `positive` gets the weights and the bias of the row, divided by the standard deviation of the row's
    outputs for the images. Without this scaling, the probabilities would be too extreme: in an ImageNet model, the row
    competes with 999 other classes, here with one. The other class gets zero weights; its bias is the scaled median of
    the row's outputs. Each class is therefore predicted for half of the images at first.

    Parameters
    ----------
    net : HybridBlock
        Network from ``finetune_net(2, source)``. Its output layer is dense, or a convolution (SqueezeNet).
    row : int
        Index of the class in the output layer of the source model.
    images, **options
        Training images, whose labels are not used; ``size`` and ``batch_size``, as in `predict`.
    positive : str
        Class of the images that gets the row.
    """
    if len(images.synsets) != 2:
        raise SettingsError(f"{images.root} has {len(images.synsets)} classes; a row starts one of two.")
    label = label_of(positive, images)
    row_weights = class_row(source, row)  # raises an error if the row does not exist
    source_weight, source_bias = (value_of(parameter_of(source.output, kind)) for kind in ("weight", "bias"))
    of_class = np.arange(2) == label
    weights = np.where(of_class[:, None], row_weights, 0).reshape(2, *source_weight.shape[1:])
    biases = np.where(of_class, source_bias[row], 0)
    _set_output(net, weights, biases)
    scores = _outputs(net, images, **options)[:, label]
    spread = scores.std() or 1.0  # the standard deviation is 0 if all outputs are equal
    _set_output(net, weights / spread, np.where(of_class, biases, np.median(scores)) / spread)


def _set_output(net: HybridBlock, weights: np.ndarray, biases: np.ndarray) -> None:
    set_value(parameter_of(net.output, "weight"), weights)
    set_value(parameter_of(net.output, "bias"), biases)


def _outputs(net: HybridBlock, images: ImageFolder, **options: Any) -> np.ndarray:
    return run_on_images(net, [[net]], float32, images, **options)[0]


def first_epoch(
    learning_rate: float,
    *,
    source: HybridBlock,
    data: Data,
    row: int = HOT_DOG,
    positive: str = POSITIVE,
    seeds: Sequence[int] = (0,),
    size: int = 224,
    batch_size: int = 128,
) -> list[Trial]:
    """Fine-tune for one epoch from a random output layer, and from an output layer initialised with a class's row.

    The random (Xavier-initialised) layer learns at ten times the learning rate, as in the book. The layer with the row
    learns at the learning rate of the features, because the row is already trained. The attribute `way` of the trials
    is ``'xavier'`` or ``'row 934'`` (the number of the row), `before` is the test accuracy before the training.

    Parameters
    ----------
    learning_rate : float
        Learning rate of the features.
    row, positive
        See `start_from_row`.
    source, data, seeds, size, batch_size
        See `lr_sweep`. The images have two classes.
    """
    pair, trials = as_pair(data), []
    shown = {"size": size, "batch_size": batch_size}
    for way in ("xavier", f"row {row}"):
        for seed in seeds:
            runtime.reseed(seed)
            net = finetune_net(2, source, lr_mult=10 if way == "xavier" else 1)
            if way != "xavier":
                start_from_row(net, source, row, pair[0], positive=positive, **shown)
            _, before, _ = evaluate(net, pair[1], **shown)
            options: dict[str, Any] = {"data": pair, "num_epochs": 1, "seed": seed, "verbose": False, **shown}
            history = history_unless_diverged(partial(train_fine_tuning, net, learning_rate, **options))
            trials.append(log_trial(Trial(way, learning_rate, seed, history, before)))
    return trials
