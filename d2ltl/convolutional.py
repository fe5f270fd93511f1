"""Networks that take larger images: dense layers as convolutions, and maps of where something is."""

from __future__ import annotations

from typing import Any

import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock, nn

from d2ltl.decoding import to_mx
from d2ltl.errors import NetworkError, SettingsError
from d2ltl.evaluation import outputs_of
from d2ltl.loading import Augmentation
from d2ltl.nets import check_input, output_shapes

POOLING = (nn.AvgPool2D, nn.MaxPool2D, nn.GlobalAvgPool2D, nn.GlobalMaxPool2D)


def to_convolutional(net: HybridBlock, size: int = 224) -> nn.HybridSequential:
    """Return a fully convolutional network that gives what `net` does, at every place of a larger image.

    Up to its last pooling or first dense layer, a network of the zoo takes images of any size. That pooling becomes
    one that slides, over as many places as it averages at `size`. A dense layer becomes a convolution: as large as
    the map below it, where there is one (AlexNet, VGG), else 1 × 1. An image of `size` × `size` pixels then gives the
    same outputs as before, shape (1, classes, 1, 1). A larger one gives a map, shape (1, classes, height, width): what
    `net` says of each window of `size` × `size` pixels, but that it sees what is around the window, not zeros.
    (Long et al. 2015, *Fully Convolutional Networks for Semantic Segmentation*, section 3.1.)

    Parameters
    ----------
    net : HybridBlock
        With `features` and `output`, trained. Its convolutions are shared, not copied: this costs no memory, and
        training the one would change the other.
    size : int
        Side of the images that it was made for or trained on, in pixels.

    Raises
    ------
    NetworkError
        If the network cannot run images of that size, or does not end in one output for each class.
    """
    check_input(net, size)
    net(to_mx(np.zeros((1, 3, size, size), np.float32)).as_in_context(_device(net)))  # all layers know their shapes now
    convolutional = nn.HybridSequential(prefix="")
    side: tuple[int, ...] = (size, size)  # of the map that the next layer sees
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
            f"{net.name} does not make one output for each class of an image of {size} × {size} pixels, or its last "
            "pooling does not cover the map there; give the size that it was made for."
        )
    return convolutional


def _layers(block: HybridBlock) -> list[HybridBlock]:
    return list(block) if isinstance(block, nn.HybridSequential) else [block]


def _as_convolution(dense: nn.Dense, side: tuple[int, ...]) -> list[HybridBlock]:
    """Return a convolution that does with a map of `side` what a dense layer does with its numbers, one by one."""
    units, inputs = dense.weight.shape
    channels = inputs // (side[0] * side[1])
    convolution = nn.Conv2D(units, side, in_channels=channels, use_bias=dense.bias is not None)
    convolution.initialize(ctx=dense.weight.list_ctx())
    convolution.weight.set_data(_value(dense.weight).reshape((units, channels, *side)))
    if dense.bias is not None:
        convolution.bias.set_data(_value(dense.bias))
    return [convolution] if dense.act is None else [convolution, dense.act]


def _device(net: HybridBlock) -> mx.Context:
    return next(iter(net.collect_params().values())).list_ctx()[0]


def _value(parameter: mx.gluon.Parameter) -> Any:
    return parameter.data(parameter.list_ctx()[0])


def _sliding(pooling: HybridBlock, side: tuple[int, ...]) -> HybridBlock:
    """Return a pooling of one window over a map of `side` as one that moves over a larger map, place by place."""
    options = pooling._kwargs  # Gluon has no public way to ask
    kind = nn.AvgPool2D if options["pool_type"] == "avg" else nn.MaxPool2D
    if options["global_pool"]:
        return kind(side, strides=1)
    return kind(options["kernel"], strides=1, padding=options["pad"])


def heat_map(net: HybridBlock, image: Any, label: int) -> np.ndarray:
    """Return how probable a class is at each place of an image: float32 between 0 and 1, shape (height, width).

    Parameters
    ----------
    net : HybridBlock
        From `to_convolutional`.
    image : array of uint8, shape (height, width, 3)
        NumPy's or MXNet's, at the scale at which the network was trained to see things, both sides at least the `size`
        of `to_convolutional`.
    label : int
        Of the class: its index among the outputs.

    Raises
    ------
    NetworkError
        If the image is too small for the network.
    SettingsError
        If there is no such class, or the image is no uint8 array of that shape.
    """
    pixels = image.asnumpy() if hasattr(image, "asnumpy") else np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise SettingsError(f"The image is {pixels.dtype} {pixels.shape}; it must be uint8 (height, width, 3).")
    check_input(net, min(pixels.shape[:2]))
    X = Augmentation([])(to_mx(pixels)).as_in_context(_device(net)).expand_dims(0)
    outputs = outputs_of(net, X).asnumpy()[0]
    if not 0 <= label < len(outputs):
        raise SettingsError(f"There is no class {label}; the network has classes 0 to {len(outputs) - 1}.")
    exponentials = np.exp(outputs - outputs.max(axis=0))
    return exponentials[label] / exponentials.sum(axis=0)
