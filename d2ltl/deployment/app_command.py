"""Command line of the page in the browser: ``python -m d2ltl app --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _data_hub.language import N_, _
from d2ltl.cli import add_options, new_parser, run_command
from d2ltl.deployment.run_argument import add_run

if TYPE_CHECKING:
    from d2ltl.deployment.neighbours import Neighbours

DESCRIPTION = N_("""\
Shows a trained network in the browser: a page to drop photographs on. It answers with the class, the probabilities,
where in the photograph the class is, and the most similar training images. Nothing is sent to another machine, and
photographs are deleted after the answer. Needs the extra app and Python 3.10 or later.""")
EXAMPLES = N_("""\
examples:
  python -m d2ltl app results/2026-11-26-101500              the best network of a comparison
  python -m d2ltl app results/a/runs/lp-ft-seed0 --data ~/photos
                                                             one run, whose training images have moved
  python -m d2ltl app results/a --host 0.0.0.0 --port 8000   for everyone who can reach this machine
Exit status: 2 error in arguments or data, 130 ended by Ctrl-C.
""")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = new_parser("d2ltl app", DESCRIPTION, EXAMPLES)
    # fmt: off
    add_run(parser)
    parser.add_argument("--data", metavar="NAME|DIR|ARCHIVE",
                        help=_("where the training images are, of which the nearest are shown; default: those of the "
                               "comparison, if they are on this machine"))
    add_options(parser, "--skip-unreadable")
    parser.add_argument("--port", type=int, metavar="N", help=_("port of the page; default: a free one from 7860 on"))
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS",
                        help=_("address of this machine that the page is served at; default: %(default)s, which only "
                               "this machine can reach"))
    # fmt: on
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page. Return the exit status: 2 after an error in arguments or data, 130 after Ctrl-C."""
    args = parse(argv)
    return run_command(lambda: _serve(args), lambda: _("The page is closed; no photograph was kept."))


def _serve(args: argparse.Namespace) -> None:
    from d2ltl.comparison.runs import RunFolder  # imported here so that --help does not load MXNet
    from d2ltl.deployment.app import open_port
    from d2ltl.deployment.loading import find_parameters, load_net
    from d2ltl.deployment.page import Page, name_of

    with open_port(args.host, args.port) as serve:
        file = args.run if args.run.suffix == ".onnx" else find_parameters(args.run)
        net = load_net(file, net=args.net, size=args.size)
        record = RunFolder(file.parent).finished().get(file)
        neighbours = _neighbours(net, file, args.data, args.skip_unreadable)
        serve(Page(net, name_of(file), record, neighbours))


def _neighbours(net: Any, file: Path, data: str | None, skip_unreadable: bool) -> Neighbours | str:
    """Return the training images, or the reason why there are none; raise an error if `data` names them."""
    from d2ltl.deployment.neighbours import Neighbours, check_features, sample_of, training_images
    from d2ltl.errors import D2LTLError

    try:
        check_features(net)
        images = training_images(file) if data is None else sample_of(data, skip_unreadable)
        return Neighbours(net, images)
    except D2LTLError as error:
        if data is not None:
            raise
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
