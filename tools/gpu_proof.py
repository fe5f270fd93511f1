"""Prove without a GPU that MXNet's build for GPUs finds all its libraries: ``make gpu-proof``.

Run it by the Python of an environment with ``d2ltl[cu112]``. A stub compiled with gcc stands for the library of the
driver. No GPU computes anything here, and no driver is tried.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

STUB = Path(__file__).resolve().parents[1] / "tests" / "libcuda_stub.c"
LOADED = """
import ctypes, d2ltl.cuda, mxnet
for file in d2ltl.cuda.load_libraries():
    for part in file.parent.glob("libcudnn_*"):  # cuDNN loads them at the first convolution
        ctypes.CDLL(str(part))
assert mxnet.runtime.Features().is_enabled("CUDA")
assert d2ltl.devices() == [mxnet.cpu()]
print(open("/proc/self/maps").read())
"""


def run(arguments: list[str], folder: str, libraries: str = "") -> subprocess.CompletedProcess:
    """Run this Python in a folder, with another folder of libraries for the dynamic linker."""
    environment = {**os.environ, "LD_LIBRARY_PATH": libraries}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, encoding="utf-8"
    )


def main() -> None:
    """Run the proof, and print what was found; an assertion fails if something is missing."""
    compare = ["-m", "d2ltl.compare", "--size", "32", "--epochs", "1", "--out", "out"]
    with tempfile.TemporaryDirectory() as folder:
        without = run(compare, folder)
        assert without.returncode == 2, without
        assert without.stderr.count("\n") == 1, without.stderr
        print(f"Without a driver:\n{without.stderr}")

        stub = Path(folder, "stub", "libcuda.so.1")
        stub.parent.mkdir()
        subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", stub, STUB], check=True)
        with_stub = run(["-c", LOADED], folder, str(stub.parent))
        assert with_stub.returncode == 0, with_stub.stderr
        loaded = sorted(set(re.findall(r"/nvidia/\w+/lib/(\S+)", with_stub.stdout)))
        names = run(["-c", "from d2ltl.cuda import LIBRARIES; print(*LIBRARIES)"], folder).stdout.split()
        assert set(names) <= set(loaded), set(names) - set(loaded)
        print(f"With a stub for the driver, MXNet loads, and sees no GPU. Of packages: {', '.join(loaded)}\n")

        compared = run(compare, folder, str(stub.parent))
        assert compared.returncode == 0, compared.stderr
        print(compared.stdout)


if __name__ == "__main__":
    main()
