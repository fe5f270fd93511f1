"""The command line of `run_comparison`: ``python -m d2ltl.compare --help``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import d2ltl
from d2ltl.command_line import run_command
from d2ltl.datasets import BOOK, DEFAULTS
from data_hub import DATA_HUB, DataHubError

DESCRIPTION = """\
Does transfer learning pay off? Train one network twice on the same images: fine-tuned from pretrained weights, and from
scratch. Prints a table and what it means; writes a page to look at (report.html), figures, report.json
and the trained parameters."""
EXAMPLES = """\
examples:
  python -m d2ltl.compare                                    what is on this machine, with settings that suit it
  python -m d2ltl.compare --data hotdog --pretrained imagenet
                                                             the book's photographs and weights, downloaded
  python -m d2ltl.compare --data my_photos --size 96 --batch-size 32
                                                             your own folder: one folder of images for each class
  python -m d2ltl.compare --data hotdog.zip --pretrained weights.params --seeds 0 1 2
                                                             three seeds show how much is chance
  python -m d2ltl.compare --out results/a --resume ...       go on with a run that was stopped, same arguments
Exit status: 0 done, 2 a mistake in arguments or data, 130 interrupted. On a laptop, --size 96 --batch-size 32 is quick.
"""


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments of the command line. What depends on the data is None where it is not given."""
    parser = argparse.ArgumentParser(
        prog="python -m d2ltl.compare",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # fmt: off
    data = parser.add_argument_group("what to train on")
    data.add_argument("--data", default="auto", metavar="NAME|DIR|ARCHIVE",
                      help="a data set of `python -m data_hub list`, a folder, or an archive of one, with train/ and "
                           "test/ of class folders or with class folders alone (a fifth is then for testing); "
                           "default: hotdog, the book's photographs, if on this machine, else hotdog-mini, rendered "
                           "images that come with d2ltl")
    data.add_argument("--skip-unreadable", action="store_true", help="leave out images that cannot be read")
    data.add_argument("--size", type=int, metavar="PIXELS",
                      help=f"side of the images that the network sees; default: {_default('size')}")
    net = parser.add_argument_group("which network")
    net.add_argument("--net", default="resnet18_v2", metavar="NAME", help="a model of the zoo; default: %(default)s")
    net.add_argument("--pretrained", default="auto", metavar="NAME|FILE",
                     help="source weights: imagenet (downloaded), tinyimagenet (shipped), or a .params file; "
                          "default: imagenet if on this machine, else tinyimagenet")
    how = parser.add_argument_group("how")
    how.add_argument("--strategies", nargs="+", default=["finetune", "scratch"], metavar="NAME",
                     help="finetune, scratch, frozen (features kept, output layer trained), freeze-K (the first K "
                          "stages kept, as in freeze-2), codes-svm, codes-softmax (a linear classifier on the "
                          "features' output, computed once), distilled (a small network taught by the fine-tuned one); "
                          "default: finetune scratch")
    how.add_argument("--epochs", type=int, metavar="N", help=f"default: {_default('epochs')}")
    how.add_argument("--batch-size", type=int, metavar="N", help=f"default: {_default('batch_size')}")
    how.add_argument("--lr-finetune", type=float, metavar="RATE",
                     help="of pretrained networks, whose output layer gets 10 times it; "
                          f"default: {_default('lr_finetune')}")
    how.add_argument("--lr-scratch", type=float, metavar="RATE", help=f"default: {_default('lr_scratch')}")
    how.add_argument("--precision", choices=["float32", "bfloat16"], default="float32",
                     help="bfloat16 is quicker on processors that have it; default: %(default)s")
    how.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="SEED", help="one run each; default: 0")
    out = parser.add_argument_group("where to")
    out.add_argument("--out", type=Path, metavar="DIR", help="default: a new folder in results/, named by the time")
    out.add_argument("--resume", action="store_true", help="go on with the comparison in --out")
    # fmt: on
    args = parser.parse_args(argv)
    if args.resume and args.out is None:
        parser.error("--resume needs --out, the folder of the comparison to go on with")
    return args


def _default(setting: str) -> str:
    """Say what a setting is that was not given: the book's, and where a data set has one of its own, that."""
    own = {name: getattr(defaults, setting) for name, defaults in DEFAULTS.items() if defaults != BOOK}
    others = [f"{value:g} with {name}" for name, value in own.items() if value != getattr(BOOK, setting)]
    return ", ".join([f"{getattr(BOOK, setting):g}", *others])


def main(argv: Sequence[str] | None = None) -> int:
    """Run a comparison and return the exit status: 0, 2 after a mistake in arguments or data, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = parse(arguments)
    if args.out is None:
        args.out = Path("results", datetime.now().strftime("%Y-%m-%d-%H%M%S"))
        arguments += ["--out", str(args.out)]
    print(f"The report will be in {args.out}")
    return run_command(lambda: _compare(args), lambda: _way_on(args.out, arguments))


def _way_on(out: Path, arguments: list[str]) -> str:
    if not (out / "settings.json").exists():
        return "Nothing was written yet."
    again = ["--resume", *(argument for argument in arguments if argument != "--resume")]
    return f"Go on with: {shlex.join([sys.executable, '-m', 'd2ltl.compare', *again])}"


def _compare(args: argparse.Namespace) -> None:
    options = vars(args)
    if options.pop("precision") == "bfloat16":
        d2ltl.use_bfloat16()
    try:
        comparison = d2ltl.run_comparison(**options)
    except DataHubError as error:
        hint = " Or give images of your own with --data." if options["data"] in DATA_HUB else ""
        raise DataHubError(f"{error}{hint}") from error
    from d2ltl import report  # not above: --help does not wait for MXNet

    print(f"\n{report.table(comparison)}\n")
    for sentence in report.reading(comparison):
        print(sentence)
    print(f"\n{report.write_report(comparison, args.out)}")


if __name__ == "__main__":
    sys.exit(main())
