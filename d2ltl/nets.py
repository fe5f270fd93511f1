"""The networks of the chapter: fine-tuned and from scratch, frozen layers, the row of a class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import mxnet as mx
import numpy as np
from mxnet import init
from mxnet.gluon import Block, HybridBlock, Parameter

from d2ltl.errors import NetworkError, SettingsError
from d2ltl.precision import check_interface
from d2ltl.zoo import build_net, source_net, use_running_statistics

MAX_SIZE = 512  # pixels; up to here check_input looks for a size that the network can run


def finetune_net(classes: int = 2, source: HybridBlock | None = None, lr_mult: float = 10) -> HybridBlock:
    """Return the source model's features under a new output layer (section 13.2).

    The features are copied: training the result leaves the source model as it was, and each call starts from the
    source's weights. (The book's ``finetune_net.features = pretrained_net.features`` makes both networks share
    their parameters, so that a second run starts from the first one's result.)

    Parameters
    ----------
    classes : int
        Classes of the target task.
    source : HybridBlock, optional
        A model of `source_net`; ``source_net()`` by default.
    lr_mult : float
        How many times the learning rate the new, Xavier-initialised output layer learns at.
    """
    source = source_net() if source is None else source
    if not hasattr(source, "zoo_name"):
        raise NetworkError(f"{source.name} does not know its name in the zoo; get the source model by source_net().")
    net = _new_net(classes, source.zoo_name)
    for target, origin in zip(_parameters(net.features), _parameters(source.features)):
        target.shape = origin.shape  # known, so that nothing waits for a first batch
        target.initialize()
        target.set_data(origin.data(origin.list_ctx()[0]).as_in_context(mx.cpu()))
    net.output.initialize(init.Xavier())
    net.output.collect_params().setattr("lr_mult", lr_mult)
    return net


def scratch_net(classes: int = 2, name: str = "resnet18_v2") -> HybridBlock:
    """Return the same network with every parameter Xavier-initialised, to be trained from scratch (13.2)."""
    net = _new_net(classes, name)
    net.initialize(init.Xavier())
    return net


def _new_net(classes: int, name: str) -> HybridBlock:
    if classes < 2:
        raise SettingsError(f"classes is {classes}; a classifier tells at least 2 apart.")
    return build_net(name, classes=classes)


def _parameters(block: Block) -> list[Parameter]:
    return list(block.collect_params().values())


def freeze(block: Block, batch_norm: str = "book") -> None:
    """Keep the parameters of a block as they are in training (exercise 3 of section 13.2).

    Parameters
    ----------
    block : Block
        Usually ``net.features``.
    batch_norm : {'book', 'fixed'}
        ``'book'`` sets every parameter's ``grad_req`` to ``'null'`` and nothing else, as the exercise says: while
        training, batch normalisation still normalises by the statistics of each batch, but at test time by
        the running ones, so that the frozen features of an image are not the same. ``'fixed'`` normalises by the
        running statistics in training too: the features are truly fixed. A network that has run hybridized must be
        hybridized again to notice (`train_fine_tuning` does so).
    """
    if batch_norm not in ("book", "fixed"):
        raise SettingsError(f"batch_norm is {batch_norm!r}; it is 'book' or 'fixed'.")
    block.collect_params().setattr("grad_req", "null")
    if batch_norm == "fixed":
        block.apply(use_running_statistics)


def stages(net: HybridBlock) -> list[list[Block]]:
    """Return the layers of `net.features` in stages, first to last.

    A stage begins where a layer changes the height and width of its input, or is a dense layer (VGG, AlexNet), and
    holds at least one layer with weights. A ResNet-18 has 5: its first convolution, and the four stages of residual
    blocks that the paper names.

    Raises
    ------
    NetworkError
        If the active array interface cannot run the network.
    """
    groups: list[list[Block]] = []
    before: tuple[int, ...] = ()
    size = 224 if _output_shape(_symbol(net), 224) else 299  # Inception's
    for layer, shape in output_shapes(net.features, size):
        if groups and shape[2:] == before[2:] and not (len(shape) == 2 and _has_weights([layer])):
            groups[-1].append(layer)
        else:
            groups.append([layer])
        before = shape
    return _merge_weightless(groups)


def output_shapes(layers: Iterable[Block], size: int) -> Iterator[tuple[Block, tuple[int, ...]]]:
    """Yield each of some layers, run one after the other, with the shape of what it makes of one image.

    The image has `size` × `size` pixels. The shape is empty where the layer cannot run on what the last one gives.
    """
    x = _input_symbol()
    for layer in layers:
        x = layer(x)
        yield layer, _output_shape(x, size) or ()


def _merge_weightless(groups: list[list[Block]]) -> list[list[Block]]:
    merged: list[list[Block]] = []
    for group in groups:
        if merged and not (_has_weights(group) and _has_weights(merged[-1])):
            merged[-1] += group
        else:
            merged.append(group)
    return merged


def _has_weights(layers: list[Block]) -> bool:
    return any(parameter.name.endswith("weight") for layer in layers for parameter in _parameters(layer))


def freeze_stages(net: HybridBlock, k: int, batch_norm: str = "book") -> None:
    """Keep the first `k` of the network's `stages` as they are, and leave the rest to be trained.

    With small target sets the early, general layers are kept (Yosinski et al. 2014, *How transferable are features
    in deep neural networks?*). `batch_norm` is that of `freeze`.
    """
    for layer in first_stages(net, k):
        freeze(layer, batch_norm)


def reinitialize_stages(net: HybridBlock, k: int, lr_mult: float = 10) -> None:
    """Keep the first `k` of the network's `stages` as they are, and Xavier-initialise all layers after them.

    The counterpart of `freeze_stages` in the experiment of Yosinski et al. (2014): what the first stages bring is
    transferred, what the later ones learned is forgotten. None are frozen. The new layers, the output among them,
    learn at `lr_mult` times the learning rate, as the output of `finetune_net` does.
    """
    kept = first_stages(net, k)
    for layer in [layer for layer in net.features if layer not in kept] + [net.output]:
        layer.initialize(init.Xavier(), force_reinit=True)
        layer.collect_params().setattr("lr_mult", lr_mult)


def first_stages(net: HybridBlock, k: int) -> list[Block]:
    """Return the layers of the first `k` of the network's `stages`.

    Raises
    ------
    SettingsError
        If it has fewer.
    """
    groups = stages(net)
    if not 0 <= k <= len(groups):
        raise SettingsError(f"{net.name} has {len(groups)} stages; {k} of them cannot be taken.")
    return [layer for group in groups[:k] for layer in group]


def freeze_layers(net: HybridBlock, trained: int = 3, batch_norm: str = "book") -> None:
    """Keep all layers as they are but the last `trained` ones, the output layer among them.

    A layer counts if it has weights: convolutions and dense layers do; activations, pooling and batch normalisation do
    not. Their order is that in which the network registers them. Batch normalisation that follows the first trained
    layer is trained with it. Of a VGG-16, three layers are its dense ones; of a ResNet-18, its output layer and the two
    convolutions of its last block. `batch_norm` is that of `freeze`, for the layers that are kept.

    Raises
    ------
    SettingsError
        If the network does not have so many layers, or `trained` is less than 1.
    """
    layers: list[Block] = []
    net.apply(lambda block: layers.append(block) if list(block.params) else None)
    weighted = [i for i, layer in enumerate(layers) if _has_weights([layer])]
    if not 1 <= trained <= len(weighted):
        raise SettingsError(f"trained is {trained}; {net.name} has {len(weighted)} layers with weights.")
    for layer in layers[: weighted[-trained]]:
        freeze(layer, batch_norm)


def class_row(net: HybridBlock, which: int | str) -> np.ndarray:
    """Return the output layer's weights of one class: float32, shape (1, number of features).

    Exercise 4 of section 13.2 takes row 713 of an ImageNet model for the hot dog. In the 1,000 ImageNet classes 713
    is the photocopier; the hot dog is 934.

    Parameters
    ----------
    net : HybridBlock
        A network whose output has one row of weights per class; with `classes`, the names, to look up a name.
    which : int or str
        The index of the class, or its name (upper and lower case are the same; part of a name will do if only
        one class has it).

    Raises
    ------
    SettingsError
        If there is no such class, or more than one.
    """
    weights = next(p for p in _parameters(net.output) if p.name.endswith("weight"))
    rows = weights.data(weights.list_ctx()[0]).asnumpy()
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


def check_input(net: HybridBlock, size: int, classes: int | None = None) -> None:
    """Refuse a network that cannot run images of `size` × `size` pixels, or has other than `classes` outputs.

    Nothing is computed: only the shapes are inferred.

    Raises
    ------
    NetworkError
        With the smallest size that the network can run, or the remedy where the active array interface is
        one that it cannot run on.
    """
    check_interface()
    output = _symbol(net)
    shape = _output_shape(output, size)
    if shape is not None and classes in (None, shape[1]):
        return
    if shape is not None:
        raise NetworkError(f"{net.name} has {shape[1]} outputs, but the images have {classes} classes.")
    fits = next((s for s in range(1, MAX_SIZE + 1) if _output_shape(output, s)), None)
    advice = f"the smallest size it can run is {fits}" if fits else f"nor any other up to {MAX_SIZE}"
    raise NetworkError(f"{net.name} cannot run images of {size} × {size} pixels; {advice}.")


def _input_symbol() -> mx.sym.Symbol:
    data = mx.sym.var("data")
    return data.as_np_ndarray() if mx.util.is_np_array() else data


def _symbol(net: HybridBlock) -> mx.sym.Symbol:
    try:
        return net(_input_symbol())
    except TypeError as error:
        raise NetworkError(
            f"{net.name} cannot run under MXNet's np interface (Gluon's SqueezeNet, MobileNetV2, DenseNet and "
            "Inception cannot). Call npx.reset_np() first, or never npx.set_np()."
        ) from error


def _output_shape(output: mx.sym.Symbol, size: int) -> tuple[int, ...] | None:
    try:
        return output.infer_shape_partial(data=(1, 3, size, size))[1][0]
    except mx.MXNetError:
        return None
