"""Data sets of images in folders."""

from __future__ import annotations

import functools
import logging
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from mxnet.gluon.data.vision import ImageFolderDataset

from _data_hub.language import N_, _
from d2ltl.arrays import to_mx
from d2ltl.data.decoding import REMEDY, DecodedImages, Detail, Levels
from d2ltl.data.formats import SUFFIXES, PathLike, fault_of
from d2ltl.data.layout import Folder, find_classes
from d2ltl.data.scanning import hint_for, scan
from d2ltl.datasets import find_data
from d2ltl.errors import ImageFolderError
from d2ltl.files import printable
from d2ltl.progress import with_progress

logger = logging.getLogger(__name__)

CACHE_BYTES = 2**30  # size limit of the decoded images that an ImageFolder keeps


class ImageFolder(ImageFolderDataset):
    """Data set of images with one folder per class; extends Gluon's `ImageFolderDataset`.

    ``images[i]`` is an MXNet array (height, width, 3) of uint8, and its label, an index of the class names `synsets`.
    `items` are the files and labels; `skipped` are the files that `drop_unreadable` left out. All formats that Pillow
    reads (of a moving image the first frame) are converted to RGB, with EXIF rotation and a white background; the first
    bytes of a file say its format, not the suffix. Hidden files are ignored, other files that are not images are
    ignored with a warning. Decoded images are cached up to 1 GiB in all. Pixels of more than 8 bits are scaled by the
    range in use in all the images.

    The images of a class are those in its folder and below it. `left_out` has the numbers of files that are no images
    of a class, by reason. `validation` are the images for validation that belong to training images, or None.
    `copies` are sentences about copies of images that `load_images` found.
    """

    def __init__(self, root: PathLike | Folder) -> None:
        self._tree = root if isinstance(root, Folder) else scan(root)
        self._begin(os.fspath(self._tree.path), self._tree.all_left_out())
        super().__init__(self.root)
        self._decoded.paths = [path for path, _ in self.items]

    def _begin(self, root: str, left_out: Counter[str]) -> None:
        """Set the attributes that do not depend on the images."""
        self.root = root
        self.skipped: list[str] = []
        self.left_out = left_out
        self.validation: ImageFolder | None = None
        self.copies: list[str] = []
        self._checked = False
        self._origin: tuple[str, str] | None = None
        self._decoded = DecodedImages(CACHE_BYTES, [])
        self._detail: Detail | None = None

    def _list_images(self, root: str) -> None:  # overrides Gluon's method, which accepts empty classes and one class
        tree = find_classes(self._tree)
        self.root = os.fspath(tree.path)
        if len(tree.folders) < 2:
            found = f"{len(tree.folders)} class folder{'s' * (len(tree.folders) != 1)}"
            names = f" ({', '.join(folder.path.name for folder in tree.folders)})" if tree.folders else ""
            raise ImageFolderError(
                f"{tree.path} has {found}{names}; at least 2 are needed, one for each class.{hint_for(tree)}"
            )
        self.synsets = [printable(folder.path.name) for folder in tree.folders]
        self.items = []
        for label, folder in enumerate(tree.folders):
            images = folder.all_images()
            if not images:
                kinds = ", ".join(sorted(SUFFIXES))
                raise ImageFolderError(
                    f"{folder.path} holds no image ({kinds}). Add some, or move the folder elsewhere."
                )
            self.items += [(os.fspath(path), label) for path in images]
        if below := len(self.items) - sum(len(folder.images) for folder in tree.folders):
            text = _("{folder}: {number} of {all} images are in folders below the class folders")
            logger.info(text.format(folder=printable(self.root), number=below, all=len(self)))
        if outside := len(self._tree.all_images()) - len(self.items):
            self.left_out[N_("images outside of the class folders")] += outside

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
        folder._begin(images._root, Counter())  # Gluon has no public name for it
        folder._decoded.paths = [path for path, _ in folder.items]
        return folder

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the images as names: those of their data set and of the files in it. Pixels do not travel."""
        origin, top = self.origin
        state = {name: value for name, value in self.__dict__.items() if name not in ("_decoded", "_tree", "items")}
        state["root"] = os.path.relpath(self.root, top)
        files = [(os.path.relpath(path, top), label) for path, label in self.items]
        return _arrive, (origin, state, files, self._decoded.levels)

    @property
    def origin(self) -> tuple[str, str]:
        """The data set of the images, as `d2ltl.datasets.find_data` takes it, and its folder on this machine."""
        return self._origin or (os.path.abspath(self.root), os.path.abspath(self.root))

    def come_from(self, data: PathLike, folder: PathLike) -> None:
        """Note the data set of the images, and its folder; see `origin`."""
        name = os.fspath(data)
        self._origin = (os.path.abspath(name) if os.path.exists(name) else name, os.path.abspath(folder))

    def __getitem__(self, idx: int) -> tuple[Any, int]:
        """Return an image, an MXNet array (height, width, 3) of uint8 RGB values, and its label."""
        return to_mx(self.read(idx)), self.items[idx][1]

    def read(self, idx: int) -> np.ndarray:
        """Return the pixels of an image: uint8, shape (height, width, 3), RGB."""
        return self._decoded.read(self.items[idx][0], self._detail)

    def in_detail(self, detail: Detail) -> ImageFolder:
        """Return the images, read in no more detail than is needed."""
        part = self.subset(range(len(self)))
        part._detail = detail
        return part

    @property
    def levels(self) -> Levels | None:
        """The pixels that become black and white, of images with more than 8 bits; None if there are none."""
        return self._decoded.levels

    @property
    def labels(self) -> np.ndarray:
        """Labels of all images: int64, shape (N,)."""
        return np.array([label for _, label in self.items], dtype=np.int64)

    def subset(self, indices: Sequence[int]) -> ImageFolder:
        """Return the images at `indices`, with the same classes."""
        part = object.__new__(ImageFolder)
        part.__dict__.update(self.__dict__, items=[self.items[i] for i in indices], skipped=[*self.skipped],
                             left_out=Counter(self.left_out))  # fmt: skip
        return part

    def relabel(self, names: Sequence[str | None]) -> ImageFolder:
        """Return the images with new classes, sorted by name, from the class name of each image; None leaves it out."""
        if len(names) != len(self):
            raise ImageFolderError(f"{self.root} has {len(self)} images, but {len(names)} class names are given.")
        synsets = sorted({name for name in names if name is not None})
        if len(synsets) < 2:
            raise ImageFolderError(f"{self.root}: the class names given are {synsets}; at least 2 are needed.")
        part, label_of = self.subset([]), {name: label for label, name in enumerate(synsets)}
        part.synsets, part.validation = synsets, None
        part.items = [(path, label_of[name]) for (path, _), name in zip(self.items, names) if name is not None]
        return part

    def only(self, classes: Iterable[str]) -> ImageFolder:
        """Return the images of the given classes, at least two; the result has no other classes."""
        wanted = set(classes)
        if unknown := wanted - set(self.synsets):
            raise ImageFolderError(f"{self.root} has no class {min(unknown)}; it has {', '.join(self.synsets)}.")
        names = [self.synsets[label] for _, label in self.items]
        part = self.relabel([name if name in wanted else None for name in names])
        part.validation = self.validation.only(wanted) if self.validation is not None else None
        return part

    def share_cache(self, images: ImageFolder) -> None:
        """Use the cache of other images, those to train; pixels of more than 8 bits are scaled by their range."""
        self._decoded = images._decoded

    def check_files(self) -> ImageFolder:
        """Return the images; raise ImageFolderError if the first bytes of a file show that it cannot be read.

        Files are checked once; a subset of checked images is checked.
        """
        if self._checked:
            return self
        faults = [f"{path} cannot be read as an image ({fault})" for path, _ in self.items if (fault := fault_of(path))]
        if faults:
            more = f", nor can {len(faults) - 1} more of the {len(self)} files" if faults[1:] else ""
            raise ImageFolderError(f"{faults[0]}{more}. {REMEDY}")
        if self.validation is not None:
            self.validation.check_files()
        self._checked = True
        return self

    def drop_unreadable(self) -> ImageFolder:
        """Return the images that can be read. The other images are logged and listed in `skipped`."""
        readable, skipped = [], []
        work = _("checking {folder}").format(folder=self.root)
        for i, (path, _label) in enumerate(with_progress(self.items, work, "image")):
            try:
                self._decoded.read(path)
                readable.append(i)
            except ImageFolderError as error:
                logger.warning("skipped: %s", printable(str(error)))
                skipped.append(path)
        part = self.subset(readable)
        part.skipped += skipped
        part.validation = self.validation.drop_unreadable() if self.validation is not None else None
        check_every_class(part, "read")
        return part


def _arrive(origin: str, state: dict[str, Any], files: list[tuple[str, int]], levels: Levels | None) -> ImageFolder:
    """Return images that were pickled on another machine, or in another process, as they are found on this one."""
    top = find_data(origin)
    images = object.__new__(ImageFolder)
    images.__dict__.update(state, root=os.path.join(top, state["root"]), _origin=(origin, os.path.abspath(top)))
    images.items = [(os.path.join(top, file), label) for file, label in files]
    images._decoded = _decoded_of(origin, levels)
    return images


@functools.lru_cache(maxsize=1)
def _decoded_of(origin: str, levels: Levels | None) -> DecodedImages:
    """Return the cache that all images of one data set share that arrive in this process."""
    return DecodedImages(CACHE_BYTES, [], levels)


class UnlabelledImages(ImageFolder):
    """Data set of all images in a folder and its subfolders, except hidden ones, without classes. Every label is 0."""

    def _list_images(self, root: str) -> None:
        self.synsets: list[str] = []
        self.items = [(os.fspath(path), 0) for path in self._tree.all_images()]
        if not self.items:
            raise ImageFolderError(f"{root} holds no image, nor do the folders in it.{hint_for(self._tree)}")


def check_every_class(images: ImageFolder, purpose: str) -> None:
    """Raise ImageFolderError if a class has no image. `purpose`, such as ``'train'``, completes the message."""
    if missing := set(range(len(images.synsets))) - set(images.labels.tolist()):
        raise ImageFolderError(f"{images.root} has no image of {images.synsets[min(missing)]} to {purpose}.")
