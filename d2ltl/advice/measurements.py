"""What is measured of a source model and a target set, and with which error."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from d2ltl.advice.transferability import Spread
from d2ltl.comparison.certainty import standard_error


@dataclass(frozen=True)
class Fit:
    """Measurements of how well a source model fits the images.

    Attributes
    ----------
    source : str
        Name of the source model.
    size : int
        Height and width of the images that the network saw, in pixels.
    by_stage : list of float
        Cross-validated accuracy of a linear classifier on the codes of each stage, first to last.
    untrained : list of float
        The same accuracies for the same network with random weights.
    log_me : float
        LogME of the codes of the last stage (`d2ltl.log_me`).
    leep : float
        LEEP of the predictions of the source model (`d2ltl.leep`).
    images_per_s : float
        Number of images per second that the source model computes codes of; the cost of looking through it.
    by_number : dict from int to Spread
        Balanced accuracy of a linear classifier on the codes of the last stage, by the number of training images of
        each class.
    dense : bool
        Whether the output of the source model is a dense layer, which a linear classifier can replace (not SqueezeNet).
    measured : int
        Number of images that the accuracies were measured on.
    log_me_untrained : float
        LogME of the codes of the last stage of the network with random weights, the yardstick of `log_me`.
    """

    source: str
    size: int
    by_stage: list[float]
    untrained: list[float]
    log_me: float
    leep: float
    images_per_s: float = field(compare=False)
    by_number: dict[int, Spread]
    dense: bool
    measured: int
    log_me_untrained: float

    @property
    def stage(self) -> int:
        """Number of the most accurate stage if it is certainly better than the last stage, else of the last stage.

        Stages are counted from 1. Certainly better means by more than two standard errors of the difference.
        """
        best, last = int(np.argmax(self.by_stage)), len(self.by_stage) - 1
        return (best if self.is_certain(self.by_stage[best], self.by_stage[last]) else last) + 1

    @property
    def accuracy(self) -> float:
        """Accuracy of the stage `stage`."""
        return self.by_stage[self.stage - 1]

    def is_certain(self, higher: float, lower: float) -> bool:
        """Return whether an accuracy is higher than another by more than two standard errors of their difference."""
        return higher - lower > 2 * math.hypot(*(standard_error(share, self.measured) for share in (higher, lower)))

    @property
    def learned(self) -> float:
        """Reduction of the error rate by pretraining, relative to the same network with random weights.

        It compares the last stage of the pretrained network with the best stage of the untrained network. 1 means no
        errors; 0 or less means that pretraining does not help.
        """
        errors = 1 - max(self.untrained)
        return (self.by_stage[-1] - max(self.untrained)) / errors if errors else 0.0

    @property
    def learned_error(self) -> float:
        """Standard error of `learned`; infinite if the network with random weights makes no error."""
        shares = (self.by_stage[-1], max(self.untrained))
        difference = math.hypot(*(standard_error(share, self.measured) for share in shares))
        return difference / (1 - shares[1]) if shares[1] < 1 else math.inf


@dataclass(frozen=True)
class Trial:
    """Accuracy of gentle fine-tuning (LP-FT) and of the linear probe that it starts from, on held-out training images.

    Attributes
    ----------
    lp_ft, probe : float
        The two accuracies, between 0 and 1.
    tested : int
        Number of held-out images.
    """

    lp_ft: float
    probe: float
    tested: int
