"""The three gains of transfer over training from scratch: higher start, higher slope, higher asymptote.

Torrey and Shavlik describe them (*Transfer Learning*, in the *Handbook of Research on Machine Learning Applications*,
2010). This module computes three numbers from the curve of test accuracy by epoch. A gain is the difference between two
runs with the same seed.

start
    Accuracy after the first epoch. (Before training, a new output layer is at chance.)
asymptote
    Mean accuracy of the last third of the epochs, rounded up; for 5 epochs, the last 2.
slope
    Increase of the accuracy per epoch, from chance at epoch 0 until the curve has covered nine tenths of the distance
    to the run's own asymptote. The curve is interpolated linearly between epochs. Chance is the share of the most
    frequent class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NAMES = ("start", "slope", "asymptote")
WAY = 0.9  # share of the distance from chance to the asymptote over which the slope is measured


def start(curve: Sequence[float]) -> float:
    """Return the accuracy after the first epoch."""
    return curve[0]


def asymptote(curve: Sequence[float]) -> float:
    """Return the mean accuracy of the last third of the epochs."""
    return float(np.mean(curve[-math.ceil(len(curve) / 3) :]))


def slope(curve: Sequence[float], chance: float) -> float:
    """Return the increase of the accuracy per epoch from chance to the asymptote; 0 if the asymptote is not higher.

    Examples
    --------
    >>> round(slope([0.7, 0.9, 0.9], chance=0.5), 3)  # the curve reaches 0.86 after 1.8 epochs
    0.2
    """
    points = [chance, *curve]
    target = chance + WAY * (asymptote(curve) - chance)
    for epoch in range(1, len(points)):
        if chance < target <= points[epoch]:
            before = points[epoch - 1]
            return (target - chance) / (epoch - 1 + (target - before) / (points[epoch] - before))
    return 0.0


@dataclass(frozen=True)
class Gain:
    """The gain of one strategy over another in `start`, `slope` or `asymptote`.

    Attributes
    ----------
    name : str
        ``'start'``, ``'slope'`` or ``'asymptote'``.
    by_seed : list of float
        The gain for each seed: a difference of accuracies (0 to 1), or of accuracies per epoch for the slope.
    """

    name: str
    by_seed: list[float]

    @property
    def mean(self) -> float:
        """Mean gain over the seeds."""
        return float(np.mean(self.by_seed))

    @property
    def sd(self) -> float | None:
        """Standard deviation over the seeds; None for a single seed."""
        return float(np.std(self.by_seed, ddof=1)) if len(self.by_seed) > 1 else None

    @property
    def certain(self) -> bool:
        """Whether the mean differs from 0 by more than two standard errors; False for a single seed."""
        return self.sd is not None and abs(self.mean) > 2 * self.sd / math.sqrt(len(self.by_seed))


def measure_gains(
    curves: Sequence[Sequence[float]], baseline: Sequence[Sequence[float]], chance: float
) -> dict[str, Gain]:
    """Return the three gains of the runs of a strategy over the runs of a baseline.

    Parameters
    ----------
    curves, baseline : sequence of sequence of float
        Curves of test accuracy by epoch, one per seed. Both have the same order of seeds.
    chance : float
        Accuracy of a classifier that always predicts the most frequent class.

    Returns
    -------
    dict from ``'start'``, ``'slope'``, ``'asymptote'`` to Gain
    """

    def numbers(curve: Sequence[float]) -> np.ndarray:
        return np.array([start(curve), slope(curve, chance), asymptote(curve)])

    differences = [numbers(ours) - numbers(theirs) for ours, theirs in zip(curves, baseline)]
    return {name: Gain(name, [float(d[i]) for d in differences]) for i, name in enumerate(NAMES)}
