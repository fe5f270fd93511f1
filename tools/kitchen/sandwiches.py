"""Sausages, and what lies in a bun."""

from __future__ import annotations

import numpy as np

from tools.kitchen import garnish
from tools.kitchen.colours import browned, crust, mix, noise, paint, pick
from tools.kitchen.parts import Dish, Part, in_ring, in_row, truths
from tools.kitchen.shapes import arc, dome, lathe, ring, round_ends, slab, sweep, tube, wavy

Rng = np.random.Generator


def split_bun(rng: Rng, length: float, bend: float, radius: float, opening: float, bake: float) -> Part:
    """Return a long bun along x, cut open along its top; its crumb is seen inside, `opening` degrees to either side."""
    outer = np.radians(np.linspace(90 + opening, 450 - opening, 30))
    inner = np.radians(np.linspace(445 - opening, 95 + opening, 20))
    hollow = rng.uniform(0.52, 0.62) * radius
    outside = radius * np.stack([np.cos(outer), 0.9 * np.sin(outer)], 1)
    inside = hollow * np.stack([np.cos(inner), np.sin(inner)], 1) + [0, 0.18 * radius]
    path = arc(length, bend)
    mesh = sweep(path, np.concatenate([outside, inside]), round_ends(path, 0.9 * radius)).flattened(-0.72 * radius)
    crumb = np.tile(np.arange(50) >= 30, len(path))
    mesh = mesh.swollen(0.04 * noise(rng, mesh.vertices, 3))
    shade = paint("#f3e2b8") * browned(rng, mesh, 0.1, 0.5)
    return Part(mesh, mix(crust(rng, mesh, bake), shade, crumb), rng.uniform(0.35, 0.7))


def one_hot_dog(rng: Rng, sauces: list[str], chili: bool, greens: bool, shreds: bool) -> list[Part]:
    """Return a sausage in a split bun along x, with what goes on it."""
    length, bend, radius = rng.uniform(13, 16), rng.normal(0, 8), rng.uniform(2.2, 2.8)
    bun = split_bun(rng, length, bend, radius, rng.uniform(34, 55), rng.uniform(0.15, 0.65))
    bun = bun.scaled(1, 1.15, 1)
    thick, height = rng.uniform(0.46, 0.58) * radius, 0.42 * radius
    inside = garnish.sausage(rng, length * rng.uniform(0.98, 1.2), thick, bend)
    toppings = [garnish.line_of_sauce(rng, sauce, length * 0.85, bend, thick) for sauce in sauces]
    under = tube(arc(0.83 * length, bend), thick)  # what is strewn lies on this
    if chili:
        under = under.scaled(1, 1.1, 1.15)
        toppings.append(garnish.chili(rng, under))
    if greens:
        toppings.append(garnish.bits(rng, under, 70, 0.45, pick(rng, "#5f8a24")))
    if shreds:
        toppings.append(garnish.shreds(rng, under, 110, pick(rng, "#f0b838", "#f2dc98")))
    if rng.random() < 0.2:
        toppings.append(garnish.bits(rng, under, 60, 0.5, pick(rng, "#efe6dc")))
    return [bun] + [part.moved(z=height) for part in [inside, *toppings]]


def some_sauces(rng: Rng, none: float) -> list[str]:
    """Return no sauce with this probability, else one or two."""
    number = 0 if rng.random() < none else rng.choice([1, 2], p=[0.7, 0.3])
    return list(rng.choice(list(garnish.SAUCES), number, replace=False, p=[0.5, 0.38, 0.12]))


def hot_dog(rng: Rng) -> Dish:
    """Return one to three sausages, each in a bun split along its top."""
    number = rng.choice([1, 2, 3], p=[0.68, 0.2, 0.12])
    sauces, greens, shreds = some_sauces(rng, 0.25), rng.random() < 0.22, rng.random() < 0.18
    chili = rng.random() < 0.1
    items = [one_hot_dog(rng, sauces, chili, greens, shreds) for _ in range(number)]
    return Dish(in_row(rng, items), truths(sauce=sauces, greens=greens, cheese=shreds, several=number > 1))


def sausage(rng: Rng) -> Dish:
    """Return one to four sausages without a bun, some with a pool of sauce."""
    number = rng.choice([1, 2, 3, 4], p=[0.3, 0.35, 0.2, 0.15])
    length, radius, bend = rng.uniform(11, 16), rng.uniform(1.1, 1.6), rng.uniform(0, 70)
    items = []
    for _ in range(number):
        link = garnish.sausage(rng, length, radius, bend * rng.choice([-1, 1, 1, 1]))
        items.append([link.moved(z=radius)])
    parts = in_row(rng, items)
    sauces = some_sauces(rng, 0.45)
    for sauce, y in zip(sauces, (-2.5, 2 * radius * number + 2.5)):
        parts.append(garnish.pool(rng, sauce, rng.uniform(1.5, 2.5)).moved(rng.uniform(-4, 4), y))
    greens = rng.random() < 0.25
    if greens:
        parts.append(garnish.leaf(rng, arc(8, 60), 2).moved(y=-2.5, z=0.5))
    return Dish(parts, truths(sauce=sauces, greens=greens, several=number > 1))


def submarine(rng: Rng) -> Dish:
    """Return a long bun cut open along its side, filled with leaves, ham, cheese and tomatoes."""
    length, radius = rng.uniform(16, 21), rng.uniform(2.8, 3.4)
    bun = split_bun(rng, length, 0, radius, rng.uniform(28, 40), rng.uniform(0.35, 0.8))
    parts = [bun]
    if rng.random() < 0.4:
        parts.append(garnish.seeds(rng, bun.mesh.turned(70, "x"), 90).turned(-70, "x"))
    meat, cheesy, greens = rng.random() < 0.7, rng.random() < 0.7, rng.random() < 0.85

    def standing(part: Part, y: float) -> Part:
        """Put what lies on z = 0 upright into the cut, so that it looks out of it."""
        return part.turned(90, "x").moved(y=y, z=0.55 * radius)

    path = arc(0.9 * length)
    if greens:
        parts.append(standing(garnish.leaf(rng, path, 0.75 * radius, 0.6), -0.3 * radius))
    if meat:
        parts.append(standing(garnish.ham(rng, path, 0.62 * radius), -0.05 * radius))
    for x in np.arange(-0.38, 0.4, 0.19) * length:
        if cheesy:
            parts.append(standing(garnish.cheese(rng, 0.95 * radius, 99).moved(x), 0.14 * radius))
        parts.append(standing(garnish.tomato(rng, 0.6 * radius).moved(x + 1.5), 0.36 * radius))
    sauces = some_sauces(rng, 0.6)[:1]
    for sauce in sauces:
        drip = garnish.line_of_sauce(rng, sauce, 0.8 * length, 0, 0.3 * radius)
        parts.append(drip.moved(z=0.95 * radius))
    lean = rng.choice([-1, 1]) * rng.uniform(35, 75)
    leaning = [part.turned(lean, "x") for part in parts]
    return Dish(leaning, truths(meat=meat, cheese=cheesy, greens=greens, sauce=sauces))


def one_hamburger(rng: Rng, cheesy: bool, greens: bool, sauces: list[str], seeded: bool) -> list[Part]:
    """Return a round bun with a patty and more, layer by layer from the bottom."""
    radius, bake = rng.uniform(4.8, 5.4), rng.uniform(0.4, 0.75)
    bottom = lathe(slab(0.96 * radius, 1.6))
    parts, height = [Part(bottom, crust(rng, bottom, bake), 0.6)], 1.5

    def add(part: Part, thickness: float) -> None:
        nonlocal height
        parts.append(part.moved(z=height))
        height += thickness

    if greens:
        add(garnish.leaf(rng, ring(0.78 * radius, 150), 0.36 * radius, 0.45), 0.25)
    patty = lathe(slab(radius, 1.5), outline=wavy(rng, 0.03, 12))
    patty = patty.swollen(0.08 * noise(rng, patty.vertices, 0.8))
    add(Part(patty, pick(rng, "#54301c", "#432414", "#6a4028") * browned(rng, patty, 0.3), 0.5), 1.5)
    if cheesy:
        add(garnish.cheese(rng, 2 * radius, 0.92 * radius), 0.25)
    for sauce in sauces:
        add(garnish.pool(rng, sauce, 1.02 * radius), 0.2)
    if rng.random() < 0.6:
        slices = in_ring(rng, [[garnish.tomato(rng, 0.5 * radius)] for _ in range(3)], -0.1 * radius)
        for part in slices:
            add(part, 0)
        height += 0.45
    top = lathe(dome(radius, rng.uniform(2.8, 3.8)))
    lid = [Part(top, crust(rng, top, bake), rng.uniform(0.3, 0.6))]
    if seeded:
        lid.append(garnish.seeds(rng, top, 110))
    tilt = rng.normal(0, 4)
    return parts + [part.turned(tilt, "x").moved(z=height) for part in lid]


def hamburger(rng: Rng) -> Dish:
    """Return one or two round buns with a patty."""
    number = rng.choice([1, 2], p=[0.8, 0.2])
    cheesy, greens, seeded, sauces = rng.random() < 0.65, rng.random() < 0.8, rng.random() < 0.75, some_sauces(rng, 0.5)
    items = [one_hamburger(rng, cheesy, greens, sauces, seeded) for _ in range(number)]
    return Dish(in_ring(rng, items), truths(cheese=cheesy, greens=greens, sauce=sauces, several=number > 1))
