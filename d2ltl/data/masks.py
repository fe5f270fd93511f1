"""Masks: images that mark the pixels of another image. They lie beside it, or in a folder beside its folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from d2ltl.data.layout import Folder

PHOTOGRAPH = frozenset({".jpg", ".jpeg"})
LOSSLESS = frozenset({".png", ".bmp", ".gif", ".tif", ".tiff"})
ENDING = re.compile(r"[ _.-]*(mask|label|gt|seg|segmentation|groundtruth|annotation)s?[ _.-]?\d*$", re.IGNORECASE)
FOLDER = re.compile(
    r"(.*[ _-])?(masks?|labels?|gt|ground[ _-]?truth|segmentations?|annotations?|trimaps?)", re.IGNORECASE
)
PICTURES = re.compile(r"(images?|imgs?|pictures?|photos?|jpe?g|jpegimages|originals?|raw)", re.IGNORECASE)


def find_masks(images: Sequence[Path]) -> list[Path]:
    """Return the masks among the images of one folder.

    ``a.png`` is a mask of ``a.jpg`` if both have the same size in pixels, and ``a_mask.png`` is a mask of ``a.png``.
    """
    stems = {path.stem for path in images}
    photographs = {path.stem: path for path in images if path.suffix.lower() in PHOTOGRAPH}
    return [
        path
        for path in images
        if ((base := ENDING.sub("", path.stem)) != path.stem and base in stems)
        or (path.suffix.lower() in LOSSLESS and path.stem in photographs and _same_size(path, photographs[path.stem]))
    ]


def find_mask_folders(images: Sequence[Path], folders: Sequence[Folder]) -> list[Folder]:
    """Return the folders of masks among the folders in a folder with the given images.

    Such a folder is called masks, labels or the like. Half of its files, or more, have the stem of one of `images`, or
    of an image in a folder beside it that is called images or the like.
    """
    pictures = [folder for folder in folders if PICTURES.fullmatch(folder.path.name)]
    stems = {path.stem for path in images} | {path.stem for folder in pictures for path in folder.all_images()}
    masks = []
    for folder in folders:
        if FOLDER.fullmatch(folder.path.name) and (found := folder.all_images()):
            paired = sum(path.stem in stems or ENDING.sub("", path.stem) in stems for path in found)
            if 2 * paired >= len(found):
                masks.append(folder)
    return masks


def _same_size(one: Path, other: Path) -> bool:
    """Return whether two images have the same size, in pixels, upright or turned."""
    try:
        with Image.open(one) as first, Image.open(other) as second:
            return sorted(first.size) == sorted(second.size)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # no image; reading it will say so
        return False
