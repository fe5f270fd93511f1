"""Foods baked in one piece."""

from __future__ import annotations

import numpy as np

from tools.kitchen.colours import browned, crust, mix, noise, paint, pick, ramp, step
from tools.kitchen.parts import Dish, Part, in_ring, in_row, truths
from tools.kitchen.shapes import along, arc, box, circle, lathe, ring, rounded, slab, strew, sweep, tube, wavy

Rng = np.random.Generator
SPRINKLES = ("#e8453c", "#f7d038", "#4aa3df", "#f4f4f0", "#6cbf4b", "#ee7fb4")


def pizza(rng: Rng) -> Dish:
    """Return a pizza, whole, without a slice or two, or a slice of one."""
    radius, sides = 14, 192
    angle = np.arange(sides) * 360 / sides
    kept = rng.choice([360, 315, 270, 180, 45], p=[0.45, 0.15, 0.1, 0.1, 0.2])
    disc = lathe(slab(radius, 0.7, 50), sides, wavy(rng, 0.012, 9, sides) * (angle <= kept))
    x, y = disc.vertices[:, :2].T
    share = np.hypot(x, y) / radius
    rim = step(share, 0.84, 0.9)
    top = disc.vertices[:, 2] > 0.3
    mesh = disc.raised((0.9 * rim + 0.06 * noise(rng, disc.vertices, 1.5)) * top)
    melted = ramp(0.5 + 0.3 * noise(rng, disc.vertices, 3), paint("#b8391a"), paint("#e2a046"), paint("#f3d68a"))
    cuts = np.abs((np.degrees(np.arctan2(y, x)) + 22.5) % 45 - 22.5) * share < 0.7
    burnt = 0.6 * (cuts & (share > 0.1)) + 0.5 * step(noise(rng, disc.vertices, 1), 1, 2)
    melted = mix(melted, paint("#8a5526"), burnt)
    colours = mix(melted, crust(rng, mesh, rng.uniform(0.3, 0.75)), np.where(top, rim, 1))
    parts = [Part(mesh, colours, 0.4)]
    meat, greens, olives = rng.random() < 0.65, rng.random() < 0.5, rng.random() < 0.35
    toppings = [pepperoni] * 26 * meat + [basil] * 14 * greens + [olive] * 22 * olives
    taken: list[np.ndarray] = []
    laid = set()
    for topping in toppings:
        r, direction = radius * 0.76 * np.sqrt(rng.random()), np.radians(rng.uniform(0, kept))
        place = np.array([r * np.cos(direction), r * np.sin(direction)])
        on_the_edge = kept < 360 and r * min(direction, np.radians(kept) - direction) < 1.2
        if not on_the_edge and all(np.linalg.norm(place - other) > 1.9 for other in taken):
            taken.append(place)
            laid.add(topping)
            parts += [part.moved(place[0], place[1], 0.68) for part in topping(rng)]
    return Dish(parts, truths(meat=pepperoni in laid, greens=basil in laid))


def pepperoni(rng: Rng) -> list[Part]:
    """Return a slice of pepperoni, its rim curled and dark."""
    mesh = lathe(slab(rng.uniform(1.3, 1.5), 0.25), 40, wavy(rng, 0.03, sides=40))
    share = np.hypot(*mesh.vertices[:, :2].T) / 1.4
    colours = mix(paint("#b02c18") * browned(rng, mesh, 0.25, 0.4), paint("#5f140a"), step(share, 0.75, 1))
    return [Part(mesh.raised(0.12 * share**3), colours, 0.55)]


def basil(rng: Rng) -> list[Part]:
    """Return a leaf of basil."""
    mesh = lathe(slab(1, 0.1), 32).scaled(1.4, 0.8, 1).turned(rng.uniform(0, 360))
    return [Part(mesh.raised(0.12 * (mesh.vertices[:, 0] ** 2)), pick(rng, "#2f6b1e", "#41802a"), 0.4)]


def olive(rng: Rng) -> list[Part]:
    """Return a ring of an olive."""
    mesh = sweep(ring(0.55, 20), circle(10, 0.22, 0.2), closed=True)
    return [Part(mesh.moved(z=0.15), pick(rng, "#1c1618", "#4b5a1e"), 0.25)]


def one_doughnut(rng: Rng, icing: np.ndarray | None, sprinkled: bool) -> list[Part]:
    """Return a ring of dough, iced or sugared."""
    dough = sweep(ring(rng.uniform(2.7, 3.1)), circle(40, 1.75, 1.4), closed=True)
    dough = dough.swollen(0.05 * noise(rng, dough.vertices, 3))
    pale = np.exp(-((dough.vertices[:, 2] / 0.35) ** 2))
    colours = mix(crust(rng, dough, rng.uniform(0.5, 0.8)), paint("#f0d49a"), 0.7 * pale)
    if icing is None:
        sugar = step(noise(rng, dough.vertices, 0.4) + dough.normals[:, 2], 0, 1.5)
        return [Part(dough, mix(colours, paint("#f4efe6"), 0.75 * sugar), 0.8)]
    edge = dough.vertices[:, 2] - 0.25 - 0.22 * noise(rng, dough.vertices, 2.5, 2)
    glaze = dough.swollen(np.where(edge > 0, 0.13, -0.3))
    parts = [Part(dough, colours, 0.6), Part(glaze, icing, 0.15)]
    if sprinkled:
        grain = tube(arc(0.75, number=8), 0.11, 8).moved(z=0.08)
        for code in SPRINKLES:
            on_top = (glaze.normals[:, 2] > 0.45) & (edge > 0)
            parts.append(Part(strew(rng, grain, glaze, 14, on_top), paint(code), 0.4))
    return parts


def doughnut(rng: Rng) -> Dish:
    """Return one to four doughnuts with icing or sugar, some with sprinkles."""
    number = rng.choice([1, 2, 3, 4], p=[0.55, 0.2, 0.15, 0.1])
    items = []
    for _ in range(number):
        iced = rng.random() < 0.85
        icing = pick(rng, "#ef8fb5", "#4a2412", "#f4ead6", "#c9823a", "#6b3418", "#a8c8e8") if iced else None
        items.append(one_doughnut(rng, icing, rng.random() < 0.55))
    return Dish(in_ring(rng, items), truths(several=number > 1))


def pretzel(rng: Rng) -> Dish:
    """Return one or two soft pretzels with salt."""
    number = rng.choice([1, 2], p=[0.8, 0.2])
    return Dish(in_row(rng, [one_pretzel(rng) for _ in range(number)]), truths(several=number > 1))


def one_pretzel(rng: Rng) -> list[Part]:
    """Return a rope of dough whose ends cross and come to lie on its belly."""
    x = [-2.3, -1.7, -0.4, 0.9, 2.2, 4.4, 5.0, 4.3, 2.6, 0]
    y = [-3.3, -2.2, -0.5, 1.0, 3.4, 3.5, 1.2, -1.6, -3.6, -4.2]
    half = np.stack([x, y, [1.5, 1.1, 0.9, 0.3, 0, 0, 0, 0, 0, 0]], 1)
    other = (half * [-1, 1, 1])[-2::-1] - np.outer([0, 0, 0, 0, 0, 0.3, 0.9, 0, 0], [0, 0, 1])
    path = rounded(np.concatenate([half, other]) * rng.uniform(0.9, 1.1, 3))
    share = along(path) / along(path)[-1]
    belly = np.exp(-(((share - 0.5) / 0.13) ** 2))
    thick = rng.uniform(0.6, 0.72) * (1 + rng.uniform(0.4, 0.8) * belly)
    thick = thick * np.sqrt(1 - (1 - np.clip(np.minimum(share, 1 - share) / 0.02, 0, 1)) ** 2) + 1e-4
    mesh = sweep(path, circle(28), thick)
    colours = crust(rng, mesh, rng.uniform(0.7, 1.05), 1.5)
    if rng.random() < 0.5:
        facing = np.repeat(belly, 28) * step(mesh.normals[:, 2], 0.8, 0.9)
        colours = mix(colours, paint("#eccf95"), step(facing + 0.08 * noise(rng, mesh.vertices, 0.5), 0.45, 0.6))
    salt = strew(rng, box(0.26, 0.2, 0.2), mesh, int(rng.integers(25, 110)), mesh.normals[:, 2] > 0.4)
    return [Part(mesh, colours, rng.uniform(0.2, 0.4)), Part(salt, paint("#f4f2ee"), 0.4)]


def croissant(rng: Rng) -> Dish:
    """Return one to three croissants."""
    number = rng.choice([1, 2, 3], p=[0.65, 0.25, 0.1])
    return Dish(in_row(rng, [one_croissant(rng) for _ in range(number)]), truths(several=number > 1))


def one_croissant(rng: Rng) -> list[Part]:
    """Return a crescent of rolled-up dough: thick in the middle, with a ledge where each layer ends."""
    path, sides = arc(rng.uniform(13, 16), rng.uniform(40, 170), 220), 40
    share = along(path) / along(path)[-1]
    mesh = sweep(path, circle(sides, 1, 0.85), rng.uniform(2.4, 2.9) * np.sin(np.pi * (0.03 + 0.94 * share)) ** 0.75)
    around = np.tile(np.arange(sides) / sides, len(path))
    middle = np.abs(np.repeat(share, sides) - 0.5) * 2
    layers = 4 * middle**0.9 + 0.12 * np.sin(2 * np.pi * around + 1) + 0.05 * noise(rng, mesh.vertices, 2)
    ledge = 1 - layers % 1
    mesh = mesh.swollen(0.42 * (ledge - 0.5) * (1 - 0.6 * middle) + 0.03 * noise(rng, mesh.vertices, 0.6))
    baked = crust(rng, mesh, rng.uniform(0.45, 0.9), 1.2)
    streaks = np.cos(2 * np.pi * (5 * layers + 0.3 * noise(rng, mesh.vertices, 1)))
    colours = mix(baked, paint("#eec883"), 0.75 * step(-ledge, -0.3, -0.05) + 0.18 * step(streaks, 0.2, 1))
    return [Part(mesh.flattened(-1.7), colours, rng.uniform(0.3, 0.5))]
