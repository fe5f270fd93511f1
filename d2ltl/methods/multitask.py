"""Multi-task learning: several tasks trained together with shared features (Caruana 1997)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

from d2ltl import runtime
from d2ltl.arrays import to_mx
from d2ltl.data import augmentation
from d2ltl.data.batches import batch_sizes, loader
from d2ltl.data.folders import ImageFolder
from d2ltl.data.formats import PathLike
from d2ltl.data.pairs import Data, as_pair
from d2ltl.errors import ImageFolderError, SettingsError
from d2ltl.history import History
from d2ltl.models.networks import finetune_net
from d2ltl.models.outputs import check_devices, discard_graph, for_inference, outputs_of, set_up, shards_of
from d2ltl.models.parameters import set_value, value_of
from d2ltl.models.shapes import check_batch, check_input
from d2ltl.training.checkpoint import Checkpoint
from d2ltl.training.loop import Step, Sums, clear_gradients, fit, sgd, start_or_resume


@dataclass(frozen=True)
class MultiTask:
    """The result of `train_multitask`: a network for each task, with the same `features` block, and their history.

    The loss in the history is the weighted sum of the losses of the tasks. The test accuracy is the mean over the
    tasks. The training accuracy is the share of correct predictions among the labels of all tasks, averaged over the
    batches.
    """

    nets: dict[str, gluon.HybridBlock]
    history: History

    @property
    def accuracy(self) -> dict[str, list[float]]:
        """Test accuracy of each task, for the epochs in which the test images were evaluated."""
        return self._by_task("test_acc")

    @property
    def weights(self) -> dict[str, list[float]]:
        """Weight of the loss of each task, for the epochs in which the test images were evaluated."""
        return self._by_task("weight")

    def _by_task(self, quantity: str) -> dict[str, list[float]]:
        return {name: [e.tasks[name][quantity] for e in self.history.epochs if e.tasks] for name in self.nets}


def train_multitask(
    source: gluon.HybridBlock,
    learning_rate: float,
    batch_size: int = 128,
    num_epochs: int = 5,
    *,
    tasks: Mapping[str, Data],
    weights: Mapping[str, float] | str = "equal",
    size: int = 224,
    seed: int = 0,
    devices: Sequence[mx.Context] | None = None,
    checkpoint: PathLike | None = None,
    **options: Any,
) -> MultiTask:
    """Fine-tune shared features for several tasks at once, with one output layer per task.

    The training minimises the weighted sum of the cross-entropies of the tasks. An image contributes to the loss of
    every task for which it has a label.

    Parameters
    ----------
    source : HybridBlock
        Source model from `source_net`. It is not changed; the networks share a copy of its features.
    tasks : mapping from str to str, path or pair
        Training and test images of each task, labelled with the classes of the task; see the `data` of
        `train_fine_tuning`. Tasks may share images (see `relabel_by`), but no training image of one task may be a test
        image of another.
    weights : 'equal', 'uncertainty', or a mapping from str to float
        Weights of the losses: all 1, learned, or given for each task (0 or more). A learned weight is ``exp(-s)``. The
        parameter ``s`` starts at 0; gradient descent on ``loss * exp(-s) + s / 2`` updates it with ten times
        `learning_rate` (Kendall, Gal and Cipolla 2018, *Multi-task learning using uncertainty to weigh losses*).
    learning_rate, batch_size, num_epochs, size, seed, devices, checkpoint, **options
        See `train_fine_tuning`, also for the errors. The new output layers learn at ten times `learning_rate`. The
        options are ``callbacks``, ``evaluate_every`` and ``verbose``.
    """
    pairs = {name: as_pair(task, f"Task {name}") for name, task in tasks.items()}
    start_weights = _fixed_weights(weights, list(pairs))
    train_imgs, train_labels = _all_images([train for train, _ in pairs.values()])
    test_imgs, test_labels = _all_images([test for _, test in pairs.values()])
    if common := {path for path, _ in train_imgs.items} & {path for path, _ in test_imgs.items}:
        raise ImageFolderError(f"{min(common)} trains one task and tests another, although tasks share their features.")
    devices = check_devices(devices)

    runtime.reseed(seed)
    nets = {name: finetune_net(len(train.synsets), source) for name, (train, _) in pairs.items()}
    first = next(iter(nets.values()))
    check_input(first, size)
    check_batch(first, size, min(batch_sizes(len(train_imgs), batch_size, len(devices))), len(devices))
    together = _Together(nets, start_weights, devices)
    trainer = sgd(together, learning_rate)
    shapes = {name: [len(train), len(test), list(train.synsets)] for name, (train, test) in pairs.items()}
    settings = {"learning_rate": learning_rate, "batch_size": batch_size, "size": size, "seed": seed, "tasks": shapes,
                "weights": weights if isinstance(weights, str) else dict(weights)}  # fmt: skip
    saved = Checkpoint(checkpoint, together, trainer, settings) if checkpoint else None
    history = start_or_resume(saved, devices)

    batches = loader(train_imgs, augmentation.train_augs(size), batch_size, shuffle=True, devices=len(devices))
    test_batches = loader(test_imgs, augmentation.test_augs(size), batch_size)
    step = _multitask_step(together, trainer, train_labels, devices, 10 * learning_rate * (weights == "uncertainty"))

    def evaluate() -> dict[str, Any]:
        accuracies = together.accuracies(test_batches, test_labels, devices)
        by_task = zip(nets, accuracies, together.last_weights.tolist())
        tasks = {name: {"test_acc": accuracy, "weight": weight} for name, accuracy, weight in by_task}
        return {"test_acc": float(np.mean(accuracies)), "tasks": tasks}

    fit(step, batches, trainer, num_epochs, history, evaluate, seed=seed, checkpoint=saved, **options)
    for net in nets.values():
        discard_graph(net)
    return MultiTask(nets, history)


class _Together(gluon.Block):
    """The shared features, the output layers of all tasks, and the weights of their losses."""

    def __init__(self, nets: Mapping[str, gluon.HybridBlock], fixed: np.ndarray, devices: Sequence[mx.Context]) -> None:
        super().__init__(prefix="together_")
        self.features = next(iter(nets.values())).features
        for net in nets.values():
            net.features = self.features
            set_up(net, devices)
            self.register_child(net.output)
        self.outputs = [net.output for net in nets.values()]
        self.fixed = self.last_weights = fixed
        self.log_variances = self.params.get(  # ``s`` of learned weights; as a parameter it is saved in checkpoints
            "log_variances", shape=fixed.shape, dtype="float64", grad_req="null", init="zeros"
        )
        self.log_variances.initialize(ctx=[*devices])

    def answers(self, codes: Any) -> list[Any]:
        """Return the outputs (n, classes) of each task for the features of a batch."""
        return [outputs_of(output, codes) for output in self.outputs]

    def accuracies(self, batches: Any, labels: np.ndarray, devices: Sequence[mx.Context]) -> list[float]:
        """Return the accuracy of each task on the images with a label for the task."""
        features = for_inference([self.features], devices[0])
        shards = (shard for X, _ in batches for shard in shards_of(X, devices))
        predicted = np.concatenate([_predicted(self.answers(outputs_of(features, shard))) for shard in shards])
        right = np.where(np.isnan(predicted), np.nan, predicted == labels)  # so that `fit` notices a divergence
        return [float(right[known, i].mean()) for i, known in enumerate((labels >= 0).T)]


def _multitask_step(
    together: _Together, trainer: gluon.Trainer, labels: np.ndarray, devices: Sequence[mx.Context], rate: float
) -> Step:
    """Return a training step for `fit` that trains all tasks. The loss weights learn at `rate`; 0 for fixed weights.

    `labels` has shape (N, tasks), -1 for no label. The labels of a batch are row numbers of this array.
    """

    def step(X: Any, rows: Any) -> Callable[[], Sums]:
        of_batch = labels[rows.asnumpy().astype(int)]
        counts = np.maximum((of_batch >= 0).sum(axis=0), 1)
        log_variances = value_of(together.log_variances)
        weights = together.last_weights = together.fixed * np.exp(-log_variances)
        shards = shards_of(X, devices)
        parts = np.split(of_batch, np.cumsum([len(shard) for shard in shards])[:-1])
        clear_gradients(together, devices[len(shards) :])
        with autograd.record():
            answers = [together.answers(outputs_of(together.features, shard)) for shard in shards]
            losses = [
                [_mean_loss(answer, part[:, i], counts[i]) for i, answer in enumerate(of_shard)]
                for of_shard, part in zip(answers, parts)
            ]
            totals = [sum(loss * weight for weight, loss in zip(weights, of_shard)) for of_shard in losses]
        autograd.backward(totals)
        trainer.step(1, ignore_stale_grad=True)
        values = np.sum([[loss.asnumpy().item() for loss in of_shard] for of_shard in losses], axis=0)
        if rate:  # gradient descent step for the tasks with labels in this batch
            slopes = (0.5 - values * weights) * (of_batch >= 0).any(axis=0)
            set_value(together.log_variances, log_variances - rate * slopes)
        predicted = np.concatenate([_predicted(of_shard) for of_shard in answers])
        right = int((predicted == of_batch).sum())
        loss = float((weights * values).sum()) if np.isfinite(values).all() else float(values.sum())
        return lambda: (len(X) * loss, len(X) * right / max((of_batch >= 0).sum(), 1), len(X))

    return step


def _predicted(answers: Sequence[Any]) -> np.ndarray:
    """Return the most probable class of each image for each task, shape (n, tasks); NaN if an output is not finite."""
    outputs = [answer.asnumpy() for answer in answers]
    return np.stack([np.where(np.isfinite(y).all(axis=1), y.argmax(axis=1), np.nan) for y in outputs], axis=1)


def _mean_loss(outputs: Any, labels: np.ndarray, count: int) -> Any:
    """Return the cross-entropy, summed over the images with a label, and divided by their number in the batch."""
    known = (labels >= 0).astype(np.float32)
    losses = gluon.loss.SoftmaxCrossEntropyLoss()(outputs, _like(outputs, labels))
    return (losses * _like(outputs, known / count)).sum()


def _like(outputs: Any, values: np.ndarray) -> Any:
    return to_mx(values.astype(np.float32)).as_in_context(outputs.ctx)


def _fixed_weights(weights: Mapping[str, float] | str, names: Sequence[str]) -> np.ndarray:
    """Return the initial weight of each task's loss, and check the argument `weights`."""
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
    """Return the images of all tasks, labelled with row numbers of an array of their labels (N, tasks), -1 for none."""
    labels_of = [dict(part.items) for part in parts]
    paths = sorted(set().union(*labels_of))
    images = parts[0].subset([])
    images.items = [(path, row) for row, path in enumerate(paths)]
    return images, np.array([[labels.get(path, -1) for labels in labels_of] for path in paths])
