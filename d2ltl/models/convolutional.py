"""Fully convolutional networks, and heat maps that show where a class is in an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from mxnet.gluon import HybridBlock, nn

from d2ltl.arrays import to_mx, to_numpy
from d2ltl.data.augmentation import Augmentation
from d2ltl.errors import NetworkError, SettingsError
from d2ltl.models.outputs import device_of, for_inference, outputs_of
from d2ltl.models.parameters import set_value, value_of
from d2ltl.models.shapes import check_input, output_shapes

POOLING = (nn.AvgPool2D, nn.MaxPool2D, nn.GlobalAvgPool2D, nn.GlobalMaxPool2D)


def to_convolutional(net: HybridBlock, size: int = 224) -> nn.HybridSequential:
    """Return a fully convolutional network that computes the outputs of `net` at every position of a larger image.

    The layers of `net` below its last pooling layer or its first dense layer stay the same. The last pooling layer gets
    stride 1 and the window that it covers at `size`. A dense layer becomes a convolution. Its kernel is as large as the
    feature map that the dense layer sees at `size` (AlexNet, VGG); without a feature map it is 1 × 1.

    For an image of `size` × `size` pixels, the outputs are those of `net`, with shape (1, classes, 1, 1). For a larger
    image, they are a map of shape (1, classes, map height, map width). Each position belongs to one window of `size` ×
    `size` pixels. Its outputs are close to those of `net` for the cropped window, but not equal: at the edges of the
    window, the convolutions see the pixels outside it instead of zero padding. (Long et al. 2015, *Fully Convolutional
    Networks for Semantic Segmentation*, section 3.1.)

    Parameters
    ----------
    net : HybridBlock
        A trained network with `features` and `output`. Both networks share its convolutions: training one of them
        changes the other.
    size : int
        Height and width of the images that `net` was designed for or trained on, in pixels.

    Raises
    ------
    NetworkError
        If the network cannot run images of that size, or does not compute one output for each class.
    """
    check_input(net, size)
    device = device_of(net)
    blank = to_mx(np.zeros((1, 3, size, size), np.float32)).as_in_context(device)
    for_inference([net], device)(blank)  # one forward pass, so that Gluon sets the shapes of all parameters
    convolutional = nn.HybridSequential(prefix="")
    side: tuple[int, ...] = (size, size)  # height and width of the next layer's input
    for layer, shape in output_shapes([*_layers(net.features), *_layers(net.output)], size):
        if isinstance(layer, nn.Dense):
            convolutional.add(*_as_convolution(layer, side))
            side = (1, 1)
        elif not isinstance(layer, nn.Flatten):
            slides = isinstance(layer, POOLING) and shape[2:] == (1, 1)
            convolutional.add(_sliding(layer, side) if slides else layer)
            side = shape[2:] or side
    if [shape[2:] for _, shape in output_shapes(convolutional, size)][-1] != (1, 1):
        raise NetworkError(
            f"{net.name} does not give one output for each class of an image of {size} × {size} pixels. Use the "
            "size that it was made for or trained on."
        )
    return convolutional


def _layers(block: HybridBlock) -> list[HybridBlock]:
    return list(block) if isinstance(block, nn.HybridSequential) else [block]


def _as_convolution(dense: nn.Dense, side: tuple[int, ...]) -> list[HybridBlock]:
    """Return a convolution, and its activation if any, that computes a dense layer on a feature map of size `side`."""
    units, inputs = dense.weight.shape
    channels = inputs // (side[0] * side[1])
    convolution = nn.Conv2D(units, side, in_channels=channels, use_bias=dense.bias is not None)
    convolution.initialize(ctx=dense.weight.list_ctx())
    set_value(convolution.weight, value_of(dense.weight).reshape((units, channels, *side)))
    if dense.bias is not None:
        set_value(convolution.bias, value_of(dense.bias))
    return [convolution] if dense.act is None else [convolution, dense.act]


def _sliding(pooling: HybridBlock, side: tuple[int, ...]) -> HybridBlock:
    """Return a pooling layer with stride 1 in place of one that has a single output on a feature map of size `side`."""
    options = pooling._kwargs  # Gluon has no public attribute for the kernel
    kind = nn.AvgPool2D if options["pool_type"] == "avg" else nn.MaxPool2D
    if options["global_pool"]:
        return kind(side, strides=1)
    return kind(options["kernel"], strides=1, padding=options["pad"])


def heat_map(net: HybridBlock, image: Any, label: int) -> np.ndarray:
    """Return the probability of a class at each position of an image: float32, shape (map height, map width).

    Parameters
    ----------
    net : HybridBlock
        From `to_convolutional`.
    image : array of uint8, shape (height, width, 3)
        NumPy or MXNet array. Height and width are at least the `size` of `to_convolutional`. Objects should appear as
        large as in the training images.
    label : int
        Index of the class among the outputs.

    Raises
    ------
    NetworkError, SettingsError
        If the image is too small, is not such an array, or the class does not exist.
    """
    pixels = to_numpy(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise SettingsError(f"The image is {pixels.dtype} {pixels.shape}; it must be uint8 (height, width, 3).")
    check_input(net, pixels.shape[0], width=pixels.shape[1])
    device = device_of(net)
    X = Augmentation([])(to_mx(pixels)).as_in_context(device).expand_dims(0)
    outputs = outputs_of(for_inference([net], device), X).asnumpy()[0]
    if not 0 <= label < len(outputs):
        raise SettingsError(f"There is no class {label}; the network has classes 0 to {len(outputs) - 1}.")
    exponentials = np.exp(outputs - outputs.max(axis=0))
    return exponentials[label] / exponentials.sum(axis=0)
