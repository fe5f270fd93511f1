"""Conversion of the argument `data` of many functions to a pair of training and test images, or to one of them."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Union, cast

from mxnet.gluon.data.vision import ImageFolderDataset

from d2ltl.data.duplicates import warn_of_copies
from d2ltl.data.folders import ImageFolder, UnlabelledImages, class_folders, holds_images
from d2ltl.data.formats import PathLike
from d2ltl.data.subsets import split
from d2ltl.datasets import find_data
from d2ltl.errors import ImageFolderError

logger = logging.getLogger(__name__)

TEST_SHARE = 0.2  # share of every class for the test set, if a folder has no train/ and test/

Pair = tuple[ImageFolder, ImageFolder]  # training images, test images
Data = Union[PathLike, Pair]  # a name of the data hub, a folder, an archive, or a pair
Images = Union[Data, ImageFolderDataset]  # any of these, or one part of a pair


def load_images(
    root: PathLike, *, seed: int = 0, skip_unreadable: bool = False, check_duplicates: bool = False
) -> Pair:
    """Return the training and the test images of a data set.

    Parameters
    ----------
    root : str or path
        A name of the data hub, an archive, or a folder. (Write ``./hotdog`` for a folder with the name of a data hub
        entry.) The folder contains ``train/`` and ``test/`` (or ``val/``), each with one folder per class, like the
        book's hot dog data (section 13.2). Or it contains the class folders directly; then a random fifth of every
        class becomes the test set.
    seed : int
        Seed of the random split. It has no effect if the folder contains ``train/`` and ``test/``.
    skip_unreadable : bool
        Whether to read every image once and leave out those that cannot be read. They are logged and listed in
        `ImageFolder.skipped`. If False, such an image raises an error when it is first used, or before a training if
        its first bytes show that it is no image.

    check_duplicates : bool
        Whether to look for near-duplicates, too, which needs the package `imagehash` and decodes all images. Copies of
        an image are always looked for. A warning counts and names them, and a random split keeps them together.

    Returns
    -------
    pair of ImageFolder
        Data sets with `synsets` (class names), `items` (files and labels) and `labels` (int64, shape (N,)).

    Raises
    ------
    DataHubError, ImageFolderError
        If an archive cannot be used, the folder has neither layout, or the classes of the two parts differ.
    """
    folder = find_data(root)
    if parts := _parts(folder):
        pair = _as_folders((ImageFolder(parts[0]), ImageFolder(parts[1])), os.fspath(root))
        pair[1].scale_as(pair[0])
    else:
        images = ImageFolder(folder)
        pair = split(images, TEST_SHARE, seed)
        logger.info("%s has no train/ and test/: %d images to train, %d to test, seed %d", images.root, *map(len, pair),
                    seed)  # fmt: skip
    if skip_unreadable:
        pair = pair[0].drop_unreadable(), pair[1].drop_unreadable()
    warn_of_copies(*pair, near=check_duplicates)
    return pair


def _parts(root: PathLike) -> tuple[Path, Path] | None:
    """Return the folders of the training and the test images, or None if the folder is not split."""
    # A class may be named train (bus, car, …). Such a folder directly contains images.
    names = {folder.name.lower(): folder for folder in class_folders(root) if not holds_images(folder)}
    test = names.get("test", names.get("val"))
    if "train" in names and test is not None:
        return names["train"], test
    if "train" in names or test is not None:
        missing = "a test (or val)" if "train" in names else "a train"
        raise ImageFolderError(f"{root} has {', '.join(sorted(names))} but not {missing} folder beside it.")
    return None


def as_pair(
    data: Data, name: str = "The data set", *, skip_unreadable: bool = False, check_duplicates: bool = False
) -> Pair:
    """Return the training and the test images of `data`: the argument of `load_images`, or the pair that it returns.

    The parts of the pair may be Gluon's `ImageFolderDataset`. The message of an ImageFolderError begins with `name`.
    `skip_unreadable` and `check_duplicates` are those of `load_images`.
    """
    if isinstance(data, (str, os.PathLike)):
        train, test = load_images(data, skip_unreadable=skip_unreadable, check_duplicates=check_duplicates)
    else:
        train, test = _as_folders(data, name)
        if skip_unreadable:
            train, test = train.drop_unreadable(), test.drop_unreadable()
        if check_duplicates:
            warn_of_copies(train, test, near=True)
    return train.check_files(), test.check_files()


def _as_folders(data: Pair, name: str) -> Pair:
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ImageFolderError(
            f"{name} is a {type(data).__name__}; give a name of the data hub, a folder, an archive, or a pair of "
            "images to train and to test, as load_images returns it."
        )
    train, test = map(ImageFolder.of, data)
    for part, purpose in ((train, "train"), (test, "test")):
        if not len(part):
            raise ImageFolderError(f"{name} has no image to {purpose}.")
    if train.synsets and (difference := set(train.synsets) ^ set(test.synsets)):  # `UnlabelledImages` has no classes
        purposes = ("train", "test") if min(difference) in train.synsets else ("test", "train")
        raise ImageFolderError("{} has a class {} to {}, but not to {}.".format(name, min(difference), *purposes))
    return train, test


def name_of(data: Data) -> str:
    """Return a name for `data`: its name or path, or for a pair its common folder and the numbers of images."""
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data)
    train, test = as_pair(data)
    folder = os.path.commonpath([os.path.abspath(part.root) for part in (train, test)])
    return f"{folder} ({len(train)} + {len(test)} images)"


def as_images(data: Images) -> ImageFolder:
    """Return the images to evaluate: the test images if `data` has two parts, otherwise all images."""
    if isinstance(data, (tuple, list)):
        return as_pair(cast(Pair, data))[1]
    if isinstance(data, (str, os.PathLike)):
        folder = find_data(data)
        return load_images(Path(folder))[1] if _parts(folder) else ImageFolder(folder)  # a Path is no name of the hub
    return ImageFolder.of(data)


def unlabelled(images: PathLike | ImageFolderDataset) -> ImageFolder:
    """Return a folder as `UnlabelledImages`, or one data set (no pair); raise ImageFolderError if it has no image."""
    images = UnlabelledImages(find_data(images)) if isinstance(images, (str, os.PathLike)) else ImageFolder.of(images)
    if not len(images):
        raise ImageFolderError("The data set has no image.")
    return images
