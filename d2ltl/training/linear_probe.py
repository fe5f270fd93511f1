"""Linear probes: linear classifiers on the fixed features of a network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mxnet import gluon
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from d2ltl.data.folders import check_every_class
from d2ltl.data.pairs import Data, Images, as_pair
from d2ltl.data.subsets import take
from d2ltl.errors import NetworkError, SettingsError
from d2ltl.history import Epoch, History
from d2ltl.models.parameters import set_value
from d2ltl.models.shapes import check_input
from d2ltl.models.trained import note_training
from d2ltl.training.evaluation import accuracy_of, loss_of, predict
from d2ltl.training.features import extract_codes

STRENGTH = 0.01  # scikit-learn's C, the inverse regularisation strength, for standardised codes
PROBE_OPTIONS = ("size", "test_augs", "devices", "seed", "balance")  # arguments shared with other trainings
STRENGTHS = [1e-3, 1e-2, 1e-1, 1.0]  # candidates for C in cross-validation


def linear_head(kind: str = "svm", C: float = STRENGTH, seed: int = 0, balance: bool = False) -> Pipeline:
    """Return an unfitted scikit-learn pipeline that standardises CNN codes and classifies them linearly.

    Parameters
    ----------
    kind : {'svm', 'softmax'}
        Linear support vector machine, or logistic regression.
    C, seed : float, int
        Inverse regularisation strength, and seed of the SVM's solver.
    balance : bool
        Whether every class counts the same, however many images it has.

    Examples
    --------
    >>> codes, labels = np.array([[0.0, 1.0], [1.0, 0.0]]), [0, 1]
    >>> linear_head("softmax").fit(codes, labels).predict([[0.9, 0.2]])
    array([1])
    """
    if kind not in ("svm", "softmax"):
        raise SettingsError(f"There is no linear head {kind!r}; choose 'svm' or 'softmax'.")
    class_weight = "balanced" if balance else None
    svm = LinearSVC(C=C, dual=False, random_state=seed, class_weight=class_weight)
    softmax = LogisticRegression(C=C, max_iter=1000, class_weight=class_weight)
    return make_pipeline(StandardScaler(), svm if kind == "svm" else softmax)


def accuracy_by_labels(
    describe: Callable[[Images], np.ndarray],
    data: Data,
    per_class: Sequence[int],
    seed: int = 0,
) -> list[float]:
    """Return the test accuracies of logistic regression on features, for increasing numbers of labelled images.

    There is one accuracy, between 0 and 1, for each entry of `per_class`. The regularisation strength is chosen by
    cross-validation on the labelled images.

    Parameters
    ----------
    describe : callable
        Function from images to features, shape (N, features). Examples are the result of `learn_features`, and ``lambda
        images: extract_codes(net, images)``.
    data : str, path or pair
        Training and test images; see `train_fine_tuning`.
    per_class : sequence of int
        Numbers of labelled training images per class, each at least 2.
    seed : int
        Seed of the random choice of labelled images. With the same seed, fewer images are a subset of more images.
    """
    if min(per_class) < 2:
        raise SettingsError(f"per_class is {min(per_class)}; the classifier needs at least 2 labelled images of each.")
    train, test = as_pair(data)
    described, accuracies = describe(test), []
    for number in per_class:
        labelled = take(train, number, seed)
        search = GridSearchCV(linear_head("softmax"), {"logisticregression__C": STRENGTHS}, cv=min(5, number))
        accuracies.append(float(search.fit(describe(labelled), labelled.labels).score(described, test.labels)))
    return accuracies


def check_dense(net: gluon.HybridBlock) -> None:
    """Raise NetworkError if the output of a network is not a dense layer, which a linear classifier can replace."""
    if not isinstance(net.output, gluon.nn.Dense):
        raise NetworkError(f"The output of {net.name} is not a dense layer, as a linear classifier needs.")


def train_on_codes(
    net: gluon.HybridBlock,
    head: str = "svm",
    *,
    data: Data,
    seed: int = 0,
    balance: bool = False,
    verbose: bool = True,
    **options: Any,
) -> History:
    """Fit a linear classifier on the CNN codes of a network, and copy its weights to the network's output layer.

    This method is also called a linear probe. It does not change the features. The features of every training image are
    computed once, and not once per epoch as in exercise 3 of section 13.2. The history has one epoch. Its loss is the
    mean cross-entropy of the outputs. (The outputs of an SVM are margins and not log-probabilities.) Its seconds
    include the computation of the codes and the fit.

    Parameters
    ----------
    net : HybridBlock
        Network from `finetune_net`, with one output per class. Its output is a dense layer.
    head, seed, balance : {'svm', 'softmax'}, int, bool
        Linear classifier, seed of the SVM's solver, and whether every class counts the same; see `linear_head`.
    data, verbose
        See `train_fine_tuning`.
    **options
        ``size``, ``batch_size``, ``test_augs``, ``devices``: see `predict`.

    Raises
    ------
    ImageFolderError, NetworkError
        If a class has no training image, or the output is not a dense layer with one output per class.
    """
    check_dense(net)
    train_imgs, test_imgs = as_pair(data)
    check_input(net, options.get("size", 224), len(train_imgs.synsets))
    check_every_class(train_imgs, "train")
    note_training(net, train_imgs, options.get("size", 224))
    start = time.perf_counter()
    codes = extract_codes(net, train_imgs, **options)
    classifier = linear_head(head, seed=seed, balance=balance).fit(codes, train_imgs.labels)
    seconds = time.perf_counter() - start
    weight, bias = _as_dense(classifier)
    set_value(net.output.weight, weight)
    set_value(net.output.bias, bias)
    outputs = codes @ weight.T + bias
    log_probabilities = outputs - np.logaddexp.reduce(outputs, axis=1, keepdims=True)
    loss = -log_probabilities[np.arange(len(codes)), train_imgs.labels].mean()
    train_acc = accuracy_of(outputs, train_imgs.labels)
    tested = predict(net, test_imgs, **options)
    epoch = Epoch(1, float(loss), train_acc, accuracy_of(*tested), seconds, len(codes) / seconds, loss_of(*tested))
    history = History([str(device) for device in net.output.weight.list_ctx()], [epoch])
    if verbose:
        print(history)
    return history


def _as_dense(classifier: Pipeline) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight (classes, channels) and bias (classes,) of a dense layer equivalent to the classifier."""
    scaler, linear = classifier
    coefficients, intercepts = linear.coef_, linear.intercept_
    if len(coefficients) == 1:  # for two classes, scikit-learn stores the difference of their weights
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    weight = coefficients / scaler.scale_
    return weight.astype(np.float32), (intercepts - weight @ scaler.mean_).astype(np.float32)
