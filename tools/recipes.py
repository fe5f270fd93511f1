"""``python -m tools.recipes ARCHIVE OUT``: measure each way to fine-tune a good source gently, alone and together.

ARCHIVE has photographs, ``NAME/{train,test}/CLASS/``. For each recipe, the learning rate is chosen on a fifth of the
training images that is held out. Then the recipe is trained on all training images, with several seeds, and tested. The
results are kept in the file OUT, and what is in it is not measured again. docs/on-photographs.md contains the results.
"""

from __future__ import annotations

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mxnet.gluon import HybridBlock

from d2ltl.data.pairs import Pair
from d2ltl.files import write_json
from d2ltl.runtime import reseed

NET = "efficientnet_lite0"
HELD_OUT = 0.2  # share of the training images
RATES = (0.001, 0.01)  # of the features
GENTLE = (0.0003, 0.001)  # with momentum, which multiplies the steps by ten

Change = Callable[[HybridBlock, Pair, int], None]


def nothing(net: HybridBlock, data: Pair, size: int) -> None:
    """Leave the network as `finetune_net` makes it."""


def statistics_kept(net: HybridBlock, data: Pair, size: int) -> None:
    """Keep batch normalisation in inference mode."""
    d2ltl.use_running_statistics(net)


def probe_first(net: HybridBlock, data: Pair, size: int) -> None:
    """Start the output layer from a linear probe, and train it at the rate of the features."""
    d2ltl.train_on_codes(net, "softmax", data=data, size=size, batch_size=64, verbose=False)
    net.output.collect_params().setattr("lr_mult", 1)


def rates_by_stage(net: HybridBlock, data: Pair, size: int) -> None:
    """Let each stage learn at three tenths of the rate of the stage after it."""
    d2ltl.decay_rates(net, 0.3)


LP_FT = "lp-ft, all together"
GENTLY = {"momentum": 0.9, "schedule": "cosine"}
RECIPES: dict[str, tuple[Change, tuple[float, ...], dict[str, Any]]] = {
    "the book's": (nothing, RATES, {}),
    "statistics kept": (statistics_kept, RATES, {}),
    "probe first": (probe_first, RATES, {}),
    "rates by stage": (rates_by_stage, (0.01, 0.1), {}),
    "cosine and momentum": (nothing, GENTLE, GENTLY),
    LP_FT: (nothing, GENTLE, {}),
}


def train(recipe: str, rate: float, data: Pair, seed: int, size: int, epochs: int) -> tuple[float, float]:
    """Return the accuracy and the loss on the test images after the last epoch."""
    change, _, options = RECIPES[recipe]
    reseed(seed)
    net = d2ltl.finetune_net(len(data[0].synsets), d2ltl.source_net(NET, "imagenet"))
    change(net, data, size)
    shown = {"data": data, "size": size, "seed": seed, "evaluate_every": epochs, "verbose": False}
    tune = d2ltl.train_lp_ft if recipe == LP_FT else d2ltl.train_fine_tuning
    last = tune(net, rate, 32, epochs, **shown, **options).epochs[-1]
    return float(last.test_acc or 0), float(last.test_loss or np.inf)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.recipes", description=__doc__)
    parser.add_argument("archive", type=Path, metavar="ARCHIVE")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    kept: dict[str, tuple[float, float]] = json.loads(args.out.read_text()) if args.out.exists() else {}
    pair = d2ltl.load_images(args.archive)
    chosen_on = d2ltl.split(pair[0], HELD_OUT)

    def measure(recipe: str, rate: float, part: str, seed: int) -> tuple[float, float]:
        """Return accuracy and loss of a run, from the file if it is there."""
        key = f"{recipe}, rate {rate:g}, {part}, seed {seed}, {args.size} pixels, {args.epochs} epochs"
        if key not in kept:
            data = {"held out": chosen_on, "test": pair}[part]
            kept[key] = train(recipe, rate, data, seed, args.size, args.epochs)
            write_json(args.out, kept)
            print(key, *(f"{value:.4f}" for value in kept[key]), flush=True)
        return kept[key]

    rows = []
    for recipe, (_, rates, _) in RECIPES.items():
        losses = {rate: measure(recipe, rate, "held out", 0)[1] for rate in rates}
        rate = min(losses, key=losses.__getitem__)
        accuracies = [measure(recipe, rate, "test", seed)[0] for seed in args.seeds]
        spread = np.std(accuracies, ddof=1) if len(accuracies) > 1 else np.nan
        rows.append(f"{recipe:<22} {rate:<7g} {np.mean(accuracies):.4f} ± {spread:.4f}")
    print("\n".join(["", "recipe, chosen rate, test accuracy", *rows]))


if __name__ == "__main__":
    main()
