"""Checkpoints: the complete state of a training run in one file."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mxnet as mx
from mxnet import gluon

from d2ltl import runtime
from d2ltl.errors import CheckpointError
from d2ltl.files import atomic_write
from d2ltl.history import History
from d2ltl.models.parameters import parameters_of, write_parameters


class Checkpoint:
    """A file with the parameters, trainer states and history of a run after its last completed epoch.

    The file is a zip archive of ``net.params``, ``trainer.states``, ``history.json`` and ``settings.json``, written
    atomically. MXNet pickles the trainer states: load only checkpoints that you trust. `settings` are JSON values; a
    checkpoint with other settings cannot be loaded. One of another number of threads can, with a warning.
    """

    def __init__(
        self, path: str | os.PathLike[str], net: gluon.HybridBlock, trainer: gluon.Trainer, settings: dict[str, Any]
    ) -> None:
        self.path = Path(path)
        self.net = net
        self.trainer = trainer
        self.settings = settings

    def save(self, history: History) -> None:
        """Write the current state and the history to the file."""
        with atomic_write(self.path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            with self._part() as part:
                write_parameters(self.net, part)
                archive.write(part, "net.params")
                self.trainer.save_states(str(part))
                archive.write(part, "trainer.states")
            archive.writestr("history.json", json.dumps(history.to_dict()))
            archive.writestr("settings.json", json.dumps({**self.settings, "threads": runtime.threads()}))

    def load(self) -> History | None:
        """Restore the network and the trainer, and return the history; return None if the file does not exist."""
        if not self.path.exists():
            return None
        try:
            with zipfile.ZipFile(self.path) as archive:
                self._check(json.loads(archive.read("settings.json")))
                with tempfile.TemporaryDirectory() as folder:  # several workers may load at the same time
                    part = Path(folder, "member")
                    part.write_bytes(archive.read("net.params"))
                    self.net.load_parameters(str(part), ctx=self._devices())
                    part.write_bytes(archive.read("trainer.states"))
                    self.trainer.load_states(str(part))
                return History.from_dict(json.loads(archive.read("history.json")))
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
            raise CheckpointError(
                f"{self.path} is no checkpoint of this network ({error}). Use another file."
            ) from error

    @contextlib.contextmanager
    def _part(self) -> Iterator[Path]:
        """Yield the path of a temporary file to save to, because MXNet saves only to files.

        The name is always the same, so repeatedly killed processes leave at most one such file.
        """
        part = self.path.with_name(f".{self.path.name}.member")
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)

    def _check(self, saved: dict[str, Any]) -> None:
        threads = saved.pop("threads", None)
        if names := [name for name in {**saved, **self.settings} if saved.get(name) != self.settings.get(name)]:
            changes = ", ".join(f"{name} {saved.get(name)}, now {self.settings.get(name)}" for name in names)
            raise CheckpointError(f"{self.path} is of a run with {changes}. Use another file.")
        runtime.warn_of_threads(f"The run of {self.path}", threads, runtime.threads())

    def _devices(self) -> list[mx.Context]:
        return parameters_of(self.net)[0].list_ctx()
