"""What the commands have in common: their progress, one line for a mistake, and an end by Ctrl-C."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from data_hub import D2LTLError

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


def run_command(work: Callable[[], object], stopped: Callable[[], str] = lambda: "Nothing was written.") -> int:
    """Do the work of a command, and return its exit status.

    Parameters
    ----------
    work : callable
        What to do. Its log goes to standard output.
    stopped : callable
        Says, after Ctrl-C, what is left and how to go on.

    Returns
    -------
    int
        0; 2 after a mistake in arguments or data, with one line on stderr; 130 after Ctrl-C.
    """
    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    for name in ("d2ltl", "data_hub"):
        logging.getLogger(name).setLevel(logging.INFO)
    before, sys.unraisablehook = sys.unraisablehook, _interrupt_again
    try:
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
    """Interrupt a moment later what a finaliser has just kept from being interrupted.

    Python drops every exception of a ``__del__``, and MXNet has one for each array: a Ctrl-C that arrives there would
    have no effect.
    """
    if unraisable.exc_type is KeyboardInterrupt:
        again = threading.Timer(0.05, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT])
        again.daemon = True  # the command may have ended until then
        again.start()
    else:
        sys.__unraisablehook__(unraisable)
