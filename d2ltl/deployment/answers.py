"""Answers of a network for photographs: a table, CSV, JSON, and a contact sheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from _data_hub.language import N_, _, ngettext
from d2ltl.cli import text_table
from d2ltl.files import isolated, printable
from d2ltl.fonts import drawn_label, drawn_names, is_drawable
from d2ltl.plot import plot_images
from d2ltl.training.calibration import SURE
from d2ltl.training.predictions import Predictions

ROWS = 100  # of the table; CSV and JSON have all photographs
SHEET = 60  # photographs on a contact sheet
THUMBNAIL = 320  # pixels, the longer side of a photograph on a contact sheet
CAPTION_WIDTH = 20  # characters


def table(answers: Predictions) -> str:
    """Return a table with a line for each photograph: file, class, probability, second class, "unsure"."""
    rows = [[_("photograph"), _("class"), _("probability"), _("second class"), ""]]
    names = [isolated(name) for name in answers.classes]
    for file, row, sure in zip(answers.files[:ROWS], answers.probabilities, answers.sure):
        (name, highest), (second, next_highest) = ((names[i], row[i]) for i in np.argsort(-row)[:2])
        rows.append(
            [printable(file), name, f"{highest:.3f}", f"{second} {next_highest:.3f}", "" if sure else _("unsure")]
        )
    more = len(answers.files) - ROWS
    return "\n".join([text_table(rows), *([_("… and {number} more").format(number=more)] if more > 0 else [])])


def summary(answers: Predictions, calibrated: bool) -> str:
    """Return sentences that count the answers by class, and the unsure ones, and say what unsure means."""
    counts = np.bincount(answers.probabilities.argmax(axis=1), minlength=len(answers.classes))
    order = [i for i in np.argsort(-counts, kind="stable") if counts[i]]
    by_class = ", ".join(f"{isolated(answers.classes[i])} {counts[i]}" for i in order)
    unsure = int((~answers.sure).sum())
    counted = _("{images}: {by_class}; {unsure} unsure (probability below {sure:g}).").format(
        images=_number(answers), by_class=by_class, unsure=unsure, sure=SURE
    )
    if calibrated:
        return counted
    return _("{counted} The probabilities are not calibrated: they may be too high or too low.").format(counted=counted)


def _number(answers: Predictions) -> str:
    number = len(answers.files)
    return ngettext("{number} image", "{number} images", number).format(number=number)


def as_csv(answers: Predictions) -> bytes:
    """Return the answers as CSV in UTF-8: file, class, probability, sure, and the probability of each class."""
    rows = io.StringIO(newline="")
    writer = csv.writer(rows)
    writer.writerow(["file", "class", "probability", "sure", *answers.classes])
    writer.writerows([*values, *probabilities] for *values, probabilities in _records(answers))
    return rows.getvalue().encode(errors="backslashreplace")


def as_json(answers: Predictions) -> bytes:
    """Return the answers as JSON: the classes, and of each photograph its probabilities in the order of the classes."""
    names = ("file", "class", "probability", "sure", "probabilities")
    content = {"classes": answers.classes, "answers": [dict(zip(names, record)) for record in _records(answers)]}
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def _records(answers: Predictions) -> list[tuple[Any, ...]]:
    """Return for each photograph its file, class, probability, whether that is sure, and all probabilities."""
    rows = [[round(float(value), 6) for value in row] for row in answers.probabilities]
    return [
        (printable(file), name, max(row), bool(sure), row)
        for file, name, sure, row in zip(answers.files, answers.names, answers.sure, rows)
    ]


def contact_sheet(answers: Predictions, where: Callable[[np.ndarray, int], np.ndarray] | None = None) -> Figure:
    """Return a figure of up to 60 photographs with their classes and probabilities.

    Parameters
    ----------
    where : callable, optional
        Function of a photograph (uint8, (height, width, 3)) and the number of a class that returns a picture of the
        places that speak for the class; it is shown after each photograph.
    """
    names = drawn_names(answers.classes, CAPTION_WIDTH)
    shown = []
    for i, (row, sure) in enumerate(zip(answers.probabilities[:SHEET], answers.sure)):
        best = int(row.argmax())
        pixels = answers.images.read(i)
        caption = f"{names[best]}\n{row[best]:.2f}"
        shown.append((_thumbnail(pixels), caption if sure else drawn_label(N_("{answer}, unsure"), answer=caption)))
        if where:
            shown.append((_thumbnail(where(pixels, best)), drawn_label(N_("where {name}"), name=names[best])))
    title = (
        _number(answers)
        if len(answers.files) <= SHEET
        else _("the first {shown} of {images}").format(shown=SHEET, images=_number(answers))
    )
    if not is_drawable(title):  # no font of the system has its characters
        title = f"{min(SHEET, len(answers.files))} / {len(answers.files)}"
    return plot_images({title: shown})


def _thumbnail(pixels: np.ndarray) -> np.ndarray:
    image = Image.fromarray(pixels)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    return np.asarray(image)
