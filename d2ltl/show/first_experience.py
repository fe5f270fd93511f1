"""Demonstrations of a first experience: last layers, curves, confusion matrix, augmentations, class imbalance."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from mxnet.gluon import HybridBlock
from sklearn.metrics import balanced_accuracy_score

from d2ltl import runtime
from d2ltl.comparison.strategies import Rates
from d2ltl.data.augmentation import AUGMENTATIONS, test_augs, train_augs
from d2ltl.data.labels import relabel_by
from d2ltl.data.pairs import Pair, load_images
from d2ltl.data.subsets import imbalanced, take
from d2ltl.history import History
from d2ltl.models.freezing import freeze_layers
from d2ltl.plot import plot_confusion, plot_curves, plot_images, plot_lines
from d2ltl.show.catalogue import Shown
from d2ltl.show.material import DATA, IMAGENET_SIZE, imagenet_model, train
from d2ltl.training.evaluation import chance_of, evaluate, predict
from d2ltl.training.features import extract_codes
from d2ltl.training.linear_probe import linear_head

EPOCHS, FEW = 4, 3  # number of epochs of one training, and where there are several
PER_CLASS, TRAINED = 20, 3  # training images of each class; number of layers that are trained
RATIOS = (1, 20)  # images of other food for each hot dog


def foods(seed: int) -> Pair:
    """Return images of 10 foods, 20 training and 20 test images of each."""
    images, test = relabel_by(DATA, "food")
    return take(images, PER_CLASS, seed), take(test, PER_CLASS, seed)


_last_layers = partial(freeze_layers, trained=TRAINED, batch_norm="fixed")


def _train(
    strategy: str, data: Pair, seed: int, epochs: int, source: HybridBlock, **options: Any
) -> tuple[HybridBlock, History]:
    """Train a network of the ImageNet model's architecture, at the book's learning rates; see `train`."""
    return train(strategy, data, seed, epochs, source=source, size=IMAGENET_SIZE, rates=Rates(), **options)


def few_foods(seed: int) -> Shown:
    """Compare training the last 3 layers, LP-FT, and training from scratch, on 20 images per food."""
    data, source = foods(seed), imagenet_model()
    histories = {
        "finetune, last 3 layers": _train("finetune", data, seed, EPOCHS, source, change=_last_layers)[1],
        "lp-ft": _train("lp-ft", data, seed, EPOCHS, source)[1],
        "scratch": _train("scratch", data, seed, EPOCHS, source)[1],
    }
    accuracies = {way: history.curve("test_acc")[-1] for way, history in histories.items()}
    best = max(accuracies, key=accuracies.__getitem__)
    numbers = ", ".join(f"{way} {accuracy:.3f}" for way, accuracy in accuracies.items())
    seconds = ", ".join(f"{history.seconds:.0f}" for history in histories.values())
    figure = plot_curves({way: [history] for way, history in histories.items()}, chance=chance_of(data[1]))
    return Shown(f"Test accuracy on 10 foods (chance 0.1): {numbers}; {seconds} s of training. Best: {best}.", figure)


def curves(seed: int) -> Shown:
    """Train the last 3 layers without augmentation, and plot the training and the test loss."""
    options, data = {"change": _last_layers, "train_augs": test_augs(IMAGENET_SIZE)}, foods(seed)
    _, history = _train("finetune", data, seed, 10, imagenet_model(), **options)
    loss, test_loss = history.curve("loss"), history.curve("test_loss")
    lowest = int(np.argmin(test_loss))
    rises = test_loss[-1] > 1.02 * test_loss[lowest]
    verdict = (
        f"Training loss {loss[0]:.2f} to {loss[-1]:.2f}, test loss {test_loss[0]:.2f} to {test_loss[-1]:.2f}, lowest "
        f"({test_loss[lowest]:.2f}) after epoch {lowest + 1}: "
        + ("from there on the network learns its training images by heart." if rises else "more epochs do no harm yet.")
    )
    return Shown(verdict, plot_curves({"finetune, last 3 layers": [history]}, chance=chance_of(data[1])))


def confusion(seed: int) -> Shown:
    """Train by LP-FT, and plot the confusion matrix of the foods."""
    data = foods(seed)
    net, _ = _train("lp-ft", data, seed, EPOCHS, imagenet_model(), evaluate_every=EPOCHS)
    _, accuracy, matrix = evaluate(net, data[1], size=IMAGENET_SIZE)
    wrong = matrix - np.diag(np.diag(matrix))
    true, taken = np.unravel_index(wrong.argmax(), wrong.shape)
    names = data[1].synsets
    verdict = f"Test accuracy {accuracy:.3f}. The most frequent mistake: {wrong[true, taken]} of {matrix[true].sum()} "
    verdict += f"images of {names[true]} are classified as {names[taken]}."
    return Shown(verdict, plot_confusion({"lp-ft": matrix}, names))


def augmentations(seed: int) -> Shown:
    """Train the last 3 layers with each single augmentation, and show the augmentations of one image."""
    data, source, size = foods(seed), imagenet_model(), IMAGENET_SIZE
    ways = {"none": test_augs(size), "the book's crop and flip": train_augs(size)}
    ways.update({name: train_augs(size, [name], book=False) for name in AUGMENTATIONS})
    accuracies, groups = {}, {}
    for name, augs in ways.items():
        options = {"change": _last_layers, "train_augs": augs, "evaluate_every": FEW}
        _, history = _train("finetune", data, seed, FEW, source, **options)
        accuracies[name] = history.curve("test_acc")[-1]
        runtime.reseed(seed)
        images = [(augs.on_image(data[0][0][0]).asnumpy(), "") for _ in range(6)]
        groups[f"{name}: test accuracy {accuracies[name]:.3f}"] = images
    none = accuracies.pop("none")
    changes = ", ".join(f"{name} {100 * (accuracy - none):+.1f}" for name, accuracy in accuracies.items())
    verdict = f"Without augmentation {none:.3f}; with one alone, in points: {changes}."
    return Shown(verdict, plot_images(groups, num_cols=6, scale=0.8))


def imbalance(seed: int) -> Shown:
    """Measure balanced accuracy with balanced classes, and with one hot dog for every 20 images of other food."""
    images, test = (take(part, number, seed) for part, number in zip(load_images(DATA), (120, 100)))
    measured: dict[str, dict[int, float]] = {}
    for ratio in RATIOS:
        part = imbalanced(images, ratio, rare="hotdog", seed=seed)
        for way, accuracy in _balanced_accuracies((part, test), seed).items():
            measured.setdefault(way, {})[ratio] = accuracy
    figure = plot_lines(
        measured, "images of other food for each hot dog", "balanced test accuracy", log=True, chance=0.5
    )
    numbers = "; ".join(f"{way} {' to '.join(f'{x:.3f}' for x in by.values())}" for way, by in measured.items())
    return Shown(f"Balanced accuracy from 1:{RATIOS[0]} to 1:{RATIOS[-1]}: {numbers}.", figure)


def _balanced_accuracies(data: Pair, seed: int) -> dict[str, float]:
    accuracies, source, size = {}, imagenet_model(), IMAGENET_SIZE
    for name in ("lp-ft", "scratch"):
        net, _ = _train(name, data, seed, FEW, source, evaluate_every=FEW)
        probabilities, labels = predict(net, data[1], size=size)
        accuracies[name] = float(balanced_accuracy_score(labels, probabilities.argmax(axis=1)))
    codes, test_codes = (extract_codes(source, part, size=size) for part in data)
    softmax, svm = (linear_head(kind, seed=seed) for kind in ("softmax", "svm"))
    weighted = linear_head("softmax", balance=True)
    heads = {"codes-softmax": softmax, "codes-softmax, weighted": weighted, "codes-svm": svm}
    answers = {name: head.fit(codes, data[0].labels).predict(test_codes) for name, head in heads.items()}
    shares = np.bincount(data[0].labels)  # a class is taken where it is more probable than its share in training
    answers["codes-softmax, threshold"] = (softmax.predict_proba(test_codes) / shares).argmax(axis=1)
    for name, predicted in answers.items():
        accuracies[name] = float(balanced_accuracy_score(data[1].labels, predicted))
    return accuracies
