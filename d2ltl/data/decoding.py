"""Decoding of image files to arrays."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFile

from _data_hub.language import _
from d2ltl.data.formats import PathLike, fault_of
from d2ltl.errors import ImageFolderError

logger = logging.getLogger(__name__)

REMEDY = "Repair it, or skip unreadable images (--skip-unreadable, or load_images with skip_unreadable=True)."
ORIENTATION = 0x0112  # EXIF tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns an image upright, by its EXIF orientation."""
WHITES = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)  # the highest float, and the highest of 8, 10, 12, 14, 16 bits
LEVEL_IMAGES = 100  # about so many images of a set are read to find the range of its pixels

Levels = tuple[float, float]  # the pixels that become black and white
Size = tuple[int, int]  # width and height in pixels


class Detail(NamedTuple):
    """What is needed of a decoded image: the least shorter side and the least area, in pixels.

    A larger image is read at 1/2, 1/4, 1/8, … of its size, as long as it has so many pixels, and 256 × 256 at least. A
    phone's photograph is then decoded several times as fast (JPEG), and many more of them can be kept.
    """

    side: int
    area: float

    def divisor(self, size: Size) -> int:
        """Return by which power of 2 the sides of an image can be divided."""
        most = min(min(size) / max(self.side, LEAST), math.sqrt(size[0] * size[1] / max(self.area, LEAST**2)))
        return 2 ** max(0, math.floor(math.log2(most)))


LEAST = 256  # pixels; images that have less than twice as many on a side are never reduced
ANYTHING = Detail(1, 1)
ENOUGH = Detail(1024, 1024**2)  # the smallest crop of the book (8 % of the area) then still has 224 × 224 pixels


def read_image(path: PathLike, levels: Levels | None = None, detail: Detail = ENOUGH) -> np.ndarray:
    """Return the image in a file as an RGB array: uint8, shape (height, width, 3).

    Pillow decodes the file, because MXNet's OpenCV reads a truncated JPEG without an error. An image with more detail
    than needed is reduced; see `Detail`.

    Pixels of more than 8 bits, and floats, are scaled so that `levels` become black and white; by default these are the
    range in use in this image.
    """
    return _read(path, levels, detail)[0]


def _read(path: PathLike, levels: Levels | None, detail: Detail) -> tuple[np.ndarray, Size]:
    """Return the image in a file, see `read_image`, and its size if it had not been reduced."""
    try:
        if fault := fault_of(path):
            raise ValueError(fault)
        with _strict_and_silent(), Image.open(path) as image:
            width, height = size = image.size
            divisor = detail.divisor(size)
            image.draft(None, (width // divisor, height // divisor))  # only a JPEG can be decoded at a reduced size
            return pixels_of(image, levels, divisor // round(width / image.width)), size
    except Exception as error:  # Pillow raises exceptions of many kinds for damaged files
        raise ImageFolderError(
            f"{path} cannot be read as an image ({error or type(error).__name__}). {REMEDY}"
        ) from error


def pixels_of(image: Image.Image, levels: Levels | None = None, divisor: int = 1) -> np.ndarray:
    """Return a Pillow image, upright, its sides divided by a number, as an RGB array; see `read_image`.

    Pillow's exceptions are of many kinds.
    """
    with _strict_and_silent():
        image.load()  # turns a TIFF upright, and nothing else
        turn = TURNS.get(_orientation(image))
        upright = image if turn is None else image.transpose(turn)
        rgb = _deep_to_rgb(upright, levels) if _is_deep(image) else _to_rgb(upright)
        return np.array(rgb if divisor == 1 else rgb.reduce(divisor))


def image_size(path: PathLike) -> tuple[int, int] | None:
    """Return the shorter and the longer side of an image in pixels, as its file says; None if it cannot be read."""
    try:
        with _strict_and_silent(), Image.open(path) as image:
            return min(image.size), max(image.size)
    except Exception:  # Pillow raises exceptions of many kinds for damaged files
        return None


def _orientation(image: Image.Image) -> Any:
    """Return the EXIF orientation, 1 to 8; anything else, or None, if the EXIF data has none or is damaged."""
    try:
        return image.getexif().get(ORIENTATION)
    except Exception:  # Pillow raises exceptions of many kinds; the pixels may be whole
        return None


@contextlib.contextmanager
def _strict_and_silent() -> Iterator[None]:
    """Make Pillow reject truncated images inside the block; importing GluonCV makes Pillow accept them.

    Pillow's UserWarnings are not shown. They are about damaged EXIF data.
    """
    before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _to_rgb(image: Image.Image) -> Image.Image:
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _is_deep(image: Image.Image) -> bool:
    """Return whether the pixels are floats or have more than 8 bits. Pillow's own conversion would clip them."""
    return image.mode == "F" or image.mode.startswith("I")


def _deep_to_rgb(image: Image.Image, levels: Levels | None) -> Image.Image:
    black, white = levels or _levels([_range(image)])
    scaled = (np.asarray(image, dtype=np.float32) - black) * (255 / ((white - black) or 1))
    return Image.fromarray(np.rint(scaled.clip(0, 255)).astype(np.uint8)).convert("RGB")


class Range(NamedTuple):
    """Lowest and highest pixel, and whether the pixels are floats."""

    low: float
    high: float
    floats: bool


def _range(image: Image.Image) -> Range:
    pixels = np.asarray(image)
    low, high = float(pixels.min()), float(pixels.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("some of its pixels are no finite numbers")
    return Range(low, high, image.mode == "F")


def _levels(ranges: Sequence[Range]) -> Levels:
    """Return the range in use: that of 8, 10, 12, 14 or 16 bits, for floats also [0, 1]; or else any other."""
    low, high = min(range_.low for range_ in ranges), max(range_.high for range_ in ranges)
    whites = WHITES if all(range_.floats for range_ in ranges) else WHITES[1:]
    if low < 0 or high > whites[-1]:
        return low, high
    return 0.0, next(white for white in whites if high <= white)


class DecodedImages:
    """Cache of decoded images, by path. Images are kept in the order they are read, up to `limit` bytes in all.

    Pixels of more than 8 bits, and floats, are scaled by the range in use in the files `paths`. 12 bits in a file of 16
    would look black otherwise, and if each image were scaled by itself, its brightness would be lost.
    """

    def __init__(self, limit: int, paths: Sequence[str], levels: Levels | None = None) -> None:
        self.paths = paths
        if levels is not None:
            self.levels = levels
        self._kept: dict[tuple[str, int], np.ndarray] = {}  # by path and divisor
        self._sizes: dict[str, Size] = {}  # of the files of which an image is kept
        self._left = limit

    def read(self, path: str, detail: Detail | None = None) -> np.ndarray:
        """Return the same array as `read_image`, from the cache if possible.

        Without a `detail`, nobody knows what the image is for. Then it is kept only if every detail needs all of it.
        """
        needed = detail or ENOUGH
        if path in self._sizes:
            kept = self._kept.get((path, needed.divisor(self._sizes[path])))
            if kept is not None:
                return kept
        image, size = _read(path, self.levels, needed)
        if image.nbytes <= self._left and (detail or ANYTHING.divisor(size) == 1):
            self._kept[path, needed.divisor(size)] = image
            self._sizes[path] = size
            self._left -= image.nbytes
        return image

    def keep(self, name: str, image: np.ndarray) -> None:
        """Keep an image that has no file under a name, whatever the limit; it is never reduced."""
        self._kept[name, 1] = image
        self._sizes[name] = (1, 1)

    @functools.cached_property
    def levels(self) -> Levels | None:
        """The levels of the deep pixels in some of the files; None if these files have no deep pixels."""
        ranges = []  # of files that can be read; a damaged one is an error when its turn comes
        for path in self.paths[:: max(1, len(self.paths) // LEVEL_IMAGES)]:
            with contextlib.suppress(Exception), Image.open(path) as image:
                if _is_deep(image):
                    ranges.append(_range(image))
        if not ranges:
            return None
        levels = _levels(ranges)
        text = _("the pixels of the images have more than 8 bits: {black:g} is read as black, {white:g} as white")
        logger.info(text.format(black=levels[0], white=levels[1]))
        return levels
