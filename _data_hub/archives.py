"""Safe unpacking of untrusted archives."""

from __future__ import annotations

import contextlib
import filecmp
import logging
import os
import posixpath
import shutil
import stat
import tarfile
import uuid
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Callable, NamedTuple, Union, cast

from _data_hub.errors import failures

MAX_BYTES = 20 * 2**30  # size limit of the unpacked archive
SURE_BYTES = 2**30  # an archive may always grow to this size
MAX_GROWTH = 20  # times the size of the archive; images hardly grow
MAX_MEMBERS = 2_000_000
CHUNK = 2**20
LIMIT = "D2LTL_UNPACK_GIB"  # environment variable: size limit in GiB that replaces those above
ENCODING = "D2LTL_ZIP_ENCODING"  # environment variable: encoding of names that a zip archive does not mark as UTF-8

# The encodings that zip programs of Windows use for names, by the language of the system.
CODE_PAGES = {
    "ar": "cp720", "be": "cp866", "bg": "cp866", "cs": "cp852", "el": "cp737", "he": "cp862", "hr": "cp852",
    "hu": "cp852", "ja": "cp932", "ko": "cp949", "pl": "cp852", "ro": "cp852", "ru": "cp866", "sk": "cp852",
    "sl": "cp852", "th": "cp874", "tr": "cp857", "uk": "cp866", "zh": "gb18030", "zh_hk": "cp950", "zh_tw": "cp950",
}  # fmt: skip

logger = logging.getLogger("data_hub")

PathLike = Union[str, "os.PathLike[str]"]


class Member(NamedTuple):
    """A file (`data` opens it), a link (`link` is its target, relative to the top) or a folder of an archive."""

    name: str
    data: Callable[[], IO[bytes] | None] | None = None
    link: str | None = None


def _members(archive: Path) -> Iterator[Member]:
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


def relative(name: str) -> PurePosixPath:
    """Return a member's name as a path; raise ValueError if it leaves the folder on any operating system.

    Backslashes separate folders, because some programs for Windows write them.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or PureWindowsPath(name).drive:
        raise ValueError("the name leads out of the folder, here or on another system")
    return path


class Tree:
    """A new folder for the members of an archive. It rejects members that collide or exceed the size limit.

    Whether names that differ only in case or Unicode form collide, the file system decides.
    """

    def __init__(self, root: Path, limit: int) -> None:
        root.mkdir()
        self.root = root
        self.files: dict[str, tuple[int, int]] = {}  # size and CRC-32 by name
        self._bytes = 0
        self._limit = limit
        self._folders = {PurePosixPath(".")}

    def add_folder(self, path: PurePosixPath) -> None:
        for folder in (*reversed(path.parents), path):
            if folder not in self._folders:
                with self._no_collision():
                    (self.root / folder).mkdir()
                self._folders.add(folder)

    def add_file(self, path: PurePosixPath, data: IO[bytes]) -> None:
        self.add_folder(path.parent)
        if str(path) in self.files:
            raise ValueError("is in the archive twice")
        start, crc = self._bytes, 0
        with self._no_collision(), (self.root / path).open("xb") as file:
            while chunk := data.read(CHUNK):
                self._bytes += len(chunk)
                if self._bytes > self._limit:
                    raise ValueError(
                        f"grows past the limit of {self._limit:,} bytes for this archive. If you trust it, set the "
                        f"environment variable {LIMIT} to a larger limit, in GiB"
                    )
                file.write(chunk)
                crc = zlib.crc32(chunk, crc)
        self.files[str(path)] = self._bytes - start, crc

    @contextlib.contextmanager
    def _no_collision(self) -> Iterator[None]:
        try:
            yield
        except FileExistsError as error:
            raise ValueError("collides with another member of the archive on this file system") from error


def size_limit(archive: Path) -> int:
    """Return to how many bytes an archive may grow.

    Images hardly compress, so an archive that grows to many times its size is not one of images. The variable
    D2LTL_UNPACK_GIB allows more, or less.
    """
    if not (given := os.environ.get(LIMIT)):
        return min(MAX_BYTES, max(SURE_BYTES, MAX_GROWTH * archive.stat().st_size))
    try:
        return int(float(given) * 2**30)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{LIMIT} is {given!r}; it is a number of GiB") from error


def unpack(archive: Path, root: Path) -> dict[str, tuple[int, int]]:
    """Unpack an archive to the new folder `root`, and return the size and the CRC-32 of each file by its name."""
    from tqdm.auto import tqdm

    links = []
    with failures(os.fspath(archive)):
        tree = Tree(root, size_limit(archive))
        for count, member in enumerate(tqdm(_members(archive), archive.name, unit=" files", delay=2)):
            with failures(f"{archive}: {member.name!r}"):
                if count >= MAX_MEMBERS:
                    raise ValueError(f"is more than the limit of {MAX_MEMBERS:,} members of an archive")
                path = relative(member.name)
                if member.link is not None:
                    links.append((path, member.link))
                elif member.data is None:
                    tree.add_folder(path)
                else:
                    with cast("IO[bytes]", member.data()) as data:
                        tree.add_file(path, data)
        for path, link in links:  # links are replaced by copies of their files, so no link can leave the folder
            with failures(f"{archive}: {str(path)!r}"):
                if (file := posixpath.normpath(link)) not in tree.files:
                    raise ValueError(f"is a link to {link!r}, which is no file of the archive")
                with (root / file).open("rb") as data:
                    tree.add_file(path, data)
        if not tree.files:
            raise ValueError("holds no files")
    return tree.files


@contextlib.contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Create a temporary folder and delete it at the end, also after an exception or Ctrl-C."""
    shutil.rmtree(path, ignore_errors=True)  # a killed process may have left it behind
    try:
        path.mkdir(parents=True)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def extract(filename: PathLike, folder: PathLike | None = None) -> str:
    """Unpack a zip or tar archive (plain, .gz, .xz or .bz2), and return the path of the folder that it was unpacked to.

    A new folder appears with all its contents at once. Existing files are kept if they are identical to the unpacked
    ones. A link is replaced by a copy of the file that it points to.

    Parameters
    ----------
    filename : path
        Path of the archive. The format is detected from its content, not from its name.
    folder : path, optional
        Folder to unpack to; by default the folder of the archive, as in the book.

    Raises
    ------
    DataHubError
        If the archive is damaged or protected by a password. If it grows past 1 GiB and past 20 times its size, or past
        20 GiB; the environment variable D2LTL_UNPACK_GIB sets another limit. If a member is a device, leaves the
        folder, or has the same name as another member on this file system. If a file exists with different content.
    """
    archive = Path(filename)
    target = archive.parent if folder is None else Path(folder)
    with failures(f"{archive} cannot be unpacked to {target}"):
        near = next(place for place in (target, *target.absolute().parents) if place.is_dir())
        with temporary_folder(near / f".{uuid.uuid4().hex}") as temporary:
            _move(temporary / "unpacked", target, unpack(archive, temporary / "unpacked"))
    return os.fspath(target)


def _move(unpacked: Path, target: Path, names: Iterable[str]) -> None:
    """Move the unpacked files to the target folder; move nothing if a different file exists there."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        unpacked.rename(target)
        return
    new = [entry.name for entry in unpacked.iterdir() if not os.path.lexists(target / entry.name)]
    for name in names:
        top, there = PurePosixPath(name).parts[0], target / name
        same = there.is_file() and filecmp.cmp(unpacked / name, there, shallow=False)
        if top not in new and not same:
            raise ValueError(f"{target / top} is there with other content; move it or name another folder")
    for entry in new:
        (unpacked / entry).rename(target / entry)
