"""Command line of the exercises: ``python -m d2ltl.exercises --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from d2ltl.cli import run_command
from d2ltl.datasets import BOOK, RENDERED, defaults_of
from d2ltl.exercises.settings import EPOCHS, QUICK_BATCH, QUICK_EPOCHS

DESCRIPTION = """\
Runs one of the four exercises of the fine-tuning chapter (section 13.2). Prints the results, and writes a figure
(exercise-N.png) and all numbers (exercise-N.json).

  1  Raise the learning rate of fine-tuning step by step. How does the accuracy change?
  2  Tune the learning rates and epochs of fine-tuning and of training from scratch. Does the difference remain?
  3  Freeze the features and train only the output layer. How do accuracy and time change?
  4  Hot dog is a class of ImageNet. How can the output weights of this class be used?"""
EXAMPLES = """\
examples:
  python -m d2ltl.exercises 1 --quick                        a first look: few images, 2 epochs
  python -m d2ltl.exercises 1 --rates 0.001 0.01 0.1 --seeds 0 1 2
  python -m d2ltl.exercises 3 --data hotdog --pretrained imagenet
                                                             the book's photographs and weights, downloaded
  python -m d2ltl.exercises 4 --quick                        uses an ImageNet model on this machine: the book's if it
                                                             was downloaded, else that of the extra imagenet-offline
Exit status: 0 success, 2 error in arguments or data, 130 interrupted.
"""


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments. Options whose default depends on the data or the exercise are None if not given."""
    parser = argparse.ArgumentParser(
        prog="python -m d2ltl.exercises",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # fmt: off
    parser.add_argument("exercise", type=int, choices=sorted(EPOCHS), help="number of the exercise")
    parser.add_argument("--data", default="auto", metavar="NAME|DIR|ARCHIVE",
                        help="name of a data set, folder or archive, see `python -m d2ltl.compare --help`; default: "
                             "hotdog, the book's photographs, if on this machine, else hotdog-mini, rendered images "
                             "that come with d2ltl")
    parser.add_argument("--net", default="resnet18_v2", metavar="NAME",
                        help="model of Gluon's or GluonCV's model zoo (not for exercise 4); default: %(default)s")
    parser.add_argument("--pretrained", default="auto", metavar="NAME|FILE",
                        help="source weights: imagenet, tinyimagenet, or a .params file (not for exercise 4); "
                             "default: imagenet if on this machine, else tinyimagenet")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="SEED",
                        help="random seeds; every setting is run with each; default: 0")
    parser.add_argument("--rates", type=float, nargs="+", metavar="RATE",
                        help="learning rates of fine-tuning to try (exercises 1 and 2), or one learning rate "
                             "(exercises 3 and 4); the new output layer learns at 10 times the rate")
    parser.add_argument("--epochs", type=int, metavar="N",
                        help="number of epochs (exercises 1 to 3); default: "
                             + ", ".join(map(str, list(EPOCHS.values())[:3])))
    parser.add_argument("--size", type=int, metavar="PIXELS",
                        help=f"height and width of the images that the network sees; default: {BOOK.size}, "
                             f"{_of_rendered('size')}; for exercise 4: {BOOK.size}")
    parser.add_argument("--batch-size", type=int, metavar="N",
                        help=f"images per step; default: {BOOK.batch_size}, {_of_rendered('batch_size')}")
    parser.add_argument("--quick", action="store_true",
                        help=f"use a quarter of the images, {QUICK_EPOCHS} epochs and batches of {QUICK_BATCH}: "
                             "faster, but less certain")
    parser.add_argument("--out", type=Path, metavar="DIR",
                        help="output folder; default: a new folder in results/, named by exercise, date and time")
    # fmt: on
    return parser.parse_args(argv)


def _of_rendered(setting: str) -> str:
    return f"{getattr(defaults_of(RENDERED), setting)} with {RENDERED}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run an exercise. Return the exit status: 0, 2 after an error in arguments or data, 130 after Ctrl-C."""
    args = parse(argv)
    out = args.out or Path("results", f"exercise-{args.exercise}-{datetime.now():%Y-%m-%d-%H%M%S}")
    print(f"Figure and numbers will be in {out}")
    return run_command(lambda: _run(args, out))


def _run(args: argparse.Namespace, out: Path) -> None:
    from d2ltl.exercises.commands import run_exercise  # imported here so that --help does not load MXNet

    run_exercise(args, out)


if __name__ == "__main__":
    sys.exit(main())
