"""What the runs of a comparison answered, and how certain their differences are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from _data_hub.language import _
from d2ltl.comparison.certainty import CONFIDENCE, Difference, above_constant, difference
from d2ltl.comparison.result import Comparison
from d2ltl.comparison.strategies import BASELINE


@dataclass(frozen=True)
class Answers:
    """What the runs of a comparison answered to the same test images.

    `right` has, for each strategy, whether each run is right about each image: bool, shape (runs, N), with the runs
    sorted by seed. `labels` are the names of the true classes, shape (N,).
    """

    right: dict[str, np.ndarray]
    labels: np.ndarray

    @classmethod
    def of(cls, comparison: Comparison) -> Answers | None:
        """Return the answers in a comparison, or None if the runs do not have predictions of the same images."""
        predictions = {name: [sorted(run.predictions) for run in comparison.of(name)] for name in comparison.strategies}
        images = {tuple((p.file, p.true) for p in run) for runs in predictions.values() for run in runs}
        if len(images) != 1 or images == {()}:
            return None
        right = {name: np.array([[p.true == p.predicted for p in run] for run in runs])
                 for name, runs in predictions.items()}  # fmt: skip
        return cls(right, np.array([true for _, true in images.pop()]))

    @property
    def balanced(self) -> bool:
        """Whether the measure is called balanced accuracy; that of equally frequent classes is the accuracy."""
        counts = np.unique(self.labels, return_counts=True)[1]
        return bool(counts.min() < counts.max())

    @property
    def measure(self) -> str:
        """Name of the compared measure."""
        return _("balanced accuracy") if self.balanced else _("accuracy")

    def between(self, strategy: str, other: str) -> Difference:
        """Return the difference of two strategies."""
        return difference(self.right[strategy], self.right[other], self.labels)

    def learned(self, strategy: str) -> bool:
        """Return whether a strategy is certainly better than always answering the most frequent class."""
        above = above_constant(self.right[strategy], self.labels)
        return above.certain and above.mean > 0

    def settled(self, strategy: str) -> bool:
        """Return whether a strategy has learned, and differs certainly from the baseline if that was run."""
        return self.learned(strategy) and (BASELINE not in self.right or self.between(strategy, BASELINE).certain)

    def ahead(self, strategy: str) -> bool:
        """Return whether a strategy is better than the baseline, or that was not run."""
        return BASELINE not in self.right or self.between(strategy, BASELINE).mean > 0

    def margin(self, found: Difference) -> str:
        """Return the text about the confidence interval of a difference."""
        return _("± {margin:.1f} at {confidence:.0%} confidence, on {number} test images").format(
            margin=100 * found.margin, confidence=CONFIDENCE, number=len(self.labels)
        )
