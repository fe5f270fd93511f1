"""Trained networks on disk: their parameters, and what is needed to use them again."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mxnet.gluon import HybridBlock

from d2ltl.data.folders import ImageFolder
from d2ltl.errors import SettingsError, WeightsError
from d2ltl.files import write_json
from d2ltl.models.networks import early_net, scratch_net
from d2ltl.models.parameters import parameters_of, set_value, value_of, write_parameters
from d2ltl.models.sources import fill


@dataclass(frozen=True)
class Description:
    """What a file of parameters does not say of a network.

    Attributes
    ----------
    net : str
        Name of the network in the zoo.
    stage : int, optional
        Number of the last stage of the network, if it consists of the first stages only (`early_net`).
    classes : list of str
        Names of the classes, in the order of the outputs.
    size : int
        Height and width of the images that the network was trained on, in pixels.
    temperature : float, optional
        The number that the outputs are divided by before the softmax (`d2ltl.calibrate`); None if the network was not
        calibrated.
    levels : pair of float, optional
        The pixels that are black and white, of training images with more than 8 bits.
    """

    net: str
    stage: int | None
    classes: list[str]
    size: int
    temperature: float | None = None
    levels: list[float] | None = None

    def load(self, file: Path) -> HybridBlock:
        """Return the network with the parameters in a ``.params`` file, and outputs divided by the temperature."""
        net = scratch_net(len(self.classes), self.net)
        if self.stage is not None:
            net = early_net(len(self.classes), net, self.stage)
        fill(net, file, self.net)
        if self.temperature is not None:
            _divide_outputs(net, self.temperature)
        net.classes, net.size, net.levels = self.classes, self.size, self.levels and tuple(self.levels)
        net.calibrated = self.temperature is not None
        return net


def _divide_outputs(net: HybridBlock, temperature: float) -> None:
    """Divide the weights and biases of the last layer that has some. The layers after it only pool and clip at 0."""
    last = parameters_of(net.output)[-1].name.rpartition("_")[0]
    for parameter in parameters_of(net.output):
        if parameter.name.rpartition("_")[0] == last:
            set_value(parameter, value_of(parameter) / temperature)


def note_training(net: HybridBlock, images: ImageFolder, size: int) -> None:
    """Note on a network, at the beginning of its training, its classes, and the size and the levels of its images."""
    net.classes, net.size, net.levels = list(images.synsets), size, images.levels
    net.calibrated = False


def describe(net: HybridBlock) -> Description:
    """Return the description of a network; raise SettingsError if it was not trained here, or comes from no zoo."""
    stage = getattr(net, "stage", None)
    name = getattr(net, "zoo_name" if stage is None else "source_name", None)
    if name is None or not hasattr(net, "size"):
        missing = "comes from no zoo" if name is None else "was not trained by this library"
        raise SettingsError(f"{net.name} {missing}, so it has no description. net.save_parameters writes its weights.")
    return Description(name, stage, net.classes, net.size, levels=net.levels and list(net.levels))


def save_net(net: HybridBlock, file: str | os.PathLike[str], temperature: float | None = None) -> None:
    """Write a trained network: its parameters to a ``.params`` file, its `Description` to the ``.json`` file beside it.

    `d2ltl.load_net` reads both.

    Parameters
    ----------
    net : HybridBlock
        A network from `finetune_net`, `scratch_net` or `early_net` that was trained.
    file : path
        Path of the ``.params`` file.
    temperature : float, optional
        From `d2ltl.calibrate`; `load_net` divides the outputs by it.

    Raises
    ------
    SettingsError
        If the network was not trained by this library, or comes from no zoo. If the file does not end with ``.params``.
    """
    if Path(file).suffix != ".params":
        raise SettingsError(f"{file} should end with .params.")
    description = replace(describe(net), temperature=temperature)
    write_parameters(net, file)
    write_json(Path(file).with_suffix(".json"), asdict(description))


def read_description(file: Path) -> Description | None:
    """Return the description in a ``.json`` file; None if there is no file, or one with class names only."""
    if not file.exists():
        return None
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return Description(**values) if isinstance(values, dict) else None
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{file} is not the description of a network, or is damaged ({error}).") from error
