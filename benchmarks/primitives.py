"""The layers that oneDNN runs, read from its verbose log, and their roofline (Williams et al. 2009).

oneDNN prints a line for each of its primitives if ``DNNL_VERBOSE`` is 1 in the environment of the process.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from typing import Any, NamedTuple

PREFIX = "dnnl_verbose,exec,"
BYTES = {"f32": 4, "s32": 4, "bf16": 2, "u8": 1, "s8": 1}
FORWARD, BACKWARD = "forward", "backward"
LARGE, POINTWISE, DEPTHWISE = "convolution 3 × 3 and larger", "convolution 1 × 1", "depthwise convolution"
DENSE = "dense layer and softmax"
NORMALISATION, ACTIVATION, ADDITION, POOLING = "normalisation", "activation", "addition", "pooling"
OPTIMIZER, LAYOUT = "optimizer", "change of layout"
KINDS = (LARGE, POINTWISE, DEPTHWISE, DENSE, NORMALISATION, ACTIVATION, ADDITION, POOLING, OPTIMIZER, LAYOUT)

_ELEMENTWISE = {  # kind, operations for an element
    "batch_normalization": (NORMALISATION, 6),
    "eltwise": (ACTIVATION, 1),
    "softmax": (DENSE, 5),
    "sum": (ADDITION, 1),
    "reorder": (LAYOUT, 0),
}
_OUTSIDE = {  # operators of MXNet: kind, direction, operations and bytes for an element
    "clip": (ACTIVATION, FORWARD, 2, 8),
    "_backward_clip": (ACTIVATION, BACKWARD, 2, 12),
    "slice": (LAYOUT, FORWARD, 0, 8),
    "_backward_slice": (LAYOUT, BACKWARD, 0, 8),
    "multi_sgd_update": (OPTIMIZER, BACKWARD, 4, 12),
}


class Layer(NamedTuple):
    """A layer's work in one direction.

    `operations` counts a multiply-add as 2. `moved` is the number of bytes of its inputs, outputs and weights, each
    counted once. `seconds` is the time measured.
    """

    kind: str
    direction: str
    operations: float
    moved: float
    seconds: float


class Ceilings(NamedTuple):
    """The ceilings of a machine: operations a second, and bytes a second."""

    operations: float
    moved: float


def at_roof(layer: Layer, ceilings: Ceilings) -> float:
    """Return the seconds that a layer would take at its roof, and at most those measured.

    A change of layout is no layer of the network and takes none. A layer whose data are still in a cache may be
    faster than memory allows.
    """
    if layer.kind == LAYOUT:
        return 0.0
    return min(layer.seconds, max(layer.operations / ceilings.operations, layer.moved / ceilings.moved))


def layers_of(log: str, results: dict[str, float]) -> list[Layer]:
    """Return the layers of a step from oneDNN's log of some steps and the results of `benchmarks.workers.layers`.

    Layers of the same kind, direction and shape are one, with the sums of their operations, bytes and seconds. The
    profiler's times of the operators outside of oneDNN contain changes of layout that oneDNN logs, too. If they are
    more than what oneDNN leaves of the step, they are scaled down to that.
    """
    alike: dict[Any, list[Layer]] = defaultdict(list)
    for line in log.splitlines():
        if line.startswith(PREFIX):
            layer = parse(line)
            alike[layer[:-1]].append(layer)
    layers = []
    for (kind, direction, *_), group in alike.items():
        sums = [sum(column) / results["steps"] for column in zip(*(layer[2:] for layer in group))]
        layers.append(Layer(kind, direction, *sums))
    profiled = {name: results[f"{name}_s"] for name in _OUTSIDE if f"{name}_s" in results}
    left = results["step_s"] - sum(layer.seconds for layer in layers)
    scale = min(1.0, left / sum(profiled.values())) if profiled else 1.0
    for name, seconds in profiled.items():
        kind, direction, operations, moved = _OUTSIDE[name]
        elements = results[f"{name}_elements"]
        layers.append(Layer(kind, direction, operations * elements, moved * elements, scale * seconds))
    return layers


def parse(line: str) -> Layer:
    """Return the layer of a line of the log, which begins with `PREFIX`; raise ValueError for an unknown primitive."""
    _, _, _, primitive, _, propagation, tensors, attributes, *_, problem, milliseconds = line.split(",")
    direction = BACKWARD if propagation.startswith(BACKWARD) else FORWARD
    widths = [(name, BYTES[dtype]) for name, dtype in re.findall(r"(\w+?)_(\w+)::blocked", tensors)]
    if primitive in _ELEMENTWISE:
        kind, per_element = _ELEMENTWISE[primitive]
        elements = _elements(problem)
        if primitive not in ("sum", "reorder"):  # the log names their inputs and their output one by one
            widths += widths[:1]
        operations, moved = per_element * elements, elements * sum(width for _, width in widths)
    elif primitive in ("convolution", "inner_product", "pooling_v2"):
        shape = _named(problem)
        kind, sizes = _kind(primitive, shape), _sizes(primitive, shape)
        if "sum" in attributes:  # the output is added to what is there
            widths += [("dst", width) for name, width in widths if name == "dst"]
        operations = _operations(primitive, shape)
        moved = sum(sizes[name] * width for name, width in widths)
    else:
        raise ValueError(f"{line!r} is of a primitive that the roofline does not know.")
    return Layer(kind, direction, operations, moved, float(milliseconds) / 1000)


def _elements(problem: str) -> int:
    """Return the number of elements of a shape such as 32x64x24x24 or mb32ic64ih24iw24."""
    return math.prod(map(int, re.findall(r"\d+", problem)))


def _named(problem: str) -> dict[str, int]:
    """Return the numbers of a problem such as mb32ic64_ih24oh12kh3sh2dh0ph1_iw24ow12kw3sw2dw0pw1 by their names."""
    return {name: int(number) for name, number in re.findall(r"([a-z]+)(\d+)", problem)}


def _kind(primitive: str, shape: dict[str, int]) -> str:
    if primitive != "convolution":
        return {"inner_product": DENSE, "pooling_v2": POOLING}[primitive]
    if shape.get("g", 1) > 1:
        return DEPTHWISE
    return POINTWISE if shape["kh"] == shape["kw"] == 1 else LARGE


def _window(shape: dict[str, int]) -> int:
    return shape.get("kh", 1) * shape.get("kw", 1)


def _sizes(primitive: str, shape: dict[str, int]) -> dict[str, int]:
    """Return the numbers of elements of input, weights, bias, output and workspace."""
    outputs = shape.get("oc", shape["ic"])
    source = shape["mb"] * shape["ic"] * shape.get("ih", 1) * shape.get("iw", 1)
    destination = shape["mb"] * outputs * shape.get("oh", 1) * shape.get("ow", 1)
    weights = outputs * source // shape["mb"] if primitive == "inner_product" else 0
    if primitive == "convolution":
        weights = outputs * shape["ic"] // shape.get("g", 1) * _window(shape)
    return {"src": source, "wei": weights, "bia": outputs, "dst": destination, "ws": destination}


def _operations(primitive: str, shape: dict[str, int]) -> int:
    sizes = _sizes(primitive, shape)
    if primitive == "pooling_v2":
        return sizes["dst"] * _window(shape)
    return 2 * sizes["dst"] * sizes["wei"] // shape["oc"]
