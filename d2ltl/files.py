"""Atomic writes: a file is written completely or not at all. Names of files as text."""

from __future__ import annotations

import contextlib
import json
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename the file to `path` if the block raises no error.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with atomic_write(folder / 'report.json') as temporary:
    ...     _ = temporary.write_text('{}')
    >>> [file.name for file in folder.iterdir()]
    ['report.json']
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # otherwise a power failure could leave an empty file at `path`
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write bytes to a file atomically."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write a value to an indented JSON file in UTF-8, atomically. JSON's escapes keep names that are not UTF-8."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode(errors="backslashreplace"))


def isolated(name: str) -> str:
    """Return a name for a line of text, with a mark if it is written from right to left.

    Without the mark, the numbers that follow the name are shown in the opposite order, and before it.

    Examples
    --------
    >>> isolated('paper'), isolated('ورق')
    ('paper', 'ورق\u200e')
    """
    return f"{name}\u200e" if any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in name) else name


def printable(name: str) -> str:
    r"""Return the name of a file as text. Bytes that are not UTF-8, which Python keeps as surrogates, become escapes.

    Examples
    --------
    >>> printable('caf\udce9.jpg')
    'caf\\xe9.jpg'
    """
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
