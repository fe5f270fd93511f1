"""``python -m tools.on_photographs DATA``: measure on real photographs what the chapters measure on what d2ltl ships.

DATA is a folder with ``hotdog.zip``, photographs of hot dogs and of other food in the book's layout, and
``tiny-imagenet-mini.zip``, 200 classes of Tiny ImageNet. The source model is the one that comes with d2ltl. All four
measurements take about half an hour on two cores; docs/on-photographs.md quotes them.
"""

from __future__ import annotations

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from mxnet.gluon import HybridBlock

import data_hub
from d2ltl.data import ImageFolder
from d2ltl.datasets import find_data
from d2ltl.methods.dann import train_dann
from d2ltl.methods.self_taught import accuracy_by_labels, learn_features, read_pixels
from d2ltl.runtime import reseed
from d2ltl.trials import quiet

Pair = tuple[ImageFolder, ImageFolder]
SEEDS = (0, 1, 2)
RATES = {"fine-tuned": 0.01, "from scratch": 0.1}  # the book's


def trained(way: str, data: Pair, size: int, epochs: int, seed: int, layers: int | None = None) -> float:
    """Return the test accuracy of a network after its last epoch; with `layers`, only the last so many are trained."""
    reseed(seed)
    classes = len(data[0].synsets)
    net = d2ltl.finetune_net(classes, source()) if way == "fine-tuned" else d2ltl.scratch_net(classes)
    if layers:
        d2ltl.freeze_layers(net, layers, batch_norm="fixed")
    with quiet():
        return d2ltl.train_fine_tuning(net, RATES[way], 32, epochs, data=data, size=size, seed=seed).epochs[-1].test_acc


def source() -> HybridBlock:
    """Return the source model that comes with d2ltl."""
    return d2ltl.source_net("resnet18_v2", "tinyimagenet")


def by_codes(data: Pair, size: int, stage: int | None = None) -> float:
    """Return the test accuracy of logistic regression on CNN codes, of the last stage or of another."""
    codes = [d2ltl.extract_codes(source(), part, stage, size=size) for part in data]
    return d2ltl.linear_head("softmax").fit(codes[0], data[0].labels).score(codes[1], data[1].labels)


def show(name: str, values: Iterable[float]) -> None:
    """Print mean and standard deviation over seeds, or a single value."""
    numbers = [*values]
    spread = f" ± {np.std(numbers, ddof=1):.3f}" if len(numbers) > 1 else ""
    print(f"{name:<44} {np.mean(numbers):.3f}{spread}", flush=True)


def advice(folder: Path) -> None:
    """Ask for advice on 100 and on 2,000 photographs of hot dogs and other food, and try all four ways."""
    train, test = d2ltl.load_images(find_data(str(folder / "hotdog.zip")))
    for per_class, epochs in ((50, 20), (1000, 5)):
        images = d2ltl.take(train, per_class, 0)
        with quiet():
            advised = d2ltl.advise(images, {"resnet18_v2:tinyimagenet": source()}, size=96)
        print(f"\n{advised}")
        earlier = int(np.argmax(advised.fits[0].by_stage[:-1])) + 1
        show("codes", [by_codes((images, test), 96)])
        show(f"codes of stage {earlier}", [by_codes((images, test), 96, earlier)])
        for way in RATES:
            show(way, [trained(way, (images, test), 96, epochs, seed) for seed in SEEDS[:1]])


def first_experience(folder: Path) -> None:
    """Learn 15 classes of Tiny ImageNet from 20 images of each; the source model has seen other images of them."""
    pair = d2ltl.load_images(find_data(str(folder / "tiny-imagenet-mini.zip")))
    measured: dict[str, list[float]] = {}
    for seed in SEEDS:
        chosen = set(np.random.default_rng(seed).choice(pair[0].synsets, 15, replace=False))
        train, test = (part.relabel([name if name in chosen else None for name in names_of(part)]) for part in pair)
        data = d2ltl.take(train, 20, seed), test
        accuracies = {
            "last 3 layers": trained("fine-tuned", data, 64, 10, seed, layers=3),
            "new top alone, on codes": by_codes(data, 64),
            "all layers": trained("fine-tuned", data, 64, 10, seed),
            "from scratch": trained("from scratch", data, 64, 10, seed),
        }
        for name, accuracy in accuracies.items():
            measured.setdefault(name, []).append(accuracy)
    for name, values in measured.items():
        show(name, values)


def names_of(part: ImageFolder) -> list[str]:
    """Return the class of each image."""
    return [part.synsets[label] for label in part.labels]


def another_domain(folder: Path) -> None:
    """Learn hot dogs from labelled rendered images; recognise them on photographs, of which no label is used."""
    rendered = d2ltl.load_images(data_hub.download_extract("hotdog-mini"))
    photographs = d2ltl.load_images(find_data(str(folder / "hotdog.zip")))
    measured: dict[str, list[float]] = {}
    for seed in SEEDS:
        for name, train in (("source only", rendered[0]), ("supervised, on photographs", photographs[0])):
            measured.setdefault(name, []).append(trained("fine-tuned", (train, photographs[1]), 64, 5, seed))
        reseed(seed)
        with quiet():
            history = train_dann(
                d2ltl.finetune_net(2, source()), 0.01, 64, 5, source=rendered, target=photographs, size=64, seed=seed
            )
        measured.setdefault("domain-adversarial", []).append(history.epochs[-1].test_acc)
    for name, values in measured.items():
        show(name, values)


def self_taught(folder: Path) -> None:
    """Learn features from unlabelled Tiny ImageNet images, then ten rendered foods from a few labels."""
    unlabelled, _ = d2ltl.load_images(find_data(str(folder / "tiny-imagenet-mini.zip")))
    foods = tuple(
        part.relabel(d2ltl.read_labels(part, "food"))
        for part in d2ltl.load_images(data_hub.download_extract("hotdog-mini"))
    )
    numbers = (5, 10, 20, 40)
    measured: dict[str, list[list[float]]] = {}
    for seed in SEEDS:
        ways = {
            "pixels": lambda images: read_pixels(images, 32).reshape(len(images), -1),
            "self-taught features": learn_features(unlabelled, 400, size=32, patch=6, seed=seed),
            "CNN codes": lambda images: d2ltl.extract_codes(source(), images, size=64),
        }
        for name, describe in ways.items():
            measured.setdefault(name, []).append(accuracy_by_labels(describe, foods, numbers, seed))
    for name, by_seed in measured.items():
        for number, values in zip(numbers, zip(*by_seed)):
            show(f"{name}, {number} labels of each food", values)


MEASUREMENTS = {function.__name__: function for function in (advice, first_experience, another_domain, self_taught)}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.on_photographs", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DATA")
    parser.add_argument("names", nargs="*", choices=[[], *MEASUREMENTS], metavar="NAME", help=", ".join(MEASUREMENTS))
    args = parser.parse_args()
    for name in args.names or MEASUREMENTS:
        print(f"\n## {name}: {MEASUREMENTS[name].__doc__}", flush=True)
        MEASUREMENTS[name](args.folder)


if __name__ == "__main__":
    main()
