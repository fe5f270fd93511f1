"""The data sets known by name: which of them is at hand, where it is, and the settings that suit it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

import data_hub
from d2ltl.errors import ImageFolderError

logger = logging.getLogger(__name__)

PHOTOGRAPHS, RENDERED, DIGITS = "hotdog", "hotdog-mini", "digits"


class Defaults(NamedTuple):
    """Settings of a comparison that were not given."""

    size: int
    batch_size: int
    epochs: int
    lr_finetune: float
    lr_scratch: float


BOOK = Defaults(size=224, batch_size=128, epochs=5, lr_finetune=0.01, lr_scratch=0.1)  # section 13.2
DEFAULTS = {
    PHOTOGRAPHS: BOOK,
    RENDERED: Defaults(size=64, batch_size=32, epochs=10, lr_finetune=0.01, lr_scratch=0.1),
    DIGITS: Defaults(size=32, batch_size=32, epochs=10, lr_finetune=0.01, lr_scratch=0.1),
}
"""The settings of each data set; all others have the book's."""


def defaults_of(data: str) -> Defaults:
    """Return the settings that suit a data set."""
    return DEFAULTS.get(data, BOOK)


def data_at_hand() -> str:
    """Return what ``'auto'`` stands for on this machine: the book's photographs, or the rendered images shipped."""
    if data_hub.is_at_hand(PHOTOGRAPHS):
        logger.info("data: %s, the book's photographs, which are on this machine", PHOTOGRAPHS)
        return PHOTOGRAPHS
    logger.info(
        "data: %s, rendered images that come with d2ltl; --data %s downloads the book's photographs",
        *(RENDERED, PHOTOGRAPHS),
    )
    return RENDERED


def find_data(data: str) -> str:
    """Return the folder of a data set: of a name in the hub, which is downloaded, of an archive, or a folder itself.

    Raises
    ------
    DataHubError
        If the archive cannot be had or unpacked.
    ImageFolderError
        If there is no such thing.
    """
    if data in data_hub.DATA_HUB:
        return data_hub.download_extract(data)
    if not Path(data).exists():
        known = ", ".join(sorted(data_hub.DATA_HUB))
        raise ImageFolderError(f"{data} is not a folder, nor an archive, nor a name of the data hub ({known}).")
    return data_hub.open_archive(data) if Path(data).is_file() else data
