"""Command line of `advise`: ``python -m d2ltl.advice --help``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from _data_hub.language import N_, _
from d2ltl.cli import LOADING, add_options, new_parser, run_command

if TYPE_CHECKING:
    from d2ltl.advice.verdict import Advice

DESCRIPTION = N_("""\
Recommends a training strategy and a source model for your images, before you train. Compares all source models on this
machine, which takes about a minute for each, and measures on the training images:

  number of images            few or many in the smallest class
  fit of each source model    accuracy of a linear classifier on the features of each stage, LogME, LEEP
  cost of each source model   images per second
  best source model           also for fewer images than there are
  help of pretraining         share of errors that it avoids, compared with random weights
  need for transfer           accuracy of a network trained from scratch for 100 small steps
  gentle fine-tuning          accuracy of lp-ft, if there are few images and pretraining helps

Then it recommends one strategy and gives the reasons:

                 pretraining helps                  pretraining hardly helps
  few images     linear classifier on features,     linear classifier on features of an earlier stage
                 or lp-ft if it is better
  many images    fine-tune all layers, or gently    fine-tune all layers for more epochs
                 if the features are very good

It recommends training from scratch if that is certainly better.""")
EXAMPLES = N_("""\
examples:
  python -m d2ltl.advice my_photos                           your own folder: one folder of images for each class
  python -m d2ltl.advice my_photos --size 96                 smaller images, less time
  python -m d2ltl.advice hotdog-mini                         rendered images that come with d2ltl
  python -m d2ltl.advice digits                              handwritten digits: do models of photographs help?
  python -m d2ltl.advice my_photos --sources resnet18_v2:tinyimagenet efficientnet_lite0:imagenet
                                                             compare two source models
The advice is an estimate and can be wrong. `python -m d2ltl.compare` trains the networks and measures their accuracy.
Exit status: 0 success, 2 error in arguments or data, 130 interrupted.
""")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = new_parser("d2ltl.advice", DESCRIPTION, EXAMPLES)
    # fmt: off
    parser.add_argument("data", metavar="FOLDER",
                        help=_("folder of images, archive, or name of a data set: see `python -m d2ltl.compare "
                               "--help`"))
    parser.add_argument("--sources", nargs="+", metavar="NET:WEIGHTS",
                        help=_("source models; WEIGHTS is imagenet, tinyimagenet, a .params file, or auto (imagenet if "
                               "on this machine, else tinyimagenet); default: all source models on this machine"))
    add_options(parser, "--size", "--skip-unreadable", "--workers")
    parser.add_argument("--seed", type=int, default=0, help=_("seed of all random choices; default: %(default)s"))
    # fmt: on
    args = parser.parse_args(argv)
    for source in args.sources or ():
        if not all(source.partition(":")[::2]):
            parser.error(
                _("--sources: {source} is not NET:WEIGHTS, as in resnet18_v2:tinyimagenet").format(source=source)
            )
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Print the advice. Return the exit status: 0, 2 after an error in arguments or data, 130 after Ctrl-C."""
    args = parse(argv)
    return run_command(lambda: _advise(args))


def _advise(args: argparse.Namespace) -> None:
    print(_(LOADING))
    from d2ltl.advice.advising import advise  # imported here so that --help does not load MXNet
    from d2ltl.models.sources import source_net

    sources = {source: source_net(*source.split(":", 1)) for source in args.sources or ()}
    options = {"size": args.size, "seed": args.seed, "skip_unreadable": args.skip_unreadable,
               "workers": args.workers}  # fmt: skip
    advice = advise(args.data, sources or None, **options)
    print(advice, "", _("Measure it:"), _comparison(args, advice), sep="\n")


def _comparison(args: argparse.Namespace, advice: Advice) -> str:
    """Return the command that compares the advice with training from scratch, or scratch with fine-tuning."""
    best = advice.fits[0]
    net, weights = best.source.split(":", 1)
    strategies = [advice.strategy, "finetune" if advice.strategy == "scratch" else "scratch"]
    options = ["--data", args.data, "--net", net, "--pretrained", weights, "--size", str(best.size)]
    options += ["--skip-unreadable"] * args.skip_unreadable
    return shlex.join([sys.executable, "-m", "d2ltl.compare", *options, "--strategies", *strategies])


if __name__ == "__main__":
    sys.exit(main())
