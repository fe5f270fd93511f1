"""Comparison of training strategies with the same data, epochs and seeds: `run_comparison`."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np

from _data_hub.language import N_, _
from d2ltl import runtime
from d2ltl.comparison.result import FOLDS, Comparison
from d2ltl.comparison.runs import Prediction, Run, RunFolder
from d2ltl.comparison.strategies import Rates, find_strategy, train_network
from d2ltl.data.folders import ImageFolder
from d2ltl.data.inventory import log_inventory
from d2ltl.data.pairs import Data, Pair, as_pair, name_of, pool
from d2ltl.data.subsets import folds
from d2ltl.datasets import default_data, defaults_of, is_rendered
from d2ltl.errors import SettingsError, check_seeds, check_some
from d2ltl.history import Epoch, History
from d2ltl.models.precision import current_precision, use_precision
from d2ltl.models.shapes import check_input
from d2ltl.models.sources import default_weights, origin_of, shared_source
from d2ltl.parallel import Workers, check_workers, stop_if_asked, threads_with, worker_pool
from d2ltl.training.calibration import calibrate
from d2ltl.training.evaluation import confusion_matrix, predict
from d2ltl.training.workers import WorkerGroup

logger = logging.getLogger(__name__)

MISTAKES_KEPT = 8  # number of misclassified images to record for each run


def run_comparison(
    data: Data = "auto",
    *,
    pretrained: str | os.PathLike[str] = "auto",
    net: str = "resnet18_v2",
    size: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr_finetune: float | None = None,
    lr_scratch: float | None = None,
    lr_lp_ft: float | None = None,
    seeds: Sequence[int] = (0,),
    strategies: Sequence[str] | None = None,
    balance: bool = False,
    cross_validate: int | None = None,
    skip_unreadable: bool = False,
    check_duplicates: bool = False,
    workers: Workers = None,
    kvstore: str = "device",
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
) -> Comparison:
    """Train networks with several strategies on the same data, with the same numbers of epochs and the same seeds.

    Parameters
    ----------
    data : str, path or pair
        A name of the data hub, a folder or an archive (see `load_images`), or the pair that `load_images` returns.
        ``'auto'`` is the book's photographs (``'hotdog'``) if they are on this machine, otherwise ``'hotdog-mini'``,
        rendered images that come with the library. Nothing is downloaded. The log says which data set is used.
    pretrained, net : str or path
        Weights and name of the source model: the arguments `pretrained` and `name` of `source_net`.
    size, epochs, batch_size : int, optional
        Image size in pixels, number of epochs and batch size; see `train_fine_tuning`. The defaults depend on the data
        and the network (`d2ltl.datasets`).
    lr_finetune, lr_scratch, lr_lp_ft : float, optional
        Learning rates of pretrained networks, of untrained networks, and of the strategy ``lp-ft``. The defaults depend
        on the data and the network (`d2ltl.datasets`).
    seeds : sequence of int
        Seeds, 0 or more. Every strategy is run once with each seed.
    strategies : sequence of str, optional
        Names of the strategies; see `find_strategy`. The default is ``finetune`` and ``scratch``, and with an
        EfficientNet also ``lp-ft``.
    balance : bool
        Whether every class counts the same in training, however many images it has; see `train_fine_tuning`.
    cross_validate : int, optional
        Number of folds of a cross-validation, at least 2. The images to train and to test are put together and cut into
        so many parts. Each part is tested with a network that was trained on the others, so every image is tested
        once. See `Run` for what a run then records.
    skip_unreadable : bool
        Whether to leave out images that cannot be read. If False, they raise an error.
    check_duplicates : bool
        Whether to warn of near-duplicates too; see `load_images`.
    workers : int or str, optional
        Number of processes of this machine that share out the runs, or the address of a Dask scheduler; see
        `d2ltl.parallel.worker_pool`. The results are the same. `data` must be a name, a folder or an archive that every
        worker finds, and `out` a folder that every worker finds. By default the runs follow one another in this
        process.
    kvstore : str
        See `train_fine_tuning`. With ``'dist_sync'``, several processes run this function with the same arguments, and
        train each network together (`d2ltl.data_parallel`). The first of them writes to `out`.
    out : path, optional
        Folder for the trained parameters, the records of the runs, and the checkpoints.
    resume : bool
        Whether to continue the interrupted comparison in `out`. The result is the same as without the interruption, on
        the same machine and with the same number of threads; otherwise a warning says so. (The command takes the
        recorded number of threads. Python cannot, because MXNet is loaded.)

    Raises
    ------
    D2LTLError
        If an argument, the data or the weights cannot be used, or a training diverges.
    """
    _check_data_of_workers(workers, data)
    check_workers(workers)
    group = WorkerGroup(kvstore)
    if workers is not None and not group.alone:
        raise SettingsError("Either several processes train each network together, or workers share the runs out.")
    data = default_data() if data == "auto" else data
    name = name_of(data)
    given = {
        "size": size,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr_finetune": lr_finetune,
        "lr_scratch": lr_scratch,
        "lr_lp_ft": lr_lp_ft,
        "strategies": strategies,
    }
    settings: dict[str, Any] = {
        "data": name,
        "net": net,
        "pretrained": default_weights(net) if pretrained == "auto" else os.fspath(pretrained),
        **defaults_of(name, net)._asdict(),
        **{name: value for name, value in given.items() if value is not None},
        "seeds": list(seeds),
        "balance": balance,
        "cross_validate": cross_validate,
        "skip_unreadable": skip_unreadable,
        "precision": current_precision(),
        "data_parallel": group.number,
        "threads": threads_with(workers),
    }
    strategies = settings["strategies"] = list(settings["strategies"])
    _check(settings)
    images = as_pair(data, skip_unreadable=skip_unreadable, check_duplicates=check_duplicates)
    inventory = log_inventory(images, cross_validate)
    runtime.log_threads()
    pairs = [images] if cross_validate is None else folds(pool(images), cross_validate)
    source = shared_source(net, settings["pretrained"])
    classes = len(images[0].synsets)
    for strategy in strategies:  # raises errors before the first training
        check_input(find_strategy(strategy).make_net(classes, source), settings["size"], classes)
    folder = None if out is None else _claim(Path(out).absolute(), settings, resume, group)
    tasks = [
        (strategy, seed, settings, origin_of(source), pair, folder, number if cross_validate else 0)
        for seed in seeds
        for strategy in strategies
        for number, pair in enumerate(pairs, 1)
    ]
    with worker_pool(workers) as run_all:
        versions = run_all(runtime.versions, [()])[0]
        runs = run_all(_run, tasks, describe=_summary)
    return Comparison(
        settings=settings,
        classes=list(images[0].synsets),
        images={**_describe(*images, given=not isinstance(data, (str, os.PathLike))), **_describe_folds(pairs)},
        devices=[str(device) for device in runtime.devices()],
        versions=versions,
        runs=[_together(runs[i : i + len(pairs)]) for i in range(0, len(runs), len(pairs))],
        inventory=inventory,
    )


def _claim(out: Path, settings: dict[str, Any], resume: bool, group: WorkerGroup) -> RunFolder:
    """Create or open the output folder. The other workers of a group find what the first one has created."""
    if group.rank == 0:
        folder = RunFolder.claim(out, settings, resume)
    group.agree(0)  # wait for the first
    if group.rank > 0:
        mine = {**settings, "threads": None}  # those of the first worker are recorded
        folder = RunFolder(RunFolder.claim(out, mine, resume=True).runs, read_only=True)
    return folder


def _check_data_of_workers(workers: Workers, data: Data) -> None:
    if workers is not None and not isinstance(data, (str, os.PathLike)):
        raise SettingsError("Workers load the images themselves: give the name, folder or archive instead of a pair.")
    if workers is not None and mx.util.is_np_array():
        raise SettingsError("Workers use MXNet's classic interface, but the np interface is on: call npx.reset_np().")


def _describe(train: ImageFolder, test: ImageFolder, given: bool) -> dict[str, Any]:
    drawn = N_("20% of every class to test, drawn with seed 0")  # TEST_SHARE
    return {
        "train": len(train),
        "test": len(test),
        "skipped": len(train.skipped) + len(test.skipped),
        "split": N_("as it was given") if given else drawn if train.root == test.root else N_("its own"),
        "rendered": is_rendered(train.root),
    }


def _describe_folds(pairs: list[Pair]) -> dict[str, Any]:
    if len(pairs) == 1:
        return {}
    split = FOLDS.format(folds=len(pairs))
    return {"train": len(pairs[0][0]), "test": sum(len(test) for _, test in pairs), "split": split}


def _check(settings: dict[str, Any]) -> None:
    check_seeds(settings["seeds"])
    check_some(strategies=settings["strategies"])
    for name in settings["strategies"]:
        find_strategy(name)
    for name in ("size", "epochs", "batch_size", "lr_finetune", "lr_scratch", "lr_lp_ft"):
        if not 0 < settings[name] < math.inf:
            raise SettingsError(f"{name} is {settings[name]}; it must be above 0 and finite.")


def _together(runs: list[Run]) -> Run:
    """Return the runs of all folds as one."""
    if len(runs) == 1:
        return runs[0]
    images = [run.confusion.sum() for run in runs]
    predictions = [prediction for run in runs for prediction in run.predictions]

    def mean(of_folds: Sequence[Epoch]) -> Epoch:
        names = ("loss", "train_acc", "test_acc", "test_loss", "examples_per_s")
        means: dict[str, Any] = {
            name: float(np.average([getattr(e, name) for e in of_folds], weights=images)) for name in names
        }
        return Epoch(epoch=of_folds[0].epoch, seconds=sum(epoch.seconds for epoch in of_folds), **means)

    return replace(
        runs[0],
        history=History(runs[0].history.devices, [*map(mean, zip(*(run.history.epochs for run in runs)))]),
        confusion=np.sum([run.confusion for run in runs], axis=0),
        mistakes=_mistakes(predictions),
        predictions=predictions,
        folds=[accuracy for run in runs for accuracy in run.accuracies],
        calibrations=[calibration for run in runs for calibration in run.calibrations],
    )


def _summary(run: Run) -> str:
    title = _("{strategy}, seed {seed}").format(strategy=run.strategy, seed=run.seed)
    return f"{title}:\n{run.history}"


def _run(
    strategy: str,
    seed: int,
    settings: dict[str, Any],
    origin: tuple[str, str],
    images: Pair,
    folder: RunFolder | None,
    fold: int,
) -> Run:
    """Train and evaluate one network, or load the record of a finished run. Folds are counted from 1, 0 is no fold."""
    use_precision(settings["precision"])
    title = _("{strategy}, seed {seed}").format(strategy=strategy, seed=seed)
    if fold:
        title = _("{run}, fold {fold} of {folds}").format(run=title, fold=fold, folds=settings["cross_validate"])
    if folder and (done := folder.load(strategy, seed, fold)):
        logger.info("%s:\n%s", _("{run}, done already").format(run=title), done.history)
        return done
    rate = find_strategy(strategy).rate
    learning_rate = settings[rate] if rate else None
    validation = images[0].validation
    if learning_rate:
        title = _("{run}, learning rate {rate:g}").format(run=title, rate=learning_rate)
    if validation is not None:
        title = _("{run} (test acc is that of the images for validation)").format(run=title)
    logger.info("%s:", title)
    shown = {"size": settings["size"], "batch_size": settings["batch_size"]}
    net, history = train_network(
        strategy,
        shared_source(*origin),
        data=(images[0], images[1] if validation is None else validation),
        rates=Rates(*(settings[name] for name in Rates._fields)),
        seed=seed,
        num_epochs=settings["epochs"],
        balance=settings["balance"],
        checkpoint=folder.checkpoint(strategy, seed, fold) if folder else None,
        callbacks=[stop_if_asked],
        kvstore="dist_sync" if settings["data_parallel"] > 1 else "device",
        **shown,
    )
    probabilities, labels = predict(net, images[1], **shown)
    predictions = _predictions(images[1], probabilities, labels)
    confusion = confusion_matrix(probabilities, labels)
    held_out = (probabilities, labels) if validation is None else predict(net, validation, **shown)
    calibrations = [calibrate(*held_out)]
    run = Run(strategy, seed, learning_rate, history, confusion, _mistakes(predictions), predictions,
              calibrations=calibrations)  # fmt: skip
    if folder:
        folder.save(run, net, fold)
    return run


def _predictions(images: ImageFolder, probabilities: np.ndarray, labels: np.ndarray) -> list[Prediction]:
    return [
        Prediction(file, images.synsets[true], images.synsets[row.argmax()], round(float(row.max()), 4))
        for (file, _), true, row in zip(images.items, labels, probabilities)
    ]


def _mistakes(predictions: list[Prediction]) -> list[dict[str, Any]]:
    wrong = [prediction for prediction in predictions if prediction.predicted != prediction.true]
    return [mistake._asdict() for mistake in sorted(wrong, key=lambda wrong: -wrong.probability)[:MISTAKES_KEPT]]
