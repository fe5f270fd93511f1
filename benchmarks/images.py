"""The images that every peer gets: some of a data set, in the book's layout."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from d2ltl.data import ImageFolder


def link_images(pair: tuple[ImageFolder, ImageFolder], counts: tuple[int, int], folder: Path) -> None:
    """Fill a folder with links to images, in ``train/`` and ``test/`` and a folder for each class.

    The classes take turns. Where there are fewer images than asked for, they come again under other names.

    Parameters
    ----------
    pair : pair of ImageFolder
        To train and to test.
    counts : pair of int
        How many of each, at least one of every class; 0 stands for all.
    folder : Path
    """
    for name, images, count in zip(("train", "test"), pair, counts):
        wanted = max(count or len(images), len(images.synsets))
        for i, (path, label) in enumerate(itertools.islice(itertools.cycle(_by_turns(images)), wanted)):
            link = folder / name / images.synsets[label] / f"{i:05}{Path(path).suffix}"
            link.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(os.path.abspath(path), link)


def _by_turns(images: ImageFolder) -> list[tuple[str, int]]:
    """Return path and label of every image, the classes in turn."""
    classes = [[item for item in images.items if item[1] == label] for label in range(len(images.synsets))]
    return [item for turn in itertools.zip_longest(*classes) for item in turn if item]
