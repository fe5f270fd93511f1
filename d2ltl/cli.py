"""Shared behaviour of the commands: logging, error messages, exit status and Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import re
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _data_hub.language import N_, _, prepare_help
from _data_hub.terminal import HelpFormatter, columns
from d2ltl import runtime
from d2ltl.datasets import DEFAULTS, LITE_DEFAULTS, PHOTOGRAPHS, Defaults
from d2ltl.errors import D2LTLError, explain_missing_mxnet

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


def default_of(setting: str) -> str:
    """Return the text about the default of a setting: the book's, and those of other data sets and networks."""
    ours, lite = (_by_data(setting, by_data) for by_data in (DEFAULTS, LITE_DEFAULTS))
    return ours if ours == lite else _("{usual}; for an EfficientNet {lite}").format(usual=ours, lite=lite)


def _by_data(setting: str, by_data: dict[str, Defaults]) -> str:
    values = {name: getattr(defaults, setting) for name, defaults in by_data.items()}
    usual = values.pop(PHOTOGRAPHS)
    with_data = _("{value:g} with {data}")
    others = [with_data.format(value=value, data=name) for name, value in values.items() if value != usual]
    return _(", ").join([f"{usual:g}", *others])


LOADING = N_("loading MXNet, the images and the source model")  # the first that a command does


def _options() -> dict[str, dict[str, Any]]:
    """Return the options that several commands have."""
    # fmt: off
    return {
        "--data": {"default": "auto", "metavar": "NAME|DIR|ARCHIVE", "help": _(
            "name of a data set (see `python -m data_hub list`), folder or archive; a folder contains train/ and "
            "test/ with one folder per class, or only class folders (then a fifth of the images is for testing), or "
            "images and a table labels.csv of their classes; "
            "default: hotdog, the book's photographs, if on this machine, else hotdog-mini, rendered images that "
            "come with d2ltl")},
        "--skip-unreadable": {"action": "store_true", "help": _("leave out images that cannot be read")},
        "--check-duplicates": {"action": "store_true", "help": _(
            "warn of near-duplicates, too (needs the package imagehash); of copies it always warns")},
        "--size": {"type": int, "metavar": "PIXELS", "help": _(
            "height and width of the images that the network sees; default: {default}"
            ).format(default=default_of("size"))},
        "--net": {"default": "resnet18_v2", "metavar": "NAME", "help": _(
            "efficientnet_lite0 (also lite1, lite2), or a model of Gluon's or GluonCV's zoo; default: %(default)s")},
        "--pretrained": {"default": "auto", "metavar": "NAME|FILE", "help": _(
            "source weights: imagenet (downloaded, or from a package), tinyimagenet (shipped), or a .params "
            "file; default: imagenet if on this machine, else tinyimagenet")},
        "--batch-size": {"type": int, "metavar": "N", "help": _("images per step; default: {default}").format(
            default=default_of("batch_size"))},
        "--workers": {"type": lambda text: int(text) if text.isdecimal() else text, "metavar": "N|ADDRESS", "help": _(
            "share the runs out among N processes of this machine, or the workers of the Dask scheduler at "
            "ADDRESS, such as tcp://10.0.0.1:8786 (needs the extra cluster); the results are the same; default: "
            "one run after the other")},
        "--seeds": {"type": int, "nargs": "+", "default": [0], "metavar": "SEED", "help": _(
            "random seeds; every training is run with each; default: 0")},
    }
    # fmt: on


def text_table(rows: Sequence[Sequence[str]]) -> str:
    """Return a table as text: the first row is the head, and a line is drawn below it."""
    rows = [[" ".join(cell.splitlines()) for cell in row] for row in rows]
    widths = [max(map(columns, column)) for column in zip(*rows)]
    lines = [
        "  ".join(cell + " " * (width - columns(cell)) for cell, width in zip(row, widths)).rstrip() for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(columns, lines)), *lines[1:]])


class _Formatter(argparse.RawDescriptionHelpFormatter, HelpFormatter):
    def format_help(self) -> str:
        return as_typed(super().format_help())


def new_parser(module: str, description: str, examples: str) -> argparse.ArgumentParser:
    """Return the parser of a command, which translates its description and its examples, and keeps their lines."""
    prepare_help()
    return argparse.ArgumentParser(
        prog=as_typed(f"python -m {module}"),
        description=_(description),
        epilog=_(examples),
        formatter_class=_Formatter,
    )


def as_typed(text: str) -> str:
    """Return a text with its commands in the form in which the user started this one.

    ``python -m d2ltl.compare`` becomes ``d2ltl compare`` if the console command ``d2ltl`` started this process: pipx
    installs d2ltl where ``python`` does not find it. A second column, after two spaces or more, stays where it is.
    """
    if Path(sys.argv[0]).stem != "d2ltl":
        return text
    text = re.sub(r"python\s+-m\s+data_hub", "d2ltl data", text)
    return re.sub(
        r"(python\s+-m\s+)d2ltl[. ]?(.*?)( {2,}|$)",  # a line may end between the words
        lambda match: f"d2ltl {match[2]}".rstrip() + (match[3] and match[3] + " " * len(match[1])),
        text,
        flags=re.MULTILINE,
    )


def add_options(parser: argparse._ActionsContainer, *names: str) -> None:
    """Add some of the options that several commands have to a parser or to a group of its arguments."""
    options = _options()
    for name in names:
        parser.add_argument(name, **options[name])


def resume_hint(module: str, out: Path, arguments: Sequence[str]) -> str:
    """Return how to go on with a stopped command whose output folder is `out`, given its arguments."""
    if not (out / "settings.json").exists():
        return _("Nothing was written yet.")
    again = ["--resume", *(argument for argument in arguments if argument != "--resume")]
    if "--out" not in again:
        again += ["--out", str(out)]
    return _("Go on with: {command}").format(command=shlex.join([sys.executable, "-m", module, *again]))


def keep_threads(out: Path) -> None:
    """Compute on as many threads as the command that is to be resumed, whose output folder is `out`.

    MXNet must not have been loaded yet. What is wrong with the folder is said when its content is read.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        runtime.keep_threads(json.loads((out / "settings.json").read_text(encoding="utf-8")).get("threads"))


def run_command(work: Callable[[], object], stopped: Callable[[], str] = lambda: _("Nothing was written.")) -> int:
    """Run a command and return its exit status: 0; 2 after an error in the arguments or the data; 130 after Ctrl-C.

    Log messages of `work` go to standard output, line by line; an error is one line on stderr. `stopped` returns the
    message to print after Ctrl-C: which files exist and how to continue.
    """
    from d2ltl.progress import LineHandler  # imported here so that --help is quick

    if isinstance(sys.stdout, io.TextIOWrapper):
        # A pipe or a file gets each line at once; what stdout's encoding does not have is escaped.
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    logging.basicConfig(format="%(message)s", handlers=[LineHandler(sys.stdout)])
    for name in ("d2ltl", "data_hub"):
        logging.getLogger(name).setLevel(logging.INFO)
    before, sys.unraisablehook = sys.unraisablehook, _interrupt_again
    try:
        with explain_missing_mxnet():
            work()
    except (D2LTLError, OSError) as error:  # OSError: a full disk, no permission to write
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("", _("Stopped. {state}").format(state=stopped()), sep="\n", file=sys.stderr)
        return 130
    finally:
        sys.unraisablehook = before
    return 0


def _interrupt_again(unraisable: UnraisableHookArgs) -> None:
    """Send SIGINT again if a ``__del__`` method swallowed a KeyboardInterrupt.

    Python ignores every exception raised in ``__del__``, and MXNet's arrays have such a method.
    """
    if unraisable.exc_type is KeyboardInterrupt:
        again = threading.Timer(0.05, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT])
        again.daemon = True  # must not keep a finished command alive
        again.start()
    else:
        sys.__unraisablehook__(unraisable)
