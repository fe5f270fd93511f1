"""Demonstrations for chapters 1 and 3: the three gains, few images, hand-crafted features, time and energy."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from mxnet.gluon import HybridBlock
from sklearn.model_selection import GridSearchCV

from d2ltl.comparison.gains import measure_gains
from d2ltl.data.augmentation import test_augs
from d2ltl.data.folders import ImageFolder
from d2ltl.data.pairs import Pair
from d2ltl.data.subsets import sample
from d2ltl.errors import SettingsError
from d2ltl.history import History
from d2ltl.plot import legend_beside, plot_curves, plot_lines
from d2ltl.show.catalogue import Shown
from d2ltl.show.material import IMAGENET_SIZE, half, imagenet_model, train
from d2ltl.training.evaluation import chance_of
from d2ltl.training.features import extract_codes
from d2ltl.training.linear_probe import linear_head

STRATEGIES = ("lp-ft", "scratch")
EPOCHS = 2
SHARES = (0.1, 0.3, 1.0)  # shares of the training images
TARGET = 0.8  # test accuracy to reach
STRENGTHS = {"linearsvc__C": [1e-4, 1e-3, 1e-2]}  # candidates for the regularisation strength


def _history(strategy: str, source: HybridBlock, data: Pair, seed: int, **options: Any) -> History:
    """Train a network of the source model's architecture for `EPOCHS` epochs, and return its history."""
    return train(strategy, data, seed, EPOCHS, source=source, size=IMAGENET_SIZE, **options)[1]


def gains(seed: int) -> Shown:
    """Measure the gains in start, slope and asymptote of LP-FT over training from scratch."""
    data, source = half(), imagenet_model()
    histories = {name: [_history(name, source, data, seed)] for name in STRATEGIES}
    tuned, scratch = ([history.curve("test_acc") for history in runs] for runs in histories.values())
    measured = measure_gains(tuned, scratch, chance_of(data[1]))
    verdict = ", ".join(f"{name} {100 * gain.mean:+.1f}" for name, gain in measured.items())
    sentence = f"Gains of LP-FT over training from scratch in percentage points, after {EPOCHS} epochs: {verdict}."
    return Shown(sentence, plot_curves(histories, chance=chance_of(data[1])))


def few_images(seed: int) -> Shown:
    """Measure the test accuracy for several numbers of training images."""
    (images, test), source = half(), imagenet_model()
    accuracies: dict[str, dict[int, float]] = {"codes-softmax": {}, "scratch": {}}
    for share in SHARES:
        some = sample(images, round(share * len(images)), seed)
        for name, by_number in accuracies.items():
            history = _history(name, source, (some, test), seed, evaluate_every=EPOCHS)
            by_number[len(some)] = history.curve("test_acc")[-1]
    numbers = "; ".join(
        f"{n} images: codes-softmax {accuracy:.3f}, scratch {accuracies['scratch'][n]:.3f}"
        for n, accuracy in accuracies["codes-softmax"].items()
    )
    return Shown(
        f"Logistic regression on CNN codes, and the same network from scratch in {EPOCHS} epochs. {numbers}; "
        f"chance {chance_of(test):.3f}.",
        plot_lines(accuracies, "training images", log=True, chance=chance_of(test)),
    )


def designed_features(seed: int) -> Shown:
    """Compare histograms of oriented gradients (HOG) with CNN codes, with the same linear classifier."""
    try:
        from skimage.feature import hog
    except ImportError as error:
        raise SettingsError("This needs scikit-image: pip install 'd2ltl[chapters]'.") from error
    parts, source = half(), imagenet_model()
    prepare = test_augs(IMAGENET_SIZE).on_image

    def hogs(images: ImageFolder) -> np.ndarray:
        side = IMAGENET_SIZE // 8  # eight by eight cells
        cells = {"pixels_per_cell": (side, side), "cells_per_block": (2, 2), "channel_axis": -1}
        return np.stack([hog(prepare(image).asnumpy(), **cells) for image, _ in images])

    ways: dict[str, Callable[[ImageFolder], np.ndarray]] = {
        "HOG": hogs,
        "CNN codes": lambda images: extract_codes(source, images, size=IMAGENET_SIZE),
    }
    accuracies = {}
    for name, describe in ways.items():
        described, of_test = (describe(part) for part in parts)
        head = GridSearchCV(linear_head("svm", seed=seed), STRENGTHS, cv=4).fit(described, parts[0].labels)
        accuracies[name] = head.score(of_test, parts[1].labels)
    figure = Figure(figsize=(5, 2.4), layout="constrained")
    ax = figure.subplots()
    ax.bar_label(ax.barh([*accuracies], [*accuracies.values()], color=["C1", "C0"]), fmt="%.3f", padding=3)
    ax.set(xlim=(0, 1), xlabel="test accuracy of a linear SVM")
    hog_accuracy, codes_accuracy = accuracies.values()
    better = "learned" if codes_accuracy > hog_accuracy else "designed"
    verdict = f"HOG {hog_accuracy:.3f}, CNN codes {codes_accuracy:.3f}, chance {chance_of(parts[1]):.3f}"
    return Shown(f"{verdict}: {better} features win.", figure)


def time_and_energy(seed: int) -> Shown:
    """Measure the time and the energy that training needs to reach a given test accuracy."""
    try:
        from codecarbon import OfflineEmissionsTracker
    except ImportError as error:
        raise SettingsError("This needs codecarbon: pip install 'd2ltl[chapters]'.") from error
    logging.getLogger("codecarbon").setLevel(logging.ERROR)
    tracker = OfflineEmissionsTracker(
        country_iso_code="VNM", tracking_mode="process", save_to_file=False, log_level="error"
    )
    data, source = half(), imagenet_model()
    figure = Figure(figsize=(6, 3.4), layout="constrained")
    ax = figure.subplots()
    ax.axhline(TARGET, color="grey", linestyle="--", linewidth=1, label="asked for")
    sentences = []
    for name in STRATEGIES:
        history, energy = _history_and_energy(name, source, data, seed, tracker)
        seconds, accuracy = history.curve("seconds"), history.curve("test_acc")
        ax.plot(np.cumsum(seconds), accuracy, "-o", label=name)
        epochs = next((epoch for epoch, value in enumerate(accuracy, 1) if value >= TARGET), None)
        used = f"{sum(seconds[:epochs]):.1f} s, {energy.energy_consumed * 3.6e6:.0f} J, "
        used += f"{energy.emissions * 1e6:.0f} mg of CO2"
        sentences.append(f"{name}: " + (used if epochs else f"not within {used}"))
    tracker.stop()
    ax.set(xlabel="seconds of training", ylabel="test accuracy")
    ax.grid(alpha=0.3)
    legend_beside(figure)
    verdict = f"An accuracy of {TARGET:.0%} (energy is an estimate): {'; '.join(sentences)}."
    return Shown(f"{verdict} The seconds of lp-ft leave out its linear probe, the energy includes it.", figure)


def _history_and_energy(strategy: str, source: HybridBlock, data: Pair, seed: int, tracker: Any) -> tuple[History, Any]:
    """Train a network; return its history, and the energy until it has the accuracy, or else until the end."""
    measured: list[Any] = []

    def read(history: History) -> None:
        if not measured and (history.curve("test_acc")[-1] >= TARGET or len(history) == EPOCHS):
            measured.append(tracker.stop_task())

    tracker.start_task()
    return _history(strategy, source, data, seed, callbacks=[read]), measured[0]
