"""Predictions of a network for images, and their accuracy, loss and confusion matrix."""

from __future__ import annotations

import itertools
import math
import tempfile
import time
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mxnet as mx
import numpy as np
from mxnet import gluon
from sklearn.metrics import precision_recall_fscore_support

from _data_hub.language import _
from d2ltl.arrays import to_mx
from d2ltl.data import augmentation
from d2ltl.data.batches import Batches, batch_sizes, loader
from d2ltl.data.folders import ImageFolder
from d2ltl.data.pairs import Images, as_images, as_photographs
from d2ltl.data.photographs import Photograph
from d2ltl.datasets import BOOK
from d2ltl.errors import NetworkError, SettingsError
from d2ltl.models.onnx_net import OnnxNet
from d2ltl.models.outputs import check_devices, for_inference, move_to, probabilities, shards_of
from d2ltl.models.parameters import parameters_of, write_parameters
from d2ltl.models.shapes import check_input
from d2ltl.progress import with_progress
from d2ltl.training.predictions import Predictions
from d2ltl.training.workers import ALONE, WorkerGroup

Layers = Sequence[gluon.HybridBlock]

CLASSES_LISTED = 10  # class names in an error message


def evaluate(
    net: gluon.HybridBlock, data: Images, *, size: int | None = None, **options: Any
) -> tuple[float, float, np.ndarray]:
    """Return the mean cross-entropy, the accuracy (between 0 and 1) and the confusion matrix of a network on images.

    The confusion matrix is int64, shape (classes, classes). Its rows are true classes, its columns are predicted
    classes, both in the order of the images' classes.

    Parameters
    ----------
    net : HybridBlock
        A network with one output per class of the images. The classes are matched by name if the network has `classes`,
        the names of its outputs, as `source_net` and training give them; case and Unicode form may differ. Otherwise
        the order of the classes counts.
    data, size, **options
        See `predict`, also for the errors.

    Raises
    ------
    NetworkError
        If the network has other classes than the images.
    """
    images = as_images(data)
    check_input(net, size_of(net, size), len(images.synsets))
    outputs = _outputs_of(net, images.synsets)
    probabilities, labels = predict(net, images, size=size, **options)
    probabilities = probabilities[:, outputs]
    return loss_of(probabilities, labels), accuracy_of(probabilities, labels), confusion_matrix(probabilities, labels)


def _outputs_of(net: gluon.HybridBlock, classes: Sequence[str]) -> list[int]:
    """Return the number of the network's output for each class of the images, matched by name."""
    if (known := classes_of(net)) is None:
        return list(range(len(classes)))
    for form in (_composed, _caseless):
        outputs = {form(name): i for i, name in enumerate(known)}
        if len(outputs) == len(known) and set(outputs) == set(map(form, classes)):
            return [outputs[form(name)] for name in classes]
    unknown = [name for name in classes if _caseless(name) not in set(map(_caseless, known))] or list(classes)
    raise NetworkError(
        f"The images have classes that {net.name} does not have: {_listed(unknown)}. Its own are {_listed(known)}. "
        "Rename the folders of the images, or set net.classes if they are the same under other names."
    )


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _caseless(name: str) -> str:
    return _composed(_composed(name).casefold())


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - CLASSES_LISTED} more" if len(names) > CLASSES_LISTED else ""
    return ", ".join(names[:CLASSES_LISTED]) + more


def predict(
    net: gluon.HybridBlock | OnnxNet,
    data: Images | Photograph | Sequence[Photograph],
    *,
    size: int | None = None,
    batch_size: int = 128,
    test_augs: Callable[[Any], Any] | None = None,
    devices: Sequence[mx.Context] | None = None,
) -> Predictions:
    """Return the class probabilities (float32, shape (N, classes)) and the labels (int64, shape (N,)) of images.

    The result is a pair of both, which also has the names of the predicted classes; see `Predictions`.

    Parameters
    ----------
    net : HybridBlock or OnnxNet
        A network. Its classes may differ from those of the images.
    data : str, path, pair, ImageFolder, array or list
        New photographs: a file, a folder of loose images, an array of uint8 RGB values of shape (height, width, 3) or
        (N, height, width, 3), a Pillow image, or a list of these. Or images with classes: a folder with one folder per
        class (``hotdog/test``), or one part of the pair that `load_images` returns. If the data has two parts
        (``train/`` and ``test/``, or a pair), the test images are used, otherwise all images.
    size : int, optional
        Height and width of the images that the network sees, in pixels; by default those that it was trained on, or
        224 if it was not trained by this library.
    batch_size, test_augs, devices
        See `train_fine_tuning`.

    Raises
    ------
    ImageFolderError, NetworkError, DeviceError, SettingsError
        If the images, the network, a device or a number cannot be used.
    """
    images = as_photographs(data, getattr(net, "levels", None))
    if isinstance(net, OnnxNet):
        if size not in (None, net.size) or test_augs or devices:
            raise SettingsError(f"An ONNX network has the size {net.size}, its own preparation and the processor.")
        return Predictions(_run_onnx(net, images, batch_size), images.labels, images, net.classes)
    outputs, labels = run_on_images(
        net, [[net]], probabilities, images, size_of(net, size), batch_size, test_augs, devices
    )
    return Predictions(outputs, labels, images, classes_of(net) or [str(i) for i in range(outputs.shape[1])])


def _run_onnx(net: OnnxNet, images: ImageFolder, batch_size: int) -> np.ndarray:
    augs = augmentation.test_augs(net.size)
    images = images.in_detail(augs.detail)
    indices, outputs = iter(range(len(images))), []
    for number in with_progress(batch_sizes(len(images), batch_size), _("evaluating"), "batch"):
        pixels = [augs.on_image(to_mx(images.read(next(indices)))).asnumpy() for _ in range(number)]
        outputs.append(net(np.stack(pixels)))
    return np.concatenate(outputs)


def classes_of(net: Any) -> list[str] | None:
    """Return the names of a network's classes; None if it has none, or only numbers."""
    known = getattr(net, "classes", None)
    return None if not isinstance(known, list) or known == [str(i) for i in range(len(known))] else known


def size_of(net: gluon.HybridBlock, size: int | None) -> int:
    """Return `size`, or by default the size of the images that a network was trained on, or else 224."""
    return getattr(net, "size", BOOK.size) if size is None else size


def run_on_images(
    net: gluon.HybridBlock,
    parts: Sequence[Layers],
    function: Callable[..., Any],
    data: Images,
    size: int = 224,
    batch_size: int = 128,
    test_augs: Callable[[Any], Any] | None = None,
    devices: Sequence[mx.Context] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values (N, …) of a function of the outputs of parts of `net`, and the labels (N,), int64.

    See `run_on_batches` for `parts` and `function`, and `predict` for the other arguments.
    """
    images = as_images(data)
    check_input(net, size)
    devices = check_devices(devices)
    move_to(net, devices)
    batches = loader(images, test_augs or augmentation.test_augs(size), batch_size)
    return run_on_batches(parts, function, batches, devices)


def run_on_batches(
    parts: Sequence[Layers], function: Callable[..., Any], batches: Batches, devices: Sequence[mx.Context]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values (N, …) of a function for all batches, and the labels (N,) of the images, int64.

    Parameters
    ----------
    parts : sequence of sequences of HybridBlock
        Parts of a network, each a sequence of layers. The first part runs on the images, every other one on the outputs
        of the part before. The layers are not changed.
    function : callable
        Function of the outputs of all parts for a batch (as many arguments as parts) that returns an array (n, …).
    """
    compiled = [for_inference(part, devices[0]) for part in parts]

    def value(X: Any) -> Any:
        return function(*itertools.islice(itertools.accumulate(compiled, lambda x, part: part(x), initial=X), 1, None))

    outputs, labels = [], []
    for X, y in with_progress(batches, _("evaluating"), "batch"):
        outputs += [value(shard) for shard in shards_of(X, devices)]
        labels.append(y.asnumpy())
        if len(outputs) > len(devices):  # limits MXNet's queue: one batch is computed while the next is loaded
            outputs[-len(devices) - 1].wait_to_read()
    return np.concatenate([output.asnumpy() for output in outputs]), np.concatenate(labels).astype(np.int64)


def evaluate_batches(
    net: gluon.HybridBlock, batches: Batches, devices: Sequence[mx.Context], workers: WorkerGroup = ALONE
) -> dict[str, float]:
    """Return test accuracy and test loss of a network on the batches of all workers, by their names in `History`."""
    tested = run_on_batches([[net]], probabilities, batches, devices)
    accuracy, loss = workers.mean([accuracy_of(*tested), loss_of(*tested)], len(tested[1]))
    return {"test_acc": accuracy, "test_loss": loss}


def confusion_matrix(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the confusion matrix, int64. Rows are true classes, columns are predicted classes."""
    classes = probabilities.shape[1]
    pairs = labels * classes + probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


class ClassScores(NamedTuple):
    """Scores of each class, from a confusion matrix: float arrays between 0 and 1, and the numbers of test images."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    images: np.ndarray

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the recalls of the classes that have test images."""
        return float(self.recall[self.images > 0].mean())


def class_scores(confusion: np.ndarray) -> ClassScores:
    """Return the scores of each class. A precision, recall or F1 of a class without predictions or images is 0."""
    true, predicted = (index.ravel() for index in np.indices(confusion.shape))
    weights = confusion.ravel()
    precision, recall, f1, _ = precision_recall_fscore_support(true, predicted, sample_weight=weights, zero_division=0)
    return ClassScores(precision, recall, f1, confusion.sum(axis=1))


def most_confused(confusion: np.ndarray, number: int) -> list[tuple[int, int]]:
    """Return up to `number` pairs of a true class and another predicted class, most frequent mistakes first."""
    wrong = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-wrong, axis=None, kind="stable")[: min(number, np.count_nonzero(wrong))]
    return [(int(true), int(predicted)) for true, predicted in zip(*np.unravel_index(order, wrong.shape))]


def accuracy_of(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of images whose most probable class is the true class."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def chance_of(images: ImageFolder) -> float:
    """Return the accuracy of always answering the most frequent class of the images."""
    return float(np.bincount(images.labels).max() / len(images))


def loss_of(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean cross-entropy of probabilities (N, classes), clipped from below at float32's smallest number."""
    of_truth = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)).mean())


class Profile(NamedTuple):
    """Accuracy (0 to 1), number of parameters, size in megabytes and speed of a network; see `profile`."""

    accuracy: float
    parameters: int
    megabytes: float
    images_per_s: float


def profile(net: gluon.HybridBlock, data: Images, **options: Any) -> Profile:
    """Return the accuracy (0 to 1), the number of parameters, the size and the speed of a network on images.

    The size is that of the ``.params`` file, in 10⁶ bytes. The speed is the number of images per second of `predict`,
    which includes preparing the images and compiling the network. It is measured in a second pass, because the first
    pass decodes the files. `options` are those of `predict`.
    """
    images = as_images(data)
    outputs = _outputs_of(net, images.synsets)
    predict(net, images, **options)
    start = time.perf_counter()
    probabilities, labels = predict(net, images, **options)
    seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "net.params")
        write_parameters(net, file)
        megabytes = file.stat().st_size / 1e6
    parameters = sum(math.prod(parameter.shape) for parameter in parameters_of(net))
    accuracy = accuracy_of(probabilities[:, outputs], labels)
    return Profile(accuracy, parameters, megabytes, len(images) / seconds)


weigh = profile  # the name in version 0.1.0
