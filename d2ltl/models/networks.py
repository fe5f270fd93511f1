"""The networks of the chapter, for fine-tuning and for training from scratch; the output weights of a class."""

from __future__ import annotations

from typing import Any

import numpy as np
from mxnet import init
from mxnet.gluon import HybridBlock, nn

from d2ltl.errors import NetworkError, SettingsError
from d2ltl.models.freezing import first_stages
from d2ltl.models.parameters import parameter_of, parameters_of, set_value, value_of
from d2ltl.models.shapes import output_shapes, working_size
from d2ltl.models.sources import build_net, source_net


def finetune_net(classes: int = 2, source: HybridBlock | None = None, lr_mult: float = 10) -> HybridBlock:
    """Return a network with the pretrained features of the source model and a new output layer (section 13.2).

    The parameters of the features are copied, so training the network does not change the source model. (The book's
    ``finetune_net.features = pretrained_net.features`` makes both networks share their parameters. A second run then
    starts from the result of the first run.)

    Parameters
    ----------
    classes : int
        Number of classes of the target task, at least 2.
    source : HybridBlock, optional
        Source model from `source_net`; by default ``source_net()``.
    lr_mult : float
        Factor of the learning rate for the new output layer, which is Xavier-initialised.
    """
    source = source_net() if source is None else source
    if not isinstance(source, HybridBlock):
        raise NetworkError(f"source is {source!r}; it is a source model from source_net(), the argument after classes.")
    if not hasattr(source, "zoo_name"):
        raise NetworkError(f"{source.name} does not know its name in the zoo; get the source model by source_net().")
    net = _new_net(classes, source.zoo_name)
    for target, origin in zip(parameters_of(net.features), parameters_of(source.features)):
        set_value(target, value_of(origin))
    net.output.initialize(init.Xavier())
    net.output.collect_params().setattr("lr_mult", lr_mult)
    return net


class _EarlyNet(HybridBlock):
    """The first stages of a network, as `features`, and an output layer. Feature maps are averaged between them."""

    def __init__(self, layers: list[HybridBlock], channels: int, is_map: bool, classes: int) -> None:
        super().__init__()
        self.features = nn.HybridSequential(prefix="")
        self.features.add(*layers, *([nn.GlobalAvgPool2D(), nn.Flatten()] if is_map else []))
        self.output = nn.Dense(classes, in_units=channels)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return self.output(self.features(x))


def early_net(classes: int, source: HybridBlock, k: int) -> HybridBlock:
    """Return a network of the first `k` stages of a source model, copied, and a new output layer.

    Early stages are general, late stages are specific to the source set (Yosinski et al. 2014). A linear classifier on
    the codes of an early stage (`d2ltl.train_on_codes`) can be more accurate if the images are unlike the source set.
    The parameters of this network do not make a source model: the later stages are missing. See `finetune_net` for
    `classes`, and `d2ltl.models.freezing.stages` for the stages.
    """
    net = finetune_net(classes, source)
    layers = first_stages(net, k)
    *_, (_, shape) = output_shapes(layers, working_size(net))
    early = _EarlyNet(layers, shape[1], len(shape) == 4, classes)
    early.output.initialize(init.Xavier())
    early.source_name, early.stage = source.zoo_name, k
    return early


def scratch_net(classes: int = 2, name: str = "resnet18_v2") -> HybridBlock:
    """Return an untrained, Xavier-initialised network, to be trained from scratch (section 13.2).

    `classes` is at least 2. `name` is the name of a model in Gluon's or GluonCV's model zoo (see `source_net`).
    """
    net = _new_net(classes, name)
    net.initialize(init.Xavier())
    return net


def _new_net(classes: int, name: str) -> HybridBlock:
    if classes < 2:
        raise SettingsError(f"classes is {classes}; a classifier tells at least 2 apart.")
    return build_net(name, classes=classes)


def class_row(net: HybridBlock, which: int | str) -> np.ndarray:
    """Return the weights of one class in the output layer: float32, shape (1, channels).

    Exercise 4 of section 13.2 uses row 713 of an ImageNet model for the hot dog. Among the 1,000 ImageNet classes, 713
    is the photocopier; the hot dog is 934.

    `which` is the index of the class, or its name in the attribute `classes` of the network. Case is ignored, and a
    part of the name is enough if it is unique.

    Raises
    ------
    SettingsError
        If the class does not exist, or several classes match the name.
    """
    rows = value_of(parameter_of(net.output, "weight"))
    index = _class_index(getattr(net, "classes", []), which) if isinstance(which, str) else which
    if not 0 <= index < len(rows):
        raise SettingsError(f"There is no class {index}; the network has classes 0 to {len(rows) - 1}.")
    return rows[index].reshape(1, -1)


def _class_index(names: list[str], wanted: str) -> int:
    folded = [name.casefold() for name in names]
    found = [i for i, name in enumerate(folded) if name == wanted.casefold()]
    found = found or [i for i, name in enumerate(folded) if wanted.casefold() in name]
    if len(found) == 1:
        return found[0]
    if not found:
        raise SettingsError(f"No class of the network is called {wanted!r}.")
    candidates = ", ".join(f"{i} ({names[i]})" for i in found[:10])
    raise SettingsError(f"{wanted!r} may be any of {candidates}; give the index.")
