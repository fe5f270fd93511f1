"""Knowledge distillation: a small network learns from a large one (Hinton, Vinyals and Dean 2015)."""

from __future__ import annotations

import math
from typing import Any

from mxnet import autograd, gluon

from d2ltl.arrays import operators
from d2ltl.data.pairs import Data, as_pair
from d2ltl.errors import SettingsError
from d2ltl.history import History
from d2ltl.models.outputs import check_devices, for_inference, move_to, outputs_of
from d2ltl.models.shapes import check_input
from d2ltl.training.fine_tuning import train_classifier


def distill(
    student: gluon.HybridBlock,
    teacher: gluon.HybridBlock,
    learning_rate: float,
    batch_size: int = 128,
    num_epochs: int = 5,
    *,
    data: Data,
    temperature: float = 4,
    alpha: float = 0.9,
    size: int = 224,
    **options: Any,
) -> History:
    """Train a student network on the labels and on the predictions of a teacher network (knowledge distillation).

    The loss is the weighted sum of the cross-entropy with the labels and the Kullback-Leibler divergence from the
    teacher's probabilities, for the same augmented images (Hinton, Vinyals and Dean 2015, *Distilling the Knowledge in
    a Neural Network*). The test loss in the history is the cross-entropy alone.

    Parameters
    ----------
    student : HybridBlock
        Network to train, usually small and untrained, such as ``scratch_net(classes, "mobilenet0.25")``.
    teacher : HybridBlock
        Network trained on the same classes. It is not changed.
    temperature : float
        Temperature of the softmax, above 0. Higher temperatures give more even probabilities.
    alpha : float
        Weight of the teacher's term in the loss, from 0 (no teacher) to 1 (no labels).
    learning_rate, batch_size, num_epochs, data, size, **options
        Arguments of `train_fine_tuning`, except `loss`. That function also lists the errors.
    """
    if not (temperature > 0 and math.isfinite(temperature)):
        raise SettingsError(f"temperature is {temperature}; it must be above 0 and finite.")
    if not 0 <= alpha <= 1:
        raise SettingsError(f"alpha is {alpha}; it is the teacher's share of the loss, from 0 to 1.")
    pair = as_pair(data)
    check_input(teacher, size, len(pair[0].synsets))
    devices = check_devices(options.get("devices"))
    move_to(teacher, devices)
    compiled = for_inference([teacher], devices[0])

    def losses_of(X: Any, y: Any) -> tuple[Any, Any]:
        with autograd.pause():
            taught = outputs_of(compiled, X)
        outputs = outputs_of(student, X)
        return distillation_loss(outputs, taught, y, temperature, alpha), outputs

    settings = {"temperature": temperature, "alpha": alpha}
    return train_classifier(
        student, losses_of, learning_rate, batch_size, num_epochs, data=pair, size=size, settings=settings, **options
    )


def distillation_loss(outputs: Any, taught: Any, labels: Any, temperature: float, alpha: float) -> Any:
    """Return the losses (n,): `alpha` T² KL(teacher ‖ student) + (1 − `alpha`) cross-entropy, with temperature T.

    In the divergence, the outputs (logits, shape (n, classes)) are divided by T before the softmax. The factor T²
    compensates for the gradients, which shrink by 1/T² (section 2 of Hinton et al. 2015).
    """
    softmax, log_softmax = operators().softmax, operators().log_softmax
    taught, learned = taught / temperature, outputs / temperature
    divergence = (softmax(taught) * (log_softmax(taught) - log_softmax(learned))).sum(axis=-1)
    hard = gluon.loss.SoftmaxCrossEntropyLoss()(outputs, labels)
    return alpha * (temperature**2 * divergence) + (1 - alpha) * hard
