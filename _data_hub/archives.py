"""Safe unpacking of untrusted archives."""

from __future__ import annotations

import contextlib
import filecmp
import os
import posixpath
import shutil
import uuid
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Union, cast

from _data_hub.errors import failures
from _data_hub.members import CHUNK, read_members

MAX_BYTES = 20 * 2**30  # size limit of the unpacked archive
SURE_BYTES = 2**30  # an archive may always grow to this size
MAX_GROWTH = 20  # times the size of the archive; images hardly grow
MAX_MEMBERS = 2_000_000
LIMIT = "D2LTL_UNPACK_GIB"  # environment variable: size limit in GiB that replaces those above

PathLike = Union[str, "os.PathLike[str]"]


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
        for count, member in enumerate(tqdm(read_members(archive), archive.name, unit=" files", delay=2)):
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
