"""Export of trained networks to ONNX: `export_onnx`."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock

from d2ltl.arrays import to_mx
from d2ltl.data.augmentation import IMAGENET_MEAN, IMAGENET_STD, Augmentation
from d2ltl.errors import NetworkError, require
from d2ltl.files import atomic_write
from d2ltl.models.onnx_net import INPUT, OUTPUT, OnnxNet
from d2ltl.models.outputs import device_of, for_inference, probabilities
from d2ltl.models.parameters import parameters_of, value_of
from d2ltl.models.precision import current_precision
from d2ltl.models.shapes import check_input, symbol_of
from d2ltl.runtime import __version__
from d2ltl.training.evaluation import size_of

OPSET = 13  # ONNX's operators that MXNet writes; it stamps the file with those of the installed package
IR_VERSION = 8  # of ONNX's file format, of 2021: older programs can read it
FLIP = "(1, 1, -1, -1)"  # the steps of the slices that flip height and width in EfficientNetLite
TOLERANCE = 1e-4  # the largest difference between the probabilities of MXNet and of ONNX Runtime
HALF_TOLERANCE = 1e-2  # the same, of a file with weights in half precision
SMALL = 2**15  # weights in an array that is not halved: depthwise kernels take little room, and need their precision
GRIDS = (1, 2, 3, 5, 8, 13, 21, 34)  # the images that are compared are random squares, so many along each side


def export_onnx(net: HybridBlock, file: str | os.PathLike[str], *, half: bool = False) -> float:
    """Write a trained network to an ONNX file, and return the largest difference to its probabilities in ONNX Runtime.

    The graph maps uint8 RGB images (n, size, size, 3), called ``images``, to ``probabilities``, float32 of shape
    (n, classes). The normalisation is in the graph. The names of the classes, the size, whether the probabilities are
    calibrated and the levels of images with more than 8 bits are in the metadata, as JSON.
    The file is only kept if ONNX Runtime gives the same probabilities within 1e-4, or 1e-2 with `half`.

    Parameters
    ----------
    net : HybridBlock
        A network with the attribute `classes`, from `load_net`, from `source_net` or after a training.
    file : path
        Path of the ``.onnx`` file.
    half : bool
        Whether large arrays of weights are stored in half precision. The file is about half as large. The graph casts
        them to float32, and computes in it.

    Raises
    ------
    SettingsError
        If the packages of the extra ``onnx`` are not installed.
    NetworkError
        If MXNet cannot export the network, or ONNX Runtime gives other probabilities. If MXNet's np interface is on.
    """
    if isinstance(net, OnnxNet):
        raise NetworkError("The network is an ONNX file already.")
    if current_precision() != "float32":
        raise NetworkError("This process computes in bfloat16, and ONNX files in float32. Export in a new process.")
    onnx = require("onnx", "onnx")
    require("onnxruntime", "onnx")
    size = size_of(net, None)
    if mx.util.is_np_array():
        raise NetworkError("MXNet exports networks of its classic interface only: npx.reset_np(), then load it again.")
    check_input(net, size, len(net.classes))
    symbol, flips = _without_flips(symbol_of(net))
    with tempfile.TemporaryDirectory() as folder:
        model = onnx.load(_by_mxnet(net, symbol, size, Path(folder, "net.onnx")))
    if flips:
        _flip(onnx, model.graph, flips)
    _take_pixels(onnx, model.graph, size)
    _give_probabilities(onnx, model.graph, len(net.classes))
    if half:
        _halve(onnx, model.graph)
    model.ir_version, model.opset_import[0].version = IR_VERSION, OPSET
    model.producer_name, model.producer_version = "d2ltl", __version__
    about = {name: getattr(net, name, None) for name in ("calibrated", "levels")}
    about.update(classes=net.classes, size=size)
    onnx.helper.set_model_props(model, {name: json.dumps(value) for name, value in about.items()})
    with atomic_write(file) as temporary:
        temporary.write_bytes(model.SerializeToString())
        return _difference(net, OnnxNet(temporary), HALF_TOLERANCE if half else TOLERANCE)


def _without_flips(symbol: mx.sym.Symbol) -> tuple[mx.sym.Symbol, set[str]]:
    """Return the symbol with copies in place of the flips, which MXNet cannot export, and the names of the copies."""
    graph = json.loads(symbol.tojson())
    flips = [node for node in graph["nodes"] if node["op"] == "slice" and node["attrs"].get("step") == FLIP]
    for node in flips:
        node.update(op="_copy", attrs={})
    return mx.sym.load_json(json.dumps(graph)), {node["name"] for node in flips}


def _flip(onnx: Any, graph: Any, names: set[str]) -> None:
    """Turn copies of some names into flips of height and width."""
    for name, values in (("last", [-1, -1]), ("first", [np.iinfo(np.int64).min] * 2), ("axes", [2, 3])):
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(values, dtype=np.int64), f"flip_{name}"))
    for node in graph.node:
        if node.name in names:
            node.op_type = "Slice"
            node.input.extend(["flip_last", "flip_first", "flip_axes", "flip_last"])


def _by_mxnet(net: HybridBlock, symbol: mx.sym.Symbol, size: int, file: Path) -> str:
    """Write the network, from normalised images to outputs, by MXNet's own exporter."""
    values = {parameter.name: mx.nd.array(value_of(parameter)) for parameter in parameters_of(net)}
    shape = (1, 3, size, size)
    try:
        return mx.onnx.export_model(
            symbol, values, [shape], np.float32, os.fspath(file),
            dynamic=True, dynamic_input_shapes=[("n", *shape[1:])],
        )  # fmt: skip
    except Exception as error:  # the exporter's exceptions are of many kinds
        raise NetworkError(f"MXNet cannot export {net.name} to ONNX ({error}).") from error


def _take_pixels(onnx: Any, graph: Any, size: int) -> None:
    """Put the normalisation of uint8 images before the graph, and take the parameters out of its inputs."""
    helper, types = onnx.helper, onnx.TensorProto
    (data,) = {value.name for value in graph.input} - {parameter.name for parameter in graph.initializer}
    scale, shift = 1 / (255 * np.array(IMAGENET_STD)), -np.array(IMAGENET_MEAN) / IMAGENET_STD
    for name, values in (("scale", scale), ("shift", shift)):
        graph.initializer.append(onnx.numpy_helper.from_array(values.astype(np.float32).reshape(1, 3, 1, 1), name))
    before = [
        helper.make_node("Cast", [INPUT], ["pixels"], to=types.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Mul", ["planes", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], [data]),
    ]
    for node in reversed(before):
        graph.node.insert(0, node)
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(INPUT, types.UINT8, ["n", size, size, 3]))


def _give_probabilities(onnx: Any, graph: Any, classes: int) -> None:
    """Put a softmax behind the graph."""
    (output,) = graph.output
    graph.node.append(onnx.helper.make_node("Softmax", [output.name], [OUTPUT], axis=1))
    del graph.output[:]
    graph.output.append(onnx.helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, ["n", classes]))


def _halve(onnx: Any, graph: Any) -> None:
    """Store large arrays of weights as float16, each behind a cast to float32."""
    for stored in graph.initializer:
        name, values = stored.name, onnx.numpy_helper.to_array(stored)
        if values.dtype != np.float32 or values.size < SMALL or np.abs(values).max() > np.finfo(np.float16).max:
            continue
        stored.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        graph.node.insert(0, onnx.helper.make_node("Cast", [stored.name], [name], to=onnx.TensorProto.FLOAT))


def _difference(net: HybridBlock, exported: OnnxNet, tolerance: float) -> float:
    """Return the largest difference of the probabilities for images of random squares; raise NetworkError if large."""
    rng = np.random.default_rng(0)
    places = [np.arange(exported.size) * grid // exported.size for grid in GRIDS]
    colours = [rng.integers(0, 256, (grid, grid, 3), dtype=np.uint8) for grid in GRIDS]
    pixels = np.stack([colour[place][:, place] for colour, place in zip(colours, places)])
    device = device_of(net)
    images = Augmentation([]).on_batch(to_mx(pixels)).as_in_context(device)
    expected = probabilities(for_inference([net], device)(images)).asnumpy()
    difference = float(np.abs(exported(pixels) - expected).max())
    if not difference <= tolerance:
        raise NetworkError(
            f"{net.name} differs by {difference:.2g} in ONNX Runtime; at most {tolerance:g} is allowed. Nothing was "
            "written."
        )
    return difference
