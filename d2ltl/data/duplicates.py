"""Copies: the same image in several files, for example to train and to test, or in two classes."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from _data_hub.language import N_, _, retell
from d2ltl.data.decoding import image_size
from d2ltl.data.folders import ImageFolder
from d2ltl.errors import ImageFolderError, SettingsError
from d2ltl.files import printable
from d2ltl.progress import with_progress

logger = logging.getLogger(__name__)

COMPARED_BYTES = 2**28  # at most so many bytes of pixels are decoded only to compare them
NEAR_BITS = 4  # the perceptual hashes of near-duplicates differ in at most so many of 64 bits
NAMED = 3  # number of copies that a warning names

LEAKED = N_("{number} of the {all} test images are training images too, so the test accuracy is too high")
CONFUSED = N_("{number} of {all} images are in another class too")
COPIED = N_("{number} of {all} images are copies of others")
THE_SAME, NEARLY_THE_SAME = N_("{name} is the same as {other}"), N_("{name} is nearly the same as {other}")
MORE = N_("and {number} more")


def find_copies(*parts: ImageFolder, near: bool = False) -> np.ndarray:
    """Return for each image of the parts the index of the first one that is the same: int64, shape (N,).

    Images are the same if their files are, byte for byte, or their pixels. The pixels of images of the same size are
    compared, unless they take more than 256 MiB. A file that cannot be read is no copy.

    Parameters
    ----------
    near : bool
        Whether to compare the pixels of all images, and to find near-duplicates: images of other sizes, compressions or
        colours, but not of other crops. Their perceptual hashes (pHash, the package `imagehash`) are nearly the same.
    """
    images = [(part, i) for part in parts for i in range(len(part))]
    paths = [part.items[i][0] for part, i in images]

    def pixels(image: int) -> np.ndarray:
        part, i = images[image]
        return part.read(i)

    first = np.arange(len(images))
    for same_length in _alike(first.tolist(), lambda image: os.path.getsize(paths[image]) or None):
        for copies in _alike(same_length, lambda image: hashlib.sha1(Path(paths[image]).read_bytes()).digest()):
            first[copies] = copies[0]
    sizes = {image: size for image in np.unique(first).tolist() if (size := image_size(paths[image]))}
    compared = [image for same_size in _alike(sizes, sizes.__getitem__) for image in same_size]
    total = sum(3 * height * width for height, width in map(sizes.__getitem__, compared))
    if not near and total > COMPARED_BYTES:
        text = _("copies are found by the bytes of their files only; --check-duplicates compares the pixels too")
        logger.info(text)
    else:
        same = np.arange(len(images))
        for copies in _alike(compared, lambda image: _digest(pixels(image))):
            same[copies] = copies[0]
        first = same[first]
    if near:
        for image, other in _near_pairs(np.unique(first).tolist(), pixels):
            low, high = sorted((first[image], first[other]))
            first[first == high] = low
    return first


def note_copies(train: ImageFolder, test: ImageFolder, *, near: bool = False) -> None:
    """Count and name the copies in the images to train and to test (see `find_copies`), in warnings and `train.copies`.

    Such are test images that are training images too, images that are in two classes, and other copies.
    """
    first = find_copies(train, test, near=near).tolist()
    paths = [path for part in (train, test) for path, _ in part.items]
    classes = [part.synsets[label] if part.synsets else "" for part in (train, test) for _, label in part.items]
    top = os.path.commonpath([os.path.abspath(part.root) for part in (train, test)])

    def examples(copies: list[int]) -> str:
        names = [[printable(os.path.relpath(paths[i], top)) for i in (copy, first[copy])] for copy in copies[:NAMED]]
        pairs = [(NEARLY_THE_SAME if near else THE_SAME).format(name=name, other=other) for name, other in names]
        return "; ".join([*pairs, *([MORE.format(number=len(copies) - NAMED)] if copies[NAMED:] else [])])

    copies = [i for i in range(len(paths)) if first[i] != i]
    leaked = [i for i in copies if first[i] < len(train) <= i]
    confused = [i for i in copies if classes[i] != classes[first[i]]]
    others = sorted({*copies} - {*leaked} - {*confused})
    remarks = [
        (leaked, LEAKED.format(number=len(leaked), all=len(test))),
        (confused, CONFUSED.format(number=len(confused), all=len(paths))),
        (others, COPIED.format(number=len(others), all=len(paths))),
    ]
    train.copies = [f"{remark}: {examples(some)}." for some, remark in remarks if some]
    for sentence in train.copies:
        logger.warning("%s", retell_copies(sentence))


def retell_copies(sentence: str) -> str:
    """Return a sentence of `copies` in the language of the reader."""
    remark, _separator, examples = sentence[:-1].partition(": ")
    told = [retell(example, NEARLY_THE_SAME, THE_SAME, MORE) for example in examples.split("; ")]
    remark = retell(remark, LEAKED, CONFUSED, COPIED)
    return _("{remark}: {examples}.").format(remark=remark, examples="; ".join(told))


def _alike(images: Iterable[int], key: Callable[[int], Hashable]) -> Iterator[list[int]]:
    """Yield the groups of at least two images with the same key. None is no key; neither is that of a damaged file."""
    groups: dict[Hashable, list[int]] = {}
    for image in images:
        try:
            groups.setdefault(key(image), []).append(image)
        except (OSError, ImageFolderError):  # is raised again when the image is used
            continue
    groups.pop(None, None)
    return (group for group in groups.values() if len(group) > 1)


def _digest(pixels: np.ndarray) -> Hashable:
    return pixels.shape, hashlib.sha1(pixels.tobytes()).digest()


def _near_pairs(images: list[int], pixels: Callable[[int], np.ndarray]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of images, the first one first, whose perceptual hashes differ in at most `NEAR_BITS` bits."""
    try:
        from imagehash import phash
    except ImportError as error:
        raise SettingsError(
            "To find near-duplicates, install the package imagehash: pip install imagehash (the extra duplicates)."
        ) from error
    hashed, hashes = [], []
    for image in with_progress(images, _("comparing images"), "image"):
        try:
            hashes.append(phash(Image.fromarray(pixels(image))).hash.ravel())
            hashed.append(image)
        except ImageFolderError:  # is raised again when the image is used
            continue
    signs = np.where(hashes, 1, -1).astype(np.float32).reshape(len(hashed), -1)
    for i, row in enumerate(signs):
        bits = (signs.shape[1] - signs[i + 1 :] @ row) / 2
        yield from ((hashed[i], hashed[i + 1 + j]) for j in np.flatnonzero(bits <= NEAR_BITS))
