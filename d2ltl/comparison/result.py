"""The result of a comparison: `Comparison`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from _data_hub.language import N_, retell
from d2ltl.comparison.gains import Gain, measure_gains
from d2ltl.comparison.runs import Run
from d2ltl.comparison.strategies import BASELINE

FOLDS = N_("{folds} folds of all images, drawn with seed 0; every image is tested once")  # how cross-validation splits


@dataclass
class Comparison:
    """The result of `run_comparison`.

    Attributes
    ----------
    settings : dict
        The arguments of `run_comparison`, with the defaults filled in.
    classes, devices : list of str
        Names of the classes and of the devices, such as ``'cpu(0)'``.
    images : dict
        Numbers of images for ``train`` and ``test``, number of unreadable images ``skipped``, origin of the ``split``
        into training and test images (a text), and whether the images are ``rendered``.
    versions : dict
        Versions of the packages, the processor and the number of threads.
    runs : list of Run
        One run for each strategy and seed.
    inventory : dict
        Numbers of images of each class and part, and of files that were left out; see `d2ltl.data.inventory`.
    """

    settings: dict[str, Any]
    classes: list[str]
    images: dict[str, Any]
    devices: list[str]
    versions: dict[str, str]
    runs: list[Run]
    inventory: dict[str, Any] = field(default_factory=dict)

    def of(self, strategy: str) -> list[Run]:
        """Return the runs of one strategy, sorted by seed."""
        return sorted((run for run in self.runs if run.strategy == strategy), key=lambda run: run.seed)

    @property
    def strategies(self) -> list[str]:
        """Names of the compared strategies, in the order of the runs."""
        return list(dict.fromkeys(run.strategy for run in self.runs))

    @property
    def most_frequent(self) -> str:
        """Name of the most frequent class of the test images."""
        return self.classes[int(self.runs[0].confusion.sum(axis=1).argmax())]

    @property
    def chance(self) -> float:
        """Accuracy of a classifier that always predicts the most frequent class of the test images."""
        return float(self.runs[0].confusion.sum(axis=1).max() / self.runs[0].confusion.sum())

    @property
    def split(self) -> str:
        """Origin of the split into training and test images, in the language of the reader."""
        return retell(self.images["split"], FOLDS)

    @property
    def gains(self) -> dict[str, dict[str, Gain]]:
        """The three gains (`d2ltl.comparison.gains`) of each strategy over ``'scratch'``; empty if that was not run."""
        curves = {name: [run.history.curve("test_acc") for run in self.of(name)] for name in self.strategies}
        baseline = curves.pop(BASELINE, None)
        if baseline is None:
            return {}
        return {name: measure_gains(curve, baseline, self.chance) for name, curve in curves.items()}

    @property
    def has_validation(self) -> bool:
        """Whether the tests after each epoch were made on images for validation, not on the test images."""
        return "validation" in self.inventory.get("parts", {}) and not self.settings.get("cross_validate")

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as a dict of JSON values, the content of ``report.json``."""
        gains = {
            strategy: {name: {"mean": g.mean, "sd": g.sd, "by_seed": g.by_seed} for name, g in gains.items()}
            for strategy, gains in self.gains.items()
        }
        return {
            **self.settings,
            "classes": self.classes,
            "images": self.images,
            "inventory": self.inventory,
            "devices": self.devices,
            "versions": self.versions,
            "gains": gains,
            "runs": [replace(run, predictions=[]).to_dict() for run in self.runs],  # these are in predictions.csv
        }
