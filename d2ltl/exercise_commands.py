"""The command line of the exercises: ``python -m d2ltl.exercises --help``."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import d2ltl
from d2ltl import exercises
from d2ltl.command_line import run_command
from d2ltl.datasets import BOOK, RENDERED, data_at_hand, defaults_of, find_data
from d2ltl.replacing import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from d2ltl.trials import Trial

DESCRIPTION = """\
The four exercises of the fine-tuning chapter (13.2), one at a time. Writes a figure (exercise-N.png) and every number
(exercise-N.json), and prints what was measured.

  1  Raise the learning rate of fine-tuning step by step. How does the accuracy change?
  2  Tune fine-tuning and training from scratch further. Does the difference remain?
  3  Keep the features, train the output layer alone. What does it cost, what does it save?
  4  Hot dog is itself a class of ImageNet. What can its row of weights do?"""
EXAMPLES = """\
examples:
  python -m d2ltl.exercises 1 --quick                        a first look: few images, 2 epochs
  python -m d2ltl.exercises 1 --rates 0.001 0.01 0.1 --seeds 0 1 2
  python -m d2ltl.exercises 3 --data hotdog --pretrained imagenet
                                                             the book's photographs and weights, downloaded
  python -m d2ltl.exercises 4 --quick                        on an ImageNet model that is on this machine: the book's
                                                             if downloaded before, else the extra imagenet-offline's
Exit status: 0 done, 2 a mistake in arguments or data, 130 interrupted.
"""
RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]  # of exercise 1
TUNED_RATES, SCRATCH_RATES = [0.003, 0.01, 0.03], [0.01, 0.03, 0.1, 0.3]  # of exercise 2
QUICK_STEP, QUICK_EPOCHS, QUICK_BATCH = 4, 2, 10  # every fourth image; small batches, since there are few
EPOCHS = {1: 3, 2: 10, 3: 5, 4: 1}
# SqueezeNet has no batch normalisation, which keeps the larger rate in bounds.
ROW_RATES = {"resnet18_v2": 0.01, "squeezenet1.1": 0.001}
ROW_IMAGES = 128  # of each part, at most: at 224 pixels they take time


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments of the command line. What depends on data or exercise is None where it is not given."""
    parser = argparse.ArgumentParser(
        prog="python -m d2ltl.exercises",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # fmt: off
    parser.add_argument("exercise", type=int, choices=sorted(EPOCHS), help="which of the four")
    parser.add_argument("--data", default="auto", metavar="NAME|DIR|ARCHIVE",
                        help="as in `python -m d2ltl.compare --help`; default: hotdog, the book's photographs, if on "
                             "this machine, else hotdog-mini, rendered images that come with d2ltl")
    parser.add_argument("--net", default="resnet18_v2", metavar="NAME",
                        help="a model of the zoo (not exercise 4); default: %(default)s")
    parser.add_argument("--pretrained", default="auto", metavar="NAME|FILE",
                        help="source weights: imagenet, tinyimagenet, or a .params file (not exercise 4); "
                             "default: imagenet if on this machine, else tinyimagenet")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="SEED", help="one run each; default: 0")
    parser.add_argument("--rates", type=float, nargs="+", metavar="RATE",
                        help="learning rates of exercises 1 and 2 (of fine-tuning), one of 3 and 4; the new output "
                             "layer gets 10 times it")
    parser.add_argument("--epochs", type=int, metavar="N",
                        help="of exercises 1 to 3; default: " + ", ".join(map(str, list(EPOCHS.values())[:3])))
    parser.add_argument("--size", type=int, metavar="PIXELS",
                        help=f"side of the images (exercise 4: 224); default: {BOOK.size}, {_of_rendered('size')}")
    parser.add_argument("--batch-size", type=int, metavar="N",
                        help=f"default: {BOOK.batch_size}, {_of_rendered('batch_size')}")
    parser.add_argument("--quick", action="store_true",
                        help=f"every fourth image, {QUICK_EPOCHS} epochs, batches of {QUICK_BATCH}: tells less, sooner")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: a new folder in results/, named by the time")
    # fmt: on
    return parser.parse_args(argv)


def _of_rendered(setting: str) -> str:
    return f"{getattr(defaults_of(RENDERED), setting)} with {RENDERED}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run an exercise and return the exit status: 0, 2 after a mistake in arguments or data, 130 after Ctrl-C."""
    args = parse(argv)
    out = args.out or Path("results", f"exercise-{args.exercise}-{datetime.now():%Y-%m-%d-%H%M%S}")
    print(f"Figure and numbers will be in {out}")
    return run_command(lambda: _run(args, out))


def _run(args: argparse.Namespace, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)  # first: a folder that cannot be made is no news after an hour
    name = data_at_hand() if args.data == "auto" else args.data
    data = d2ltl.load_images(find_data(name))
    if args.quick:
        data = exercises.thin(data, QUICK_STEP)
    defaults = defaults_of(name)
    epochs = QUICK_EPOCHS if args.quick else EPOCHS[args.exercise]
    batch_size = QUICK_BATCH if args.quick else defaults.batch_size
    options = {
        "data": data,
        "epochs": epochs if args.epochs is None else args.epochs,
        "size": defaults.size if args.size is None else args.size,
        "batch_size": batch_size if args.batch_size is None else args.batch_size,
        "seeds": args.seeds,
    }
    measured, figures, lines = EXERCISES[args.exercise](args, options)
    settings = {"exercise": args.exercise, "data": name, "images": [len(part) for part in options.pop("data")],
                "quick": args.quick, **options}  # fmt: skip
    for file, figure in figures.items():
        _write(out / file, _png(figure))
    numbers = json.dumps({**settings, "versions": d2ltl.runtime.versions(), **measured}, indent=1, ensure_ascii=False)
    _write(out / f"exercise-{args.exercise}.json", f"{numbers}\n".encode())
    print("\n".join(["", *lines, "", *(str(out / file) for file in figures)]))


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


Measured = tuple[dict[str, Any], "dict[str, Figure]", list[str]]  # numbers, figures by file name, lines to print


def _source(args: argparse.Namespace) -> Any:
    return d2ltl.source_net(args.net, args.pretrained)


def _title(name: str, options: dict[str, Any]) -> str:
    rendered = " (rendered images)" if Path(options["data"][0].root).parent.name == RENDERED else ""
    return f"{name}, on {Path(options['data'][0].root).parent.name}{rendered}"


def _sweep(args: argparse.Namespace, options: dict[str, Any]) -> Measured:
    from d2ltl.exercise_plots import plot_rates

    trials = exercises.lr_sweep(args.rates or RATES, source=_source(args), **options)
    means = exercises.mean_accuracy(trials).items()
    lines = [f"learning rate {rate:g}: {'diverged' if mean != mean else f'{mean:.3f}'}" for rate, mean in means]
    return _numbers(trials), {"exercise-1.png": plot_rates(trials, title=_title(args.net, options))}, lines


def _tune(args: argparse.Namespace, options: dict[str, Any]) -> Measured:
    from d2ltl.exercise_plots import plot_tuning

    rates = {"finetune": args.rates or TUNED_RATES, "scratch": SCRATCH_RATES}
    tuned = exercises.tune(rates, source=_source(args), **options)
    grid, trials = ([t for of in tuned.values() for t in getattr(of, part)] for part in ("grid", "trials"))
    lines = [
        f"{way}: test acc {_mean(of.trials):.3f} with learning rate {of.learning_rate:g} and {of.epochs} epochs"
        for way, of in tuned.items()
    ]
    lines.append(f"difference: {_mean(tuned['finetune'].trials) - _mean(tuned['scratch'].trials):.3f}")
    figure = plot_tuning(grid, trials, _title(args.net, options))
    return _numbers(trials, grid=grid), {"exercise-2.png": figure}, lines


def _freeze(args: argparse.Namespace, options: dict[str, Any]) -> Measured:
    from d2ltl.exercise_plots import plot_time

    rate = _one_rate(args, BOOK.lr_finetune)
    trials = exercises.frozen_features(rate, source=_source(args), **options)
    ways = {way: [trial for trial in trials if trial.way == way] for way in dict.fromkeys(t.way for t in trials)}
    lines = [
        f"{way}: test acc {_mean(of):.3f}, {sum(t.seconds for t in of) / len(of):.1f} s" for way, of in ways.items()
    ]
    return _numbers(trials), {"exercise-3.png": plot_time(trials, _title(args.net, options))}, lines


def _rows(args: argparse.Namespace, options: dict[str, Any]) -> Measured:
    from d2ltl.exercise_plots import plot_first_epoch, plot_rows

    source = exercises.imagenet_net()
    options.update(size=args.size or BOOK.size, data=exercises.at_most(options["data"], ROW_IMAGES))
    options.pop("epochs")  # it is about the first one
    part = options["data"][1]
    rows = exercises.class_rows(source, part, size=options["size"], batch_size=options["batch_size"])
    trials = exercises.first_epoch(_one_rate(args, ROW_RATES[source.zoo_name]), source=source, **options)
    title = _title(f"ImageNet {source.zoo_name}", options)
    lines = [f"ImageNet {source.zoo_name}", *(f"row {row.index}, {row.name}: AUC {row.auc:.2f}" for row in rows)]
    lines += [
        f"output layer from {t.way}, seed {t.seed}: test acc {t.before:.3f}, after one epoch {t.accuracy:.3f}"
        for t in trials
    ]
    numbers = {"rows": [row.to_dict() for row in rows], **_numbers(trials)}
    figures = {"exercise-4.png": plot_first_epoch(trials, title), "exercise-4-rows.png": plot_rows(rows, part, title)}
    return numbers, figures, lines


def _one_rate(args: argparse.Namespace, default: float) -> float:
    if args.rates and len(args.rates) > 1:
        raise d2ltl.SettingsError(f"Exercise {args.exercise} takes one learning rate, not {len(args.rates)}.")
    return args.rates[0] if args.rates else default


def _mean(trials: Sequence[Trial]) -> float:
    return sum(trial.accuracy for trial in trials) / len(trials)


def _numbers(trials: Sequence[Trial], **more: Sequence[Trial]) -> dict[str, Any]:
    return {name: [trial.to_dict() for trial in of] for name, of in {"trials": trials, **more}.items()}


EXERCISES: dict[int, Callable[[argparse.Namespace, dict[str, Any]], Measured]] = {
    1: _sweep,
    2: _tune,
    3: _freeze,
    4: _rows,
}
