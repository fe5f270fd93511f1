"""The works that peers do, and the rows of the table with their goals.

On two cores where the book's code trains 10 images/s at 224 × 224, a run took 37 minutes, and a full
run 73 minutes more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from d2ltl.data.folders import CACHE_BYTES

ROUNDS = 3
CACHE_MB = CACHE_BYTES / 2**20

BOOK, PYTORCH, TUNED, TUNED_BF16, ONNX = "book", "pytorch", "pytorch-tuned", "pytorch-tuned-bf16", "onnxruntime"
FLOAT32, BF16 = "d2ltl", "d2ltl-bf16"
EVERYONE = (BOOK, PYTORCH, TUNED, TUNED_BF16, FLOAT32, BF16)
LITE, LITE_PEERS = {"net": "efficientnet_lite0", "batch_size": 32}, EVERYONE[1:]  # the book has no such network


@dataclass(frozen=True)
class Work:
    """A piece of work that the `peers` do in one process each, with the worker's function `do`.

    `settings` are the arguments of the function. ``images``, if present, are the numbers of training and of test images
    (0: all), and ``threads`` is the value of ``OMP_NUM_THREADS``. `quick` are the settings that differ in a quick run.
    `rounds` is the number of repetitions. `full` works are only part of a full run. `title` says how the work differs
    from another one that it is compared with.
    """

    do: str
    peers: tuple[str, ...]
    settings: dict[str, Any]
    quick: dict[str, Any] = field(default_factory=dict)
    rounds: int = ROUNDS
    full: bool = False
    title: str = ""


BATCHES, SIZES = (32, 256), (500, 1000, 2000, 4000)
GROWTH = {
    f"growth{batch}-{images}": Work(
        "train",
        (FLOAT32,),
        {"size": 64, "batch_size": batch, "images": (images, 2)},
        full=True,
        title=f"with {images} images",
    )
    for batch in BATCHES
    for images in SIZES
}
RUNS = {"size": 64, "batch_size": 32, "epochs": 2, "seeds": 4, "images": (320, 80)}
STEP = {"size": 64, "batch_size": 32, "epochs": 3, "images": (320, 2), "threads": 1}
ALONE, BESIDE = "train96-threads", "train96-beside"
THREADS = {
    f"{name}{f'-{threads}' if threads else ''}": Work(
        "train",
        (FLOAT32,),
        {"size": 96, "batch_size": 32, "images": (256, 2), "busy": busy, **({"threads": threads} if threads else {})},
        {"images": (128, 2)},
        title=f"with {threads} thread{'s' * (threads > 1)}",
    )
    for name, busy in ((ALONE, 0), (BESIDE, 1))
    for threads in (0, 1, 2)  # 0: as many as the library chooses
}
# fmt: off
WORKS = {
    "train224": Work("train", EVERYONE, {"size": 224, "batch_size": 128, "images": (128, 2)}),
    "train96": Work("train", EVERYONE, {"size": 96, "batch_size": 32, "images": (256, 2)}, {"images": (128, 2)}),
    "evaluate224": Work("evaluate", (*EVERYONE, ONNX), {"size": 224, "batch_size": 128, "images": (2, 400)},
                        {"images": (2, 128)}),
    "lite224": Work("train", LITE_PEERS, {**LITE, "size": 224, "images": (64, 2)}),
    "lite112": Work("train", LITE_PEERS, {**LITE, "size": 112, "images": (256, 2)}, {"images": (128, 2)}),
    "lite-evaluate224": Work("evaluate", (*LITE_PEERS, ONNX), {**LITE, "size": 224, "images": (2, 400)},
                             {"images": (2, 128)}),
    **THREADS,
    "frozen96": Work("frozen", (BOOK, FLOAT32), {"size": 96, "batch_size": 32, "epochs": 5, "images": (256, 128)},
                     {"images": (128, 64)}),
    "limit": Work("limit", (TUNED, TUNED_BF16), {"size": 224}),
    "start": Work("start_up", (FLOAT32,), {"starts": 5}),
    "unpack": Work("unpack", (FLOAT32,), {"files": 2800}, {"files": 280}),
    "runs64": Work("runs", (FLOAT32,), {**RUNS, "workers": 0}, {"images": (64, 16)}),
    "runs64-2": Work("runs", (FLOAT32,), {**RUNS, "workers": 2}, {"images": (64, 16)}, title="with --workers 2"),
    "parallel64": Work("data_parallel", (FLOAT32,), {**STEP, "workers": 1}, {"images": (64, 2)}),
    "parallel64-2": Work("data_parallel", (FLOAT32,), {**STEP, "workers": 2}, {"images": (64, 2)}, title="with two"),
    "compare224": Work("compare", (BOOK, FLOAT32, BF16),
                       {"size": 224, "batch_size": 128, "epochs": 5, "images": (0, 0)}, rounds=1, full=True),
    **GROWTH,
}
# fmt: on


class Goal(NamedTuple):
    """A goal: the value of ``peer`` is ``bound`` ``factor`` × ``than`` + ``allowance``.

    `bound` is ``'≥'`` or ``'≤'``. `factor` multiplies the best value of the peers in `than`; without peers, it is the
    bound itself. `allowance` has the unit of the row. `work` is the work of `peer`, if it differs from the work of the
    row.
    """

    peer: str
    bound: str
    factor: float
    than: tuple[str, ...] = ()
    allowance: float = 0
    work: str = ""


class Row(NamedTuple):
    """A row of the table. It shows the median over the rounds of the result `field` of a work.

    Shares have the unit ``'%'``. `limit` is the work whose result (with the same precision) divides the values; empty
    for no division.
    """

    letter: str
    title: str
    unit: str
    work: str
    field: str
    goals: tuple[Goal, ...] = ()
    limit: str = ""


def _lite_rows() -> list[Row]:
    """Return the rows A, B and C of EfficientNet-Lite0."""
    titles = {
        ("A", "lite224"): "EfficientNet-Lite0: training at 224 × 224, batches of 32",
        ("B", "lite112"): "EfficientNet-Lite0: training at 112 × 112, batches of 32",
        ("C", "lite-evaluate224"): "EfficientNet-Lite0: evaluation at 224 × 224",
    }
    others = {work: tuple(p for p in WORKS[work].peers if p in (PYTORCH, TUNED, ONNX)) for _, work in titles}
    return [
        Row(letter, title, "images/s", work, "images_per_s", (Goal(FLOAT32, "≥", 1, others[work]),))
        for (letter, work), title in titles.items()
    ]


def _growth_rows(batch: int) -> list[Row]:
    """Return rows with goals that compare the larger numbers of images with the smallest."""
    first, *others = (f"growth{batch}-{images}" for images in SIZES)
    title = f"training at 64 × 64, batches of {batch}, {SIZES[0]} images"
    rate = tuple(Goal(FLOAT32, "≥", 0.95, (FLOAT32,), work=work) for work in others)
    memory = Goal(FLOAT32, "≤", 1, (FLOAT32,), CACHE_MB, work=others[-1])
    return [
        Row("H", title, "images/s", first, "images_per_s", rate),
        Row("H", "peak memory of it", "MB", first, "peak_mb", (memory,)),
    ]


def _thread_rows(work: str, where: str) -> list[Row]:
    """Return rows of the number of threads that the library chooses, and of fixed numbers."""
    best = tuple(Goal(FLOAT32, "≤", 1 / 0.9, (FLOAT32,), work=f"{work}-{threads}") for threads in (1, 2))
    title = f"training at 96 × 96, batches of 32, {where}"
    fixed = [(f"{title}, {threads} thread{'s' * (threads > 1)}", f"{work}-{threads}") for threads in (1, 2)]
    rows = [Row("L", title, "images/s", work, "images_per_s", best)]
    return rows + [Row("L", text, "images/s", of_fixed, "images_per_s") for text, of_fixed in fixed]


ROWS = [
    Row(
        *("A", "training at 224 × 224, batches of 128", "images/s", "train224", "images_per_s"),
        (
            Goal(FLOAT32, "≥", 2.2, (BOOK,)),
            Goal(FLOAT32, "≥", 1.2, (PYTORCH, TUNED)),
            Goal(BF16, "≥", 1.1, (TUNED_BF16,)),
        ),
    ),
    Row("A", "its first epoch", "images/s", "train224", "first_images_per_s"),
    Row("A", "of what the best convolution rate allows", "%", "train224", "images_per_s", limit="limit"),
    Row("A", "that rate", "GFLOP/s", "limit", "gflop_per_s"),
    Row(
        *("B", "training at 96 × 96, batches of 32", "images/s", "train96", "images_per_s"),
        (
            Goal(FLOAT32, "≥", 2.2, (BOOK,)),
            Goal(FLOAT32, "≥", 1, (PYTORCH, TUNED)),
            Goal(BF16, "≥", 1.1, (TUNED_BF16,)),
        ),
    ),
    Row("B", "its first epoch", "images/s", "train96", "first_images_per_s"),
    Row("B", "loading, of the epoch", "%", "train96", "loading_share", (Goal(FLOAT32, "≤", 0.15),)),
    Row(
        *("C", "evaluation at 224 × 224", "images/s", "evaluate224", "images_per_s"),
        (
            Goal(FLOAT32, "≥", 1.2, (BOOK, PYTORCH, TUNED, ONNX)),
            Goal(BF16, "≥", 1.2, (TUNED_BF16,)),
        ),
    ),
    *_lite_rows(),
    Row(
        *("D", "exercise 3: features frozen, 96 × 96, 5 epochs", "s", "frozen96", "seconds"),
        (Goal(FLOAT32, "≤", 0.1, (BOOK,)),),
    ),
    Row("D", "its accuracy on test images", "%", "frozen96", "accuracy"),
    Row(
        *("E", "the comparison of the chapter at 224 × 224, 5 epochs", "s", "compare224", "seconds"),
        (Goal(FLOAT32, "≤", 0.47, (BOOK,)), Goal(BF16, "≤", 0.36, (BOOK,))),
    ),
    Row("F", "`python -m d2ltl.compare --help`", "s", "start", "help_s", (Goal(FLOAT32, "≤", 0.3),)),
    Row(
        "F", "`import d2ltl` and a network, beyond `import mxnet`", "s", "start", "added_s", (Goal(FLOAT32, "≤", 0.2),)
    ),
    Row(
        *("G", "peak memory at A", "MB", "train224", "peak_mb"),
        (Goal(FLOAT32, "≤", 0.8, (BOOK,), CACHE_MB),),
    ),
    *(row for batch in BATCHES for row in _growth_rows(batch)),
    Row("I", "an archive checked and unpacked", "× commands", "unpack", "hub_ratio", (Goal(FLOAT32, "≤", 1.3),)),
    Row(
        *("J", "8 runs at 64 × 64, one after the other", "images/s", "runs64", "images_per_s"),
        (Goal(FLOAT32, "≥", 1, (FLOAT32,), work="runs64-2"),),
    ),
    Row("J", "8 runs at 64 × 64, with `--workers 2`", "images/s", "runs64-2", "images_per_s"),
    Row(
        *("K", "training at 64 × 64, one data-parallel process of one thread", "images/s"),
        *("parallel64", "images_per_s", (Goal(FLOAT32, "≥", 1, (FLOAT32,), work="parallel64-2"),)),
    ),
    Row("K", "bytes of a step", "MB", "parallel64", "mb_per_step"),
    Row("K", "two data-parallel processes", "images/s", "parallel64-2", "images_per_s"),
    Row("K", "bytes of a step", "MB", "parallel64-2", "mb_per_step"),
    *_thread_rows(ALONE, "alone"),
    *_thread_rows(BESIDE, "beside one busy process"),
]
