"""Command line of the exercises: ``python -m d2ltl.exercises --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from _data_hub.language import N_, _
from d2ltl.cli import LOADING, add_options, keep_threads, new_parser, resume_hint, run_command
from d2ltl.exercises.settings import EPOCHS, QUICK_BATCH, QUICK_EPOCHS

DESCRIPTION = N_("""\
Runs one of the four exercises of the fine-tuning chapter (section 13.2), or a fifth one. Prints the results, and writes
a figure (exercise-N.png) and all numbers (exercise-N.json).

  1  Raise the learning rate of fine-tuning step by step. How does the accuracy change?
  2  Tune the learning rates and epochs of fine-tuning and of training from scratch. Does the difference remain?
  3  Freeze the features and train only the output layer. How do accuracy and time change?
  4  Hot dog is a class of ImageNet. How can the output weights of this class be used?
  5  Not in the book: how many images are enough? Accuracy by the number of training images.""")
EXAMPLES = N_("""\
examples:
  python -m d2ltl.exercises 1 --quick                        a first look: few images, 2 epochs
  python -m d2ltl.exercises 1 --rates 0.001 0.01 0.1 --seeds 0 1 2
  python -m d2ltl.exercises 3 --data hotdog --pretrained imagenet
                                                             the book's photographs and weights, downloaded
  python -m d2ltl.exercises 5 --data my_photos --images 20 50 100 --seeds 0 1 2 --workers 2
                                                             would more images of mine help? two runs at a time
  python -m d2ltl.exercises 4 --quick                        uses an ImageNet model on this machine: the book's if it
                                                             was downloaded, else that of the extra imagenet-offline
Exit status: 0 success, 2 error in arguments or data, 130 interrupted.
""")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments. Options whose default depends on the data or the exercise are None if not given."""
    parser = new_parser("d2ltl.exercises", DESCRIPTION, EXAMPLES)
    # fmt: off
    parser.add_argument("exercise", type=int, choices=sorted(EPOCHS), help=_("number of the exercise; exercise 4 has a "
                        "source model of its own (no --net, --pretrained) and 224 pixels by default"))
    add_options(parser, "--data", "--size", "--skip-unreadable", "--net", "--pretrained", "--batch-size", "--seeds",
                "--workers")
    parser.add_argument("--rates", type=float, nargs="+", metavar="RATE",
                        help=_("learning rates of fine-tuning to try (exercises 1 and 2), or one learning rate "
                               "(exercises 3 and 4); the new output layer learns at 10 times the rate"))
    parser.add_argument("--epochs", type=int, metavar="N",
                        help=_("number of epochs; default: {defaults}; exercise 4 always trains one").format(
                            defaults=_(", ").join(_("{number} in exercise {exercise}").format(number=n, exercise=i)
                                                  for i, n in EPOCHS.items() if i != 4)))
    parser.add_argument("--images", type=int, nargs="+", metavar="N",
                        help=_("numbers of training images (exercise 5); default: a twentieth, a tenth, a quarter, "
                               "half and all; a smaller number gets more epochs, so that the number of steps is the "
                               "same"))
    parser.add_argument("--strategies", nargs="+", metavar="NAME",
                        help=_("strategies (exercise 5), as for python -m d2ltl.compare; default: codes-softmax, and "
                               "the default ones of that command"))
    parser.add_argument("--quick", action="store_true",
                        help=_("use a quarter of the images, {epochs} epochs and batches of {batch}: faster, but less "
                               "certain").format(epochs=QUICK_EPOCHS, batch=QUICK_BATCH))
    parser.add_argument("--out", type=Path, metavar="DIR",
                        help=_("output folder; default: a new folder in results/, named by exercise, date and time"))
    parser.add_argument("--resume", action="store_true",
                        help=_("go on with the interrupted exercise in --out, with the same arguments (not exercise "
                               "4)"))
    # fmt: on
    args = parser.parse_args(argv)
    if args.resume and args.out is None:
        parser.error(_("--resume needs --out, the folder of the exercise to go on with"))
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run an exercise. Return the exit status: 0, 2 after an error in arguments or data, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = parse(arguments)
    out = args.out or Path("results", f"exercise-{args.exercise}-{datetime.now():%Y-%m-%d-%H%M%S}")
    if args.resume:
        keep_threads(out)

    def work() -> None:
        print(_("Figure and numbers will be in {folder}").format(folder=out), _(LOADING), sep="\n")
        from d2ltl.exercises.commands import run_exercise  # imported here so that --help does not load MXNet

        run_exercise(args, out)

    return run_command(work, lambda: resume_hint("d2ltl.exercises", out, arguments))


if __name__ == "__main__":
    sys.exit(main())
