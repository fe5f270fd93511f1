"""What chapters 1 and 3 show, in small: the three gains, few images, designed features, time and energy."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from d2ltl.errors import SettingsError
from d2ltl.show.demonstration import Demonstration, Shown
from d2ltl.show.material import RATES, SIZE, data_set, draw, every, line_chart, source_model, train

if TYPE_CHECKING:
    from d2ltl.data import ImageFolder, Pair

TOPIC = "Why transfer"
EPOCHS = 2
SHARES = (0.1, 0.3, 1.0)  # of the training images
TARGET = 0.65  # the accuracy asked for


def _half() -> Pair:
    images, test = data_set()
    return every(2, images), every(2, test)


def gains(seed: int) -> Shown:
    """Measure start, slope and asymptote of a transferred network against one from scratch."""
    from d2ltl import plot
    from d2ltl.gains import measure_gains

    data = _half()
    histories = {way: [train(way, data, seed, EPOCHS)[1]] for way in RATES}
    tuned, scratch = ([history.curve("test_acc") for history in runs] for runs in histories.values())
    chance = float(np.bincount(data[1].labels).max() / len(data[1]))
    measured = measure_gains(tuned, scratch, chance)
    verdict = ", ".join(f"{name} {100 * gain.mean:+.1f}" for name, gain in measured.items())
    figure = plot.plot_curves(histories)
    return Shown(f"Gains of transfer in percentage points, after {EPOCHS} epochs: {verdict}.", figure)


def few_images(seed: int) -> Shown:
    """Measure accuracy against the number of training images."""
    import d2ltl

    images, test = _half()
    accuracies: dict[str, dict[int, float]] = {"CNN codes": {}, "from scratch": {}}
    codes, test_codes = (d2ltl.extract_codes(source_model(), part, size=SIZE) for part in (images, test))
    for share in SHARES:
        chosen = draw(images, int(share * len(images)), seed)
        head = d2ltl.linear_head("svm").fit(codes[chosen], images.labels[chosen])
        accuracies["CNN codes"][len(chosen)] = head.score(test_codes, test.labels)
        _, untrained = train("from scratch", (images.subset(chosen), test), seed, EPOCHS)
        accuracies["from scratch"][len(chosen)] = untrained.epochs[-1].test_acc
    numbers = "; ".join(
        f"{n} images: codes {accuracy:.3f}, scratch {accuracies['from scratch'][n]:.3f}"
        for n, accuracy in accuracies["CNN codes"].items()
    )
    return Shown(
        f"A linear SVM on CNN codes, and the network from scratch in {EPOCHS} epochs. {numbers}.",
        line_chart(accuracies, "training images", log=True),
    )


def designed_features(seed: int) -> Shown:
    """Compare histograms of oriented gradients with CNN codes, under the same linear classifier."""
    from matplotlib.figure import Figure

    import d2ltl

    try:
        from skimage.feature import hog
    except ImportError as error:
        raise SettingsError("This needs scikit-image: pip install 'd2ltl[chapters]'.") from error
    parts = _half()
    prepare = d2ltl.test_augs(SIZE).on_image

    def hogs(images: ImageFolder) -> np.ndarray:
        cells = {"pixels_per_cell": (8, 8), "cells_per_block": (2, 2), "channel_axis": -1}
        return np.stack([hog(prepare(image).asnumpy(), **cells) for image, _ in images])

    ways: dict[str, Callable[[ImageFolder], np.ndarray]] = {
        "HOG": hogs,
        "CNN codes": lambda images: d2ltl.extract_codes(source_model(), images, size=SIZE),
    }
    accuracies = {}
    for name, describe in ways.items():
        described, of_test = (describe(part) for part in parts)
        head = d2ltl.linear_head("svm", C=0.001, seed=seed).fit(described, parts[0].labels)
        accuracies[name] = head.score(of_test, parts[1].labels)
    figure = Figure(figsize=(5, 2.4), layout="constrained")
    ax = figure.subplots()
    ax.bar_label(ax.barh([*accuracies], [*accuracies.values()], color=["C1", "C0"]), fmt="%.3f", padding=3)
    ax.set(xlim=(0, 1), xlabel="test accuracy of a linear SVM")
    hog_accuracy, codes_accuracy = accuracies.values()
    better = "learned" if codes_accuracy > hog_accuracy else "designed"
    return Shown(f"HOG {hog_accuracy:.3f}, CNN codes {codes_accuracy:.3f}: {better} features win.", figure)


def time_and_energy(seed: int) -> Shown:
    """Measure seconds and joules until a given accuracy is reached."""
    from matplotlib.figure import Figure

    try:
        from codecarbon import OfflineEmissionsTracker
    except ImportError as error:
        raise SettingsError("This needs codecarbon: pip install 'd2ltl[chapters]'.") from error
    logging.getLogger("codecarbon").setLevel(logging.ERROR)
    tracker = OfflineEmissionsTracker(
        country_iso_code="VNM", tracking_mode="process", save_to_file=False, log_level="error"
    )
    data = _half()
    figure = Figure(figsize=(6, 3.4), layout="constrained")
    ax = figure.subplots()
    ax.axhline(TARGET, color="grey", linestyle="--", linewidth=1, label="asked for")
    sentences = []
    for way in RATES:
        tracker.start_task()
        _, history = train(way, data, seed, EPOCHS)
        energy = tracker.stop_task()
        seconds, accuracy = history.curve("seconds"), history.curve("test_acc")
        ax.plot(np.cumsum(seconds), accuracy, "-o", label=way)
        epochs = next((epoch for epoch, value in enumerate(accuracy, 1) if value >= TARGET), None)
        part = (epochs or EPOCHS) / EPOCHS  # of the run, whose epochs cost the same
        used = f"{sum(seconds[:epochs]):.1f} s, {energy.energy_consumed * 3.6e6 * part:.0f} J, "
        used += f"{energy.emissions * 1e6 * part:.0f} mg of CO2"
        sentences.append(f"{way}: " + (used if epochs else f"not within {used}"))
    tracker.stop()
    ax.set(xlabel="seconds of training", ylabel="test accuracy")
    ax.grid(alpha=0.3)
    ax.legend()
    return Shown(f"An accuracy of {TARGET:.0%} (energy is an estimate): {'; '.join(sentences)}.", figure)


DEMONSTRATIONS = {
    "gains": Demonstration(TOPIC, "Does transfer start higher, rise steeper, end higher?", gains),
    "few-images": Demonstration(TOPIC, "How few images are enough?", few_images),
    "designed-features": Demonstration(TOPIC, "Are learned features better than designed ones?", designed_features),
    "time-and-energy": Demonstration(TOPIC, "How soon is an accuracy reached, at what energy?", time_and_energy),
}
