"""Training: `train_fine_tuning`, and the loop below it."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon
from mxnet.gluon.data import DataLoader
from mxnet.gluon.data.vision import ImageFolderDataset
from tqdm.auto import tqdm

from d2ltl import loading, runtime
from d2ltl.checkpoint import Checkpoint
from d2ltl.data import as_pair
from d2ltl.errors import CheckpointError, DivergenceError, SettingsError
from d2ltl.evaluation import accuracy_of, check_devices, loss_of, outputs_of, predict_batches, set_up, shards_of
from d2ltl.history import Epoch, History
from d2ltl.nets import check_input

logger = logging.getLogger(__name__)

WEIGHT_DECAY = 0.001  # section 13.2

Callback = Callable[[History], None]


def train_fine_tuning(
    net: gluon.HybridBlock,
    learning_rate: float,
    batch_size: int = 128,
    num_epochs: int = 5,
    *,
    data: str | os.PathLike[str] | tuple[ImageFolderDataset, ImageFolderDataset],
    size: int = 224,
    train_augs: Callable[[Any], Any] | None = None,
    test_augs: Callable[[Any], Any] | None = None,
    loss: Callable[[Any, Any], Any] | None = None,
    devices: Sequence[mx.Context] | None = None,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    callbacks: Iterable[Callback] = (),
) -> History:
    """Train a network on a folder of images, as section 13.2 of the book does, and print its two summary lines.

    Softmax cross-entropy is minimised by stochastic gradient descent with weight decay 0.001. In a notebook the curves
    are drawn as they grow.

    Parameters
    ----------
    net : HybridBlock
        From `finetune_net` or `scratch_net`, with one output per class.
    learning_rate : float
        Of a parameter whose ``lr_mult`` is 1. The book: 0.01 to fine-tune, 0.1 from scratch.
    batch_size : int
        Images per step, of all devices together.
    num_epochs : int
        Passes over the training images.
    data : path or pair
        A folder (see `load_images`), or the pair that `load_images` returns.
    size : int
        Height and width of the images that the network sees, in pixels.
    train_augs, test_augs : callable, optional
        From a uint8 image (height, width, 3) to a float32 array (3, `size`, `size`); by default the book's
        (`d2ltl.train_augs`, `d2ltl.test_augs`).
    loss : callable, optional
        From outputs (n, classes) and labels (n,) to what is minimised, shape (n,); by default softmax cross-entropy.
    devices : sequence of Context, optional
        All GPUs, else the CPU.
    seed : int
        Decides the order of the images and their augmentation: one seed, one machine, the same curves.
    checkpoint : path, optional
        A file to write after every epoch. If it exists, training goes on from there, and ends with the same
        losses and accuracies as if it had never stopped.
    callbacks : iterable of callables
        Called with the history after every epoch.

    Raises
    ------
    ImageFolderError, NetworkError, DeviceError, SettingsError
        If images, network, device or a number cannot be used.
    CheckpointError
        If the checkpoint is damaged or belongs to a run with other settings.
    DivergenceError
        If the loss is not finite any more; the epoch, the batch and the learning rate are named.
    """
    check_learning_rate(learning_rate)
    train_imgs, test_imgs = as_pair(data)
    check_input(net, size, len(train_imgs.synsets))
    devices = check_devices(devices)
    train_iter = loading.loader(train_imgs, train_augs or loading.train_augs(size), batch_size, shuffle=True)
    test_iter = loading.loader(test_imgs, test_augs or loading.test_augs(size), batch_size)
    set_up(net, devices)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": learning_rate, "wd": WEIGHT_DECAY})
    settings = {"learning_rate": learning_rate, "batch_size": batch_size, "size": size, "seed": seed,
                "images": [len(train_imgs), len(test_imgs)], "classes": list(train_imgs.synsets),
                **getattr(loss, "settings", {})}  # fmt: skip
    return fit(
        net,
        train_iter,
        test_iter,
        loss or gluon.loss.SoftmaxCrossEntropyLoss(),
        trainer,
        num_epochs,
        devices,
        seed=seed,
        checkpoint=Checkpoint(checkpoint, net, trainer, settings) if checkpoint else None,
        callbacks=callbacks,
    )


def check_learning_rate(learning_rate: float) -> None:
    """Refuse a learning rate that nothing can be trained at."""
    if not (learning_rate > 0 and math.isfinite(learning_rate)):
        raise SettingsError(f"learning_rate is {learning_rate}; it must be above 0 and finite.")


def check_num_epochs(num_epochs: int) -> None:
    """Refuse a training of no epochs."""
    if num_epochs < 1:
        raise SettingsError(f"num_epochs is {num_epochs}; training takes at least 1 epoch.")


def fit(
    net: gluon.HybridBlock,
    train_iter: DataLoader,
    test_iter: DataLoader,
    loss: Callable[[Any, Any], Any],
    trainer: gluon.Trainer,
    num_epochs: int,
    devices: Sequence[mx.Context],
    *,
    seed: int | None = None,
    checkpoint: Checkpoint | None = None,
    callbacks: Iterable[Callback] = (),
) -> History:
    """Train on batches of a loader: the part of `train_fine_tuning` that the book calls `train_ch13`.

    Parameters are those of `train_fine_tuning`, made up already. With `seed` None nothing is reseeded.
    """
    from d2ltl import plot  # not above: Matplotlib takes a second to load

    check_num_epochs(num_epochs)
    history = (checkpoint and checkpoint.load()) or History([str(device) for device in devices])
    if len(history) > num_epochs:
        raise CheckpointError(f"The checkpoint is of {len(history)} epochs, more than the {num_epochs} asked for.")
    callbacks = [*callbacks, *plot.live_curves(num_epochs)]
    for number in range(len(history) + 1, num_epochs + 1):
        if seed is not None:
            runtime.reseed(seed, number)
        batches = tqdm(train_iter, desc=f"epoch {number}/{num_epochs}", unit="batch", disable=None, leave=False)
        mean_loss, train_acc, examples, seconds = _train_epoch(net, batches, loss, trainer, devices, number)
        probabilities, labels = predict_batches(net, test_iter, devices)
        if not np.isfinite(probabilities).all():  # the last step's doing, which no loss has shown yet
            raise divergence("no longer finite", number, len(train_iter), trainer.learning_rate)
        test_acc, test_loss = accuracy_of(probabilities, labels), loss_of(probabilities, labels)
        history.epochs.append(Epoch(number, mean_loss, train_acc, test_acc, seconds, examples / seconds, test_loss))
        if checkpoint:
            checkpoint.save(history)
        for callback in callbacks:
            callback(history)
    print(history)
    return history


def _train_epoch(
    net: gluon.HybridBlock,
    batches: tqdm,
    loss: Callable[[Any, Any], Any],
    trainer: gluon.Trainer,
    devices: Sequence[mx.Context],
    number: int,
) -> tuple[float, float, int, float]:
    """Return the mean loss, the accuracy, the number of images and the seconds of one pass."""
    totals = np.zeros(3)  # loss, correct predictions, images
    start = time.perf_counter()
    pending: Any = None
    for batch, (X, y) in enumerate(batches, 1):
        step = _train_batch(net, X, y, loss, trainer, devices)
        if pending is not None:  # MXNet computes this batch while the last one is read and the next one loaded
            totals += _finite(pending, number, batch - 1, trainer.learning_rate)
            batches.set_postfix(loss=f"{totals[0] / totals[2]:.3f}", acc=f"{totals[1] / totals[2]:.3f}", refresh=False)
        pending = step
    totals += _finite(pending, number, len(batches), trainer.learning_rate)
    seconds = time.perf_counter() - start
    return totals[0] / totals[2], totals[1] / totals[2], int(totals[2]), seconds


def _train_batch(
    net: gluon.HybridBlock,
    X: Any,
    y: Any,
    loss: Callable[[Any, Any], Any],
    trainer: gluon.Trainer,
    devices: Sequence[mx.Context],
) -> list[tuple[Any, Any, Any]]:
    """Take one step of gradient descent; return (losses, outputs, labels) of each device, still being computed."""
    shards = list(zip(shards_of(X, devices), shards_of(y, devices)))
    _clear_gradients(net, devices[len(shards) :])
    with autograd.record():
        outputs = [outputs_of(net, X_shard) for X_shard, _ in shards]
        losses = [loss(output, y_shard) for output, (_, y_shard) in zip(outputs, shards)]
    autograd.backward(losses)
    trainer.step(len(y), ignore_stale_grad=True)  # frozen layers have no fresh gradient
    return [(loss_shard, output, y) for loss_shard, output, (_, y) in zip(losses, outputs, shards)]


def _clear_gradients(net: gluon.HybridBlock, idle: Sequence[mx.Context]) -> None:
    """Set to 0 what the batch before left on devices that a small, last batch leaves without images."""
    for device in idle:
        for parameter in net.collect_params().values():
            if parameter.grad_req != "null":
                parameter.grad(device)[:] = 0


def _finite(step: list[tuple[Any, Any, Any]], epoch: int, batch: int, learning_rate: float) -> np.ndarray:
    """Return the sums (loss, correct predictions, images) of one step, once they are computed."""
    arrays = [[array.asnumpy() for array in shard] for shard in step]
    sums = [[losses.sum(), (output.argmax(axis=1) == y).sum(), len(y)] for losses, output, y in arrays]
    totals = np.sum(sums, axis=0, dtype=np.float64)
    if not math.isfinite(totals[0]):
        raise divergence(totals[0], epoch, batch, learning_rate)
    return totals


def divergence(loss: Any, epoch: int, batch: int, learning_rate: float) -> DivergenceError:
    """Return the error of a loss that is not finite any more."""
    return DivergenceError(
        f"The loss is {loss} at epoch {epoch}, batch {batch}, learning rate {learning_rate:g}. "
        "Try a tenth of that learning rate."
    )
