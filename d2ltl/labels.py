"""Labels beyond the class folder: the columns of a data set's `labels.csv`."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from d2ltl.data import ImageFolder
from d2ltl.errors import ImageFolderError

FILE_NAME = "labels.csv"


def read_labels(images: ImageFolder, column: str) -> np.ndarray:
    """Return what one column of `labels.csv` says of each image: strings, shape (N,), None where the cell is empty.

    The file lies in the data set's folder, beside the class folders or one above, as in `hotdog-mini`. Its column
    ``file`` holds the path of each image from there, with slashes.

    Parameters
    ----------
    images : ImageFolder
    column : str

    Raises
    ------
    ImageFolderError
        If there is no such file or column, or it lacks one of the images, or is not UTF-8.
    """
    root = Path(images.root)
    table = next((folder / FILE_NAME for folder in (root, root.parent) if (folder / FILE_NAME).is_file()), None)
    if table is None:
        raise ImageFolderError(
            f"{images.root} has no {FILE_NAME}, nor has the folder above; it says more than classes."
        )
    try:
        text = table.read_text(encoding="utf-8-sig")  # spreadsheets begin it with a byte order mark
    except UnicodeDecodeError as error:
        raise ImageFolderError(f"{table} is not UTF-8 ({error}). Save it as CSV UTF-8.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = list(reader.fieldnames or ())
    if not {"file", column} <= set(columns):
        raise ImageFolderError(f"{table} has the columns {', '.join(columns)}; file and {column} are needed.")
    value_of = {row["file"]: row[column] or None for row in reader}
    names = [Path(path).relative_to(table.parent).as_posix() for path, _ in images.items]
    if missing := [name for name in names if name not in value_of]:
        raise ImageFolderError(f"{table} lacks {missing[0]} and {len(missing) - 1} other images.")
    return np.array([value_of[name] for name in names])
