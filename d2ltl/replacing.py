"""One way to write a file: whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name beside `path` to write to; it takes the place of `path` when all went well.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with replacing(folder / 'report.json') as temporary:
    ...     _ = temporary.write_text('{}')
    >>> [file.name for file in folder.iterdir()]
    ['report.json']
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # a power cut must not leave an empty file under the right name
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
