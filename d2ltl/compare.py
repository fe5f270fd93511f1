"""Command line of `run_comparison`: ``python -m d2ltl.compare --help``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from d2ltl.cli import run_command
from d2ltl.datasets import BOOK, DEFAULTS
from data_hub import DATA_HUB, DataHubError

DESCRIPTION = """\
Does transfer learning pay off? Trains a network twice on the same images: fine-tuned from pretrained weights, and from
scratch. Prints a table and explains it. Writes an HTML page (report.html), figures, report.json and the trained
parameters."""
EXAMPLES = """\
examples:
  python -m d2ltl.compare                                    data and weights on this machine, default settings
  python -m d2ltl.compare --data hotdog --pretrained imagenet
                                                             the book's photographs and weights, downloaded
  python -m d2ltl.compare --data my_photos --size 96 --batch-size 32
                                                             your own folder: one folder of images for each class
  python -m d2ltl.compare --data hotdog.zip --pretrained weights.params --seeds 0 1 2
                                                             three seeds: mean and standard deviation
  python -m d2ltl.compare --out results/a --resume ...       continue an interrupted comparison, same arguments
Exit status: 0 success, 2 error in arguments or data, 130 interrupted. On a laptop, --size 96 --batch-size 32 is quick.
"""


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments of the command line. Options whose default depends on the data are None if not given."""
    parser = argparse.ArgumentParser(
        prog="python -m d2ltl.compare",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # fmt: off
    data = parser.add_argument_group("data")
    data.add_argument("--data", default="auto", metavar="NAME|DIR|ARCHIVE",
                      help="name of a data set (see `python -m data_hub list`), folder or archive; a folder contains "
                           "train/ and test/ with one folder per class, or only class folders (then a fifth of the "
                           "images is for testing); default: hotdog, the book's photographs, if on this machine, else "
                           "hotdog-mini, rendered images that come with d2ltl")
    data.add_argument("--skip-unreadable", action="store_true", help="leave out images that cannot be read")
    data.add_argument("--size", type=int, metavar="PIXELS",
                      help=f"height and width of the images that the network sees; default: {_default('size')}")
    net = parser.add_argument_group("source model")
    net.add_argument("--net", default="resnet18_v2", metavar="NAME",
                     help="model of Gluon's or GluonCV's model zoo; default: %(default)s")
    net.add_argument("--pretrained", default="auto", metavar="NAME|FILE",
                     help="source weights: imagenet (downloaded), tinyimagenet (shipped), or a .params file; "
                          "default: imagenet if on this machine, else tinyimagenet")
    how = parser.add_argument_group("training")
    how.add_argument("--strategies", nargs="+", default=["finetune", "scratch"], metavar="NAME",
                     help="finetune, scratch, frozen (features frozen, output layer trained), fixed (like frozen, with "
                          "batch normalisation frozen too), freeze-K (first K stages frozen, for example freeze-2), "
                          "codes-svm, codes-softmax (linear classifier on features that are computed once), distilled "
                          "(small network that learns from the fine-tuned one); default: finetune scratch")
    how.add_argument("--epochs", type=int, metavar="N", help=f"number of epochs; default: {_default('epochs')}")
    how.add_argument("--batch-size", type=int, metavar="N", help=f"images per step; default: {_default('batch_size')}")
    how.add_argument("--lr-finetune", type=float, metavar="RATE",
                     help="learning rate of pretrained networks; the new output layer learns at 10 times this rate; "
                          f"default: {_default('lr_finetune')}")
    how.add_argument("--lr-scratch", type=float, metavar="RATE",
                     help=f"learning rate of untrained networks; default: {_default('lr_scratch')}")
    how.add_argument("--precision", choices=["float32", "bfloat16"], default="float32",
                     help="bfloat16 is faster on processors that support it; default: %(default)s")
    how.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="SEED",
                     help="random seeds; every strategy is run with each; default: 0")
    out = parser.add_argument_group("output")
    out.add_argument("--out", type=Path, metavar="DIR",
                     help="output folder; default: a new folder in results/, named by date and time")
    out.add_argument("--resume", action="store_true", help="continue the interrupted comparison in --out")
    # fmt: on
    args = parser.parse_args(argv)
    if args.resume and args.out is None:
        parser.error("--resume needs --out, the folder of the comparison to go on with")
    return args


def _default(setting: str) -> str:
    """Return the help text for the default of a setting: the book's value, and other values by data set."""
    own = {name: getattr(defaults, setting) for name, defaults in DEFAULTS.items() if defaults != BOOK}
    others = [f"{value:g} with {name}" for name, value in own.items() if value != getattr(BOOK, setting)]
    return ", ".join([f"{getattr(BOOK, setting):g}", *others])


def main(argv: Sequence[str] | None = None) -> int:
    """Run a comparison. Return the exit status: 0, 2 after an error in arguments or data, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = parse(arguments)
    if args.out is None:
        args.out = Path("results", datetime.now().strftime("%Y-%m-%d-%H%M%S"))
        arguments += ["--out", str(args.out)]
    print(f"The report will be in {args.out}")
    return run_command(lambda: _compare(args), lambda: _resume_hint(args.out, arguments))


def _resume_hint(out: Path, arguments: list[str]) -> str:
    if not (out / "settings.json").exists():
        return "Nothing was written yet."
    again = ["--resume", *(argument for argument in arguments if argument != "--resume")]
    return f"Go on with: {shlex.join([sys.executable, '-m', 'd2ltl.compare', *again])}"


def _compare(args: argparse.Namespace) -> None:
    from d2ltl.comparison import report  # imported here so that --help does not load MXNet
    from d2ltl.comparison.running import run_comparison
    from d2ltl.models.precision import use_bfloat16

    options = vars(args)
    if options.pop("precision") == "bfloat16":
        use_bfloat16()
    try:
        comparison = run_comparison(**options)
    except DataHubError as error:
        hint = " Or give images of your own with --data." if options["data"] in DATA_HUB else ""
        raise DataHubError(f"{error}{hint}") from error
    print(f"\n{report.table(comparison)}\n")
    for sentence in report.reading(comparison):
        print(sentence)
    print(f"\n{report.write_report(comparison, args.out)}")


if __name__ == "__main__":
    sys.exit(main())
