"""Foods that need no baking."""

from __future__ import annotations

import numpy as np

from tools.kitchen import garnish
from tools.kitchen.colours import mix, noise, paint, pick, ramp, step, vary
from tools.kitchen.parts import Dish, Part, in_ring, truths
from tools.kitchen.shapes import along, arc, ball, circle, lathe, slab, sweep, wavy

Rng = np.random.Generator


def one_egg(rng: Rng, peppered: bool) -> list[Part]:
    """Return a fried egg: the white flat, browned at its edge, and a round yolk on it."""
    radius = rng.uniform(4.6, 5.6)
    outline = wavy(rng, 0.09, 9, 96)
    white = lathe(slab(radius, 0.5, 40), 96, outline)
    share = np.hypot(*white.vertices[:, :2].T) / (radius * np.tile(outline, len(white.vertices) // 96))
    blisters = 0.1 * noise(rng, white.vertices, 1.2) * (0.3 + share)
    white = white.raised((white.vertices[:, 2] > 0.25) * (blisters + 0.45 * np.exp(-((share / 0.5) ** 2))))
    crisp = rng.uniform(0.2, 1) * step(share + 0.06 * noise(rng, white.vertices, 0.8), 0.86, 1.04)
    colours = ramp(crisp, *map(paint, ("#f6f2e6", "#d9aa66", "#a8702e", "#5e3312")))
    x, y = rng.normal(0, 0.5, 2)
    yolk_radius = rng.uniform(1.7, 2.1)
    yolk = ball(1, 40).scaled(yolk_radius, yolk_radius, rng.uniform(0.75, 1.2)).moved(x, y, 0.75)
    parts = [Part(white, colours, 0.3), Part(yolk, pick(rng, "#f2a516", "#f5b92a", "#e8860e"), 0.15)]
    if peppered:
        parts.append(garnish.bits(rng, white, 60, 0.16, paint("#2a2018")))
    return parts


def fried_egg(rng: Rng) -> Dish:
    """Return one to three fried eggs, sunny side up."""
    number = rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1])
    peppered, greens = rng.random() < 0.4, rng.random() < 0.2
    parts = in_ring(rng, [one_egg(rng, peppered) for _ in range(number)], -1.2)
    if greens:
        side = garnish.leaf(rng, arc(7, 60), 1.8)
        parts.append(side.moved(y=-5.5, z=0.5))
    return Dish(parts, truths(several=number > 1, greens=greens))


def one_banana(rng: Rng, length: float, bend: float, ripe: float) -> list[Part]:
    """Return a banana along x, its stem at the left."""
    path, sides = arc(length, bend, 160), 40
    share = along(path) / along(path)[-1]
    angles = 2 * np.pi * np.arange(sides) / sides
    section = circle(sides) * (1 + 0.06 * np.cos(5 * angles))[:, None]
    body = np.sin(np.pi * np.clip((share - 0.1) / 0.93, 0.001, 0.999)) ** 0.45
    tip = np.sqrt(1 - np.clip((share - 0.985) / 0.015, 0, 1) ** 2) + 1e-3
    thick = np.maximum(rng.uniform(1.6, 1.9) * body * (share > 0.1), np.where(share < 0.5, 0.42, 0.35) * tip)
    mesh = sweep(path, section, np.convolve(np.pad(thick, 4, "edge"), np.ones(9) / 9, "valid"))
    s = np.repeat(share, sides)
    skin = ramp(ripe + 0.08 * noise(rng, mesh.vertices, 5), *map(paint, ("#8fae3a", "#f0d23c", "#f2c62a", "#c9922a")))
    ends = step(-s, -0.24, -0.1) + step(s, 0.88, 0.98)
    skin = mix(skin, paint("#9aa83e"), 0.7 * ends * (ripe < 0.75))
    spots = noise(rng, mesh.vertices, 0.7, 2) + 0.8 * noise(rng, mesh.vertices, 4)
    skin = mix(skin, paint("#5b3a16"), 0.85 * step(spots + 2.6 * ripe, 3.4, 4))
    ridges = np.tile(0.15 * (np.cos(5 * angles) > 0.9), len(share))
    skin = mix(mix(skin, paint("#8a6a1e"), ridges), paint("#2e2012"), step(s, 0.975, 0.985) + step(-s, -0.02, -0.01))
    return [Part(mesh, vary(rng, np.ones(3), 0.05) * skin, 0.45)]


def banana(rng: Rng) -> Dish:
    """Return a banana, or a bunch that hangs together at the stems."""
    number = rng.choice([1, 2, 3, 4], p=[0.4, 0.2, 0.25, 0.15])
    length, bend, ripe = rng.uniform(15, 19), rng.uniform(45, 95), rng.uniform(0.15, 0.9)
    parts: list[Part] = []
    for i in range(number):
        one = one_banana(rng, length * rng.uniform(0.94, 1.04), bend + rng.normal(0, 5), ripe)
        stem, fan = one[0].mesh.vertices[:40].mean(0), 13 * i + rng.normal(0, 2)
        parts += [part.moved(*-stem).turned(fan).moved(z=0.25 * i) for part in one]
    return Dish(parts, truths(several=number > 1))
