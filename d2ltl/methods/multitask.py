"""Multi-task learning: related tasks trained together on one shared feature block (Caruana 1997)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mxnet import autograd, gluon
from tqdm.auto import tqdm

from d2ltl import loading, runtime
from d2ltl.data import ImageFolder, Pair, as_pair
from d2ltl.decoding import PathLike, to_mx
from d2ltl.errors import ImageFolderError, SettingsError
from d2ltl.evaluation import outputs_of, set_up
from d2ltl.nets import check_input, finetune_net
from d2ltl.train import WEIGHT_DECAY, check_learning_rate, check_num_epochs, divergence


@dataclass(frozen=True)
class MultiTask:
    """Networks that were trained together, and how that went.

    Attributes
    ----------
    nets : dict from str to HybridBlock
        A network for each task. Their `features` are one and the same block, not copies.
    accuracy : dict from str to list of float
        Test accuracy of each task by epoch.
    weights : dict from str to list of float
        The weight of each task's loss by epoch.
    """

    nets: dict[str, gluon.HybridBlock]
    accuracy: dict[str, list[float]]
    weights: dict[str, list[float]]


def train_multitask(
    source: gluon.HybridBlock,
    learning_rate: float,
    batch_size: int = 128,
    num_epochs: int = 5,
    *,
    tasks: Mapping[str, PathLike | Pair],
    weights: Mapping[str, float] | str = "equal",
    size: int = 224,
    seed: int = 0,
) -> MultiTask:
    """Fine-tune one copy of a source model's features for several tasks at once, with an output layer for each.

    The weighted sum of the tasks' losses (cross-entropy) is minimised. Every image goes through the features once,
    and counts for the tasks that it has a label of.

    Parameters
    ----------
    source : HybridBlock
        From `source_net`. It stays as it is.
    learning_rate, batch_size, num_epochs, size, seed
        Those of `train_fine_tuning`. The new output layers learn ten times as fast as the features.
    tasks : mapping from str to path or pair
        For each task its images to train and to test, in the classes of that task: a folder, or a pair as
        `load_images` returns. An image may be part of several (``images.relabel(read_labels(images, "table"))``).
    weights : 'equal', 'uncertainty', or a mapping from str to float
        Of the losses: all 1; learned; or fixed, from 0. A learned one is ``exp(-s)``, where ``s`` begins at 0 and
        minimises ``loss * exp(-s) + s / 2`` together with the network, ten times as fast as the features (Kendall, Gal
        and Cipolla 2018, *Multi-task learning using uncertainty to weigh losses*).

    Raises
    ------
    ImageFolderError, NetworkError, SettingsError
        If images, network or a number cannot be used.
    DivergenceError
        If the loss is not finite any more.
    """
    check_learning_rate(learning_rate)
    check_num_epochs(num_epochs)
    pairs = {name: as_pair(task, f"Task {name}") for name, task in tasks.items()}
    fixed, log_variances = _fixed_weights(weights, list(pairs)), np.zeros(len(pairs))
    train_imgs, train_labels = _all_images([train for train, _ in pairs.values()])
    test_imgs, test_labels = _all_images([test for _, test in pairs.values()])
    if common := {path for path, _ in train_imgs.items} & {path for path, _ in test_imgs.items}:
        raise ImageFolderError(f"{min(common)} is to train one task, and to test another: they share what they learn.")

    runtime.reseed(seed)
    nets = {name: finetune_net(len(train.synsets), source) for name, (train, _) in pairs.items()}
    features = next(iter(nets.values())).features
    check_input(next(iter(nets.values())), size)
    for net in nets.values():
        net.features = features  # shared on purpose
        set_up(net, runtime.devices()[:1])
    parameters = {id(p): p for net in nets.values() for p in net.collect_params().values()}
    trainer = gluon.Trainer([*parameters.values()], "sgd", {"learning_rate": learning_rate, "wd": WEIGHT_DECAY})

    batches = loading.loader(train_imgs, loading.train_augs(size), batch_size, shuffle=True)
    test_batches = loading.loader(test_imgs, loading.test_augs(size), batch_size)
    result = MultiTask(nets, {name: [] for name in nets}, {name: [] for name in nets})
    for number in range(1, num_epochs + 1):
        runtime.reseed(seed, number)
        progress = tqdm(batches, desc=f"epoch {number}/{num_epochs}", unit="batch", disable=None, leave=False)
        for batch, (X, rows) in enumerate(progress, 1):
            labels = train_labels[rows.asnumpy().astype(int)]
            task_weights = fixed * np.exp(-log_variances)
            with autograd.record():
                codes = outputs_of(features, X.as_in_context(runtime.devices()[0]))
                outputs = [outputs_of(net.output, codes) for net in nets.values()]
                losses = [_mean_loss(each, labels[:, i]) for i, each in enumerate(outputs)]
                total = sum(loss * weight for weight, loss in zip(task_weights, losses))
            total.backward()
            trainer.step(1)
            values = np.array([loss.asnumpy().item() for loss in losses])
            if not np.isfinite(values).all():
                raise divergence(values.sum(), number, batch, learning_rate)
            if weights == "uncertainty":  # a step down the gradient, for tasks that the batch has labels of
                slopes = (0.5 - values * task_weights) * (labels >= 0).any(axis=0)
                log_variances -= 10 * learning_rate * slopes
        for name, weight, accuracy in zip(nets, task_weights, _accuracies(nets, test_batches, test_labels)):
            result.weights[name].append(float(weight))
            result.accuracy[name].append(accuracy)
    return result


def _fixed_weights(weights: Mapping[str, float] | str, names: Sequence[str]) -> np.ndarray:
    """Return the weight that each task's loss starts with."""
    if not names:
        raise SettingsError("tasks is empty; at least 1 is needed.")
    if weights in ("equal", "uncertainty"):
        return np.ones(len(names))
    if isinstance(weights, str) or set(weights) != set(names):
        raise SettingsError(f"weights is {weights}; it is 'equal', 'uncertainty', or a number for {', '.join(names)}.")
    values = np.array([weights[name] for name in names])
    if not (np.isfinite(values) & (values >= 0)).all():
        raise SettingsError(f"weights is {weights}; a weight is a finite number from 0.")
    return values


def _all_images(parts: Sequence[ImageFolder]) -> tuple[ImageFolder, np.ndarray]:
    """Return every image once, labelled by its row in the other array: its labels by task, -1 where it has none."""
    labels_of = [dict(part.items) for part in parts]
    paths = sorted(set().union(*labels_of))
    images = parts[0].subset([])
    images.items = [(path, row) for row, path in enumerate(paths)]
    return images, np.array([[labels.get(path, -1) for labels in labels_of] for path in paths])


def _mean_loss(outputs: Any, labels: np.ndarray) -> Any:
    """Return the mean cross-entropy of the images that have a label; 0 if none has."""
    known = (labels >= 0).astype(np.float32)
    losses = gluon.loss.SoftmaxCrossEntropyLoss()(outputs, _like(outputs, labels))
    return (losses * _like(outputs, known / max(known.sum(), 1))).sum()


def _like(outputs: Any, values: np.ndarray) -> Any:
    return to_mx(values.astype(np.float32)).as_in_context(outputs.ctx)


def _accuracies(nets: Mapping[str, gluon.HybridBlock], batches: Any, labels: np.ndarray) -> list[float]:
    """Return the accuracy of each task on the images that have a label of it."""
    features, predicted = next(iter(nets.values())).features, []
    for X, _ in batches:
        codes = outputs_of(features, X.as_in_context(runtime.devices()[0]))
        outputs = [outputs_of(net.output, codes).asnumpy() for net in nets.values()]
        predicted.append(np.stack([each.argmax(axis=1) for each in outputs], axis=1))
    right = np.concatenate(predicted) == labels
    return [float(right[known, i].mean()) for i, known in enumerate((labels >= 0).T)]
