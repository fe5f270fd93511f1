"""The CUDA libraries that pip installed, for the build of MXNet for NVIDIA GPUs (extra ``cu112``)."""

from __future__ import annotations

import ctypes
from importlib.util import find_spec
from pathlib import Path

# What MXNet's library links, but for the driver's libcuda.so.1; each after those that it needs itself.
LIBRARIES = (
    "libcudart.so.11.0",
    "libnvrtc.so.11.2",
    "libcublas.so.11",
    "libcufft.so.10",
    "libcurand.so.10",
    "libcusolver.so.11",
    "libcudnn.so.8",
    "libnccl.so.2",
    "libnvToolsExt.so.1",
)


def load_libraries() -> list[Path]:
    """Load the CUDA libraries of NVIDIA's packages, and return their files: none if no such package is installed.

    The dynamic linker does not look into ``site-packages/nvidia/*/lib`` for what MXNet's library links, but it takes a
    library of the same name that is already loaded.
    """
    nvidia = find_spec("nvidia")  # a namespace, shared by all packages of NVIDIA
    folders = [Path(folder) for folder in (nvidia and nvidia.submodule_search_locations) or ()]
    files = [file for name in LIBRARIES for folder in folders for file in folder.glob(f"*/lib/{name}")]
    for file in files:
        ctypes.CDLL(str(file), mode=ctypes.RTLD_GLOBAL)
    return files
