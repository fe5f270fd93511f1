"""Self-taught clustering: cluster few images with the help of many unlabelled ones (Dai et al., ICML 2008)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from d2ltl.data.pairs import Images, unlabelled
from d2ltl.errors import SettingsError

RESTARTS, ROUNDS = 5, 50  # number of restarts; maximal number of iterations of each
TINY = 1e-12  # replaces a probability of 0 in logarithms and divisions


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
    """Cluster a small set of unlabelled images with the help of a larger set (self-taught clustering).

    The images of both sets and their features are co-clustered; both sets share one clustering of the features (Dai,
    Yang, Xue and Yu 2008, *Self-taught Clustering*).

    Parameters
    ----------
    target, auxiliary : path or ImageFolder
        Folders of images, or data sets. Subfolders and labels are ignored. If `auxiliary` is None, the target images
        are co-clustered alone.
    clusters, auxiliary_clusters, feature_clusters : int
        Numbers of clusters of the target images, of the auxiliary images and of the features.
    describe : callable
        Function from images to nonnegative features, shape (N, features). Examples are CNN codes (``lambda images:
        extract_codes(net, images, size=64)``) and the result of `learn_features`.
    weight : float
        Weight of the auxiliary images in the objective, above 0. The target images have weight 1.
    seed : int
        Seed of the initial clusters.

    Returns
    -------
    ndarray of int64, shape (N,)
        Cluster of each target image, from 0 to `clusters` − 1. `agreement` compares the clusters with true classes.
    """
    if not (weight > 0 and math.isfinite(weight)):
        raise SettingsError(f"weight is {weight}; it must be above 0 and finite.")
    tables, numbers = [describe(unlabelled(target))], [clusters]
    if auxiliary is not None:
        tables, numbers = [*tables, describe(unlabelled(auxiliary))], [clusters, auxiliary_clusters]
    return co_cluster(tables, numbers, feature_clusters, [1, weight], seed)[0]


def agreement(clusters: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return the normalised mutual information and the adjusted Rand index of clusters and true classes, both (N,).

    Both are 1 if the clusters are the classes. For random clusters, the expected adjusted Rand index is 0, and the
    normalised mutual information is slightly above 0.
    """
    return float(normalized_mutual_info_score(labels, clusters)), float(adjusted_rand_score(labels, clusters))


def co_cluster(
    tables: list[np.ndarray], numbers: list[int], feature_clusters: int, weights: list[float], seed: int = 0
) -> list[np.ndarray]:
    """Co-cluster the rows and the columns of several tables, and return the clusters of the rows of each table.

    The rows are images; the columns are the same features in all tables, and share one clustering. A normalised table
    is a joint distribution p(x, z). The algorithm minimises the loss of mutual information I(X; Z) − I(X̃; Z̃), summed
    over the tables with their weights: rows and columns alternately go to the cluster of least Kullback-Leibler
    divergence. Of several restarts from K-means clusters, the best is returned. (Algorithm 1 of Dai et al. 2008, which
    extends Dhillon, Mallela and Modha 2003.)
    """
    joints = [weight * _joint(table) for table, weight in zip(tables, weights)]
    _check(joints, numbers, feature_clusters)
    attempts = [_attempt(joints, numbers, feature_clusters, seed * RESTARTS + i) for i in range(RESTARTS)]
    return max(attempts, key=lambda attempt: attempt.kept).rows


class _Attempt(NamedTuple):
    rows: list[np.ndarray]
    kept: float  # weighted mutual information of the clusters, in nats


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
    """Return K-means clusters of the rows, by the square roots of the normalised rows (Hellinger distance)."""
    shares = joint / np.maximum(joint.sum(axis=1, keepdims=True), TINY)
    return KMeans(clusters, n_init=1, random_state=seed).fit_predict(np.sqrt(shares)).astype(np.int64)


def _merge(table: np.ndarray, clusters: np.ndarray, number: int) -> np.ndarray:
    """Return the sums of the rows of each cluster, shape (number, columns)."""
    return np.eye(number)[clusters].T @ table


def _nearest(tables: list[np.ndarray], prototypes: list[np.ndarray]) -> np.ndarray:
    """Return the index of the prototype of least Kullback-Leibler divergence for each row, summed over the tables."""
    filled = [prototype + TINY for prototype in prototypes]
    logs = [np.log(prototype / prototype.sum(axis=1, keepdims=True)) for prototype in filled]
    return np.argmax(sum(table @ log.T for table, log in zip(tables, logs)), axis=1)


def _information(joint: np.ndarray) -> float:
    """Return the mutual information of a joint distribution in nats, multiplied by the sum of `joint`."""
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0) / joint.sum()
    return float((joint * np.log((joint + TINY) / (independent + TINY))).sum())
