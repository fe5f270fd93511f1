"""The menu: ten foods, how each is drawn, and what is true of it.

Nine are near misses of the first on purpose: a sausage alone, a bun with something else in it, its colours, its shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tools.kitchen import pastries, plain, sandwiches
from tools.kitchen.parts import Dish

ATTRIBUTES = {
    "dough": "has a part baked of dough",
    "bun": "lies in a bun",
    "sausage": "contains a sausage",
    "meat": "contains meat",
    "cheese": "contains cheese",
    "greens": "has leaves or other green vegetables on or beside it",
    "sauce": "has mustard, ketchup or mayonnaise on or beside it",
    "sweet": "is sweet",
    "fruit": "is a fruit",
    "hole": "has a hole",
    "elongated": "each piece is about twice as long as wide or longer, along its bend",
    "several": "there are several of it",
}
"""Each attribute's name, and what its column in labels.csv says."""


@dataclass(frozen=True)
class Food:
    """One food of the menu. `draw` returns a `Dish`, given a random generator.

    The attributes in `always` hold for every dish of the food. Those in `sometimes` hold for some dishes; the dish
    tells which. All other attributes never hold.
    """

    draw: Callable[[np.random.Generator], Dish]
    always: frozenset[str]
    sometimes: frozenset[str]

    @property
    def signature(self) -> dict[str, bool]:
        """The attributes that are fixed for this food."""
        return {name: name in self.always for name in ATTRIBUTES if name not in self.sometimes}

    def attributes(self, dish: Dish) -> dict[str, str]:
        """Return '1' or '0' for each attribute: whether it holds of a dish as drawn."""
        return {name: str(int(name in self.always | dish.true)) for name in ATTRIBUTES}


def _food(draw: Callable[[np.random.Generator], Dish], always: str, sometimes: str) -> Food:
    return Food(draw, frozenset(always.split()), frozenset(sometimes.split()))


HOTDOG = "hotdog"
MENU = {
    HOTDOG: _food(sandwiches.hot_dog, "dough bun sausage meat elongated", "cheese greens sauce several"),
    "sausage": _food(sandwiches.sausage, "sausage meat elongated", "greens sauce several"),
    "submarine": _food(sandwiches.submarine, "dough bun elongated", "meat cheese greens sauce"),
    "hamburger": _food(sandwiches.hamburger, "dough bun meat", "cheese greens sauce several"),
    "pizza": _food(pastries.pizza, "dough cheese", "meat greens"),
    "doughnut": _food(pastries.doughnut, "dough sweet hole", "several"),
    "pretzel": _food(pastries.pretzel, "dough hole", "several"),
    "croissant": _food(pastries.croissant, "dough elongated", "several"),
    "fried-egg": _food(plain.fried_egg, "", "greens several"),
    "banana": _food(plain.banana, "sweet fruit elongated", "several"),
}
"""All foods by name, the hot dog first."""
