"""The arguments of the commands that take a trained network."""

from __future__ import annotations

import argparse
from pathlib import Path

from _data_hub.language import _


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name a trained network."""
    # fmt: off
    parser.add_argument("run", type=Path, metavar="RUN",
                        help=_("folder of a comparison (results/…; its most accurate network), one of its runs "
                               "(results/…/runs/lp-ft-seed0), a .params file, or an .onnx file"))
    parser.add_argument("--net", metavar="NAME", help=_("name of the network, for a .params file that does not say it"))
    parser.add_argument("--size", type=int, metavar="PIXELS",
                        help=_("height and width of the images that the network sees; default: those of its training"))
    # fmt: on
