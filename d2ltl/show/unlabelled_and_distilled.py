"""Demonstrations for chapter 6: self-taught learning, self-taught clustering, knowledge distillation."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.cluster import KMeans

from d2ltl import runtime
from d2ltl.data.augmentation import test_augs
from d2ltl.data.batches import read_pixels
from d2ltl.data.labels import relabel_by
from d2ltl.data.pairs import Images, load_images
from d2ltl.data.subsets import take
from d2ltl.datasets import BOOK
from d2ltl.methods.clustering import agreement, cluster_with_help
from d2ltl.methods.distillation import distill
from d2ltl.methods.self_taught import train_self_taught
from d2ltl.models.networks import finetune_net, scratch_net
from d2ltl.plot import legend_beside, plot_curves, plot_lines
from d2ltl.show.catalogue import Shown
from d2ltl.show.material import DATA, IMAGENET_SIZE, imagenet_model, source_model
from d2ltl.training.evaluation import chance_of, profile
from d2ltl.training.features import extract_codes
from d2ltl.training.fine_tuning import train_fine_tuning

PER_CLASS = (2, 5, 10, 20)  # labelled images of each digit
FOODS, FEW = ("banana", "doughnut", "fried-egg", "pretzel"), 10  # foods to cluster, images of each
TEACHER_EPOCHS, STUDENT_EPOCHS = 2, 2


def self_taught(seed: int) -> Shown:
    """Learn features from unlabelled digits 5 to 9, then classify the digits 0 to 4 with few labels."""
    images, test = load_images("digits")
    unlabelled = images.only("56789")
    labelled = images.only("01234"), test.only("01234")
    taught = train_self_taught(unlabelled, labelled, PER_CLASS, num_features=100, size=8, patch=3, seed=seed)
    names = {"pixels": "pixels", "features": "self-taught features"}
    curves = {names[way]: dict(zip(PER_CLASS, accuracies)) for way, accuracies in taught.accuracy.items()}
    table = zip(PER_CLASS, taught.accuracy["pixels"], taught.accuracy["features"])
    numbers = "; ".join(f"{n} of each: pixels {pixels:.3f}, features {features:.3f}" for n, pixels, features in table)
    gain = np.mean(taught.accuracy["features"]) - np.mean(taught.accuracy["pixels"])
    verdict = f"{len(unlabelled)} digits from 5 to 9 without labels, few from 0 to 4 with. {numbers}."
    return Shown(
        f"{verdict} Self-taught features {'gain' if gain > 0 else 'lose'} {abs(gain):.3f} on average.",
        plot_lines(curves, "labelled images of each digit, 0 to 4", chance=chance_of(labelled[1])),
    )


def self_taught_clustering(seed: int) -> Shown:
    """Cluster few unlabelled images of foods, with the help of many images of other foods."""
    images, _ = relabel_by(DATA, "food")
    few, many = take(images.only(FOODS), FEW, seed), images.only(set(images.synsets) - set(FOODS))
    source = imagenet_model()
    codes = {id(part): extract_codes(source, part, size=IMAGENET_SIZE) for part in (few, many)}

    def describe(images: Images) -> np.ndarray:
        return codes[id(images)]

    ways = {
        "pixels, K-means": _kmeans(read_pixels(few, 16).reshape(len(few), -1), seed),
        "CNN codes, K-means": _kmeans(describe(few), seed),
        "codes, co-clustered alone": cluster_with_help(few, None, len(FOODS), describe=describe, seed=seed),
        "codes, co-clustered with help": cluster_with_help(few, many, len(FOODS), describe=describe, seed=seed),
    }
    found = {way: agreement(clusters, few.labels) for way, clusters in ways.items()}
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    ax = figure.subplots()
    for shift, (index, name) in enumerate([(0, "NMI"), (1, "adjusted Rand index")]):
        values = [pair[index] for pair in found.values()]
        ax.bar_label(ax.barh(np.arange(4) + 0.4 * shift, values, 0.38, label=name), fmt="%.2f", padding=3)
    ax.set_yticks(np.arange(4) + 0.2, [*found])
    ax.invert_yaxis()
    ax.set(xlim=(0, 1.1), xlabel="agreement with the true foods")
    legend_beside(figure)
    alone, helped = [*found.values()][2:]
    numbers = ", ".join(f"{way} {nmi:.2f}" for way, (nmi, _) in found.items())
    effect = "helped" if helped[0] > alone[0] else "did not help"
    verdict = f"NMI of {len(few)} images of {len(FOODS)} foods: {numbers}. The {len(many)} other images {effect}."
    return Shown(verdict, figure)


def _kmeans(features: np.ndarray, seed: int) -> np.ndarray:
    return np.asarray(KMeans(len(FOODS), n_init=10, random_state=seed).fit_predict(features))


def distillation(seed: int) -> Shown:
    """Compare training a small network alone with distillation from a fine-tuned network."""
    data = load_images("digits")
    options: dict[str, Any] = {"batch_size": 32, "data": data, "size": 32, "seed": seed, "verbose": False}
    options["train_augs"] = test_augs(32)  # no flips: a mirrored digit is not a digit
    runtime.reseed(seed)
    teacher = finetune_net(10, source_model())
    alone, student = (scratch_net(10, "mobilenet0.25") for _ in range(2))
    train_fine_tuning(teacher, BOOK.lr_finetune, num_epochs=TEACHER_EPOCHS, **options)
    options["num_epochs"] = STUDENT_EPOCHS
    histories = {
        "student alone": [train_fine_tuning(alone, BOOK.lr_scratch, **options)],
        "distilled": [distill(student, teacher, BOOK.lr_scratch, **options)],
    }
    nets = {"teacher": teacher, "student alone": alone, "distilled": student}
    profiles = {name: profile(net, data[1], size=32) for name, net in nets.items()}
    numbers = "; ".join(
        f"{name} {found.accuracy:.3f}, {found.megabytes:.1f} MB, {found.images_per_s:.0f} images/s"
        for name, found in profiles.items()
    )
    gain = profiles["distilled"].accuracy - profiles["student alone"].accuracy
    verdict = f"Test accuracy, size, speed: {numbers}. Distillation changes the student's accuracy by {gain:+.3f}."
    return Shown(verdict, plot_curves(histories, chance=chance_of(data[1])))
