"""Command line of `predict`: ``python -m d2ltl predict --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from _data_hub.language import N_, _
from d2ltl.cli import add_options, new_parser, run_command
from d2ltl.deployment.run_argument import add_run

DESCRIPTION = N_("""\
Asks a trained network about new photographs. Prints the class and its probability for each photograph. "unsure" marks
an answer with a probability below 0.8: more than one such answer in five is wrong, if the probabilities are
calibrated.""")
EXAMPLES = N_("""\
examples:
  python -m d2ltl predict results/2026-11-26-101500 photo.jpg
                                                             the best network of a comparison, one photograph
  python -m d2ltl predict results/a/runs/lp-ft-seed0 photos/ --csv answers.csv
                                                             one run, a folder of photographs, all probabilities
  python -m d2ltl predict results/a photos/ --out sheet.png --where
                                                             a contact sheet that shows where each class is
  python -m d2ltl predict model.onnx photos/                 an exported network (needs the extra onnx)
A network knows its classes only: of anything else, its answer means nothing, even if it is sure.
Exit status: 0 success, 2 error in arguments or data, 130 interrupted.
""")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = new_parser("d2ltl predict", DESCRIPTION, EXAMPLES)
    # fmt: off
    add_run(parser)
    parser.add_argument("photographs", nargs="+", metavar="PHOTO|FOLDER",
                        help=_("files, folders with all images below them, or archives"))
    add_options(parser, "--skip-unreadable")
    parser.add_argument("--csv", type=Path, metavar="FILE", help=_("write the probabilities of all classes as CSV"))
    parser.add_argument("--json", type=Path, metavar="FILE", help=_("write them as JSON"))
    parser.add_argument("--out", type=Path, metavar="FILE", help=_("write a contact sheet of the photographs (PNG)"))
    parser.add_argument("--where", action="store_true",
                        help=_("show on the contact sheet where in each photograph the class is; needs --out"))
    # fmt: on
    args = parser.parse_args(argv)
    if args.where and not args.out:
        parser.error(_("--where needs --out, the file of the contact sheet"))
    if args.out and args.out.suffix.lower() != ".png":
        parser.error(
            _("--out {file}: the contact sheet is a PNG file, so the name ends with .png").format(file=args.out)
        )
    for file in filter(None, (args.csv, args.json, args.out)):  # before the work is done
        if not file.parent.is_dir():
            parser.error(_("{file}: there is no folder {folder}").format(file=file, folder=file.parent))
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Classify photographs. Return the exit status: 0, 2 after an error in arguments or data, 130 after Ctrl-C."""
    args = parse(argv)
    return run_command(lambda: _predict(args))


def _predict(args: argparse.Namespace) -> None:
    from d2ltl.data.photographs import Photographs  # imported here so that --help does not load MXNet
    from d2ltl.deployment import answers
    from d2ltl.deployment.loading import load_net
    from d2ltl.deployment.places import places_of
    from d2ltl.files import write_bytes
    from d2ltl.plot import png
    from d2ltl.training.evaluation import predict

    net = load_net(args.run, net=args.net, size=args.size)
    where = places_of(net) if args.where else None
    photographs = Photographs(args.photographs, net.levels)
    photographs = photographs.drop_unreadable() if args.skip_unreadable else photographs.check_files()
    predictions = predict(net, photographs)
    print(f"\n{answers.table(predictions)}\n\n{answers.summary(predictions, net.calibrated)}")
    if args.csv:
        write_bytes(args.csv, answers.as_csv(predictions))
    if args.json:
        write_bytes(args.json, answers.as_json(predictions))
    if args.out:
        write_bytes(args.out, png(answers.contact_sheet(predictions, where)))
    for file in filter(None, (args.csv, args.json, args.out)):
        print(file)


if __name__ == "__main__":
    sys.exit(main())
