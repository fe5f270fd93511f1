"""Command line of `export_web`: ``python -m d2ltl web --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from _data_hub.language import N_, _
from d2ltl.cli import new_parser, run_command
from d2ltl.deployment.run_argument import add_run

DESCRIPTION = N_("""\
Writes a folder with a page that classifies photographs with a trained network, for any web server. The network runs in
the browser: no photograph is uploaded. Once opened over https, the page works without a network. Needs the extra onnx,
and npm, which gets ONNX Runtime Web.""")
EXAMPLES = N_("""\
examples:
  python -m d2ltl web results/2026-11-26-101500 page         the best network of a comparison
  python -m http.server --directory page                     shows the page at http://localhost:8000/
Exit status: 0 success, 2 error in arguments or data, 130 interrupted.
""")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = new_parser("d2ltl web", DESCRIPTION, EXAMPLES)
    add_run(parser)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help=_("the folder to write, a new or an empty one"))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page. Return the exit status: 0, 2 after an error in arguments or data, 130 after Ctrl-C."""
    args = parse(argv)
    return run_command(lambda: _write(args))


def _write(args: argparse.Namespace) -> None:
    from d2ltl.deployment.web import export_web  # imported here so that --help does not load MXNet

    difference = export_web(args.run, args.folder, net=args.net, size=args.size)
    megabytes = sum(file.stat().st_size for file in args.folder.iterdir()) / 1e6
    print(
        _("{folder}: {megabytes:.0f} MB; put it on a web server, or try it:").format(
            folder=args.folder, megabytes=megabytes
        )
    )
    print(f"  {sys.executable} -m http.server --directory {args.folder}")
    print(
        _("The probabilities on the page differ from those of `predict` by {difference:.1g} at most.").format(
            difference=difference
        )
    )


if __name__ == "__main__":
    sys.exit(main())
