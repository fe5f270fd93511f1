"""Figures of the exercises, drawn from images, arrays and `Trial` objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from d2ltl.data.folders import ImageFolder
from d2ltl.exercises.class_rows import ClassRow
from d2ltl.exercises.trials import Trial
from d2ltl.fonts import drawn_names, fonts_for
from d2ltl.plot import draw_chance, legend_beside, plot_images

DPI = 80
CAPTION_WIDTH = 16  # characters in a line above an image


def _new_figure(title: str, width: float) -> Figure:
    figure = Figure(figsize=(width, 3.6), dpi=DPI, layout="constrained")
    with fonts_for([title]):
        figure.suptitle(title, fontsize="medium", parse_math=False)
    return figure


def plot_rates(trials: Sequence[Trial], label: str = "test accuracy", title: str = "",
               chance: float | None = None) -> Figure:  # fmt: skip
    """Return a figure of accuracy by learning rate, with a logarithmic axis and one colour for each `way`.

    A dot shows each run, a line the mean over the seeds. A cross at the bottom shows a run that diverged; its learning
    rate has no mean. `label` is the label of the y axis. `chance` is that of `plot_curves`, here and below.
    """
    figure = _new_figure(title, 7)
    ax = figure.subplots()
    _draw_rates(ax, trials, lambda trial: trial.accuracy, label)
    draw_chance(ax, chance)
    legend_beside(figure)
    return figure


def _draw_rates(ax: Axes, trials: Sequence[Trial], value: Callable[[Trial], float], label: str) -> None:
    for i, (way, of_way) in enumerate(_by_way(trials).items()):
        rates = sorted(set(_rates(of_way)))
        means = [np.mean([value(t) for t in of_way if t.learning_rate == rate]) for rate in rates]
        ax.plot(rates, means, "o-", color=f"C{i}", linewidth=2, label=f"{way}, mean")
        lasting, lost = ([t for t in of_way if t.diverged == diverged] for diverged in (False, True))
        ax.plot(_rates(lasting), [value(t) for t in lasting], ".", color=f"C{i}", alpha=0.5)
        if lost:
            ax.plot(_rates(lost), [0.03] * len(lost), "x", color=f"C{i}",
                    transform=ax.get_xaxis_transform(), label=f"{way}, diverged")  # fmt: skip
    ax.set(xscale="log", xlabel="learning rate", ylabel=label)
    ax.grid(alpha=0.3)


def _rates(trials: Sequence[Trial]) -> list[float]:
    return [np.nan if trial.learning_rate is None else trial.learning_rate for trial in trials]


def _by_way(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    return {way: [t for t in trials if t.way == way] for way in dict.fromkeys(trial.way for trial in trials)}


def plot_tuning(grid: Sequence[Trial], trials: Sequence[Trial], title: str = "", chance: float | None = None) -> Figure:
    """Return a figure of `tune`: validation accuracy by learning rate, and test accuracy with the best settings.

    `grid` and `trials` are those of the `Tuning` objects of all strategies, concatenated.
    """
    figure = _new_figure(title, 9)
    left, right = figure.subplots(1, 2, width_ratios=[2, 1])
    _draw_rates(left, grid, _best_epoch, "validation accuracy, best epoch")
    ways = _by_way(trials)
    for i, of_way in enumerate(ways.values()):
        accuracies = [trial.accuracy for trial in of_way]
        right.plot([i] * len(accuracies), accuracies, ".", color=f"C{i}", alpha=0.5)
        right.plot(i, np.mean(accuracies), "o", color=f"C{i}", markersize=9)
    right.set_xticks(range(len(ways)), [f"{way}\nrate {of[0].learning_rate:g}" for way, of in ways.items()])
    right.set(xlim=(-0.5, len(ways) - 0.5), ylabel="test accuracy, tuned")
    draw_chance(right, chance)
    right.grid(alpha=0.3)
    legend_beside(figure)
    return figure


def _best_epoch(trial: Trial) -> float:
    return np.nan if trial.history is None else max(trial.history.curve("test_acc"))


def plot_time(trials: Sequence[Trial], title: str = "", chance: float | None = None) -> Figure:
    """Return a figure of test accuracy by training time (logarithmic). Small dots are runs, large dots are means."""
    figure = _new_figure(title, 7)
    ax = figure.subplots()
    for i, (way, of_way) in enumerate(_by_way(trials).items()):
        seconds, accuracies = [t.seconds for t in of_way], [t.accuracy for t in of_way]
        ax.plot(seconds, accuracies, ".", color=f"C{i}", alpha=0.5)
        ax.plot(np.mean(seconds), np.mean(accuracies), "o", color=f"C{i}", markersize=9, label=way)
    ax.set(xscale="log", xlabel="seconds of training", ylabel="test accuracy")
    draw_chance(ax, chance)
    ax.grid(alpha=0.3, which="both")
    legend_beside(figure)
    return figure


def plot_learning_curve(trials: Sequence[Trial], title: str = "", chance: float | None = None) -> Figure:
    """Return a figure of test accuracy by number of training images; dots are runs of `learning_curve`, lines means."""
    figure = _new_figure(title, 7)
    ax = figure.subplots()
    numbers = sorted({trial.images for trial in trials if trial.images})
    for i, (way, of_way) in enumerate(_by_way(trials).items()):
        by_number = [[t.accuracy for t in of_way if t.images == number] for number in numbers]
        ax.plot(numbers, [np.mean(accuracies) for accuracies in by_number], "o-", color=f"C{i}", linewidth=2, label=way)
        for number, accuracies in zip(numbers, by_number):
            ax.plot([number] * len(accuracies), accuracies, ".", color=f"C{i}", alpha=0.5)
    ax.set(xscale="log", xlabel="training images", ylabel="test accuracy")
    ax.set_xticks(numbers, [str(number) for number in numbers], minor=False)
    ax.minorticks_off()
    draw_chance(ax, chance)
    ax.grid(alpha=0.3)
    legend_beside(figure)
    return figure


def plot_modes(features: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str = "") -> Figure:
    """Return a scatter plot of features in training mode against features in evaluation mode, one panel for each key.

    `features` contains results of `features_by_mode`. Points on the diagonal are equal in both modes.
    """
    figure = _new_figure(title, 3.4 * len(features))
    axes = figure.subplots(1, len(features), squeeze=False, sharex=True, sharey=True)[0]
    top = max(float(array.max()) for pair in features.values() for array in pair)
    for ax, (name, (evaluation, training)) in zip(axes, features.items()):
        ax.plot([0, top], [0, top], color="gray", linewidth=0.8)
        ax.plot(evaluation.ravel(), training.ravel(), ",", color="C0", alpha=0.6)
        ax.set(title=name, xlabel="in evaluation mode", aspect="equal")
    axes[0].set_ylabel("in training mode")
    return figure


def plot_rows(rows: Sequence[ClassRow], images: ImageFolder, title: str = "", number: int = 6) -> Figure:
    """Return a figure of the `number` images with the highest scores for each row, titled with true class and score."""
    groups, names = {}, drawn_names(images.synsets, CAPTION_WIDTH)
    for row in rows:
        best = [(images[i], row.scores[i]) for i in row.highest(number)]
        captions = [f"{names[label]}\n{score:.1%}" for (_, label), score in best]
        name = f"row {row.index}, {row.name}: AUC {row.auc:.2f}"
        groups[name] = [(image.asnumpy(), caption) for ((image, _), _), caption in zip(best, captions)]
    figure = plot_images(groups, title, num_cols=number, scale=1.3)
    figure.set_dpi(DPI)
    return figure


def plot_first_epoch(trials: Sequence[Trial], title: str = "", chance: float | None = None) -> Figure:
    """Return a figure of test accuracy before and after one epoch; thin lines show the seeds, bold lines the means."""
    figure = _new_figure(title, 7)
    ax = figure.subplots()
    for i, (way, of_way) in enumerate(_by_way(trials).items()):
        curves = np.array([(t.before, t.accuracy) for t in of_way], dtype=float)
        ax.plot([0, 1], curves.T, ".-", color=f"C{i}", alpha=0.3, linewidth=0.8)
        ax.plot([0, 1], curves.mean(axis=0), "o-", color=f"C{i}", linewidth=2, label=way)
    ax.set_xticks([0, 1], ["before training", "after one epoch"])
    ax.set(ylabel="test accuracy", xlim=(-0.2, 1.2))
    draw_chance(ax, chance)
    ax.grid(alpha=0.3)
    legend_beside(figure, title="output layer starts from")
    return figure
