"""Checkpoints: all that a training run needs to go on, in one file."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mxnet as mx
from mxnet import gluon

from d2ltl.errors import CheckpointError
from d2ltl.history import History
from d2ltl.replacing import replacing
from d2ltl.zoo import write_parameters


class Checkpoint:
    """The file that holds parameters, trainer and history of a run, as they were after its last whole epoch.

    It is a zip archive of ``net.params``, ``trainer.states``, ``history.json`` and ``settings.json``, written under
    a temporary name and renamed, so that whenever the process dies, a whole checkpoint stands there or none. MXNet
    pickles the trainer's states: load only checkpoints of your own.

    Parameters
    ----------
    path : path
    net : HybridBlock
    trainer : Trainer
    settings : dict
        Of JSON values; a checkpoint of other settings is refused.
    """

    def __init__(
        self, path: str | os.PathLike[str], net: gluon.HybridBlock, trainer: gluon.Trainer, settings: dict[str, Any]
    ) -> None:
        self.path = Path(path)
        self.net = net
        self.trainer = trainer
        self.settings = settings

    def save(self, history: History) -> None:
        """Write the state after an epoch."""
        with replacing(self.path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            with self._part() as part:
                write_parameters(self.net, part)
                archive.write(part, "net.params")
                self.trainer.save_states(str(part))
                archive.write(part, "trainer.states")
            archive.writestr("history.json", history.to_json())
            archive.writestr("settings.json", json.dumps(self.settings))

    def load(self) -> History | None:
        """Bring network and trainer to the saved state, and return the history; None if there is no file.

        Raises
        ------
        CheckpointError
            If the file is damaged, or was written by a run with other settings.
        """
        if not self.path.exists():
            return None
        try:
            with zipfile.ZipFile(self.path) as archive:
                self._check(json.loads(archive.read("settings.json")))
                with self._part() as part:
                    part.write_bytes(archive.read("net.params"))
                    self.net.load_parameters(str(part), ctx=self._devices())
                    part.write_bytes(archive.read("trainer.states"))
                    self.trainer.load_states(str(part))
                return History.from_json(archive.read("history.json").decode())
        except (
            zipfile.BadZipFile,
            zlib.error,
            pickle.UnpicklingError,
            mx.MXNetError,
            AssertionError,
            AttributeError,
            KeyError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            raise CheckpointError(f"{self.path} is no checkpoint of this network ({error}). Delete it.") from error

    @contextlib.contextmanager
    def _part(self) -> Iterator[Path]:
        """Give a file for MXNet, which saves to files only; its name is fixed, so that a killed process leaves one."""
        part = self.path.with_name(f".{self.path.name}.member")
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)

    def _check(self, saved: dict[str, Any]) -> None:
        if names := [name for name in {**saved, **self.settings} if saved.get(name) != self.settings.get(name)]:
            changes = ", ".join(f"{name} {saved.get(name)}, now {self.settings.get(name)}" for name in names)
            raise CheckpointError(f"{self.path} is of a run with {changes}. Use another file, or delete it.")

    def _devices(self) -> list[mx.Context]:
        return next(iter(self.net.collect_params().values())).list_ctx()
