"""What the demonstrations share: images and source model that the library ships, a short training, a line chart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from d2ltl.datasets import BOOK

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mxnet.gluon import HybridBlock

    from d2ltl.data import ImageFolder, Pair
    from d2ltl.history import History

SIZE, BATCH_SIZE = 48, 16
RATES = {"fine-tuned": BOOK.lr_finetune, "from scratch": BOOK.lr_scratch}


def source_model() -> HybridBlock:
    """Return the source model."""
    import d2ltl

    return d2ltl.source_net("resnet18_v2", "tinyimagenet")


def data_set(name: str = "hotdog-mini") -> Pair:
    """Return the images of a data set to train and to test."""
    import d2ltl
    from d2ltl.datasets import find_data

    return d2ltl.load_images(find_data(name))


def in_classes_of(column: str, pair: Pair) -> Pair:
    """Return the same images in the classes of a column of their table of labels."""
    from d2ltl.labels import read_labels

    images, test = (part.relabel(read_labels(part, column).tolist()) for part in pair)
    return images, test


def draw(images: ImageFolder, number: int, seed: int) -> list[int]:
    """Return the indices of so many of the images, of each class in proportion; of all, if they are no more."""
    from sklearn.model_selection import train_test_split

    if number >= len(images):
        return [*range(len(images))]
    chosen, _ = train_test_split(range(len(images)), train_size=number, stratify=images.labels, random_state=seed)
    return [*chosen]


def every(step: int, images: ImageFolder) -> ImageFolder:
    """Return one image of so many."""
    return images.subset(range(0, len(images), step))


def train(
    way: str,
    data: Pair,
    seed: int,
    epochs: int,
    change: Callable[[HybridBlock], object] = lambda net: None,
    **options: Any,
) -> tuple[HybridBlock, History]:
    """Train a network, fine-tuned or from scratch, that was changed first; `options` are those of train_fine_tuning."""
    import d2ltl
    from d2ltl.trials import quiet

    d2ltl.runtime.reseed(seed)
    classes = len(data[0].synsets)
    net = d2ltl.finetune_net(classes, source_model()) if way == "fine-tuned" else d2ltl.scratch_net(classes)
    change(net)
    with quiet():
        chosen = {"data": data, "batch_size": BATCH_SIZE, "size": SIZE, "seed": seed, **options}
        return net, d2ltl.train_fine_tuning(net, RATES[way], num_epochs=epochs, **chosen)


def line_chart(
    curves: Mapping[str, Mapping[Any, float]], xlabel: str, ylabel: str = "test accuracy", log: bool = False
) -> Figure:
    """Return a figure of curves, each from x to y."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.4), layout="constrained")
    ax = figure.subplots()
    for name, curve in curves.items():
        ax.plot([*curve], [*curve.values()], "-o", label=name)
    ax.set(xscale="log" if log else "linear", xlabel=xlabel, ylabel=ylabel)
    places = [*next(iter(curves.values()))]
    ax.set_xticks(places, [f"{place:g}" for place in places])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
    return figure
