"""Image grids, curves, confusion matrices. Knows arrays and `History`, never a network."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from d2ltl.history import History

MAX_CLASSES_WITH_COUNTS = 20  # more cells than these would hide the numbers in them
MAX_CLASSES_WITH_ZEROS = 12  # a table of so many classes is mostly zeros, which only distract


def show_images(
    imgs: Sequence[Any], num_rows: int, num_cols: int, titles: Sequence[str] | None = None, scale: float = 1.5
) -> np.ndarray:
    """Show images in a grid, as the book does (first in section 13.2: 2 rows of 8, scale 1.4).

    Parameters
    ----------
    imgs : sequence of arrays
        NumPy or MXNet arrays (height, width, 3) of uint8, or of float values between 0 and 1.
    num_rows, num_cols : int
    titles : sequence of str, optional
    scale : float
        Width and height of one image, in inches.

    Returns
    -------
    ndarray of Axes, shape (num_rows * num_cols,)
    """
    axes = plt.subplots(num_rows, num_cols, figsize=(num_cols * scale, num_rows * scale), squeeze=False)[1].flatten()
    _draw_images(axes, imgs, titles)
    return axes


def _draw_images(axes: np.ndarray, imgs: Sequence[Any], titles: Sequence[str] | None) -> None:
    for ax in axes:
        ax.axis("off")
    for i, (ax, img) in enumerate(zip(axes, imgs)):
        ax.imshow(img.asnumpy() if hasattr(img, "asnumpy") else img)
        if titles:
            ax.set_title(titles[i], fontsize="small", parse_math=False)


def plot_images(
    groups: Mapping[str, Sequence[tuple[np.ndarray, str]]], title: str = "", num_cols: int = 4, scale: float = 1.9
) -> Figure:
    """Return a figure of images with titles, in one labelled grid of `num_cols` columns for each key."""
    num_rows = [max(1, -(-len(group) // num_cols)) for group in groups.values()]
    figure = Figure(figsize=(num_cols * scale, sum(num_rows) * (scale + 0.5)), layout="constrained")
    parts = figure.subfigures(len(groups), 1, height_ratios=num_rows, squeeze=False).flatten()
    for part, rows, (name, group) in zip(parts, num_rows, groups.items()):
        part.suptitle(name if group else f"{name}: none", fontsize="medium", fontweight="bold", parse_math=False)
        axes = part.subplots(rows, num_cols, squeeze=False).flatten()
        _draw_images(axes, [img for img, _ in group], [caption for _, caption in group])
    figure.suptitle(title, fontsize="medium", parse_math=False)
    return figure


def plot_heat_maps(
    imgs: Sequence[np.ndarray], maps: Sequence[np.ndarray], size: int, titles: Sequence[str] = (), scale: float = 2.4
) -> Figure:
    """Return a figure of images, and below each of them the same image under its map of probabilities.

    Parameters
    ----------
    imgs : sequence of uint8 arrays (height, width, 3)
    maps : sequence of arrays
        From `heat_map`.
    size : int
        Side of the window that each value of a map is about, in pixels.
    titles : sequence of str
    scale : float
        Width and height of one image, in inches.
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
    figure.colorbar(shown, ax=axes[1], label="probability")
    return figure


def _span(pixels: int, values: int, size: int) -> tuple[float, float]:
    """Return where a row of values begins and ends, each drawn about the centre of its window."""
    step = (pixels - size) / (values - 1) if values > 1 else size
    return (size - step) / 2, pixels - (size - step) / 2


def plot_curves(histories: Mapping[str, Sequence[History]], title: str = "") -> Figure:
    """Return a figure of loss and accuracy by epoch: solid on the test images, dashed while training.

    Parameters
    ----------
    histories : mapping from str to a sequence of History
        The runs of each strategy, one per seed: their mean is drawn bold, each of them thin.
    title : str
    """
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    _draw_curves(figure.subplots(1, 2), histories)
    figure.suptitle(title, fontsize="medium", parse_math=False)
    return figure


def _draw_curves(axes: Sequence[Axes], histories: Mapping[str, Sequence[History]]) -> None:
    panels = [
        ("loss", {"test": "test_loss", "train": "loss"}),
        ("accuracy", {"test": "test_acc", "train": "train_acc"}),
    ]
    for ax, (label, quantities) in zip(axes, panels):
        for i, (name, runs) in enumerate(histories.items()):
            for images, quantity in quantities.items():
                curves = [run.curve(quantity) for run in runs]
                if not np.isnan(np.concatenate(curves)).all():  # recorded
                    _draw_curve(ax, curves, "-" if images == "test" else "--", f"C{i}", f"{name}, {images}")
        ax.set(xlabel="epoch", ylabel=label)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(alpha=0.3)
        ax.legend(fontsize="small")


def _draw_curve(ax: Axes, runs: Sequence[Sequence[float]], style: str, color: str, label: str) -> None:
    epochs = np.arange(1, min(map(len, runs)) + 1)
    mean = np.mean([run[: len(epochs)] for run in runs], axis=0)
    ax.plot(epochs, mean, style, marker="." if len(epochs) < 30 else "", color=color, label=label)
    if len(runs) > 1:
        for run in runs:
            ax.plot(epochs, run[: len(epochs)], style, color=color, alpha=0.3, linewidth=0.8)


def plot_confusion(matrices: Mapping[str, np.ndarray], classes: Sequence[str], title: str = "") -> Figure:
    """Return a figure of confusion matrices side by side; colour is the share of the true class.

    Parameters
    ----------
    matrices : mapping from str to ndarray of int, shape (classes, classes)
        Row: the true class; column: the predicted one.
    classes : sequence of str
    title : str
    """
    side = 2.6 + 0.22 * len(classes)
    figure = Figure(figsize=(side * len(matrices), side), layout="constrained")
    for i, (ax, (name, matrix)) in enumerate(
        zip(figure.subplots(1, len(matrices), squeeze=False).flatten(), matrices.items())
    ):
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        ax.set(title=name, xlabel="predicted", ylabel="true" if i == 0 else "")
        ax.set_xticks(range(len(classes)), classes, rotation=0 if len(classes) == 2 else 90, parse_math=False)
        ax.set_yticks(range(len(classes)), classes if i == 0 else [""] * len(classes), parse_math=False)
        if len(classes) <= MAX_CLASSES_WITH_COUNTS:
            _write_counts(ax, matrix, shares)
    figure.suptitle(title, fontsize="medium", parse_math=False)
    return figure


def _write_counts(ax: Axes, matrix: np.ndarray, shares: np.ndarray) -> None:
    size = "medium" if len(matrix) <= MAX_CLASSES_WITH_ZEROS else "x-small"
    for (row, column), count in np.ndenumerate(matrix):
        if count or len(matrix) <= MAX_CLASSES_WITH_ZEROS:
            color = "white" if shares[row, column] > 0.5 else "black"
            ax.text(column, row, str(count), ha="center", va="center", color=color, fontsize=size)


def live_curves(num_epochs: int) -> list[Callable[[History], None]]:
    """Return the callback that draws a run's curves as they grow in a notebook; none elsewhere."""
    ipython: Any = sys.modules.get("IPython")
    if ipython is None or not hasattr(ipython.get_ipython(), "kernel"):
        return []
    figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    plt.close(figure)  # shown by its handle alone
    handle = ipython.display.display(figure, display_id=True)

    def draw(history: History) -> None:
        for ax in axes:
            ax.cla()
            ax.set_xlim(0.8, num_epochs + 0.2)
        _draw_curves(axes, {"net": [history]})
        handle.update(figure)

    return [draw]
