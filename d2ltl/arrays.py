"""Array functions that work with MXNet's classic interface (``mx.nd``) and with its np interface (``mx.np``)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import mxnet as mx
import numpy as np
from mxnet.base import _LIB, check_call


def to_mx(array: np.ndarray) -> Any:
    """Return a copy of a NumPy array as an array of MXNet's active interface, in main memory.

    ``mx.nd.from_numpy`` would share the memory. MXNet's engine then calls Python to free it, which aborts a process
    whose interpreter is ending. (``mx.nd.array`` copies, but large arrays of bytes ten times as slowly.)
    """
    array = np.ascontiguousarray(array)
    copy = (mx.np if mx.util.is_np_array() else mx.nd).empty(array.shape, dtype=array.dtype, ctx=mx.cpu())
    address = ctypes.c_void_p()
    check_call(_LIB.MXNDArrayGetData(copy.handle, ctypes.byref(address)))
    ctypes.memmove(address, array.ctypes.data, array.nbytes)
    return copy


def to_numpy(array: Any) -> np.ndarray:
    """Return an MXNet array of either interface, or any array-like, as a NumPy array."""
    return np.asarray(array.asnumpy() if hasattr(array, "asnumpy") else array)


def operators() -> Any:
    """Return the active interface's module of neural network operators, such as softmax."""
    return mx.npx if mx.util.is_np_array() else mx.nd


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Return the concatenation of arrays of the active interface along an axis."""
    return mx.np.concatenate(arrays, axis=axis) if mx.util.is_np_array() else mx.nd.concat(*arrays, dim=axis)


def input_symbol() -> Any:
    """Return a symbol of the active interface for the input of a network."""
    data = mx.sym.var("data", dtype="float32")
    return data.as_np_ndarray() if mx.util.is_np_array() else data
