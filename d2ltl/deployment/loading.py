"""Loading of trained networks: `load_net`."""

from __future__ import annotations

import json
import logging
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from mxnet import MXNetError
from mxnet.gluon import HybridBlock, SymbolBlock

from d2ltl.comparison.runs import Run, RunFolder
from d2ltl.comparison.strategies import find_strategy
from d2ltl.datasets import BOOK
from d2ltl.errors import WeightsError
from d2ltl.models.networks import scratch_net
from d2ltl.models.onnx_net import OnnxNet
from d2ltl.models.parameters import read_parameters
from d2ltl.models.shapes import output_shape, symbol_of
from d2ltl.models.sources import class_names
from d2ltl.models.trained import Description, describe, note_training, read_description

logger = logging.getLogger(__name__)


def load_net(run: str | os.PathLike[str], *, net: str | None = None, size: int | None = None) -> Any:
    """Return a trained network with its `classes` (names) and the `size` of its images (pixels).

    Its probabilities are calibrated: its outputs are divided by the temperature that was fitted after the training.

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
        Name of the network in the zoo, for a ``.params`` file without a description.
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
        return OnnxNet(path)
    file = find_parameters(path)
    symbol = file.with_name(re.sub(r"-\d{4}$", "", file.stem) + "-symbol.json")
    if symbol.exists():
        return _exported_net(file, symbol, BOOK.size if size is None else size)
    description = _description_of(file, net)
    return replace(description, size=description.size if size is None else size).load(file)


def find_parameters(run: Path) -> Path:
    """Return the ``.params`` file of a run; see `load_net`."""
    if (run / "settings.json").exists():
        return _best_run(run)
    if run.is_dir() and run.name == "runs":
        return find_parameters(run.parent)
    plain = run.with_name(re.sub(r"\.(params|run\.json|json)$", "", run.name) + ".params")
    if plain.is_file():
        return plain
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
    name = f"{best.strategy}, seed {best.seed}" + (f", fold {fold[1]}" if fold else "")
    if len(runs) > 1:
        name += f", the most accurate of {len(runs)} networks"
    logger.info("%s: %s", folder, name)
    return file


def _description_of(file: Path, net: str | None) -> Description:
    """Return the description of a network from its file, its comparison (version 0.1), or its name in the zoo."""
    if description := read_description(file.with_suffix(".json")):
        return description
    names = file.with_suffix(".json")
    if net is not None:
        outputs = [array for key, array in read_parameters(file).items() if key.startswith("output.")]
        return Description(net, None, class_names(names, len(outputs[0]) if outputs else 0), BOOK.size)
    settings, run = file.parent.parent / "settings.json", RunFolder(file.parent).finished().get(file)
    if run and settings.exists():
        recorded = json.loads(settings.read_text(encoding="utf-8"))
        classes = class_names(names)
        trained = find_strategy(run.strategy).make_net(len(classes), scratch_net(len(classes), recorded["net"]))
        note_training(trained, classes, recorded["size"])
        return describe(trained)
    raise WeightsError(f"{file} does not say of which network it is. Name it: --net (load_net: net='resnet18_v2').")


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
    note_training(net, class_names(symbol.with_name(symbol.name.replace("-symbol", "")), outputs[1]), size)
    return net
