"""The images for all peers: a part of a data set, in the book's layout."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from d2ltl.data.folders import ImageFolder


def link_images(pair: tuple[ImageFolder, ImageFolder], counts: tuple[int, int], folder: Path) -> None:
    """Create a folder of symbolic links to images, with ``train/`` and ``test/`` and one folder per class.

    `counts` are the numbers of training and test images; 0 means all. At least one image of every class is linked. The
    classes alternate. If there are not enough images, they are repeated under other names.
    """
    for name, images, count in zip(("train", "test"), pair, counts):
        wanted = max(count or len(images), len(images.synsets))
        for i, (path, label) in enumerate(itertools.islice(itertools.cycle(_by_turns(images)), wanted)):
            link = folder / name / images.synsets[label] / f"{i:05}{Path(path).suffix}"
            link.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(os.path.abspath(path), link)


def _by_turns(images: ImageFolder) -> list[tuple[str, int]]:
    """Return path and label of every image, in alternating order of the classes."""
    classes = [[item for item in images.items if item[1] == label] for label in range(len(images.synsets))]
    return [item for turn in itertools.zip_longest(*classes) for item in turn if item]
