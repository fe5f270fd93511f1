"""Safe unpacking of untrusted archives."""

from __future__ import annotations

import contextlib
import filecmp
import os
import posixpath
import shutil
import stat
import tarfile
import unicodedata
import uuid
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Callable, NamedTuple, Union, cast

from _data_hub.errors import failures

MAX_BYTES = 20 * 2**30  # size limit of the unpacked archive
MAX_MEMBERS = 2_000_000
CHUNK = 2**20

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
    raise ValueError("neither a zip nor a tar archive, or damaged")


def _zip_members(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.flag_bits & 1:
                raise ValueError(f"{info.filename!r} is protected by a password")
            if kind == stat.S_IFLNK:
                with archive.open(info) as data:
                    target = data.read(4096).decode()
                yield Member(info.filename, link=posixpath.join(posixpath.dirname(info.filename), target))
            elif kind in (0, stat.S_IFREG, stat.S_IFDIR):
                yield Member(info.filename, data=None if info.filename.endswith("/") else partial(archive.open, info))
            else:
                raise ValueError(f"{info.filename!r} is a device or a pipe")


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
    """Return a member's name as a path; raise ValueError if it leaves the folder on any operating system."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or PureWindowsPath(name).drive:
        raise ValueError("the name leads out of the folder, here or on another system")
    return path


class Tree:
    """A new folder for the members of an archive. It rejects members that collide or exceed the size limit."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.root = root
        self.files: dict[str, tuple[int, int]] = {}  # size and CRC-32 by name
        self._bytes = 0
        self._taken = {".": "./"}  # names by their case-folded, normalised form; names of folders end with /

    def add_folder(self, path: PurePosixPath) -> None:
        for folder in (*reversed(path.parents), path):
            if self._take(folder, f"{folder}/"):
                (self.root / folder).mkdir()

    def add_file(self, path: PurePosixPath, data: IO[bytes]) -> None:
        self.add_folder(path.parent)
        if not self._take(path, str(path)):
            raise ValueError("is in the archive twice")
        start, crc = self._bytes, 0
        with (self.root / path).open("xb") as file:
            while chunk := data.read(CHUNK):
                self._bytes += len(chunk)
                if self._bytes > MAX_BYTES:
                    raise ValueError(f"grows past the limit of {MAX_BYTES:,} bytes for an archive")
                file.write(chunk)
                crc = zlib.crc32(chunk, crc)
        self.files[str(path)] = self._bytes - start, crc

    def _take(self, path: PurePosixPath, name: str) -> bool:
        """Register a name and return whether it is new; raise ValueError if some file system would confuse two names.

        Such a file system ignores case or Unicode normalisation (macOS, Windows).
        """
        folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", str(path)).casefold())
        new = folded not in self._taken
        if self._taken.setdefault(folded, name) != name:
            raise ValueError(f"collides with {self._taken[folded]!r}")
        return new


def unpack(archive: Path, root: Path) -> dict[str, tuple[int, int]]:
    """Unpack an archive to the new folder `root`, and return the size and the CRC-32 of each file by its name."""
    from tqdm.auto import tqdm

    links = []
    with failures(os.fspath(archive)):
        tree = Tree(root)
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
        If the archive is damaged, protected by a password, or larger than 20 GiB when unpacked. If a member is a
        device, leaves the folder, or has the same name as another member on some file system. If a file exists with
        different content.
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
