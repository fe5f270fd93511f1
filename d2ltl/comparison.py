"""The same seeds, data and epochs for every strategy: `run_comparison`."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mxnet.gluon import HybridBlock

from d2ltl import runtime
from d2ltl.data import TEST_SHARE, ImageFolder, load_images
from d2ltl.datasets import RENDERED, data_at_hand, defaults_of, find_data
from d2ltl.errors import SettingsError
from d2ltl.evaluation import confusion_matrix, predict
from d2ltl.gains import Gain, measure_gains
from d2ltl.nets import check_input
from d2ltl.precision import precision
from d2ltl.runs import Run, RunFolder
from d2ltl.strategies import BASELINE, find_strategy
from d2ltl.zoo import source_net, weights_at_hand

logger = logging.getLogger(__name__)

MISTAKES_KEPT = 8  # of each run, the most confident ones


@dataclass
class Comparison:
    """What `run_comparison` measured.

    Attributes
    ----------
    settings : dict
        Its arguments.
    classes : list of str
    images : dict
        How many to ``train`` and to ``test``, how many were ``skipped`` as unreadable, whose the ``split`` is, and
        whether they are ``rendered``.
    devices : list of str
    versions : dict
    runs : list of Run
    """

    settings: dict[str, Any]
    classes: list[str]
    images: dict[str, Any]
    devices: list[str]
    versions: dict[str, str]
    runs: list[Run]

    def of(self, strategy: str) -> list[Run]:
        """Return the runs of one strategy, by seed."""
        return sorted((run for run in self.runs if run.strategy == strategy), key=lambda run: run.seed)

    @property
    def strategies(self) -> list[str]:
        """The strategies compared, in order."""
        return list(dict.fromkeys(run.strategy for run in self.runs))

    @property
    def chance(self) -> float:
        """The accuracy of always answering the most frequent class of the test images."""
        return float(self.runs[0].confusion.sum(axis=1).max() / self.runs[0].confusion.sum())

    @property
    def gains(self) -> dict[str, dict[str, Gain]]:
        """The three gains (`d2ltl.gains`) of each strategy over training from scratch, if that was run."""
        curves = {name: [run.history.curve("test_acc") for run in self.of(name)] for name in self.strategies}
        baseline = curves.pop(BASELINE, None)
        if baseline is None:
            return {}
        return {name: measure_gains(curve, baseline, self.chance) for name, curve in curves.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON values: the content of ``report.json``."""
        gains = {
            strategy: {name: {"mean": g.mean, "sd": g.sd, "by_seed": g.by_seed} for name, g in gains.items()}
            for strategy, gains in self.gains.items()
        }
        return {
            **self.settings,
            "classes": self.classes,
            "images": self.images,
            "devices": self.devices,
            "versions": self.versions,
            "gains": gains,
            "runs": [run.to_dict() for run in self.runs],
        }


def run_comparison(
    data: str | os.PathLike[str] = "auto",
    *,
    pretrained: str | os.PathLike[str] = "auto",
    net: str = "resnet18_v2",
    size: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr_finetune: float | None = None,
    lr_scratch: float | None = None,
    seeds: Sequence[int] = (0,),
    strategies: Sequence[str] = ("finetune", "scratch"),
    skip_unreadable: bool = False,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
) -> Comparison:
    """Train a network by several strategies on the same data, epochs and seeds.

    Parameters
    ----------
    data : str or path
        A name of the data hub, a folder (see `load_images`), or an archive of such a folder. ``'auto'``: the book's
        photographs (``'hotdog'``) if they are on this machine already, else ``'hotdog-mini'``, rendered images that
        come with the library; the log says which. It never waits for a network.
    pretrained, net : str or path
        The source model: see `source_net`.
    size, epochs, batch_size : int, optional
        See `train_fine_tuning`.
    lr_finetune, lr_scratch : float, optional
        Learning rates of pretrained networks and of untrained ones. These five are by default those that suit the data
        (`d2ltl.datasets`).
    seeds : sequence of int
    strategies : sequence of str
        Names that `d2ltl.strategies.find_strategy` knows: those of its table, and ``freeze-K``.
    skip_unreadable : bool
        Leave out images that cannot be read.
    out : path, optional
        Folder for the trained parameters, for what each run recorded, and for checkpoints.
    resume : bool
        Go on with the comparison in `out` where it was stopped: the result is the same.

    Raises
    ------
    D2LTLError
        If an argument, the data or the weights cannot be used.
    """
    data = data_at_hand() if data == "auto" else os.fspath(data)
    given = {
        "size": size,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr_finetune": lr_finetune,
        "lr_scratch": lr_scratch,
    }
    settings: dict[str, Any] = {
        "data": data,
        "net": net,
        "pretrained": weights_at_hand(net) if pretrained == "auto" else os.fspath(pretrained),
        **defaults_of(data)._asdict(),
        **{name: value for name, value in given.items() if value is not None},
        "seeds": list(seeds),
        "strategies": list(strategies),
        "skip_unreadable": skip_unreadable,
        "precision": precision(),
    }
    _check(settings)
    images = load_images(find_data(data), skip_unreadable=skip_unreadable)
    source = source_net(net, settings["pretrained"])
    for name in strategies:  # what cannot be made, or cannot run, is refused before anything is trained
        check_input(
            find_strategy(name).make_net(len(images[0].synsets), source), settings["size"], len(images[0].synsets)
        )
    folder = None if out is None else RunFolder.claim(out, settings, resume)
    return Comparison(
        settings=settings,
        classes=list(images[0].synsets),
        images={**_describe(*images), "rendered": data == RENDERED},
        devices=[str(device) for device in runtime.devices()],
        versions=runtime.versions(),
        runs=[_run(name, seed, settings, images, source, folder) for seed in seeds for name in strategies],
    )


def _describe(train: ImageFolder, test: ImageFolder) -> dict[str, Any]:
    drawn = train.root == test.root
    return {
        "train": len(train),
        "test": len(test),
        "skipped": len(train.skipped) + len(test.skipped),
        "split": f"{TEST_SHARE:.0%} of every class to test, drawn with seed 0" if drawn else "its own",
    }


def _check(settings: dict[str, Any]) -> None:
    for name in ("seeds", "strategies"):
        if not settings[name] or len(set(settings[name])) < len(settings[name]):
            raise SettingsError(f"{name} is {settings[name]}; give at least one, and each once.")
    for name in settings["strategies"]:
        find_strategy(name)
    for name in ("size", "epochs", "batch_size", "lr_finetune", "lr_scratch"):
        if not 0 < settings[name] < math.inf:
            raise SettingsError(f"{name} is {settings[name]}; it must be above 0 and finite.")
    if min(settings["seeds"]) < 0:
        raise SettingsError(f"A seed is {min(settings['seeds'])}; seeds are 0 or more.")


def _run(
    strategy: str,
    seed: int,
    settings: dict[str, Any],
    images: tuple[ImageFolder, ImageFolder],
    source: HybridBlock,
    folder: RunFolder | None,
) -> Run:
    """Train one network, or read what is recorded of it."""
    if folder and (done := folder.load(strategy, seed)):
        logger.info("%s, seed %d, done already:\n%s", strategy, seed, done.history)
        return done
    make_net, train, rate_name, _ = find_strategy(strategy)
    learning_rate = settings[rate_name] if rate_name else None
    logger.info("%s, seed %d%s:", strategy, seed, f", learning rate {learning_rate:g}" if learning_rate else "")
    runtime.reseed(seed)
    net = make_net(len(images[0].synsets), source)
    history = train(net, images, settings, seed, folder.checkpoint(strategy, seed) if folder else None)
    probabilities, labels = predict(net, images[1], size=settings["size"], batch_size=settings["batch_size"])
    confusion = confusion_matrix(probabilities, labels)
    run = Run(strategy, seed, learning_rate, history, confusion, _mistakes(images[1], probabilities, labels))
    if folder:
        folder.save(run, net, images[0].synsets)
    return run


def _mistakes(images: ImageFolder, probabilities: np.ndarray, labels: np.ndarray) -> list[dict[str, Any]]:
    confidence = np.where(probabilities.argmax(axis=1) == labels, 0, probabilities.max(axis=1))
    worst = [i for i in np.argsort(-confidence, kind="stable")[:MISTAKES_KEPT] if confidence[i] > 0]
    return [
        {
            "file": images.items[i][0],
            "true": images.synsets[labels[i]],
            "predicted": images.synsets[probabilities[i].argmax()],
            "probability": round(float(confidence[i]), 4),
        }
        for i in worst
    ]
