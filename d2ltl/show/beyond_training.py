"""What chapter 6 shows of images without labels and of teachers, in small."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from d2ltl.show.demonstration import Demonstration, Shown
from d2ltl.show.material import RATES, SIZE, data_set, in_classes_of, line_chart, source_model

if TYPE_CHECKING:
    from d2ltl.evaluation import Images

TOPIC = "Beyond fine-tuning"
PER_CLASS = (2, 5, 10, 20)  # labelled digits
FOODS, FEW = ("banana", "doughnut", "fried-egg", "pretzel"), 10  # to be sorted, images of each
TEACHER_EPOCHS, STUDENT_EPOCHS = 2, 2


def self_taught(seed: int) -> Shown:
    """Learn features from the digits 5 to 9 without labels, then classify 0 to 4 with few labels."""
    from d2ltl.methods.self_taught import train_self_taught

    images, test = data_set("digits")
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
        line_chart(curves, "labelled images of each digit, 0 to 4"),
    )


def self_taught_clustering(seed: int) -> Shown:
    """Sort a few foods that nobody named, with the help of many images of other foods."""
    from matplotlib.figure import Figure

    import d2ltl
    from d2ltl.methods.clustering import agreement, cluster_with_help
    from d2ltl.subsets import take

    images, _ = in_classes_of("food", data_set())
    few, many = take(images.only(FOODS), FEW, seed), images.only(set(images.synsets) - set(FOODS))
    codes = {id(part): d2ltl.extract_codes(source_model(), part, size=SIZE) for part in (few, many)}

    def describe(images: Images) -> np.ndarray:
        return codes[id(images)]

    ways = {
        "pixels, K-means": _kmeans(d2ltl.read_pixels(few, 16).reshape(len(few), -1), seed),
        "CNN codes, K-means": _kmeans(describe(few), seed),
        "codes, co-clustered alone": cluster_with_help(few, None, len(FOODS), describe=describe, seed=seed),
        f"… with {len(many)} other images": cluster_with_help(few, many, len(FOODS), describe=describe, seed=seed),
    }
    found = {way: agreement(clusters, few.labels) for way, clusters in ways.items()}
    figure = Figure(figsize=(6.5, 2.6), layout="constrained")
    ax = figure.subplots()
    for shift, (index, name) in enumerate([(0, "NMI"), (1, "adjusted Rand index")]):
        values = [pair[index] for pair in found.values()]
        ax.bar_label(ax.barh(np.arange(4) + 0.4 * shift, values, 0.38, label=name), fmt="%.2f", padding=3)
    ax.set_yticks(np.arange(4) + 0.2, [*found])
    ax.invert_yaxis()
    ax.set(xlim=(0, 1.1), xlabel="agreement with the true foods")
    ax.legend()
    alone, helped = [*found.values()][2:]
    numbers = ", ".join(f"{way} {nmi:.2f}" for way, (nmi, _) in found.items())
    effect = "helped" if helped[0] > alone[0] else "did not help"
    return Shown(f"NMI of {len(few)} images of {len(FOODS)} foods: {numbers}. The others {effect}.", figure)


def _kmeans(features: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    return np.asarray(KMeans(len(FOODS), n_init=10, random_state=seed).fit_predict(features))


def distillation(seed: int) -> Shown:
    """Train a small network alone, and as the student of a fine-tuned one."""
    import d2ltl
    from d2ltl import plot
    from d2ltl.methods.distillation import distill, weigh
    from d2ltl.trials import quiet

    data = data_set("digits")
    options: dict[str, Any] = {"batch_size": 32, "data": data, "size": 32, "seed": seed}
    options["train_augs"] = d2ltl.test_augs(32)  # a flipped digit is none
    d2ltl.runtime.reseed(seed)
    teacher = d2ltl.finetune_net(10, source_model())
    alone, student = (d2ltl.scratch_net(10, "mobilenet0.25") for _ in range(2))
    rate = RATES["from scratch"]
    with quiet():
        d2ltl.train_fine_tuning(teacher, RATES["fine-tuned"], num_epochs=TEACHER_EPOCHS, **options)
        histories = {
            "student alone": [d2ltl.train_fine_tuning(alone, rate, num_epochs=STUDENT_EPOCHS, **options)],
            "distilled": [distill(student, teacher, rate, num_epochs=STUDENT_EPOCHS, **options)],
        }
    nets = {"teacher": teacher, "student alone": alone, "distilled": student}
    weighed = {name: weigh(net, data[1], size=32) for name, net in nets.items()}
    numbers = "; ".join(
        f"{name} {found.accuracy:.3f}, {found.megabytes:.1f} MB, {found.images_per_s:.0f} images/s"
        for name, found in weighed.items()
    )
    gain = weighed["distilled"].accuracy - weighed["student alone"].accuracy
    effect = f"gains {gain:.3f}" if gain > 0 else f"loses {-gain:.3f}"
    return Shown(f"Test accuracy, size, speed: {numbers}. The student {effect} by its teacher.",
                 plot.plot_curves(histories))  # fmt: skip


DEMONSTRATIONS = {
    "self-taught": Demonstration(
        TOPIC, "What are images without labels worth, if they show other things?", self_taught
    ),
    "self-taught-clustering": Demonstration(
        TOPIC, "Do many other images help to sort a few without labels?", self_taught_clustering
    ),
    "distillation": Demonstration(TOPIC, "Does a small network learn more from a large one?", distillation),
}
