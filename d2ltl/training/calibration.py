"""Calibration: whether 8 of 10 answers with a probability of 0.8 are right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.model_selection import StratifiedKFold

BINS = 15  # of equal width, as in the paper
SURE = 0.8  # an answer of a lower calibrated probability is unsure: more than one such answer in five may be wrong
HOTTEST = 20.0  # the largest temperature, and the reciprocal of the smallest
FEWEST = 50  # held-out images; a temperature that is fitted on fewer means nothing


class Calibration(NamedTuple):
    """Calibration of a network on held-out images; see `calibrate`.

    Attributes
    ----------
    temperature : float, optional
        The number to divide the outputs by; None if there are fewer than 50 images, too few to fit it.
    error, scaled_error : float
        Expected calibration error, 0 to 1, without and with a temperature, which was fitted on the other half of the
        images. They are equal if no temperature was fitted.
    sure : float
        Share of sure answers, 0 to 1, with the temperature.
    accuracy_sure, accuracy_unsure : float, optional
        Accuracies of sure and of unsure answers, 0 to 1; None if there are none.
    images : int
        Number of held-out images.
    """

    temperature: float | None
    error: float
    scaled_error: float
    sure: float
    accuracy_sure: float | None
    accuracy_unsure: float | None
    images: int


def calibrate(probabilities: np.ndarray, labels: np.ndarray) -> Calibration:
    """Fit the temperature of a network on held-out images, and measure what it does.

    The temperature is fitted on all images. What is measured comes from two halves: each is scaled by the temperature
    of the other. (Guo et al. 2017, *On Calibration of Modern Neural Networks*.)

    Parameters
    ----------
    probabilities, labels
        Of held-out images, as `predict` returns them: shapes (N, classes) and (N,).
    """
    scaled, temperature = probabilities.astype(np.float64), None
    if len(labels) >= FEWEST:
        halves = StratifiedKFold(2, shuffle=True, random_state=0)
        strata = labels if np.unique(labels, return_counts=True)[1].min() > 1 else np.zeros_like(labels)
        for fitted, measured in halves.split(strata, strata):
            of_half = fit_temperature(probabilities[fitted], labels[fitted])
            scaled[measured] = scale(probabilities[measured], of_half)
        temperature = fit_temperature(probabilities, labels)
    right, sure = scaled.argmax(axis=1) == labels, is_sure(scaled)
    return Calibration(
        temperature,
        calibration_error(probabilities, labels),
        calibration_error(scaled, labels),
        float(sure.mean()),
        _share(right[sure]),
        _share(right[~sure]),
        len(labels),
    )


def _share(right: np.ndarray) -> float | None:
    return float(right.mean()) if len(right) else None


def is_sure(probabilities: np.ndarray) -> np.ndarray:
    """Return whether the most probable class has a probability of at least `SURE`: bool, shape (N,)."""
    return np.asarray(probabilities.max(axis=1) >= SURE)


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities for outputs divided by a temperature: float64, shape (N, classes)."""
    outputs = _log(probabilities) / temperature
    raised = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny).astype(np.float64))


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature with the lowest mean cross-entropy, between 1/20 and 20.

    The target of the true class is not 1 but (N + 1) / (N + 2), as if one more image were misclassified. A network that
    makes no mistake on few images would otherwise become too sure. (Platt 1999, *Probabilistic Outputs for Support
    Vector Machines*, section 2.2.)
    """
    number, classes = probabilities.shape
    targets = np.full((number, classes), 1 / (number + 2) / (classes - 1))
    targets[np.arange(number), labels] = (number + 1) / (number + 2)

    def loss(log_temperature: float) -> float:
        return float(-(targets * _log(scale(probabilities, np.exp(log_temperature)))).sum(axis=1).mean())

    bound = np.log(HOTTEST)
    return float(np.exp(minimize_scalar(loss, bounds=(-bound, bound), method="bounded").x))


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the expected calibration error: the mean difference between confidence and accuracy over 15 bins.

    The confidence of an answer is its probability. 0 means that the confidence is right on average, in each bin.
    (Naeini et al. 2015, *Obtaining Well Calibrated Probabilities Using Bayesian Binning*.)

    Examples
    --------
    Two answers of probability 0.8, one of them right:

    >>> round(calibration_error(np.array([[0.8, 0.2], [0.8, 0.2]]), np.array([0, 1])), 3)
    0.3
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs((confidence - right)[bins == one].sum()) for one in np.unique(bins)]
    return float(np.sum(gaps) / len(labels))
