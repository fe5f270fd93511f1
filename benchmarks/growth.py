"""How the cost grows with the work, one axis at a time: ``python -m benchmarks.growth``.

README.md in this folder says what is measured. Every point is measured in a process of its own.
"""

from __future__ import annotations

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from benchmarks import report
from benchmarks.peers import ROOT
from benchmarks.workers.protocol import Results, peak_memory, seconds_of
from d2ltl.data.augmentation import train_augs
from d2ltl.data.batches import loader
from d2ltl.data.folders import CACHE_BYTES
from d2ltl.files import write_json
from d2ltl.models.precision import has_bfloat16
from d2ltl.runtime import versions

NET, SOURCE = "mobilenet0.25", "resnet18_v2"  # the smallest network of Gluon's zoo; a source model that is shipped
GRAIN = 12  # standard deviation of the noise of photographs; of 12 megapixels, a file then has 3 to 5 MB


def train(images: int = 2000, classes: int = 2, side: int = 32, size: int = 32) -> Results:
    """Scan a folder of square images of noise, and train a small network for two epochs."""
    with tempfile.TemporaryDirectory() as folder:
        _write_noise(Path(folder), images, classes, side)
        start = time.perf_counter()
        data = d2ltl.load_images(folder)
        ends = [time.perf_counter()]
        d2ltl.train_fine_tuning(
            d2ltl.scratch_net(classes, NET), 0.01, 64, 2, data=data, size=size, verbose=False,
            callbacks=[lambda _: ends.append(time.perf_counter())],
        )  # fmt: skip
    scan, first, later = np.diff([start, *ends]).tolist()
    return {"scan_s": scan, "first_epoch_s": first, "later_epoch_s": later, "peak_mb": peak_memory()}


def advise(images: int) -> Results:
    """Advise on a folder of images of noise; scanning the folder is timed apart."""
    with tempfile.TemporaryDirectory() as folder:
        _write_noise(Path(folder), images, 2, 32)
        start = time.perf_counter()
        data = d2ltl.load_images(folder)
        scan = time.perf_counter() - start
        sources = {SOURCE: d2ltl.source_net(SOURCE, "tinyimagenet")}
        return {"scan_s": scan, "advise_s": seconds_of(lambda: d2ltl.advise(data, sources, size=32))}


def photographs(megapixels: float, number: int = 24, size: int = 96) -> Results:
    """Scan and load photographs once as for training, and decode the same files plainly: draft mode, then resize.

    Scanning decodes the images of a folder of less than 256 MiB of pixels, to find copies.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = _write_photographs(Path(folder), megapixels, number)

        def decode() -> None:
            for file in files:
                with Image.open(file) as image:
                    image.draft("RGB", (size, size))
                    np.asarray(image.convert("RGB").resize((size, size)))

        decode()  # the first reading of the files does not count
        start = time.perf_counter()
        images, _ = d2ltl.load_images(folder)
        scan = (time.perf_counter() - start) / number
        batches = loader(images, train_augs(size), 8)
        load = seconds_of(lambda: [X.wait_to_read() for X, _ in batches]) / number
        return {"scan_s": scan, "load_s": load, "plain_s": seconds_of(decode) / number}


def _write_noise(folder: Path, number: int, classes: int, side: int) -> None:
    rng = np.random.default_rng(0)
    for i in range(number):
        file = folder / ("test" if i // classes % 5 == 0 else "train") / f"{i % classes:03}" / f"{i:05}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(file)


def _write_photographs(folder: Path, megapixels: float, number: int) -> list[Path]:
    """Write training images that are large and grainy versions of `hotdog-mini`, and a small one to test."""
    (height, width), rng = (round(x * (megapixels * 1e6 / 12) ** 0.5) for x in (3, 4)), np.random.default_rng(0)
    grain = rng.normal(0, GRAIN, (height, width, 3)).astype(np.float32)
    small, files = d2ltl.load_images("hotdog-mini")[0], []
    for i in range(number):
        label = i % 2
        files.append(folder / "train" / str(label) / f"{i:03}.jpg")
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        large = Image.fromarray(small.read(-1 - i)).resize((width, height), Image.Resampling.BICUBIC)
        pixels = np.asarray(large) + np.roll(grain, 37 * i, axis=1)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(files[-1], quality=90)
        (folder / "test" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(small.read(i)).save(folder / "test" / str(label) / f"{i:03}.png")
    return files


class Axis(NamedTuple):
    """What grows, and what is measured: the function of a point, its argument, the points, and the curves to draw.

    `power` is the exponent of the ideal: 1 is in proportion to the axis, 0 is constant.
    """

    title: str
    measure: Callable[..., Results]
    argument: str
    points: tuple[float, ...]
    curves: dict[str, str]
    unit: str
    power: float
    settings: dict[str, Any] = {}  # noqa: RUF012, is not changed


EPOCHS = {"scan_s": "scanning", "first_epoch_s": "first epoch", "later_epoch_s": "later epoch"}
AXES = {
    "images": Axis("images of 32 × 32", train, "images", (500, 1500, 5000, 15000, 50000), EPOCHS, "s", 1),
    "memory": Axis("images of 32 × 32", train, "images", (), {"peak_mb": "peak of train"}, "MB", 0),
    "advise": Axis("images", advise, "images", (1000, 4000, 20000), {"advise_s": "advise, without scanning"}, "s", 0),
    "classes": Axis("classes of 4000 images", train, "classes", (2, 20, 200), EPOCHS, "s", 0, {"images": 4000}),
    "pixels": Axis(
        *("side that the network sees, pixels", train, "size", (32, 64, 128, 224, 448)),
        *({"first_epoch_s": "first epoch", "later_epoch_s": "later epoch"}, "s", 2, {"images": 160, "side": 448}),
    ),
    "megapixels": Axis(
        *("megapixels of a photograph", photographs, "megapixels", (0.1, 0.4, 1.5, 5, 12)),
        *({"load_s": "loading, first time", "plain_s": "plain decoding in draft mode"}, "s per image", 1),
    ),
}
"""Axes of growth. The memory is that of the points of ``images``."""


def run(file: Path, axes: list[str]) -> dict[str, Any]:
    """Measure the points that are not in a file yet, and write each into it."""
    machine = {**versions(), "bfloat16": has_bfloat16()}
    results: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {"machine": machine}
    if results["machine"] != machine:
        raise SystemExit(f"{file} has measurements of another machine or version: {results['machine']}, now {machine}.")
    for name in axes:
        done = results.setdefault("axes", {}).setdefault(name, {})
        for value in AXES[name].points:
            if str(value) not in done:
                command = [sys.executable, "-m", "benchmarks.growth", "--point", name, str(value)]
                output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
                done[str(value)] = json.loads(output.splitlines()[-1])
                print(name, value, done[str(value)], flush=True)
                file.parent.mkdir(parents=True, exist_ok=True)
                write_json(file, results)
    return results


def measured(axes: dict[str, Any], name: str) -> dict[float, Results]:
    """Return the results of an axis by its points."""
    return {float(value): point for value, point in axes.get("images" if name == "memory" else name, {}).items()}


def plot(axes: dict[str, Any]) -> Figure:
    """Return a figure with a panel for each axis; a dotted line is the ideal through the last point of each curve."""
    drawing = Figure(figsize=(12, 6.4), layout="constrained")
    for panel, (name, axis) in zip(drawing.subplots(2, 3).flatten(), AXES.items()):
        points = measured(axes, name)
        for field, label in axis.curves.items():
            x, y = np.array([*points]), np.array([point[field] for point in points.values()])
            (line,) = panel.loglog(x, y, "-o", markersize=4, label=label)
            if len(x):
                panel.loglog(x, y[-1] * (x / x[-1]) ** axis.power, ":", color=line.get_color())
        if name == "memory" and points:
            least = next(iter(points.values()))["peak_mb"]
            panel.axhline(least + CACHE_BYTES / 2**20, color="grey", label="the smallest + the cache")
        panel.set_xticks([*points], [f"{x:g}" for x in points])
        panel.minorticks_off()
        low, high = panel.get_ylim()
        panel.set_ylim(min(low, high / 12), high)  # a decade at least, or noise would look like growth
        panel.set(xlabel=axis.title, ylabel=axis.unit, title=name)
        panel.grid(alpha=0.3)
        panel.legend(fontsize="x-small")
    return drawing


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description="Measure how the cost grows.")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="go on with the results of a run that was stopped")
    parser.add_argument("--axes", nargs="+", choices=[*AXES], default=[*AXES], help="measure these only")
    parser.add_argument("--point", nargs=2, metavar=("AXIS", "VALUE"), help="measure a single point, and print it")
    args = parser.parse_args()
    if args.point:
        axis = AXES[args.point[0]]
        print(json.dumps(axis.measure(**{**axis.settings, axis.argument: json.loads(args.point[1])})))
        return
    own = report.published_file({**versions(), "bfloat16": has_bfloat16()})
    file = args.resume or own.parent / "growth" / own.name
    results = run(file, args.axes)
    plot(results["axes"]).savefig(file.with_suffix(".png"), dpi=report.DPI)
    print(f"The results are in {file}")


if __name__ == "__main__":
    main()
