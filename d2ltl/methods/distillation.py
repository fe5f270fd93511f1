"""Knowledge distillation: a small network learns from a large one (Hinton, Vinyals and Dean 2015)."""

from __future__ import annotations

import math
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import mxnet as mx
from mxnet import autograd, gluon
from mxnet.gluon.data.vision import ImageFolderDataset

from d2ltl.data import as_pair
from d2ltl.errors import SettingsError
from d2ltl.evaluation import accuracy_of, check_devices, outputs_of, predict, set_up
from d2ltl.history import History
from d2ltl.nets import check_input
from d2ltl.train import train_fine_tuning
from d2ltl.zoo import write_parameters


class DistillationLoss:
    """`alpha` times T² times KL(teacher ‖ student) at temperature T, and 1 − `alpha` times cross-entropy.

    At temperature T, outputs are divided by T before the softmax: what the teacher holds possible besides its first
    choice then counts more. Its gradients shrink by T², which the factor makes up for (section 2 of the paper).

    Parameters
    ----------
    teacher : HybridBlock
    temperature, alpha : float
        Those of `distill`.
    """

    def __init__(self, teacher: gluon.HybridBlock, temperature: float, alpha: float) -> None:
        self.teacher = teacher
        self.temperature = temperature
        self.alpha = alpha
        self.settings = {"temperature": temperature, "alpha": alpha}  # which a checkpoint keeps
        self._cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss()
        self._answers: dict[mx.Context, Any] = {}  # the teacher's outputs, by device

    def ask_teacher(self, _: gluon.Block, inputs: tuple[Any]) -> None:
        """Show the teacher the augmented images that the student is about to learn from: a forward pre-hook."""
        if autograd.is_recording():
            with autograd.pause():  # no gradients; batch normalisation as in evaluation
                self._answers[inputs[0].context] = outputs_of(self.teacher, inputs[0])

    def __call__(self, outputs: Any, labels: Any) -> Any:
        """Return the loss of each image, shape (n,), from the student's outputs (n, classes)."""
        functions = mx.npx if mx.util.is_np_array() else mx.nd
        taught, learned = self._answers.pop(outputs.context) / self.temperature, outputs / self.temperature
        ratio = functions.log_softmax(taught) - functions.log_softmax(learned)
        divergence = (functions.softmax(taught) * ratio).sum(axis=-1)
        soft, hard = self.temperature**2 * divergence, self._cross_entropy(outputs, labels)
        return self.alpha * soft + (1 - self.alpha) * hard


def distill(
    student: gluon.HybridBlock,
    teacher: gluon.HybridBlock,
    learning_rate: float,
    batch_size: int = 128,
    num_epochs: int = 5,
    *,
    data: str | os.PathLike[str] | tuple[ImageFolderDataset, ImageFolderDataset],
    temperature: float = 4,
    alpha: float = 0.9,
    size: int = 224,
    **options: Any,
) -> History:
    """Train a student on the labels and on what a teacher makes of the same augmented images.

    Parameters
    ----------
    student : HybridBlock
        Usually small and untrained, such as ``scratch_net(classes, "mobilenet0.25")``.
    teacher : HybridBlock
        Trained on the same classes; it stays as it is.
    temperature : float
        Above 0; the higher, the more even are the probabilities that the student is to imitate.
    alpha : float
        From 0, which is training without a teacher, to 1, which is training without labels.
    learning_rate, batch_size, num_epochs, data, size, **options
        Those of `train_fine_tuning`.

    Returns
    -------
    History
        Its loss is the one that is minimised, not the cross-entropy.

    Raises
    ------
    NetworkError
        If student or teacher cannot run images of that size, or has other than one output per class.
    SettingsError
        If a number cannot be used.
    """
    if not (temperature > 0 and math.isfinite(temperature)):
        raise SettingsError(f"temperature is {temperature}; it must be above 0 and finite.")
    if not 0 <= alpha <= 1:
        raise SettingsError(f"alpha is {alpha}; it is the teacher's share of the loss, from 0 to 1.")
    pair = as_pair(data)
    check_input(teacher, size, len(pair[0].synsets))
    set_up(teacher, check_devices(options.get("devices")))
    loss = DistillationLoss(teacher, temperature, alpha)
    hook = student.register_forward_pre_hook(loss.ask_teacher)
    try:
        with warnings.catch_warnings():  # Gluon's: the hook of a block within another would not be called
            warnings.filterwarnings("ignore", message="(?s).*is being hybridized while")
            return train_fine_tuning(
                student, learning_rate, batch_size, num_epochs, data=pair, size=size, loss=loss, **options
            )
    finally:
        hook.detach()


class Weighed(NamedTuple):
    """What a network can do, and what it costs: accuracy, parameters, MB of its file, images/s of `predict`."""

    accuracy: float
    parameters: int
    megabytes: float
    images_per_s: float


def weigh(net: gluon.HybridBlock, images: ImageFolderDataset, **options: Any) -> Weighed:
    """Return accuracy, size and speed of a network on test images; `options` are those of `predict`.

    Speed is the wall time of a second pass, reading and preparing the images included: the first compiles the network
    and decodes the files.
    """
    predict(net, images, **options)
    start = time.perf_counter()
    accuracy = accuracy_of(*predict(net, images, **options))
    seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "net.params")
        write_parameters(net, file)
        megabytes = file.stat().st_size / 1e6
    parameters = sum(math.prod(parameter.shape) for parameter in net.collect_params().values())
    return Weighed(accuracy, parameters, megabytes, len(images) / seconds)
