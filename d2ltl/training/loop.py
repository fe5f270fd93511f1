"""The training loop that all training methods share: steps, evaluation, checkpoints, callbacks, divergence."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon
from mxnet.lr_scheduler import CosineScheduler
from tqdm import tqdm

from _data_hub.language import _
from d2ltl import runtime
from d2ltl.errors import CheckpointError, DivergenceError, SettingsError
from d2ltl.history import Epoch, History
from d2ltl.models.outputs import shards_of
from d2ltl.models.parameters import parameters_of, value_of
from d2ltl.progress import TrainingLog, with_progress
from d2ltl.training.checkpoint import Checkpoint
from d2ltl.training.workers import ALONE, Store, WorkerGroup

WEIGHT_DECAY = 0.001  # section 13.2
WARM_UP = 0.1  # share of the steps

Sums = Sequence[float]  # sum of the losses, number of correct predictions, number of images of a batch
Step = Callable[[Any, Any], Callable[[], Sums]]
Callback = Callable[[History], None]


def fit(
    step: Step,
    batches: Any,
    trainer: gluon.Trainer,
    num_epochs: int,
    history: History,
    evaluate: Callable[[], dict[str, Any]],
    *,
    seed: int | None = None,
    checkpoint: Checkpoint | None = None,
    callbacks: Iterable[Callback] = (),
    evaluate_every: int = 1,
    verbose: bool = True,
    workers: WorkerGroup = ALONE,
) -> History:
    """Train until the history contains `num_epochs` epochs, and return the history.

    Parameters
    ----------
    step : callable
        Function of a batch (X, y) that starts one training step. MXNet computes asynchronously, so the step returns a
        function. That function waits for the step to finish; it returns the sum of the losses, the number of correct
        predictions and the number of images. One batch is computed while the next batch is loaded.
    batches : iterable with a length
        The batches of one epoch. It is iterated once per epoch.
    trainer : Trainer
        Trainer whose learning rate the message of a `DivergenceError` names.
    num_epochs, history : int, History
        Number of epochs, including those in `history`, which comes from `start_or_resume`. New epochs are appended.
    evaluate : callable
        Function without parameters that returns ``test_acc`` and optionally ``test_loss`` and ``tasks`` (see `Epoch`).
    seed : int, optional
        Seed of the run. Every epoch reseeds all random generators from the pair (seed, epoch), unless it is None.
    checkpoint, callbacks, evaluate_every, verbose
        See `train_fine_tuning`. The checkpoint is saved after every epoch.
    workers : WorkerGroup
        The workers of the training, of which the first saves the checkpoint, prints and logs. All have the same running
        statistics of batch normalisation after every epoch: their means.
    """
    from d2ltl import plot  # imported here because loading Matplotlib takes a second

    for name, number in (("num_epochs", num_epochs), ("evaluate_every", evaluate_every)):
        if number < 1:
            raise SettingsError(f"{name} is {number}; it is at least 1.")
    if len(history) > num_epochs:
        raise CheckpointError(f"The checkpoint is of {len(history)} epochs, more than the {num_epochs} asked for.")
    first = workers.rank == 0
    log = TrainingLog(num_epochs, len(history))
    callbacks = [*callbacks, *(plot.live_curves(num_epochs) if verbose and first else ())]
    if first:
        callbacks.insert(0, log.epoch)
    for number in range(len(history) + 1, num_epochs + 1):
        if seed is not None:
            runtime.reseed(seed, number)
        shown = with_progress(
            iter(batches),
            _("epoch {number}/{all}").format(number=number, all=num_epochs),
            "batch",
            len(batches),
            log.estimate,
        )
        mean_loss, train_acc, images, seconds = _train_epoch(step, shown, number, trainer)
        workers.average_statistics(trainer._params)
        tested: dict[str, Any] = {"test_acc": None}
        if number % evaluate_every == 0 or number == num_epochs:
            tested = evaluate()
            figures = [tested["test_acc"], tested.get("test_loss") or 0]
            if not (_parameters_are_finite(trainer) and np.isfinite(figures).all()):  # the last step diverged
                raise divergence("no longer finite", number, len(batches), trainer)
        history.epochs.append(
            Epoch(number, mean_loss, train_acc, seconds=seconds, examples_per_s=images / seconds, **tested)
        )
        if checkpoint and first:
            checkpoint.save(history)
        for callback in callbacks:
            callback(history)
    if history.epochs[-1].test_acc is None:  # an interrupted run, resumed for no more epochs
        history.epochs[-1] = replace(history.epochs[-1], **evaluate())
    if verbose and first:
        print(history)
    return history


def start_or_resume(
    checkpoint: Checkpoint | None, devices: Sequence[mx.Context], workers: WorkerGroup = ALONE
) -> History:
    """Load a checkpoint, if it exists, and return its history; otherwise return an empty history."""
    if checkpoint and not workers.agree(checkpoint.path.exists()):
        raise CheckpointError(
            f"Some workers see the checkpoint {checkpoint.path}, and others do not. Put it where all see it."
        )
    return (checkpoint and checkpoint.load()) or History([str(device) for device in devices] * workers.number)


def _train_epoch(step: Step, batches: tqdm, number: int, trainer: gluon.Trainer) -> tuple[float, float, int, float]:
    """Run one training pass; return the mean loss, the accuracy, the number of images and the seconds."""
    totals = np.zeros(3)  # see Sums
    start = time.perf_counter()
    pending: Callable[[], Sums] | None = None
    for batch, (X, y) in enumerate(batches, 1):
        result = step(X, y)
        if pending is not None:  # MXNet computes this batch while the loop waits for the previous one
            totals += _finite(pending(), number, batch - 1, trainer)
            batches.set_postfix(loss=f"{totals[0] / totals[2]:.3f}", acc=f"{totals[1] / totals[2]:.3f}", refresh=False)
        pending = result
    if pending is not None:
        totals += _finite(pending(), number, batch, trainer)
    seconds = time.perf_counter() - start
    return totals[0] / totals[2], totals[1] / totals[2], int(totals[2]), seconds


def _finite(sums: Sums, epoch: int, batch: int, trainer: gluon.Trainer) -> Sums:
    if not math.isfinite(sums[0]):
        raise divergence(sums[0], epoch, batch, trainer)
    return sums


def _parameters_are_finite(trainer: gluon.Trainer) -> bool:
    """Return whether all trained parameters are finite, and small enough that their squares are.

    The outputs may hide that they are not: a ReLU turns NaN into 0.
    """
    trained = (value_of(parameter) for parameter in trainer._params if parameter.grad_req != "null")
    return all(np.abs(value).max() < np.sqrt(np.finfo(np.float32).max) for value in trained)


def divergence(loss: Any, epoch: int, batch: int, trainer: gluon.Trainer) -> DivergenceError:
    """Return the error for a loss that is infinite or NaN."""
    return DivergenceError(
        f"The loss is {loss} at epoch {epoch}, batch {batch}, learning rate {_base_rate(trainer):g}. "
        "Try a tenth of that learning rate."
    )


def _base_rate(trainer: gluon.Trainer) -> float:
    """Return the learning rate that was asked for, which a schedule starts from."""
    scheduler = trainer.optimizer.lr_scheduler
    return float(scheduler.base_lr_orig if scheduler else trainer.learning_rate)


def gradient_step(
    net: gluon.HybridBlock,
    losses_of: Callable[[Any, Any], tuple[Any, Any]],
    trainer: gluon.Trainer,
    devices: Sequence[mx.Context],
    max_norm: float = math.inf,
    workers: WorkerGroup = ALONE,
) -> Step:
    """Return a step of gradient descent for `fit` that divides each batch evenly among devices.

    `losses_of` maps images and labels on one device to the losses (n,) and the outputs (n, classes) of the network. If
    the norm of the mean gradient is above `max_norm`, the gradient is scaled down to it; see also `sgd`.
    X and y are a worker's part of the batch; the gradient and the sums are those of all workers.
    """

    def step(X: Any, y: Any) -> Callable[[], Sums]:
        (images,) = workers.sum([len(y)])
        shards = list(zip(shards_of(X, devices), shards_of(y, devices)))
        clear_gradients(net, devices[len(shards) :])
        with autograd.record():
            results = [losses_of(*shard) for shard in shards]
        autograd.backward([losses for losses, _ in results])
        if math.isinf(max_norm):
            trainer.step(images, ignore_stale_grad=True)  # frozen layers have no fresh gradient
        else:
            trainer.allreduce_grads()
            clip_gradients(net, devices, max_norm * images)
            trainer.update(images, ignore_stale_grad=True)
        return lambda: workers.sum(_sums([(*result, labels) for result, (_, labels) in zip(results, shards)]))

    return step


def clear_gradients(net: gluon.Block, idle: Sequence[mx.Context]) -> None:
    """Set the gradients on idle devices to 0, and mark them as computed.

    A batch with fewer images than devices leaves the last devices idle, with the gradients of the previous batch.
    """
    for device in idle:
        for parameter in parameters_of(net):
            if parameter.grad_req != "null" and parameter._data:  # no data before the first forward pass, if deferred
                parameter.grad(device)[:] = 0
                parameter.data(device)._fresh_grad = True  # otherwise `Trainer.update` leaves this device out


def clip_gradients(net: gluon.Block, devices: Sequence[mx.Context], max_norm: float) -> None:
    """Scale the gradients on each device down to the norm `max_norm`, if it is larger."""
    trained = [parameter for parameter in parameters_of(net) if parameter.grad_req != "null"]
    for device in devices:
        gradients = [parameter.grad(device).as_nd_ndarray() for parameter in trained]  # Gluon clips no np arrays
        gluon.utils.clip_global_norm(gradients, max_norm, False)


def _sums(shards: Sequence[tuple[Any, Any, Any]]) -> Sums:
    """Wait for a step to finish, and return its sums, given the losses, outputs and labels on each device."""
    arrays = [[array.asnumpy() for array in shard] for shard in shards]
    sums = [[losses.sum(), (outputs.argmax(axis=1) == labels).sum(), len(labels)] for losses, outputs, labels in arrays]
    return list(np.sum(sums, axis=0, dtype=np.float64).tolist())


def check_optimiser(learning_rate: float, momentum: float = 0, schedule: str = "constant") -> None:
    """Raise SettingsError if an argument of `train_fine_tuning` has an invalid value."""
    if not (learning_rate > 0 and math.isfinite(learning_rate)):
        raise SettingsError(f"learning_rate is {learning_rate}; it must be above 0 and finite.")
    if not 0 <= momentum < 1:
        raise SettingsError(f"momentum is {momentum}; it is at least 0 and less than 1.")
    if schedule not in ("constant", "cosine"):
        raise SettingsError(f"schedule is {schedule!r}; it is 'constant' or 'cosine'.")


def sgd(
    net: gluon.Block,
    learning_rate: float,
    momentum: float = 0,
    cosine_steps: int = 0,
    clipped: bool = False,
    kvstore: Store = "device",
) -> gluon.Trainer:
    """Return the book's trainer: stochastic gradient descent with weight decay 0.001.

    `learning_rate` is positive, `momentum` at least 0 and less than 1. If `cosine_steps` is above 0, the learning rate
    rises linearly over the first tenth of so many steps, and then falls as a cosine that would reach 0 in the step
    after the last (Loshchilov and Hutter 2017, *SGDR: Stochastic Gradient Descent with Warm Restarts*). `clipped` says
    whether the gradients are clipped before the update (`gradient_step`), which then is not left to MXNet's store.
    `kvstore` is what Gluon's Trainer takes.
    """
    check_optimiser(learning_rate, momentum)
    options: dict[str, Any] = {"learning_rate": learning_rate, "wd": WEIGHT_DECAY, "momentum": momentum}
    if cosine_steps > 0:
        warm_up = math.ceil(WARM_UP * cosine_steps)
        options["lr_scheduler"] = CosineScheduler(cosine_steps + 1, learning_rate, warmup_steps=warm_up)
    return gluon.Trainer(net.collect_params(), "sgd", options, kvstore, update_on_kvstore=False if clipped else None)
