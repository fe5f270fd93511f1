"""Roofline of the layers (Williams et al. 2009): what limits a step, and how fast it would be at its limit.

``python -m benchmarks.roofline`` measures for two minutes, prints two tables, and draws the figure of this processor.
"""

from __future__ import annotations

import json
import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import report
from benchmarks.measuring import process, run, task_of
from benchmarks.peers import PEERS, set_up
from benchmarks.primitives import FORWARD, KINDS, Ceilings, Layer, at_roof, layers_of
from benchmarks.workers.protocol import MARK, seconds_of
from benchmarks.works import BF16, FLOAT32, ROWS, TUNED, TUNED_BF16, WORKS
from d2ltl.models.precision import has_bfloat16
from d2ltl.runtime import usable_processors, versions

WORKS_AND_PEERS = (
    ("train224", FLOAT32), ("train96", FLOAT32), ("train96", BF16), ("evaluate224", FLOAT32),
    ("lite224", FLOAT32), ("lite112", FLOAT32), ("lite-evaluate224", FLOAT32), ("frozen96", FLOAT32),
)  # fmt: skip
COPIED, REPEATED = (2**24, 2**28), 20  # bytes
MARKERS = dict(zip(KINDS, "sDvPopX^*"))  # of all kinds but the last, a change of layout, which does no operations


class Case(NamedTuple):
    """The steps of a work by a peer: the layers of a step, and the seconds that it takes."""

    work: str
    peer: str
    layers: list[Layer]
    seconds: float

    @property
    def title(self) -> str:
        """The letter and the title of the work's row, and the precision if it is bfloat16."""
        row = next(row for row in ROWS if row.work == self.work)
        return f"{row.letter}: {row.title}{', bfloat16' * PEERS[self.peer].bfloat16}"

    @property
    def batch_size(self) -> int:
        """The number of images of a step."""
        return WORKS[self.work].settings["batch_size"]


def measure(work: str, peer: str) -> Case:
    """Run the steps of a work in a process of its own, and read the layers from its output."""
    task = {**task_of(WORKS[work], peer, Path(), classes=2), "do": "steps", "trains": WORKS[work].do == "train"}
    done = process(peer, task, DNNL_VERBOSE="1")
    if done.returncode:
        raise SystemExit(f"{work} by {peer} failed:\n{done.stderr}")
    _, log, answer = done.stdout.split(f"{MARK}\n")
    results = json.loads(answer.splitlines()[-1])
    return Case(work, peer, layers_of(log, results), results["step_s"])


def ceilings() -> dict[bool, Ceilings]:
    """Measure the ceilings of this machine in float32 and, if the processor has it, in bfloat16 (True)."""
    moved = _copying()
    found = {}
    for peer in (TUNED, *([TUNED_BF16] if has_bfloat16() else [])):
        set_up(PEERS[peer].environment)
        results = run(peer, task_of(WORKS["limit"], peer, Path(), classes=2))
        if "error" in results:
            raise SystemExit(f"limit by {peer}: {results['error']}")
        found[PEERS[peer].bfloat16] = Ceilings(results["gflop_per_s"] * 1e9, moved)
    return found


def _copying() -> float:
    """Return the most bytes a second that all processors read and write when they copy arrays of some sizes."""
    number = usable_processors()
    best = 0.0
    with ThreadPoolExecutor(number) as threads:
        for size in COPIED:
            pairs = [np.ones((2, size // 4 // number), np.float32) for _ in range(number)]
            for _ in range(REPEATED):
                best = max(best, 2 * size / seconds_of(partial(_copy, pairs, threads)))
    return best


def _copy(pairs: list[np.ndarray], threads: ThreadPoolExecutor) -> None:
    deque(threads.map(lambda pair: np.copyto(*pair), pairs))


def shares_table(cases: list[Case]) -> str:
    """Return the share of each kind of layer in the time of a step as a Markdown table."""
    rows = []
    for case in cases:
        seconds = [sum(layer.seconds for layer in case.layers if layer.kind == kind) for kind in KINDS]
        shares = [*seconds, case.seconds - sum(seconds)]
        texts = [report.number_text(share / case.seconds, "%") for share in shares]
        rows.append([case.title, report.number_text(1000 * case.seconds, "ms"), *texts])
    return report.markdown(["a step of", "ms", *KINDS, "the rest"], ["---"] + ["--:"] * (len(KINDS) + 2), rows)


def limits_table(cases: list[Case], machine: dict[bool, Ceilings], published: report.Measurements) -> str:
    """Return images a second, measured, at the roof of every layer, and wanted, as a Markdown table.

    The whole work is that of the table of the benchmarks, with loading, as `published` for this processor.
    """
    rows = []
    for case in cases:
        whole, goal = whole_of(case, published)
        limit = sum(at_roof(layer, machine[PEERS[case.peer].bfloat16]) for layer in case.layers)
        network, at_its_roof = case.batch_size / case.seconds, case.batch_size / limit
        beside = np.maximum(0, 1 / whole - 1 / network)  # seconds of loading an image; NaN if not published
        figures = [network, at_its_roof, whole, 1 / (beside + 1 / at_its_roof), goal]
        rows.append([case.title, *(report.number_text(figure, "images/s") for figure in figures)])
    titles = ["images/s", "network", "network at its roof", "whole work", "whole work, network at its roof", "goal"]
    return report.markdown(titles, ["---"] + ["--:"] * 5, rows)


def whole_of(case: Case, published: report.Measurements) -> tuple[float, float]:
    """Return the images a second of the whole work and its highest goal; NaN if they are not published."""
    row = next(row for row in ROWS if row.work == case.work)
    if row.field != "images_per_s":
        return math.nan, math.nan
    goals = [report.bound_of(row, goal, published)[1] for goal in row.goals if goal.peer == case.peer]
    return report.median_of(published, case.work, case.peer, row.field), max(goals, default=math.nan)


def plot(cases: list[Case], machine: dict[bool, Ceilings], processor: str) -> Figure:
    """Return a figure with a panel for each case: the roof, and a point for each layer."""
    figure = Figure(figsize=(17, 8), layout="constrained")
    panels = figure.subplots(2, math.ceil(len(cases) / 2), sharex=True, sharey=True, squeeze=False).ravel()
    for axes, case in zip(panels, cases):
        _draw(axes, case, machine[PEERS[case.peer].bfloat16])
    handles = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels())}
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(handles))
    figure.suptitle(f"Roofline of the layers on {processor}. Filled: forward; hollow: backward")
    return figure


def _draw(axes: Axes, case: Case, roof: Ceilings) -> None:
    intensity = np.logspace(-1.5, 3.5, 500)
    axes.loglog(intensity, np.minimum(roof.operations, intensity * roof.moved) / 1e9, "k-", linewidth=1)
    for layer in case.layers:
        if layer.kind in MARKERS:
            axes.plot(
                layer.operations / layer.moved,
                layer.operations / layer.seconds / 1e9,
                MARKERS[layer.kind],
                color=f"C{KINDS.index(layer.kind)}",
                fillstyle="full" if layer.direction == FORWARD else "none",
                markersize=5,
                label=layer.kind,
            )
    axes.set_title(case.title, fontsize=9)
    axes.set_xlabel("operations for each byte")
    axes.set_ylabel("10⁹ operations a second")
    axes.label_outer()


def main() -> None:
    """Measure, print the tables, and save the figure beside the published results of this processor."""
    machine = {**versions(), "bfloat16": has_bfloat16()}
    file = report.published_file(machine)
    published = json.loads(file.read_text("utf-8"))["measurements"] if file.exists() else []
    roofs = ceilings()
    cases = [measure(work, peer) for work, peer in WORKS_AND_PEERS if PEERS[peer].bfloat16 in roofs]
    for precision, roof in roofs.items():
        rates = f"{roof.operations / 1e9:.0f} GFLOP/s, {roof.moved / 1e9:.0f} GB/s"
        print(f"The ceilings in {'bfloat16' if precision else 'float32'}: {rates}.")
    print(f"\n{shares_table(cases)}\n\n{limits_table(cases, roofs, published)}\n")
    picture = file.with_name(f"{file.stem}-roofline.png")
    picture.parent.mkdir(exist_ok=True)
    plot(cases, roofs, report.title_of(machine)).savefig(picture, dpi=report.DPI)
    print(f"The figure is {picture}")


if __name__ == "__main__":
    main()
