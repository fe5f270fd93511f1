"""Demonstrations for chapter 6: multi-task learning, domain adaptation, zero-shot learning."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from d2ltl import runtime
from d2ltl.advice.transferability import proxy_a_distance
from d2ltl.data.labels import read_labels, relabel_by
from d2ltl.data.pairs import Pair, load_images
from d2ltl.datasets import BOOK, defaults_of
from d2ltl.methods.dann import train_dann
from d2ltl.methods.multitask import train_multitask
from d2ltl.methods.zero_shot import recognise_unseen
from d2ltl.models.freezing import use_running_statistics
from d2ltl.models.networks import finetune_net
from d2ltl.plot import legend_beside, plot_bars
from d2ltl.show.catalogue import Shown
from d2ltl.show.material import BATCH_SIZE, DATA, IMAGENET_SIZE, SIZE, imagenet_model, source_model
from d2ltl.training.evaluation import chance_of
from d2ltl.training.features import extract_codes
from d2ltl.training.fine_tuning import train_fine_tuning

EPOCHS = 3
DOMAIN_EPOCHS = 2
FEW = 100  # number of training images, which have a label for every task
TASKS = ["food", "table", "support", "camera", "light"]
ATTRIBUTES = [
    *("dough", "bun", "sausage", "meat", "cheese", "greens"),
    *("sauce", "sweet", "fruit", "hole", "elongated", "several"),
]


def several_tasks(seed: int) -> Shown:
    """Compare training each task alone with multi-task learning."""
    pairs = {name: relabel_by(DATA, name) for name in TASKS}
    chosen = np.random.default_rng(seed).choice(len(pairs[TASKS[0]][0]), FEW, replace=False).tolist()
    tasks = {name: (images.subset(chosen), test) for name, (images, test) in pairs.items()}
    options: dict[str, Any] = {"num_epochs": EPOCHS, "size": SIZE, "seed": seed, "evaluate_every": EPOCHS}

    def accuracies(**some: Pair) -> dict[str, float]:
        rate = BOOK.lr_finetune
        trained = train_multitask(source_model(), rate, BATCH_SIZE, tasks=some, verbose=False, **options)
        return {name: accuracy[-1] for name, accuracy in trained.accuracy.items()}

    together = accuracies(**tasks)
    alone = {name: accuracies(**{name: task})[name] for name, task in tasks.items()}
    gains = {name: 100 * (together[name] - alone[name]) for name in TASKS}
    figure = plot_bars(
        {"alone": alone, "together": together}, chance={name: chance_of(tasks[name][1]) for name in TASKS}
    )
    differences = ", ".join(f"{name} {gain:+.0f}" for name, gain in gains.items())
    return Shown(
        f"{FEW} images: trained together instead of alone, the tasks gain, in percentage points, {differences}; "
        f"{np.mean([*gains.values()]):+.1f} on average.",
        figure,
    )


def another_domain(seed: int) -> Shown:
    """Train on images of a high camera, test on images of a lower camera, with and without domain adaptation."""
    high, lower = _by_camera(high=True), _by_camera(high=False)
    source = imagenet_model()
    rate = 3 * defaults_of(DATA, source.zoo_name).lr_finetune  # few images make few steps
    options: dict[str, Any] = {"num_epochs": DOMAIN_EPOCHS, "evaluate_every": DOMAIN_EPOCHS, "size": IMAGENET_SIZE}
    options |= {"seed": seed, "verbose": False}
    figure = Figure(figsize=(8.5, 3.4), layout="constrained")
    sentences = []
    for ax, name in zip(figure.subplots(1, 2), ("source only", "domain-adversarial")):
        runtime.reseed(seed)
        net = finetune_net(2, source)
        use_running_statistics(net.features)
        if name == "source only":
            history = train_fine_tuning(net, rate, BATCH_SIZE, data=(high[0], lower[1]), **options)
        else:
            history = train_dann(net, rate, 2 * BATCH_SIZE, source=high, target=lower, **options)
        codes = [extract_codes(net, part, size=IMAGENET_SIZE) for part in (high[1], lower[1])]
        distance = proxy_a_distance(codes[0], codes[1], seed)
        projection = PCA(2).fit(np.concatenate(codes))
        for domain, of_domain in zip(("high camera", "lower camera"), codes):
            ax.plot(*projection.transform(of_domain).T, ".", alpha=0.6, label=domain)
        ax.set(title=f"{name}: A-distance {distance:.2f}", xticks=[], yticks=[])
        sentences.append(f"{name} {history.epochs[-1].test_acc:.3f} (A-distance {distance:.2f})")
    legend_beside(figure)
    return Shown(
        f"Trained on images from high above, accuracy on those from lower down: {', '.join(sentences)}.", figure
    )


def _by_camera(high: bool) -> Pair:
    images, test = (
        part.subset(np.flatnonzero((read_labels(part, "camera") == "high") == high).tolist())
        for part in load_images(DATA)
    )
    return images, test


def unseen_foods(seed: int) -> Shown:
    """Recognise foods without training images by their attributes."""
    foods = relabel_by(DATA, "food")
    groups = np.random.default_rng(seed).permutation(foods[0].synsets).reshape(-1, 2).tolist()
    results = recognise_unseen(imagenet_model(), data=foods, attributes=ATTRIBUTES, unseen=groups, size=IMAGENET_SIZE)
    names = ["\n".join(result.unseen) for result in results]
    series = {
        "one of these two": [result.accuracy for result in results],
        "one of all ten": [result.general_unseen for result in results],
    }
    chance = dict.fromkeys(names, results[0].chance)
    figure = plot_bars({label: dict(zip(names, values)) for label, values in series.items()}, chance=chance)
    accuracy, general, seen = (
        np.mean([getattr(result, field) for result in results])
        for field in ("accuracy", "general_unseen", "general_seen")
    )
    return Shown(
        f"Two foods at a time have no training images. Accuracy on them, choosing between these two: {accuracy:.3f} "
        f"(chance {results[0].chance:.2f}); choosing among all ten: {general:.3f}. The other foods: {seen:.3f}.",
        figure,
    )
