"""Pictures of the places in a photograph that speak for a class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from mxnet.gluon import HybridBlock
from PIL import Image
from scipy.ndimage import map_coordinates

from d2ltl.errors import NetworkError
from d2ltl.models.convolutional import heat_map, to_convolutional

WINDOWS = 2  # the shorter side of the photograph has the length of so many windows of the network
MOST_WINDOWS = 8  # of the longer side; a longer strip is squeezed
DARKEST = 0.15  # brightness of places without the class, as a share


def places_of(net: HybridBlock) -> Callable[[np.ndarray, int], np.ndarray]:
    """Return a function of a photograph and the number of a class that darkens the places without the class.

    The photograph and the result are uint8, shape (height, width, 3); the shorter side of the result is twice the size
    of the network's images. The brightness follows the probability of the class (`d2ltl.heat_map`), relative to that of
    the most probable place.

    Raises
    ------
    NetworkError
        If the layers of the network are not known, as those of an exported network.
    """
    if not (hasattr(net, "features") and hasattr(net, "output")):
        raise NetworkError("An exported network does not show where it looks. Give the run that it was exported from.")
    convolutional = to_convolutional(net, net.size)

    def lit(photograph: np.ndarray, label: int) -> np.ndarray:
        pixels = _resized(photograph, net.size)
        heat = _spread(heat_map(convolutional, pixels, label), pixels.shape[:2], net.size)
        light = DARKEST + (1 - DARKEST) * heat[..., None] / max(heat.max(), np.finfo(np.float32).tiny)
        return np.rint(pixels * light).astype(np.uint8)

    return lit


def _resized(photograph: np.ndarray, window: int) -> np.ndarray:
    image = Image.fromarray(photograph)
    factor = WINDOWS * window / min(image.size)
    width, height = (min(MOST_WINDOWS * window, round(length * factor)) for length in image.size)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def _spread(values: np.ndarray, shape: tuple[int, ...], window: int) -> np.ndarray:
    """Return a value for each pixel, interpolated between the centres of the windows that the values belong to."""
    places = [
        np.clip((np.arange(pixels) + 0.5 - window / 2) * (number - 1) / (pixels - window), 0, number - 1)
        for pixels, number in zip(shape, values.shape)
    ]
    return np.asarray(map_coordinates(values, np.meshgrid(*places, indexing="ij"), order=1, mode="nearest"))
