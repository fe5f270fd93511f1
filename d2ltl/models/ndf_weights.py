"""ImageNet weights of SqueezeNet 1.1 (Iandola et al. 2016), from a pickle of Keras arrays in the package ndf 0.1.4.

The module does not import the package.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.core import multiarray

from d2ltl.data.augmentation import IMAGENET_MEAN, IMAGENET_STD
from d2ltl.models.pickles import RestrictedUnpickler

BGR_MEAN = [103.939, 116.779, 123.68]  # the mean subtracted from BGR values (0 to 255) in the model's training
LAYERS = ["conv1", *(f"fire{i}/{part}" for i in range(2, 10) for part in ("squeeze1x1", "expand1x1", "expand3x3")),
          "conv10"]  # fmt: skip
ARRAYS = {
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy.core.multiarray", "_reconstruct"): multiarray._reconstruct,  # type: ignore[attr-defined]
}


def read_weights(content: bytes) -> list[np.ndarray]:
    """Return the parameters of Gluon's `squeezenet1_1` in its order (weight, bias, weight, …), float32.

    Kernels are transposed from (height, width, in, out) to (out, in, height, width). The model was trained on BGR
    values from 0 to 255 minus their mean. The first convolution is rescaled so that it gives the same results for this
    library's input: RGB values from 0 to 1, normalised by the mean and standard deviation of ImageNet.
    """
    layers = RestrictedUnpickler(io.BytesIO(content), ARRAYS).load()
    kernels = [layers[name][0].transpose(3, 2, 0, 1) for name in LAYERS]
    biases = [layers[name][1] for name in LAYERS]
    first = kernels[0][:, ::-1]  # BGR to RGB
    std, mean = np.reshape(IMAGENET_STD, (3, 1, 1)), np.reshape(IMAGENET_MEAN, (3, 1, 1))
    shift = 255 * mean - np.reshape(BGR_MEAN[::-1], (3, 1, 1))
    biases[0] = biases[0] + (first * shift).sum(axis=(1, 2, 3))
    kernels[0] = first * (255 * std)
    return [array.astype(np.float32) for pair in zip(kernels, biases) for array in pair]
