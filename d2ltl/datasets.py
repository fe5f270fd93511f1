"""Data sets known by name: the default data set, their folders and their default settings."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import NamedTuple

import data_hub
from _data_hub.language import _
from d2ltl.errors import ImageFolderError
from d2ltl.files import printable

logger = logging.getLogger(__name__)

PHOTOGRAPHS, RENDERED, DIGITS = "hotdog", "hotdog-mini", "digits"


class Defaults(NamedTuple):
    """Default settings: image size in pixels, batch size, epochs, learning rates (see `Rates`), strategies."""

    size: int
    batch_size: int
    epochs: int
    lr_finetune: float
    lr_scratch: float
    lr_lp_ft: float = 0.001
    strategies: tuple[str, ...] = ("finetune", "scratch")


BOOK = Defaults(size=224, batch_size=128, epochs=5, lr_finetune=0.01, lr_scratch=0.1)  # section 13.2
DEFAULTS = {
    PHOTOGRAPHS: BOOK,
    RENDERED: Defaults(size=64, batch_size=32, epochs=5, lr_finetune=0.01, lr_scratch=0.1),
    DIGITS: Defaults(size=32, batch_size=32, epochs=10, lr_finetune=0.01, lr_scratch=0.1),
}
"""Default settings by data set. All other data sets use those of the book's `PHOTOGRAPHS`."""

# The features of an EfficientNet are better at the full size of the images. Large batches need much memory.
LITE = BOOK._replace(batch_size=32, lr_finetune=0.001, strategies=("lp-ft", "finetune", "scratch"))
LITE_DEFAULTS = {PHOTOGRAPHS: LITE, RENDERED: LITE._replace(size=112), DIGITS: LITE._replace(size=32)}
"""Default settings of EfficientNet-Lite by data set."""


def defaults_of(data: str, net: str = "") -> Defaults:
    """Return the default settings for a data set, given its name, and a network; unknown data are photographs."""
    by_data = LITE_DEFAULTS if net.lower().startswith("efficientnet_lite") else DEFAULTS
    return by_data.get(data, by_data[PHOTOGRAPHS])


def default_data() -> str:
    """Return the data set that ``'auto'`` stands for: ``'hotdog'`` if it is cached, else ``'hotdog-mini'``.

    ``'hotdog'`` are the book's photographs. ``'hotdog-mini'`` are rendered images that come with the library.
    """
    if data_hub.is_cached(PHOTOGRAPHS):
        logger.info(_("data: {data}, the book's photographs, which are on this machine").format(data=PHOTOGRAPHS))
        return PHOTOGRAPHS
    logger.info(
        _("data: {data}, rendered images that come with d2ltl; --data {book} downloads the book's photographs").format(
            data=RENDERED, book=PHOTOGRAPHS
        )
    )
    return RENDERED


def is_rendered(folder: str) -> bool:
    """Return whether a folder of images belongs to the rendered data set."""
    return RENDERED in Path(folder).parts


def title_of(data: str, rendered: bool) -> str:
    """Return the title of a data set in a figure: the last part of its path, marked if the images are rendered."""
    name = printable(Path(data).name)
    return _("{data} (rendered images)").format(data=name) if rendered else name


def find_data(data: str | os.PathLike[str]) -> str:
    """Return the folder of a data set: a name of the data hub (downloaded if not cached), an archive or a folder."""
    if data in data_hub.DATA_HUB:
        return data_hub.download_extract(str(data))
    if not Path(data).exists():
        if str(data) in data_hub.DATA_HUB:
            raise ImageFolderError(f"The path {data} does not exist. For the entry of the data hub, give a str.")
        known = ", ".join(sorted(data_hub.DATA_HUB))
        raise ImageFolderError(f"{data} is not a folder, nor an archive, nor a name of the data hub ({known}).")
    return data_hub.open_archive(data) if Path(data).is_file() else os.fspath(data)
