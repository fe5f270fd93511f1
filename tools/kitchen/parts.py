"""What foods and props are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tools.kitchen.shapes import Mesh, join


@dataclass(frozen=True)
class Part:
    """A mesh with a colour and a finish.

    `colours` are linear red, green and blue, of each vertex, shape (n, 3), or of all, shape (3,). `roughness` goes from
    0, a mirror, to 1, chalk. The material of all food is 'plastic', a colour under a gloss; others are 'metal' and
    'glass'.
    """

    mesh: Mesh
    colours: np.ndarray
    roughness: float = 0.6
    material: str = "plastic"

    def moved(self, x: float = 0, y: float = 0, z: float = 0) -> Part:
        """Return the part moved by a vector."""
        return replace(self, mesh=self.mesh.moved(x, y, z))

    def turned(self, degrees: float, axis: str = "z") -> Part:
        """Return the part turned about an axis through the origin."""
        return replace(self, mesh=self.mesh.turned(degrees, axis))

    def scaled(self, x: float, y: float | None = None, z: float | None = None) -> Part:
        """Return the part stretched along the axes; by one factor if only one is given."""
        return replace(self, mesh=self.mesh.scaled(x, y, z))


@dataclass(frozen=True)
class Dish:
    """A food as drawn: its parts, and which of the attributes that vary hold of it."""

    parts: list[Part]
    true: frozenset[str] = frozenset()


def truths(**facts: object) -> frozenset[str]:
    """Return the names of the facts that hold."""
    return frozenset(name for name, fact in facts.items() if fact)


def bounds(parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest corner, each of shape (3,), of the box around parts."""
    vertices = join([part.mesh for part in parts]).vertices
    return vertices.min(0), vertices.max(0)


def fitted(parts: Sequence[Part], size: float) -> list[Part]:
    """Return parts moved to the middle of z = 0, and scaled to a size that is as fair to long dishes as to round ones.

    The size is the geometric mean of how far the dish reaches from its middle, and of the radius of an ellipse as
    large as it: for a round dish both are its radius.
    """
    low, high = bounds(parts)
    centre = (low + high) / 2
    centred = [part.moved(-centre[0], -centre[1], -low[2]) for part in parts]
    reach = max(np.linalg.norm(part.mesh.vertices[:, :2], axis=1).max() for part in centred)
    radius = np.sqrt(np.prod((high - low)[:2] / 2))
    return [part.scaled(size / np.sqrt(reach * radius)) for part in centred]


def in_row(rng: np.random.Generator, items: Sequence[list[Part]], gap: float = 0.3) -> list[Part]:
    """Return items that each lie along x, side by side along y, a little askew."""
    parts, end = [], 0.0
    for item in items:
        degrees, shift = rng.normal(0, 4), rng.normal(0, 0.6)
        askew = [part.turned(degrees) for part in item]
        low, high = bounds(askew)
        parts += [part.moved(x=shift, y=end - low[1]) for part in askew]
        end += high[1] - low[1] + gap
    return parts


def in_ring(rng: np.random.Generator, items: Sequence[list[Part]], gap: float = 0.3) -> list[Part]:
    """Return round items around a common centre, each turned at random."""
    parts = []
    radius = max((bounds(item)[1] - bounds(item)[0])[:2].max() for item in items) / 2 + gap / 2
    distance = radius / np.sin(np.pi / len(items)) if len(items) > 1 else 0
    for i, item in enumerate(items):
        turn, angle = rng.uniform(0, 360), 360 * i / len(items)
        parts += [part.turned(turn).moved(x=distance).turned(angle) for part in item]
    return parts
