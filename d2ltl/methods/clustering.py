"""Self-taught clustering: a few images are sorted with the help of many others (Dai, Yang, Xue and Yu, ICML 2008)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from d2ltl.data import unlabelled
from d2ltl.errors import SettingsError
from d2ltl.evaluation import Images

RESTARTS, ROUNDS = 5, 50  # each restart ends sooner when nothing changes any more
TINY = 1e-12  # in place of a probability of 0, which has no logarithm


def cluster_with_help(
    target: Images,
    auxiliary: Images | None,
    clusters: int,
    *,
    describe: Callable[[Images], np.ndarray],
    auxiliary_clusters: int = 20,
    feature_clusters: int = 30,
    weight: float = 1,
    seed: int = 0,
) -> np.ndarray:
    """Return the cluster of each image of a small unlabelled set, found with the help of a larger one.

    Parameters
    ----------
    target, auxiliary : path or ImageFolder
        Folders of images, whose subfolders are not taken for classes; or data sets, whose classes are not looked at.
        Without `auxiliary` the target images are co-clustered alone.
    clusters : int
        How many the target images are sorted into.
    describe : callable
        From images to their features, shape (N, features), none below 0: CNN codes
        (``lambda images: extract_codes(net, images, size=64)``), or what `learn_features` returns.
    auxiliary_clusters, feature_clusters, weight, seed
        Those of `co_cluster`.

    Returns
    -------
    ndarray of int64, shape (N,)
        From 0 to `clusters` − 1. `agreement` compares them with the true classes, where those are known.

    Raises
    ------
    SettingsError
        If there are fewer images or features than clusters, a feature is below 0, or a number cannot be used.
    """
    if not (weight > 0 and math.isfinite(weight)):
        raise SettingsError(f"weight is {weight}; it must be above 0 and finite.")
    tables, numbers = [describe(unlabelled(target))], [clusters]
    if auxiliary is not None:
        tables, numbers = [*tables, describe(unlabelled(auxiliary))], [clusters, auxiliary_clusters]
    return co_cluster(tables, numbers, feature_clusters, [1, weight], seed)[0]


def agreement(clusters: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return how well clusters agree with true classes: normalised mutual information, and adjusted Rand index.

    Both are 1 if every cluster is a class. By chance the second is 0, the first somewhat above.
    """
    return float(normalized_mutual_info_score(labels, clusters)), float(adjusted_rand_score(labels, clusters))


def co_cluster(
    tables: list[np.ndarray], numbers: list[int], feature_clusters: int, weights: list[float], seed: int = 0
) -> list[np.ndarray]:
    """Return the clusters of the rows of each table; their columns, the same features, share one clustering.

    A table is taken for the joint probability p(x, z) of images and features. Rows are clustered by what they say of
    clusters of columns, columns by what clusters of rows say of them in all tables. Each step lowers the mutual
    information that is lost: I(X; Z) − I(X̃; Z̃), summed over the tables with their `weights` (algorithm 1 of the
    paper, which extends the co-clustering of Dhillon, Mallela and Modha 2003). Of several restarts, each from
    clusters by K-means, the one is returned that loses least.

    Parameters
    ----------
    tables : list of ndarray, shapes (N, features), (M, features), …
    numbers : list of int
        Of the clusters of the rows of each table.
    feature_clusters : int
    weights : list of float
        Of the tables, above 0.
    seed : int
    """
    joints = [weight * _joint(table) for table, weight in zip(tables, weights)]
    _check(joints, numbers, feature_clusters)
    attempts = [_attempt(joints, numbers, feature_clusters, seed * RESTARTS + i) for i in range(RESTARTS)]
    return max(attempts, key=lambda attempt: attempt.kept).rows


class _Attempt(NamedTuple):
    rows: list[np.ndarray]
    kept: float  # mutual information of the clusters, in nats


def _attempt(joints: list[np.ndarray], numbers: list[int], feature_clusters: int, seed: int) -> _Attempt:
    rows = [_start(joint, n, seed) for joint, n in zip(joints, numbers)]
    columns = _start(np.concatenate(joints).T, feature_clusters, seed)
    for _ in range(ROUNDS):
        before = [*rows, columns]
        by_columns = [_merge(joint.T, columns, feature_clusters).T for joint in joints]  # p(x, z̃) of each table
        rows = [_nearest([table], [_merge(table, r, n)]) for table, r, n in zip(by_columns, rows, numbers)]
        by_rows = [_merge(joint, r, n).T for joint, r, n in zip(joints, rows, numbers)]  # p(z, x̃)
        columns = _nearest(by_rows, [_merge(table, columns, feature_clusters) for table in by_rows])
        if all(map(np.array_equal, before, [*rows, columns])):
            break
    return _Attempt(rows, sum(_information(_merge(table, columns, feature_clusters)) for table in by_rows))


def _joint(table: np.ndarray) -> np.ndarray:
    if table.min() < 0:
        raise SettingsError(
            f"A feature is {table.min():g}; co-clustering needs features that are not below 0, such as CNN codes."
        )
    return table / max(table.sum(), TINY)


def _check(joints: list[np.ndarray], numbers: list[int], feature_clusters: int) -> None:
    sizes = [(len(joint), n, "images") for joint, n in zip(joints, numbers)]
    for size, clusters, what in [*sizes, (joints[0].shape[1], feature_clusters, "features")]:
        if not 2 <= clusters <= size:
            raise SettingsError(f"{size} {what} cannot form {clusters} clusters; ask for 2 to {size}.")


def _start(joint: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """Return the K-means clusters of the rows, by the square roots of their shares (Hellinger distance)."""
    shares = joint / np.maximum(joint.sum(axis=1, keepdims=True), TINY)
    return KMeans(clusters, n_init=1, random_state=seed).fit_predict(np.sqrt(shares)).astype(np.int64)


def _merge(table: np.ndarray, clusters: np.ndarray, number: int) -> np.ndarray:
    """Return the sums of the rows of each cluster, shape (number, columns)."""
    return np.eye(number)[clusters].T @ table


def _nearest(tables: list[np.ndarray], prototypes: list[np.ndarray]) -> np.ndarray:
    """Return for each row the prototype of least Kullback-Leibler divergence, summed over the tables."""
    filled = [prototype + TINY for prototype in prototypes]
    logs = [np.log(prototype / prototype.sum(axis=1, keepdims=True)) for prototype in filled]
    return np.argmax(sum(table @ log.T for table, log in zip(tables, logs)), axis=1)


def _information(joint: np.ndarray) -> float:
    """Return the mutual information of a joint distribution, times its sum, in nats."""
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0) / joint.sum()
    return float((joint * np.log((joint + TINY) / (independent + TINY))).sum())
