"""The model card of the trained networks of a comparison (Mitchell et al. 2019, *Model Cards for Model Reporting*)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader

from _data_hub.language import _, ngettext
from d2ltl.comparison.certainty import standard_error
from d2ltl.comparison.result import Comparison
from d2ltl.comparison.runs import Run
from d2ltl.comparison.sentences import warnings
from d2ltl.comparison.strategies import find_strategy
from d2ltl.data.inventory import describe_inventory
from d2ltl.datasets import title_of
from d2ltl.training.calibration import FEWEST, SURE
from d2ltl.training.evaluation import class_scores


def translated(environment: Environment) -> Environment:
    """Return an environment whose templates are told in the language of the reader, by their ``trans`` blocks."""
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(_, ngettext, newstyle=True)  # type: ignore[attr-defined]
    return environment


def model_card(comparison: Comparison) -> str:
    """Return the model card as Markdown: networks, images, probabilities, limits, settings, versions."""
    loader = PackageLoader("d2ltl", "comparison")
    environment = translated(
        Environment(loader=loader, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    )
    environment.filters.update(cells=_cells, text=_text)
    context: dict[str, Any] = {
        "comparison": comparison,
        "data": title_of(comparison.settings["data"], comparison.images["rendered"]),
        "weights": Path(comparison.settings["pretrained"]).name,
        "number": sum(len(run.accuracies) for run in comparison.runs),
        "split": comparison.split,
        "network_columns": [
            _("strategy"),
            _("seed"),
            _("file"),
            _("test accuracy"),
            _("balanced accuracy"),
            _("temperature"),
        ],
        "class_columns": [
            _("class"),
            _("test images"),
            *(_("recall, {strategy}").format(strategy=name) for name in comparison.strategies),
        ],
        "calibration_columns": calibration_columns(),
        "networks": [_network(run) for run in comparison.runs],
        "strategies": {name: _(find_strategy(name).description) for name in comparison.strategies},
        "classes": _classes(comparison),
        "inventory": describe_inventory(comparison.inventory) if comparison.inventory else "",
        "calibrations": calibration_rows(comparison),
        "sure": SURE,
        "fewest": FEWEST,
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
    temperatures = ", ".join(_("none") if temperature is None else f"{temperature:.2f}" for temperature in fitted)
    name = f"{run.strategy}-seed{run.seed}"
    folds = _("{first} to {last}").format(first=f"{name}-fold1", last=f"-fold{len(run.folds)}") if run.folds else name
    return [
        run.strategy,
        str(run.seed),
        f"runs/{folds}.params",
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


def calibration_columns() -> list[str]:
    """Return the heads of the columns of `calibration_rows`."""
    return [_("strategy"), _("calibration error"), _("with temperature"), _("sure answers"),
            _("accuracy of sure answers"), _("of unsure answers")]  # fmt: skip


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
