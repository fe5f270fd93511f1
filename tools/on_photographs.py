"""``python -m tools.on_photographs DATA``: repeat four experiments of the chapters on real photographs.

DATA is a folder with ``hotdog.zip``, photographs of hot dogs and of other food in the book's layout, and
``tiny-imagenet-mini.zip``, 200 classes of Tiny ImageNet. The source model is the one that comes with d2ltl. The four
experiments take about half an hour on two cores. docs/on-photographs.md contains their results.
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

from d2ltl.data.pairs import Pair
from d2ltl.datasets import BOOK
from d2ltl.runtime import reseed
from d2ltl.show.material import source_model, train

SEEDS = (0, 1)
STRATEGIES = ("finetune", "scratch")


def trained(strategy: str, data: Pair, size: int, epochs: int, seed: int, layers: int | None = None) -> float:
    """Return the test accuracy of a strategy after the last epoch; `layers` is the number of last layers to train."""

    def freeze(net: HybridBlock) -> None:
        if layers:
            d2ltl.freeze_layers(net, layers, batch_norm="fixed")

    options = {"change": freeze, "size": size, "batch_size": 32, "evaluate_every": epochs}
    return train(strategy, data, seed, epochs, **options)[1].curve("test_acc")[-1]


def by_codes(data: Pair, size: int, stage: int | None = None) -> float:
    """Return the test accuracy of logistic regression on the CNN codes of a stage, by default the last one."""
    codes = [d2ltl.extract_codes(source_model(), part, stage, size=size) for part in data]
    return d2ltl.linear_head("softmax").fit(codes[0], data[0].labels).score(codes[1], data[1].labels)


def show(name: str, values: Iterable[float]) -> None:
    """Print the mean and the standard deviation over the seeds, or a single value."""
    numbers = [*values]
    spread = f" ± {np.std(numbers, ddof=1):.3f}" if len(numbers) > 1 else ""
    print(f"{name:<44} {np.mean(numbers):.3f}{spread}", flush=True)


def advice(folder: Path) -> None:
    """Run `advise` on 100 and on 2,000 photographs of hot dogs and other food, and measure all four strategies."""
    photographs, test = d2ltl.load_images(folder / "hotdog.zip")
    for per_class, epochs in ((50, 20), (1000, 2)):
        images = d2ltl.take(photographs, per_class, 0)
        advised = d2ltl.advise(images, {"resnet18_v2:tinyimagenet": source_model()}, size=96)
        print(f"\n{advised}")
        earlier = int(np.argmax(advised.fits[0].by_stage[:-1])) + 1
        show("codes-softmax", [by_codes((images, test), 96)])
        show(f"codes-softmax, of stage {earlier}", [by_codes((images, test), 96, earlier)])
        for name in STRATEGIES:
            show(name, [trained(name, (images, test), 96, epochs, seed=0)])


def first_experience(folder: Path) -> None:
    """Train on 15 classes of Tiny ImageNet, 20 images each; the source model was trained on other images of them."""
    pair = d2ltl.load_images(folder / "tiny-imagenet-mini.zip")
    measured: dict[str, list[float]] = {}
    for seed in SEEDS:
        chosen = np.random.default_rng(seed).choice(pair[0].synsets, 15, replace=False).tolist()
        data = d2ltl.take(pair[0].only(chosen), 20, seed), pair[1].only(chosen)
        accuracies = {
            "finetune, last 3 layers": trained("finetune", data, 64, 10, seed, layers=3),
            "codes-softmax": by_codes(data, 64),
            "finetune": trained("finetune", data, 64, 10, seed),
            "scratch": trained("scratch", data, 64, 10, seed),
        }
        for name, accuracy in accuracies.items():
            measured.setdefault(name, []).append(accuracy)
    for name, values in measured.items():
        show(name, values)


def another_domain(folder: Path) -> None:
    """Train on labelled rendered images of hot dogs, and test on photographs, without labels of photographs."""
    rendered = d2ltl.load_images("hotdog-mini")
    photographs = d2ltl.load_images(folder / "hotdog.zip")
    measured: dict[str, list[float]] = {}
    for seed in SEEDS:
        for name, labelled in (("source only", rendered[0]), ("supervised, on photographs", photographs[0])):
            measured.setdefault(name, []).append(trained("finetune", (labelled, photographs[1]), 64, 3, seed))
        reseed(seed)
        net = d2ltl.finetune_net(2, source_model())
        options = {"source": rendered, "target": photographs, "size": 64, "seed": seed, "verbose": False}
        history = d2ltl.train_dann(net, BOOK.lr_finetune, 64, 3, **options)
        measured.setdefault("domain-adversarial", []).append(history.curve("test_acc")[-1])
    for name, values in measured.items():
        show(name, values)


def self_taught(folder: Path) -> None:
    """Learn features from unlabelled Tiny ImageNet images, then classify ten rendered foods with few labels."""
    unlabelled, _ = d2ltl.load_images(folder / "tiny-imagenet-mini.zip")
    foods = d2ltl.relabel_by("hotdog-mini", "food")
    numbers, net = (5, 10, 20, 40), source_model()
    measured: dict[str, list[list[float]]] = {}
    for seed in SEEDS:
        ways = {
            "pixels": lambda images: d2ltl.read_pixels(images, 32).reshape(len(images), -1),
            "self-taught features": d2ltl.learn_features(unlabelled, 400, size=32, patch=6, seed=seed),
            "CNN codes": lambda images: d2ltl.extract_codes(net, images, size=64),
        }
        for name, describe in ways.items():
            measured.setdefault(name, []).append(d2ltl.accuracy_by_labels(describe, foods, numbers, seed))
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
