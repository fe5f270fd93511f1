"""Arrays from the pickle files of other libraries, read without executing anything."""

from __future__ import annotations

import io
import math
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from d2ltl.errors import WeightsError

MAGIC_NUMBER, LAYOUT = 0x1950A86A20F9469CFC6C, 1001  # PyTorch's layout before version 1.6


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that calls only the classes and functions of `allowed`, by (module, name).

    An ordinary unpickler calls whatever the file names, and so may run any code.
    """

    def __init__(self, file: io.BytesIO, allowed: Mapping[tuple[str, str], Any]) -> None:
        super().__init__(file)
        self.allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        """Return the object of that name; raise WeightsError if it is not allowed."""
        try:
            return self.allowed[module, name]
        except KeyError:
            raise WeightsError(f"A pickle of weights asks for {module}.{name}; only arrays are allowed.") from None


def read_torch(content: bytes) -> dict[str, np.ndarray]:
    """Return the tensors of a PyTorch state dict by name, from the bytes of a file in the layout before PyTorch 1.6.

    The file consists of five pickles: a magic number, the number of the layout, the sizes of integers, the state dict,
    and the keys of the storages. The storages follow in the order of their keys: the number of values (int64), and the
    values, little-endian. A tensor in the state dict is a view of a storage, with an offset, a shape and strides.

    Raises
    ------
    WeightsError
        If the bytes are not such a file, are damaged, or ask for anything else than arrays.
    """
    file = io.BytesIO(content)
    try:
        if [_load(file), _load(file)] != [MAGIC_NUMBER, LAYOUT]:
            raise WeightsError("This is not a file of PyTorch weights in the layout before PyTorch 1.6.")
        _load(file)  # the sizes of integers
        reader = _StateReader(file, len(content))
        state = reader.load()
        keys = _load(file)
        if {*keys} != {*reader.storages}:
            raise WeightsError("A file of PyTorch weights is damaged: storages of the state dict are missing.")
        for key in keys:
            _fill(reader.storages[key], file)
        return {str(name): np.ascontiguousarray(tensor) for name, tensor in state.items()}
    except WeightsError:
        raise
    except Exception as error:  # a damaged pickle raises errors of many types
        raise WeightsError(f"A file of PyTorch weights is damaged ({type(error).__name__}: {error}).") from error


def _load(file: io.BytesIO) -> Any:
    return RestrictedUnpickler(file, {}).load()


def _fill(storage: np.ndarray, file: io.BytesIO) -> None:
    number = int.from_bytes(file.read(8), "little")
    values = file.read(storage.nbytes)
    if (number, len(values)) != (len(storage), storage.nbytes):
        raise WeightsError("A file of PyTorch weights is damaged: the size of a storage is not that in the state dict.")
    storage[:] = np.frombuffer(values, storage.dtype)


class _StateReader(RestrictedUnpickler):
    """An unpickler of a state dict. Its tensors are views of `storages`, which are 0 until the file's values follow."""

    def __init__(self, file: io.BytesIO, size: int) -> None:
        names = {
            ("collections", "OrderedDict"): OrderedDict,
            # a function of its own, because a pickle may change the attributes of what it names
            ("torch._utils", "_rebuild_tensor_v2"): lambda *arguments: _view(*arguments),
            ("torch", "FloatStorage"): np.dtype("<f4"),
            ("torch", "LongStorage"): np.dtype("<i8"),
        }
        super().__init__(file, names)
        self.size = size
        self.storages: dict[str, np.ndarray] = {}

    def persistent_load(self, saved: Any) -> np.ndarray:
        """Return the storage that a tuple ('storage', type, key, device, number of values, None) stands for."""
        _, dtype, key, _, number, _ = saved
        if not 0 <= number * dtype.itemsize <= self.size:
            raise WeightsError(f"A file of PyTorch weights is damaged: storage {key} of {number} values is not in it.")
        return self.storages.setdefault(key, np.zeros(number, dtype))


def _view(storage: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> np.ndarray:
    """Return a tensor as a view of its storage; the offset and the strides count values."""
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides))
    negative = min(offset, *shape, *strides, 0) < 0
    if negative or len(shape) != len(strides) or max(last + 1, math.prod(shape)) > len(storage):
        raise WeightsError(f"A file of PyTorch weights is damaged: a tensor of shape {shape} is outside its storage.")
    in_bytes = [stride * storage.itemsize for stride in strides]
    return np.ndarray(shape, storage.dtype, storage, offset * storage.itemsize, in_bytes)
