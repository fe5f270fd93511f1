"""``python -m tools.scaling``: what 10, 100 and 1,000 machines would bring. docs/scale.md explains the results.

Simulates a sweep of 10,000 runs and one training on as many images as ImageNet has, draws docs/images/scaling.png, and
prints the tables. ``--measure`` first measures the costs on this machine, in some minutes; otherwise those in
costs.json are used. The speed at 224 × 224 pixels is that in the published benchmarks of the same processor.
"""

from __future__ import annotations

# isort: off
import d2ltl  # noqa: F401 - first: it prepares the process for MXNet
# isort: on

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.report import median_of, published_file
from benchmarks.works import FLOAT32, RUNS, STEP
from d2ltl.cli import text_table
from d2ltl.files import write_bytes, write_json
from d2ltl.plot import png
from tools.scaling.costs import measure
from tools.scaling.simulation import Sweep, Training

HERE = Path(__file__).parent
COSTS, FIGURE = HERE / "costs.json", HERE.parents[1] / "docs/images/scaling.png"

GIGABIT = 125  # MB/s
SPREAD = 0.1  # assumed: standard deviation of the time of a run and of a step, as a share
MACHINES = (1, 10, 100, 1000)
HOUR, DAY = 3600, 86400

SWEEP_RUNS, DATA_MB = 10_000, 80
HOTDOG = {"train": 2000 * 5, "evaluate": 800 * 5}  # images of a run: 5 epochs on the book's photographs
SHORT_RUN = 5  # seconds

IMAGENET = 1_281_167 * 90  # images in 90 epochs
RESNET18_MB = 46.8  # 11.7 million parameters in float32
BATCH, LARGEST_BATCH, EACH = 256, 8192, 32


def sweeps(costs: dict[str, Any], rates: dict[str, float]) -> dict[str, Sweep]:
    """Return the sweeps to simulate, by title."""
    run_s = sum(images / rates[work] for work, images in HOTDOG.items())
    calls = costs["calls, 2 workers"]
    return {
        f"runs of {seconds:.0f} s": Sweep(
            seconds, calls["seconds_per_call"], calls["start_s"], SPREAD, DATA_MB, GIGABIT
        )
        for seconds in (run_s, SHORT_RUN)
    }


def training_days(rates: dict[str, float], machines: int, gigabits: int, growing: bool) -> float:
    """Return the days of the training; a `growing` batch has 32 images for each machine, but at most 8,192 in all."""
    training = Training(1 / rates["train"], RESNET18_MB, gigabits * GIGABIT, SPREAD if machines > 1 else 0)
    batch = min(LARGEST_BATCH, max(BATCH, EACH * machines)) if growing else BATCH
    return training.step_seconds(batch, machines) * IMAGENET / batch / DAY


TRAININGS = {
    f"batch of {BATCH}, 1 Gbit/s": (1, False),
    f"batch of {BATCH}, 10 Gbit/s": (10, False),
    f"{EACH} images for each machine, 10 Gbit/s": (10, True),
}


def check(costs: dict[str, Any]) -> list[list[str]]:
    """Return what the costs of one worker predict for two, beside what was measured, as rows of a table."""
    alone, calls = costs["runs, 1 worker"], costs["calls, 2 workers"]
    number = 2 * RUNS["seeds"]
    sweep = Sweep((alone["seconds"] - calls["start_s"]) / number, calls["seconds_per_call"], calls["start_s"])
    # Both workers exchange gradients with one server, which receives and sends the bytes of both.
    by_one, by_two = costs["step, 1 worker"], costs["step, 2 workers"]
    exchange_s = max(0, by_one["step_s"] - costs["step"]["step_s"]) * by_two["mb_per_step"] / by_one["mb_per_step"]
    shared = costs["half a step"]["step_s"] + exchange_s
    rows = [
        (f"{number} runs", sweep.seconds(number, 2), costs["runs, 2 workers"]["seconds"], alone["seconds"]),
        ("a step", shared, by_two["step_s"], by_one["step_s"]),
    ]
    return [[name, *(f"{seconds:.3g} s" for seconds in times)] for name, *times in rows]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.scaling", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure the costs anew; nothing else should run")
    if parser.parse_args().measure:
        write_json(COSTS, measure())
    costs = json.loads(COSTS.read_text(encoding="utf-8"))
    measurements = json.loads(published_file(costs["machine"]).read_text(encoding="utf-8"))["measurements"]
    rates = {work: median_of(measurements, f"{work}224", FLOAT32, "images_per_s") for work in HOTDOG}
    print(f"Costs: {costs['machine']['processor']}; batches of {STEP['batch_size']}.\n")
    print(text_table([["two workers", "predicted", "measured", "one worker"], *check(costs)]))
    tables = {
        f"hours of {SWEEP_RUNS} runs": {
            title: [sweep.seconds(SWEEP_RUNS, machines) / HOUR for machines in MACHINES]
            for title, sweep in sweeps(costs, rates).items()
        },
        "days of the training": {
            title: [training_days(rates, machines, *settings) for machines in MACHINES]
            for title, settings in TRAININGS.items()
        },
    }
    for title, rows in tables.items():
        lines = [[name, *(f"{value:.3g}" for value in values)] for name, values in rows.items()]
        print("\n" + text_table([[title, *map(str, MACHINES)], *lines]))
    write_bytes(FIGURE, png(draw(costs, rates)))
    print(f"\n{FIGURE}")


def draw(costs: dict[str, Any], rates: dict[str, float]) -> Figure:
    """Return the figure of the time by number of machines."""
    figure = Figure(figsize=(10, 4), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    numbers = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]
    for title, sweep in sweeps(costs, rates).items():
        _draw_line(left, numbers, [sweep.seconds(SWEEP_RUNS, n) / HOUR for n in numbers], title)
    left.set(title=f"{SWEEP_RUNS:,} runs", ylabel="hours")
    for title, settings in TRAININGS.items():
        _draw_line(right, numbers[:-3], [training_days(rates, n, *settings) for n in numbers[:-3]], title)
    right.set(title="one training on ImageNet-sized data", ylabel="days")
    return figure


def _draw_line(ax: Axes, numbers: list[int], values: list[float], title: str) -> None:
    (line,) = ax.plot(numbers, values, "o-", markersize=3, label=title)
    ax.plot(numbers, [values[0] / n for n in numbers], ":", color=line.get_color(), linewidth=1)
    ax.set(xscale="log", yscale="log", xlabel="machines of two cores (dotted: if nothing were lost)")
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")


if __name__ == "__main__":
    main()
