"""Command line of `export_onnx`: ``python -m d2ltl export --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from _data_hub.language import N_, _
from d2ltl.cli import new_parser, run_command
from d2ltl.deployment.run_argument import add_run

DESCRIPTION = N_("""\
Writes a trained network as ONNX, which other programs run without d2ltl and MXNet. It takes uint8 RGB images of its
size and returns probabilities; the names of the classes and the size are in its metadata. The file is only kept if ONNX
Runtime gives the same probabilities. Needs the extra onnx.""")
EXAMPLES = N_("""\
examples:
  python -m d2ltl export results/2026-11-26-101500 model.onnx
                                                             the best network of a comparison
  python -m d2ltl export results/a/runs/lp-ft-seed0 model.onnx
                                                             one run
  python -m d2ltl export net-0000.params model.onnx          a network that Gluon's net.export wrote
Exit status: 0 success, 2 error in arguments or data, 130 interrupted.
""")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = new_parser("d2ltl export", DESCRIPTION, EXAMPLES)
    add_run(parser)
    parser.add_argument("file", type=Path, metavar="FILE.onnx", help=_("the file to write"))
    parser.add_argument(
        "--half",
        action="store_true",
        help=_("store the weights in half precision; the file is about half as large, and still computes in float32"),
    )
    args = parser.parse_args(argv)
    if args.file.suffix != ".onnx":
        parser.error(_("{file} should end with .onnx").format(file=args.file))
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Export a network. Return the exit status: 0, 2 after an error in arguments or data, 130 after Ctrl-C."""
    args = parse(argv)
    return run_command(lambda: _export(args))


def _export(args: argparse.Namespace) -> None:
    from d2ltl.deployment.exporting import export_onnx  # imported here so that --help does not load MXNet
    from d2ltl.deployment.loading import load_net

    net = load_net(args.run, net=args.net, size=args.size)
    difference = export_onnx(net, args.file, half=args.half)
    megabytes = args.file.stat().st_size / 1e6
    print(
        _("{file}: {number} classes, {size} × {size} pixels, {megabytes:.1f} MB").format(
            file=args.file, number=len(net.classes), size=net.size, megabytes=megabytes
        )
    )
    print(
        _("The probabilities in ONNX Runtime differ from those of `predict` by {difference:.1g} at most.").format(
            difference=difference
        )
    )


if __name__ == "__main__":
    sys.exit(main())
