"""Implementation of ``python -m d2ltl.exercises``: runs one exercise, writes its figures and numbers."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from d2ltl import runtime
from d2ltl.cli import text_table
from d2ltl.comparison.runs import claim_runs
from d2ltl.data.inventory import log_inventory
from d2ltl.data.pairs import Pair, load_images
from d2ltl.data.subsets import sample
from d2ltl.datasets import BOOK, default_data, defaults_of, is_rendered, title_of
from d2ltl.errors import SettingsError
from d2ltl.exercises.class_rows import class_rows, first_epoch, imagenet_net
from d2ltl.exercises.plots import (
    plot_first_epoch,
    plot_learning_curve,
    plot_rates,
    plot_rows,
    plot_time,
    plot_tuning,
)
from d2ltl.exercises.settings import (
    EPOCHS,
    QUICK_BATCH,
    QUICK_EPOCHS,
    QUICK_SHARE,
    RATES,
    ROW_BATCH,
    ROW_IMAGES,
    ROW_RATES,
    SCRATCH_RATES,
    SHARES,
    TUNED_RATES,
)
from d2ltl.exercises.sweeps import frozen_features, learning_curve, lr_sweep, mean_accuracy, tune
from d2ltl.exercises.trials import Trial
from d2ltl.files import write_bytes, write_json
from d2ltl.models.sources import source_net
from d2ltl.parallel import check_workers, threads_with
from d2ltl.plot import png
from d2ltl.training.evaluation import chance_of


def run_exercise(args: argparse.Namespace, out: Path) -> None:
    """Run one exercise, write its figures and numbers to a folder, and print the results."""
    _check_options(args)
    check_workers(args.workers)
    name = default_data() if args.data == "auto" else args.data
    data = load_images(name, skip_unreadable=args.skip_unreadable)
    inventory = log_inventory(data)
    runtime.log_threads()
    if args.quick:
        data = _some(data, [max(1, round(QUICK_SHARE * len(part))) for part in data])
    defaults = defaults_of(name, args.net)
    epochs = QUICK_EPOCHS if args.quick else EPOCHS[args.exercise]
    batch_size = QUICK_BATCH if args.quick else defaults.batch_size
    options = {
        "data": data,
        "epochs": epochs if args.epochs is None else args.epochs,
        "size": defaults.size if args.size is None else args.size,
        "batch_size": batch_size if args.batch_size is None else args.batch_size,
        "seeds": args.seeds,
    }
    out.mkdir(parents=True, exist_ok=True)  # before the training, so that an error appears at once
    if args.exercise != 4:
        options["source"] = source_net(args.net, args.pretrained)
        kept = {name: value for name, value in options.items() if name not in ("data", "source")}
        kept.update(
            data=name,
            quick=args.quick,
            threads=threads_with(args.workers),
            **{given: getattr(args, given) for given in KEPT},
        )
        args.keep = claim_runs(out, kept, args.resume, "exercise")
    title = title_of(name, rendered=False) + " (rendered images)" * is_rendered(data[0].root)
    measured, figures, lines = EXERCISES[args.exercise](args, options, title)
    options.pop("source", None)
    settings = {"exercise": args.exercise, "data": name, "images": [len(part) for part in options.pop("data")],
                "inventory": inventory, "quick": args.quick, **options}  # fmt: skip
    for file, figure in figures.items():
        write_bytes(out / file, png(figure))
    numbers = {**settings, "versions": runtime.versions(), **measured}
    write_json(out / f"exercise-{args.exercise}.json", numbers)
    print("\n".join(["", *lines, "", *(str(out / file) for file in figures)]))


def _check_options(args: argparse.Namespace) -> None:
    """Raise SettingsError for an option that the exercise does not use."""
    for option, exercises in ONLY_OF.items():
        if args.exercise not in exercises and getattr(args, option) not in (None, False):
            raise SettingsError(f"Exercise {args.exercise} takes no --{option}.")


def _some(data: Pair, numbers: Sequence[int]) -> Pair:
    train, test = (sample(part, number) for part, number in zip(data, numbers))
    return train, test


ONLY_OF = {"rates": (1, 2, 3, 4), "images": (5,), "strategies": (5,), "workers": (1, 2, 3, 5), "resume": (1, 2, 3, 5)}
"""The exercises that use an option; the others refuse it."""

KEPT = (
    "exercise",
    "rates",
    "images",
    "strategies",
    "net",
    "pretrained",
    "skip_unreadable",
)  # arguments that the runs depend on

Measured = tuple[dict[str, Any], "dict[str, Figure]", list[str]]  # numbers, figures by file name, lines to print


def _sweep(args: argparse.Namespace, options: dict[str, Any], title: str) -> Measured:
    trials = lr_sweep(args.rates or RATES, workers=args.workers, keep=args.keep, **options)
    means = mean_accuracy(trials).items()
    lines = [f"learning rate {rate:g}: {'diverged' if mean != mean else f'{mean:.3f}'}" for rate, mean in means]
    figure = plot_rates(trials, title=f"{args.net}, on {title}", chance=chance_of(options["data"][1]))
    return _numbers(trials), {"exercise-1.png": figure}, lines


def _tune(args: argparse.Namespace, options: dict[str, Any], title: str) -> Measured:
    rates = {"finetune": args.rates or TUNED_RATES, "scratch": SCRATCH_RATES}
    tuned = tune(rates, workers=args.workers, keep=args.keep, **options)
    grid, trials = ([t for of in tuned.values() for t in getattr(of, part)] for part in ("grid", "trials"))
    lines = [
        f"{way}: test acc {_mean(of.trials):.3f} with learning rate {of.learning_rate:g} and {of.epochs} epochs"
        for way, of in tuned.items()
    ]
    lines.append(f"difference: {_mean(tuned['finetune'].trials) - _mean(tuned['scratch'].trials):.3f}")
    figure = plot_tuning(grid, trials, f"{args.net}, on {title}", chance_of(options["data"][1]))
    return _numbers(trials, grid=grid), {"exercise-2.png": figure}, lines


def _freeze(args: argparse.Namespace, options: dict[str, Any], title: str) -> Measured:
    rate = _one_rate(args, BOOK.lr_finetune)
    trials = frozen_features(rate, workers=args.workers, keep=args.keep, **options)
    ways = {way: [trial for trial in trials if trial.way == way] for way in dict.fromkeys(t.way for t in trials)}
    lines = [
        f"{way}: test acc {_mean(of):.3f}, {sum(t.seconds for t in of) / len(of):.1f} s" for way, of in ways.items()
    ]
    figure = plot_time(trials, f"{args.net}, on {title}", chance_of(options["data"][1]))
    return _numbers(trials), {"exercise-3.png": figure}, lines


def _rows(args: argparse.Namespace, options: dict[str, Any], title: str) -> Measured:
    source = imagenet_net()
    options.update(size=args.size or BOOK.size, data=_some(options["data"], [ROW_IMAGES] * 2))
    options["batch_size"] = args.batch_size or ROW_BATCH
    options.pop("epochs")  # exercise 4 always trains one epoch
    part = options["data"][1]
    rows = class_rows(source, part, size=options["size"], batch_size=options["batch_size"])
    trials = first_epoch(_one_rate(args, ROW_RATES[source.zoo_name]), source=source, **options)
    title = f"ImageNet {source.zoo_name}, on {title}"
    lines = [f"ImageNet {source.zoo_name}", *(f"row {row.index}, {row.name}: AUC {row.auc:.2f}" for row in rows)]
    lines += [
        f"output layer from {t.way}, seed {t.seed}: test acc {t.before:.3f}, after one epoch {t.accuracy:.3f}"
        for t in trials
    ]
    numbers = {"rows": [row.to_dict() for row in rows], **_numbers(trials)}
    first = plot_first_epoch(trials, title, chance_of(part))
    figures = {"exercise-4.png": first, "exercise-4-rows.png": plot_rows(rows, part, title)}
    return numbers, figures, lines


def _one_rate(args: argparse.Namespace, default: float) -> float:
    if args.rates and len(args.rates) > 1:
        raise SettingsError(f"Exercise {args.exercise} takes one learning rate, not {len(args.rates)}.")
    return args.rates[0] if args.rates else default


def _mean(trials: Sequence[Trial]) -> float:
    return sum(trial.accuracy for trial in trials) / len(trials)


def _numbers(trials: Sequence[Trial], **more: Sequence[Trial]) -> dict[str, Any]:
    return {name: [trial.to_dict() for trial in of] for name, of in {"trials": trials, **more}.items()}


def _images(args: argparse.Namespace, options: dict[str, Any], title: str) -> Measured:
    train, test = options["data"]
    least = len(train.synsets)
    numbers = args.images or sorted({max(least, round(share * len(train))) for share in SHARES})
    ways = args.strategies or ("codes-softmax", *defaults_of("", args.net).strategies)
    trials = learning_curve(numbers, ways=ways, workers=args.workers, keep=args.keep, **options)
    rows = [["images", *ways]]
    for number in numbers:
        of_number = [[t for t in trials if (t.images, t.way) == (number, way)] for way in ways]
        rows.append([str(number), *(f"{_mean(of_way):.3f}" for of_way in of_number)])
    chance = chance_of(test)
    lines = [text_table(rows), f"mean test accuracy; always giving the most frequent class: {chance:.3f}"]
    return _numbers(trials), {"exercise-5.png": plot_learning_curve(trials, f"{args.net}, on {title}", chance)}, lines


EXERCISES: dict[int, Callable[[argparse.Namespace, dict[str, Any], str], Measured]] = {
    1: _sweep,
    2: _tune,
    3: _freeze,
    4: _rows,
    5: _images,
}
