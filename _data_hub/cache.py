"""The cache: paths and locks of files, and folders of unpacked archives."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, NamedTuple
from urllib.parse import unquote, urlsplit

from _data_hub.archives import relative, temporary_folder, unpack
from _data_hub.errors import DataHubError, failures
from _data_hub.members import is_page

LOCK_TIMEOUT = 3600.0  # seconds to wait for another process that downloads or unpacks the same file
ARCHIVE = re.compile(r"\.(zip|tgz|txz|tbz2|tar(\.(gz|xz|bz2))?)$", re.IGNORECASE)
KEY = re.compile("(url-)?[0-9a-f]{40}")
MANIFEST = "unpacked.json"
LITTER = (".", "Thumbs.db")  # prefixes of files that file managers create

logger = logging.getLogger("data_hub")


class Item(NamedTuple):
    """A file of the hub: its address, its SHA1 (None if unknown) and its file name."""

    url: str
    sha1: str | None
    file: str

    @property
    def home(self) -> Path:
        """Folder of this file in the cache."""
        return cache_dir() / (self.sha1 or "url-" + hashlib.sha1(self.url.encode()).hexdigest())

    @property
    def path(self) -> Path:
        return self.home / self.file


def cache_dir() -> Path:
    """Return the cache folder: `$D2LTL_DATA`, or by default `d2ltl` in the user's cache folder."""
    import pooch

    return Path(os.environ.get("D2LTL_DATA") or pooch.os_cache("d2ltl")).expanduser().absolute()


def make_item(what: str, url: str, sha1: str | None) -> Item:
    with failures(what):
        if not isinstance(url, str) or " " in url or not url.isprintable():
            raise ValueError(f"an address is a text without blanks, not {url!r}")
        if sha1 is not None and not re.fullmatch("[0-9a-fA-F]{40}", sha1):
            raise ValueError(f"a SHA1 is 40 hexadecimal digits, not {sha1!r}")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "file") or not (parts.netloc or parts.scheme == "file"):
            raise ValueError(f"the address {url!r} must begin with http://, https:// or file://")
        file = unquote(parts.path.rpartition("/")[2])
        reserved = file.startswith(".") or file.casefold() in ("", "unpacked", MANIFEST)
        if reserved or not file.isprintable() or len(relative(file).parts) != 1:
            raise ValueError(f"the address {url!r} does not end with the name of a file")
    return Item(url, sha1.lower() if sha1 else None, file)


@contextlib.contextmanager
def workplace(home: Path, why: str) -> Iterator[Path]:
    """Lock a folder of the cache, and yield a temporary folder inside it.

    The operating system releases the lock if the process is killed. Errors begin with `why`.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(f"{home}.lock")
    with failures(f"{why}, and {home} cannot be changed (the variable D2LTL_DATA names another cache)"):
        home.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=2)
        except Timeout:
            logger.warning("waiting for another process to finish its work in %s", home)
            lock.acquire(timeout=LOCK_TIMEOUT)
        try:
            with temporary_folder(home / ".tmp") as temporary:
                yield temporary
        finally:
            lock.release()


def fault_of(path: Path, sha1: str | None) -> str:
    """Return the reason why a file must not be used, or an empty string if it is valid."""
    import pooch

    with failures(os.fspath(path)):
        if not path.is_file():
            return "no such file"
        if sha1 is None or (found := pooch.file_hash(os.fspath(path), alg="sha1")) == sha1:
            return ""
        hint = " (it looks like a web page, perhaps for a login)" if is_page(path) else ""
    return f"wrong SHA1, expected {sha1}, found {found}{hint}"


def unpacked_folder(home: Path, fetch: Callable[[Path], Path]) -> Path:
    """Return the unpacked folder in `home`; if it is missing or damaged, call `fetch` and unpack the archive."""
    if damage := damage_of(home):
        with workplace(home, damage[0]) as temporary:
            if damage_of(home):  # another process may have unpacked it while this one waited for the lock
                archive = fetch(temporary)
                try:
                    files = unpack(archive, temporary / "unpacked")
                except DataHubError:
                    if home.name.startswith("url-"):  # no SHA1 says that the download is right: fetch it anew next time
                        archive.unlink()
                    raise
                shutil.rmtree(home / "unpacked", ignore_errors=True)
                (home / MANIFEST).write_text(json.dumps(files), encoding="utf-8")
                (temporary / "unpacked").rename(home / "unpacked")
    return home / "unpacked"


def manifest(home: Path) -> dict[str, tuple[int, int]]:
    """Return the size and CRC-32 of each unpacked file by its name; an empty dict if there is no valid manifest."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        files = json.loads((home / MANIFEST).read_text(encoding="utf-8"))
        return {name: (size, crc) for name, (size, crc) in files.items()}
    return {}


def damage_of(home: Path) -> list[str]:
    """Return the problems of the unpacked folder that file sizes reveal; the files are not read, which is fast."""

    def is_right(file: Path, size: int) -> bool:
        with contextlib.suppress(OSError):
            return file.stat().st_size == size
        return False

    files = {home / "unpacked" / name: size for name, (size, _) in manifest(home).items()}
    damage = [f"{file} is missing or was changed" for file, size in files.items() if not is_right(file, size)]
    return damage if files else [f"{home / 'unpacked'} is not there, or not whole"]


def content_folder(unpacked: Path, file: str, folder: str | None) -> str:
    chosen = unpacked / (folder or ARCHIVE.sub("", file))
    entries = [entry for entry in sorted(unpacked.iterdir()) if not entry.name.startswith((".", "__MACOSX"))]
    if folder and not chosen.is_dir():
        there = ", ".join(entry.name for entry in entries)
        raise DataHubError(f"{file} holds no folder {folder!r}; it holds {there}")
    if not chosen.is_dir():
        chosen = entries[0] if len(entries) == 1 and entries[0].is_dir() else unpacked
    return os.fspath(chosen)


def problems_of(home: Path) -> Iterator[str]:
    """Yield all problems of a folder of the cache; this reads all files."""
    sha1 = None if home.name.startswith("url-") else home.name
    if not any(home.iterdir()):
        yield f"{home} is empty"  # a failed download leaves an empty folder
    for file in home.iterdir():
        is_ours = file.name != MANIFEST and not file.name.startswith(LITTER)
        if file.is_file() and is_ours and (fault := fault_of(file, sha1)):
            yield f"{file}: {fault}"
    if (home / MANIFEST).exists() or (home / "unpacked").exists():
        yield from damage_of(home)
        known = {home / "unpacked" / name: file for name, file in manifest(home).items()}
        for file, (size, crc) in known.items():
            if file.is_file() and file.stat().st_size == size and zlib.crc32(file.read_bytes()) != crc:
                yield f"{file} was changed"
        for file in (home / "unpacked").rglob("*"):
            if file.is_file() and file not in known and not file.name.startswith(LITTER):
                yield f"{file} was added"
