"""Colours in linear light, one per vertex: mixing, ramps, noise in space, and how dough bakes."""

from __future__ import annotations

import numpy as np

from tools.kitchen.shapes import Mesh

WAVES = 14  # sine waves in one octave of noise


def paint(code: str) -> np.ndarray:
    """Return the linear red, green and blue, shape (3,), of a colour as web pages write it.

    Examples
    --------
    >>> paint("#ff0080").round(3).tolist()
    [1.0, 0.0, 0.22]
    """
    return np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]) ** 2.2


def vary(rng: np.random.Generator, colour: np.ndarray, amount: float = 0.12) -> np.ndarray:
    """Return a colour a little lighter or darker, and a little off in each channel."""
    return np.clip(colour * np.exp(rng.normal(0, amount) + rng.normal(0, amount / 3, 3)), 0, 0.95)


def pick(rng: np.random.Generator, *codes: str) -> np.ndarray:
    """Return one of some colours, varied."""
    return vary(rng, paint(codes[rng.integers(len(codes))]))


def mix(a: np.ndarray, b: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """Return `a` where the share is 0, `b` where it is 1, and what lies between; shape (n, 3)."""
    share = np.clip(np.reshape(share, (-1, 1)), 0, 1)
    return a * (1 - share) + b * share


def step(values: np.ndarray, start: float, end: float) -> np.ndarray:
    """Return values mapped smoothly to 0 at `start` and below, 1 at `end` and above."""
    t = np.clip((values - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def ramp(values: np.ndarray, *colours: np.ndarray) -> np.ndarray:
    """Return colours (n, 3) from the first at value 0 to the last at value 1."""
    stops = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(values, stops, np.array(colours)[:, channel]) for channel in range(3)], 1)


def noise(rng: np.random.Generator, points: np.ndarray, size: float, octaves: int = 3) -> np.ndarray:
    """Return smooth random values (n,) at points (n, d), of mean 0 and standard deviation about 1.

    Each octave is a sum of sine waves in random directions, half as large and half as strong as the one before. `size`
    is the size of the largest spots, in the unit of the points.
    """
    points = points.astype(np.float32)  # NumPy's cosine is several times as fast in single precision
    total = np.zeros(len(points), np.float32)
    for octave in range(octaves):
        waves = np.float32(rng.normal(size=(points.shape[1], WAVES)) * 2**octave * 2 / size)
        total += 0.5**octave * np.cos(points @ waves + np.float32(rng.uniform(0, 2 * np.pi, WAVES))).sum(1)
    return total * np.sqrt(2 / WAVES / sum(0.25**octave for octave in range(octaves)))


def crust(rng: np.random.Generator, mesh: Mesh, bake: float, size: float = 2) -> np.ndarray:
    """Return the colours of baked dough: browner where it faces up, paler where it faces down.

    `bake` goes from 0, barely baked, to 1, nearly burnt. `size` is the size of the spots, in cm.
    """
    heat = 0.75 * bake + 0.22 * mesh.normals[:, 2] + 0.05 * noise(rng, mesh.vertices, size)
    shades = [paint(code) for code in ("#f3dcae", "#e3b069", "#c07c35", "#8a4a1c", "#4f2810")]
    return vary(rng, np.ones(3), 0.06) * ramp(heat, *shades)


def browned(rng: np.random.Generator, mesh: Mesh, amount: float = 0.08, size: float = 0.8) -> np.ndarray:
    """Return factors (n, 1), about 1, that make a flat colour uneven."""
    return np.exp(amount * noise(rng, mesh.vertices, size))[:, None]
