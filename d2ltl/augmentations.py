"""Augmentations beyond the book's crop and flip, each with one effect, to be tried one by one or together."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
from mxnet.gluon import Block
from mxnet.gluon.data.vision import transforms

from d2ltl.decoding import to_mx

MOST_ZOOM = 1.5  # times
MOST_STRETCH = 4 / 3  # times, of the width against the height or the other way round: what the book's crop allows
MOST_SHIFT = 0.2  # of a side
MOST_BRIGHTNESS = 0.4  # of the brightness, more or less
LAMP, DAYLIGHT, SHADE = 3500, 6500, 12000  # kelvin: warm white, what sRGB calls white, the light of a blue sky

PRIMARIES = np.array([611e-9, 549e-9, 464e-9])  # metres, the dominant wavelengths of sRGB's red, green and blue
PLANCK = 0.014388  # metre kelvin: the second radiation constant, hc/k
GAMMA = 2.2  # about what pixel values are encoded with: light is their power


class RandomStretch(Block):
    """Zoom in on the centre of an image, and leave out more of one side than of the other.

    What is left is resized to a square later, so that what it shows appears larger, and wider or narrower. (Gluon's
    `RandomResizedCrop` does both and moves the centre as well; here each is an effect of its own.)

    Parameters
    ----------
    zoom : float
        How many times larger at most, 1 or more.
    stretch : float
        How many times wider against its height, or the other way round, at most; 1 or more.
    """

    def __init__(self, zoom: float = 1, stretch: float = 1) -> None:
        super().__init__()
        self.zoom = zoom
        self.stretch = stretch

    def forward(self, x: Any) -> Any:
        """Return the centre of an image (height, width, 3)."""
        shares = np.full(2, 1 / random.uniform(1, self.zoom))
        shares[random.randrange(2)] /= random.uniform(1, self.stretch)
        height, width = np.maximum(1, np.round(shares * x.shape[:2])).astype(int).tolist()
        top, left = (x.shape[0] - height) // 2, (x.shape[1] - width) // 2
        return x[top : top + height, left : left + width]


class RandomShift(Block):
    """Move an image in any direction; its edge is repeated where nothing is left.

    Parameters
    ----------
    most : float
        How far at most, in shares of its height and width.
    """

    def __init__(self, most: float) -> None:
        super().__init__()
        self.most = most

    def forward(self, x: Any) -> Any:
        """Return an image (height, width, 3) of the same size."""
        rows, columns = (self._moved(side) for side in x.shape[:2])
        return to_mx(x.asnumpy()[rows][:, columns])

    def _moved(self, side: int) -> np.ndarray:
        step = round(random.uniform(-self.most, self.most) * side)
        return np.clip(np.arange(side) + step, 0, side - 1)


class RandomTemperature(Block):
    """Show an image as it would look under light of another colour temperature, of the same green.

    The light is that of a black body. Temperatures are drawn evenly in 1/kelvin, in which their steps look about alike.

    Parameters
    ----------
    lowest, highest : float
        In kelvin. Low is reddish, high bluish; 6,500 leaves an image as it is.
    """

    def __init__(self, lowest: float, highest: float) -> None:
        super().__init__()
        self.lowest = lowest
        self.highest = highest

    def forward(self, x: Any) -> Any:
        """Return an image (height, width, 3) of uint8."""
        kelvin = 1 / random.uniform(1 / self.highest, 1 / self.lowest)
        return to_mx((x.asnumpy() * light_gains(kelvin)).round().clip(0, 255).astype(np.uint8))


def light_gains(kelvin: float) -> np.ndarray:
    """Return what light of a colour temperature does to pixel values: factors of red, green (1) and blue, shape (3,).

    Planck's law, against daylight, at one wavelength for each colour; the pixels' gamma is taken into account.
    """
    radiance = np.expm1(PLANCK / (PRIMARIES * DAYLIGHT)) / np.expm1(PLANCK / (PRIMARIES * kelvin))
    return (radiance / radiance[1]) ** (1 / GAMMA)


AUGMENTATIONS: dict[str, Callable[[], Block]] = {
    "flip": transforms.RandomFlipLeftRight,
    "zoom": lambda: RandomStretch(zoom=MOST_ZOOM),
    "shift": lambda: RandomShift(MOST_SHIFT),
    "aspect ratio": lambda: RandomStretch(stretch=MOST_STRETCH),
    "brightness": lambda: transforms.RandomBrightness(MOST_BRIGHTNESS),
    "colour temperature": lambda: RandomTemperature(LAMP, SHADE),
}
"""What `train_augs` can do besides the book's crop, by name: each makes a transform from one uint8 image to another."""
