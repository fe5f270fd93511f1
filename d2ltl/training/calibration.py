"""Calibration: whether 8 of 10 answers with a probability of 0.8 are right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.model_selection import StratifiedKFold

BINS = 15  # of equal width, as in the paper
SURE = 0.8  # an answer of a lower calibrated probability is unsure: more than one such answer in five may be wrong
HOTTEST = 20.0  # the largest temperature, and the reciprocal of the smallest
FEWEST = 20  # held-out images; a temperature that is fitted on fewer means nothing


class Calibration(NamedTuple):
    """Calibration of a network on held-out images; see `calibrate`. All but `temperature` are between 0 and 1.

    Attributes
    ----------
    temperature : float
        The number that the outputs are divided by; 1 if there are too few images to fit it.
    error, scaled_error : float
        Expected calibration error without and with a temperature, which was fitted on the other half of the images.
    sure : float
        Share of sure answers.
    accuracy_sure, accuracy_unsure : float, optional
        Accuracies of sure and of unsure answers; None if there are none.
    images : int
        Number of held-out images.
    """

    temperature: float
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
    scaled = probabilities.astype(np.float64)
    if len(labels) >= FEWEST:
        halves = StratifiedKFold(2, shuffle=True, random_state=0)
        strata = labels if np.unique(labels, return_counts=True)[1].min() > 1 else np.zeros_like(labels)
        for fitted, measured in halves.split(strata, strata):
            temperature = fit_temperature(probabilities[fitted], labels[fitted])
            scaled[measured] = scale(probabilities[measured], temperature)
        temperature = fit_temperature(probabilities, labels)
    else:
        temperature = 1.0
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
    """Return the temperature with the lowest mean cross-entropy, between 1/20 and 20."""

    def loss(log_temperature: float) -> float:
        scaled = scale(probabilities, np.exp(log_temperature))
        return float(-_log(scaled[np.arange(len(labels)), labels]).mean())

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
