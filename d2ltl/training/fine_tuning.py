"""Training of image classifiers: `train_fine_tuning`, and functions that other methods share with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import mxnet as mx
import numpy as np
from mxnet import gluon

from d2ltl.arrays import to_mx
from d2ltl.data import augmentation
from d2ltl.data.batches import Batches, batch_sizes, loader
from d2ltl.data.folders import ImageFolder, check_every_class
from d2ltl.data.formats import PathLike
from d2ltl.data.pairs import Data, as_pair
from d2ltl.history import History
from d2ltl.models.outputs import check_devices, discard_graph, outputs_of, set_up
from d2ltl.models.shapes import check_batch, check_input
from d2ltl.models.trained import note_training
from d2ltl.training.checkpoint import Checkpoint
from d2ltl.training.evaluation import evaluate_batches
from d2ltl.training.loop import Callback, check_optimiser, fit, gradient_step, sgd, start_or_resume
from d2ltl.training.workers import ALONE, Store, WorkerGroup

Losses = Callable[[Any, Any], tuple[Any, Any]]  # maps images and labels to losses (n,) and outputs (n, classes)


def train_fine_tuning(
    net: gluon.HybridBlock,
    learning_rate: float,
    batch_size: int = 128,
    num_epochs: int = 5,
    *,
    data: Data,
    size: int = 224,
    train_augs: Callable[[Any], Any] | None = None,
    test_augs: Callable[[Any], Any] | None = None,
    loss: Callable[[Any, Any], Any] | None = None,
    momentum: float = 0,
    schedule: str = "constant",
    balance: bool = False,
    devices: Sequence[mx.Context] | None = None,
    kvstore: Store = "device",
    seed: int = 0,
    checkpoint: PathLike | None = None,
    callbacks: Iterable[Callback] = (),
    evaluate_every: int = 1,
    verbose: bool = True,
) -> History:
    """Train a network on images like section 13.2 of the book, and print the book's two-line summary.

    Stochastic gradient descent with weight decay 0.001 minimises the softmax cross-entropy. In a notebook, the curves
    are drawn during training.

    Parameters
    ----------
    net : HybridBlock
        Network from `finetune_net` or `scratch_net`, with one output per class. It is trained in place.
    learning_rate : float
        Learning rate of parameters whose ``lr_mult`` is 1. The book uses 0.01 for fine-tuning, 0.1 from scratch.
    batch_size : int
        Number of images per step, over all devices and workers. A small remainder is spread over the batches, which may
        then have up to a quarter more (`d2ltl.data.batches.batch_sizes`).
    num_epochs : int
        Number of passes over the training images, including those in the checkpoint.
    data : str, path or pair
        A name of the data hub, a folder or an archive (see `load_images`), or the pair that `load_images` returns.
    size : int
        Height and width of the images that the network sees, in pixels.
    train_augs, test_augs : callable, optional
        Functions from a uint8 image (height, width, 3) to a float32 array (3, `size`, `size`); by default the book's
        (`d2ltl.train_augs`, `d2ltl.test_augs`).
    loss : callable, optional
        Function from outputs (n, classes) and labels (n,) to losses (n,); by default softmax cross-entropy.
    momentum : float
        Momentum of the gradient descent, at least 0 and less than 1; the book uses none.
    schedule : {'constant', 'cosine'}
        The learning rate in the course of the training: always the same, as in the book; or rising linearly over the
        first tenth of the steps, and then falling to 0 as a cosine.
    balance : bool
        Whether every class counts the same, however many images it has: the loss of an image is weighted by N /
        (classes × images of its class), as by scikit-learn's ``class_weight='balanced'``. The training loss in the
        history is then the weighted mean.
    devices : sequence of Context, optional
        Devices to train on; by default all GPUs, or the CPU if there is no GPU.
    kvstore : None, str or KVStore
        How gradients are added, as Gluon's Trainer takes it. ``'device'`` adds over devices. ``'dist_sync'`` also adds
        over workers: processes that run the same program, started by `d2ltl.data_parallel`. They share out the images
        of each batch, and have different random numbers for the augmentation. The history has figures of all workers;
        the first worker writes the checkpoint and prints. Batch normalisation in training uses the statistics of a
        worker's own part of the batch.
    seed : int
        Seed of the order and the augmentation of the images. On one machine and with one number of threads, the same
        seed gives the same curves.
    checkpoint : path, optional
        File to write after every epoch. If it exists, training resumes from it. With the same number of threads, the
        losses and accuracies are the same as without the interruption; with another one there is a warning.
    callbacks : iterable of callables
        Functions to call with the history after every epoch.
    evaluate_every : int
        Number of epochs between evaluations on the test images; the last epoch is always evaluated. In the other
        epochs, ``test_acc`` is None.
    verbose : bool
        Whether to print the summary, and to draw the curves in a notebook.

    Raises
    ------
    ImageFolderError, NetworkError, DeviceError, SettingsError
        If the images, the network, a device or a number cannot be used.
    CheckpointError
        If the checkpoint is damaged, was written with other settings, or contains more than `num_epochs` epochs.
    DivergenceError
        If the loss becomes infinite or NaN. The message names the epoch, the batch and the learning rate.
    """
    losses_of = losses_by(net, loss or gluon.loss.SoftmaxCrossEntropyLoss())
    options: dict[str, Any] = {"momentum": momentum, "schedule": schedule, "balance": balance,
                               "kvstore": kvstore, "callbacks": callbacks, "evaluate_every": evaluate_every,
                               "verbose": verbose}  # fmt: skip
    return train_classifier(net, losses_of, learning_rate, batch_size, num_epochs, data=data, size=size, seed=seed,
                            train_augs=train_augs, test_augs=test_augs, devices=devices, checkpoint=checkpoint,
                            **options)  # fmt: skip


def losses_by(net: gluon.HybridBlock, loss: Callable[[Any, Any], Any]) -> Losses:
    """Return a function that maps images and labels to the losses (n,) and the outputs (n, classes) of a network."""

    def losses_of(X: Any, y: Any) -> tuple[Any, Any]:
        outputs = outputs_of(net, X)
        return loss(outputs, y), outputs

    return losses_of


def train_classifier(
    net: gluon.HybridBlock,
    losses_of: Losses,
    learning_rate: float,
    batch_size: int,
    num_epochs: int,
    *,
    data: Data,
    size: int,
    train_augs: Callable[[Any], Any] | None = None,
    test_augs: Callable[[Any], Any] | None = None,
    momentum: float = 0,
    schedule: str = "constant",
    balance: bool = False,
    max_norm: float = math.inf,
    devices: Sequence[mx.Context] | None = None,
    kvstore: Store = "device",
    checkpoint: PathLike | None = None,
    settings: dict[str, Any] | None = None,
    seed: int = 0,
    **options: Any,
) -> History:
    """Train a network on images with a loss that may also depend on the images; see also `train_fine_tuning`.

    `losses_of` maps images and labels on one device to the losses (n,) and the outputs (n, classes). `max_norm` is the
    largest norm of a gradient (`gradient_step`). `settings` are recorded in the checkpoint, besides the learning rate,
    momentum, schedule, `balance`, `max_norm`, batch size, image size, seed, numbers of images and classes.
    `options` are those of `fit`.
    """
    check_optimiser(learning_rate, momentum, schedule)
    train_imgs, test_imgs = as_pair(data)
    check_input(net, size, len(train_imgs.synsets))
    note_training(net, train_imgs, size)
    devices = check_devices(devices)
    workers = WorkerGroup(kvstore)
    shares = len(devices) * workers.number
    check_batch(net, size, min(batch_sizes(len(train_imgs), batch_size, shares)), shares)
    part = (workers.rank, workers.number)
    train_iter = loader(
        train_imgs, train_augs or augmentation.train_augs(size), batch_size, shuffle=True, devices=shares, part=part
    )
    test_iter = loader(
        test_imgs, test_augs or augmentation.test_augs(size), batch_size, devices=workers.number, part=part
    )
    set_up(net, devices)
    if balance:
        losses_of = _weighted(losses_of, class_weights(train_imgs))
    cosine_steps = num_epochs * len(train_iter) * (schedule == "cosine")
    trainer = sgd(net, learning_rate, momentum, cosine_steps, math.isfinite(max_norm), workers.store)
    recorded = {"learning_rate": learning_rate, "batch_size": batch_size, "size": size, "seed": seed,
                "images": [len(train_imgs), len(test_imgs)], "classes": list(train_imgs.synsets),
                **({"momentum": momentum} if momentum else {}),
                **({"balance": True} if balance else {}),
                **({"max_norm": max_norm} if math.isfinite(max_norm) else {}),
                **({"cosine_epochs": num_epochs} if schedule == "cosine" else {}),
                **({} if workers.alone else {"workers": workers.number}),
                **(settings or {})}  # fmt: skip
    saved = Checkpoint(checkpoint, net, trainer, recorded) if checkpoint else None
    return train_on_batches(
        net, losses_of, train_iter, test_iter, trainer, num_epochs, devices,
        max_norm=max_norm, seed=seed, checkpoint=saved, workers=workers, **options,
    )  # fmt: skip


def class_weights(images: ImageFolder) -> np.ndarray:
    """Return the weight of an image of each class with which all classes count the same: float32, mean 1 over images.

    ImageFolderError is raised if a class has no image.
    """
    check_every_class(images, "train")
    counts = np.bincount(images.labels)
    return (len(images) / (len(counts) * counts)).astype(np.float32)


def _weighted(losses_of: Losses, weights: np.ndarray) -> Losses:
    def weighted(X: Any, y: Any) -> tuple[Any, Any]:
        losses, outputs = losses_of(X, y)
        return losses * to_mx(weights).as_in_context(y.ctx).take(y), outputs

    return weighted


def train_on_batches(
    net: gluon.HybridBlock,
    losses_of: Losses,
    train_iter: Batches,
    test_iter: Batches,
    trainer: gluon.Trainer,
    num_epochs: int,
    devices: Sequence[mx.Context],
    *,
    max_norm: float = math.inf,
    checkpoint: Checkpoint | None = None,
    workers: WorkerGroup = ALONE,
    **options: Any,
) -> History:
    """Train a network on the batches of a loader, like the book's `train_ch13`; its parameters are on `devices`.

    The loaders may also be Gluon's. See `train_classifier` for `losses_of` and `max_norm`, and `fit` for the other
    arguments.
    """
    step = gradient_step(net, losses_of, trainer, devices, max_norm, workers)
    history = start_or_resume(checkpoint, devices, workers)
    evaluate = partial(evaluate_batches, net, test_iter, devices, workers)
    fit(step, train_iter, trainer, num_epochs, history, evaluate, checkpoint=checkpoint, workers=workers, **options)
    discard_graph(net)
    return history
