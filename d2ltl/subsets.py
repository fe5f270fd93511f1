"""Parts of a folder of images: a few of each class, or a class made rare."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from d2ltl.data import ImageFolder
from d2ltl.errors import ImageFolderError, SettingsError


def take(images: ImageFolder, per_class: int, seed: int = 0) -> ImageFolder:
    """Return a few images of each class, drawn at random.

    With one seed the draws are nested: 20 of each class are among the 40 of each class.

    Parameters
    ----------
    images : ImageFolder
        One part of the pair that `load_images` returns.
    per_class : int
        How many of each class.
    seed : int

    Raises
    ------
    SettingsError
        If `per_class` is less than 1.
    ImageFolderError
        If a class has fewer images.
    """
    if per_class < 1:
        raise SettingsError(f"per_class is {per_class}; take at least 1 image of each class.")
    return _draw(images, dict.fromkeys(images.synsets, per_class), seed)


def imbalanced(images: ImageFolder, ratio: float, rare: str, seed: int = 0) -> ImageFolder:
    """Return images of which one class is rare, as defects are among good parts.

    The other classes keep all their images, the rare one a share drawn at random. With one seed the draws are nested:
    what is left at 1:20 is among what is left at 1:5.

    Parameters
    ----------
    images : ImageFolder
        One part of the pair that `load_images` returns.
    ratio : float
        How many images of the most frequent other class there shall be for each of the rare one, 1 or more.
    rare : str
        The name of the class to make rare.
    seed : int

    Raises
    ------
    SettingsError
        If `ratio` is less than 1, or leaves no image of the rare class, or there is no such class.
    ImageFolderError
        If the class has too few images for the ratio.
    """
    numbers = dict(zip(images.synsets, np.bincount(images.labels, minlength=len(images.synsets)).tolist()))
    if rare not in numbers:
        raise SettingsError(f"There is no class {rare!r}; choose from {', '.join(images.synsets)}.")
    if not 1 <= ratio < np.inf:
        raise SettingsError(f"ratio is {ratio}; it is 1 (balanced) or more.")
    most = max(number for name, number in numbers.items() if name != rare)
    left = round(most / ratio)
    if left < 1:
        raise SettingsError(f"ratio is {ratio:g}: of {most} images to one, none of {rare} would be left.")
    return _draw(images, {**numbers, rare: left}, seed)


def _draw(images: ImageFolder, numbers: Mapping[str, int], seed: int) -> ImageFolder:
    """Return so many images of each class, in the order they had."""
    rng = np.random.default_rng(seed)
    chosen: list[int] = []
    for label, name in enumerate(images.synsets):
        members = rng.permutation(np.flatnonzero(images.labels == label)).tolist()
        if len(members) < numbers[name]:
            raise ImageFolderError(f"{images.root} has {len(members)} images of {name}; {numbers[name]} are needed.")
        chosen += members[: numbers[name]]
    return images.subset(sorted(chosen))
