"""The three gains of transfer over training from scratch: higher start, higher slope, higher asymptote.

Torrey and Shavlik describe them (*Transfer Learning*, in the *Handbook of Research on Machine Learning Applications*,
2010). A gain is the difference between the curves of test accuracy by epoch of two runs with the same seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NAMES = ("start", "slope", "asymptote")
WAY = 0.9  # share of the distance from chance to the asymptote over which the slope is measured


def start(curve: Sequence[float]) -> float:
    """Return the accuracy after the first epoch; before training, a new output layer is at chance."""
    return curve[0]


def asymptote(curve: Sequence[float]) -> float:
    """Return the mean accuracy of the last third of the epochs, rounded up; for 5 epochs, the last 2."""
    return float(np.mean(curve[-math.ceil(len(curve) / 3) :]))


def slope(curve: Sequence[float], chance: float) -> float:
    """Return the increase of the accuracy per epoch from chance to the asymptote; 0 if the asymptote is not higher.

    The curve begins at chance (the share of the most frequent class) at epoch 0, and is interpolated linearly between
    epochs. It is measured until the curve has covered nine tenths of the distance to the run's own asymptote.

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
    """The gain of one strategy over another by seed: a difference of accuracies (per epoch for the slope)."""

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


def measure_gains(
    curves: Sequence[Sequence[float]], baseline: Sequence[Sequence[float]], chance: float
) -> dict[str, Gain]:
    """Return the three gains by name. The curves of a strategy and of the baseline have the same order of seeds."""

    def numbers(curve: Sequence[float]) -> np.ndarray:
        return np.array([start(curve), slope(curve, chance), asymptote(curve)])

    differences = [numbers(ours) - numbers(theirs) for ours, theirs in zip(curves, baseline)]
    return {name: Gain(name, [float(d[i]) for d in differences]) for i, name in enumerate(NAMES)}
