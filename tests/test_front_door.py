"""The console command ``d2ltl``: its texts, and how the shell completes its arguments."""

import os
import subprocess
import sys

import pytest

from d2ltl.__main__ import COMMANDS
from d2ltl.cli import as_typed

# What the script does that pip writes. A later line lists the large modules that were loaded.
SCRIPT = """
import atexit, os, sys
sys.argv[0] = "/somewhere/bin/d2ltl"
atexit.register(lambda: print("loaded:", *{"mxnet", "matplotlib"} & {*sys.modules}))
from d2ltl.__main__ import main
sys.exit(main())
"""


def console(*arguments, columns=80):
    command = [sys.executable, "-c", SCRIPT, *arguments]
    environment = {**os.environ, "COLUMNS": str(columns)}
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=environment)


def completed(line, tmp_path):
    """Return what the shell may go on with after `line`."""
    answers = tmp_path / "answers"
    environment = {
        **os.environ,
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answers),
        "_ARGCOMPLETE_IFS": "\n",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    code = "import sys; sys.argv = ['d2ltl']\nfrom d2ltl.__main__ import main\nmain()"
    timed = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(timed, env=environment, capture_output=True, encoding="utf-8")
    assert "mxnet" not in done.stderr
    return [answer.strip() for answer in answers.read_text(encoding="utf-8").split("\n") if answer]


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_speaks_of_the_command_that_was_typed(command):
    done = console(*command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(" ".join(["usage: d2ltl", *command]))
    assert "python -m d2ltl" not in done.stdout
    assert done.stdout.endswith("loaded:\n")


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_help_speaks_of_it_at_any_width(columns):
    assert "python" not in console("advice", "--help", columns=columns).stdout


def test_a_mistake_names_the_command_that_was_typed():
    done = console("compare", "--resume")
    assert done.returncode == 2
    assert done.stderr.startswith("usage: d2ltl compare ")
    assert "d2ltl compare: error: --resume needs --out" in done.stderr


def test_columns_stay_where_they_are(monkeypatch):
    text = """\
  python -m d2ltl.compare --size 96     small images
  python -m d2ltl app results/a         a page
see `python -m data_hub list`"""
    assert as_typed(text) == text
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/d2ltl"])
    assert as_typed(text).splitlines() == [
        "  d2ltl compare --size 96               small images",
        "  d2ltl app results/a                   a page",
        "see `d2ltl data list`",
    ]


@pytest.mark.parametrize(
    ("line", "some", "others"),
    [
        ("d2ltl ", {"compare", "advice", "data"}, {"--data"}),
        ("d2ltl ex", {"export", "exercises"}, {"compare"}),
        ("d2ltl compare --s", {"--size", "--seeds", "--strategies", "--skip-unreadable"}, {"--data"}),
        ("d2ltl compare --precision b", {"bfloat16"}, {"float32"}),
        ("d2ltl show f", {"few-images", "first-experience"}, {"gains"}),
        ("d2ltl data ", {"get", "verify"}, {"compare"}),
        ("d2ltl nonsense --d", set(), {"--data"}),
    ],
)
def test_the_shell_completes_commands_and_their_arguments(line, some, others, tmp_path):
    answers = set(completed(line, tmp_path))
    assert some <= answers
    assert not others & answers
