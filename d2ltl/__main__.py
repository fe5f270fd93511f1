# PYTHON_ARGCOMPLETE_OK (argcomplete looks for this word before it asks a command to complete its arguments)
"""The front door of the commands: ``d2ltl COMMAND``, or ``python -m d2ltl COMMAND``."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from _data_hub.language import N_, _
from d2ltl.cli import new_parser

COMMANDS = {
    "compare": ("d2ltl.compare", N_("fine-tune and train from scratch, side by side; write a report")),
    "advice": ("d2ltl.advice.__main__", N_("recommend a source model and a way of training for your images")),
    "predict": ("d2ltl.deployment.predict_command", N_("ask a trained network about new photographs")),
    "export": ("d2ltl.deployment.export_command", N_("write a trained network as ONNX")),
    "app": ("d2ltl.deployment.app_command", N_("show a trained network in the browser")),
    "web": ("d2ltl.deployment.web_command", N_("write a page that classifies photographs, for any web server")),
    "exercises": ("d2ltl.exercises.__main__", N_("run the exercises of the chapter")),
    "show": ("d2ltl.show.__main__", N_("run one small experiment in about a minute")),
    "data": ("data_hub", N_("list, download, check and unpack data sets")),
}
"""The module and the purpose of each command. Its function ``main`` takes the arguments and returns the exit status."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    listing = [f"  {name:10} " + _(purpose) for name, (_module, purpose) in COMMANDS.items()]
    parser = new_parser("d2ltl", N_("Transfer learning, run and measured."), "\n".join([_("commands:"), *listing]))
    parser.add_argument("command", choices=[*COMMANDS], metavar="COMMAND", help="python -m d2ltl COMMAND --help")
    if "_ARGCOMPLETE" in os.environ:
        _complete(parser)
    arguments = list(sys.argv[1:] if argv is None else argv)
    module, _purpose = COMMANDS[parser.parse_args(arguments[:1]).command]
    return int(importlib.import_module(module).main(arguments[1:]))


def _complete(parser: argparse.ArgumentParser) -> None:
    """Tell the shell how the line that the user is typing may go on, and end the process.

    The parser of the front door completes the command, and the parser of the command its arguments. ``_ARGCOMPLETE``
    is the number of the word in the line that counts as the name of the program, from 1.
    """
    import argcomplete
    from argcomplete.lexers import split_line

    *_, words, _ = split_line(os.environ["COMP_LINE"], int(os.environ["COMP_POINT"]))
    following = words[int(os.environ["_ARGCOMPLETE"]) :]
    if following and following[0] in COMMANDS:
        os.environ["_ARGCOMPLETE"] = str(int(os.environ["_ARGCOMPLETE"]) + 1)
        # Every command builds its parser before it does anything else: the parser completes where it would parse.
        argparse.ArgumentParser.parse_args = lambda self, *_: argcomplete.autocomplete(self)  # type: ignore
        importlib.import_module(COMMANDS[following[0]][0]).main([])
    argcomplete.autocomplete(parser)


if __name__ == "__main__":
    sys.exit(main())
