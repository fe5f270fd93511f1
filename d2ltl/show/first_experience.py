"""A first experience in small: a new top on a pretrained network, curves, confusions, augmentations, imbalance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from d2ltl.show.demonstration import Demonstration, Shown
from d2ltl.show.material import RATES, SIZE, data_set, every, in_classes_of, line_chart, source_model, train

if TYPE_CHECKING:
    from mxnet.gluon import HybridBlock

    from d2ltl.data import Pair

TOPIC = "A first experience"
EPOCHS = 5
PER_CLASS, TRAINED = 20, 3  # images to train on; layers that are not frozen
RATIOS = (1, 20)


def few_foods(seed: int) -> Pair:
    """Return 10 foods, 20 images of each to train on, and as many to test."""
    from d2ltl.subsets import take

    images, test = in_classes_of("food", data_set())
    return take(images, PER_CLASS, seed), take(test, PER_CLASS, seed)


def _last_layers(net: HybridBlock) -> None:
    from d2ltl.nets import freeze_layers

    freeze_layers(net, TRAINED, batch_norm="fixed")


def first_experience(seed: int) -> Shown:
    """Train the last 3 layers, all of them, and all from scratch, on 20 images of each of 10 foods."""
    from d2ltl import plot

    data = few_foods(seed)
    histories = {
        "last 3 layers": train("fine-tuned", data, seed, EPOCHS, _last_layers)[1],
        "all layers": train("fine-tuned", data, seed, EPOCHS)[1],
        "from scratch": train("from scratch", data, seed, EPOCHS)[1],
    }
    accuracies = {way: history.epochs[-1].test_acc for way, history in histories.items()}
    best = max(accuracies, key=accuracies.__getitem__)
    numbers = ", ".join(f"{way} {accuracy:.3f}" for way, accuracy in accuracies.items())
    seconds = ", ".join(f"{history.seconds:.0f}" for history in histories.values())
    figure = plot.plot_curves({way: [history] for way, history in histories.items()})
    return Shown(f"{numbers} of 10 foods right (chance 0.1), in {seconds} s of training. Best: {best}.", figure)


def curves(seed: int) -> Shown:
    """Train all layers without augmentation, and look at both losses."""
    import d2ltl
    from d2ltl import plot

    _, history = train("fine-tuned", few_foods(seed), seed, 10, train_augs=d2ltl.test_augs(SIZE))
    loss, test_loss = history.curve("loss"), history.curve("test_loss")
    lowest = int(np.argmin(test_loss))
    rises = test_loss[-1] > 1.02 * test_loss[lowest]
    verdict = (
        f"Training loss {loss[0]:.2f} to {loss[-1]:.2f}, test loss {test_loss[0]:.2f} to {test_loss[-1]:.2f}, lowest "
        f"({test_loss[lowest]:.2f}) after epoch {lowest + 1}: "
        + ("from there on the network learns its training images by heart." if rises else "more epochs do no harm yet.")
    )
    return Shown(verdict, plot.plot_curves({"all layers": [history]}))


def confusion(seed: int) -> Shown:
    """Train the last 3 layers, and look which foods are taken for which."""
    import d2ltl
    from d2ltl import plot

    data = few_foods(seed)
    net, _ = train("fine-tuned", data, seed, EPOCHS, _last_layers)
    _, accuracy, matrix = d2ltl.evaluate(net, data[1], size=SIZE)
    wrong = matrix - np.diag(np.diag(matrix))
    true, taken = np.unravel_index(wrong.argmax(), wrong.shape)
    names = data[1].synsets
    verdict = f"{accuracy:.3f} right. Most often, {names[true]} is taken for {names[taken]}: "
    verdict += f"{wrong[true, taken]} of {matrix[true].sum()}."
    return Shown(verdict, plot.plot_confusion({"last 3 layers": matrix}, names))


def augmentations(seed: int) -> Shown:
    """Train the last 3 layers with each augmentation alone, and show what each does to one image."""
    import d2ltl
    from d2ltl import plot, runtime
    from d2ltl.augmentations import AUGMENTATIONS

    data = few_foods(seed)
    ways = {"none": d2ltl.test_augs(SIZE), "the book's crop and flip": d2ltl.train_augs(SIZE)}
    ways.update({name: d2ltl.train_augs(SIZE, [name], book=False) for name in AUGMENTATIONS})
    accuracies, groups = {}, {}
    data_meanwhile = data[0], every(20, data[1])  # to test all of them would take as long as training
    for name, augs in ways.items():
        net, _ = train("fine-tuned", data_meanwhile, seed, 3, _last_layers, train_augs=augs)
        accuracies[name] = d2ltl.evaluate(net, data[1], size=SIZE)[1]
        runtime.reseed(seed)
        images = [(augs.on_image(data[0][0][0]).asnumpy(), "") for _ in range(6)]
        groups[f"{name}: test accuracy {accuracies[name]:.3f}"] = images
    none = accuracies.pop("none")
    changes = ", ".join(f"{name} {100 * (accuracy - none):+.1f}" for name, accuracy in accuracies.items())
    verdict = f"Without augmentation {none:.3f}; with one alone, in points: {changes}."
    return Shown(verdict, plot.plot_images(groups, num_cols=6, scale=0.8))


def imbalance(seed: int) -> Shown:
    """Measure balanced accuracy with as many hot dogs as other food, and with a twentieth."""
    import d2ltl

    images, test = (d2ltl.take(part, number, seed) for part, number in zip(data_set(), (120, 100)))
    measured: dict[str, dict[int, float]] = {}
    for ratio in RATIOS:
        part = d2ltl.imbalanced(images, ratio, rare="hotdog", seed=seed)
        for way, accuracy in _balanced_accuracies((part, test), seed).items():
            measured.setdefault(way, {})[ratio] = accuracy
    figure = line_chart(measured, "images of other food for each hot dog", "balanced test accuracy", log=True)
    figure.axes[0].axhline(0.5, color="grey", linewidth=1)  # of the same answer always
    numbers = "; ".join(f"{way} {' to '.join(f'{x:.3f}' for x in by.values())}" for way, by in measured.items())
    return Shown(f"Balanced accuracy from 1:{RATIOS[0]} to 1:{RATIOS[-1]}: {numbers}.", figure)


def _balanced_accuracies(data: Pair, seed: int) -> dict[str, float]:
    from sklearn.metrics import balanced_accuracy_score

    import d2ltl

    accuracies = {}
    for way in RATES:
        net, _ = train(way, (data[0], every(20, data[1])), seed, 3)
        probabilities, labels = d2ltl.predict(net, data[1], size=SIZE)
        accuracies[way] = float(balanced_accuracy_score(labels, probabilities.argmax(axis=1)))
    codes, test_codes = (d2ltl.extract_codes(source_model(), part, size=SIZE) for part in data)
    for kind, weight in (("softmax", None), ("softmax", "balanced"), ("svm", None)):
        head = d2ltl.linear_head(kind, seed=seed)
        head[-1].set_params(class_weight=weight)
        predicted = head.fit(codes, data[0].labels).predict(test_codes)
        name = f"codes, {kind}" + (", weighted" if weight else "")
        accuracies[name] = float(balanced_accuracy_score(data[1].labels, predicted))
    return accuracies


DEMONSTRATIONS = {
    "first-experience": Demonstration(TOPIC, "What do 20 images of each of 10 foods teach?", first_experience),
    "curves": Demonstration(TOPIC, "When does a network learn its images by heart?", curves),
    "confusion": Demonstration(TOPIC, "Which foods are taken for which?", confusion),
    "augmentations": Demonstration(TOPIC, "What does each augmentation do, and does it help?", augmentations),
    "imbalance": Demonstration(TOPIC, "What if one class is rare?", imbalance),
}
