"""The report of a comparison: table, sentences, figures, JSON file and HTML page."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

from d2ltl.comparison.gains import Gain
from d2ltl.comparison.running import Comparison
from d2ltl.comparison.runs import Run
from d2ltl.comparison.strategies import BASELINE, find_strategy
from d2ltl.data.decoding import read_image
from d2ltl.datasets import title_of
from d2ltl.files import write_bytes, write_json
from d2ltl.plot import plot_confusion, plot_curves, plot_images, png

COLUMNS = ["strategy", "lr", "loss", "train acc", "test acc", "of each seed", "seconds", "examples/s"]


def table_rows(comparison: Comparison) -> list[list[str]]:
    """Return one table row per strategy with the columns `COLUMNS`; losses and accuracies are of the last epoch."""
    return [[name, *_row(comparison.of(name))] for name in comparison.strategies]


def _row(runs: list[Run]) -> list[str]:
    def last(quantity: str) -> list[float]:
        return [run.history.curve(quantity)[-1] for run in runs]

    return [
        "-" if runs[0].learning_rate is None else f"{runs[0].learning_rate:g}",
        _mean_sd(last("loss")),
        _mean_sd(last("train_acc")),
        _mean_sd(last("test_acc")),
        " ".join(f"{accuracy:.3f}" for accuracy in last("test_acc")),
        f"{np.mean([run.history.seconds for run in runs]):.0f}",
        f"{np.mean([run.history.examples_per_s for run in runs]):.1f}",
    ]


def _mean_sd(values: list[float]) -> str:
    sd = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{sd}"


def table(comparison: Comparison) -> str:
    """Return the table of a comparison as text."""
    rows = [COLUMNS, *table_rows(comparison)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def reading(comparison: Comparison) -> list[str]:
    """Return a text for each strategy that states its three gains over training from scratch."""
    return [_sentence(name, gains) for name, gains in comparison.gains.items()]


def _sentence(strategy: str, gains: dict[str, Gain]) -> str:
    start, slope, asymptote = (gains[name] for name in ("start", "slope", "asymptote"))
    seeds = len(start.by_seed)
    return (
        f"{strategy} against {BASELINE}: starts {_points(start)} {_more(start, 'higher', 'lower')}, "
        f"climbs {_points(slope)} per epoch {_more(slope, 'faster', 'slower')}, "
        f"ends {_points(asymptote)} {_more(asymptote, 'higher', 'lower')}. {_verdict(asymptote)} "
        + (f"({seeds} seeds, ± one standard deviation.)" if seeds > 1 else "(One seed: its spread is not known.)")
    )


def _points(gain: Gain) -> str:
    sd = f" ± {100 * gain.sd:.1f}" if gain.sd is not None else ""
    return f"{100 * abs(gain.mean):.1f}{sd} points"


def _more(gain: Gain, more: str, less: str) -> str:
    return more if gain.mean >= 0 else less


def _verdict(asymptote: Gain) -> str:
    if asymptote.sd is not None and not asymptote.certain:
        return "Whether transfer paid off is not certain: the seeds differ as much as the strategies."
    return "Transfer paid off." if asymptote.mean > 0 else "Transfer did not pay off."


def write_report(comparison: Comparison, out: str | os.PathLike[str]) -> Path:
    """Write the report of a comparison to a folder, which is created if needed, and return the path of ``report.html``.

    ``report.json`` contains the numbers. The figures are ``curves.png``, ``confusion.png`` (sum over all seeds) and
    ``mistakes.png`` (the test images of the first seed that were misclassified with the highest probability). The HTML
    page contains the figures.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    pictures = {name: png(figure) for name, figure in _figures(comparison).items()}
    for name, content in pictures.items():
        write_bytes(out / name, content)
    write_json(out / "report.json", comparison.to_dict())
    write_bytes(out / "report.html", _page(comparison, pictures).encode(errors="backslashreplace"))
    return out / "report.html"


def _figures(comparison: Comparison) -> dict[str, Figure]:
    runs = {name: comparison.of(name) for name in comparison.strategies}
    matrices = {name: np.sum([run.confusion for run in of], axis=0) for name, of in runs.items()}
    data = title_of(comparison.settings["data"], comparison.images["rendered"])
    title = f"{comparison.settings['net']} from {_weights(comparison)} weights, on {data}"
    return {
        "curves.png": plot_curves({name: [run.history for run in of] for name, of in runs.items()}, title),
        "confusion.png": plot_confusion(matrices, comparison.classes, title),
        "mistakes.png": plot_images({name: _mistaken_images(of[0]) for name, of in runs.items()}, title),
    }


def _mistaken_images(run: Run) -> list[tuple[np.ndarray, str]]:
    return [
        (read_image(m["file"]), f"{m['true']}\ntaken for {m['predicted']}\n{m['probability']:.0%}")
        for m in run.mistakes
    ]


def _weights(comparison: Comparison) -> str:
    return Path(comparison.settings["pretrained"]).name


def _page(comparison: Comparison, pictures: dict[str, bytes]) -> str:
    environment = Environment(loader=PackageLoader("d2ltl", "comparison"), autoescape=True, trim_blocks=True)
    context: dict[str, Any] = {
        "comparison": comparison,
        "data": title_of(comparison.settings["data"], comparison.images["rendered"]),
        "weights": _weights(comparison),
        "strategies": {name: find_strategy(name).description for name in comparison.strategies},
        "columns": COLUMNS,
        "rows": table_rows(comparison),
        "reading": reading(comparison),
        "summaries": [(run.strategy, run.seed, str(run.history)) for run in comparison.runs],
        "pictures": {name: base64.b64encode(content).decode() for name, content in pictures.items()},
    }
    return environment.get_template("report.html").render(context)
