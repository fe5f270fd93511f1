"""One training in several processes: ``python -m d2ltl.data_parallel 2 train.py``.

MXNet's distributed store needs a scheduler, servers that add the gradients, and workers that run the program. MXNet
starts no processes, and those that are left wait for ever if one dies. This module starts them, watches them, and takes
them down again.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import itertools
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from typing import IO, Any, NamedTuple, Union

from _data_hub.language import N_, _
from d2ltl import runtime
from d2ltl.cli import new_parser, run_command
from d2ltl.errors import (
    ClusterError,
    MissingMXNetError,
    SettingsError,
    WorkerError,
    explain_missing_mxnet,
    require,
)
from d2ltl.parallel import LOOPBACK, PATIENCE, Workers, check_workers, connect

POLL_SECONDS = 0.2
ERROR_CHARACTERS = 2000  # of the standard error of a process that failed

DESCRIPTION = N_("""\
Runs a program in N processes that train one network together. The program calls d2ltl.train_fine_tuning with
kvstore="dist_sync". All processes are on this machine and listen on 127.0.0.1 only.""")
EXAMPLES = N_("""\
examples:
  python -m d2ltl.data_parallel 2 train.py --epochs 5        a file, with its arguments
  python -m d2ltl.data_parallel 2 my_package.train           a module
If a process fails, all are stopped. Exit status: 0 success, 2 a process failed, 130 interrupted.
""")


class Node:
    """A process of a data-parallel training. It ends when the process that started it does, however that ends."""

    def __init__(self, program: Sequence[str], variables: dict[str, str], folder: str) -> None:
        self._printed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the node
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._read = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "d2ltl.data_parallel", *program],
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


class _RemoteNode:
    """A process that a Dask worker has started. It ends when that worker does, or the scheduler loses this process."""

    def __init__(self, client: Any, worker: str, program: Sequence[str], variables: dict[str, str]) -> None:
        self._worker = worker
        arguments = (list(program), variables, os.getcwd())
        started = client.submit(Node, *arguments, workers=[worker], actor=True, pure=False)
        self._actor = self._wait(lambda: started)

    def name(self) -> str:
        return f"{self._wait(lambda: self._actor.name())}, Dask worker {self._worker}"

    def poll(self) -> tuple[int | None, str]:
        status, printed = self._wait(lambda: self._actor.poll())
        return status, printed

    def errors(self) -> str:
        return str(self._wait(lambda: self._actor.errors()))

    def stop(self) -> None:
        with contextlib.suppress(ClusterError):  # the worker may be gone, and the process with it
            self._wait(lambda: self._actor.stop())

    def _wait(self, start: Callable[[], Any]) -> Any:
        try:
            return start().result(timeout=PATIENCE)
        except (
            Exception
        ) as error:  # of many kinds: a worker that is lost, a closed connection, a folder that is missing
            raise ClusterError(
                f"The Dask worker {self._worker} cannot run its part of the data-parallel training, or went away "
                f"({error or type(error).__name__})."
            ) from error


AnyNode = Union[Node, _RemoteNode]


class Machine(NamedTuple):
    """Where a process may run: the address that it listens on, and the function that starts a `Node` there."""

    address: str
    start: Callable[[Sequence[str], dict[str, str]], AnyNode]


def launch(program: Sequence[str], processes: int, workers: Workers = None) -> None:
    """Run a program in several processes that train one network together.

    Parameters
    ----------
    program : sequence of str
        Name of a module or path of a ``.py`` file, and its arguments.
    processes : int
        Number of processes that run the program. MXNet's scheduler and servers are additional processes.
    workers : int or str, optional
        Where: by default on this machine, where they listen on 127.0.0.1 and share out the processors; otherwise one on
        each of so many Dask workers (see `worker_pool`), in the same folder as here, and at the addresses of the
        workers.

    Raises
    ------
    SettingsError
        If `processes` is less than 1.
    WorkerError
        If a process fails or dies. The others are stopped within seconds.
    ClusterError
        If the Dask cluster cannot be reached, has too few workers, or one of them goes away.
    """
    if processes < 1:
        raise SettingsError(f"There are to be {processes} data-parallel workers; give at least 1.")
    check_workers(workers)
    if workers is None:
        threads = {"OMP_NUM_THREADS": str(runtime.threads_of_each(processes))}
        here = Machine(LOOPBACK, lambda program, variables: Node(program, {**variables, **threads}, os.getcwd()))
        launch_on([here] * processes, program, free_port(LOOPBACK))
    else:
        with connect(workers) as client:
            chosen = _choose(client, processes)
            machines = [Machine(host, partial(_RemoteNode, client, address)) for address, host in chosen]
            (address, host), *_ = chosen
            port = client.submit(free_port, host, workers=[address], pure=False).result(timeout=PATIENCE)
            launch_on(machines, program, port)


def _choose(client: Any, processes: int) -> list[tuple[str, str]]:
    """Return the addresses and hosts of so many Dask workers, on as many machines as possible."""
    get_host = require("distributed.comm", "cluster").get_address_host
    addresses = sorted(client.nthreads())
    if len(addresses) < processes:
        raise ClusterError(f"The cluster has {len(addresses)} workers, fewer than the {processes} asked for.")
    number_on_host: defaultdict[str, itertools.count[int]] = defaultdict(itertools.count)
    ordered = sorted((next(number_on_host[get_host(address)]), address) for address in addresses)
    return [(address, get_host(address)) for _, address in ordered[:processes]]


def free_port(address: str) -> int:
    """Return a port of this machine that no process listens on."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def launch_on(machines: Sequence[Machine], program: Sequence[str], port: int) -> None:
    """Run a program on machines, one worker on each; a machine that is listed twice has two.

    Every address has a server that adds a part of the gradients. The scheduler listens on `port` of the first address.
    See `launch` for `program` and the errors.
    """
    first, servers = machines[0], list({machine.address: machine for machine in machines}.values())
    common = {
        "DMLC_PS_ROOT_URI": first.address,
        "DMLC_PS_ROOT_PORT": str(port),
        "DMLC_NUM_WORKER": str(len(machines)),
        "DMLC_NUM_SERVER": str(len(servers)),
    }
    places = {
        "scheduler": first,
        **{f"server {number}": machine for number, machine in enumerate(servers)},
        **{f"worker {number}": machine for number, machine in enumerate(machines)},
    }
    with contextlib.ExitStack() as stack:
        nodes: dict[str, AnyNode] = {}
        for title, machine in places.items():
            role = title.split()[0]
            variables = {**common, "DMLC_ROLE": role, "DMLC_NODE_HOST": machine.address}
            nodes[title] = machine.start(program if role == "worker" else [], variables)
            stack.callback(nodes[title].stop)
        _watch(nodes)
        print(nodes["worker 0"].errors(), end="", file=sys.stderr)  # its warnings


def _watch(nodes: dict[str, AnyNode]) -> None:
    """Show what the processes print until all workers have ended; raise WorkerError as soon as one fails."""
    running = dict(nodes)
    while any(title.startswith("worker") for title in running):
        for title, node in list(running.items()):
            status, printed = node.poll()
            print(printed, end="", flush=True)
            if status:
                raise WorkerError(
                    f"The {title} of the data-parallel training ({node.name()}) {_ending(status)}. All its other "
                    f"processes were stopped.\n{node.errors()[-ERROR_CHARACTERS:]}".rstrip()
                )
            if status == 0:
                del running[title]
        time.sleep(POLL_SECONDS)


def _ending(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"


def _run_node(program: Sequence[str]) -> None:
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run a program in several processes. Return the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = new_parser("d2ltl.data_parallel", DESCRIPTION, EXAMPLES)
    parser.add_argument("workers", type=int, metavar="N", help=_("number of processes that run the program"))
    parser.add_argument("program", metavar="MODULE|FILE", help=_("module or .py file, followed by its arguments"))
    args, rest = parser.parse_args(arguments[:2]), arguments[2:]
    return run_command(lambda: launch([args.program, *rest], args.workers))


if __name__ == "__main__":
    if "DMLC_ROLE" in os.environ:
        _run_node(sys.argv[1:])
    sys.exit(main())
