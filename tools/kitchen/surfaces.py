"""Pictures of what tables are made of: arrays (SIDE, SIDE, 3) of linear colours that show `SPAN` cm of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tools.kitchen.colours import mix, noise, paint, pick, ramp, step, vary

SIDE, SPAN = 200, 45.0


def _points() -> np.ndarray:
    """Return where the pixels lie, in cm, shape (SIDE * SIDE, 2), row by row."""
    steps = (np.arange(SIDE) + 0.5) * SPAN / SIDE
    return np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)


def wood(rng: np.random.Generator) -> np.ndarray:
    """Return planks with a grain."""
    points, width = _points(), rng.uniform(7, 16)
    plank = points[:, 1] // width
    shifted = points + np.outer(plank, rng.normal(0, 40, 2))
    grain = noise(rng, shifted * [0.06, 1], 1.6, 4) + 0.8 * noise(rng, shifted * [0.05, 0.3], 2)
    dark, light = (pick(rng, *pair) for pair in (("#5a3a22", "#7a4e2a", "#8d6238", "#3c2a20"), ("#b98a56", "#caa274")))
    shade = 1 + 0.12 * noise(rng, plank[:, None] * 7.0, 3)[:, None]
    seam = (points[:, 1] % width < 0.3) * 0.7
    return mix(mix(dark, light, 0.5 + 0.25 * grain) * shade, 0.2 * dark, seam)


def stone(rng: np.random.Generator) -> np.ndarray:
    """Return marble or granite, light or dark."""
    points = _points()
    base, vein = pick(rng, "#e4e1dc", "#8c8a88", "#3a3a3e", "#b8a898"), pick(rng, "#6a6662", "#d8d4cc")
    veins = step(-np.abs(noise(rng, points, 22, 4)), -0.18, 0) * rng.uniform(0.1, 0.7)
    specks = rng.uniform(0, 0.4) * noise(rng, points, 0.8, 2)
    return mix(base * np.exp(0.5 * specks)[:, None], vein, veins)


def cloth(rng: np.random.Generator) -> np.ndarray:
    """Return a plain, striped or checked cloth with a weave."""
    points = _points()
    ground, ink = pick(rng, "#efece4", "#d9cfb8", "#8fa3b5"), pick(rng, "#b33a34", "#35568c", "#3f7a4e", "#4a4a52")
    stripes = np.sin(points * 2 * np.pi / rng.uniform(2.5, 8)) > rng.uniform(-0.2, 0.6)
    pattern = [0 * stripes[:, 0], stripes[:, 0], stripes.mean(1)][rng.integers(3)]
    weave = 1 + 0.06 * np.sin(points @ [14, 0]) * np.sin(points @ [0, 14]) + 0.04 * noise(rng, points, 6)
    return mix(ground, ink, 0.85 * pattern) * weave[:, None]


def tiles(rng: np.random.Generator) -> np.ndarray:
    """Return square tiles with joints."""
    points, side = _points(), rng.uniform(5, 15)
    shade = 1 + 0.05 * noise(rng, (points // side) * 5, 3)
    joint = ((points % side) < 0.35).any(1)
    return mix(pick(rng, "#e8e6e0", "#7fa0a8", "#b0623e", "#39424e") * shade[:, None], paint("#8d8a84"), joint)


def laminate(rng: np.random.Generator) -> np.ndarray:
    """Return one colour, as of a painted or plastic table."""
    colour = pick(rng, "#f0eee8", "#2b2b2e", "#c03a32", "#2f5f8f", "#4f7f5a", "#d8c09a", "#e3b23a", "#707478")
    return colour * np.exp(0.03 * noise(rng, _points(), 12))[:, None]


def steel(rng: np.random.Generator) -> np.ndarray:
    """Return brushed steel."""
    brushed = noise(rng, _points() * [0.02, 1], 0.6)
    return vary(rng, paint("#9a9c9e")) * np.exp(0.06 * brushed)[:, None]


TABLES: dict[str, tuple[Callable[[np.random.Generator], np.ndarray], float]] = {
    "wood": (wood, 0.5),
    "stone": (stone, 0.25),
    "cloth": (cloth, 0.9),
    "tiles": (tiles, 0.3),
    "laminate": (laminate, 0.4),
    "steel": (steel, 0.3),
}
"""Each kind of table: how to draw it, and how rough it is."""


def draw_table(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Return the picture (SIDE, SIDE, 3) of a kind of table."""
    return np.clip(TABLES[kind][0](rng), 0, 0.95).reshape(SIDE, SIDE, 3)


def backdrop(rng: np.random.Generator) -> np.ndarray:
    """Return the picture of a wall with things before it, too far away to be sharp."""
    points = _points()
    first, second, third = (
        pick(rng, "#d8d2c6", "#6b7a5a", "#40464e", "#a88a6a", "#8fa0b0", "#5a3c30") for _ in range(3)
    )
    return ramp(0.5 + 0.3 * noise(rng, points, 20, 2), first, second, third).reshape(SIDE, SIDE, 3)
