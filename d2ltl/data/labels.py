"""Additional labels of images: the columns of a data set's `labels.csv`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from d2ltl.data.folders import ImageFolder
from d2ltl.data.pairs import Data, Pair, as_pair
from d2ltl.data.tables import FILE_NAME, as_listed, read_table, value_of_file
from d2ltl.errors import ImageFolderError


def read_labels(images: ImageFolder, column: str) -> np.ndarray:
    """Return one column of `labels.csv` for all images: strings, shape (N,), with None for empty cells.

    The file is in the folder that contains the class folders, or in its parent folder, as in `hotdog-mini`. The column
    ``file`` contains the path of each image relative to the folder of `labels.csv`. The names of the columns may be in
    upper or lower case. See `d2ltl.data.tables.read_table` for the forms that spreadsheet programs write.

    Raises
    ------
    ImageFolderError
        If the file or the column does not exist, an image is not listed, or listed with two different labels, or the
        file is not UTF-8.
    """
    root = Path(images.root)
    table = next((folder / FILE_NAME for folder in (root, root.parent) if (folder / FILE_NAME).is_file()), None)
    if table is None:
        raise ImageFolderError(f"There is no {FILE_NAME} in {images.root}, nor in the folder above it.")
    columns, rows = read_table(table)
    named = {name.casefold(): name for name in reversed(columns)}
    if not {"file", column.strip().casefold()} <= set(named):
        raise ImageFolderError(f"{table} has the columns {', '.join(columns)}; file and {column} are needed.")
    value_of = value_of_file(table, rows, named["file"], named[column.strip().casefold()])
    names = [as_listed(Path(path).relative_to(table.parent).as_posix()) for path, _ in images.items]
    if missing := [name for name in names if name not in value_of]:
        raise ImageFolderError(f"{table} lacks {missing[0]} and {len(missing) - 1} other images.")
    return np.array([value_of[name] or None for name in names])


def relabel_by(data: Data, column: str) -> Pair:
    """Return the training and the test images with the values of a `labels.csv` column as their classes.

    Images with an empty cell are left out. See `train_fine_tuning` for `data`, and `read_labels` for the file.

    Raises
    ------
    ImageFolderError
        If the labels cannot be read, or the column has fewer than two different values.
    """
    train, test = as_pair(data)
    labelled = _relabel(train, column), _relabel(test, column)
    labelled[0].validation = _relabel(train.validation, column) if train.validation is not None else None
    return labelled


def _relabel(images: ImageFolder, column: str) -> ImageFolder:
    return images.relabel(read_labels(images, column).tolist())
