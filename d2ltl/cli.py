"""Shared behaviour of the commands: logging, error messages, exit status and Ctrl-C."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from d2ltl.errors import D2LTLError, explain_missing_mxnet

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


def run_command(work: Callable[[], object], stopped: Callable[[], str] = lambda: "Nothing was written.") -> int:
    """Run a command and return its exit status.

    Parameters
    ----------
    work : callable
        Function that does the work of the command. Its log messages are printed to standard output.
    stopped : callable
        Function that returns the message to print after Ctrl-C: which files exist and how to continue.

    Returns
    -------
    int
        0 on success; 2 after an error in the arguments or the data, with one line on stderr; 130 after Ctrl-C.
    """
    logging.basicConfig(format="%(message)s", stream=sys.stdout)
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
        print(f"\nStopped. {stopped()}", file=sys.stderr)
        return 130
    finally:
        sys.unraisablehook = before
    return 0


def _interrupt_again(unraisable: UnraisableHookArgs) -> None:
    """Send SIGINT again if a ``__del__`` method swallowed a KeyboardInterrupt.

    Python ignores every exception raised in ``__del__``. MXNet's arrays have such a method, so a Ctrl-C that arrives
    while it runs would have no effect.
    """
    if unraisable.exc_type is KeyboardInterrupt:
        again = threading.Timer(0.05, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT])
        again.daemon = True  # must not keep a finished command alive
        again.start()
    else:
        sys.__unraisablehook__(unraisable)
