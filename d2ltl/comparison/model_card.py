"""The model card of the trained networks of a comparison (Mitchell et al. 2019, *Model Cards for Model Reporting*)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader

from d2ltl.comparison.certainty import standard_error
from d2ltl.comparison.result import Comparison
from d2ltl.comparison.runs import Run
from d2ltl.comparison.sentences import warnings
from d2ltl.comparison.strategies import find_strategy
from d2ltl.data.inventory import describe_inventory
from d2ltl.datasets import title_of
from d2ltl.training.calibration import FEWEST, SURE
from d2ltl.training.evaluation import class_scores


def model_card(comparison: Comparison) -> str:
    """Return the model card as Markdown: networks, images, probabilities, limits, settings, versions."""
    environment = Environment(
        loader=PackageLoader("d2ltl", "comparison"), trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters.update(cells=_cells, text=_text)
    context: dict[str, Any] = {
        "comparison": comparison,
        "data": title_of(comparison.settings["data"], comparison.images["rendered"]),
        "weights": Path(comparison.settings["pretrained"]).name,
        "number": sum(len(run.accuracies) for run in comparison.runs),
        "networks": [_network(run) for run in comparison.runs],
        "strategies": {name: find_strategy(name).description for name in comparison.strategies},
        "classes": _classes(comparison),
        "inventory": describe_inventory(comparison.inventory) if comparison.inventory else "",
        "calibrations": calibration_rows(comparison),
        "sure": SURE,
        "fewest": FEWEST,
        "tested": "validation" if comparison.has_validation else "test",
        "warnings": warnings(comparison),
    }
    return environment.get_template("model_card.md").render(context)


def _cells(row: Iterable[str]) -> str:
    """Return the cells of a row of a Markdown table."""
    return " | ".join(_text(cell).replace("|", "\\|") for cell in row)


def _text(name: str) -> str:
    """Return a text that Markdown shows as it is, in one line: names may contain what looks like HTML."""
    return " ".join(name.split()).replace("<", "\\<")


def _network(run: Run) -> list[str]:
    images = int(run.confusion.sum())
    fitted = [calibration.temperature for calibration in run.calibrations]
    temperatures = ", ".join("none" if temperature is None else f"{temperature:.2f}" for temperature in fitted)
    folds = f"-fold1 to -fold{len(run.folds)}" if run.folds else ""
    return [
        run.strategy,
        str(run.seed),
        f"runs/{run.strategy}-seed{run.seed}{folds}.params",
        f"{run.accuracy:.3f} ± {standard_error(run.accuracy, images):.3f}",
        f"{class_scores(run.confusion).balanced_accuracy:.3f}",
        temperatures or "-",
    ]


def _classes(comparison: Comparison) -> list[list[str]]:
    """Return for each class its name, its number of test images, and its recall by strategy, over all seeds."""
    of_strategies = [
        class_scores(np.sum([run.confusion for run in comparison.of(name)], axis=0)) for name in comparison.strategies
    ]
    counts = comparison.runs[0].confusion.sum(axis=1)
    return [
        [name, str(counts[i]), *(f"{scores.recall[i]:.3f}" for scores in of_strategies)]
        for i, name in enumerate(comparison.classes)
    ]


def calibration_rows(comparison: Comparison) -> list[list[str]]:
    """Return for each strategy the means over its networks of what `Calibration` measures; none if nothing was."""
    rows = []
    for name in comparison.strategies:
        measured = [calibration for run in comparison.of(name) for calibration in run.calibrations]
        if not measured:
            continue
        fields = ("error", "scaled_error", "sure", "accuracy_sure", "accuracy_unsure")
        rows.append([name, *(_mean([getattr(one, field) for one in measured]) for field in fields)])
    return rows


def _mean(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.3f}" if known else "-"
