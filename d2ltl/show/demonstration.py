"""What a demonstration is, and what it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Shown(NamedTuple):
    """What a demonstration showed.

    Attributes
    ----------
    verdict : str
        A sentence or a few, with the figures that were measured.
    figure : Figure
    """

    verdict: str
    figure: Figure


class Demonstration(NamedTuple):
    """A small experiment: one seed, few images, under a minute on two cores.

    Attributes
    ----------
    topic : str
        Under which it is listed.
    title : str
        The question that it answers.
    run : callable
        From the seed to what it showed.
    """

    topic: str
    title: str
    run: Callable[[int], Shown]
