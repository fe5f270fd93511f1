"""Files of weights in PyTorch's old layout, written here without PyTorch, and files that want more than arrays."""

import collections
import io
import os
import pickle
import sys
import types

import numpy as np
import pytest

import d2ltl
from d2ltl.models.pickles import LAYOUT, MAGIC_NUMBER, RestrictedUnpickler, read_torch


class FloatStorage(np.ndarray):
    pass


class Tensor:
    """A tensor to pickle: a view of a storage."""

    def __init__(self, storage, offset, shape, strides):
        self.arguments = storage, offset, shape, strides, False, collections.OrderedDict()

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


@pytest.fixture(autouse=True)
def torch(monkeypatch):
    """Modules with PyTorch's names, so that a pickle can ask for them."""

    def _rebuild_tensor_v2(*arguments):
        raise AssertionError("PyTorch's own function is not called")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    for name in ("torch", "torch._utils"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setattr(FloatStorage, "__module__", "torch")
    sys.modules["torch"].FloatStorage = FloatStorage
    sys.modules["torch._utils"]._rebuild_tensor_v2 = _rebuild_tensor_v2


def write(state, storages, sizes=None):
    """Return the bytes of a file with a state dict; `storages` are flat arrays by key."""
    file = io.BytesIO()
    for header in (MAGIC_NUMBER, LAYOUT, {"little_endian": True}):
        pickle.dump(header, file, protocol=2)
    pickler = pickle.Pickler(file, protocol=2)
    keys = {id(storage): key for key, storage in storages.items()}
    pickler.persistent_id = lambda value: (
        ("storage", FloatStorage, keys[id(value)], "cpu", (sizes or {}).get(keys[id(value)], len(value)), None)
        if id(value) in keys
        else None
    )
    pickler.dump(state)
    pickle.dump(list(storages), file, protocol=2)
    for storage in storages.values():
        file.write(len(storage).to_bytes(8, "little") + storage.tobytes())
    return file.getvalue()


VALUES = np.arange(12, dtype="<f4")


def test_offsets_and_strides_are_honoured():
    bias = np.array([7, 8], dtype="<f4")
    state = collections.OrderedDict(
        rows=Tensor(VALUES, 0, (3, 4), (4, 1)),
        columns=Tensor(VALUES, 0, (4, 3), (1, 4)),
        part=Tensor(VALUES, 5, (2, 2), (4, 1)),
        bias=Tensor(bias, 0, (2,), (1,)),
        number=Tensor(bias, 1, (), ()),
    )
    arrays = read_torch(write(state, {"a": VALUES, "b": bias}))
    table = VALUES.reshape(3, 4)
    assert list(arrays) == list(state)
    assert np.array_equal(arrays["rows"], table)
    assert np.array_equal(arrays["columns"], table.T)
    assert arrays["columns"].flags.c_contiguous
    assert np.array_equal(arrays["part"], table[1:, 1:3])
    assert np.array_equal(arrays["bias"], bias)
    assert arrays["number"] == 8


class Malicious:
    """An object whose unpickling makes a folder."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_malicious_file_is_not_executed(tmp_path):
    folder = tmp_path / "executed"
    for content in (
        write(collections.OrderedDict(weight=Malicious(folder)), {}),
        pickle.dumps(Malicious(folder)),
    ):
        with pytest.raises(d2ltl.WeightsError, match=r"asks for \w+\.mkdir; only arrays are allowed"):
            read_torch(content)
    with pytest.raises(d2ltl.WeightsError, match=r"asks for \w+\.mkdir"):
        RestrictedUnpickler(io.BytesIO(pickle.dumps(Malicious(folder))), {("numpy", "ndarray"): np.ndarray}).load()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (13,), (1,)),
        (0, (10**13,), (0,)),
        (5, (2, 4), (4, 1)),
        (0, (3, 4), (5, 1)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (3,), (4, 1)),
    ],
)
def test_a_tensor_outside_its_storage_is_refused(offset, shape, strides):
    with pytest.raises(d2ltl.WeightsError, match="outside its storage"):
        read_torch(write(collections.OrderedDict(weight=Tensor(VALUES, offset, shape, strides)), {"a": VALUES}))


def test_a_storage_larger_than_the_file_is_refused():
    state = collections.OrderedDict(weight=Tensor(VALUES, 0, (12,), (1,)))
    with pytest.raises(d2ltl.WeightsError, match="storage a of 1000000000000 values is not in it"):
        read_torch(write(state, {"a": VALUES}, {"a": 10**12}))
    with pytest.raises(d2ltl.WeightsError, match="the size of a storage"):
        read_torch(write(state, {"a": VALUES}, {"a": 13}))


def test_a_file_whose_storages_are_not_all_listed_is_refused():
    content = write(collections.OrderedDict(weight=Tensor(VALUES, 0, (12,), (1,))), {"a": VALUES})
    listed = pickle.dumps(["a"], protocol=2)
    assert content.count(listed) == 1
    with pytest.raises(d2ltl.WeightsError, match="storages of the state dict are missing"):
        read_torch(content.replace(listed, pickle.dumps([], protocol=2)))


def test_a_file_of_another_kind_of_object_is_refused():
    with pytest.raises(d2ltl.WeightsError, match="damaged"):
        read_torch(write([VALUES], {"a": VALUES}))


def test_other_and_damaged_files_are_refused():
    content = write(collections.OrderedDict(weight=Tensor(VALUES, 0, (12,), (1,))), {"a": VALUES})
    for damaged in (b"", b"<html>", content[:10], content[: len(content) // 2], content[:-4], pickle.dumps({}) * 3):
        with pytest.raises(d2ltl.WeightsError):
            read_torch(damaged)
