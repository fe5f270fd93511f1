"""How well a source model suits a target set, estimated without training it; how far apart two domains are."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_score

from d2ltl.codes import linear_head
from d2ltl.errors import SettingsError

STEPS, TOLERANCE = 100, 1e-4  # of the iteration in LogME, which usually takes fewer than ten
TINY = 1e-12  # keeps its divisions defined where labels are fitted without an error


def log_me(codes: np.ndarray, labels: np.ndarray) -> float:
    """Return LogME, the logarithm of the maximum evidence of labels given codes, per image.

    One Bayesian linear regression for each class predicts from the codes whether an image belongs to it. Its evidence
    is the probability of the labels with all weights integrated out; prior and noise are those that make it largest.
    Higher is better, and it can be positive. Source models can be compared on one target set, whatever the number of
    their channels. (You et al. 2021, *LogME: Practical Assessment of Pre-trained Models for Transfer Learning*.)

    Parameters
    ----------
    codes : ndarray, shape (N, channels)
        From `extract_codes`.
    labels : ndarray of int, shape (N,)

    Raises
    ------
    SettingsError
        If there are not as many labels as codes, or fewer than two classes, or all codes are 0.
    """
    labels = _check(codes, labels)
    if not codes.any():
        raise SettingsError("All codes are 0; they say nothing of the images.")
    u, singular, _ = np.linalg.svd(codes.astype(np.float64), full_matrices=False)
    spectrum = np.zeros(codes.shape[1])  # eigenvalues of codes.T @ codes
    spectrum[: len(singular)] = singular**2
    return float(np.mean([_evidence(u, spectrum, (labels == label).astype(np.float64)) for label in np.unique(labels)]))


def _evidence(u: np.ndarray, spectrum: np.ndarray, y: np.ndarray) -> float:
    """Return the maximum log evidence of y (N,), per entry; u (N, rank) spans the codes, spectrum (D,) their size."""
    projected = np.zeros_like(spectrum)
    projected[: u.shape[1]] = (u.T @ y) ** 2
    outside = max(0.0, y @ y - projected.sum())  # what no weights can fit

    def posterior(alpha: float, beta: float) -> tuple[np.ndarray, float, float]:
        """Return the precisions of the weights, and the squares of their mean's length and of its error."""
        precisions = alpha + beta * spectrum
        length = (beta**2 * spectrum * projected / precisions**2).sum()
        return precisions, length, (projected * (alpha / precisions) ** 2).sum() + outside

    alpha = beta = 1.0  # precision of the weights before they see labels, and of the noise
    for _ in range(STEPS):
        precisions, length, error = posterior(alpha, beta)
        determined = (beta * spectrum / precisions).sum()  # how many of the weights the labels decide
        before = alpha / beta
        alpha, beta = determined / max(length, TINY), max(len(y) - determined, TINY) / max(error, TINY)
        if abs(alpha / beta - before) <= TOLERANCE * before:
            break
    precisions, length, error = posterior(alpha, beta)
    log_evidence = len(spectrum) * np.log(alpha) + len(y) * np.log(beta / (2 * np.pi)) - np.log(precisions).sum()
    return float(log_evidence - beta * error - alpha * length) / (2 * len(y))


def leep(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return LEEP, the log expected empirical prediction: how much the source model's own answers tell of the labels.

    It is counted how often each source class goes with each label, where an image counts for every class with the
    probability that the source model gives it. These counts alone then predict the labels; LEEP is the mean
    log-likelihood. It is 0 if the source classes determine the labels, and minus the entropy of the labels
    (`label_entropy`) if they tell nothing. (Nguyen et al. 2020, *LEEP: A New Measure to Evaluate Transferability of
    Learned Representations*.)

    Parameters
    ----------
    probabilities : ndarray, shape (N, source classes)
        From `predict` with the source model.
    labels : ndarray of int, shape (N,)

    Raises
    ------
    SettingsError
        If there are not as many labels as rows, or fewer than two classes, or the rows are not probabilities.
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
    """Return the entropy of the labels in nats: ``-leep`` of a source model that tells nothing of them."""
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
    """Return the cross-validated accuracy, between 0 and 1, of a linear classifier on codes.

    Parameters
    ----------
    codes : ndarray, shape (N, channels)
    labels : ndarray of int, shape (N,)
        At least two of each class.
    head : {'softmax', 'svm'}
        See `linear_head`.
    folds : int
        Parts that the images are cut into, each tested on once; no more than there are images of the rarest class.
    seed : int
        Of that cut.
    scoring : str
        What to measure, by its name in scikit-learn; ``'balanced_accuracy'`` counts every class the same.

    Raises
    ------
    SettingsError
        If there are not as many labels as codes, or fewer than two classes or than two images of one.
    """
    labels = _check(codes, labels)
    rarest = int(np.unique(labels, return_counts=True)[1].min())
    if rarest < 2:
        raise SettingsError("One class has a single image; cross-validation needs at least 2 of each class.")
    cut = StratifiedKFold(min(folds, rarest), shuffle=True, random_state=seed)
    return float(cross_val_score(linear_head(head, seed=seed), codes, labels, scoring=scoring, cv=cut).mean())


def proxy_a_distance(source_codes: np.ndarray, target_codes: np.ndarray, seed: int = 0) -> float:
    """Return how well a linear classifier tells two domains apart: 2 (1 − 2 error), by cross-validation.

    0 means not at all, 2 without an error (Ben-David et al. 2007, *Analysis of representations for domain adaptation*).

    Parameters
    ----------
    source_codes, target_codes : ndarray, shape (N, channels) and (M, channels)
        From `extract_codes`, of at least 2 images each.
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
