"""Array functions that work with MXNet's classic interface (``mx.nd``) and with its np interface (``mx.np``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mxnet as mx
import numpy as np


def to_mx(array: np.ndarray) -> Any:
    """Return a NumPy array as an array of MXNet's active interface; a contiguous array is not copied."""
    nd = mx.nd.from_numpy(np.ascontiguousarray(array))
    return nd.as_np_ndarray() if mx.util.is_np_array() else nd


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
