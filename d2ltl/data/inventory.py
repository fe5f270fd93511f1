"""Numbers of images of each class and part, and of what was left out."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from _data_hub.language import N_, _
from d2ltl.data.folders import ImageFolder
from d2ltl.data.pairs import Pair, describe_numbers
from d2ltl.files import isolated, printable

logger = logging.getLogger(__name__)

CLASSES_LISTED = 20  # of more classes, only the one with the fewest images and the one with the most are named
PURPOSES = {"train": N_("to train"), "validation": N_("for validation"), "test": N_("to test")}


def take_inventory(pair: Pair, folds: int | None = None) -> dict[str, Any]:
    """Return the numbers of images of a pair, as JSON values.

    ``parts`` has for ``train``, ``validation`` (if there is any) and ``test`` the ``folder``, the number of ``images``
    and the number ``of_class``, by class name. ``left_out`` has the numbers of files by the reason. ``copies`` are
    sentences about copies of images. ``folds`` is their number if all images are cut into folds.
    """
    train, test = pair
    parts = {"train": train, "validation": train.validation, "test": test}
    given = {use: images for use, images in parts.items() if images is not None}
    left_out = sum((images.left_out for images in given.values()), Counter())
    left_out[N_("images that cannot be read")] += sum(len(images.skipped) for images in given.values())
    counted = {use: _count(images) for use, images in given.items()}
    crossed = {} if folds is None else {"folds": folds}
    return {"parts": counted, "left_out": dict(+left_out), "copies": [*train.copies], **crossed}


def _count(images: ImageFolder) -> dict[str, Any]:
    numbers = np.bincount(images.labels, minlength=len(images.synsets)).tolist()
    return {"folder": images.root, "images": len(images), "of_class": dict(zip(images.synsets, numbers))}


def describe_inventory(inventory: dict[str, Any]) -> str:
    """Return an inventory as one line of text; with many classes, only the smallest and the largest are named."""
    parts = inventory["parts"]
    names = [f"{printable(Path(part['folder']).name)}/" for part in parts.values()]
    if "folds" in inventory:
        uses = _("in {folds} folds (of {folders})").format(
            folds=inventory["folds"], folders=" + ".join(dict.fromkeys(names))
        )
    elif parts["train"]["folder"] == parts["test"]["folder"]:
        purposes = " + ".join(_(PURPOSES[use]) for use in parts)
        uses = _("{purposes} (drawn from {folder})").format(purposes=purposes, folder=names[0])
    else:
        uses = " + ".join(f"{_(PURPOSES[use])} ({name})" for use, name in zip(parts, names))
    numbers = {
        name: [part["of_class"].get(name, 0) for part in parts.values()]
        for name in dict.fromkeys(name for part in parts.values() for name in part["of_class"])
    }
    by_class = [f"{isolated(name)} {_numbers(inventory, of_parts)}" for name, of_parts in numbers.items()]
    if len(by_class) > CLASSES_LISTED:
        by_size = np.argsort([sum(of_parts) for of_parts in numbers.values()], kind="stable")
        fewest, most = (by_class[by_size[place]] for place in (0, -1))
        some = _("{number} classes from {fewest} to {most}")
        by_class = [some.format(number=len(by_class), fewest=fewest, most=most)]
    return _("images {uses}: {by_class}, in all {total}; left out: {left_out}").format(
        uses=uses,
        by_class=_(", ").join(by_class),
        total=_numbers(inventory, [part["images"] for part in parts.values()]),
        left_out=describe_numbers(inventory["left_out"]) or _("none"),
    )


def _numbers(inventory: dict[str, Any], of_parts: list[int]) -> str:
    return str(sum(of_parts)) if "folds" in inventory else " + ".join(map(str, of_parts))


def log_inventory(pair: Pair, folds: int | None = None) -> dict[str, Any]:
    """Log the inventory of a pair as one line, and return it."""
    inventory = take_inventory(pair, folds)
    logger.info("%s", describe_inventory(inventory))
    return inventory
