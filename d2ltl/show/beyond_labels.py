"""What chapter 6 begins with, in small: several tasks at once, another domain, classes never seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from d2ltl.show.demonstration import Demonstration, Shown
from d2ltl.show.material import BATCH_SIZE, RATES, SIZE, data_set, every, in_classes_of, source_model, train

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from d2ltl.data import ImageFolder, Pair

TOPIC = "Beyond fine-tuning"
EPOCHS = 3
FEW = 100  # images, each with a label for every task
TASKS = ["food", "table", "support", "camera", "light"]
ATTRIBUTES = [
    *("dough", "bun", "sausage", "meat", "cheese", "greens"),
    *("sauce", "sweet", "fruit", "hole", "elongated", "several"),
]


def several_tasks(seed: int) -> Shown:
    """Train each task alone, then all of them on one feature block."""
    from matplotlib.figure import Figure

    from d2ltl.methods.multitask import train_multitask

    pair = data_set()
    chosen = np.random.default_rng(seed).choice(len(pair[0]), FEW, replace=False).tolist()
    pairs = {name: in_classes_of(name, pair) for name in TASKS}
    tasks = {name: (images.subset(chosen), every(4, test)) for name, (images, test) in pairs.items()}
    options: dict[str, Any] = {"num_epochs": EPOCHS, "size": SIZE, "seed": seed}

    def accuracies(**some: tuple[ImageFolder, ImageFolder]) -> dict[str, float]:
        trained = train_multitask(source_model(), RATES["fine-tuned"], BATCH_SIZE, tasks=some, **options)
        return {name: accuracy[-1] for name, accuracy in trained.accuracy.items()}

    together = accuracies(**tasks)
    alone = {name: accuracies(**{name: task})[name] for name, task in tasks.items()}
    gains = {name: 100 * (together[name] - alone[name]) for name in TASKS}
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    _draw_bars(figure.subplots(), TASKS, {"alone": alone, "together": together})
    differences = ", ".join(f"{name} {gain:+.0f}" for name, gain in gains.items())
    return Shown(
        f"{FEW} images: trained together instead of alone, the tasks gain, in percentage points, {differences}; "
        f"{np.mean([*gains.values()]):+.1f} on average.",
        figure,
    )


def _draw_bars(ax: Axes, names: list[str], series: dict[str, dict[str, float]]) -> None:
    width = 0.8 / len(series)
    for i, (label, values) in enumerate(series.items()):
        ax.bar(np.arange(len(names)) + width * i, [values[name] for name in names], width=width, label=label)
    ax.set_xticks(np.arange(len(names)) + width * (len(series) - 1) / 2, names, fontsize="small")
    ax.set(ylabel="test accuracy", ylim=(0, 1))
    ax.legend(fontsize="small")


def another_domain(seed: int) -> Shown:
    """Train on images from high above, and test on images from lower down."""
    from matplotlib.figure import Figure
    from sklearn.decomposition import PCA

    import d2ltl
    from d2ltl.methods.dann import train_dann

    high, lower = _by_camera(high=True), _by_camera(high=False)
    figure = Figure(figsize=(7.5, 3.4), layout="constrained")
    sentences = []
    for ax, name in zip(figure.subplots(1, 2), ("source only", "domain-adversarial")):
        if name == "source only":
            net, history = train("fine-tuned", (high[0], lower[1]), seed, EPOCHS)
        else:
            d2ltl.runtime.reseed(seed)
            net = d2ltl.finetune_net(2, source_model())
            history = train_dann(
                net, RATES["fine-tuned"], 2 * BATCH_SIZE, EPOCHS, source=high, target=lower, size=SIZE, seed=seed
            )
        codes = [d2ltl.extract_codes(net, part, size=SIZE) for part in (high[1], lower[1])]
        distance = d2ltl.proxy_a_distance(codes[0], codes[1], seed)
        projection = PCA(2).fit(np.concatenate(codes))
        for domain, of_domain in zip(("high camera", "lower camera"), codes):
            ax.plot(*projection.transform(of_domain).T, ".", alpha=0.6, label=domain)
        ax.set(title=f"{name}: A-distance {distance:.2f}", xticks=[], yticks=[])
        ax.legend(fontsize="small")
        sentences.append(f"{name} {history.epochs[-1].test_acc:.3f} (A-distance {distance:.2f})")
    return Shown(
        f"Trained on images from high above, accuracy on those from lower down: {', '.join(sentences)}.", figure
    )


def _by_camera(high: bool) -> Pair:
    from d2ltl.labels import read_labels

    images, test = (
        part.subset(np.flatnonzero((read_labels(part, "camera") == "high") == high).tolist()) for part in data_set()
    )
    return images, test


def unseen_foods(seed: int) -> Shown:
    """Leave foods out of training, and recognise them by their attributes."""
    from matplotlib.figure import Figure

    from d2ltl.methods.zero_shot import recognise_unseen

    foods = in_classes_of("food", data_set())
    groups = np.random.default_rng(seed).permutation(foods[0].synsets).reshape(-1, 2).tolist()
    results = recognise_unseen(source_model(), data=foods, attributes=ATTRIBUTES, unseen=groups, size=64)
    names = ["\n".join(result.unseen) for result in results]
    figure = Figure(figsize=(6.5, 3.4), layout="constrained")
    ax = figure.subplots()
    series = {
        "one of these two": [result.accuracy for result in results],
        "one of all ten": [result.general_unseen for result in results],
    }
    _draw_bars(ax, names, {label: dict(zip(names, values)) for label, values in series.items()})
    ax.axhline(results[0].chance, color="grey", linestyle="--", linewidth=1)
    accuracy, general, seen = (
        np.mean([getattr(result, field) for result in results])
        for field in ("accuracy", "general_unseen", "general_seen")
    )
    return Shown(
        f"Two foods at a time were never seen. Told from each other: accuracy {accuracy:.3f}, chance "
        f"{results[0].chance:.2f}. Picked among all ten foods: {general:.3f}, while the seen ones get {seen:.3f}.",
        figure,
    )


DEMONSTRATIONS = {
    "several-tasks": Demonstration(TOPIC, "Do several tasks on one feature block help each other?", several_tasks),
    "another-domain": Demonstration(TOPIC, "Can training on one domain be made to fit another?", another_domain),
    "unseen-classes": Demonstration(TOPIC, "Can foods be recognised that were never seen?", unseen_foods),
}
