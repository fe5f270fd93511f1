"""The record of a training run in a comparison, and the folder with the records of all runs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mxnet.gluon import HybridBlock

from d2ltl import runtime
from d2ltl.datasets import BOOK
from d2ltl.errors import CheckpointError
from d2ltl.files import printable, write_json
from d2ltl.history import History
from d2ltl.models.trained import save_net
from d2ltl.training.calibration import Calibration

UNRECORDED = {  # settings that version 0.1.0 did not have, and their value
    "lr_lp_ft": BOOK.lr_lp_ft,
    "balance": False,
    "cross_validate": None,
    "data_parallel": 1,
}


class Prediction(NamedTuple):
    """The prediction of a network for one test image: its file, names of two classes, and the predicted probability."""

    file: str
    true: str
    predicted: str
    probability: float


@dataclass
class Run:
    """The training run of one strategy with one seed. `learning_rate` is None for strategies without gradient descent.

    `confusion` is the confusion matrix of the test images after the last epoch: int64, rows are true classes, columns
    are predicted classes. `mistakes` are the test images that were misclassified with the highest probability, as dicts
    of ``file``, ``true``, ``predicted`` and ``probability``. `predictions` are those of all test images after the last
    epoch; none in a record of version 0.1.

    If there are images for validation, the tests of `history` after each epoch are made on them.

    With cross-validation, a run trains a network for each fold. The curves of `history` are then means over the folds
    and its seconds are sums. `confusion`, `mistakes` and `predictions` are of all images. `folds` are the test
    accuracies of folds.

    `calibrations` are the `Calibration` of each trained network: one for each fold, or a single one; none in a record
    of version 0.1.
    """

    strategy: str
    seed: int
    learning_rate: float | None
    history: History
    confusion: np.ndarray
    mistakes: list[dict[str, Any]]
    predictions: list[Prediction] = field(default_factory=list)
    folds: list[float] = field(default_factory=list)
    calibrations: list[Calibration] = field(default_factory=list)

    @property
    def accuracy(self) -> float:
        """Accuracy on all test images after the last epoch."""
        return float(self.confusion.trace() / self.confusion.sum())

    @property
    def accuracies(self) -> list[float]:
        """Test accuracies of the trained networks after the last epoch: one for each fold, or a single one."""
        return self.folds or [self.accuracy]

    def to_dict(self) -> dict[str, Any]:
        """Return the run as a dict of JSON values, which `from_dict` reads."""
        history = self.history.to_dict()
        return {
            "strategy": self.strategy,
            "seed": self.seed,
            "learning_rate": self.learning_rate,
            "devices": history["devices"],
            "history": history["epochs"],
            "confusion": self.confusion.tolist(),
            "mistakes": self.mistakes,
            **({"predictions": [list(prediction) for prediction in self.predictions]} if self.predictions else {}),
            **({"folds": self.folds} if self.folds else {}),
            **({"calibrations": [c._asdict() for c in self.calibrations]} if self.calibrations else {}),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Run:
        """Return the run that `to_dict` converted to a dict."""
        history = History.from_dict({"devices": values["devices"], "epochs": values["history"]})
        kept = {name: values[name] for name in ("strategy", "seed", "learning_rate", "mistakes")}
        predictions = [Prediction(*prediction) for prediction in values.get("predictions", ())]
        kept.update(predictions=predictions, folds=values.get("folds", []))
        kept.update(calibrations=[Calibration(**calibration) for calibration in values.get("calibrations", ())])
        return cls(history=history, confusion=np.array(values["confusion"]), **kept)


class RunFolder:
    """The output folder of a comparison, with ``settings.json`` and the subfolder ``runs``.

    A finished run has its parameters (``.params``, which `source_net` can load), a description of the network
    (``.json``; `d2ltl.load_net` reads both) and its record (``.run.json``). The record is written last, so a run with a
    record is complete. An unfinished run has a ``.checkpoint`` file. With cross-validation, each fold has such files;
    folds are counted from 1.
    """

    def __init__(self, runs: Path, read_only: bool = False) -> None:
        self.runs = runs
        self.read_only = read_only  # for the other workers of a data-parallel training, whose first one writes

    @classmethod
    def claim(cls, out: str | os.PathLike[str], settings: dict[str, Any], resume: bool) -> RunFolder:
        """Create the folder of a new comparison, or open that of a comparison to resume; else raise CheckpointError."""
        out = Path(out)
        if printable(str(out)) != str(out):
            raise CheckpointError(
                f"{printable(str(out))} is not UTF-8, and MXNet cannot write to it. Choose another name."
            )
        if not resume and not (out / "settings.json").exists() and out.exists() and not _is_free(out):
            raise CheckpointError(f"{out} is there and holds no comparison. Choose another folder.")
        return cls(claim_runs(out, settings, resume, "comparison"))

    def checkpoint(self, strategy: str, seed: int, fold: int = 0) -> Path:
        """Return the path of the checkpoint of an unfinished run."""
        return self._file(strategy, seed, fold, "checkpoint")

    def _file(self, strategy: str, seed: int, fold: int, suffix: str) -> Path:
        of_fold = f"-fold{fold}" if fold else ""
        return self.runs / f"{strategy}-seed{seed}{of_fold}.{suffix}"

    def finished(self) -> dict[Path, Run]:
        """Return the records of all finished runs (with cross-validation, of all folds) by their ``.params`` files."""
        records = sorted(self.runs.glob("*.run.json"))
        return {path.with_name(path.name.replace(".run.json", ".params")): self._read(path) for path in records}

    def _read(self, record: Path) -> Run:
        try:
            return Run.from_dict(_read_json(record))
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{record} is not the record of a run, or is damaged ({error}).") from error

    def settings(self) -> dict[str, Any]:
        """Return the settings of the comparison; empty if it has none."""
        file = self.runs.parent / "settings.json"
        settings = _read_json(file) if file.exists() else {}
        if missing := {"net", "size", "data"} - {*settings} if file.exists() else ():
            raise CheckpointError(f"{file} is not of a comparison, or is damaged: it has no {min(missing)}.")
        return settings

    def load(self, strategy: str, seed: int, fold: int = 0) -> Run | None:
        """Return the record of a finished run, or None if the run is not finished."""
        record = self._file(strategy, seed, fold, "run.json")
        if not record.exists():
            return None
        if not self.read_only:  # `save` may have been killed before it did this
            self.checkpoint(strategy, seed, fold).unlink(missing_ok=True)
        return self._read(record)

    def save(self, run: Run, net: HybridBlock, fold: int = 0) -> None:
        """Write the parameters, the description and the record of a finished run, and delete its checkpoint."""
        if self.read_only:
            return
        (calibration,) = run.calibrations
        save_net(net, self._file(run.strategy, run.seed, fold, "params"), calibration.temperature)
        write_json(self._file(run.strategy, run.seed, fold, "run.json"), run.to_dict())
        self.checkpoint(run.strategy, run.seed, fold).unlink(missing_ok=True)


def claim_runs(out: Path, settings: dict[str, Any], resume: bool, what: str) -> Path:
    """Return the folder ``runs`` in an output folder: a new one, or that of the same settings, to resume.

    CheckpointError is raised if the output folder holds runs of other settings, or these settings and `resume` is
    False, or none and `resume` is True. `what` is what the settings are of. Another number of ``threads`` is only a
    warning: it changes how sums are rounded, and nothing else.
    """
    file, runs = out / "settings.json", out / "runs"
    saved = _read_json(file) if file.exists() else None
    begun = any(path.is_file() for path in runs.rglob("*"))
    if saved is not None and (begun or resume or _differences(saved, settings) == []):
        _check_settings(out, saved, settings, what)
        if not resume:
            raise CheckpointError(f"{out} holds this {what} already: resume it, or choose another folder.")
    elif resume:
        raise CheckpointError(f"{out} holds no {what} to resume.")
    else:
        runs.mkdir(parents=True, exist_ok=True)
        write_json(file, settings)
    return runs


def _is_free(out: Path) -> bool:
    """Return whether a folder is empty, or contains only the files of a process that was killed in `claim`."""
    return out.is_dir() and all(path.name in ("runs", ".settings.part.json") for path in out.rglob("*"))


def _read_json(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{file} is not of a comparison, or is damaged ({error}).") from error


def _check_settings(out: Path, saved: dict[str, Any], settings: dict[str, Any], what: str) -> None:
    if changed := _differences(saved, settings):
        article = "an" if what[0] in "aeiou" else "a"
        changes = ", ".join(f"{name} {_recorded(saved).get(name)}, now {settings[name]}" for name in changed)
        raise CheckpointError(f"{out} holds {article} {what} with {changes}. Choose another folder.")
    runtime.warn_of_threads(f"The {what} in {out}", saved.get("threads"), settings.get("threads"))


def _differences(saved: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """Return the names of the settings that are not as they were, without the number of threads."""
    same = _recorded(saved)
    return [name for name in settings if name != "threads" and same.get(name) != settings[name]]


def _recorded(saved: dict[str, Any]) -> dict[str, Any]:
    return {**UNRECORDED, **saved}
