"""Whether one strategy is certainly better than another, given the test images and the seeds; and what it still lacks.

The measure is the balanced accuracy, the mean of the recalls of all classes. It equals the accuracy if the classes have
equally many test images. Always answering the same class has the balanced accuracy 1 / classes, however frequent the
class is, so it is never mistaken for learning.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
FALL = 0.02  # relative fall of the training loss, from one third of the epochs to the next, that is still learning


@dataclass(frozen=True)
class Difference:
    """A difference of balanced accuracies, and half the width of its confidence interval (`CONFIDENCE`), at most 1."""

    mean: float
    margin: float

    @property
    def certain(self) -> bool:
        """Whether the confidence interval excludes 0."""
        return abs(self.mean) > self.margin


def difference(ours: np.ndarray, theirs: np.ndarray, labels: np.ndarray) -> Difference:
    """Return the difference of two balanced accuracies on the same test images, over paired runs.

    The variance of the difference has two parts. That of the test images is McNemar's: only the images count that one
    of the two gets right and the other wrong. As in McNemar's test with continuity correction, one image, of the rarest
    class, must not decide. That of the training is the variance over the runs; of a single run it is not known, and 0
    here. Student's t has the degrees of freedom of Welch and Satterthwaite.

    Parameters
    ----------
    ours, theirs : ndarray of bool, shape (runs, N)
        Whether each run classifies each image correctly. Runs in the same row have the same seed.
    labels : ndarray, shape (N,)
        True class of each image, as a number or a name.
    """
    weights = _weights(labels)
    weighted = (ours.astype(float) - theirs) * weights
    by_image, by_run = weighted.mean(axis=0), weighted.sum(axis=1)
    of_images, of_runs = (by_image**2).sum(), np.var(by_run, ddof=1) / len(by_run) if len(by_run) > 1 else 0.0
    variance = of_images + of_runs
    freedom = (len(by_run) - 1) * (variance / of_runs) ** 2 if of_runs else math.inf
    margin = stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * math.sqrt(variance) + weights.max()
    return Difference(float(by_image.sum()), float(min(margin, 1)))


def above_constant(ours: np.ndarray, labels: np.ndarray) -> Difference:
    """Return how much better the runs are than always answering the most frequent class; see `difference`."""
    names, counts = np.unique(labels, return_counts=True)
    return difference(ours, np.broadcast_to(labels == names[counts.argmax()], ours.shape), labels)


def _weights(labels: np.ndarray) -> np.ndarray:
    """Return the weight of each image in the balanced accuracy: 1 / (classes × images of its class)."""
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return 1 / (len(counts) * counts[classes])


def still_learning(train_loss: Sequence[float], test_loss: Sequence[float]) -> bool:
    """Return whether a network was still learning when its training stopped, given its losses by epoch.

    It was if the training loss fell from the last but one third of the epochs to the last third, and the test loss did
    not rise. NaN in the test loss means that it is not known. One epoch cannot show the end of learning.
    """
    if len(train_loss) < 2:
        return True
    third = math.ceil(len(train_loss) / 3)

    def means(curve: Sequence[float]) -> tuple[float, float]:
        return float(np.mean(curve[-2 * third : -third])), float(np.mean(curve[-third:]))

    (before, after), (test_before, test_after) = means(train_loss), means(test_loss)
    return after < (1 - FALL) * before and not test_after > test_before


def standard_error(share: float, number: int) -> float:
    """Return the standard error of a share, such as an accuracy, that was measured on a number of images.

    It is that of Agresti and Coull (1998), with two more hits and two more misses: a share of 0 or 1 has an error too.
    """
    adjusted = (share * number + 2) / (number + 4)
    return math.sqrt(adjusted * (1 - adjusted) / (number + 4))
