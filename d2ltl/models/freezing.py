"""Freezing and reinitialising the layers and stages of a network."""

from __future__ import annotations

from mxnet import init
from mxnet.gluon import Block, HybridBlock, nn

from d2ltl.errors import SettingsError
from d2ltl.models.parameters import parameters_of
from d2ltl.models.shapes import output_shapes, working_size


def freeze(block: Block, batch_norm: str = "book") -> None:
    """Freeze the parameters of a block: training does not change them (exercise 3 of section 13.2).

    Parameters
    ----------
    block : Block
        Usually ``net.features``.
    batch_norm : {'book', 'fixed'}
        ``'book'`` only sets the ``grad_req`` of every parameter to ``'null'``, as the exercise says. Batch
        normalisation still uses the statistics of each batch in training, and the running statistics at test time. The
        features of an image therefore differ between training and test. ``'fixed'`` uses the running statistics in
        training too, so the features do not change. If a hybridized network has already run, hybridize it again after
        this call (`train_fine_tuning` does so).
    """
    if batch_norm not in ("book", "fixed"):
        raise SettingsError(f"batch_norm is {batch_norm!r}; it is 'book' or 'fixed'.")
    block.collect_params().setattr("grad_req", "null")
    if batch_norm == "fixed":
        use_running_statistics(block)


def use_running_statistics(block: Block) -> None:
    """Make the batch normalisation of a block use its running statistics in training too, as in evaluation.

    The scales and shifts are still trained. Small batches then cannot replace the statistics of a good source model.
    Keras calls it inference mode (its guide *Transfer learning & fine-tuning*). If a hybridized network has already
    run, hybridize it again after this call (`train_fine_tuning` does so).
    """

    def change(layer: Block) -> None:
        if isinstance(layer, nn.BatchNorm):
            layer._kwargs["use_global_stats"] = True  # in Gluon, only the constructor can set it
            layer.hybridize()  # discards the graph compiled with the old setting

    block.apply(change)


def stages(net: HybridBlock) -> list[list[Block]]:
    """Return the layers of `net.features` grouped into stages, first to last.

    A stage begins at a layer that changes the height and width of its input, or at a dense layer (VGG, AlexNet). Every
    stage contains at least one layer with weights. A ResNet-18 has 5 stages: the first convolution, and the four stages
    of residual blocks (He et al. 2016).
    """
    groups: list[list[Block]] = []
    before: tuple[int, ...] = ()
    for layer, shape in output_shapes(net.features, working_size(net)):
        if groups and shape[2:] == before[2:] and not (len(shape) == 2 and _has_weights([layer])):
            groups[-1].append(layer)
        else:
            groups.append([layer])
        before = shape
    return _merge_weightless(groups)


def _merge_weightless(groups: list[list[Block]]) -> list[list[Block]]:
    merged: list[list[Block]] = []
    for group in groups:
        if merged and not (_has_weights(group) and _has_weights(merged[-1])):
            merged[-1] += group
        else:
            merged.append(group)
    return merged


def _has_weights(layers: list[Block]) -> bool:
    return any(parameter.name.endswith("weight") for layer in layers for parameter in parameters_of(layer))


def freeze_stages(net: HybridBlock, k: int, batch_norm: str = "book") -> None:
    """Freeze the first `k` stages of a network; training changes only the later layers.

    A ResNet-18 has 5 stages (`d2ltl.models.freezing.stages`). Early layers are general and can be kept for a small
    target set (Yosinski et al. 2014, *How transferable are features in deep neural networks?*). See `freeze` for
    `batch_norm`.
    """
    for layer in first_stages(net, k):
        freeze(layer, batch_norm)


def reinitialize_stages(net: HybridBlock, k: int, lr_mult: float = 10) -> None:
    """Reinitialise all layers after the first `k` stages of a network with Xavier initialisation.

    The first `k` stages (see `freeze_stages`) keep their pretrained weights, as in the experiment of Yosinski et al.
    (2014). No layer is frozen. `lr_mult` is the factor of the learning rate for the reinitialised layers, the output
    layer included.
    """
    kept = first_stages(net, k)
    for layer in [layer for layer in net.features if layer not in kept] + [net.output]:
        layer.initialize(init.Xavier(), force_reinit=True)
        layer.collect_params().setattr("lr_mult", lr_mult)


def decay_rates(net: HybridBlock, factor: float = 0.5) -> None:
    """Set the learning rates of the stages of a network: each learns at `factor` times the rate of the stage after it.

    The last stage learns at `factor` times the rate of the output layer, whose ``lr_mult`` becomes 1. Early layers are
    general and need to change less. This is also called layer-wise learning rate decay, or discriminative fine-tuning
    (Howard and Ruder 2018, *Universal Language Model Fine-tuning for Text Classification*).
    """
    if not 0 < factor <= 1:
        raise SettingsError(f"factor is {factor}; it is above 0, and 1 at most.")
    for depth, layers in enumerate(reversed([*stages(net), [net.output]])):
        for layer in layers:
            layer.collect_params().setattr("lr_mult", factor**depth)


def first_stages(net: HybridBlock, k: int) -> list[Block]:
    """Return the layers of the first `k` stages of a network; raise SettingsError if it has fewer stages."""
    groups = stages(net)
    if not 0 <= k <= len(groups):
        raise SettingsError(f"{net.name} has {len(groups)} stages; {k} of them cannot be taken.")
    return [layer for group in groups[:k] for layer in group]


def freeze_layers(net: HybridBlock, trained: int = 3, batch_norm: str = "book") -> None:
    """Freeze all layers except the last `trained` ones, which include the output layer.

    Only layers with weights count, in the order in which the network registers them: convolutions and dense layers, but
    not activations, pooling or batch normalisation. Batch normalisation layers after the first trained layer are
    trained too. The last three layers of a VGG-16 are its dense layers. Those of a ResNet-18 are the output layer and
    the two convolutions of the last residual block. For the frozen layers, `batch_norm` has the same meaning as in
    `freeze`.
    """
    layers: list[Block] = []
    net.apply(lambda block: layers.append(block) if list(block.params) else None)
    weighted = [i for i, layer in enumerate(layers) if _has_weights([layer])]
    if not 1 <= trained <= len(weighted):
        raise SettingsError(f"trained is {trained}; {net.name} has {len(weighted)} layers with weights.")
    for layer in layers[: weighted[-trained]]:
        freeze(layer, batch_norm)
