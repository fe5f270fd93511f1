"""Named data sets: fetched once, checked by their SHA1, unpacked in one piece.

The interface is that of *Dive into Deep Learning*, which introduces `DATA_HUB`, `download` and
`download_extract` with the house prices of chapter 5 and uses them for the hot dogs of section 13.2.
The promises are stricter:

* A file is checked after it was fetched and again before it is used. One with the wrong SHA1 never stands
  under the right name. What an archive holds appears all at once or not at all. Processes that ask for the
  same thing together wait for the first of them.
* All lies in one cache, `$D2LTL_DATA` or else the user's cache folder, as `<cache>/<sha1>/hotdog.zip` and
  `<cache>/<sha1>/unpacked/`, so that two different files called `hotdog.zip` never meet.
* `$D2LTL_MIRRORS`, folders and addresses separated by commas (a USB stick, a class server), are asked
  first, in order, for a file of that name; then the archives shipped with the package; last the registered
  address.

`python -m data_hub --help` says how to do the same from a shell.
"""

from __future__ import annotations

import os
import shutil
import sys
import uuid
from functools import partial
from pathlib import Path
from typing import cast

from _data_hub.archives import PathLike, extract, temporary_folder
from _data_hub.cache import (
    Item,
    cache_dir,
    content_folder,
    damage_of,
    fault_of,
    make_item,
    unpacked_folder,
    workplace,
)
from _data_hub.errors import D2LTLError, DataHubError, failures
from _data_hub.fetching import SHIPPED, fetch

__all__ = [
    "DATA_HUB",
    "DATA_URL",
    "D2LTLError",
    "DataHubError",
    "cache_dir",
    "download",
    "download_all",
    "download_extract",
    "extract",
    "is_at_hand",
    "open_archive",
    "register",
]

DATA_URL = "http://d2l-data.s3-accelerate.amazonaws.com/"
DATA_HUB: dict[str, tuple[str, str]] = {}  # name: (address, SHA1)
DATA_HUB["hotdog"] = (DATA_URL + "hotdog.zip", "fba480ffa8aa7e0febbb511d181409f899b9baa5")
DATA_HUB["hotdog-mini"] = ((SHIPPED / "hotdog-mini.zip").as_uri(), "5e0a625fa9d2b5a850d19bc87e5b17ceaa96cf82")
DATA_HUB["digits"] = ((SHIPPED / "digits.zip").as_uri(), "564427d73dd5bc577400825372b20ad0f1a61f54")


def register(name: str, url: str, sha1: str) -> None:
    """Add a data set to `DATA_HUB`, or replace one.

    Parameters
    ----------
    name : str
        What to ask `download` and `download_extract` for.
    url : str
        Its address (http, https or file), which ends with the name of the file.
    sha1 : str
        The SHA1 of the file, 40 hexadecimal digits; `sha1sum FILE` prints it.

    Raises
    ------
    DataHubError
        If one of the three is not such a thing.

    Examples
    --------
    >>> register('tiny', 'https://example.org/data/tiny.zip', 'DA39A3EE5E6B4B0D3255BFEF95601890AFD80709')
    >>> DATA_HUB.pop('tiny')
    ('https://example.org/data/tiny.zip', 'da39a3ee5e6b4b0d3255bfef95601890afd80709')
    """
    if not isinstance(name, str) or not name.strip() or "://" in name:
        raise DataHubError(f"{name!r} cannot be registered: a name is a text, not empty and not an address")
    item = make_item(f"{name!r} cannot be registered", url, str(sha1))
    DATA_HUB[name] = (url, cast(str, item.sha1))


def lookup(name_or_url: str, sha1: str | None = None) -> Item:
    """Find what a name or an address stands for. Users assign to DATA_HUB: entries are checked here too."""
    if isinstance(name_or_url, str) and "://" in name_or_url:
        return make_item("cannot download", name_or_url, sha1)
    if name_or_url not in DATA_HUB:
        known = ", ".join(sorted(DATA_HUB))
        raise DataHubError(f"unknown name {name_or_url!r}; known are {known}; data_hub.register adds one")
    entry = DATA_HUB[name_or_url]
    if not isinstance(entry, (tuple, list)) or len(entry) != 2:
        raise DataHubError(f"DATA_HUB[{name_or_url!r}] must be a pair (address, SHA1), not {entry!r}")
    return make_item(f"DATA_HUB[{name_or_url!r}]", entry[0], str(sha1 or entry[1]))


def download(name_or_url: str, folder: PathLike | None = None, sha1_hash: str | None = None) -> str:
    """Fetch a file into the cache, unless it is there, and return its path.

    Parameters
    ----------
    name_or_url : str
        A name of `DATA_HUB` or an address.
    folder : path, optional
        Put a copy into this folder (made if need be) and return the path of that.
    sha1_hash : str, optional
        The SHA1 of the file. Without one, the content of an address is not checked and no mirror is asked.

    Returns
    -------
    str
        Path of a file with the right SHA1.

    Raises
    ------
    DataHubError
        If it cannot be had: lists every place tried, with the reason, and where a copy made by hand belongs.
    """
    item = lookup(name_or_url, sha1_hash)
    if fault := fault_of(item.path, item.sha1):
        with workplace(item.home, f"{item.path}: {fault}") as temporary:
            fetch(item, temporary)
    if folder is None:
        return os.fspath(item.path)
    copy = Path(folder) / item.file
    if fault_of(copy, item.sha1):
        hidden = copy.parent / f".{uuid.uuid4().hex}"
        with failures(f"{copy} cannot be written"), temporary_folder(hidden) as temporary:
            shutil.copyfile(item.path, temporary / item.file)
            (temporary / item.file).replace(copy)
    return os.fspath(copy)


def is_at_hand(name: str) -> bool:
    """Tell whether the cache has an archive, unpacked or as it is: whether `download_extract` fetches nothing."""
    item = lookup(name)
    return not damage_of(item.home) or not fault_of(item.path, item.sha1)


def download_all() -> list[str]:
    """Fetch every file of `DATA_HUB` and return their paths."""
    return [download(name) for name in DATA_HUB]


def download_extract(name: str, folder: str | None = None) -> str:
    """Fetch an archive and unpack it, unless that was done, and return the folder of its content.

    Parameters
    ----------
    name : str
        A name of `DATA_HUB` (or an address).
    folder : str, optional
        The folder of the archive to return.

    Returns
    -------
    str
        That folder. By default the one with the archive's name, else the only one there is, else the one
        that all was unpacked to. In section 13.2 of the book: `data_dir = d2l.download_extract('hotdog')`.

    Raises
    ------
    DataHubError
        As `download` and `extract` do.
    """
    item = lookup(name)
    return content_folder(unpacked_folder(item.home, partial(fetch, item)), item.file, folder)


def open_archive(path: PathLike, folder: str | None = None) -> str:
    """Unpack a local archive in the cache, unless that was done; return what `download_extract` does."""
    import pooch

    with failures(os.fspath(path)):
        sha1 = pooch.file_hash(os.fspath(path), alg="sha1")
    return content_folder(unpacked_folder(cache_dir() / sha1, lambda _: Path(path)), Path(path).name, folder)


if __name__ == "__main__":
    from _data_hub.cli import main

    sys.exit(main())
