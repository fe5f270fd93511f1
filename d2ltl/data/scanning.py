"""The tree of a folder: which of its files are images, and what is left out."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from _data_hub.language import N_
from d2ltl.data.formats import SUFFIXES, PathLike, is_image
from d2ltl.data.layout import Folder, part_name
from d2ltl.data.masks import find_mask_folders, find_masks
from d2ltl.errors import ImageFolderError
from d2ltl.files import printable

logger = logging.getLogger(__name__)

CLUTTER = frozenset({"thumbs.db", "desktop.ini", "__macosx", "@eadir", "#recycle", "$recycle.bin"})
"""Files and folders of file managers. They are ignored, as hidden ones are."""
DOCUMENTS = frozenset({"", ".txt", ".md", ".rst", ".json", ".xml", ".yaml", ".yml", ".html", ".pdf", ".py", ".zip"})
ANNOTATIONS = frozenset({".csv", ".xml", ".txt", ".json"})  # suffixes of labels beside an image of the same stem
ARCHIVES = frozenset({".zip", ".tar", ".tgz", ".gz", ".xz", ".bz2"})
OUTPUTS = (("settings.json", "runs"), ("report.json", "report.html"), *((f"exercise-{n}.json",) for n in range(1, 6)))
"""Names in the output folders of this library: a comparison that has begun, a report, and each exercise."""


def scan(root: PathLike, *, with_masks: bool = False) -> Folder:
    """Return the tree of a folder: its images and folders, without hidden ones, masks, and reports of this library.

    Links are followed, unless they lead to a folder above. ImageFolderError is raised if `root` is not a folder.
    `with_masks` says whether images that look like masks of others are images.
    """
    if not Path(root).is_dir():
        raise ImageFolderError(f"{root} is not a folder. It should hold one folder of images for each class.")
    return _scan(Path(root), frozenset(), with_masks)


def _scan(path: Path, above: frozenset[str], with_masks: bool) -> Folder:
    above |= {os.path.realpath(path)}
    entries = visible(path)
    folders = [
        _scan(entry, above, with_masks)
        for entry in entries
        if entry.is_dir() and os.path.realpath(entry) not in above and not _is_output(entry)
    ]
    images, left_out = _sort_files([entry for entry in entries if not entry.is_dir()], beside_folders=bool(folders))
    masks, mask_folders = ([], []) if with_masks else (find_masks(images), find_mask_folders(images, folders))
    left_out[N_("masks")] = len(masks) + sum(len(folder.all_images()) for folder in mask_folders)
    return Folder(
        path,
        sorted({*images} - {*masks}),
        [folder for folder in folders if folder not in mask_folders],
        +left_out,
    )


def _sort_files(files: Sequence[Path], beside_folders: bool) -> tuple[list[Path], Counter[str]]:
    """Return the images among the files of one folder, and the numbers of other files by reason."""
    left_out: Counter[str] = Counter()
    images, stems = [], {file.stem for file in files if file.suffix.lower() in SUFFIXES}
    for file in files:
        suffix = file.suffix.lower()
        if suffix in ANNOTATIONS and file.stem in stems:
            left_out[N_("annotations of images")] += 1
        elif suffix == ".csv" or (suffix in DOCUMENTS and (beside_folders or (suffix and not stems))):
            continue  # a table of labels, a read-me, a folder of annotations
        elif _is_image(file):
            images.append(file)
        else:
            left_out[N_("files that are not images")] += 1
    return images, left_out


def _is_output(folder: Path) -> bool:
    """Return whether a folder holds a report of this library, or is the folder ``results`` with such folders."""
    if any(all((folder / name).exists() for name in names) for names in OUTPUTS):
        return True
    if folder.name != "results":
        return False
    return all(entry.is_dir() and (_is_output(entry) or not any(entry.iterdir())) for entry in visible(folder))


def visible(folder: Path) -> list[Path]:
    """Return the sorted entries of a folder, without hidden files and files of file managers."""
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and p.name.lower() not in CLUTTER)


def hint_for(tree: Folder) -> str:
    """Return what to do with a folder that has no class folders, as far as its content tells, after a blank."""
    if archives := [path.name for path in visible(tree.path) if path.suffix.lower() in ARCHIVES]:
        return f" It holds the archive {archives[0]}: unpack it, or give it as the data."
    if not tree.images or tree.filled():
        return ""
    hint = (
        f" It holds {len(tree.images)} images itself. Move them to one folder for each class, or list them in "
        f"{tree.path / 'labels.csv'}, with the columns file and label."
    )
    if part_name(tree.path.name):
        return hint
    return f"{hint} If they are one class of several, give the folder above, {tree.path.absolute().parent}."


def _is_image(path: Path) -> bool:
    if is_image(path):
        return True
    logger.warning("ignored %s, which is not an image", printable(str(path)))
    return False
