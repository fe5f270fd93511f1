"""What goes into or onto several foods: sausages, sauces, leaves, slices, grains."""

from __future__ import annotations

import numpy as np

from tools.kitchen.colours import browned, mix, noise, paint, pick, step
from tools.kitchen.parts import Part
from tools.kitchen.shapes import (
    Mesh,
    along,
    arc,
    ball,
    box,
    circle,
    join,
    lathe,
    slab,
    square,
    strew,
    sweep,
    tube,
    wavy,
)

SAUCES = {"mustard": "#e0ac10", "ketchup": "#a81408", "mayonnaise": "#efe6c4"}


def sausage(rng: np.random.Generator, length: float, radius: float, bend: float) -> Part:
    """Return a sausage along x about the origin: glossy, fried or grilled, some with stripes of the grill."""
    path = arc(length, bend)
    mesh = tube(path, radius)
    tips = join([ball(0.22 * radius).scaled(1.6, 1, 1).moved(*end) for end in path[[0, -1]]])
    mesh = join([mesh.swollen(0.02 * noise(rng, mesh.vertices, 2)), tips])
    colour = pick(rng, "#b5532e", "#a3402a", "#c26a45", "#8f4526", "#7c3219", "#cf8160")
    fried = step(noise(rng, mesh.vertices, 3) + 0.8 * mesh.normals[:, 2], 0.6, 2.6)
    colours = mix(colour * browned(rng, mesh), 0.3 * colour, rng.uniform(0, 0.9) * fried)
    if rng.random() < 0.4:
        slant, spacing = rng.uniform(-0.8, 0.8), rng.uniform(1.3, 2.2)
        stripes = np.cos(2 * np.pi / spacing * (mesh.vertices @ [1, slant, 0]))
        colours = mix(colours, paint("#2a120a"), 0.85 * step(stripes, 0.5, 0.9) * (mesh.normals[:, 2] > 0))
    return Part(mesh, colours, rng.uniform(0.2, 0.45))


def line_of_sauce(rng: np.random.Generator, sauce: str, length: float, bend: float, radius: float) -> Part:
    """Return sauce squeezed in waves, or straight, onto the top of a round thing along x whose axis is at z = 0."""
    path = arc(length, bend, 300)
    width = rng.choice([0.15, 0.6, 0.75]) * radius
    sideways = width * np.sin(along(path) * 2 * np.pi / rng.uniform(1.4, 2.6)) + 0.1 * noise(rng, path, 3)
    thickness = rng.uniform(0.2, 0.34)
    height = np.sqrt(np.maximum(radius**2 - sideways**2, 0)) + 0.4 * thickness
    mesh = tube(path + np.stack([0 * height, sideways, height], 1), thickness, 12)
    return Part(mesh, pick(rng, SAUCES[sauce]), 0.25)


def pool(rng: np.random.Generator, sauce: str, radius: float) -> Part:
    """Return a pool of sauce on z = 0."""
    mesh = lathe(slab(radius, 0.3), outline=wavy(rng, 0.12))
    heights = 0.08 * noise(rng, mesh.vertices, radius) * (mesh.normals[:, 2] > 0.5)
    return Part(mesh.raised(heights), pick(rng, SAUCES[sauce]), 0.2)


def chili(rng: np.random.Generator, surface: Mesh) -> Part:
    """Return minced meat in a thick sauce, heaped on a surface."""
    mesh = surface.swollen(0.12 + 0.12 * noise(rng, surface.vertices, 1))
    return Part(mesh, pick(rng, "#7a2f14", "#8a4018") * browned(rng, mesh, 0.35, 0.5), 0.35)


def leaf(rng: np.random.Generator, path: np.ndarray, width: float, ruffle: float = 0.5) -> Part:
    """Return a leaf of lettuce that lies along a path, `width` to either side, its edges ruffled."""
    section = circle(24, width, 0.05)
    mesh = sweep(path, section)
    across = np.tile(section[:, 0] / width, len(path))
    s = np.repeat(along(path), len(section))
    waves = np.sin(2 * np.pi * s / 1.9 + noise(rng, mesh.vertices, 3) + np.sign(across))
    mesh = mesh.raised(ruffle * across**2 * waves)
    colour = pick(rng, "#6f9c2e", "#86ad3c", "#547f26")
    return Part(mesh, mix(paint("#d3dc93"), colour, across**2 + 0.25 * noise(rng, mesh.vertices, 1)), 0.5)


def tomato(rng: np.random.Generator, radius: float) -> Part:
    """Return a slice of tomato on z = 0."""
    mesh = lathe(slab(radius, 0.5), outline=wavy(rng, 0.02))
    x, y = mesh.vertices[:, :2].T
    share = np.hypot(x, y) / radius
    chambers = step(np.cos(6 * np.arctan2(y, x)), -0.2, 0.3) * step(share, 0.3, 0.4) * step(-share, -0.85, -0.75)
    colours = mix(pick(rng, "#c23a22", "#d04a30"), paint("#d9853c"), 0.7 * chambers)
    return Part(mesh, mix(colours, paint("#a81c10"), step(share, 0.85, 0.95)), 0.25)


def cheese(rng: np.random.Generator, side: float, droop_from: float) -> Part:
    """Return a square slice of cheese on z = 0 that droops where it is farther from the axis than `droop_from`."""
    mesh = lathe(slab(side / 2, 0.25, 20), 96, square(96, 14)).turned(rng.uniform(0, 90))
    over = np.maximum(np.hypot(*mesh.vertices[:, :2].T) - droop_from, 0)
    return Part(mesh.raised(-0.8 * over), pick(rng, "#e8a020", "#f0b838", "#f2cf6a"), 0.35)


def ham(rng: np.random.Generator, path: np.ndarray, width: float) -> Part:
    """Return a folded slice of ham that lies along a path."""
    slice_of_ham = leaf(rng, path, width, 0.35).mesh
    colour = pick(rng, "#d98a80", "#c9746a", "#b0524a")
    return Part(slice_of_ham, colour * browned(rng, slice_of_ham, 0.12), 0.4)


def bits(rng: np.random.Generator, surface: Mesh, number: int, size: float, colour: np.ndarray) -> Part:
    """Return chopped bits strewn on what of a surface faces up."""
    grain = box(size, size * rng.uniform(0.4, 1), size * rng.uniform(0.3, 0.8)).moved(z=0.2 * size)
    return Part(strew(rng, grain, surface, number, surface.normals[:, 2] > 0.35), colour, 0.4)


def shreds(rng: np.random.Generator, surface: Mesh, number: int, colour: np.ndarray) -> Part:
    """Return shredded cheese strewn on what of a surface faces up."""
    shred = sweep(arc(1.6, 60, 8), circle(6, 0.09, 0.09)).moved(z=0.1)
    return Part(strew(rng, shred, surface, number, surface.normals[:, 2] > 0.35), colour, 0.45)


def seeds(rng: np.random.Generator, surface: Mesh, number: int) -> Part:
    """Return sesame seeds on what of a surface faces up."""
    grain = ball(1, 8).scaled(0.24, 0.14, 0.08)
    return Part(strew(rng, grain, surface, number, surface.normals[:, 2] > 0.3), pick(rng, "#f3e3b4"), 0.5)
