"""Data sets of images in folders."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mxnet.gluon.data.vision import ImageFolderDataset
from tqdm.auto import tqdm

from d2ltl.arrays import to_mx
from d2ltl.data.decoding import REMEDY, DecodedImages
from d2ltl.data.formats import SUFFIXES, PathLike, fault_of, is_image
from d2ltl.errors import ImageFolderError
from d2ltl.files import printable

logger = logging.getLogger(__name__)

CLUTTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})  # files of file managers; ignored, as are hidden files
CACHE_BYTES = 2**30  # size limit of the decoded images that an ImageFolder keeps


class ImageFolder(ImageFolderDataset):
    """Data set of images with one folder per class; extends Gluon's `ImageFolderDataset`.

    ``images[i]`` is an MXNet array (height, width, 3) of uint8, and its label, an index of the class names `synsets`.
    `items` are the files and labels; `skipped` are the files that `drop_unreadable` left out. All formats that Pillow
    reads (of a moving image the first frame) are converted to RGB, with EXIF rotation and a white background; the first
    bytes of a file say its format, not the suffix. Hidden files are ignored, other files that are not images are
    ignored with a warning. Decoded images are cached up to 1 GiB in all. Pixels of more than 8 bits are scaled by the
    range in use in all the images.
    """

    def __init__(self, root: PathLike) -> None:
        self.root = os.fspath(root)
        self.skipped: list[str] = []
        super().__init__(self.root)
        self._decoded = DecodedImages(CACHE_BYTES, [path for path, _ in self.items])

    def _list_images(self, root: str) -> None:  # overrides Gluon's method, which accepts empty classes and one class
        folders = class_folders(root)
        if len(folders) < 2:
            found = f"{len(folders)} class folder{'s' * (len(folders) != 1)}"
            names = f" ({', '.join(folder.name for folder in folders)})" if folders else ""
            raise ImageFolderError(f"{root} has {found}{names}; at least 2 are needed, one for each class.")
        self.synsets = [printable(folder.name) for folder in folders]
        self.items = []
        for label, folder in enumerate(folders):
            images = [path for path in visible(folder) if _is_image(path)]
            if not images:
                kinds = ", ".join(sorted(SUFFIXES))
                raise ImageFolderError(f"{folder} holds no image ({kinds}). Add some, or move the folder elsewhere.")
            self.items += [(os.fspath(path), label) for path in images]

    @classmethod
    def of(cls, images: ImageFolderDataset) -> ImageFolder:
        """Return Gluon's data set as an `ImageFolder` with the same files, labels and classes."""
        if isinstance(images, ImageFolder):
            return images
        if not isinstance(images, ImageFolderDataset):
            kinds = "a name of the data hub, a folder, an archive, an ImageFolderDataset, or a pair of these"
            raise ImageFolderError(f"The data set is a {type(images).__name__}; give {kinds}.")
        if images._transform or images._flag != 1:  # d2ltl reads RGB images, and augments them itself
            raise ImageFolderError(
                f"The data set of {images._root} has a transform or a flag. Give one without them: the arguments "
                "train_augs and test_augs say how images are prepared."
            )
        folder = object.__new__(cls)
        folder.__dict__.update(images.__dict__)
        folder.root = images._root  # Gluon has no public name for it
        folder.skipped = []
        folder._decoded = DecodedImages(CACHE_BYTES, [path for path, _ in folder.items])
        return folder

    def __getitem__(self, idx: int) -> tuple[Any, int]:
        """Return an image, an MXNet array (height, width, 3) of uint8 RGB values, and its label."""
        return to_mx(self.read(idx)), self.items[idx][1]

    def read(self, idx: int) -> np.ndarray:
        """Return the pixels of an image: uint8, shape (height, width, 3), RGB."""
        return self._decoded.read(self.items[idx][0])

    @property
    def labels(self) -> np.ndarray:
        """Labels of all images: int64, shape (N,)."""
        return np.array([label for _, label in self.items], dtype=np.int64)

    def subset(self, indices: Sequence[int]) -> ImageFolder:
        """Return the images at `indices`, with the same classes."""
        part = object.__new__(ImageFolder)
        part.__dict__.update(self.__dict__, items=[self.items[i] for i in indices], skipped=[*self.skipped])
        return part

    def relabel(self, names: Sequence[str | None]) -> ImageFolder:
        """Return the images with new classes, sorted by name, from the class name of each image; None leaves it out."""
        if len(names) != len(self):
            raise ImageFolderError(f"{self.root} has {len(self)} images, but {len(names)} class names are given.")
        synsets = sorted({name for name in names if name is not None})
        if len(synsets) < 2:
            raise ImageFolderError(f"{self.root}: the class names given are {synsets}; at least 2 are needed.")
        part = self.subset([])
        part.synsets = synsets
        part.items = [(path, synsets.index(name)) for (path, _), name in zip(self.items, names) if name is not None]
        return part

    def only(self, classes: Iterable[str]) -> ImageFolder:
        """Return the images of the given classes, at least two; the result has no other classes."""
        wanted = set(classes)
        if unknown := wanted - set(self.synsets):
            raise ImageFolderError(f"{self.root} has no class {min(unknown)}; it has {', '.join(self.synsets)}.")
        names = [self.synsets[label] for _, label in self.items]
        return self.relabel([name if name in wanted else None for name in names])

    def scale_as(self, images: ImageFolder) -> None:
        """Scale pixels of more than 8 bits by the range in use in other images: those to train."""
        self._decoded.paths = images._decoded.paths

    def check_files(self) -> ImageFolder:
        """Return the images; raise ImageFolderError if the first bytes of a file show that it cannot be read."""
        faults = [f"{path} cannot be read as an image ({fault})" for path, _ in self.items if (fault := fault_of(path))]
        if faults:
            more = f", nor can {len(faults) - 1} more of the {len(self)} files" if faults[1:] else ""
            raise ImageFolderError(f"{faults[0]}{more}. {REMEDY}")
        return self

    def drop_unreadable(self) -> ImageFolder:
        """Return the images that can be read. The other images are logged and listed in `skipped`."""
        readable, skipped = [], []
        for i, (path, _) in enumerate(tqdm(self.items, desc=f"checking {self.root}", disable=None, leave=False)):
            try:
                self._decoded.read(path)
                readable.append(i)
            except ImageFolderError as error:
                logger.warning("skipped: %s", error)
                skipped.append(path)
        part = self.subset(readable)
        part.skipped += skipped
        check_every_class(part, "read")
        return part


class UnlabelledImages(ImageFolder):
    """Data set of all images in a folder and its subfolders, except hidden ones, without classes. Every label is 0."""

    def _list_images(self, root: str) -> None:
        if not Path(root).is_dir():
            raise ImageFolderError(f"{root} is not a folder. It should hold images.")
        self.synsets: list[str] = []
        self.items = []
        for folder, folders, _ in os.walk(root):
            shown = visible(Path(folder))
            folders[:] = [path.name for path in shown if path.is_dir()]
            images = [path for path in shown if is_image(path)]
            self.items += [(os.fspath(path), 0) for path in images]
        if not self.items:
            raise ImageFolderError(f"{root} holds no image, nor do the folders in it.")


def check_every_class(images: ImageFolder, purpose: str) -> None:
    """Raise ImageFolderError if a class has no image. `purpose`, such as ``'train'``, completes the message."""
    if missing := set(range(len(images.synsets))) - set(images.labels.tolist()):
        raise ImageFolderError(f"{images.root} has no image of {images.synsets[min(missing)]} to {purpose}.")


def class_folders(root: PathLike) -> list[Path]:
    """Return the visible folders in `root`, sorted by name; raise ImageFolderError if it is not a folder."""
    if not Path(root).is_dir():
        raise ImageFolderError(f"{root} is not a folder. It should hold one folder of images for each class.")
    return [path for path in visible(Path(root)) if path.is_dir()]


def visible(folder: Path) -> list[Path]:
    """Return the sorted entries of a folder, without hidden files and files of file managers."""
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and p.name.lower() not in CLUTTER)


def holds_images(folder: Path) -> bool:
    """Return whether a folder directly contains images."""
    return any(is_image(path) for path in visible(folder))


def _is_image(path: Path) -> bool:
    if is_image(path):
        return True
    logger.warning("ignored %s, which is not an image", path)
    return False
