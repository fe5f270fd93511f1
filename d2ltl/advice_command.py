"""The command line of `advise`: ``python -m d2ltl.advice --help``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import d2ltl
from d2ltl.command_line import run_command
from d2ltl.datasets import BOOK, RENDERED, defaults_of

DESCRIPTION = """\
Before you start: which way of transferring suits your images, and which source model? Looks at the training images for
about a minute and measures

  how many there are            few or not, of each class
  how well each source fits     accuracy of a linear classifier on the codes of each stage, LogME, LEEP
  like the source set?          what a source's last stage learned must help more than random weights
  whether transfer is needed    a network from scratch gets 100 small steps

Then it recommends one of four ways, and says why:

                 like the source set             different
  few images     linear classifier on codes      … on the codes of an earlier stage
  many           fine-tune all layers            train all layers, longer; or from scratch"""
EXAMPLES = """\
examples:
  python -m d2ltl.advice my_photos --size 96                 your own folder: one folder of images for each class
  python -m d2ltl.advice hotdog-mini                         rendered images that come with d2ltl
  python -m d2ltl.advice digits                              handwriting: do sources of photographs suit it?
  python -m d2ltl.advice my_photos --sources resnet18_v2:tinyimagenet squeezenet1.1:imagenet
                                                             which of the two suits better?
It is an estimate, and can be wrong. `python -m d2ltl.compare` trains the networks and knows.
Exit status: 0 done, 2 a mistake in arguments or data, 130 interrupted.
"""


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m d2ltl.advice",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # fmt: off
    parser.add_argument("data", metavar="FOLDER",
                        help="of images, an archive of one, or a name: as in `python -m d2ltl.compare --help`")
    parser.add_argument("--sources", nargs="+", default=["resnet18_v2:auto"], metavar="NET:WEIGHTS",
                        help="source models; weights: imagenet, tinyimagenet, auto (what is on this machine) or a "
                             ".params file; default: resnet18_v2:auto")
    parser.add_argument("--size", type=int, metavar="PIXELS",
                        help=f"side of the images that the networks see; default: {BOOK.size}, "
                             f"{defaults_of(RENDERED).size} with {RENDERED}")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn at random; default: %(default)s")
    # fmt: on
    args = parser.parse_args(argv)
    for source in args.sources:
        if not all(source.partition(":")[::2]):
            parser.error(f"--sources: {source} is not NET:WEIGHTS, as in resnet18_v2:tinyimagenet")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Print an advice and return the exit status: 0, 2 after a mistake in arguments or data, 130 after Ctrl-C."""
    args = parse(argv)
    return run_command(lambda: _advise(args))


def _advise(args: argparse.Namespace) -> None:
    sources = {source: d2ltl.source_net(*source.split(":", 1)) for source in args.sources}
    print(d2ltl.advise(args.data, sources, size=args.size, seed=args.seed))
