"""Table, support, clutter, camera and light, drawn at random without a look at the food."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.kitchen import props
from tools.kitchen.colours import ramp
from tools.kitchen.parts import Part, bounds
from tools.kitchen.surfaces import TABLES, backdrop, draw_table

FOOD_SIZE = 8.0  # cm; every dish is scaled to it, so that how much of the image it fills does not tell what it is
REACH = 10.5  # cm from the middle: how far the longest dishes reach
CAMERAS = {"low": (14, 30), "middle": (30, 55), "high": (55, 86)}  # degrees above the table
LIGHTS = ("sun", "window", "lamp")


@dataclass(frozen=True)
class Camera:
    """A camera that looks along +y, from above.

    `origin`, `target` and `up` have the shape (3,). `fov`, the angle of view, is in degrees, `aperture`, the lens
    radius, in cm.
    """

    origin: np.ndarray
    target: np.ndarray
    up: np.ndarray
    fov: float
    aperture: float


@dataclass(frozen=True)
class Light:
    """One light at `origin`, which shines on the middle of the table, and the light of the surroundings, `sky`.

    `size` is half the width and half the height, in cm; (0, 0) for the sun. `colour` and `sky` are linear red, green
    and blue, shape (3,).
    """

    origin: np.ndarray
    size: tuple[float, float]
    colour: np.ndarray
    sky: np.ndarray


@dataclass(frozen=True)
class Scene:
    """Everything except the food.

    `table` and `wall` are pictures of the table top and of the background: float, shape (side, side, 3). `roughness` is
    that of the table. `parts` are the support and the clutter. `height` is where the food stands, in cm above the
    table. The turns are in degrees. `labels` are written to labels.csv.
    """

    table: np.ndarray
    wall: np.ndarray
    table_turn: float
    roughness: float
    parts: list[Part]
    height: float
    food_turn: float
    camera: Camera
    light: Light
    labels: dict[str, str]


def draw_scene(rng: np.random.Generator) -> Scene:
    """Return a scene."""
    table = str(rng.choice(list(TABLES), p=[0.35, 0.15, 0.2, 0.1, 0.12, 0.08]))
    support = str(rng.choice(list(props.SUPPORTS), p=[0.5, 0.18, 0.17, 0.15]))
    view = str(rng.choice(list(CAMERAS), p=[0.2, 0.45, 0.35]))
    light = str(rng.choice(LIGHTS))
    turn = rng.uniform(0, 360)
    under = props.SUPPORTS[support](rng, rng.uniform(9.5, 14))
    under = [part.turned(turn) for part in under]
    clutter = draw_clutter(rng)
    # Paper is crumpled and plates have a rim: what lies on them is no higher than their middle.
    height = {"plate": 0.3, "paper": 0.15}.get(support, bounds(under)[1][2] if under else 0.0)
    return Scene(
        table=draw_table(rng, table),
        wall=backdrop(rng),
        table_turn=rng.uniform(0, 360),
        roughness=TABLES[table][1],
        parts=under + clutter,
        height=height,
        food_turn=rng.uniform(0, 360),
        camera=draw_camera(rng, *CAMERAS[view]),
        light=draw_light(rng, light),
        labels={"table": table, "support": support, "camera": view, "light": light},
    )


def draw_clutter(rng: np.random.Generator) -> list[Part]:
    """Return up to four things around where the food will be, the tall ones behind it as the camera sees it."""
    parts = []
    for _ in range(rng.choice(5, p=[0.2, 0.3, 0.25, 0.15, 0.1])):
        tall = rng.random() < 0.25
        kinds = props.TALL if tall else props.FLAT
        prop = kinds[rng.integers(len(kinds))](rng)
        reach = np.abs(np.concatenate([corner[:2] for corner in bounds(prop)])).max()
        direction = rng.uniform(25, 155) if tall else rng.uniform(0, 360)
        # A long thing lies across the line to the middle, so that it does not reach into the food.
        turn = direction + 90 + rng.normal(0, 12)
        distance = REACH * rng.uniform(0.95, 1.35) + min(reach, 4)
        parts += props.placed(prop, distance, direction, turn)
    return parts


def draw_camera(rng: np.random.Generator, lowest: float, highest: float) -> Camera:
    """Return a camera so high above the table, in degrees; near or far, with a wide or a long lens."""
    elevation = np.radians(rng.uniform(lowest, highest))
    fov = 2 * np.degrees(np.arctan(12 / np.exp(rng.uniform(np.log(24), np.log(85)))))  # 24 to 85 mm, frame of 24 mm
    seen = np.exp(rng.uniform(np.log(7.5), np.log(16)))  # cm: half the width of what is seen
    distance = seen / np.tan(np.radians(fov / 2))
    target = np.append(rng.normal(0, 1.25, 2), 1.5)
    origin = target + distance * np.array([0, -np.cos(elevation), np.sin(elevation)])
    roll = np.radians(rng.normal(0, 4))
    up = np.array([np.sin(roll), np.sin(elevation), np.cos(elevation)])
    return Camera(origin, target, up, fov, distance * rng.choice([0.002, 0.01, 0.025]))


def draw_light(rng: np.random.Generator, kind: str) -> Light:
    """Return the sun, a window or a lamp: from the sides, as neither the wall nor the camera may stand before it."""
    direction = np.radians(rng.choice([180, 360]) + rng.uniform(-30, 40) * rng.choice([-1, 1]))
    heights, distance, half_sizes, kelvin, strength, fill = {
        "sun": ((28, 65), 100, (0, 0), (4600, 6000), 3, (0.25, 0.6)),
        "window": ((22, 50), 110, (25, 60), (5200, 8000), 4, (0.12, 0.4)),
        "lamp": ((40, 65), rng.uniform(45, 80), (4, 12), (2500, 3800), 40, (0.1, 0.35)),
    }[kind]
    height = np.radians(rng.uniform(*heights))
    towards = np.array([np.cos(height) * np.cos(direction), np.cos(height) * np.sin(direction), np.sin(height)])
    size = (rng.uniform(*half_sizes), rng.uniform(*half_sizes))
    colour = glow(rng.uniform(*kelvin))
    sky = glow(rng.uniform(5500, 9000)) if kind == "sun" else colour ** rng.uniform(0.3, 1)
    return Light(distance * towards, size, strength * colour, rng.uniform(*fill) * sky)


def glow(kelvin: float) -> np.ndarray:
    """Return the linear colour (3,) of a light of this temperature; daylight, 6500 K, is white."""
    shades = [np.array(shade) for shade in ([1, 0.5, 0.16], [1, 0.79, 0.57], [1, 1, 1], [0.86, 0.93, 1.1])]
    return ramp(np.array([(kelvin - 2500) / 6000]), *shades)[0]
