"""Command line of `run_comparison`: ``python -m d2ltl.compare --help``."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from _data_hub.language import N_, _
from d2ltl.cli import LOADING, add_options, default_of, keep_threads, new_parser, resume_hint, run_command
from d2ltl.data_parallel import launch
from d2ltl.errors import ClusterError, WorkerError
from data_hub import DATA_HUB, DataHubError

DESCRIPTION = N_("""\
Does transfer learning pay off? Trains a network twice on the same images: fine-tuned from pretrained weights, and from
scratch. Prints a table and explains it. Writes an HTML page (report.html), figures, report.json and the trained
parameters.""")
EXAMPLES = N_("""\
examples:
  python -m d2ltl.compare                                    data and weights on this machine, default settings
  python -m d2ltl.compare --data hotdog --pretrained imagenet
                                                             the book's photographs and weights, downloaded
  python -m d2ltl.compare --data my_photos --size 96 --batch-size 32
                                                             your own folder: one folder of images for each class
  python -m d2ltl.compare --net efficientnet_lite0
                                                             an ImageNet source model, and how best to fine-tune it
  python -m d2ltl.compare --data hotdog.zip --pretrained weights.params --seeds 0 1 2
                                                             three seeds: mean and standard deviation
  python -m d2ltl.compare --seeds 0 1 2 3 --workers 2        eight runs, two at a time (extra cluster)
  python -m d2ltl.compare --out results/a --resume ...       continue an interrupted comparison, same arguments
Exit status: 0 success, 2 error in arguments or data, 130 interrupted. On a laptop, --size 96 --batch-size 32 is quick.
""")


STRONGER = "efficientnet_lite0"


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments of the command line. Options whose default depends on the data are None if not given."""
    parser = new_parser("d2ltl.compare", DESCRIPTION, EXAMPLES)
    # fmt: off
    data = parser.add_argument_group(_("data"))
    add_options(data, "--data", "--size", "--skip-unreadable", "--check-duplicates")
    add_options(parser.add_argument_group(_("source model")), "--net", "--pretrained")
    how = parser.add_argument_group(_("training"))
    how.add_argument("--strategies", nargs="+", metavar="NAME",
                     help=_("finetune, scratch, frozen (features frozen, new output layer trained), fixed (like "
                            "frozen, and batch normalisation uses its running statistics), freeze-K (first K stages "
                            "frozen, for example freeze-2), lp-ft (linear probe first, then the last stages gently), "
                            "codes-svm, codes-softmax (linear classifier on the CNN codes), codes-softmax-K (on the "
                            "codes of stage K), distilled (small network that learns from a fine-tuned network); "
                            "default: finetune scratch, for an EfficientNet also lp-ft"))
    how.add_argument("--epochs", type=int, metavar="N",
                     help=_("number of epochs: passes over the images to train, each followed by a test; default: "
                            "{default}").format(default=default_of("epochs")))
    add_options(how, "--batch-size", "--seeds")
    how.add_argument("--lr-finetune", type=float, metavar="RATE",
                     help=_("learning rate of pretrained networks; the new output layer learns at 10 times this rate; "
                            "default: {default}").format(default=default_of("lr_finetune")))
    how.add_argument("--lr-scratch", type=float, metavar="RATE",
                     help=_("learning rate of untrained networks; default: {default}").format(
                         default=default_of("lr_scratch")))
    how.add_argument("--lr-lp-ft", type=float, metavar="RATE",
                     help=_("learning rate of lp-ft; default: {default}").format(default=default_of("lr_lp_ft")))
    how.add_argument("--balance", action="store_true",
                     help=_("every class counts the same in training, however many images it has"))
    how.add_argument("--cross-validate", type=int, metavar="K",
                     help=_("put the images to train and to test together and cut them into K parts; test on each part "
                            "a network trained on the others, so that every image is tested once; takes K times as "
                            "long"))
    how.add_argument("--data-parallel", type=int, metavar="N",
                     help=_("train each network in N processes, which share out the images of each batch; batch "
                            "normalisation then sees only the images of its own process; with --workers, on N of the "
                            "workers; default: in one process"))
    how.add_argument("--precision", choices=["float32", "bfloat16"], default="float32",
                     help=_("bfloat16 is faster on processors that support it, but not for an EfficientNet; default: "
                            "%(default)s"))
    add_options(how, "--workers")
    out = parser.add_argument_group(_("output"))
    out.add_argument("--out", type=Path, metavar="DIR",
                     help=_("output folder; default: a new folder in results/, named by date and time"))
    out.add_argument("--resume", action="store_true", help=_("continue the interrupted comparison in --out"))
    # fmt: on
    args = parser.parse_args(argv)
    if args.resume and args.out is None:
        parser.error(_("--resume needs --out, the folder of the comparison to go on with"))
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run a comparison. Return the exit status: 0, 2 after an error in arguments or data, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = parse(arguments)
    if args.out is None:
        args.out = Path("results", datetime.now().strftime("%Y-%m-%d-%H%M%S"))
    if args.resume:
        keep_threads(args.out)
    return run_command(lambda: _start(args, arguments), lambda: _resume_hint(args, arguments))


def _start(args: argparse.Namespace, arguments: list[str]) -> None:
    """Run a comparison in this process, or start processes that run this command together."""
    is_worker = "DMLC_ROLE" in os.environ  # of a data-parallel training
    if not is_worker:
        print(_("The report will be in {folder}").format(folder=args.out), _(LOADING), sep="\n")
    if is_worker or args.data_parallel is None:
        _compare(args)
        return
    try:
        launch(["d2ltl.compare", *arguments, "--out", str(args.out)], args.data_parallel, args.workers)
    except (ClusterError, WorkerError) as error:
        raise type(error)(f"{error}\n{_resume_hint(args, arguments)}") from error


def _resume_hint(args: argparse.Namespace, arguments: list[str]) -> str:
    return resume_hint("d2ltl.compare", args.out, arguments)


def _compare(args: argparse.Namespace) -> None:
    from d2ltl.comparison import report, sentences  # imported here so that --help does not load MXNet
    from d2ltl.comparison.running import run_comparison
    from d2ltl.models import packages
    from d2ltl.models.precision import use_bfloat16
    from d2ltl.models.sources import SHIPPED
    from d2ltl.training.workers import WorkerGroup

    options = vars(args)
    kvstore = "device"
    if options.pop("data_parallel") is not None:
        kvstore, options["workers"] = "dist_sync", None  # this process is itself on a worker
    first = WorkerGroup(kvstore).rank == 0
    if not first:
        logging.disable(logging.INFO)
    if options.pop("precision") == "bfloat16":
        use_bfloat16()
    try:
        comparison = run_comparison(**options, kvstore=kvstore)
    except DataHubError as error:
        hint = " Or give images of your own with --data." if options["data"] in DATA_HUB else ""
        raise DataHubError(f"{error}{hint}") from error
    if not first:
        return
    print(f"\n{report.table(comparison)}\n")
    for sentence in sentences.reading(comparison):
        print(sentence)
    for sentence in sentences.warnings(comparison):
        print("", _("Note: {sentence}").format(sentence=sentence), sep="\n")
    if steps := sentences.next_steps(comparison):
        print("", _("What to do next:"), sep="\n")
        print(*(f"* {step}" for step in steps), sep="\n")
    print(f"\n{report.write_report(comparison, args.out)}")
    if comparison.settings["pretrained"] in SHIPPED and packages.find(STRONGER):
        text = _("A stronger source model is on this machine. Compare with it:")
        print(f"\n{text}\n{_with_stronger_source(args)}")


def _with_stronger_source(args: argparse.Namespace) -> str:
    """Return the command that compares on the same data with another source model, and with its default settings."""
    data = [] if args.data == "auto" else ["--data", args.data]
    seeds = [] if args.seeds == [0] else ["--seeds", *map(str, args.seeds)]
    skip = ["--skip-unreadable"] * args.skip_unreadable
    training = ["--balance"] * args.balance
    if args.cross_validate:
        training += ["--cross-validate", str(args.cross_validate)]
    options = ["--net", STRONGER, *seeds, *skip, *training]
    return shlex.join([sys.executable, "-m", "d2ltl.compare", *data, *options])


if __name__ == "__main__":
    sys.exit(main())
