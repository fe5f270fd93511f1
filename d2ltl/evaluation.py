"""What a network says of images: `evaluate`, `predict`; and the devices it runs on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Union

import mxnet as mx
import numpy as np
from mxnet import gluon
from mxnet.gluon.data import DataLoader
from mxnet.gluon.data.vision import ImageFolderDataset
from tqdm.auto import tqdm

from d2ltl import loading, runtime
from d2ltl.data import ImageFolder
from d2ltl.errors import DeviceError
from d2ltl.nets import check_input

Images = Union[str, "os.PathLike[str]", ImageFolderDataset]


def evaluate(
    net: gluon.HybridBlock, data: Images, *, size: int = 224, **options: Any
) -> tuple[float, float, np.ndarray]:
    """Return mean cross-entropy, accuracy and confusion matrix of a network on images.

    Parameters
    ----------
    net : HybridBlock
    data : path or ImageFolder
        A folder with one folder per class (``hotdog/test``), or one part of the pair that `load_images` returns.
    size, **options
        Those of `predict`.

    Returns
    -------
    loss : float
    accuracy : float
        Between 0 and 1.
    confusion : ndarray of int64, shape (classes, classes)
        Row: the true class; column: the predicted one.
    """
    images = _as_images(data)
    check_input(net, size, len(images.synsets))
    probabilities, labels = predict(net, images, size=size, **options)
    return loss_of(probabilities, labels), accuracy_of(probabilities, labels), confusion_matrix(probabilities, labels)


def _as_images(data: Images) -> ImageFolderDataset:
    return ImageFolder(data) if isinstance(data, (str, os.PathLike)) else data


def confusion_matrix(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how often each true class (row) was taken for each class (column), int64."""
    classes = probabilities.shape[1]
    pairs = labels * classes + probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def predict(
    net: gluon.HybridBlock,
    data: Images,
    *,
    size: int = 224,
    batch_size: int = 128,
    test_augs: Callable[[Any], Any] | None = None,
    devices: Sequence[mx.Context] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities (N, classes), float32, that a network gives images, and their labels (N,), int64.

    Parameters are those of `evaluate` and `train_fine_tuning`. The network may know other classes than the images have.
    """
    return run_on_images(net, lambda X: _softmax(outputs_of(net, X)), data, size, batch_size, test_augs, devices)


def run_on_images(
    net: gluon.HybridBlock,
    function: Callable[[Any], Any],
    data: Images,
    size: int = 224,
    batch_size: int = 128,
    test_augs: Callable[[Any], Any] | None = None,
    devices: Sequence[mx.Context] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a function, which uses a network, makes of images (N, …), and their labels (N,), int64."""
    images = _as_images(data)
    check_input(net, size)
    devices = check_devices(devices)
    if net._active:  # Gluon has no public way to ask; a network compiled already stays as it is
        _move_to(net, devices)
    else:
        set_up(net, devices)
    batches = loading.loader(images, test_augs or loading.test_augs(size), batch_size)
    return _run_on_batches(function, batches, devices)


def predict_batches(
    net: gluon.HybridBlock, batches: DataLoader, devices: Sequence[mx.Context]
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and labels of batches, as `predict` does."""
    return _run_on_batches(lambda X: _softmax(outputs_of(net, X)), batches, devices)


def outputs_of(net: gluon.HybridBlock, X: Any) -> Any:
    """Return the outputs of a network in float32, whatever it computes in."""
    return net(X).astype("float32", copy=False)


def _softmax(outputs: Any) -> Any:
    return (mx.npx if mx.util.is_np_array() else mx.nd).softmax(outputs, axis=-1)


def _run_on_batches(
    function: Callable[[Any], Any], batches: DataLoader, devices: Sequence[mx.Context]
) -> tuple[np.ndarray, np.ndarray]:
    outputs, labels = [], []
    for X, y in tqdm(batches, desc="evaluating", unit="batch", disable=None, leave=False):
        outputs += [function(shard) for shard in shards_of(X, devices)]
        labels.append(y.asnumpy())
        if len(outputs) > len(devices):  # one batch is computed while the next is loaded, and no more are queued
            outputs[-len(devices) - 1].wait_to_read()
    return np.concatenate([output.asnumpy() for output in outputs]), np.concatenate(labels).astype(np.int64)


def accuracy_of(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of images whose most probable class is the true one."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def loss_of(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean cross-entropy of probabilities (N, classes); none counts as less than float32 can hold."""
    of_truth = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)).mean())


def set_up(net: gluon.HybridBlock, devices: list[mx.Context]) -> None:
    """Bring a network to devices, and compile it anew: layers may have been frozen meanwhile."""
    _move_to(net, devices)
    net.hybridize(static_alloc=True, static_shape=True)


def _move_to(net: gluon.HybridBlock, devices: list[mx.Context]) -> None:
    for parameter in net.collect_params().values():
        if parameter.list_ctx() != devices:
            parameter.reset_ctx(devices)


def check_devices(devices: Sequence[mx.Context] | None) -> list[mx.Context]:
    """Return the devices, by default all there are; raise DeviceError for a GPU that the machine does not have."""
    for device in devices or ():
        if device.device_type == "gpu" and device.device_id >= mx.context.num_gpus():
            raise DeviceError(
                f"There is no {device}: MXNet sees {mx.context.num_gpus()} GPUs. "
                "Leave `devices` out to use what there is."
            )
    return list(devices or runtime.devices())


def shards_of(batch: Any, devices: Sequence[mx.Context]) -> list[Any]:
    """Split a batch over devices, as evenly as it goes; one that is smaller leaves the last devices out."""
    return gluon.utils.split_and_load(batch, list(devices[: len(batch)]), even_split=False)
