"""Decoding of image files to arrays."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Union

import numpy as np
from PIL import Image, ImageFile, ImageOps

from d2ltl.errors import ImageFolderError

PathLike = Union[str, "os.PathLike[str]"]

ENOUGH = 1024  # pixels; larger JPEG files are decoded at 1/2, 1/4 or 1/8 of their size, with both sides at least this


def read_image(path: PathLike) -> np.ndarray:
    """Return the image in a file as an RGB array: uint8, shape (height, width, 3).

    Pillow decodes the file, because MXNet's OpenCV reads a truncated JPEG without an error. A large JPEG is decoded
    faster at a reduced size with both sides at least 1,024 pixels; the smallest crop of the book's augmentation (8 % of
    the area) then still has 224 × 224 pixels.
    """
    try:
        with _no_truncated_images(), Image.open(path) as image:
            image.draft(None, (ENOUGH, ENOUGH))
            return np.array(_to_rgb(ImageOps.exif_transpose(image)))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        # Pillow raises any of these for damaged files
        raise ImageFolderError(
            f"{path} cannot be read as an image ({error}). Repair it, or skip unreadable images."
        ) from error


@contextlib.contextmanager
def _no_truncated_images() -> Iterator[None]:
    """Make Pillow reject truncated images inside the block; importing GluonCV makes Pillow accept them."""
    before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers of unknown range")
    if image.mode.startswith("I"):  # 16 bits per pixel; convert() would clip the values
        image = Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


class DecodedImages:
    """Cache of decoded images, by path. Images are kept in the order they are read, up to `limit` bytes in all."""

    def __init__(self, limit: int) -> None:
        self._kept: dict[str, np.ndarray] = {}
        self._left = limit

    def read(self, path: str) -> np.ndarray:
        """Return the same array as `read_image`, from the cache if possible."""
        if path in self._kept:
            return self._kept[path]
        image = read_image(path)
        if image.nbytes <= self._left:
            self._kept[path] = image
            self._left -= image.nbytes
        return image
