import subprocess
import sys

import pytest

from d2ltl.cli import run_command
from data_hub import D2LTLError

INTERRUPTED_IN_A_FINALISER = """
import os, signal, sys, time
from d2ltl.cli import run_command

class Array:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

def work():
    Array()
    time.sleep(30)
    print("went on")

sys.exit(run_command(work))
"""


def raiser(error):
    def work():
        raise error

    return work


def test_a_command_that_works_ends_with_status_0():
    assert run_command(lambda: None) == 0


@pytest.mark.parametrize("error", [D2LTLError("no such folder"), OSError("the disk is full")])
def test_a_mistake_is_one_line_on_stderr(error, capsys):
    assert run_command(raiser(error)) == 2
    assert capsys.readouterr().err == f"error: {error}\n"


def test_a_defect_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 / 0)


def test_ctrl_c_ends_with_status_130_and_says_how_to_go_on(capsys):
    assert run_command(raiser(KeyboardInterrupt()), lambda: "Go on with --resume") == 130
    assert capsys.readouterr().err == "\nStopped. Go on with --resume\n"


def test_ctrl_c_counts_in_a_finaliser_too():
    process = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IN_A_FINALISER],
        capture_output=True,
        timeout=15,  # less than the sleep after it
        encoding="utf-8",
    )
    assert process.returncode == 130
    assert process.stderr == "\nStopped. Nothing was written.\n"
    assert process.stdout == ""


def test_a_pipe_gets_each_line_at_once():
    code = "from d2ltl.cli import run_command; import sys; run_command(lambda: print('first') or sys.stdin.read())"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"first\n"  # the command still waits for its input
        process.communicate()
