"""History: what a training run recorded, as plain data."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Epoch:
    """One epoch of training.

    Attributes
    ----------
    epoch : int
        Its number, from 1.
    loss : float
        Mean cross-entropy of the training images, as they were seen while training.
    train_acc, test_acc : float
        Accuracies between 0 and 1; the first as seen while training, the second after the epoch.
    seconds : float
        Wall time of the training pass, loading included, evaluation not.
    examples_per_s : float
        Training images over `seconds`. (The book's timer leaves loading out.)
    test_loss : float or None
        Mean cross-entropy of the test images after the epoch; None where it was not recorded.
    """

    epoch: int
    loss: float
    train_acc: float
    test_acc: float
    seconds: float
    examples_per_s: float
    test_loss: float | None = None


@dataclass
class History:
    """The epochs of one training run, and the devices it ran on.

    ``str(history)`` is the book's summary (section 13.2), ``history.curve('test_acc')`` a list to plot.

    Examples
    --------
    >>> history = History(['cpu(0)'])
    >>> history.epochs.append(Epoch(1, loss=0.5, train_acc=0.75, test_acc=0.8, seconds=4.0, examples_per_s=50.0))
    >>> print(history)
    loss 0.500, train acc 0.750, test acc 0.800
    50.0 examples/sec on [cpu(0)]
    >>> History.from_json(history.to_json()) == history
    True
    """

    devices: list[str]
    epochs: list[Epoch] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of epochs trained."""
        return len(self.epochs)

    def curve(self, quantity: str) -> list[float]:
        """Return one quantity (a field of `Epoch`) by epoch; NaN where it was not recorded."""
        values = [getattr(epoch, quantity) for epoch in self.epochs]
        return [math.nan if value is None else value for value in values]

    @property
    def seconds(self) -> float:
        """Wall time of all training passes."""
        return sum(self.curve("seconds"))

    @property
    def examples_per_s(self) -> float:
        """Training images over wall time, of the whole run."""
        examples = sum(epoch.examples_per_s * epoch.seconds for epoch in self.epochs)
        return examples / self.seconds if self.epochs else 0.0

    def __str__(self) -> str:
        """Return the book's two summary lines."""
        if not self.epochs:
            return "no epoch trained yet"
        last = self.epochs[-1]
        return (
            f"loss {last.loss:.3f}, train acc {last.train_acc:.3f}, test acc {last.test_acc:.3f}\n"
            f"{self.examples_per_s:.1f} examples/sec on [{', '.join(self.devices)}]"
        )

    def to_json(self) -> str:
        """Return the history as a JSON text that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> History:
        """Return the history that `to_json` wrote.

        Raises
        ------
        ValueError, KeyError, TypeError
            If `text` is not such a JSON text.
        """
        values = json.loads(text)
        return cls(values["devices"], [Epoch(**epoch) for epoch in values["epochs"]])
