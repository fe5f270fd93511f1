"""The report of a comparison: table, sentences, figures, JSON file and HTML page."""

from __future__ import annotations

import base64
import csv
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

from _data_hub.language import N_, _, language, ngettext
from d2ltl.cli import text_table
from d2ltl.comparison.model_card import calibration_columns, calibration_rows, model_card, translated
from d2ltl.comparison.result import Comparison
from d2ltl.comparison.runs import Prediction, Run
from d2ltl.comparison.sentences import next_steps, reading, warnings
from d2ltl.comparison.strategies import find_strategy
from d2ltl.data.decoding import read_image
from d2ltl.data.inventory import describe_inventory
from d2ltl.datasets import title_of
from d2ltl.files import isolated, write_bytes, write_json
from d2ltl.fonts import drawn_label, drawn_names, is_drawable
from d2ltl.plot import TESTED, jpeg, plot_confusion, plot_curves, plot_images, png
from d2ltl.training.calibration import SURE
from d2ltl.training.evaluation import class_scores, most_confused

COLUMNS = [N_("strategy"), N_("lr"), N_("loss"), N_("train acc"), N_("test acc"), N_("of each seed"), N_("seconds"),
           N_("examples/s"), N_("balanced")]  # fmt: skip
NAME_WIDTH = 20  # characters of a class name in the table
CAPTION_WIDTH = 16  # characters in a line under an image
PAIRS_LISTED = 10  # pairs of classes that a strategy confuses
CLASSES_OPEN = 20  # longer tables of classes are folded


def columns(comparison: Comparison) -> list[str]:
    """Return the heads of the columns of the table; with cross-validation, the accuracies are those of the folds."""
    folded = {"of each seed": N_("of each fold")} if comparison.settings.get("cross_validate") else {}
    return [_(folded.get(name, name)) for name in COLUMNS]


def table_rows(comparison: Comparison) -> list[list[str]]:
    """Return one table row per strategy with the columns `COLUMNS`; losses and accuracies are of the last epoch.

    ``balanced`` is the balanced accuracy. The last row is the accuracy of always answering the most frequent class.
    """
    classes = np.count_nonzero(comparison.runs[0].confusion.sum(axis=1))
    constant = dict.fromkeys(COLUMNS, "-")
    constant.update({"strategy": _("always {answer}").format(answer=_cut(comparison.most_frequent)),
                     "test acc": f"{comparison.chance:.3f}", "balanced": f"{1 / classes:.3f}"})  # fmt: skip
    return [*([name, *_row(comparison.of(name))] for name in comparison.strategies), [*constant.values()]]


def _cut(name: str) -> str:
    return isolated(name if len(name) <= NAME_WIDTH else f"{name[: NAME_WIDTH - 1]}…")


def _row(runs: list[Run]) -> list[str]:
    def last(quantity: str) -> list[float]:
        return [run.history.curve(quantity)[-1] for run in runs]

    tested = [accuracy for run in runs for accuracy in run.accuracies]
    return [
        "-" if runs[0].learning_rate is None else f"{runs[0].learning_rate:g}",
        _mean_sd(last("loss")),
        _mean_sd(last("train_acc")),
        _mean_sd(tested),
        " ".join(f"{accuracy:.3f}" for accuracy in tested),
        f"{np.mean([run.history.seconds for run in runs]):.0f}",
        f"{np.mean([run.history.examples_per_s for run in runs]):.1f}",
        _mean_sd([class_scores(run.confusion).balanced_accuracy for run in runs]),
    ]


def _mean_sd(values: list[float]) -> str:
    sd = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{sd}"


def table(comparison: Comparison) -> str:
    """Return the table of a comparison as text."""
    return text_table([columns(comparison), *table_rows(comparison)])


def write_report(comparison: Comparison, out: str | os.PathLike[str]) -> Path:
    """Write the report of a comparison to a folder, which is created if needed, and return the path of ``report.html``.

    ``report.json`` contains the numbers, ``MODEL_CARD.md`` describes the networks, and ``predictions.csv`` has the
    prediction of every network for every test image, if they were recorded. The figures are ``curves.png``,
    ``confusion.png`` (sum over all seeds) and ``mistakes.png`` (the test images of the first seed that were
    misclassified with the highest probability). The HTML page contains the figures, photographs as JPEG.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    figures = _figures(comparison)
    pictures = {name: png(figure) for name, figure in figures.items()}
    for name, content in pictures.items():
        write_bytes(out / name, content)
    write_json(out / "report.json", comparison.to_dict())
    if any(run.predictions for run in comparison.runs):
        write_bytes(out / "predictions.csv", _predictions(comparison))
    write_bytes(out / "MODEL_CARD.md", model_card(comparison).encode(errors="backslashreplace"))
    pictures["mistakes.png"] = min(pictures["mistakes.png"], jpeg(figures["mistakes.png"]), key=len)
    write_bytes(out / "report.html", _page(comparison, pictures).encode(errors="backslashreplace"))
    return out / "report.html"


def _predictions(comparison: Comparison) -> bytes:
    """Return the predictions of all runs as CSV in UTF-8; a file name that is not Unicode has its bytes escaped."""
    rows = io.StringIO(newline="")
    writer = csv.writer(rows)
    writer.writerow(["strategy", "seed", *Prediction._fields])
    writer.writerows([run.strategy, run.seed, *p] for run in comparison.runs for p in run.predictions)
    return rows.getvalue().encode(errors="backslashreplace")


def _figures(comparison: Comparison) -> dict[str, Figure]:
    runs = {name: comparison.of(name) for name in comparison.strategies}
    data = title_of(comparison.settings["data"], rendered=False)
    data = data if is_drawable(data) else drawn_label(N_("images of your own"))
    if comparison.images["rendered"]:
        data = drawn_label(N_("{data} (rendered images)"), data=data)
    net, weights = comparison.settings["net"], _weights(comparison)
    title = drawn_label(N_("{net} from {weights} weights, on {data}"), net=net, weights=weights, data=data)
    histories = {name: [run.history for run in of] for name, of in runs.items()}
    tested = N_("validation") if comparison.has_validation else TESTED
    return {
        "curves.png": plot_curves(histories, title, chance=comparison.chance, tested=tested),
        "confusion.png": plot_confusion(_confusions(comparison), comparison.classes, title),
        "mistakes.png": plot_images(
            {name: _mistaken_images(of[0], comparison.classes) for name, of in runs.items()}, title
        ),
    }


def _confusions(comparison: Comparison) -> dict[str, np.ndarray]:
    """Return the confusion matrix of each strategy, the sum over all seeds."""
    return {name: np.sum([run.confusion for run in comparison.of(name)], axis=0) for name in comparison.strategies}


def _mistaken_images(run: Run, classes: list[str]) -> list[tuple[np.ndarray, str]]:
    drawn = dict(zip(classes, drawn_names(classes, CAPTION_WIDTH)))
    return [
        (
            read_image(m["file"]),
            drawn_label(
                N_("{true}\ntaken for {predicted}\n{probability:.0%}"),
                true=drawn[m["true"]],
                predicted=drawn[m["predicted"]],
                probability=m["probability"],
            ),
        )
        for m in run.mistakes
    ]


def _class_tables(comparison: Comparison) -> dict[str, list[list[str]]]:
    """Return the rows of the table of classes for each strategy: number, name, images, precision, recall, F1."""

    def rows(confusion: np.ndarray) -> list[list[str]]:
        scores = class_scores(confusion)
        shares = zip(scores.precision, scores.recall, scores.f1)
        columns = zip(comparison.classes, scores.images, shares)
        return [[str(i), name, str(n), *(f"{x:.3f}" for x in of)] for i, (name, n, of) in enumerate(columns)]

    return {name: rows(confusion) for name, confusion in _confusions(comparison).items()}


def _confused_pairs(comparison: Comparison) -> dict[str, list[str]]:
    """Return a sentence about each of the most frequent mistakes of each strategy."""
    names = [isolated(name) for name in comparison.classes]
    return {
        strategy: [
            _("{true} taken for {predicted}: {number} of {all}").format(
                true=names[true], predicted=names[predicted], number=matrix[true, predicted], all=matrix[true].sum()
            )
            for true, predicted in most_confused(matrix, PAIRS_LISTED)
        ]
        for strategy, matrix in _confusions(comparison).items()
    }


def _weights(comparison: Comparison) -> str:
    return Path(comparison.settings["pretrained"]).name


def _page(comparison: Comparison, pictures: dict[str, bytes]) -> str:
    environment = translated(
        Environment(loader=PackageLoader("d2ltl", "comparison"), autoescape=True, trim_blocks=True)
    )
    epochs = comparison.settings["epochs"]
    context: dict[str, Any] = {
        "comparison": comparison,
        "lang": language().replace("_", "-"),
        "data": title_of(comparison.settings["data"], comparison.images["rendered"]),
        "weights": _weights(comparison),
        "inventory": describe_inventory(comparison.inventory) if comparison.inventory else "",
        "strategies": {name: _(find_strategy(name).description) for name in comparison.strategies},
        "columns": columns(comparison),
        "rows": table_rows(comparison),
        "reading": reading(comparison),
        "warnings": warnings(comparison),
        "next_steps": next_steps(comparison),
        "class_tables": _class_tables(comparison),
        "calibrations": calibration_rows(comparison),
        "sure": SURE,
        "split": comparison.split,
        "epochs": ngettext("{number} epoch", "{number} epochs", epochs).format(number=epochs),
        "class_columns": [_("number"), _("class"), _("test images, all seeds"), _("precision"), _("recall"), "F1"],
        "calibration_columns": calibration_columns(),
        "folded": len(comparison.classes) > CLASSES_OPEN,
        "confused_pairs": _confused_pairs(comparison),
        "summaries": [(run.strategy, run.seed, str(run.history)) for run in comparison.runs],
        "pictures": {name: _data_url(content) for name, content in pictures.items()},
    }
    return environment.get_template("report.html").render(context)


def _data_url(picture: bytes) -> str:
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
