"""Many runs at the same time, in processes of this machine or on a Dask cluster.

Without workers the runs follow one another in this process, and Dask is not imported.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import logging
import math
import pickle
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Union

from _data_hub.language import _
from d2ltl import runtime
from d2ltl.errors import ClusterError, D2LTLError, SettingsError, require
from d2ltl.progress import duration, one_after_another, with_progress

Workers = Union[int, str, None]  # number of processes, address of a Dask scheduler, or none
RunAll = Callable[..., "list[Any]"]  # function, arguments of each run, and `describe` -> results in this order

LOOPBACK = "127.0.0.1"
PATIENCE = 20  # seconds for a scheduler to answer

logger = logging.getLogger(__name__)

_one_at_a_time = threading.Lock()  # the random generators and MXNet belong to the process
_stops: list[str] = []  # on a worker: the name of the event that stops its present run


@contextlib.contextmanager
def worker_pool(workers: Workers = None) -> Iterator[RunAll]:
    """Yield a function that runs a function for many arguments: in this process, or with workers on Dask.

    The results are the same with any workers, at the same number of threads. A run whose worker dies is started again
    on another worker. If a run fails, no further run is started. What the function prints on a worker is dropped.

    Parameters
    ----------
    workers : int or str, optional
        Number of processes on this machine, or the address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``. The
        processors of this machine are shared out among its processes, unless the user has set ``OMP_NUM_THREADS``.

    Raises
    ------
    SettingsError
        If the number of workers is not positive, or the extra ``cluster`` is not installed.
    ClusterError
        If there is no scheduler at the address, it goes away, or a run dies with its worker again and again.
    """
    check_workers(workers)
    if workers is None:
        yield _run_here
    else:
        with connect(workers) as client:
            yield partial(_run_on, client)


def check_workers(workers: Workers) -> None:
    """Raise SettingsError if there cannot be such workers, before any work is done."""
    if workers is not None:
        require("distributed", "cluster")
    if isinstance(workers, int) and workers < 1:
        raise SettingsError(f"workers is {workers}; give at least 1 process, or the address of a Dask scheduler.")


def threads_with(workers: Workers) -> int | None:
    """Return the number of threads of each run; None if it depends on the machines of a cluster."""
    if isinstance(workers, str):
        return None
    return runtime.threads() if workers is None else runtime.threads_of_each(workers)


def _run_here(
    function: Callable[..., Any], runs: Sequence[tuple[Any, ...]], describe: Callable[[Any], str] | None = None
) -> list[Any]:
    return one_after_another(function, runs)


@contextlib.contextmanager
def connect(workers: int | str) -> Iterator[Any]:
    """Yield a Dask client: of new processes on this machine, or of the cluster of a scheduler; see `worker_pool`."""
    distributed = require("distributed", "cluster")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # its errors are raised here too
    with contextlib.ExitStack() as stack:
        address: Any = workers
        if isinstance(workers, int):
            address = stack.enter_context(_local_cluster(distributed, workers))
        try:
            client = stack.enter_context(distributed.Client(address, timeout=PATIENCE))
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"There is no Dask scheduler at {workers} ({error}). Start one: dask scheduler."
            ) from error
        logger.info("the workers' dashboard: %s", client.dashboard_link)
        yield client


def _local_cluster(distributed: Any, workers: int) -> Any:
    return distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, host=LOOPBACK, dashboard_address=f"{LOOPBACK}:0",
        env={"OMP_NUM_THREADS": str(runtime.threads_of_each(workers))}, silence_logs=logging.CRITICAL,
    )  # fmt: skip


def _run_on(
    client: Any,
    function: Callable[..., Any],
    runs: Sequence[tuple[Any, ...]],
    describe: Callable[[Any], str] | None = None,
) -> list[Any]:
    """Run a function on the workers of a Dask client; `describe` returns a text about a result, to log."""
    distributed = require("distributed", "cluster")
    stop = f"d2ltl-stop-{uuid.uuid4().hex}"
    futures = [client.submit(_do, function, pickle.dumps(arguments), stop, pure=False) for arguments in runs]
    begun = time.perf_counter()
    completed = with_progress(distributed.as_completed(futures), _("runs"), "run", len(futures), lambda _: None)
    try:
        for done, future in enumerate(completed, 1):
            result = future.result()
            if describe:
                seconds = time.perf_counter() - begun
                at_once = len(client.nthreads()) or 1  # workers come and go
                logger.info("%s\n%s", describe(result), _how_far(done, len(runs), at_once, seconds))
        return [future.result() for future in futures]
    except distributed.KilledWorker as error:
        raise ClusterError(
            f"A run was started {error.allowed_failures + 1} times, and each time its worker died, the last one at "
            f"{error.last_worker.address}. Is its memory too small? Try fewer workers or smaller batches."
        ) from error
    except (concurrent.futures.CancelledError, OSError) as error:
        raise ClusterError(f"The scheduler at {client.scheduler.address} went away ({error}).") from error
    finally:
        with contextlib.suppress(Exception):  # the scheduler may be gone
            distributed.Event(stop, client).set()
            client.cancel(futures)


def _how_far(done: int, runs: int, at_once: int, seconds: float) -> str:
    """Return how many of the runs are done, and how long the others will take, so many of them at the same time."""
    rounds, left = math.ceil(done / at_once), math.ceil((runs - done) / at_once)
    how_many = _("{done} of {runs} runs").format(done=done, runs=runs)
    return how_many + (_("; about {duration} left").format(duration=duration(seconds / rounds * left)) if left else "")


def _do(function: Callable[..., Any], arguments: bytes, stop: str) -> Any:
    """Run a function on a worker, alone in its process; the errors name the worker."""
    distributed = require("distributed", "cluster")
    with _one_at_a_time, contextlib.redirect_stdout(io.StringIO()):
        _stops.append(stop)
        try:
            stop_if_asked()
            return function(*pickle.loads(arguments))
        except D2LTLError as error:
            error.args = (f"worker {distributed.get_worker().address}: {error}",)
            raise
        finally:
            _stops.clear()


def stop_if_asked(_: object = None) -> None:
    """On a worker, raise ClusterError if the run is no longer wanted; a callback of training."""
    if _stops and require("distributed", "cluster").Event(_stops[0]).is_set():
        raise ClusterError("The run was stopped.")
