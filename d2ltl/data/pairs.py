"""Conversion of the argument `data` of many functions to a pair of training and test images, or to one of them."""

from __future__ import annotations

import logging
import os
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Union, cast

from mxnet.gluon.data.vision import ImageFolderDataset

from _data_hub.language import N_, _, retell
from d2ltl.data.decoding import Levels
from d2ltl.data.duplicates import note_copies
from d2ltl.data.folders import ImageFolder, UnlabelledImages
from d2ltl.data.formats import PathLike
from d2ltl.data.layout import REASONS, TEST, TRAIN, UNKNOWN, VALIDATION, Folder, find_classes, find_layout, is_divided
from d2ltl.data.photographs import Photograph, Photographs, is_single
from d2ltl.data.scanning import scan
from d2ltl.data.subsets import split
from d2ltl.data.tables import classes_of, find_table
from d2ltl.datasets import find_data
from d2ltl.errors import ImageFolderError
from d2ltl.files import printable

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
        entry.) The folder contains ``train/`` and ``test/``, each with one folder per class, like the book's hot dog
        data (section 13.2). Other usual names are understood, such as ``Training`` or ``test_set``, and ``val/`` if
        there is no test folder. Or it contains the class folders directly; then a random fifth of every class becomes
        the test set. Or the images lie side by side, and ``labels.csv`` has the class of each. See Notes.
    seed : int
        Seed of the random split. It has no effect if the folder has test images with classes.
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
        Data sets with `synsets` (class names), `items` (files and labels), `labels` (int64, shape (N,)), `left_out`
        (numbers of files by the reason) and `validation`: the `ImageFolder` of ``val/`` if the folder has all three
        parts, else None.

    Raises
    ------
    DataHubError, ImageFolderError
        If an archive cannot be used, the folder has none of these layouts, or the classes of the parts differ.

    Notes
    -----
    All images below a class folder belong to the class, except masks: an image that marks the pixels of another one,
    such as ``a.png`` of ``a.jpg``, ``a_mask.png`` of ``a.png``, or ``masks/a.png`` of ``images/a.png``. The data set
    may lie in a single folder below `root`. A part without known classes, such as Kaggle's ``test/``, is left out, and
    so are images outside of the parts and the class folders. A warning counts what is left out.

    `labels.csv` has a column with the name of each image (``file`` or ``id``, or the first one; the suffix may be
    missing) and one with its class (``label`` or ``breed``, or the only other one). It lies beside the images or above
    them, and may be called ``train.csv`` or ``trainLabels.csv`` too.
    """
    folder = find_data(root)
    parts, _divided = _read(Path(folder))
    for images in parts.values():
        images.come_from(root, folder)
    train, test = _as_folders(_train_and_test(parts, seed), os.fspath(root))
    for part in filter(None, (test, train.validation)):
        part.share_cache(train)
    if skip_unreadable:
        train, test = train.drop_unreadable(), test.drop_unreadable()
    note_copies(train, test, near=check_duplicates)
    return train, test


def _train_and_test(parts: dict[str, ImageFolder], seed: int) -> Pair:
    """Return the training and test images; if there are no test images, those for validation, or drawn ones."""
    train = parts[TRAIN]
    if TEST in parts:
        train.validation = parts.get(VALIDATION)
        return train, parts[TEST]
    if VALIDATION in parts:
        return train, parts[VALIDATION]
    pair = split(train, TEST_SHARE, seed)
    pair[1].left_out.clear()  # it is counted with the training images
    text = _(
        "{folder}: no test images with classes, so a fifth is drawn: {train} images to train, {test} to test, "
        "seed {seed}"
    )
    logger.info(text.format(folder=printable(train.root), train=len(pair[0]), test=len(pair[1]), seed=seed))
    return pair


def _read(folder: Path) -> tuple[dict[str, ImageFolder], bool]:
    """Return the parts of a data set that have classes, by their use, and whether it has folders for its parts."""
    layout = find_layout(scan(folder))
    part = layout.parts[TRAIN]
    train = _with_classes(part, _names_by_table(part, folder))
    train.left_out += layout.left_out
    parts = {TRAIN: train}
    for use, part in layout.parts.items():
        if use == TRAIN:
            continue
        names = _names_by_table(part, folder, train)
        if any(names) or _has_known_classes(part, train):
            parts[use] = _with_classes(part, names)
        else:
            train.left_out[UNKNOWN.format(folder=part.path.name)] += len(part.all_images())
    if left_out := describe_numbers(sum((images.left_out for images in parts.values()), Counter())):
        logger.warning("%s", printable(_("{folder}: left out {files}").format(folder=folder, files=left_out)))
    return parts, layout.divided


def describe_numbers(left_out: Mapping[str, int]) -> str:
    """Return the numbers of files that were left out, each with its reason, as a text."""
    told = {retell(reason, *REASONS): number for reason, number in left_out.items() if number}
    return _(", ").join(f"{reason} ({number})" for reason, number in told.items())


def _with_classes(part: Folder, names: list[str | None]) -> ImageFolder:
    """Return the images of a part with the classes `names` from a table, if there are any, or those of its folders."""
    if not any(names):
        return ImageFolder(part)
    images = UnlabelledImages(part).relabel(names)
    images.left_out[N_("images that the table of labels does not list")] += names.count(None)
    return images


def _has_known_classes(part: Folder, train: ImageFolder) -> bool:
    """Return False for a part of loose images, and for one with a single folder such as the book's ``test/unknown``."""
    classes = {folder.path.name for folder in find_classes(part).filled()}
    return len(classes) > 1 or not classes.isdisjoint(train.synsets) or not part.all_images()


def _names_by_table(part: Folder, top: Path, train: ImageFolder | None = None) -> list[str | None]:
    """Return the class of each image of a part by its table, if it has no class folders; see `find_table`."""
    table = None if len(find_classes(part).filled()) > 1 else find_table(part.path, top)
    if table is None:
        return []
    # A name without folder means a training image if there is one of this name.
    others = () if train is None or table.parent == part.path else (Path(path).stem for path, _label in train.items)
    images = part.all_images()
    names = classes_of(images, table, frozenset(others))
    if images and train is None and not any(names):
        raise ImageFolderError(
            f"{table} lists none of the {len(images)} images in {part.path}, such as {images[0].name}. The column file "
            "(or the first one) must have the name of each image, and the column label its class."
        )
    if any(names):
        text, found = _("{table} has the classes of {number} of {all} images"), len(names) - names.count(None)
        logger.info(text.format(table=printable(f"{table}"), number=found, all=len(names)))
    return names


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
            note_copies(train, test, near=True)
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
    if train.synsets:  # `UnlabelledImages` has no classes
        _check_same_classes(name, train, test, "to test")
        if train.validation is not None:
            _check_same_classes(name, train, train.validation, "for validation")
    return train, test


def _check_same_classes(name: str, train: ImageFolder, other: ImageFolder, purpose: str) -> None:
    """Raise ImageFolderError if the classes differ. It names all that do, and pairs that are one name in two forms."""
    ours = [synset for synset in train.synsets if synset not in other.synsets]
    others = [synset for synset in other.synsets if synset not in train.synsets]
    differences = [
        f"{'a class' if len(synsets) == 1 else 'the classes'} {', '.join(synsets)} {one}, but not {another}"
        for synsets, one, another in ((ours, "to train", purpose), (others, purpose, "to train"))
        if synsets
    ]
    if differences:
        forms = [form for one in ours for another in others if (form := _difference_in_form(one, another))]
        raise ImageFolderError(" ".join([f"{name} has {', and '.join(differences)}.", *forms]))


def _difference_in_form(one: str, other: str) -> str:
    """Return a sentence if two names differ only in Unicode form, case, blanks or hyphens; otherwise an empty text."""
    if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        return f"{one} is written in two Unicode forms, {one!a} and {other!a}: give both folders the same name."
    if _folded(one) == _folded(other):
        return f"{one} and {other} differ only in case, blanks or hyphens: give both folders the same name."
    return ""


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().replace("_", " ").replace("-", " ").split())


def pool(pair: Pair) -> ImageFolder:
    """Return the images of both parts, and those for validation, as one set."""
    parts = [part for part in (pair[0], pair[0].validation, pair[1]) if part is not None]
    images = parts[0].subset([])
    images.validation = None
    images.items = [item for part in parts for item in part.items]
    images.skipped = [path for part in parts for path in part.skipped]
    return images


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
        parts, divided = _read(Path(find_data(data)))
        return as_pair(_train_and_test(parts, seed=0))[1] if divided else parts[TRAIN]
    return ImageFolder.of(data)


def as_photographs(data: Images | Photograph | Sequence[Photograph], levels: Levels | None = None) -> ImageFolder:
    """Return the images to classify: those of `as_images`, or photographs without classes (see `Photographs`).

    A folder holds photographs without classes if an image lies beside its folders, or if it has less than two folders;
    unless there is a table of classes.
    """
    is_pair = isinstance(data, (tuple, list)) and any(isinstance(part, ImageFolderDataset) for part in data)
    if is_pair or isinstance(data, ImageFolderDataset):
        return as_images(cast(Images, data))
    if isinstance(data, (str, os.PathLike)) and not is_single(data):
        folder = Path(find_data(data))
        if not _is_loose(folder):
            return as_images(folder)
        data = folder
    return Photographs(cast(Photograph, data), levels)


def _is_loose(folder: Path) -> bool:
    tree = scan(folder)
    if is_divided(tree):
        return False
    tree = find_classes(tree)
    return (bool(tree.images) or len(tree.filled()) < 2) and find_table(tree.path, folder) is None


def unlabelled(images: PathLike | ImageFolderDataset) -> ImageFolder:
    """Return a folder as `UnlabelledImages`, or one data set (no pair); raise ImageFolderError if it has no image."""
    images = UnlabelledImages(find_data(images)) if isinstance(images, (str, os.PathLike)) else ImageFolder.of(images)
    if not len(images):
        raise ImageFolderError("The data set has no image.")
    return images
