"""The history of a training run: losses, accuracies and times of each epoch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """The measurements of one epoch. Epochs are counted from 1, accuracies are between 0 and 1.

    `loss` and `train_acc` are accumulated during the training pass. `test_acc` and `test_loss` (the mean cross-entropy)
    are measured after it; None if they were not measured. `seconds` is the wall time of the training pass, with loading
    and without evaluation; `examples_per_s` is the speed in it. (The book's timer excludes loading.) `tasks` contains
    the ``test_acc`` and the loss ``weight`` of each task in multi-task training.
    """

    epoch: int
    loss: float
    train_acc: float
    test_acc: float | None
    seconds: float
    examples_per_s: float
    test_loss: float | None = None
    tasks: dict[str, dict[str, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the epoch as a dict of JSON values; `tasks` is omitted if it is empty."""
        return {name: value for name, value in asdict(self).items() if value or name != "tasks"}


@dataclass
class History:
    """The epochs of one training run, and the names of the devices that it used, such as ``'cpu(0)'``.

    ``str(history)`` is the book's two-line summary (section 13.2). ``history.curve('test_acc')`` is a list of the test
    accuracy by epoch. `epochs` is a list of `Epoch`, the measurements of each epoch.

    Examples
    --------
    >>> history = History(['cpu(0)'])
    >>> history.epochs.append(Epoch(1, loss=0.5, train_acc=0.75, test_acc=0.8, seconds=4.0, examples_per_s=50.0))
    >>> print(history)
    loss 0.500, train acc 0.750, test acc 0.800
    50.0 examples/sec on [cpu(0)]
    >>> History.from_dict(history.to_dict()) == history
    True
    """

    devices: list[str]
    epochs: list[Epoch] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of epochs trained."""
        return len(self.epochs)

    def curve(self, quantity: str) -> list[float]:
        """Return one attribute of `Epoch` by epoch, for example ``'test_acc'``; NaN where it was not recorded."""
        values = [getattr(epoch, quantity) for epoch in self.epochs]
        return [math.nan if value is None else value for value in values]

    @property
    def seconds(self) -> float:
        """Wall time of all training passes, in seconds."""
        return sum(self.curve("seconds"))

    @property
    def examples_per_s(self) -> float:
        """Number of training images processed per second, over the whole run."""
        examples = sum(epoch.examples_per_s * epoch.seconds for epoch in self.epochs)
        return examples / self.seconds if self.epochs else 0.0

    def __str__(self) -> str:
        """Return the book's two summary lines."""
        if not self.epochs:
            return "no epoch trained yet"
        loss, train_acc, test_acc = (self.curve(name)[-1] for name in ("loss", "train_acc", "test_acc"))
        return (
            f"loss {loss:.3f}, train acc {train_acc:.3f}, test acc {test_acc:.3f}\n"
            f"{self.examples_per_s:.1f} examples/sec on [{', '.join(self.devices)}]"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the history as a dict of JSON values, which `from_dict` reads."""
        return {"devices": self.devices, "epochs": [epoch.to_dict() for epoch in self.epochs]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> History:
        """Return the history that `to_dict` converted to a dict; raise KeyError or TypeError for other values."""
        return cls(list(values["devices"]), [Epoch(**epoch) for epoch in values["epochs"]])
