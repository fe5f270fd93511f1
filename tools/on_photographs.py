"""``python -m tools.on_photographs DATA``: repeat three experiments of the chapters on real photographs.

DATA is a folder with ``hotdog.zip``, photographs of hot dogs and of other food, ``scene15.zip``, 15
kinds of scenes, and ``tiny-imagenet-mini.zip``, 200 classes of Tiny ImageNet. The source model is EfficientNet-Lite0
from ImageNet. docs/on-photographs.md contains the results.
"""

from __future__ import annotations

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import argparse
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np

from d2ltl.data.pairs import Pair
from d2ltl.datasets import defaults_of
from d2ltl.runtime import reseed
from d2ltl.show.material import imagenet_model, source_model, train

SEEDS = (0, 1)
LAST_LAYERS, STATISTICS_KEPT = "finetune, last 3 layers", "finetune, statistics kept"
CHANGES = {
    LAST_LAYERS: partial(d2ltl.freeze_layers, trained=3, batch_norm="fixed"),
    STATISTICS_KEPT: d2ltl.use_running_statistics,
}
"""How the network of the strategy ``finetune`` is changed before the training, by the name of the variant."""


def trained(way: str, data: Pair, size: int, epochs: int, seed: int) -> float:
    """Return the test accuracy after the last epoch of a strategy, or of a variant in `CHANGES`."""
    strategy, change = ("finetune", CHANGES[way]) if way in CHANGES else (way, None)
    options = {"change": change, "size": size, "batch_size": 32, "evaluate_every": epochs}
    return train(strategy, data, seed, epochs, imagenet_model(), **options)[1].curve("test_acc")[-1]


def show(name: str, values: Iterable[float]) -> None:
    """Print the mean and the standard deviation over the seeds, or a single value."""
    numbers = [*values]
    spread = f" ± {np.std(numbers, ddof=1):.3f}" if len(numbers) > 1 else ""
    print(f"{name:<44} {np.mean(numbers):.3f}{spread}", flush=True)


def first_experience(folder: Path) -> None:
    """Train on photographs of 15 kinds of scenes, 20 of each, at 128 × 128 pixels, for 10 epochs."""
    data = d2ltl.load_images(folder / "scene15.zip")
    for way in ("codes-softmax", LAST_LAYERS, "lp-ft", "finetune", "scratch"):
        show(way, [trained(way, data, 128, 10, seed) for seed in SEEDS])
    weak = [d2ltl.extract_codes(source_model(), part, size=96) for part in data]
    head = d2ltl.linear_head("softmax").fit(weak[0], data[0].labels)
    show("codes-softmax, of resnet18_v2 from Tiny ImageNet", [head.score(weak[1], data[1].labels)])


def another_domain(folder: Path) -> None:
    """Train on labelled rendered images of hot dogs, and test on photographs, at 112 × 112 pixels, for 2 epochs."""
    rendered = d2ltl.load_images("hotdog-mini")
    photographs = d2ltl.load_images(folder / "hotdog.zip")
    pairs = {"rendered": (rendered[0], photographs[1]), "photographs": photographs}
    for way in ("codes-softmax", "finetune", STATISTICS_KEPT):
        for name, pair in pairs.items():
            show(f"{way}, labels of {name}", [trained(way, pair, 112, 2, seed) for seed in SEEDS])
    adapted = []
    for seed in SEEDS:
        reseed(seed)
        net = d2ltl.finetune_net(2, imagenet_model())
        d2ltl.use_running_statistics(net.features)  # those of a batch, half of each domain, suit neither
        options = {"source": rendered, "target": photographs, "size": 112, "seed": seed, "verbose": False}
        history = d2ltl.train_dann(net, defaults_of("hotdog", net.zoo_name).lr_finetune, 64, 2, **options)
        adapted.append(history.curve("test_acc")[-1])
    show("domain-adversarial, labels of rendered", adapted)


def self_taught(folder: Path) -> None:
    """Learn features from unlabelled Tiny ImageNet images, then classify ten rendered foods with few labels."""
    unlabelled, _ = d2ltl.load_images(folder / "tiny-imagenet-mini.zip")
    foods = d2ltl.relabel_by("hotdog-mini", "food")
    numbers, net = (5, 10, 20, 40), imagenet_model()
    measured: dict[str, list[list[float]]] = {}
    for seed in SEEDS:
        ways = {
            "pixels": lambda images: d2ltl.read_pixels(images, 32).reshape(len(images), -1),
            "self-taught features": d2ltl.learn_features(unlabelled, 400, size=32, patch=6, seed=seed),
            "CNN codes": lambda images: d2ltl.extract_codes(net, images, size=112),
        }
        for name, describe in ways.items():
            measured.setdefault(name, []).append(d2ltl.accuracy_by_labels(describe, foods, numbers, seed))
    for name, by_seed in measured.items():
        for number, values in zip(numbers, zip(*by_seed)):
            show(f"{name}, {number} labels of each food", values)


MEASUREMENTS = {function.__name__: function for function in (first_experience, another_domain, self_taught)}


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
