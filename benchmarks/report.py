"""Results of the benchmarks as tables and a plot, and their publication in this folder's README."""

from __future__ import annotations

import json
import math
import re
import shutil
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.peers import PEERS
from benchmarks.works import ROWS, WORKS, Goal, Row

HERE = Path(__file__).parent
DPI = 110
START, END = "<!-- results: start -->", "<!-- results: end -->"  # `publish` replaces the text between them in README.md

Measurements = list[dict[str, Any]]


def median_of(measurements: Measurements, work: str, peer: str, field: str) -> float:
    """Return the median of a result over the rounds; NaN if it was not measured or a round failed."""
    records = [record for record in measurements if (record["work"], record["peer"]) == (work, peer)]
    return float(np.median([record.get(field, math.nan) for record in records])) if records else math.nan


def row_figures(row: Row, measurements: Measurements) -> dict[str, float]:
    """Return the value of each peer in a row of the table."""
    figures = {peer: median_of(measurements, row.work, peer, row.field) for peer in PEERS}
    if row.limit:
        limits = {
            PEERS[peer].bfloat16: median_of(measurements, row.limit, peer, row.field) for peer in WORKS[row.limit].peers
        }
        return {peer: value / limits[PEERS[peer].bfloat16] for peer, value in figures.items()}
    return figures


def reached(row: Row, goal: Goal, measurements: Measurements) -> tuple[float, bool]:
    """Return the value for a goal, or its ratio to the best of other peers, and whether the goal is met."""
    value = median_of(measurements, goal.work or row.work, goal.peer, row.field)
    unit, bound = bound_of(row, goal, measurements)
    return value / unit, value >= bound if goal.bound == "≥" else value <= bound


def bound_of(row: Row, goal: Goal, measurements: Measurements) -> tuple[float, float]:
    """Return the best value of the peers that a goal compares with (1 without peers), and the bound."""
    others = [median_of(measurements, row.work, peer, row.field) for peer in goal.than]
    unit = float(np.max(others)) if others else 1.0  # NaN if any of them is NaN
    return unit, goal.factor * unit + goal.allowance


def table(measurements: Measurements) -> str:
    """Return the measured rows as a Markdown table."""
    rows = [[row.letter, row.title, row.unit, *_figure_texts(row, measurements)] for row in _measured(measurements)]
    return markdown(["", "work", "unit", *PEERS], ["---"] * 3 + ["--:"] * len(PEERS), rows)


def goals_table(measurements: Measurements) -> str:
    """Return the goals of the measured rows and their results as a Markdown table, without goals with absent peers."""
    rows = []
    measured = {(record["work"], record["peer"]) for record in measurements}
    for row in _measured(measurements):
        for goal in row.goals:
            if {(row.work, peer) for peer in (goal.peer, *goal.than)} <= measured:
                value, met = reached(row, goal, measurements)
                figure = number_text(value, "" if goal.than else row.unit)
                rows.append([row.letter, row.title, _goal_text(row, goal), figure, "✓" if met else "✗"])
    return markdown(["", "work", "goal", "reached", ""], ["---"] * 5, rows)


def _measured(measurements: Measurements) -> list[Row]:
    measured = {record["work"] for record in measurements}
    return [row for row in ROWS if row.work in measured]


def _figure_texts(row: Row, measurements: Measurements) -> list[str]:
    figures = row_figures(row, measurements)
    taking_part = {record["peer"] for record in measurements} & {*WORKS[row.work].peers}
    return [number_text(figures[peer], row.unit) if peer in taking_part else "" for peer in PEERS]


def markdown(titles: list[str], alignment: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [titles, alignment, *rows])


def _goal_text(row: Row, goal: Goal) -> str:
    subject = WORKS[goal.work].title if goal.work else goal.peer
    factor = number_text(goal.factor, "" if goal.than else row.unit)
    best = f"the best of {', '.join(goal.than)}" if len(goal.than) > 1 else "".join(goal.than)
    than = " × this" if goal.work else f" × {best}" if best else ""
    allowance = f" + {number_text(goal.allowance, row.unit)}" if goal.allowance else ""
    return f"{subject} {goal.bound} {factor}{than}{allowance}"


def number_text(value: float, unit: str) -> str:
    """Return a number as text with three digits; a share as a percentage."""
    if math.isnan(value):
        return "–"
    if unit == "%":
        return f"{100 * value:.0f} %"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def text_of(results: dict[str, Any]) -> str:
    """Return the report as text: date, data, machine, versions, tables and failures."""
    machine, environments = results["machine"], results["environments"]
    book, pytorch, ours = environments["book"], environments["pytorch"], environments["d2ltl"]
    rounds = max(record["round"] for record in results["measurements"])
    heading = (
        f"{results['date']}{', a quick run' if results['quick'] else ''}. Data: {results['data']}. Processor: "
        f"{title_of(machine)}. Medians of {rounds} round{'s' * (rounds > 1)}. Python {machine['python']}; "
        f"book: d2l {book['d2l']}, MXNet {book['mxnet']}; pytorch: PyTorch {pytorch['torch']}; "
        f"d2ltl {machine['d2ltl']}, MXNet {ours['mxnet']}."
    )
    failures = {
        f"Not measured: {r['work']} by {r['peer']}, {r['error']}" for r in results["measurements"] if "error" in r
    }
    tables = [make(results["measurements"]) for make in (table, goals_table)]
    return "\n\n".join([heading, *tables, *sorted(failures)]) + "\n"


def plot(measurements: Measurements) -> Figure:
    """Return a figure of the images per second of every peer, with one panel for each such row with goals."""
    rows = [row for row in _measured(measurements) if row.unit == "images/s" and row.goals]
    rows = [row for row in rows if len(WORKS[row.work].peers) > 1]
    drawing = Figure(figsize=(4 * len(rows), 2.6), layout="constrained")
    panels = drawing.subplots(1, len(rows), sharey=True, squeeze=False)[0]
    panels[0].invert_yaxis()  # the first peer on top
    for axes, row in zip(panels, rows):
        figures = row_figures(row, measurements)
        colours = ["tab:orange" if peer.startswith("d2ltl") else "tab:gray" for peer in figures]
        bars = axes.barh(list(figures), list(figures.values()), color=colours)
        axes.bar_label(bars, [number_text(value, row.unit) for value in figures.values()], padding=3)
        axes.margins(x=0.15)
        axes.set_title(textwrap.fill(row.title, 32), fontsize=10)
        axes.set_xlabel(row.unit)
        axes.spines[["top", "right"]].set_visible(False)
    return drawing


def publish(file: Path) -> None:
    """Publish the results in a file as those of its processor, and write those of all processors into the README."""
    results = json.loads(file.read_text("utf-8"))
    published = published_file(results["machine"])
    published.parent.mkdir(exist_ok=True)
    shutil.copyfile(file, published)
    plot(results["measurements"]).savefig(published.with_suffix(".png"), dpi=DPI)
    sections = []
    for path in sorted(published.parent.glob("*.json")):
        of_one = json.loads(path.read_text("utf-8"))
        picture = f"![Images a second of each peer](published/{path.stem}.png)"
        sections.append(f"### {title_of(of_one['machine'])}\n\n{picture}\n\n{text_of(of_one)}")
    readme = HERE / "README.md"
    readme.write_text(between_markers(readme.read_text("utf-8"), "\n".join(sections)), encoding="utf-8")


def published_file(machine: dict[str, Any]) -> Path:
    """Return the file of the published results of a machine's processor."""
    return HERE / "published" / f"{re.sub(r'[^a-z0-9]+', '-', title_of(machine).lower())}.json"


def title_of(machine: dict[str, Any]) -> str:
    """Return the name of a machine's processor, which says whether it has bfloat16."""
    return f"{machine['processor']}, {'with' if machine['bfloat16'] else 'without'} bfloat16"


def between_markers(readme: str, text: str) -> str:
    """Return the README with the text between its markers replaced."""
    before, rest = readme.split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n\n{text}\n{END}{after}"
