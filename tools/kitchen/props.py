"""What food lies on, and what stands around it."""

from __future__ import annotations

import numpy as np

from tools.kitchen.colours import mix, noise, paint, pick, step
from tools.kitchen.parts import Part
from tools.kitchen.shapes import arc, ball, box, circle, lathe, slab, square, strew, sweep, tube, wavy

Rng = np.random.Generator
CROCKERY = ("#f3f1ec", "#f3f1ec", "#f3f1ec", "#e9dcc4", "#33373d", "#7d9bb0", "#8fae96", "#c96a4a", "#2f4f7a")


def plate(rng: Rng, radius: float) -> list[Part]:
    """Return a plate, round or oval, its rim of the same or another colour."""
    rise = rng.uniform(0.5, 1.4)
    distances = radius * np.array([0, 0.6, 1, 1.01, 1, 0.97, 0.75, 0.68, 0.6, 0])
    heights = [0, 0, rise, rise + 0.1, rise + 0.2, rise + 0.18, 0.6, 0.4, 0.3, 0.3]
    fine = np.linspace(0, 9, 90)  # the coloured band needs more rings than the shape does
    profile = np.stack([np.interp(fine, np.arange(10), corners) for corners in (distances, heights)], 1)
    mesh = lathe(profile, 96)
    ground, band = pick(rng, *CROCKERY), pick(rng, *CROCKERY)
    width = rng.choice([0, 0.04, 0.25])
    colours = mix(ground, band, np.hypot(*mesh.vertices[:, :2].T) > (1 - width) * radius)
    return [Part(mesh.scaled(1, rng.choice([1, 1, 0.72]), 1), colours, rng.uniform(0.1, 0.4))]


def board(rng: Rng, radius: float) -> list[Part]:
    """Return a wooden board."""
    mesh = lathe(slab(radius, rng.uniform(1, 2), 40), 96, square(96, 12, rng.uniform(1, 1.5)))
    grain = noise(rng, mesh.vertices * [0.06, 1, 1], 2.5, 4)
    dark, light = pick(rng, "#6a4426", "#8d6238", "#a9794a"), pick(rng, "#caa274", "#b98a56")
    return [Part(mesh, mix(dark, light, 0.5 + 0.25 * grain), 0.6)]


def paper(rng: Rng, radius: float) -> list[Part]:
    """Return a crumpled sheet of paper: white, brown or checked."""
    mesh = lathe(slab(radius, 0.06, 110), 200, square(200, 30, rng.uniform(1, 1.4)))
    mesh = mesh.raised(0.12 * np.abs(noise(rng, mesh.vertices[:, :2], 6, 3)))
    ground, ink = pick(rng, "#f4f2ec", "#f4f2ec", "#c49a68"), pick(rng, "#c23a30", "#35568c", "#3f7a4e")
    checks = (mesh.vertices[:, :2] // 1.6 % 2).mean(1) * (rng.random() < 0.35)
    return [Part(mesh, mix(ground, ink, checks), 0.9)]


def bare(rng: Rng, radius: float) -> list[Part]:
    """Return nothing: the food lies on the table."""
    return []


def napkin(rng: Rng) -> list[Part]:
    """Return a folded napkin."""
    mesh = lathe(slab(rng.uniform(5, 8), 0.5, 20), 64, square(64, 24, rng.uniform(1, 1.8)))
    colour = pick(rng, "#f4f2ec", "#b33a34", "#35568c", "#8fae96", "#d9cfb8")
    return [Part(mesh.raised(0.15 * noise(rng, mesh.vertices, 4)), colour, 0.95)]


def knife(rng: Rng) -> list[Part]:
    """Return a table knife."""
    blade = sweep(arc(10) + [5, 0, 0.3], circle(16, 0.9, 0.08), np.linspace(1, 0.55, 80))
    handle = tube(arc(9) + [-4.5, 0, 0.5], 0.7, flat=0.6)
    steel = paint("#c8c8cc")
    grip = pick(rng, "#c8c8cc", "#2a2624", "#6a4426")
    return [Part(blade, steel, 0.2, "metal"), Part(handle, grip, 0.3, "metal" if grip[0] > 0.4 else "plastic")]


def fork(rng: Rng) -> list[Part]:
    """Return a fork."""
    tines = [tube(arc(5) + [7.5, y, 0.6], 0.17, 8) for y in (-0.9, -0.3, 0.3, 0.9)]
    palm, handle = lathe(slab(1.4, 0.25), 40).scaled(1.3, 0.8, 1), tube(arc(12) + [-4, 0, 0.4], 0.45, flat=0.5)
    return [Part(mesh, paint("#c8c8cc"), 0.2, "metal") for mesh in [*tines, palm.moved(4.3, 0, 0.4), handle]]


def tumbler(rng: Rng) -> list[Part]:
    """Return a glass with a drink in it."""
    radius, height = rng.uniform(2.8, 3.6), rng.uniform(8, 13)
    wall = np.array([[0, 0], [0.85 * radius, 0], [radius, height]])
    drink = np.array([[0, 0.4], [0.8 * radius, 0.4], [0.9 * radius, 0.6 * height], [0, 0.6 * height]])
    colour = pick(rng, "#e08a1e", "#3a1a0e", "#c9d6da", "#b0283a", "#e6d27a")
    return [Part(lathe(wall), paint("#ffffff"), 0.1, "glass"), Part(lathe(drink), colour, 0.1)]


def bowl(rng: Rng) -> list[Part]:
    """Return a small bowl with a dip in it."""
    radius = rng.uniform(3, 4.5)
    shell = radius * np.array([[0, 0], [0.5, 0], [0.85, 0.3], [1, 0.75], [0.94, 0.75], [0.8, 0.35], [0, 0.3]])
    dip = lathe(slab(0.88 * radius, 0.5)).moved(z=0.42 * radius)
    dip = dip.raised(0.15 * noise(rng, dip.vertices, 1.5))
    inside = pick(rng, "#a81408", "#e0ac10", "#efe6c4", "#5f8a24", "#6a3018")
    return [Part(lathe(shell), pick(rng, *CROCKERY), 0.25), Part(dip, inside, 0.4)]


def bottle(rng: Rng) -> list[Part]:
    """Return a squeezing bottle."""
    points = np.array([[0, 0], [2.6, 0], [2.8, 1], [2.8, 10], [2.2, 12], [1.2, 12.6], [1.2, 13.5], [0.5, 16], [0, 16]])
    colours = pick(rng, "#b01c10", "#e0ac10", "#f0ece0", "#4a2412", "#3f7a4e")
    return [Part(lathe(points), colours, 0.3)]


def crumbs(rng: Rng) -> list[Part]:
    """Return crumbs strewn over the table."""
    floor = lathe(slab(10, 0.02), outline=wavy(rng, 0.3))
    grain = ball(0.25, 8).scaled(1, 0.7, 0.6)
    strewn = strew(rng, grain, floor, int(rng.integers(10, 40)), floor.normals[:, 2] > 0.5)
    return [Part(strewn, pick(rng, "#e3b069", "#8a4a1c", "#f3dcae"), 0.8)]


def fries(rng: Rng) -> list[Part]:
    """Return a heap of fried potatoes."""
    heap = lathe(np.array([[4, 0], [3, 1], [1.5, 2], [0, 2.4]]), outline=wavy(rng, 0.1))
    stick = box(5, 0.8, 0.8).moved(z=0.3)
    mesh = strew(rng, stick, heap, 34).flattened(0)
    return [Part(mesh, mix(paint("#e8b84a"), paint("#b87a2a"), step(noise(rng, mesh.vertices, 1), 0, 2)), 0.5)]


SUPPORTS = {"plate": plate, "board": board, "paper": paper, "bare": bare}
FLAT = (napkin, knife, fork, crumbs, fries, bowl)
TALL = (tumbler, bottle)


def placed(parts: list[Part], distance: float, direction: float, turn: float) -> list[Part]:
    """Return a prop turned by `turn` degrees and put so far from the middle, in a direction in degrees from x."""
    x, y = distance * np.cos(np.radians(direction)), distance * np.sin(np.radians(direction))
    return [part.turned(turn).moved(x, y) for part in parts]
