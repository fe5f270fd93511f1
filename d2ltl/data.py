"""Folders of images."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mxnet.gluon.data.vision import ImageFolderDataset
from tqdm.auto import tqdm

from d2ltl.decoding import DecodedImages, PathLike, to_mx
from d2ltl.errors import ImageFolderError

logger = logging.getLogger(__name__)

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
CLUTTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})  # what file managers leave; hidden files besides
CACHE_BYTES = 2**30  # of decoded images that an ImageFolder keeps
TEST_SHARE = 0.2  # of every class, where a folder has no train/ and test/ of its own

Pair = tuple["ImageFolder", "ImageFolder"]  # to train, to test


class ImageFolder(ImageFolderDataset):
    """Images in one folder per class: Gluon's `ImageFolderDataset`, for whatever images a folder holds.

    JPEG, PNG, WebP, GIF (first frame), BMP and TIFF of any mode become RGB: EXIF rotation is applied,
    transparency put on white. Hidden files and the files of file managers are passed over, other files that are
    no images too, with a warning. Each image is decoded once and kept, as long as all together take less than a GiB;
    those past it are decoded every time.

    Parameters
    ----------
    root : path
        The folder that holds the class folders.

    Attributes
    ----------
    root : str
    synsets : list of str
        The names of the classes, in the order of their labels.
    items : list of (str, int)
        File and label of every image.
    skipped : list of str
        The files that `drop_unreadable` left out.

    Raises
    ------
    ImageFolderError
        If there is no such folder, or fewer than two class folders in it, or no image in one of them.
    """

    def __init__(self, root: PathLike) -> None:
        self.root = os.fspath(root)
        self.skipped: list[str] = []
        self._decoded = DecodedImages(CACHE_BYTES)
        super().__init__(self.root)

    def _list_images(self, root: str) -> None:  # overrides Gluon's, which accepts empty and single classes
        folders = class_folders(root)
        if len(folders) < 2:
            found = f"{len(folders)} class folder{'s' * (len(folders) != 1)}"
            names = f" ({', '.join(folder.name for folder in folders)})" if folders else ""
            raise ImageFolderError(f"{root} has {found}{names}; at least 2 are needed, one for each class.")
        self.synsets = [folder.name for folder in folders]
        self.items = []
        for label, folder in enumerate(folders):
            images = [path for path in _visible(folder) if _is_image(path)]
            if not images:
                kinds = ", ".join(sorted(IMAGE_SUFFIXES))
                raise ImageFolderError(f"{folder} holds no image ({kinds}). Add some, or remove the folder.")
            self.items += [(os.fspath(path), label) for path in images]

    def __getitem__(self, idx: int) -> tuple[Any, int]:
        """Return one image, as an MXNet array (height, width, 3) of uint8 RGB values, and its label."""
        path, label = self.items[idx]
        return to_mx(self._decoded.read(path)), label

    @property
    def labels(self) -> np.ndarray:
        """The labels of all images, int64, shape (N,)."""
        return np.array([label for _, label in self.items], dtype=np.int64)

    def subset(self, indices: Sequence[int]) -> ImageFolder:
        """Return the images at `indices`, with the same classes."""
        part = object.__new__(ImageFolder)
        part.__dict__.update(self.__dict__, items=[self.items[i] for i in indices], skipped=[*self.skipped])
        return part

    def relabel(self, names: Sequence[str | None]) -> ImageFolder:
        """Return the images with other classes: those of `names`, one name per image, sorted; None leaves one out."""
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
        """Return the images of some classes, which are then all there are."""
        wanted = set(classes)
        if unknown := wanted - set(self.synsets):
            raise ImageFolderError(f"{self.root} has no class {min(unknown)}; it has {', '.join(self.synsets)}.")
        names = [self.synsets[label] for _, label in self.items]
        return self.relabel([name if name in wanted else None for name in names])

    def drop_unreadable(self) -> ImageFolder:
        """Return the images that can be read; the others are logged and listed in `skipped`."""
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
    """All images in a folder and in the folders in it, whatever these are called: without classes, labelled 0.

    Parameters
    ----------
    root : path

    Raises
    ------
    ImageFolderError
        If there is no image.
    """

    def _list_images(self, root: str) -> None:
        if not Path(root).is_dir():
            raise ImageFolderError(f"{root} is not a folder. It should hold images.")
        self.synsets: list[str] = []
        self.items = []
        for folder, folders, _ in os.walk(root):
            visible = _visible(Path(folder))
            folders[:] = [path.name for path in visible if path.is_dir()]
            images = [path for path in visible if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
            self.items += [(os.fspath(path), 0) for path in images]
        if not self.items:
            raise ImageFolderError(f"{root} holds no image, nor do the folders in it.")


def class_folders(root: PathLike) -> list[Path]:
    """Return the visible folders in `root`, sorted by name.

    Raises
    ------
    ImageFolderError
        If `root` is not a folder.
    """
    if not Path(root).is_dir():
        raise ImageFolderError(f"{root} is not a folder. It should hold one folder of images for each class.")
    return [path for path in _visible(Path(root)) if path.is_dir()]


def _visible(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and p.name.lower() not in CLUTTER)


def _holds_images(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_SUFFIXES for path in _visible(folder))


def _is_image(path: Path) -> bool:
    if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
        return True
    logger.warning("ignored %s, which is not an image", path)
    return False


def load_images(root: PathLike, *, seed: int = 0, skip_unreadable: bool = False) -> tuple[ImageFolder, ImageFolder]:
    """Return the training and the test images of a folder.

    Parameters
    ----------
    root : path
        Holds ``train/`` and ``test/`` (or ``val/``), each with one folder per class, as the book's hot dogs do
        (section 13.2). Or it holds the class folders themselves: then a fifth of every class, drawn with `seed`,
        becomes the test set.
    seed : int
        Seed of that split; unused where the folder brings its own.
    skip_unreadable : bool
        Read every image once, and leave out (and log, and list in `skipped`) those that cannot be read. Otherwise
        the first such image ends the run with an error that names it.

    Raises
    ------
    ImageFolderError
        If the folder is not laid out in one of these ways, or the classes of the two parts differ.
    """
    # A class may be called train (bus, car, …): then the folder holds images itself.
    names = {folder.name.lower(): folder for folder in class_folders(root) if not _holds_images(folder)}
    test = names.get("test", names.get("val"))
    if "train" in names and test is not None:
        pair = as_pair((ImageFolder(names["train"]), ImageFolder(test)), os.fspath(root))
    elif "train" in names or test is not None:
        missing = "a test (or val)" if "train" in names else "a train"
        raise ImageFolderError(f"{root} has {', '.join(sorted(names))} but not {missing} folder beside it.")
    else:
        pair = _split(ImageFolder(root), seed)
    return (pair[0].drop_unreadable(), pair[1].drop_unreadable()) if skip_unreadable else pair


def as_pair(data: PathLike | Pair, name: str = "The data set") -> Pair:
    """Return training and test images: those of a folder (`load_images`), or the pair itself, once it is checked.

    Raises
    ------
    ImageFolderError
        If a part is empty, or the classes differ; `name` is what the message calls the data set.
    """
    if isinstance(data, (str, os.PathLike)):
        return load_images(data)
    train, test = data
    for part, purpose in ((train, "train"), (test, "test")):
        if not len(part):
            raise ImageFolderError(f"{name} has no image to {purpose}.")
    if train.synsets and (difference := set(train.synsets) ^ set(test.synsets)):  # `UnlabelledImages` have none
        purposes = ("train", "test") if min(difference) in train.synsets else ("test", "train")
        raise ImageFolderError("{} has a class {} to {}, but not to {}.".format(name, min(difference), *purposes))
    return train, test


def check_every_class(images: ImageFolder, purpose: str) -> None:
    """Refuse images that lack one of their classes; `purpose` is what the message says they are for."""
    if missing := set(range(len(images.synsets))) - set(images.labels.tolist()):
        raise ImageFolderError(f"{images.root} has no image of {images.synsets[min(missing)]} to {purpose}.")


def unlabelled(images: PathLike | ImageFolderDataset) -> ImageFolderDataset:
    """Return the images of a folder without a look at its classes (`UnlabelledImages`), or the data set itself."""
    images = UnlabelledImages(images) if isinstance(images, (str, os.PathLike)) else images
    if not len(images):
        raise ImageFolderError("The data set has no image.")
    return images


def _split(images: ImageFolder, seed: int) -> tuple[ImageFolder, ImageFolder]:
    rng = np.random.default_rng(seed)
    train: list[int] = []
    test: list[int] = []
    for label, name in enumerate(images.synsets):
        members = rng.permutation(np.flatnonzero(images.labels == label)).tolist()
        if len(members) < 2:
            raise ImageFolderError(f"{images.root}/{name} has 1 image; at least 2 are needed, to train and to test.")
        num_test = max(1, round(TEST_SHARE * len(members)))
        test += members[:num_test]
        train += members[num_test:]
    logger.info("%s has no train/ and test/: %d images to train, %d to test, seed %d", images.root, len(train),
                len(test), seed)  # fmt: skip
    return images.subset(sorted(train)), images.subset(sorted(test))
