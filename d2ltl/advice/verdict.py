"""The advice for a set of images, derived from measurements, and its text."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from d2ltl.advice.measurements import Fit, Trial
from d2ltl.advice.transferability import label_entropy
from d2ltl.comparison.certainty import standard_error

# Images per class. With about this many images, linear probing and fine-tuning were about equally accurate.
FEW = 100
# Minimal `Fit.learned` of a last stage that suits the images. Measured: 0.2 to 0.6 on food, mostly less on digits.
LEARNED = 0.2
# Minimal `Fit.learned` of features that the book's fine-tuning spoils. Measured on 800 rendered images: 0.74 to 0.82 of
# ImageNet models, 0.59 of the model of Tiny ImageNet, which the book's fine-tuning does not spoil.
GOOD = 2 / 3
SCRATCH_STEPS = 100  # training steps of the network from scratch


@dataclass(frozen=True)
class Advice:
    """The result of `advise`: measurements on a target set, and the recommended strategy. ``str`` returns it as text.

    Attributes
    ----------
    counts : list of int
        Number of training images of each class.
    fits : list of Fit
        Measurements for each source model, most accurate first; those without a dense output layer last.
    scratch, tested : float, int
        Accuracy of a short training from scratch, with the architecture of the best source model, and the number of
        images that it was measured on.
    trial : Trial, optional
        Gentle fine-tuning of the best source model, if the images are few and its last stage suits them.
    """

    counts: list[int]
    fits: list[Fit]
    scratch: float
    tested: int
    trial: Trial | None = None

    @property
    def images(self) -> int:
        """Number of training images."""
        return sum(self.counts)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.counts)

    @property
    def chance(self) -> float:
        """Accuracy of always answering the most frequent class."""
        return max(self.counts) / self.images

    @property
    def few(self) -> bool:
        """Whether the smallest class has fewer than 100 images."""
        return min(self.counts) < FEW

    @property
    def similar(self) -> bool:
        """Whether the last stage of the best source model suits the images, as that of a similar source set does.

        Early stages of a network are general, late stages are specific to the source set (Yosinski et al. 2014).
        The images are not compared with the source set, which is not at hand. Similar means that pretraining of the
        last stage reduces the error rate by at least 20 % (see `Fit.learned`).
        """
        return self.fits[0].learned >= LEARNED

    @property
    def needed(self) -> bool:
        """Whether a short training from scratch is not certainly better than transfer.

        It is certainly better if its accuracy is higher by more than two standard errors of a share of `tested` images.
        """
        accuracy = self.fits[0].accuracy
        return self.scratch - accuracy <= 2 * standard_error(accuracy, self.tested)

    @property
    def good(self) -> bool:
        """Whether the features of the best source model are so good that fine-tuning must be gentle.

        Good means that pretraining of the last stage avoids at least two thirds of the errors (see `Fit.learned`).
        """
        return self.fits[0].learned >= GOOD and self.fits[0].dense

    @property
    def way(self) -> str:
        """Recommended strategy: codes-softmax, lp-ft, finetune or scratch (see `find_strategy`)."""
        if not self.needed:
            return "scratch"
        if self.few:
            return "lp-ft" if self.trial and self.trial.lp_ft > self.trial.probe else "codes-softmax"
        return "lp-ft" if self.good else "finetune"

    @property
    def stage(self) -> int | None:
        """Number of the stage whose codes to classify, counted from 1.

        None means the last stage, or that the recommended strategy does not classify codes.
        """
        best = self.fits[0]
        early = self.way == "codes-softmax" and not self.similar and best.stage < len(best.by_stage)
        return best.stage if early else None

    @property
    def strategy(self) -> str:
        """Name of the recommended strategy with the number of the stage, as `find_strategy` takes it."""
        return f"{self.way}-{self.stage}" if self.stage else self.way

    @property
    def longer(self) -> bool:
        """Whether fine-tuning needs more epochs than usual, because the images differ from the source set."""
        return self.way == "finetune" and not self.similar

    def __str__(self) -> str:
        """Return the measurements and the advice as text."""
        best = self.fits[0]
        lines = [
            f"{self.images} images of {self.classes} classes, {min(self.counts)} of the smallest class: "
            f"{'few' if self.few else 'not few'} (the limit is {FEW}). Always answering the most frequent class has "
            f"the accuracy {self.chance:.3f}. (± is one standard error.)",
            *(_sentence(fit, self.counts) for fit in self.fits),
        ]
        if len(self.fits) > 1:
            lines.append(f"{_choice(self.fits)} {_agreement(self.fits)}")
            lines += _by_number(self.fits, self.classes)
        lines.append(_help(best, self.similar))
        lines.append(
            f"The same network from scratch: {_with_error(self.scratch, self.tested)} on {self.tested} held-out images "
            f"after {SCRATCH_STEPS} small steps. It is {'not ' if self.needed else ''}certainly better than transfer."
        )
        if self.trial:
            lp_ft, probe, tested = self.trial.lp_ft, self.trial.probe, self.trial.tested
            lines.append(
                f"Gentle fine-tuning (lp-ft) classifies {lp_ft:.3f} of {tested} held-out images correctly "
                f"(± {standard_error(lp_ft, tested):.3f}), the linear classifier that it starts from "
                f"{_with_error(probe, tested)}."
            )
        return "\n".join([*lines, f"Advice: {self.strategy}. {self._reason()}"])

    def _reason(self) -> str:
        source = self.fits[0].source
        if self.way == "scratch":
            return f"Train from scratch: even a short training is more accurate than codes of {source}."
        if self.stage:
            return (
                f"Fit a linear classifier on the codes of stage {self.stage} of {source}. Later stages are "
                "specific to the source set, and there are too few images to retrain them."
            )
        if self.way == "codes-softmax":
            return f"Fit a linear classifier on the codes of {source}. Few images gain little by training its layers."
        if self.way == "lp-ft":
            why = "It was better on held-out images" if self.few else "The book's fine-tuning would spoil its features"
            return f"Fit a linear classifier on the codes of {source}, then fine-tune its last stages gently. {why}."
        if self.longer:
            return (
                f"Train all layers, starting from the weights of {source}, and longer than usual. The late layers have "
                "to learn anew, and there are enough images for it."
            )
        return f"Train all layers of {source} at a small learning rate. There are enough images to adapt them."


def _with_error(share: float, number: int) -> str:
    return f"{share:.3f} ± {standard_error(share, number):.3f}"


def _sentence(fit: Fit, counts: list[int]) -> str:
    stages = ", ".join(f"{accuracy:.3f}" for accuracy in fit.by_stage)
    without = label_entropy(np.repeat(np.arange(len(counts)), counts))
    return (
        f"{fit.source}: a linear classifier on its codes has the cross-validated accuracy "
        f"{_with_error(fit.accuracy, fit.measured)} (by stage: {stages}); LogME {fit.log_me:.3f} (with random weights "
        f"{fit.log_me_untrained:.3f}), LEEP {fit.leep:.3f} (without information {-without:.3f}). It sees "
        f"{fit.images_per_s:.0f} images/s at {fit.size} × {fit.size} pixels."
        f"{'' if fit.dense else ' Its output is no dense layer, so it comes last.'}"
    )


def _choice(fits: list[Fit]) -> str:
    """Return the sentence that names the best source, and another source that may be as good."""
    best, *others = fits
    rivals = [
        fit.source for fit in others if fit.dense == best.dense and not best.is_certain(best.accuracy, fit.accuracy)
    ]
    doubt = f", but not certainly: {rivals[0]} is within two standard errors" if rivals else ""
    return f"{best.source} suits best{doubt}."


def _agreement(fits: list[Fit]) -> str:
    dissent = [
        name
        for name, values in (("LogME", [fit.log_me for fit in fits]), ("LEEP", [fit.leep for fit in fits]))
        if values[0] < max(values)
    ]
    return f"{' and '.join(dissent)} would choose another source." if dissent else "LogME and LEEP agree."


def _by_number(fits: list[Fit], classes: int) -> list[str]:
    """Return the line that says which source is the most accurate with how many images of each class."""
    best = {number: max(fits, key=lambda fit: fit.by_number[number].mean) for number in fits[0].by_number}
    choices = [
        f"{number}: {fit.source} ({fit.by_number[number].mean:.3f} ± {fit.by_number[number].sd:.3f})"
        for number, fit in best.items()
    ]
    yardstick = f"balanced accuracy ± spread over random choices of them; {1 / classes:.3f} without information"
    return [f"The best source by the number of images of each class ({yardstick}): {', '.join(choices)}."] * bool(
        choices
    )


def _help(fit: Fit, similar: bool) -> str:
    """Return what pretraining does for the images."""
    untrained = (
        "A linear classifier on the codes of the same network with random weights has the accuracy "
        f"{_with_error(max(fit.untrained), fit.measured)}."
    )
    if math.isinf(fit.learned_error):
        return f"{untrained} It leaves no error, so it was not measured whether pretraining helps."
    certain = abs(fit.learned - LEARNED) > 2 * fit.learned_error
    return (
        f"{untrained} The trained last stage avoids {max(0, fit.learned):.0%} ± {fit.learned_error:.0%} of its errors: "
        f"it {'suits' if similar else 'does not suit'} the images{'' if certain else ', but that is not certain'} "
        f"(limit: {LEARNED:.0%}). How similar they are to the source set was not measured."
    )
