"""Transferability estimates: how well a source model fits a target set, and how different two domains are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_score

from d2ltl.errors import SettingsError
from d2ltl.training.linear_probe import linear_head

STEPS, TOLERANCE = 100, 1e-4  # of the fixed-point iteration in LogME, which usually needs fewer than ten steps
TINY = 1e-12  # avoids divisions by zero in LogME when the labels are fitted without an error


def log_me(codes: np.ndarray, labels: np.ndarray) -> float:
    """Return LogME, the logarithm of the maximum evidence of the labels given CNN codes, per image.

    For each class, a Bayesian linear regression predicts from the codes whether an image belongs to the class. The
    evidence is the probability density of the labels, with the weights integrated out. It is maximised over the
    precisions of the prior and of the noise. LogME is the mean over the classes. Higher is better; positive values are
    possible. Values for different source models on the same target set can be compared, even if the numbers of channels
    differ. (You et al. 2021, *LogME: Practical Assessment of Pre-trained Models for Transfer Learning*.)

    Parameters
    ----------
    codes, labels : ndarray, shapes (N, channels) and (N,)
        CNN codes from `extract_codes`, and the labels of the images.
    """
    labels = _check(codes, labels)
    if not codes.any():
        raise SettingsError("All codes are 0; they say nothing of the images.")
    u, singular, _ = np.linalg.svd(codes.astype(np.float64), full_matrices=False)
    spectrum = np.zeros(codes.shape[1])  # eigenvalues of codes.T @ codes
    spectrum[: len(singular)] = singular**2
    return float(np.mean([_evidence(u, spectrum, (labels == label).astype(np.float64)) for label in np.unique(labels)]))


def _evidence(u: np.ndarray, spectrum: np.ndarray, y: np.ndarray) -> float:
    """Return the maximum log evidence of y, per entry. y is 1 for the images of a class, otherwise 0, shape (N,).

    `u` (N, rank) are the left singular vectors of the codes, `spectrum` (channels,) the eigenvalues of ``codes.T @
    codes``.
    """
    projected = np.zeros_like(spectrum)
    projected[: u.shape[1]] = (u.T @ y) ** 2
    outside = max(0.0, y @ y - projected.sum())  # squared norm of the part of y that no weights can fit

    def posterior(alpha: float, beta: float) -> tuple[np.ndarray, float, float]:
        """Return the posterior precisions of the weights, the squared norm of their mean, and its squared error."""
        precisions = alpha + beta * spectrum
        length = (beta**2 * spectrum * projected / precisions**2).sum()
        return precisions, length, (projected * (alpha / precisions) ** 2).sum() + outside

    alpha = beta = 1.0  # precisions of the prior of the weights, and of the noise
    for _ in range(STEPS):
        precisions, length, error = posterior(alpha, beta)
        determined = (beta * spectrum / precisions).sum()  # effective number of parameters
        before = alpha / beta
        alpha, beta = determined / max(length, TINY), max(len(y) - determined, TINY) / max(error, TINY)
        if abs(alpha / beta - before) <= TOLERANCE * before:
            break
    precisions, length, error = posterior(alpha, beta)
    log_evidence = len(spectrum) * np.log(alpha) + len(y) * np.log(beta / (2 * np.pi)) - np.log(precisions).sum()
    return float(log_evidence - beta * error - alpha * length) / (2 * len(y))


def leep(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return LEEP, the log expected empirical prediction of the labels from the source model's class probabilities.

    The joint distribution of labels and source classes is estimated from the images: each image counts for every source
    class with the probability that the source model predicts. The conditional distribution of the label given the
    source class then predicts the label of each image. LEEP is the mean log-likelihood of these predictions, in nats.
    It is 0 if the source classes determine the labels, and minus the entropy of the labels (`label_entropy`) if they
    contain no information about them. (Nguyen et al. 2020, *LEEP: A New Measure to Evaluate Transferability of Learned
    Representations*.)

    Parameters
    ----------
    probabilities, labels : ndarray, shapes (N, source classes) and (N,)
        Class probabilities from `predict` with the source model, and the labels of the images.
    """
    labels = _check(probabilities, labels)
    if probabilities.min() < 0 or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise SettingsError("LEEP needs probabilities, which sum to 1 for each image, as `predict` returns them.")
    one_hot = (labels[:, None] == np.unique(labels)).astype(np.float64)
    joint = one_hot.T @ probabilities.astype(np.float64)  # (labels, source classes)
    total = joint.sum(axis=0)
    conditional = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
    return float(np.log(((probabilities @ conditional.T) * one_hot).sum(axis=1)).mean())


def label_entropy(labels: np.ndarray) -> float:
    """Return the entropy of labels (N,) in nats; ``-leep`` has this value if the predictions contain no information."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * np.log(shares)).sum())


def probe_accuracy(
    codes: np.ndarray,
    labels: np.ndarray,
    head: str = "softmax",
    folds: int = 5,
    seed: int = 0,
    scoring: str = "accuracy",
) -> float:
    """Return the accuracy, between 0 and 1, of a linear classifier on CNN codes, by stratified cross-validation.

    Parameters
    ----------
    codes, labels : ndarray, shapes (N, channels) and (N,)
        CNN codes from `extract_codes`, and labels with at least two images of each class.
    head : {'softmax', 'svm'}
        Linear classifier; see `linear_head`.
    folds : int
        Number of folds. It is reduced to the number of images of the rarest class if that is smaller.
    seed : int
        Seed of the cross-validation split and of the SVM's solver.
    scoring : str
        Name of the score in scikit-learn, such as ``'accuracy'`` or ``'balanced_accuracy'``.
    """
    labels = _check(codes, labels)
    rarest = int(np.unique(labels, return_counts=True)[1].min())
    if rarest < 2:
        raise SettingsError("One class has a single image; cross-validation needs at least 2 of each class.")
    cut = StratifiedKFold(min(folds, rarest), shuffle=True, random_state=seed)
    return float(cross_val_score(linear_head(head, seed=seed), codes, labels, scoring=scoring, cv=cut).mean())


class Spread(NamedTuple):
    """Mean and standard deviation of an accuracy over several random choices of the training images."""

    mean: float
    sd: float


def accuracy_by_number(codes: np.ndarray, labels: np.ndarray, repeats: int = 5, seed: int = 0) -> dict[int, Spread]:
    """Return the balanced accuracy of a linear classifier on CNN codes by the number of training images per class.

    The numbers are 5, 10, 20, 50, … as far as each leaves at least half of every class for the test. Each accuracy is
    between 0 and 1, and was measured with `repeats` random choices of the training images.

    Parameters
    ----------
    codes, labels, seed
        See `probe_accuracy`.
    """
    labels = _check(codes, labels)
    classes, counts = np.unique(labels, return_counts=True)
    rng = np.random.default_rng(seed)
    orders = [[rng.permutation(np.flatnonzero(labels == label)) for label in classes] for _ in range(repeats)]
    accuracies = {}
    for number in (5, 10, 20, 50, 100, 200):
        if 2 * number <= counts.min():
            cuts = [tuple(np.concatenate(part) for part in _cut(order, number)) for order in orders]
            scores = cross_val_score(linear_head("softmax"), codes, labels, scoring="balanced_accuracy", cv=cuts)
            accuracies[number] = Spread(float(scores.mean()), float(scores.std(ddof=1)))
    return accuracies


def _cut(order: list[np.ndarray], number: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the first `number` images of each class, and the others."""
    return [of_class[:number] for of_class in order], [of_class[number:] for of_class in order]


def proxy_a_distance(source_codes: np.ndarray, target_codes: np.ndarray, seed: int = 0) -> float:
    """Return the proxy A-distance between two domains, 2 (1 − 2 error) of a linear classifier that separates them.

    The error is the cross-validated balanced error rate of a linear SVM on the CNN codes, shapes (N, channels) and (M,
    channels), of at least 2 images of each domain. A distance of 0 means that the SVM cannot distinguish the domains; 2
    means that it makes no error. (Ben-David et al. 2007, *Analysis of representations for domain adaptation*.)
    """
    codes = np.concatenate([source_codes, target_codes])
    domains = np.repeat([0, 1], [len(source_codes), len(target_codes)])
    return 4 * probe_accuracy(codes, domains, "svm", seed=seed, scoring="balanced_accuracy") - 2


def _check(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if len(rows) != len(labels):
        raise SettingsError(f"There are {len(rows)} rows of numbers, but {len(labels)} labels; one for each is needed.")
    if not np.isfinite(rows).all():
        raise SettingsError("A number is not finite.")
    if len(np.unique(labels)) < 2:
        raise SettingsError("All labels are the same; at least 2 classes are needed.")
    return labels
