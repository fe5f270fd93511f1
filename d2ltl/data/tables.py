"""Tables of labels: CSV files that list images, as people and spreadsheet programs write them."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from d2ltl.errors import ImageFolderError

FILE_NAME = "labels.csv"


def read_table(table: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns and the rows of a CSV file.

    Commas, semicolons or tabs separate the cells. Blanks around a cell are no part of it, and a missing cell is empty.
    The text is converted to Unicode's form NFC.

    Raises
    ------
    ImageFolderError
        If the file is not UTF-8.
    """
    try:
        text = table.read_text(encoding="utf-8-sig")  # spreadsheet programs write a byte order mark
    except UnicodeDecodeError as error:
        raise ImageFolderError(f"{table} is not UTF-8 ({error}). Save it as CSV UTF-8.") from error
    lines = unicodedata.normalize("NFC", text).lstrip("\n")
    if lines.startswith("sep="):  # Excel's note about the separator
        lines = lines.partition("\n")[2]
    header = lines.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    columns, *rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(io.StringIO(lines, newline=""), delimiter=separator, skipinitialspace=True)
        if any(cell.strip() for cell in row)
    ] or [[]]
    return columns, [dict(zip(columns, row + [""] * (len(columns) - len(row)))) for row in rows]


def as_listed(path: str) -> str:
    """Return the path of a file in the form in which paths are compared: with slashes, in Unicode's form NFC."""
    return unicodedata.normalize("NFC", path.replace("\\", "/")).removeprefix("./")


def value_of_file(table: Path, rows: Iterable[dict[str, str]], file: str, column: str) -> dict[str, str]:
    """Return the cells of one column by the files in another, see `as_listed`.

    Raises
    ------
    ImageFolderError
        If a file is listed twice with different values.
    """
    value_of: dict[str, str] = {}
    for row in rows:
        name = as_listed(row[file])
        if value_of.setdefault(name, row[column]) != row[column]:
            raise ImageFolderError(
                f"{table} lists {row[file]} twice: {column} is {value_of[name]!r} and {row[column]!r}. Correct one."
            )
    return value_of
