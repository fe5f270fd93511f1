"""Output shapes of networks and layers, inferred without running them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator

import mxnet as mx
from mxnet.gluon import Block, HybridBlock

from d2ltl.arrays import input_symbol
from d2ltl.errors import NetworkError, SettingsError
from d2ltl.models.precision import ISA, check_interface, uses_tiles

FAULTY = 36  # pixels of a map; see _check_maps
MAX_SIZE = 512  # pixels; the largest size that check_input tries for its advice


def check_input(net: HybridBlock, size: int, classes: int | None = None, *, width: int | None = None) -> None:
    """Raise NetworkError if a network cannot run `size` × `size` pixels, or does not have `classes` outputs.

    If the images are not square, `size` is their height and `width` their width; the smaller one is checked. The check
    infers shapes and does not run the network. The message names the smallest possible size, or for a network that
    cannot run with the active array interface, the remedy. See `_check_maps` for SettingsError.
    """
    check_interface()
    if not isinstance(net, HybridBlock):
        raise NetworkError(f"A network of Gluon is needed here, not a {type(net).__name__}.")
    output, height = symbol_of(net), size
    size = min(size, width or size)
    shape = output_shape(output, size)
    if shape is not None and classes in (None, shape[1]):
        if uses_tiles():
            _check_maps(output, net.name or "the network", height, width or height)
        return
    if shape is not None:
        raise NetworkError(f"{net.name} has {shape[1]} outputs, but the images have {classes} classes.")
    fits = next((s for s in range(1, MAX_SIZE + 1) if output_shape(output, s)), None)
    advice = f"the smallest size it can run is {fits}" if fits else f"nor any other up to {MAX_SIZE}"
    raise NetworkError(f"{net.name} cannot run images of {size} × {size} pixels; {advice}.")


def _check_maps(output: mx.sym.Symbol, name: str, height: int, width: int) -> None:
    """Raise SettingsError for images of a height and width at which bfloat16 would corrupt the memory of this process.

    On processors with AMX, MXNet's oneDNN 2.4 writes past the end of its memory in 1 × 1 convolutions of 36 pixels,
    such as 6 × 6. (Measured: most squares up to 30 × 30, several rectangles, strides 1 and 2.)
    """
    internals = output.get_internals()
    if _has_faulty_maps(internals, height, width):
        more = next(more for more in range(1, MAX_SIZE) if not _has_faulty_maps(internals, height + more, width + more))
        raise SettingsError(
            f"In bfloat16, {name} cannot compute {height} × {width} pixels on this processor: a 1 × 1 convolution of "
            f"{FAULTY} pixels crashes MXNet. Use {height + more} × {width + more} pixels, float32, or set "
            f"{ISA}=AVX512_CORE_BF16, which is slower."
        )


def _has_faulty_maps(internals: mx.sym.Symbol, height: int, width: int) -> bool:
    shapes = dict(zip(internals.list_outputs(), internals.infer_shape_partial(data=(1, 3, height, width))[1]))
    return any(
        node["op"] == "Convolution"
        and (node["attrs"]["kernel"], node["attrs"].get("stride", "(1, 1)")) == ("(1, 1)", "(1, 1)")
        and math.prod(shapes[f"{node['name']}_output"][2:]) == FAULTY
        for node in json.loads(internals.tojson())["nodes"]
    )


def check_batch(net: HybridBlock, size: int, images: int, devices: int) -> None:
    """Raise SettingsError if batch normalisation sees a single value per channel in training: it would return 0.

    That happens if a batch of `images` leaves a single image on a device, and the last feature maps are 1 × 1.
    """
    per_device = max(1, images // devices)
    internals = symbol_of(net).get_internals()
    shapes = dict(zip(internals.list_outputs(), internals.infer_shape_partial(data=(per_device, 3, size, size))[1]))
    for node in json.loads(internals.tojson())["nodes"]:
        if node["op"] == "BatchNorm" and node["attrs"].get("use_global_stats") != "True":
            shape = shapes[f"{node['name']}_output"]
            if math.prod(shape) == shape[1]:
                raise SettingsError(
                    f"A batch of {images} with {size} × {size} pixels leaves batch normalisation in {net.name} a "
                    f"single value per channel. The smallest batch that works has {2 * devices} images."
                )


def symbol_of(net: HybridBlock) -> mx.sym.Symbol:
    """Return the outputs of a network as a symbol; raise NetworkError for the wrong array interface."""
    try:
        return net(input_symbol())
    except TypeError as error:
        raise NetworkError(
            f"{net.name} cannot run under MXNet's np interface (Gluon's SqueezeNet, MobileNetV2, DenseNet and "
            "Inception cannot). Call npx.reset_np() first, or never npx.set_np()."
        ) from error


def output_shape(output: mx.sym.Symbol, size: int) -> tuple[int, ...] | None:
    """Return the shape of an output for one image of `size` × `size` pixels, or None if the network cannot run it."""
    try:
        return output.infer_shape_partial(data=(1, 3, size, size))[1][0]
    except mx.MXNetError:
        return None


def working_size(net: HybridBlock) -> int:
    """Return a size of images, in pixels, that a network can run: 224, or 299 for Inception."""
    return 224 if output_shape(symbol_of(net), 224) else 299


def output_shapes(layers: Iterable[Block], size: int) -> Iterator[tuple[Block, tuple[int, ...]]]:
    """Yield each layer with its output shape for one image of `size` × `size` pixels; empty if it cannot run."""
    x = input_symbol()
    for layer in layers:
        x = layer(x)
        yield layer, output_shape(x, size) or ()
