"""The three gains of transfer over training from scratch, measured on the curves.

Torrey and Shavlik (*Transfer Learning*, in the *Handbook of Research on Machine Learning Applications*, 2010) name
them: a higher start, a steeper slope, a higher asymptote. Here each is a number read off one curve of test
accuracy by epoch, and a gain is the difference between two runs with the same seed:

start
    Accuracy after the first epoch. (Before it every new output layer is at chance.)
asymptote
    Mean accuracy of the last third of the epochs, rounded up: of the last 2 of 5.
slope
    Accuracy won per epoch on the way from chance, at epoch 0, over nine tenths of the distance to the run's own
    asymptote; between epochs the curve is taken as straight. Chance is the share of the most frequent class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NAMES = ("start", "slope", "asymptote")
WAY = 0.9  # of the distance from chance to the asymptote, over which the slope is taken


def start(curve: Sequence[float]) -> float:
    """Return the accuracy after the first epoch."""
    return curve[0]


def asymptote(curve: Sequence[float]) -> float:
    """Return the mean accuracy of the last third of the epochs."""
    return float(np.mean(curve[-math.ceil(len(curve) / 3) :]))


def slope(curve: Sequence[float], chance: float) -> float:
    """Return the accuracy won per epoch on the way from chance to the asymptote; 0 if there is no way up.

    Examples
    --------
    >>> round(slope([0.7, 0.9, 0.9], chance=0.5), 3)  # 0.86 is reached 1.8 epochs after the start
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
    """What one strategy gains over another in `start`, `slope` or `asymptote`, seed by seed, in accuracy (0 to 1)."""

    name: str
    by_seed: list[float]

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return float(np.mean(self.by_seed))

    @property
    def sd(self) -> float | None:
        """Standard deviation over the seeds, None of a single one."""
        return float(np.std(self.by_seed, ddof=1)) if len(self.by_seed) > 1 else None

    @property
    def certain(self) -> bool:
        """Whether it lies more than two standard errors from 0. A single seed cannot tell."""
        return self.sd is not None and abs(self.mean) > 2 * self.sd / math.sqrt(len(self.by_seed))


def measure_gains(
    curves: Sequence[Sequence[float]], baseline: Sequence[Sequence[float]], chance: float
) -> dict[str, Gain]:
    """Return the gains of some runs over others.

    Parameters
    ----------
    curves, baseline : sequences of curves
        Test accuracy by epoch, one curve per seed, in the same order of seeds.
    chance : float
        Accuracy of always answering the most frequent class.

    Returns
    -------
    dict from ``'start'``, ``'slope'``, ``'asymptote'`` to Gain
    """

    def numbers(curve: Sequence[float]) -> np.ndarray:
        return np.array([start(curve), slope(curve, chance), asymptote(curve)])

    differences = [numbers(ours) - numbers(theirs) for ours, theirs in zip(curves, baseline)]
    return {name: Gain(name, [float(d[i]) for d in differences]) for i, name in enumerate(NAMES)}
