"""Tables of labels: CSV files that list images, as people and spreadsheet programs write them."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from d2ltl.errors import ImageFolderError

FILE_NAME = "labels.csv"
FILE_COLUMNS = ("file", "filename", "id", "image", "imageid", "imagename", "path", "name")
CLASS_COLUMNS = ("label", "class", "classname", "category", "breed", "species", "target")


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


def find_table(folder: Path, top: Path) -> Path | None:
    """Return the table with the classes of the images in a folder, or None.

    It is in the folder, or in a folder above it, up to `top`. Its name is ``labels.csv``, ``train.csv``,
    ``train_labels.csv`` or ``trainLabels.csv``, or has the name of the folder in place of ``train``.
    """
    name = _plain(folder.name)
    for place in (folder, *folder.parents):
        tables = {_plain(path.stem): path for path in sorted(place.glob("*.[cC][sS][vV]")) if path.is_file()}
        for wanted in ("labels", f"{name}labels", name, "trainlabels", "train"):
            if wanted in tables:
                return tables[wanted]
        if place == top:
            break
    return None


def classes_of(images: Sequence[Path], table: Path, ambiguous: frozenset[str] = frozenset()) -> list[str | None]:
    """Return the class of each image by a table, or None if the table does not list it.

    A row has the path of an image, relative to the table, or only its name; the suffix may be missing, as in the book's
    Kaggle data (``id,breed``). Names in `ambiguous`, without suffix, are of other images.

    Raises
    ------
    ImageFolderError
        If the table is not UTF-8, or its columns do not say which is the class.
    """
    columns, rows = read_table(table)
    if len(columns) < 2:  # a list of files, as Kaggle's of the images to predict
        return [None] * len(images)
    file, label = _columns(table, columns)
    class_of = value_of_file(table, (row for row in rows if row[file] and row[label]), file, label)

    def find(image: Path) -> str | None:
        path = image.relative_to(table.parent)
        names = [path.as_posix(), path.with_suffix("").as_posix()]
        if image.stem not in ambiguous:
            names += [image.name, image.stem]
        return next((class_of[name] for name in map(as_listed, names) if name in class_of), None)

    return [find(image) for image in images]


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


def _columns(table: Path, columns: list[str]) -> tuple[str, str]:
    """Return the names of the columns with the files and with the classes."""
    by_name = {_plain(column): column for column in reversed(columns)}
    file = next((by_name[name] for name in FILE_COLUMNS if name in by_name), columns[0])
    others = [column for column in columns if column != file]
    label = others[0] if len(others) == 1 else next((by_name[name] for name in CLASS_COLUMNS if name in by_name), None)
    if label is None:
        raise ImageFolderError(f"{table} has the columns {', '.join(columns)}. Call the one with the classes label.")
    return file, label


def _plain(name: str) -> str:
    """Return a name in lower case, without blanks, hyphens and underscores."""
    return "".join(letter for letter in name.lower() if letter not in " -_")
