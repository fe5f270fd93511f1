"""What a comparison keeps of each run, and the folder it keeps it in."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mxnet.gluon import HybridBlock

from d2ltl.errors import CheckpointError
from d2ltl.history import Epoch, History
from d2ltl.replacing import replacing
from d2ltl.zoo import write_parameters


@dataclass
class Run:
    """One strategy with one seed.

    Attributes
    ----------
    strategy : str
    seed : int
    learning_rate : float or None
        None where nothing descends a gradient.
    history : History
    confusion : ndarray of int64, shape (classes, classes)
        Of the test images after the last epoch; row: the true class.
    mistakes : list of dict
        The most confidently wrong test images: ``file``, ``true``, ``predicted``, ``probability``.
    """

    strategy: str
    seed: int
    learning_rate: float | None
    history: History
    confusion: np.ndarray
    mistakes: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return the run as JSON values."""
        return {
            "strategy": self.strategy,
            "seed": self.seed,
            "learning_rate": self.learning_rate,
            "devices": self.history.devices,
            "history": [asdict(epoch) for epoch in self.history.epochs],
            "confusion": self.confusion.tolist(),
            "mistakes": self.mistakes,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Run:
        """Return the run that `to_dict` wrote."""
        history = History(values["devices"], [Epoch(**epoch) for epoch in values["history"]])
        kept = {name: values[name] for name in ("strategy", "seed", "learning_rate", "mistakes")}
        return cls(history=history, confusion=np.array(values["confusion"]), **kept)


class RunFolder:
    """The folder of a comparison.

    ``settings.json`` says of which. In ``runs`` stands for every finished run what was recorded (``.run.json``), the
    trained parameters (``.params``) with the names of the classes beside them (``.json``: together a source model), and
    for one that is not finished its checkpoint. The record is written last: a run that has one is complete.
    """

    def __init__(self, runs: Path) -> None:
        self.runs = runs

    @classmethod
    def claim(cls, out: str | os.PathLike[str], settings: dict[str, Any], resume: bool) -> RunFolder:
        """Make the folder of a new comparison, or find that of one to resume.

        Raises
        ------
        CheckpointError
            If the folder holds something else, a comparison with other settings (they are named), or, without
            `resume`, this one.
        """
        out = Path(out)
        file = out / "settings.json"
        if file.exists():
            _check_settings(out, _read_json(file), settings)
            if not resume:
                raise CheckpointError(f"{out} holds this comparison already: resume it, or choose another folder.")
        elif resume:
            raise CheckpointError(f"{out} holds no comparison to resume.")
        elif out.exists() and not _is_free(out):
            raise CheckpointError(f"{out} is there and holds no comparison. Choose another folder.")
        else:
            (out / "runs").mkdir(parents=True, exist_ok=True)
            _write_json(file, settings)
        return cls(out / "runs")

    def checkpoint(self, strategy: str, seed: int) -> Path:
        """Return the file that an unfinished run can be resumed from."""
        return self.runs / f"{strategy}-seed{seed}.checkpoint"

    def _record(self, strategy: str, seed: int) -> Path:
        return self.runs / f"{strategy}-seed{seed}.run.json"

    def load(self, strategy: str, seed: int) -> Run | None:
        """Return a run that is finished, else None."""
        record = self._record(strategy, seed)
        if not record.exists():
            return None
        self.checkpoint(strategy, seed).unlink(missing_ok=True)  # killed between record and unlink
        return Run.from_dict(_read_json(record))

    def save(self, run: Run, net: HybridBlock, classes: list[str]) -> None:
        """Keep a finished run with its network."""
        parameters = self.runs / f"{run.strategy}-seed{run.seed}.params"
        write_parameters(net, parameters)
        _write_json(parameters.with_suffix(".json"), classes)
        _write_json(self._record(run.strategy, run.seed), run.to_dict())
        self.checkpoint(run.strategy, run.seed).unlink(missing_ok=True)


def _is_free(out: Path) -> bool:
    """Tell whether a folder is empty, or as a process left it that was killed while it claimed it."""
    return out.is_dir() and all(path.name in ("runs", ".settings.part.json") for path in out.rglob("*"))


def _read_json(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{file} is not of a comparison, or is damaged ({error}).") from error


def _check_settings(out: Path, saved: dict[str, Any], settings: dict[str, Any]) -> None:
    if changed := [name for name in settings if saved.get(name) != settings[name]]:
        changes = ", ".join(f"{name} {saved.get(name)}, now {settings[name]}" for name in changed)
        raise CheckpointError(f"{out} holds a comparison with {changes}. Choose another folder.")


def _write_json(file: Path, value: Any) -> None:
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
