"""Members of zip and tar archives, with their names in the right encoding."""

from __future__ import annotations

import logging
import os
import posixpath
import stat
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Callable, NamedTuple, cast

CHUNK = 2**20
ENCODING = "D2LTL_ZIP_ENCODING"  # environment variable: encoding of names that a zip archive does not mark as UTF-8

# The encodings that zip programs of Windows use for names, by the language of the system.
CODE_PAGES = {
    "ar": "cp720", "be": "cp866", "bg": "cp866", "cs": "cp852", "el": "cp737", "he": "cp862", "hr": "cp852",
    "hu": "cp852", "ja": "cp932", "ko": "cp949", "pl": "cp852", "ro": "cp852", "ru": "cp866", "sk": "cp852",
    "sl": "cp852", "th": "cp874", "tr": "cp857", "uk": "cp866", "zh": "gb18030", "zh_hk": "cp950", "zh_tw": "cp950",
}  # fmt: skip

logger = logging.getLogger("data_hub")


class Member(NamedTuple):
    """A file (`data` opens it), a link (`link` is its target, relative to the top) or a folder of an archive."""

    name: str
    data: Callable[[], IO[bytes] | None] | None = None
    link: str | None = None


def read_members(archive: Path) -> Iterator[Member]:
    """Yield the members of an archive.

    The first bytes decide the format, because `zipfile.is_zipfile` accepts a tar archive that ends with a zip archive.
    """
    with archive.open("rb") as file:
        magic = file.read(4)
    if magic in (b"PK\3\4", b"PK\5\6"):
        return _zip_members(archive)
    if tarfile.is_tarfile(archive):
        return _tar_members(archive)
    hint = "; it is a web page, perhaps for a login" if is_page(archive) else ""
    raise ValueError(f"neither a zip nor a tar archive, or damaged{hint}")


def is_page(file: Path) -> bool:
    """Return whether a file is an HTML page. Some servers send one instead of the file."""
    with file.open("rb") as content:
        return content.read(256).lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _zip_members(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        for info, name in zip(infos, _zip_names(path, infos)):
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.flag_bits & 1:
                raise ValueError(f"{name!r} is protected by a password")
            if kind == stat.S_IFLNK:
                with archive.open(info) as data:
                    target = data.read(4096).decode()
                yield Member(name, link=posixpath.join(posixpath.dirname(name), target))
            elif kind in (0, stat.S_IFREG, stat.S_IFDIR):
                yield Member(name, data=None if name.endswith(("/", "\\")) else partial(archive.open, info))
            else:
                raise ValueError(f"{name!r} is a device or a pipe")


def _zip_names(path: Path, infos: Sequence[zipfile.ZipInfo]) -> list[str]:
    """Return the names of the members of a zip archive.

    A name that is not marked as UTF-8 should be in code page 437, as `zipfile` reads it. Programs write other encodings
    too: Finder UTF-8, Windows the code page of its language. The first encoding that suits all these names is used.
    """
    unmarked = {
        info.filename: info.filename.encode("cp437")
        for info in infos
        if not info.flag_bits & 0x800 and not info.filename.isascii() and info.filename == info.orig_filename
    }
    if not unmarked:
        return [info.filename for info in infos]
    given = os.environ.get(ENCODING, "")
    for encoding in [given] if given else ["utf-8", *_code_page(), "cp437"]:
        try:
            names = {name: raw.decode(encoding) for name, raw in unmarked.items()}
        except UnicodeDecodeError:
            continue
        except LookupError:
            break
        if encoding == "cp437":
            logger.warning(
                "%s: the encoding of names such as %r is not known; they are read as cp437. If they are wrong, set the "
                "environment variable %s (for example to gbk or cp866), and D2LTL_DATA to a new cache",
                *(path, next(iter(names.values())), ENCODING),
            )
        else:
            logger.info("%s: names such as %r are read as %s", path, next(iter(names.values())), encoding)
        return [names.get(info.filename, info.filename) for info in infos]
    raise ValueError(f"{ENCODING} is {given}, but its names are not in this encoding")


def _code_page() -> list[str]:
    """Return the code page of Windows for the language of this system, if there is one."""
    variables = ("LC_ALL", "LC_CTYPE", "LANG")
    language = next(filter(None, map(os.environ.get, variables)), "").partition(".")[0].lower()
    page = CODE_PAGES.get(language) or CODE_PAGES.get(language.partition("_")[0])
    return [page] if page else []


def _tar_members(path: Path) -> Iterator[Member]:
    with tarfile.open(path) as archive:
        for info in archive:
            if info.issym():
                yield Member(info.name, link=posixpath.join(posixpath.dirname(info.name), info.linkname))
            elif info.islnk():
                yield Member(info.name, link=info.linkname)
            elif info.isreg():
                yield Member(info.name, data=partial(archive.extractfile, info))
            elif info.isdir():
                yield Member(info.name)
            else:
                raise ValueError(f"{info.name!r} is a device or a pipe")
        # tarfile treats a damaged header as the end of the archive, but the real end is a block of zeros. The checksum
        # of a compressed file is verified only if the file is read to its end.
        stream = cast("IO[bytes]", archive.fileobj)
        stream.seek(archive.offset)
        if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise ValueError("damaged or cut short")
        while stream.read(CHUNK):
            pass
