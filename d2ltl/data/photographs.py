"""Photographs to classify: files, folders of loose images, arrays of pixels, and lists of these."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np
from PIL import Image

from d2ltl.arrays import to_numpy
from d2ltl.data.decoding import DecodedImages, Levels, pixels_of
from d2ltl.data.folders import UnlabelledImages
from d2ltl.data.formats import PathLike, is_image
from d2ltl.data.scanning import scan
from d2ltl.datasets import find_data
from d2ltl.errors import ImageFolderError

Photograph = Union[PathLike, Image.Image, np.ndarray]

KEPT_BYTES = 2**26  # of decoded photographs; they are read once, and some of them again for a contact sheet


class Photographs(UnlabelledImages):
    """Data set of photographs without classes. Every label is 0.

    Parameters
    ----------
    photographs : path, array, Pillow image, or a list of these
        A file of an image. A folder or an archive: all images in it and in its subfolders, except hidden ones. An array
        of uint8 RGB or grey values, shape (height, width, 3), (N, height, width, 3) or (height, width). In `items`, an
        array or a Pillow image is called ``photograph 1``, by its place.
    levels : pair of float, optional
        The pixels that become black and white, of images with more than 8 bits; by default the range in use.

    Raises
    ------
    ImageFolderError
        If there is no such file, no image, or an array has another shape or dtype.
    """

    def __init__(self, photographs: Photograph | Sequence[Photograph], levels: Levels | None = None) -> None:
        self._begin(os.curdir, Counter())
        self._decoded = DecodedImages(KEPT_BYTES, [], levels)
        self.synsets = []
        self.items: list[tuple[str, int]] = []
        given = photographs if isinstance(photographs, (list, tuple)) else [photographs]
        for photograph in given:
            if isinstance(photograph, (str, os.PathLike)):
                self.items += [(path, 0) for path in _files(Path(photograph))]
                continue
            for pixels in _pixels(photograph, levels):
                name = f"photograph {len(self.items) + 1}"
                self._decoded.keep(name, pixels)
                self.items.append((name, 0))
        if not self.items:
            raise ImageFolderError("There is no photograph to classify: the list is empty.")
        self._decoded.paths = [path for path, _ in self.items]


def is_single(path: PathLike) -> bool:
    """Return whether a path is a file that is no archive of images."""
    return os.path.isfile(path) and (is_image(path) or not (zipfile.is_zipfile(path) or tarfile.is_tarfile(path)))


def _files(path: Path) -> list[str]:
    if is_single(path):
        return [os.fspath(path)]
    if not path.exists():
        raise ImageFolderError(f"There is no file or folder {path}.")
    return [file for file, _ in UnlabelledImages(scan(find_data(path), with_masks=True)).items]


def _pixels(photograph: Any, levels: Levels | None) -> Iterator[np.ndarray]:
    """Yield the pixels of each image in an array or a Pillow image: uint8, shape (height, width, 3)."""
    if isinstance(photograph, Image.Image):
        try:
            yield pixels_of(photograph, levels)
        except Exception as error:  # Pillow raises exceptions of many kinds for damaged files
            raise ImageFolderError(f"{photograph!r} cannot be read ({error or type(error).__name__}).") from error
        return
    array = to_numpy(photograph)
    if array.dtype != np.uint8:
        raise ImageFolderError(f"A photograph is an array of {array.dtype}; give uint8 values from 0 to 255, RGB.")
    if array.ndim == 2:
        array = np.repeat(array[:, :, None], 3, axis=2)
    images = array if array.ndim == 4 else array[None]
    if images.ndim != 4 or images.shape[3] != 3 or 0 in images.shape:
        raise ImageFolderError(
            f"A photograph is an array of shape {array.shape}; give (height, width, 3), (N, height, width, 3) or, for "
            "grey values, (height, width)."
        )
    yield from images
