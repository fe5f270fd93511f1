"""What a comparison says: a table and its reading in words, figures, JSON, and one HTML page."""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

from d2ltl.comparison import Comparison
from d2ltl.decoding import read_image
from d2ltl.gains import Gain
from d2ltl.plot import plot_confusion, plot_curves, plot_images
from d2ltl.replacing import replacing
from d2ltl.runs import Run
from d2ltl.strategies import BASELINE, find_strategy

COLUMNS = ["strategy", "lr", "loss", "train acc", "test acc", "of each seed", "seconds", "examples/s"]
DPI = 110


def table_rows(comparison: Comparison) -> list[list[str]]:
    """Return one row per strategy, with the columns of `COLUMNS`: means over the seeds after the last epoch."""
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
    """Return what the three gains over training from scratch are, in one sentence for each strategy."""
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
    """Write ``report.html``, ``report.json`` and the figures into a folder, and return the page's path.

    The figures are ``curves.png``, ``confusion.png`` (all seeds together) and ``mistakes.png`` (the most
    confidently wrong test images of the first seed). The page holds all of it in one file.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    pictures = {name: _png(figure) for name, figure in _figures(comparison).items()}
    for name, content in pictures.items():
        _write(out / name, content)
    report = json.dumps(comparison.to_dict(), indent=1, ensure_ascii=False) + "\n"
    _write(out / "report.json", report.encode())
    _write(out / "report.html", _page(comparison, pictures).encode())
    return out / "report.html"


def _figures(comparison: Comparison) -> dict[str, Figure]:
    runs = {name: comparison.of(name) for name in comparison.strategies}
    matrices = {name: np.sum([run.confusion for run in of], axis=0) for name, of in runs.items()}
    title = f"{comparison.settings['net']} from {_weights(comparison)} weights, on {_data(comparison)}"
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


def _data(comparison: Comparison) -> str:
    """Return what to call the data: its name or the last part of its path, and whether it was rendered."""
    name = Path(comparison.settings["data"]).name
    return f"{name} (rendered images)" if comparison.images["rendered"] else name


def _weights(comparison: Comparison) -> str:
    return Path(comparison.settings["pretrained"]).name


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _page(comparison: Comparison, pictures: dict[str, bytes]) -> str:
    environment = Environment(loader=PackageLoader("d2ltl", "."), autoescape=True, trim_blocks=True)
    context: dict[str, Any] = {
        "comparison": comparison,
        "data": _data(comparison),
        "weights": _weights(comparison),
        "strategies": {name: find_strategy(name).description for name in comparison.strategies},
        "columns": COLUMNS,
        "rows": table_rows(comparison),
        "reading": reading(comparison),
        "summaries": [(run.strategy, run.seed, str(run.history)) for run in comparison.runs],
        "pictures": {name: base64.b64encode(content).decode() for name, content in pictures.items()},
    }
    return environment.get_template("report.html").render(context)
