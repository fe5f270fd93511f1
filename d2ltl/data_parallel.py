"""One training in several processes: ``python -m d2ltl.data_parallel 2 train.py``.

MXNet's distributed store needs a scheduler, servers that add the gradients, and workers that run the program. MXNet
starts no processes, and those that are left wait for ever if one dies. This module starts them, watches them, and takes
them down again.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Union

from _data_hub.language import N_, _
from d2ltl import runtime
from d2ltl.cli import new_parser, run_command
from d2ltl.errors import ClusterError, SettingsError, WorkerError, require
from d2ltl.node import Node
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
        except Exception as error:  # of many kinds: a lost worker, a closed connection, a missing folder
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run a program in several processes. Return the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = new_parser("d2ltl.data_parallel", DESCRIPTION, EXAMPLES)
    parser.add_argument("workers", type=int, metavar="N", help=_("number of processes that run the program"))
    parser.add_argument("program", metavar="MODULE|FILE", help=_("module or .py file, followed by its arguments"))
    args, rest = parser.parse_args(arguments[:2]), arguments[2:]
    return run_command(lambda: launch([args.program, *rest], args.workers))


if __name__ == "__main__":
    sys.exit(main())
