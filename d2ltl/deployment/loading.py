"""Loading of trained networks: `load_net`."""

from __future__ import annotations

import glob
import logging
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from mxnet import MXNetError
from mxnet.gluon import HybridBlock, SymbolBlock

from _data_hub.language import _
from d2ltl.comparison.runs import Run, RunFolder
from d2ltl.comparison.strategies import architecture
from d2ltl.datasets import BOOK
from d2ltl.errors import WeightsError
from d2ltl.models.onnx_net import OnnxNet
from d2ltl.models.parameters import read_parameters
from d2ltl.models.shapes import output_shape, symbol_of
from d2ltl.models.sources import class_names
from d2ltl.models.trained import Description, read_description

logger = logging.getLogger(__name__)


def load_net(run: str | os.PathLike[str], *, net: str | None = None, size: int | None = None) -> Any:
    """Return a trained network with its `classes` (names) and the `size` of its images (pixels).

    A comparison fits a temperature after the training, if there are enough held-out images. The outputs are divided by
    it, and the network's attribute `calibrated` is True.

    Parameters
    ----------
    run : path
        - A folder of a comparison: the network of the strategy with the best mean accuracy, and of its best seed. The
          accuracy is that on the images for validation, or else on the test images.
        - One run of it: ``results/…/runs/lp-ft-seed0``, with or without the suffix ``.params``.
        - A ``.params`` file from `save_net`, with the ``.json`` file beside it.
        - A ``.params`` file from Gluon's `export` (``net-0000.params``), with ``net-symbol.json`` beside it. The
          names of its classes may be in ``net.json``, a list.
        - An ``.onnx`` file from ``python -m d2ltl export``. Only `predict` accepts this network.
    net : str, optional
        Name of the network in the zoo, for a ``.params`` file that does not say it.
    size : int, optional
        Size of the images in pixels, if it is not that of the training, or the file does not say it (then 224).

    Returns
    -------
    HybridBlock, or for an ``.onnx`` file an `OnnxNet`

    Raises
    ------
    WeightsError, CheckpointError
        If there is no such network, or a file is damaged or of another network.
    """
    path = Path(run)
    if path.suffix == ".onnx":
        exported = OnnxNet(path)
        if size not in (None, exported.size):
            raise WeightsError(f"{path} has the size {exported.size}, and no other.")
        return exported
    file = find_parameters(path)
    symbol = file.with_name(re.sub(r"-\d{4}$", "", file.stem) + "-symbol.json")
    if symbol.exists():
        return _exported_net(file, symbol, BOOK.size if size is None else size)
    description = _description_of(file, net)
    if net not in (None, description.net):
        raise WeightsError(f"{file} is of the network {description.net}, not of {net}.")
    return replace(description, size=description.size if size is None else size).load(file)


def find_parameters(run: Path) -> Path:
    """Return the ``.params`` file of a run; see `load_net`."""
    path = Path(os.path.abspath(run))
    if (path / "settings.json").exists():
        return _best_run(path)
    if path.is_dir() and path.name == "runs":
        return find_parameters(path.parent)
    stem = re.sub(r"\.(params|run\.json|json)$", "", path.name)
    file = path.parent / f"{stem}.params"
    if file.is_file():
        return file
    if folds := sorted(path.parent.glob(f"{glob.escape(stem)}-fold*.params")):
        names = ", ".join(fold.stem for fold in folds)
        raise WeightsError(f"{run} is of a cross-validation, which has a network for each fold. Name one: {names}.")
    raise WeightsError(
        f"{run} is not a trained network. Give the folder of a comparison (results/…), one of its runs "
        "(results/…/runs/lp-ft-seed0), a .params file, or an .onnx file."
    )


def _best_run(folder: Path) -> Path:
    runs = RunFolder(folder / "runs").finished()
    if not runs:
        raise WeightsError(f"{folder} holds no finished run. Finish the comparison: --out {folder} --resume.")

    def accuracy(run: Run) -> float:  # on the images for validation, if there are any
        return run.history.curve("test_acc")[-1]

    def mean(strategy: str) -> float:
        of_seeds = [accuracy(run) for run in runs.values() if run.strategy == strategy]
        return sum(of_seeds) / len(of_seeds)

    file, best = max(runs.items(), key=lambda item: (mean(item[1].strategy), accuracy(item[1])))
    fold = re.search(r"-fold(\d+)$", file.stem)
    name = _("{strategy}, seed {seed}").format(strategy=best.strategy, seed=best.seed)
    if fold:
        name = _("{run}, fold {fold}").format(run=name, fold=fold[1])
    if len(runs) > 1:
        name = _("{run}, the most accurate of {number} networks").format(run=name, number=len(runs))
    logger.info("%s: %s", folder, name)
    return file


def _description_of(file: Path, net: str | None) -> Description:
    """Return the description of a network from its file, its comparison (version 0.1), or its name in the zoo."""
    names = file.with_suffix(".json")
    if description := read_description(names):
        return description
    comparison = RunFolder(file.parent)
    if (run := comparison.finished().get(file)) and (settings := comparison.settings()):
        name, stage = architecture(run.strategy, settings["net"])
        return Description(name, stage, class_names(names, len(run.confusion)), settings["size"])
    arrays = read_parameters(file)
    outputs = [array for key, array in arrays.items() if key.startswith("output.")]
    if not outputs:
        missing = " Put the file …-symbol.json beside it." if any(key.startswith("arg:") for key in arrays) else ""
        raise WeightsError(f"{file} holds no parameters of an output layer (output.weight, …).{missing}")
    if net is None:
        raise WeightsError(f"{file} does not say of which network it is. Name it: --net (load_net: net='resnet18_v2').")
    return Description(net, None, class_names(names, len(outputs[0])), BOOK.size)


def _exported_net(file: Path, symbol: Path, size: int) -> HybridBlock:
    """Return a network that Gluon exported, of which only the symbol and the parameters are known."""
    try:
        net = SymbolBlock.imports(os.fspath(symbol), ["data"], os.fspath(file))
        outputs = output_shape(symbol_of(net), size)
    except (MXNetError, ValueError, AssertionError) as error:
        raise WeightsError(
            f"{file} and {symbol} are not an exported network ({str(error).splitlines()[0]})."
        ) from error
    if outputs is None or len(outputs) != 2:
        raise WeightsError(f"{symbol} does not classify images of {size} × {size} pixels; give another size.")
    net.classes = class_names(symbol.with_name(symbol.name.replace("-symbol", "")), outputs[1])
    net.size, net.levels, net.calibrated = size, None, False
    return net
