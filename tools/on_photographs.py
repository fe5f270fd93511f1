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

from d2ltl.data import Pair
from d2ltl.methods.dann import train_dann
from d2ltl.methods.self_taught import learn_features
from d2ltl.runtime import reseed
from d2ltl.show.material import RATES, data_set, every, in_classes_of, source_model, train
from d2ltl.trials import quiet

SEEDS = (0, 1)


def trained(way: str, data: Pair, size: int, epochs: int, seed: int, layers: int | None = None) -> float:
    """Return the test accuracy of a network after its last epoch; with `layers`, only the last so many are trained."""

    def freeze(net: HybridBlock) -> None:
        if layers:
            d2ltl.freeze_layers(net, layers, batch_norm="fixed")

    images, test = data
    net, _ = train(way, (images, every(20, test)), seed, epochs, freeze, size=size, batch_size=32)
    return d2ltl.evaluate(net, test, size=size)[1]


def by_codes(data: Pair, size: int, stage: int | None = None) -> float:
    """Return the test accuracy of logistic regression on CNN codes, of the last stage or of another."""
    codes = [d2ltl.extract_codes(source_model(), part, stage, size=size) for part in data]
    return d2ltl.linear_head("softmax").fit(codes[0], data[0].labels).score(codes[1], data[1].labels)


def show(name: str, values: Iterable[float]) -> None:
    """Print mean and standard deviation over seeds, or a single value."""
    numbers = [*values]
    spread = f" ± {np.std(numbers, ddof=1):.3f}" if len(numbers) > 1 else ""
    print(f"{name:<44} {np.mean(numbers):.3f}{spread}", flush=True)


def advice(folder: Path) -> None:
    """Ask for advice on 100 and on 2,000 photographs of hot dogs and other food, and try all four ways."""
    photographs, test = data_set(str(folder / "hotdog.zip"))
    for per_class, epochs in ((50, 20), (1000, 2)):
        images = d2ltl.take(photographs, per_class, 0)
        with quiet():
            advised = d2ltl.advise(images, {"resnet18_v2:tinyimagenet": source_model()}, size=96)
        print(f"\n{advised}")
        earlier = int(np.argmax(advised.fits[0].by_stage[:-1])) + 1
        show("codes", [by_codes((images, test), 96)])
        show(f"codes of stage {earlier}", [by_codes((images, test), 96, earlier)])
        for way in RATES:
            show(way, [trained(way, (images, test), 96, epochs, seed=0)])


def first_experience(folder: Path) -> None:
    """Learn 15 classes of Tiny ImageNet from 20 images of each; the source model has seen other images of them."""
    pair = data_set(str(folder / "tiny-imagenet-mini.zip"))
    measured: dict[str, list[float]] = {}
    for seed in SEEDS:
        chosen = np.random.default_rng(seed).choice(pair[0].synsets, 15, replace=False).tolist()
        data = d2ltl.take(pair[0].only(chosen), 20, seed), pair[1].only(chosen)
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


def another_domain(folder: Path) -> None:
    """Learn hot dogs from labelled rendered images; recognise them on photographs, of which no label is used."""
    rendered = data_set("hotdog-mini")
    photographs = data_set(str(folder / "hotdog.zip"))
    measured: dict[str, list[float]] = {}
    for seed in SEEDS:
        for name, labelled in (("source only", rendered[0]), ("supervised, on photographs", photographs[0])):
            measured.setdefault(name, []).append(trained("fine-tuned", (labelled, photographs[1]), 64, 3, seed))
        reseed(seed)
        net = d2ltl.finetune_net(2, source_model())
        with quiet():
            options = {"source": rendered, "target": photographs, "size": 64, "seed": seed}
            history = train_dann(net, RATES["fine-tuned"], 64, 3, **options)
        measured.setdefault("domain-adversarial", []).append(history.epochs[-1].test_acc)
    for name, values in measured.items():
        show(name, values)


def self_taught(folder: Path) -> None:
    """Learn features from unlabelled Tiny ImageNet images, then ten rendered foods from a few labels."""
    unlabelled, _ = data_set(str(folder / "tiny-imagenet-mini.zip"))
    foods = in_classes_of("food", data_set("hotdog-mini"))
    numbers, net = (5, 10, 20, 40), source_model()
    measured: dict[str, list[list[float]]] = {}
    for seed in SEEDS:
        ways = {
            "pixels": lambda images: d2ltl.read_pixels(images, 32).reshape(len(images), -1),
            "self-taught features": learn_features(unlabelled, 400, size=32, patch=6, seed=seed),
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
