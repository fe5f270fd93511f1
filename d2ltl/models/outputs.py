"""The outputs and class probabilities of a network, and the devices that it runs on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import mxnet as mx
from mxnet import gluon

from d2ltl import runtime
from d2ltl.arrays import input_symbol, operators
from d2ltl.errors import DeviceError
from d2ltl.models.parameters import parameters_of
from d2ltl.models.precision import current_precision


def outputs_of(net: gluon.HybridBlock, X: Any) -> Any:
    """Return the outputs of a network for a batch, converted to float32."""
    return float32(net(X))


def float32(outputs: Any) -> Any:
    """Return the outputs of a layer converted to float32."""
    return outputs.astype("float32", copy=False)


def probabilities(outputs: Any) -> Any:
    """Return the class probabilities for the outputs of a network: float32, shape (n, classes)."""
    return operators().softmax(float32(outputs), axis=-1)


def for_inference(layers: Iterable[gluon.HybridBlock], device: mx.Context) -> gluon.HybridBlock:
    """Return a network that runs layers one after another, compiled for inference on a device.

    On a processor, oneDNN fuses convolution, batch normalisation and activation. The results differ from those of the
    layers by rounding errors only. (In bfloat16 nothing is fused: MXNet crashes on some networks.) The network does not
    notice when the layers are trained further; the layers themselves are not changed.
    """
    parameters = gluon.ParameterDict()
    data = output = input_symbol()
    for layer in layers:
        output = layer(output)
        parameters.update(layer.collect_params())
    net = gluon.SymbolBlock(output, [data], params=parameters)
    fuses = device.device_type == "cpu" and current_precision() == "float32"
    backend = "MKLDNN" if fuses else None
    net.hybridize(backend=backend, static_alloc=True, static_shape=True)
    return net


def device_of(net: gluon.Block) -> mx.Context:
    """Return the first device of a network's parameters."""
    device: mx.Context = parameters_of(net)[0].list_ctx()[0]
    return device


def set_up(net: gluon.HybridBlock, devices: Sequence[mx.Context]) -> None:
    """Move a network to devices and hybridize it again, because a compiled graph ignores later freezing of layers."""
    move_to(net, devices)
    discard_graph(net)


def discard_graph(net: gluon.HybridBlock) -> None:
    """Hybridize a network again, which discards the compiled graph, and with it the memory of its last step."""
    net.hybridize(static_alloc=True, static_shape=True)


def move_to(net: gluon.Block, devices: Sequence[mx.Context]) -> None:
    """Move the parameters of a network to devices."""
    for parameter in parameters_of(net):
        if parameter.list_ctx() != [*devices]:
            parameter.reset_ctx([*devices])


def check_devices(devices: Sequence[mx.Context] | None) -> list[mx.Context]:
    """Return the devices as a list, by default `runtime.devices`; raise DeviceError if a GPU does not exist."""
    for device in devices or ():
        if device.device_type == "gpu" and device.device_id >= mx.context.num_gpus():
            raise DeviceError(
                f"There is no {device}: MXNet sees {mx.context.num_gpus()} GPUs. "
                "Leave `devices` out to use what there is."
            )
    return list(devices or runtime.devices())


def shards_of(batch: Any, devices: Sequence[mx.Context]) -> list[Any]:
    """Split a batch evenly over devices. A batch with fewer images than devices uses only the first devices."""
    return gluon.utils.split_and_load(batch, list(devices[: len(batch)]), even_split=False)
