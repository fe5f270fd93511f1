"""CNN codes: what the features of a network make of each image, computed once; linear classifiers on them."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import mxnet as mx
import numpy as np
from mxnet import gluon
from mxnet.gluon.data.vision import ImageFolderDataset
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from d2ltl.data import as_pair, check_every_class
from d2ltl.decoding import to_mx
from d2ltl.errors import NetworkError, SettingsError
from d2ltl.evaluation import Images, accuracy_of, loss_of, predict, run_on_images
from d2ltl.history import Epoch, History
from d2ltl.nets import check_input, first_stages, stages
from d2ltl.subsets import take

STRENGTH = 0.01  # scikit-learn's C, the inverse of the regularisation, for standardised codes
STRENGTHS = [1e-3, 1e-2, 1e-1, 1.0]  # that cross-validation chooses from


def extract_codes(net: gluon.HybridBlock, data: Images, stage: int | None = None, **options: Any) -> np.ndarray:
    """Return the CNN codes of images: the output of `net.features`, or of one of its stages, float32 (N, channels).

    The network is used as a fixed feature extractor (Sharif Razavian et al. 2014, *CNN Features off-the-shelf*): in
    evaluation mode, on whole images without augmentation, each image once. Where the layers end in a map (SqueezeNet,
    all stages but the last), its mean over height and width is taken.

    Parameters
    ----------
    net : HybridBlock
        Anything with `features`: a source model, or a network trained already.
    data : path or ImageFolder
        A folder with one folder per class, or one part of the pair that `load_images` returns; its ``labels`` belong
        to the rows.
    stage : int, optional
        After which of the network's stages (`d2ltl.nets.stages`), counted from 1, to take the codes; by default after
        all of them. Early stages know edges and textures of any image, late ones what the source set is about.
    **options
        ``size``, ``batch_size``, ``test_augs``, ``devices``: those of `predict`.

    Raises
    ------
    SettingsError
        If the network has no such stage.
    """
    if stage is not None and stage < 1:
        raise SettingsError(f"stage is {stage}; the first is 1.")
    layers = [net.features] if stage is None else first_stages(net, stage)
    return run_on_images(net, lambda X: _mean_of_map(_run(layers, X)), data, **options)[0]


def codes_by_stage(net: gluon.HybridBlock, data: Images, **options: Any) -> list[np.ndarray]:
    """Return the CNN codes of images after each stage, first to last: `extract_codes` of all stages in one pass."""
    groups = stages(net)
    channels: list[int] = []

    def all_codes_of(X: Any) -> Any:
        codes = []
        for layers in groups:
            X = _run(layers, X)
            codes.append(_mean_of_map(X))
        channels[:] = [part.shape[1] for part in codes]
        return mx.np.concatenate(codes, axis=1) if mx.util.is_np_array() else mx.nd.concat(*codes, dim=1)

    together = run_on_images(net, all_codes_of, data, **options)[0]
    return np.split(together, np.cumsum(channels)[:-1], axis=1)


def _run(layers: Iterable[gluon.Block], X: Any) -> Any:
    return functools.reduce(lambda x, layer: layer(x), layers, X)


def _mean_of_map(features: Any) -> Any:
    features = features.astype("float32", copy=False)
    return features.mean(axis=(2, 3)) if features.ndim == 4 else features


def linear_head(kind: str = "svm", C: float = STRENGTH, seed: int = 0) -> Pipeline:
    """Return a linear classifier for CNN codes, to be fitted: scikit-learn's, on standardised codes.

    Parameters
    ----------
    kind : {'svm', 'softmax'}
        A linear support vector machine, or logistic regression.
    C : float
        Inverse strength of the regularisation.
    seed : int
        Of the SVM's solver.

    Examples
    --------
    >>> codes, labels = np.array([[0.0, 1.0], [1.0, 0.0]]), [0, 1]
    >>> linear_head("softmax").fit(codes, labels).predict([[0.9, 0.2]])
    array([1])
    """
    if kind not in ("svm", "softmax"):
        raise SettingsError(f"There is no linear head {kind!r}; choose 'svm' or 'softmax'.")
    svm, softmax = LinearSVC(C=C, dual=False, random_state=seed), LogisticRegression(C=C, max_iter=1000)
    return make_pipeline(StandardScaler(), svm if kind == "svm" else softmax)


def accuracy_by_labels(
    describe: Callable[[Images], np.ndarray],
    data: tuple[ImageFolderDataset, ImageFolderDataset],
    per_class: Sequence[int],
    seed: int = 0,
) -> list[float]:
    """Return the test accuracy of a softmax classifier for each number of labelled images of a class.

    Parameters
    ----------
    describe : callable
        Makes features (N, …) of images: `extract_codes` of a network, what `learn_features` returns, whatever there is.
    data : pair of ImageFolder
        The pair that `load_images` returns.
    per_class : sequence of int
        Numbers of labelled images of each class, at least 2. Cross-validation within them decides how strongly the
        classifier is regularised.
    seed : int
        Of the images that are drawn; with one seed the draws are nested.

    Raises
    ------
    SettingsError
        If a number is below 2.
    ImageFolderError
        If a class has fewer images.
    """
    if min(per_class) < 2:
        raise SettingsError(f"per_class is {min(per_class)}; the classifier needs at least 2 labelled images of each.")
    described, accuracies = describe(data[1]), []
    for number in per_class:
        labelled = take(data[0], number, seed)
        search = GridSearchCV(linear_head("softmax"), {"logisticregression__C": STRENGTHS}, cv=min(5, number))
        accuracies.append(float(search.fit(describe(labelled), labelled.labels).score(described, data[1].labels)))
    return accuracies


def train_on_codes(
    net: gluon.HybridBlock,
    head: str = "svm",
    *,
    data: str | os.PathLike[str] | tuple[ImageFolderDataset, ImageFolderDataset],
    seed: int = 0,
    **options: Any,
) -> History:
    """Fit a linear classifier on the CNN codes of a network, and make it the network's output layer.

    The features stay as they are. Unlike exercise 3's frozen features, every image goes through them once.

    Parameters
    ----------
    net : HybridBlock
        From `finetune_net`, with one output per class.
    head : {'svm', 'softmax'}
        See `linear_head`.
    data, seed
        Those of `train_fine_tuning`.
    **options
        Those of `extract_codes`.

    Returns
    -------
    History
        Of one epoch: its loss is the mean cross-entropy of the outputs (of the SVM: of its margins, which are no
        log-probabilities), its seconds those of codes and fit.

    Raises
    ------
    ImageFolderError
        If a class has no image to train.
    NetworkError
        If the output of the network is not a dense layer, or has other than one output per class.
    """
    if not isinstance(net.output, gluon.nn.Dense):
        raise NetworkError(f"The output of {net.name} is not a dense layer: it takes no linear classifier's weights.")
    train_imgs, test_imgs = as_pair(data)
    check_input(net, options.get("size", 224), len(train_imgs.synsets))
    check_every_class(train_imgs, "train")
    start = time.perf_counter()
    codes = extract_codes(net, train_imgs, **options)
    classifier = linear_head(head, seed=seed).fit(codes, train_imgs.labels)
    seconds = time.perf_counter() - start
    weight, bias = _as_dense(classifier)
    for parameter, values in ((net.output.weight, weight), (net.output.bias, bias)):
        parameter.shape = values.shape
        parameter.set_data(to_mx(values))
    outputs = codes @ weight.T + bias
    log_probabilities = outputs - np.logaddexp.reduce(outputs, axis=1, keepdims=True)
    loss = -log_probabilities[np.arange(len(codes)), train_imgs.labels].mean()
    train_acc = accuracy_of(outputs, train_imgs.labels)
    tested = predict(net, test_imgs, **options)
    epoch = Epoch(1, float(loss), train_acc, accuracy_of(*tested), seconds, len(codes) / seconds, loss_of(*tested))
    history = History([str(device) for device in net.output.weight.list_ctx()], [epoch])
    print(history)
    return history


def _as_dense(classifier: Pipeline) -> tuple[np.ndarray, np.ndarray]:
    """Return weight (classes, channels) and bias (classes,) of a dense layer that gives the classifier's outputs."""
    scaler, linear = classifier
    coefficients, intercepts = linear.coef_, linear.intercept_
    if len(coefficients) == 1:  # two classes: scikit-learn keeps one row, the difference of theirs
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    weight = coefficients / scaler.scale_
    return weight.astype(np.float32), (intercepts - weight @ scaler.mean_).astype(np.float32)
