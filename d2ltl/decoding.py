"""Image files as arrays."""

from __future__ import annotations

import os
from typing import Any, Union

import mxnet as mx
import numpy as np
from PIL import Image, ImageOps

from d2ltl.errors import ImageFolderError

PathLike = Union[str, "os.PathLike[str]"]

ENOUGH = 1024  # pixels of the shorter side; JPEG files of more are decoded to a half, a quarter or an eighth


def read_image(path: PathLike) -> np.ndarray:
    """Return the image in a file as RGB, uint8, shape (height, width, 3).

    Pillow decodes it, since the OpenCV in MXNet fills up a truncated JPEG without a word. A large JPEG is decoded at a
    reduced size, sooner, with both sides at least 1,024 pixels: the smallest crop of the book's augmentation, 8 % of
    the area, still has 224 × 224.

    Raises
    ------
    ImageFolderError
        If the file is not a whole image.
    """
    try:
        with Image.open(path) as image:
            image.draft(None, (ENOUGH, ENOUGH))
            return np.array(_to_rgb(ImageOps.exif_transpose(image)))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        # Pillow answers damaged files with any of these
        raise ImageFolderError(
            f"{path} cannot be read as an image ({error}). Repair or remove it, or skip unreadable images."
        ) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers of unknown range")
    if image.mode.startswith("I"):  # 16 bits a pixel, which convert() would clip
        image = Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def to_mx(array: np.ndarray) -> Any:
    """Return a NumPy array as an array of MXNet's active interface, without a copy."""
    nd = mx.nd.from_numpy(np.ascontiguousarray(array))
    return nd.as_np_ndarray() if mx.util.is_np_array() else nd


class DecodedImages:
    """Images by their paths, read from their files; those that come first and fit into `limit` bytes are kept."""

    def __init__(self, limit: int) -> None:
        self._kept: dict[str, np.ndarray] = {}
        self._left = limit

    def read(self, path: str) -> np.ndarray:
        """Return what `read_image` does."""
        if path in self._kept:
            return self._kept[path]
        image = read_image(path)
        if image.nbytes <= self._left:
            self._kept[path] = image
            self._left -= image.nbytes
        return image
