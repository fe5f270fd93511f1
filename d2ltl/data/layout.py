"""The layout of a data set: which folders are its parts, and which are its classes.

These functions work on the tree of a folder, which `d2ltl.data.scanning.scan` reads. They open no file.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from _data_hub.language import N_
from d2ltl.errors import ImageFolderError

TRAIN, VALIDATION, TEST = "train", "validation", "test"  # the uses of the parts
BOTH = "train and validation"  # the use of the book's train_valid/, which has copies of the images in train/ and valid/

FOR_BOTH = N_("images in {folder}/ for both train and validation")  # reasons why images are left out
WITHOUT_CLASSES, ITSELF = N_("images in {folder}/ without class folders"), N_("images in {folder}/ itself")
OUTSIDE = N_("images in {folder}/")
UNKNOWN = N_("images in {folder}/ without known classes")
REASONS = (FOR_BOTH, WITHOUT_CLASSES, ITSELF, UNKNOWN, OUTSIDE)

PART_WORDS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
CLASS_WORDS = frozenset({"train", "training", "valid"})  # a class may have such a name: bus, car, train
FILLER = frozenset({"set", "sets", "data", "dataset", "image", "images", "img", "imgs", "folder", "split", "part"})


class PartName(NamedTuple):
    """What the name of a folder says: the use of the part, and the other words (``seg`` of ``seg_train``)."""

    use: str
    rest: tuple[str, ...]


@dataclass(frozen=True)
class Folder:
    """A folder: its images, the folders in it, and the numbers of its files that are left out, by reason."""

    path: Path
    images: list[Path] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def walk(self) -> Iterator[Folder]:
        """Yield this folder and all folders below it."""
        yield self
        for folder in self.folders:
            yield from folder.walk()

    def all_images(self) -> list[Path]:
        """Return the images in this folder and below it."""
        return [image for folder in self.walk() for image in folder.images]

    def all_left_out(self) -> Counter[str]:
        """Return the numbers of files that are left out in this folder and below it, by reason."""
        return sum((folder.left_out for folder in self.walk()), Counter())

    def filled(self) -> list[Folder]:
        """Return the folders in this one that have an image in or below them."""
        return [folder for folder in self.folders if any(below.images for below in folder.walk())]


@dataclass(frozen=True)
class Layout:
    """The parts of a data set by their use, and the numbers of images that belong to no part, by reason.

    `parts` always has ``'train'``. If it has no other part, a share of these images is for the test. `divided` says
    whether the data set has folders for its parts.
    """

    parts: dict[str, Folder]
    left_out: Counter[str]
    divided: bool


def find_layout(tree: Folder) -> Layout:
    """Return the layout of a data set.

    The folder that holds the parts or the classes may be below `tree`, if nothing else beside it could be meant.

    Raises
    ------
    ImageFolderError
        If there are several data sets, parts without a training part, a training part alone, or classes that are
        divided each.
    """
    left_out: Counter[str] = Counter()
    while True:
        inner = _inner(tree)
        if parts := _parts(tree, lone=inner is None or not is_divided(inner)):
            left_out += _outside(tree, [folder for folders in parts.values() for folder in folders])
            chosen, others = _by_use(tree, parts)
            return Layout(chosen, left_out + others, divided=True)
        if inner is None:
            _refuse_divided_classes(tree)
            classes, others = _without_loose_test(tree)
            return Layout({TRAIN: classes}, left_out + others, divided=False)
        left_out += _outside(tree, [inner])
        tree = inner


def find_classes(part: Folder) -> Folder:
    """Return the folder that holds the class folders of a part: `part`, or a folder below it that stands alone."""
    while (inner := _inner(part)) is not None:
        part = inner
    return part


def is_divided(tree: Folder) -> bool:
    """Return whether a folder holds a training part with class folders, and another part."""
    parts = _parts(tree, lone=False)
    return any(_has_classes(folder) for folders in parts.values() for folder in folders)


def part_name(name: str) -> PartName | None:
    """Return what the name of a folder says about the use of a part, or None if it is not the name of a part."""
    uses, rest = set(), []
    for word in _words(name):
        stem = re.sub(r"(?<=.)(sets?|data|images?|imgs?)$", "", word)
        if use := PART_WORDS.get(word, PART_WORDS.get(stem)):
            uses.add(use)
        elif word not in FILLER:
            rest.append(word)
    if uses == {TRAIN, VALIDATION}:
        return PartName(BOTH, tuple(rest))
    return PartName(uses.pop(), tuple(rest)) if len(uses) == 1 else None


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def _parts(tree: Folder, lone: bool) -> dict[str, list[Folder]]:
    """Return the folders of the parts by their use, or {} if the folder is not divided; `lone` allows a single part."""
    groups: dict[tuple[str, ...], dict[str, list[Folder]]] = defaultdict(lambda: defaultdict(list))
    for folder in tree.folders:
        if name := part_name(folder.path.name):
            groups[name.rest][name.use].append(_unwrapped(folder))
    for rest, parts in sorted(groups.items()):  # names without other words come first
        with_classes = any(_has_classes(folder) for folders in parts.values() for folder in folders)
        loose = sum(any(folder.images for folder in folders) for folders in parts.values())
        if (with_classes and (len(parts) > 1 or (lone and not rest))) or (not with_classes and loose > 1):
            return parts
    return {}


def _unwrapped(part: Folder) -> Folder:
    """Return the innermost of folders such as ``train/train``."""
    name = part_name(part.path.name)
    while not part.images and len(filled := part.filled()) == 1 and part_name(filled[0].path.name) == name:
        part = filled[0]
    return part


def _has_classes(part: Folder) -> bool:
    return bool(part.filled())


def _by_use(tree: Folder, parts: dict[str, list[Folder]]) -> tuple[dict[str, Folder], Counter[str]]:
    """Return one folder for each use, and the numbers of images of parts that are not used."""
    left_out: Counter[str] = Counter()
    if BOTH in parts:
        both = parts.pop(BOTH)
        if TRAIN not in parts:
            parts[TRAIN] = both
        else:
            for folder in both:
                left_out[FOR_BOTH.format(folder=_name(tree, folder))] += _number(folder)
    chosen = {}
    for use, folders in parts.items():
        candidates = [folder for folder in folders if _has_classes(folder)] or folders
        if len(candidates) > 1:
            names = " and ".join(_name(tree, folder) for folder in candidates)
            raise ImageFolderError(f"{tree.path} has {names}: which is for {use}? Give one of them another name.")
        chosen[use] = candidates[0]
        for folder in folders:
            if folder is not candidates[0]:
                left_out[WITHOUT_CLASSES.format(folder=_name(tree, folder))] += _number(folder)
    if TRAIN not in chosen or len(chosen) == 1:
        _refuse_lone(tree, list(chosen.values()), TRAIN in chosen)
    return chosen, left_out


def _refuse_lone(tree: Folder, parts: list[Folder], train: bool) -> None:
    names = ", ".join(sorted(_name(tree, folder) for folder in parts))
    missing = "a test (or val)" if train else "a train"
    raise ImageFolderError(
        f"{tree.path} has {names} but not {missing} folder beside it. Add it; or give {parts[0].path} as the data, and "
        "a share of each class is drawn for the test."
    )


def _refuse_divided_classes(tree: Folder) -> None:
    for folder in tree.filled():
        if parts := _parts(folder, lone=False):
            names = [_name(folder, part) for of_use in parts.values() for part in of_use]
            raise ImageFolderError(
                f"{folder.path} is divided into {', '.join(names)}. Put the parts above the classes, as in "
                f"{tree.path / names[0] / folder.path.name}."
            )


def _inner(tree: Folder) -> Folder | None:
    """Return the folder in `tree` that holds the data set, or None if that is `tree` itself."""
    filled = tree.filled()
    if divided := [folder for folder in filled if is_divided(folder)]:
        if len(divided) > 1:
            names = ", ".join(folder.path.name for folder in divided)
            raise ImageFolderError(f"{tree.path} holds several data sets: {names}. Give one of these folders.")
        return divided[0]
    if len(filled) != 1:
        return None
    folders = len(filled[0].filled())
    return filled[0] if folders > 1 or (folders == 1 and not tree.images) else None


def _without_loose_test(tree: Folder) -> tuple[Folder, Counter[str]]:
    """Return class folders without a test folder of loose images beside them, and the number of its images."""
    loose = [
        folder
        for folder in tree.filled()
        if (name := part_name(folder.path.name)) and not (name.rest or CLASS_WORDS & {*_words(folder.path.name)})
    ]
    if not loose or len(tree.filled()) - len(loose) < 2:
        return tree, Counter()
    left_out = Counter({f"images in {_name(tree, folder)}/ without class folders": _number(folder)
                        for folder in loose})  # fmt: skip
    return replace(tree, folders=[folder for folder in tree.folders if folder not in loose]), left_out


def _outside(tree: Folder, inside: list[Folder]) -> Counter[str]:
    """Return the numbers of files in `tree` that are left out, and of images that are not in the given folders."""
    left_out = tree.left_out + Counter({ITSELF.format(folder=tree.path.name): len(tree.images)})
    for folder in tree.filled():
        if not any(folder.path in (part.path, *part.path.parents) for part in inside):
            left_out[OUTSIDE.format(folder=folder.path.name)] += _number(folder)
    return +left_out


def _name(tree: Folder, folder: Folder) -> str:
    return folder.path.relative_to(tree.path).parts[0]


def _number(folder: Folder) -> int:
    return len(folder.all_images())
