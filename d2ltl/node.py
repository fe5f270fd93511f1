"""A process of a data-parallel training: MXNet's scheduler, one of its servers, or a worker that runs the program.

`Node` starts it as ``python -m d2ltl.node``, with MXNet's variables, and knows how it is doing.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Sequence
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from typing import IO, Any

from d2ltl.errors import MissingMXNetError, explain_missing_mxnet


class Node:
    """A process of a data-parallel training. It ends when the process that started it does, however that ends."""

    def __init__(self, program: Sequence[str], variables: dict[str, str], folder: str) -> None:
        self._printed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the node
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._read = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "d2ltl.node", *program],
            env={**os.environ, **variables},
            cwd=folder,
            stdin=subprocess.PIPE,  # closes when this process ends; then the node ends
            stdout=self._printed,
            stderr=self._errors,
        )
        weakref.finalize(self, self._process.kill)

    def name(self) -> str:
        """Return the number of the process and the name of its machine."""
        return f"process {self._process.pid} on {socket.gethostname()}"

    def poll(self) -> tuple[int | None, str]:
        """Return the exit status, None while the process runs, and the lines that it printed since the last call."""
        status = self._process.poll()
        printed = _content(self._printed)[self._read :]
        lines = printed if status is not None else printed[: printed.rfind(b"\n") + 1]
        self._read += len(lines)
        return status, lines.decode(errors="replace")

    def errors(self) -> str:
        """Return what the process has written to standard error."""
        return _content(self._errors).decode(errors="replace")

    def stop(self) -> None:
        """Kill the process, if it still runs."""
        self._process.kill()
        self._process.communicate()


def _content(file: IO[bytes]) -> bytes:
    """Return the content of a file to which a process writes at the position that it shares with this one."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)


def main(program: Sequence[str]) -> None:
    """Be a process of a data-parallel training, and exit.

    The process does not end as usual: MXNet would make a worker that failed wait for the others.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    status = 1
    try:
        if os.environ["DMLC_ROLE"] == "worker":
            _run(*program)
        else:
            _serve()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _serve() -> None:
    """Be MXNet's scheduler or one of its servers, as ``DMLC_ROLE`` says, until all workers have ended.

    ``import mxnet`` does this too, but first it makes MXNet's operators, which only workers need: 1.5 s of a processor.
    """
    with explain_missing_mxnet():
        library = _load_library()
    command = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(_refuse)
    store = ctypes.c_void_p()
    if library.MXKVStoreCreate(b"dist", ctypes.byref(store)) or library.MXKVStoreRunServer(store, command, None):
        library.MXGetLastError.restype = ctypes.c_char_p
        sys.exit(library.MXGetLastError().decode())


def _load_library() -> ctypes.CDLL:
    """Load MXNet's library, and nothing else of the package."""
    package = find_spec("mxnet")
    if package is None or package.origin is None:
        raise MissingMXNetError
    # not `import mxnet.libinfo`, which runs mxnet/__init__.py
    spec = spec_from_file_location("libinfo", os.path.join(os.path.dirname(package.origin), "libinfo.py"))
    assert spec is not None  # it is a file of Python
    assert spec.loader is not None
    libinfo = module_from_spec(spec)
    spec.loader.exec_module(libinfo)
    return ctypes.CDLL(libinfo.find_lib_path()[0])


def _refuse(*_: Any) -> None:
    """Refuse a worker's command to a server; the only one is to update the parameters with an optimizer."""
    print(
        "The servers add gradients and do not update parameters. Call d2ltl.train_fine_tuning, or give Gluon's Trainer "
        "kvstore='dist_sync' and update_on_kvstore=False. (dist_async and sparse gradients cannot be used.)",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # returns when the pipe from the process that started this one closes
    os._exit(1)


def _run(program: str, *arguments: str) -> None:
    sys.argv = [program, *arguments]
    if program.endswith(".py"):
        sys.path[0] = os.path.dirname(os.path.abspath(program))
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
