"""The workers of one training: processes, on one or several machines, that add their gradients in MXNet's KVStore."""

from __future__ import annotations

import functools
import itertools
import os
import queue
import threading
from collections.abc import Iterable, Sequence
from typing import Any, Union

import mxnet as mx
import numpy as np
from mxnet.gluon import Parameter
from mxnet.kvstore import KVStoreBase

from d2ltl.errors import SettingsError
from d2ltl.models.parameters import set_value, value_of

Store = Union[str, KVStoreBase, None]  # what Gluon's Trainer takes

DISTRIBUTED = ("dist", "dist_sync", "dist_device_sync", "dist_sync_device")
CONNECT_SECONDS = 60  # for all processes of the training to start
_trainings = itertools.count()  # of this process


class WorkerGroup:
    """The workers of one training, as one of them sees them. Without a distributed store it is the only one.

    All workers call the same methods in the same order: each call waits for the others.

    Parameters
    ----------
    kvstore : None, str or KVStoreBase
        What Gluon's Trainer takes. Distributed are ``'dist_sync'``, ``'dist_device_sync'``, and a store of such a type.

    Attributes
    ----------
    rank, number : int
        The number of this worker, from 0; and the number of all workers.
    store : None, str or KVStoreBase
        The store for the Trainer of this training.

    Raises
    ------
    SettingsError
        If there is no such store, or the other processes of the training cannot be reached.
    """

    def __init__(self, kvstore: Store = "device") -> None:
        if isinstance(kvstore, str) and kvstore.startswith("dist"):
            kvstore = _connect(kvstore)
        elif not (kvstore is None or isinstance(kvstore, (str, KVStoreBase))):
            raise SettingsError(f"kvstore is {kvstore!r}; it is None, a name such as 'dist_sync', or a KVStore.")
        self.rank, self.number = 0, 1
        self.store: Any = kvstore
        self._initialised: set[str] = set()
        if isinstance(kvstore, KVStoreBase) and kvstore.type.startswith("dist"):
            _check_kind(kvstore.type)
            self.rank, self.number = kvstore.rank, kvstore.num_workers
            self.store = _StoreOfTraining(kvstore, next(_trainings))

    @property
    def alone(self) -> bool:
        """Whether there is no other worker."""
        return self.number == 1

    def sum(self, values: Sequence[float]) -> Sequence[float]:
        """Return the sums of values over all workers; of a single worker, the values themselves."""
        if self.alone:
            return values
        array = mx.nd.array(values, dtype="float64")
        key = f"sums {len(values)}"
        if key not in self._initialised:
            self._initialised.add(key)
            self.store.broadcast(key, array, array.copy())
        self.store.pushpull(key, array)
        return list(array.asnumpy().tolist())

    def mean(self, values: Sequence[float], weight: float) -> Sequence[float]:
        """Return the means of values over all workers, each of which has a weight."""
        if self.alone:
            return values
        *sums, weights = self.sum([*(value * weight for value in values), weight])
        return [value / weights for value in sums]

    def average_statistics(self, parameters: Iterable[Parameter]) -> None:
        """Set the running statistics of batch normalisation to their means over all workers."""
        statistics = [parameter for parameter in parameters if parameter.name.endswith(("running_mean", "running_var"))]
        if self.alone or not statistics:
            return
        values = [value_of(parameter) for parameter in statistics]
        means = np.array(self.mean(np.concatenate(values).tolist(), 1))
        for parameter, mean in zip(statistics, np.split(means, np.cumsum([len(value) for value in values])[:-1])):
            set_value(parameter, mean)

    def agree(self, value: float) -> bool:
        """Return whether all workers gave the same value."""
        total, squares = self.sum([value, value**2])
        return total**2 == self.number * squares


ALONE = WorkerGroup()


class _StoreOfTraining(KVStoreBase):
    """The keys of one training in a distributed store.

    A key of MXNet's distributed store can be initialised only once, and a process can have only one such store. The
    keys of every training therefore get a prefix. The workers update the parameters, so that they can save the
    trainer's states; the store only adds.
    """

    def __init__(self, store: KVStoreBase, training: int) -> None:
        self._store = store
        self._training = training

    type = property(lambda self: self._store.type)
    rank = property(lambda self: self._store.rank)
    num_workers = property(lambda self: self._store.num_workers)

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        self._store.broadcast(self._name(key), value, out, priority)
        for array in out if isinstance(out, list) else [out]:
            array.wait_to_read()  # otherwise MXNet may push the first gradient first, and then return that

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        self._store.pushpull(self._name(key), value, out, priority)

    def is_capable(self, capability: str) -> bool:
        return capability != KVStoreBase.OPTIMIZER and self._store.is_capable(capability)

    def _name(self, key: Any) -> str:
        return f"{self._training} {key}"


@functools.cache
def _connect(kind: str) -> KVStoreBase:
    """Return MXNet's distributed store, connected to its servers. MXNet itself would wait for them for ever."""
    if kind not in DISTRIBUTED:
        raise SettingsError(
            f"kvstore is {kind!r}; of MXNet's distributed stores, {', '.join(DISTRIBUTED)} can be used."
        )
    if "DMLC_ROLE" not in os.environ:
        raise SettingsError(
            f"kvstore is {kind!r}, but this process belongs to no data-parallel training (DMLC_ROLE is not set). "
            "Start it with python -m d2ltl.data_parallel, or with MXNet's launch.py."
        )
    created: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def create() -> None:
        try:
            created.put(mx.kv.create(kind))
        except mx.MXNetError as error:
            created.put(SettingsError(f"MXNet cannot create the kvstore {kind!r}: {str(error).splitlines()[-1]}"))

    threading.Thread(target=create, daemon=True).start()
    try:
        store = created.get(timeout=CONNECT_SECONDS)
    except queue.Empty:
        address = f"{os.environ.get('DMLC_PS_ROOT_URI')}:{os.environ.get('DMLC_PS_ROOT_PORT')}"
        raise SettingsError(
            f"The training did not start within {CONNECT_SECONDS} s: not all of its processes could reach the "
            f"scheduler at {address} and each other. Check the addresses and the firewall."
        ) from None
    if isinstance(store, SettingsError):
        raise store
    return store


def _check_kind(kind: str) -> None:
    if kind not in DISTRIBUTED:
        raise SettingsError(
            f"kvstore is {kind!r}; of MXNet's distributed stores, {', '.join(DISTRIBUTED)} can be used."
        )
