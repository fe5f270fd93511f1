"""Random subsets of images, stratified by class; the images of a subset keep the order of the folder.

The seed determines a random order of the images of each class, and the subset is the first images of each order. With
the same seed, smaller subsets are therefore contained in larger ones.
"""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from d2ltl.data.duplicates import find_copies
from d2ltl.data.folders import ImageFolder
from d2ltl.errors import ImageFolderError, SettingsError


def take(images: ImageFolder, per_class: int, seed: int = 0) -> ImageFolder:
    """Return a random subset with `per_class` images of each class.

    With the same seed the subsets are nested: 20 images per class are among the 40 images per class. `ImageFolderError`
    is raised if a class has fewer than `per_class` images.
    """
    if per_class < 1:
        raise SettingsError(f"per_class is {per_class}; take at least 1 image of each class.")
    return _draw(images, np.full(len(images.synsets), per_class), seed)[0]


def sample(images: ImageFolder, number: int, seed: int = 0, *, at_least: int = 1) -> ImageFolder:
    """Return a random subset of `number` images, stratified by class, or all images if there are not more.

    Of each class, it contains `at_least` images, or all if the class is smaller; this may raise the size above
    `number`.
    """
    if number < 1:
        raise SettingsError(f"number is {number}; sample at least 1 image.")
    counts = _counts(images)
    labels = np.repeat(np.arange(len(counts)), counts)
    ranks = np.concatenate([np.arange(count) for count in counts])
    order = np.argsort(-counts[labels] / (2 * ranks + 1), kind="stable")  # as seats are allotted by Sainte-Laguë
    numbers = np.bincount(labels[order[:number]], minlength=len(counts))
    return _draw(images, np.maximum(numbers, np.minimum(at_least, counts)), seed)[0]


def split(images: ImageFolder, share: float, seed: int = 0) -> tuple[ImageFolder, ImageFolder]:
    """Split images at random into two parts, stratified by class; `share`, between 0 and 1, is that of the second part.

    Each part has at least 1 image of every class, so every class must have at least 2 images. Copies of an image
    (`find_copies`) are in the same part, unless a class has no other images.
    """
    if not 0 < share < 1:
        raise SettingsError(f"share is {share}; it must be between 0 and 1.")
    counts = _counts(images)
    for name, count in zip(images.synsets, counts.tolist()):
        if count < 2:
            raise ImageFolderError(
                f"{images.root} has {count} image{'s' * (count != 1)} of {name}; at least 2 are needed, for two parts."
            )
    numbers = [min(count - 1, max(1, round(share * count))) for count in counts.tolist()]
    first = find_copies(images)
    if len(np.unique(first)) < len(first):
        drawn = _draw_with_copies(images.labels, first, numbers, seed)
        parts = images.subset(np.flatnonzero(~drawn).tolist()), images.subset(np.flatnonzero(drawn).tolist())
        if all(_counts(part).all() for part in parts):
            return parts
    part, rest = _draw(images, np.array(numbers), seed)
    return rest, part


def _draw_with_copies(labels: np.ndarray, first: np.ndarray, numbers: list[int], seed: int) -> np.ndarray:
    """Return which images a random part has, bool, shape (N,): at most the given number of each class, and its copies.

    `first` is the result of `find_copies`. If every image of a class has too many copies, the part has the fewest.
    """
    rng = np.random.default_rng(seed)
    drawn: list[int] = []
    for label, number in enumerate(numbers):
        copies = np.bincount(first[labels == label], minlength=len(first))
        order = [i for i in rng.permutation(np.flatnonzero(labels == label)).tolist() if first[i] == i]
        chosen: list[int] = []
        left = number
        for i in order:
            if copies[i] <= left:
                chosen.append(i)
                left -= copies[i]
        drawn += chosen or sorted(order, key=copies.__getitem__)[:1]
    return np.isin(first, drawn)


def folds(images: ImageFolder, number: int, seed: int = 0) -> list[tuple[ImageFolder, ImageFolder]]:
    """Cut images at random into `number` folds, stratified by class; return a training and a test part for each fold.

    Every image is in one test part; the training part contains all others. Copies of an image are in the same fold.
    `number` is at least 2, and every class must have at least so many images.
    """
    if number < 2:
        raise SettingsError(f"The number of folds is {number}; it is at least 2.")
    for name, count in zip(images.synsets, _counts(images).tolist()):
        if count < number:
            raise ImageFolderError(
                f"{images.root} has {count} image{'s' * (count != 1)} of {name}; for {number} folds, at least "
                f"{number} are needed. Use fewer folds."
            )
    first = find_copies(images)
    together = len(np.unique(first)) < len(first)
    cutter = StratifiedGroupKFold if together else StratifiedKFold
    cuts = cutter(number, shuffle=True, random_state=seed)
    parts = cuts.split(images.labels, images.labels, first if together else None)
    return [(images.subset(train.tolist()), images.subset(test.tolist())) for train, test in parts]


def imbalanced(images: ImageFolder, ratio: float, rare: str, seed: int = 0) -> ImageFolder:
    """Return an imbalanced subset: a random part of the class `rare`, and all images of the other classes.

    `ratio` is the number of images of the most frequent other class for each image of the rare class, 1 or more. With
    the same seed the subsets are nested: the images at ratio 20 are among the images at ratio 5.

    Raises
    ------
    ImageFolderError, SettingsError
        If the class does not exist, has too few images for the ratio, or would have no image.
    """
    if rare not in images.synsets:
        raise SettingsError(f"There is no class {rare!r}; choose from {', '.join(images.synsets)}.")
    if not 1 <= ratio < np.inf:
        raise SettingsError(f"ratio is {ratio}; it is 1 (balanced) or more.")
    numbers, label = _counts(images), images.synsets.index(rare)
    most = int(np.delete(numbers, label).max())
    numbers[label] = round(most / ratio)
    if numbers[label] < 1:
        raise SettingsError(f"ratio is {ratio:g}: another class has {most} images, so none of {rare} would be left.")
    return _draw(images, numbers, seed)[0]


def _counts(images: ImageFolder) -> np.ndarray:
    return np.bincount(images.labels, minlength=len(images.synsets))


def _draw(images: ImageFolder, numbers: np.ndarray, seed: int) -> tuple[ImageFolder, ImageFolder]:
    """Return a random subset with the given number of images of each class, and the remaining images."""
    if not images.synsets:
        raise ImageFolderError(f"{images.root} has no classes, so there is no number of images of each class.")
    rng, labels = np.random.default_rng(seed), images.labels
    chosen: list[int] = []
    for label, (name, number) in enumerate(zip(images.synsets, numbers.tolist())):
        members = rng.permutation(np.flatnonzero(labels == label)).tolist()
        if len(members) < number:
            raise ImageFolderError(f"{images.root} has {len(members)} images of {name}; {number} are needed.")
        chosen += members[:number]
    return images.subset(sorted(chosen)), images.subset(sorted({*range(len(images))} - {*chosen}))
