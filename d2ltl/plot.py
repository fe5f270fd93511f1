"""Figures: image grids, curves, bars, confusion matrices, heat maps. No function takes a network."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import MaxNLocator

from _data_hub.language import N_
from d2ltl.arrays import to_numpy
from d2ltl.fonts import drawn_label, drawn_names, fonts_for
from d2ltl.history import History
from d2ltl.progress import in_notebook

CONSTANT = N_("most frequent class")  # label of the accuracy of always answering it
TESTED = N_("test")  # label of the curves of the test images
MAX_CLASSES_WITH_COUNTS = 20  # in larger confusion matrices the cells are too small for numbers
MAX_CLASSES_WITH_ZEROS = 12  # larger confusion matrices are mostly zeros, which distract
MAX_CLASSES = 30  # a larger confusion matrix shows only so many classes, those with the most mistakes
LABEL_WIDTH, UPRIGHT_WIDTH = 28, 10  # characters in a line of a class name


def show_images(
    imgs: Sequence[Any], num_rows: int, num_cols: int, titles: Sequence[str] | None = None, scale: float = 1.5
) -> np.ndarray:
    """Show images in a grid, like the book's function (section 13.2), and return their axes, shape (rows * columns,).

    The images are NumPy or MXNet arrays of shape (height, width, 3): uint8, or float between 0 and 1. `scale` is the
    width and height of one image, in inches.
    """
    axes = plt.subplots(num_rows, num_cols, figsize=(num_cols * scale, num_rows * scale), squeeze=False)[1].flatten()
    _draw_images(axes, imgs, titles)
    return axes


def _draw_images(axes: np.ndarray, imgs: Sequence[Any], titles: Sequence[str] | None) -> None:
    for ax in axes:
        ax.axis("off")
    for i, (ax, img) in enumerate(zip(axes, imgs)):
        ax.imshow(to_numpy(img))
        if titles:
            with fonts_for([titles[i]]):
                ax.set_title(titles[i], fontproperties=FontProperties(size="small"), parse_math=False)


def plot_images(
    groups: Mapping[str, Sequence[tuple[np.ndarray, str]]], title: str = "", num_cols: int = 4, scale: float = 1.9
) -> Figure:
    """Return a figure with one labelled grid for each key of `groups`: images (height, width, 3) with their titles.

    A row has `num_cols` images. `scale` is the width and height of one image, in inches.
    """
    num_rows = [max(1, -(-len(group) // num_cols)) for group in groups.values()]
    figure = Figure(figsize=(num_cols * scale, sum(num_rows) * (scale + 0.5)), layout="constrained")
    parts = figure.subfigures(len(groups), 1, height_ratios=num_rows, squeeze=False).flatten()
    for part, rows, (name, group) in zip(parts, num_rows, groups.items()):
        heading = name if group else drawn_label(N_("{name}: none"), name=name)
        with fonts_for([heading]):
            part.suptitle(heading, fontsize="large", parse_math=False)
        axes = part.subplots(rows, num_cols, squeeze=False).flatten()
        _draw_images(axes, [img for img, _ in group], [caption for _, caption in group])
    with fonts_for([title]):
        figure.suptitle(title, fontsize="medium", parse_math=False)
    return figure


def plot_heat_maps(
    imgs: Sequence[np.ndarray], maps: Sequence[np.ndarray], size: int, titles: Sequence[str] = (), scale: float = 2.4
) -> Figure:
    """Return a figure of images in the first row, and in the second row the same images under their heat maps.

    The images are uint8, shape (height, width, 3). `maps` are the results of `heat_map` for them, and `size` is the
    `size` of `to_convolutional`, in pixels. `scale` is the width and height of one image, in inches.
    """
    figure = Figure(figsize=(len(imgs) * scale + 0.6, 2 * scale + 0.3), layout="constrained")
    axes = figure.subplots(2, len(imgs), squeeze=False)
    _draw_images(axes[0], imgs, titles)
    _draw_images(axes[1], imgs, None)
    for ax, img, values in zip(axes[1], imgs, maps):
        bottom, top = _span(img.shape[0], values.shape[0], size)
        left, right = _span(img.shape[1], values.shape[1], size)
        shown = ax.imshow(values, "inferno", vmin=0, vmax=1, alpha=0.6, extent=(left, right, top, bottom))
        ax.set(xlim=(0, img.shape[1]), ylim=(img.shape[0], 0))
    probability = drawn_label(N_("probability"))
    with fonts_for([probability]):
        figure.colorbar(shown, ax=axes[1], label=probability)
    return figure


def _span(pixels: int, values: int, size: int) -> tuple[float, float]:
    """Return the pixel range of a row of values if each value is drawn at the centre of its window."""
    step = (pixels - size) / (values - 1) if values > 1 else size
    return (size - step) / 2, pixels - (size - step) / 2


def plot_lines(
    curves: Mapping[str, Mapping[Any, Any]],
    xlabel: str,
    ylabel: str = "test accuracy",
    *,
    log: bool = False,
    title: str = "",
    dashed: Sequence[str] = (),
    chance: float | None = None,
) -> Figure:
    """Return a figure of curves. `curves` contains, for each curve, the y value at each x.

    If a y value is a sequence of the values of several seeds, the figure shows their mean and an error bar of one
    standard deviation. `log` makes the x axis logarithmic. `dashed` contains the names of the curves to draw dashed. A
    grey line shows `chance`, the accuracy of a classifier that always predicts the same class.
    """
    figure = Figure(figsize=(6.5, 3.4), layout="constrained")
    with fonts_for([xlabel, ylabel, title]):
        ax = figure.subplots()
    for name, curve in curves.items():
        values = [np.atleast_1d(value) for value in curve.values()]
        spread = [value.std(ddof=1) if len(value) > 1 else 0 for value in values]
        style = "--s" if name in dashed else "-o"
        ax.errorbar(
            [*curve], [value.mean() for value in values], spread, fmt=style, capsize=3 * any(spread), label=name
        )
    draw_chance(ax, chance)
    ax.set(xscale="log" if log else "linear", xlabel=xlabel, ylabel=ylabel, title=title)
    places = [*next(iter(curves.values()))]
    ax.set_xticks(places, [f"{place:g}" for place in places])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    legend_beside(figure)
    return figure


def plot_bars(series: Mapping[str, Mapping[str, Any]], ylabel: str = "test accuracy", title: str = "",
              chance: Mapping[str, float] | None = None) -> Figure:  # fmt: skip
    """Return a figure of grouped vertical bars. `series` contains, for each colour, the value of each group.

    If a value is a sequence of the values of several seeds, the bar shows their mean, and a dot shows each value. A
    dashed line shows the `chance` of a group, the accuracy of a classifier that always predicts the same class.
    """
    groups = [*next(iter(series.values()))]
    places, width = np.arange(len(groups)), 0.8 / len(series)
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    with fonts_for([*groups, ylabel, title]):
        ax = figure.subplots()
        ax.set_xticks(places, groups, fontsize="small")
    for i, (label, by_group) in enumerate(series.items()):
        values = [np.atleast_1d(by_group[group]) for group in groups]
        shifted = places + width * (i - (len(series) - 1) / 2)
        ax.bar(shifted, [value.mean() for value in values], width=0.95 * width, alpha=0.7, label=label)
        for place, value in zip(shifted, values):
            if len(value) > 1:
                ax.plot([place] * len(value), value, "k.", markersize=4)
    if chance:
        heights = [chance[group] for group in groups]
        ax.hlines(heights, places - 0.4, places + 0.4, "black", "--", linewidth=1, label=drawn_label(CONSTANT))
    ax.set(ylabel=ylabel, ylim=(0, 1), title=title)
    legend_beside(figure)
    return figure


def draw_chance(ax: Axes, chance: float | None) -> None:
    """Add a grey line at `chance`, the accuracy of always answering the most frequent class; none if it is None."""
    if chance is not None:
        ax.axhline(chance, color="grey", linewidth=1, label=drawn_label(CONSTANT))


def legend_beside(figure: Figure, **options: Any) -> None:
    """Add one legend to the right of a figure's panels. A label that several panels share is shown once."""
    labelled: dict[str, Any] = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels()):
            labelled.setdefault(label, handle)
    with fonts_for(labelled):
        figure.legend([*labelled.values()], [*labelled], loc="outside right center", fontsize="small", **options)


def png(figure: Figure, dpi: int = 110) -> bytes:
    """Return the PNG file of a figure as bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def jpeg(figure: Figure, dpi: int = 110) -> bytes:
    """Return the JPEG file of a figure as bytes: for photographs, a fraction of the PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", dpi=dpi, pil_kwargs={"quality": 85})
    return buffer.getvalue()


def plot_curves(
    histories: Mapping[str, Sequence[History]], title: str = "", chance: float | None = None, tested: str = TESTED
) -> Figure:
    """Return a figure of loss and accuracy by epoch: test curves are solid, training curves dashed with open circles.

    `histories` contains the runs of each strategy, one per seed. A bold line shows their mean, a thin line each run. A
    grey line shows `chance`, the accuracy of always answering the most frequent class. `tested` names the test curves.
    """
    figure = Figure(figsize=(9.5, 3.4), layout="constrained")
    labels = _labels(tested)
    with fonts_for([title, *labels]):
        axes = figure.subplots(1, 2)
        _draw_curves(axes, histories, labels)
        draw_chance(axes[1], chance)
        legend_beside(figure)
        figure.suptitle(title, fontsize="medium", parse_math=False)
    return figure


def _labels(tested: str = TESTED) -> list[str]:
    return [drawn_label(text) for text in (tested, N_("train"), N_("loss"), N_("accuracy"), N_("epoch"))]


def _draw_curves(axes: Sequence[Axes], histories: Mapping[str, Sequence[History]], labels: Sequence[str]) -> None:
    test, train, loss, accuracy, epoch = labels
    panels = [
        (loss, {("-", test): "test_loss", ("--", train): "loss"}),
        (accuracy, {("-", test): "test_acc", ("--", train): "train_acc"}),
    ]
    for ax, (label, quantities) in zip(axes, panels):
        for i, (name, runs) in enumerate(histories.items()):
            for (style, images), quantity in quantities.items():
                curves = [run.curve(quantity) for run in runs]
                if not np.isnan(np.concatenate(curves)).all():
                    _draw_curve(ax, curves, style, f"C{i}", f"{name}, {images}")
        ax.set(xlabel=epoch, ylabel=label)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.grid(alpha=0.3)


def _draw_curve(ax: Axes, runs: Sequence[Sequence[float]], style: str, color: str, label: str) -> None:
    values = np.array([run[: min(map(len, runs))] for run in runs])
    recorded = ~np.isnan(values).any(axis=0)
    epochs, values = np.flatnonzero(recorded) + 1, values[:, recorded]
    # A single epoch is no line, so the markers differ, too.
    marker = {"marker": "o", "markersize": 4, "fillstyle": "none"} if style == "--" else {"marker": "."}
    options: dict[str, Any] = marker if len(epochs) < 30 else {}
    ax.plot(epochs, values.mean(axis=0), style, color=color, label=label, **options)
    if len(runs) > 1:
        ax.plot(epochs, values.T, style, color=color, alpha=0.3, linewidth=0.8)


def plot_confusion(matrices: Mapping[str, np.ndarray], classes: Sequence[str], title: str = "") -> Figure:
    """Return a figure of confusion matrices, large ones below each other. Colours show the counts by their row sums.

    A matrix has the shape (classes, classes). Its rows are true classes, its columns are predicted classes. Of more
    than 30 classes, only the 30 with the most mistakes in all matrices are shown, most mistakes first. A name that
    Matplotlib cannot draw is replaced by the index of the class.
    """
    total = np.sum([*matrices.values()], axis=0)
    shown = _most_mistaken(total) if len(classes) > MAX_CLASSES else np.arange(len(classes))
    upright = len(shown) == 2
    names = drawn_names(classes, UPRIGHT_WIDTH if upright else LABEL_WIDTH)
    labels = [names[i] for i in shown]
    cell = 0.22 if upright else 0.05 + 0.17 * max(label.count("\n") + 1 for label in labels)
    side = 2.6 + cell * len(shown)
    columns = len(matrices) if len(shown) <= MAX_CLASSES_WITH_COUNTS else 1
    rows = len(matrices) // columns
    figure = Figure(figsize=(side * columns, side * rows), layout="constrained")
    if len(shown) < len(classes):
        which = N_("the {shown} of {all} classes with the most mistakes")
        title = f"{title}\n{drawn_label(which, shown=len(shown), all=len(classes))}".lstrip()
    true, predicted = drawn_label(N_("true")), drawn_label(N_("predicted"))
    with fonts_for([*labels, title, true, predicted]):
        panels = figure.subplots(rows, columns, squeeze=False).flatten()
        for i, (ax, (name, matrix)) in enumerate(zip(panels, matrices.items())):
            shares = (matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1))[np.ix_(shown, shown)]
            ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
            ax.set(title=name, xlabel=predicted, ylabel=true if i % columns == 0 else "")
            ax.set_xticks(range(len(shown)), labels, rotation=0 if upright else 90, parse_math=False)
            ax.set_yticks(range(len(shown)), labels if i % columns == 0 else [""] * len(labels), parse_math=False)
            if len(shown) <= MAX_CLASSES_WITH_COUNTS:
                _write_counts(ax, matrix[np.ix_(shown, shown)], shares)
        figure.suptitle(title, fontsize="medium", parse_math=False)
    return figure


def _most_mistaken(matrix: np.ndarray) -> np.ndarray:
    """Return the classes with the most mistakes, as the true or as the predicted class, most mistakes first."""
    wrong = matrix - np.diag(np.diag(matrix))
    return np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")[:MAX_CLASSES]


def _write_counts(ax: Axes, matrix: np.ndarray, shares: np.ndarray) -> None:
    size = "medium" if len(matrix) <= MAX_CLASSES_WITH_ZEROS else "x-small"
    for (row, column), count in np.ndenumerate(matrix):
        if count or len(matrix) <= MAX_CLASSES_WITH_ZEROS:
            color = "white" if shares[row, column] > 0.5 else "black"
            ax.text(column, row, str(count), ha="center", va="center", color=color, fontsize=size)


def live_curves(num_epochs: int) -> list[Callable[[History], None]]:
    """Return a callback that draws the curves of a run after every epoch in a notebook; no callback elsewhere."""
    if not in_notebook():
        return []
    ipython: Any = sys.modules["IPython"]
    figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    plt.close(figure)  # the notebook would show the figure a second time
    handle = ipython.display.display(figure, display_id=True)

    def draw(history: History) -> None:
        labels = _labels()
        with fonts_for(labels):
            for ax in axes:
                ax.cla()
                ax.set_xlim(0.8, num_epochs + 0.2)
            _draw_curves(axes, {"net": [history]}, labels)
            axes[0].legend(fontsize="small", bbox_to_anchor=(0, 1), loc="lower left", ncols=2)  # above the panel
        handle.update(figure)

    return [draw]
