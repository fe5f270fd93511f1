"""``python -m tools.advised DATA OUT``: measure what one loses by following the advice of `advise`.

DATA is a folder of archives of images, ``NAME.zip`` with ``NAME/{train,test}/CLASS/``. For each archive, with 10 images
of each class and with all images, the script asks for the advice, trains with every strategy, and prints the test
accuracy of each beside the one that was advised. The finished runs are kept in the folder OUT, and are not made again.
docs/on-photographs.md contains the results.
"""

from __future__ import annotations

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import argparse
from pathlib import Path

import numpy as np

from d2ltl.data.pairs import Pair

NET = "efficientnet_lite0"
STRATEGIES = ["codes-softmax", "lp-ft", "finetune", "scratch"]
FEW = 10  # images of each class


def parts(archive: Path) -> dict[str, Pair]:
    """Return few and all training images of an archive, each with its test images, by a short name."""
    train, test = d2ltl.load_images(archive)
    return {"few": (d2ltl.take(train, FEW), test), "all": (train, test)}


def measure(name: str, data: Pair, out: Path, size: int, epochs: int) -> str:
    """Return a row of the table: what was advised, the accuracy of each strategy, and the loss of the advised one."""
    advised = d2ltl.advise(data, {NET: d2ltl.source_net(NET, "imagenet")}, size=size)
    comparison = d2ltl.run_comparison(
        data, net=NET, strategies=STRATEGIES, size=size, epochs=epochs, out=out, resume=(out / "settings.json").exists()
    )
    accuracy = {way: comparison.of(way)[0].history.curve("test_acc")[-1] for way in STRATEGIES}
    loss = max(accuracy.values()) - accuracy[advised.way]
    spread = np.sqrt(0.25 / len(data[1]))  # at most, for one accuracy
    cells = [name, str(len(data[0])), advised.way, *(f"{accuracy[way]:.3f}" for way in STRATEGIES), f"{loss:.3f}"]
    return " | ".join([*cells, f"± {spread:.3f}"])


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.advised", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DATA")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--sets", nargs="+", default=["flowers", "magtile", "scene15", "trashnet", "hotdog"])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=5)
    args = parser.parse_args()
    rows = []
    for name in args.sets:
        for part, data in parts(args.folder / f"{name}.zip").items():
            rows.append(measure(f"{name}, {part}", data, args.out / f"{name}-{part}", args.size, args.epochs))
            print(rows[-1], flush=True)
    print("\n".join(["", " | ".join(["images", "number", "advised", *STRATEGIES, "loss", "noise"]), *rows]))


if __name__ == "__main__":
    main()
