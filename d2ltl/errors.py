"""The exceptions of the library. Every message names the file or the value, and says what to do."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Sequence
from typing import Any

from d2ltl.cuda import LIBRARIES
from data_hub import D2LTLError as D2LTLError


class ImageFolderError(D2LTLError):
    """Raised if a folder of images cannot be used, or an image cannot be read."""


class WeightsError(D2LTLError):
    """Raised if pretrained weights are missing, damaged, or belong to another network."""


class NetworkError(D2LTLError):
    """Raised if a network does not exist, or cannot run on this input or with this array interface."""


class DeviceError(D2LTLError):
    """Raised if a device does not exist on this machine."""


class SettingsError(D2LTLError):
    """Raised if an argument has an invalid value."""


class DivergenceError(D2LTLError):
    """Raised if the training loss becomes infinite or NaN."""


class CheckpointError(D2LTLError):
    """Raised if a checkpoint or an output folder is damaged, or was written with other settings."""


class ClusterError(D2LTLError):
    """Raised if a Dask cluster cannot be reached, or goes away."""


class WorkerError(D2LTLError):
    """Raised if a process of a data-parallel training fails or dies."""


class MissingMXNetError(D2LTLError, ModuleNotFoundError):
    """Raised if MXNet is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "d2ltl needs MXNet 1.9.1, which is not installed. Install it with: pip install mxnet==1.9.1 "
            "(the extra cpu), or pip install 'd2ltl[cu112]' for NVIDIA GPUs."
        )


class MissingLibraryError(D2LTLError, OSError):
    """Raised if MXNet is installed, and a shared library that it links is not on this machine."""

    def __init__(self, library: str) -> None:
        super().__init__(f"MXNet cannot be loaded, because {library} is not on this machine. {_remedy_for(library)}")


def _remedy_for(library: str) -> str:
    if library.startswith("libcuda.so"):
        return (
            "It comes with the driver of an NVIDIA GPU. Install the driver. For a machine without such a GPU, make "
            "another environment with: pip install 'd2ltl[cpu]'"
        )
    if library in LIBRARIES:
        return "Install it with: pip install 'd2ltl[cu112]'"
    return (
        "Install the package of the system that has it. What MXNet needs, Debian and Ubuntu install with: "
        "apt-get install libgomp1 libquadmath0"
    )


@contextlib.contextmanager
def explain_missing_mxnet() -> Iterator[None]:
    """Raise `MissingMXNetError` or `MissingLibraryError` if the block fails to import mxnet."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "mxnet":
            raise
        raise MissingMXNetError from None
    except OSError as error:  # of the dynamic linker
        library, _, reason = str(error).partition(": ")
        if not reason.startswith("cannot open shared object file"):
            raise
        raise MissingLibraryError(library) from None


def require(module: str, extra: str) -> Any:
    """Import a module of an extra, and return it; raise SettingsError with the extra if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SettingsError(
            f"This needs the package {module}, which cannot be imported ({error}). The extra {extra} installs it: "
            f"pip install 'd2ltl[{extra}]', or in a clone pip install -e '.[{extra}]'."
        ) from error


def check_some(**sequences: Sequence[Any]) -> None:
    """Refuse an argument that is an empty sequence, or has a value twice."""
    for name, values in sequences.items():
        if not values or len(set(values)) < len(values):
            raise SettingsError(f"{name} is {list(values)}; give at least one, and each once.")


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse seeds that are none, not different, or below 0."""
    check_some(seeds=seeds)
    if min(seeds) < 0:
        raise SettingsError(f"A seed is {min(seeds)}; seeds are 0 or more.")
