"""Named data sets: downloaded once, verified by their SHA1, unpacked atomically.

The interface is that of *Dive into Deep Learning* (`DATA_HUB`, `download` and `download_extract` in chapter 5), which
uses it for the hot dog images of section 13.2. This implementation gives stronger guarantees:

* The SHA1 of a file is verified after the download and before every use. The contents of an archive become visible all
  at once. Processes that request the same file at the same time wait for the first of them.
* All files are in one cache: the folder `$D2LTL_DATA`, or by default the user's cache folder. It contains
  `<cache>/<sha1>/hotdog.zip` and `<cache>/<sha1>/unpacked/`, so different files named `hotdog.zip` do not collide.
* A file is searched first on the mirrors in `$D2LTL_MIRRORS` (a comma-separated list of folders and addresses, such as
  a USB stick or a class server), then among the archives that come with the package, then at the registered address.

`python -m data_hub --help` describes the same functions for the command line.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import uuid
from functools import partial
from pathlib import Path
from typing import cast

from _data_hub.archives import PathLike, extract, temporary_folder
from _data_hub.cache import (
    ARCHIVE,
    KEY,
    Item,
    cache_dir,
    content_folder,
    damage_of,
    fault_of,
    make_item,
    manifest,
    problems_of,
    unpacked_folder,
    workplace,
)
from _data_hub.errors import D2LTLError, DataHubError, failures
from _data_hub.fetching import SHIPPED, fetch
from _data_hub.language import _, prepare_help
from _data_hub.terminal import HelpFormatter

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
    "is_cached",
    "open_archive",
    "register",
]

DATA_URL = "http://d2l-data.s3-accelerate.amazonaws.com/"
DATA_HUB: dict[str, tuple[str, str]] = {}  # name: (address, SHA1)
DATA_HUB["hotdog"] = (DATA_URL + "hotdog.zip", "fba480ffa8aa7e0febbb511d181409f899b9baa5")
DATA_HUB["hotdog-mini"] = ((SHIPPED / "hotdog-mini.zip").as_uri(), "5e0a625fa9d2b5a850d19bc87e5b17ceaa96cf82")
DATA_HUB["digits"] = ((SHIPPED / "digits.zip").as_uri(), "564427d73dd5bc577400825372b20ad0f1a61f54")


def register(name: str, url: str, sha1: str) -> None:
    """Add a data set to `DATA_HUB`, or replace it.

    Parameters
    ----------
    name : str
        Name of the data set for `download` and `download_extract`.
    url, sha1 : str
        Address of the file (http, https or file), which ends with the name of the file. SHA1 of the file, 40
        hexadecimal digits; `sha1sum FILE` prints it.

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
    """Return the item of a name or an address. The entry is validated, because users may assign to `DATA_HUB`."""
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
    """Download a file to the cache, unless it is there, and return its path, or that of its copy in `folder`.

    Parameters
    ----------
    name_or_url : str
        A name in `DATA_HUB`, or an address.
    folder : path, optional
        Folder for a copy of the file; it is created if it does not exist.
    sha1_hash : str, optional
        SHA1 of the file; by default that of the name. For an address without a SHA1, the file is not verified and the
        mirrors are not used.

    Raises
    ------
    DataHubError
        If no source has the file. The message lists every source with the reason, and the path for a manual copy.
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


def is_cached(name: str) -> bool:
    """Return whether the archive of a name is in the cache, packed or unpacked, so that no download is needed."""
    item = lookup(name)
    return not damage_of(item.home) or not fault_of(item.path, item.sha1)


def download_all() -> list[str]:
    """Download every file of `DATA_HUB` to the cache, unless it is there, and return the paths."""
    return [download(name) for name in DATA_HUB]


def download_extract(name: str, folder: str | None = None) -> str:
    """Download and unpack an archive, unless it is in the cache, and return the folder with its contents.

    Section 13.2 of the book uses it as `data_dir = d2l.download_extract('hotdog')`. The returned folder is by default
    the folder in the archive with the archive's name. If there is none, it is the only top-level folder; otherwise it
    is the folder to which the archive was unpacked.

    Parameters
    ----------
    name : str
        A name in `DATA_HUB`, or an address.
    folder : str, optional
        Path inside the archive of the folder to return.

    Raises
    ------
    DataHubError
        If the archive cannot be downloaded or unpacked (see `download` and `extract`), or contains no such folder.
    """
    item = lookup(name)
    return content_folder(unpacked_folder(item.home, partial(fetch, item)), item.file, folder)


def open_archive(path: PathLike, folder: str | None = None) -> str:
    """Unpack a local archive to the cache, unless it is there, and return a folder as `download_extract` does."""
    import pooch

    with failures(os.fspath(path)):
        sha1 = pooch.file_hash(os.fspath(path), alg="sha1")
    return content_folder(unpacked_folder(cache_dir() / sha1, lambda _: Path(path)), Path(path).name, folder)


def main(argv: list[str] | None = None) -> int:
    """Run `python -m data_hub`; return 0, 1 if `verify` found damage, 2 after an error, or 130 after Ctrl-C."""
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args))
    except (DataHubError, OSError) as error:
        print(f"data_hub: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("data_hub: interrupted; nothing is left half-done, run it again to go on", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    prepare_help()
    parser = argparse.ArgumentParser(
        prog="d2ltl data" if Path(sys.argv[0]).stem == "d2ltl" else "python -m data_hub",
        description=_("Download, verify (by SHA1) and unpack named data sets."),
        epilog=_(
            "Environment variables: D2LTL_DATA=FOLDER sets the cache folder. D2LTL_MIRRORS=FOLDER,URL,... lists "
            "sources to try before the registered address. D2LTL_ZIP_ENCODING=NAME is the encoding of names that a zip "
            "archive does not mark as UTF-8. D2LTL_UNPACK_GIB=NUMBER is the size in GiB to which an archive may grow. "
            "Exit status: 0 success, 1 verify found damage, 2 error, 130 interrupted."
        ),
        formatter_class=HelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for run, text in {
        _list: _("list all names with their state in the cache and their addresses"),
        _get: _("download and unpack the given data sets (default: all), and print their paths"),
        _verify: _(
            "verify the SHA1 of every file of the given data sets (default: the whole cache), and that no "
            "unpacked file is missing, changed or new"
        ),
        _path: _("print the path of the cache, or of the given data sets in it"),
        _clear: _("delete the given data sets (or --all) from the cache"),
    }.items():
        command = commands.add_parser(run.__name__[1:], help=text, description=text, formatter_class=HelpFormatter)
        command.set_defaults(run=run)
        if run is not _list:
            command.add_argument("names", metavar="NAME", nargs="*", help=_("name of a data set, as printed by list"))
        if run is _clear:
            command.add_argument("--all", action="store_true", help=_("delete everything in the cache"))
    return parser


def _list(args: argparse.Namespace) -> int:
    for name in sorted(DATA_HUB):
        item = lookup(name)
        state = "unpacked" if manifest(item.home) else "fetched" if item.path.is_file() else "-"
        print(f"{name:20} {state:8} {item.url}")
    return 0


def _get(args: argparse.Namespace) -> int:
    for name in args.names or sorted(DATA_HUB):
        is_archive = ARCHIVE.search(lookup(name).file)
        print(download_extract(name) if is_archive else download(name), flush=True)
    return 0


def _path(args: argparse.Namespace) -> int:
    for place in [_home(name) for name in args.names] or [cache_dir()]:
        print(place)
    return 0


def _verify(args: argparse.Namespace) -> int:
    status = 0
    for name, home in _homes(args.names).items():
        with failures(os.fspath(home)):
            problems = list(problems_of(home))
        print(f"{name}: {f'{len(problems)} problems' if problems else 'right'}", flush=True)
        for problem in problems[:10]:
            print(f"  {problem}")
        if problems:
            status = 1
            again = f"python -m data_hub get {name}" if name in DATA_HUB else "open it again"
            print(f"  To repair it: python -m data_hub clear {name}, then {again}")
    return status


def _clear(args: argparse.Namespace) -> int:
    if bool(args.names) == args.all:
        raise DataHubError("clear needs NAMEs or --all")
    for name, home in _homes(args.names).items():
        with workplace(home, f"{name} is to be deleted"):
            shutil.rmtree(home)
        print(f"{name}: deleted")
    return 0


def _home(name: str) -> Path:
    return cache_dir() / name if KEY.fullmatch(name) else lookup(name).home


def _homes(names: list[str]) -> dict[str, Path]:
    """Return the cache folders of the given names, or all cache folders; other files in the cache are ignored."""
    for name in names:
        if not _home(name).is_dir():
            raise DataHubError(f"{name} is not in the cache; python -m data_hub get {name} fetches it")
    known = {_home(name): name for name in DATA_HUB}
    there = sorted(cache_dir().iterdir()) if cache_dir().is_dir() else []
    return {name: _home(name) for name in names} or {
        known.get(home, home.name): home for home in there if KEY.fullmatch(home.name) and home.is_dir()
    }


if __name__ == "__main__":
    sys.exit(main())
