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

from d2ltl.files import isolated, printable
from d2ltl.fonts import drawn_names
from d2ltl.plot import plot_images
from d2ltl.training.predictions import Predictions

ROWS = 100  # of the table; CSV and JSON have all photographs
SHEET = 60  # photographs on a contact sheet
THUMBNAIL = 320  # pixels, the longer side of a photograph on a contact sheet
CAPTION_WIDTH = 20  # characters


def table(answers: Predictions) -> str:
    """Return a table with a line for each photograph: file, class, probability, second class, "unsure"."""
    rows = [["photograph", "class", "probability", "or else", ""]]
    for file, of, sure in zip(answers.files[:ROWS], answers.probabilities, answers.sure):
        first, second = np.argsort(-of, kind="stable")[:2]
        rows.append([
            printable(file), isolated(answers.classes[first]), f"{of[first]:.3f}",
            f"{isolated(answers.classes[second])} {of[second]:.3f}", "" if sure else "unsure",
        ])  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    more = len(answers.files) - ROWS
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:], *([f"… and {more} more"] if more > 0 else [])])


def summary(answers: Predictions) -> str:
    """Return a sentence that counts the answers by class, and the unsure ones."""
    counts = np.bincount(answers.probabilities.argmax(axis=1), minlength=len(answers.classes))
    order = [i for i in np.argsort(-counts, kind="stable") if counts[i]]
    unsure = int((~answers.sure).sum())
    said = ", ".join(f"{isolated(answers.classes[i])} {counts[i]}" for i in order)
    photographs = f"{len(answers.files)} photograph{'s' if len(answers.files) > 1 else ''}"
    return f"{photographs}: {said}; {unsure} unsure (probability below 0.8)."


def as_csv(answers: Predictions) -> bytes:
    """Return the answers as CSV in UTF-8: file, class, probability, sure, and the probability of each class."""
    rows = io.StringIO(newline="")
    writer = csv.writer(rows)
    writer.writerow(["file", "class", "probability", "sure", *answers.classes])
    for row in _records(answers):
        writer.writerow([*[*row.values()][:4], *row["probabilities"].values()])
    return rows.getvalue().encode(errors="backslashreplace")


def as_json(answers: Predictions) -> bytes:
    """Return the answers as JSON: a list of dicts with file, class, probability, sure and probabilities by class."""
    return (json.dumps([*_records(answers)], indent=1, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def _records(answers: Predictions) -> list[dict[str, Any]]:
    records = []
    for file, name, of, sure in zip(answers.files, answers.names, answers.probabilities, answers.sure):
        rounded = [round(float(probability), 6) for probability in of]
        records.append({"file": printable(file), "class": name, "probability": max(rounded), "sure": bool(sure),
                        "probabilities": dict(zip(answers.classes, rounded))})  # fmt: skip
    return records


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
    for i, (of, sure) in enumerate(zip(answers.probabilities[:SHEET], answers.sure)):
        best = int(of.argmax())
        pixels = answers.images.read(i)
        shown.append((_thumbnail(pixels), f"{names[best]}\n{of[best]:.2f}{'' if sure else ', unsure'}"))
        if where:
            shown.append((_thumbnail(where(pixels, best)), f"where {names[best]}"))
    total = len(answers.files)
    title = f"{total} images" if total <= SHEET else f"the first {SHEET} of {total} images"
    return plot_images({title: shown})


def _thumbnail(pixels: np.ndarray) -> np.ndarray:
    image = Image.fromarray(pixels)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    return np.asarray(image)
