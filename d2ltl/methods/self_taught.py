"""Self-taught learning: features from unlabelled images, and a classifier from few labelled images.

The unlabelled images need not show the classes of the labelled ones. Coates, Lee and Ng (2011) found the features,
K-means on whitened image patches, better than those of autoencoders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.cluster import MiniBatchKMeans

from d2ltl.data.batches import read_pixels
from d2ltl.data.pairs import Data, Images, as_pair
from d2ltl.errors import SettingsError
from d2ltl.training.linear_probe import accuracy_by_labels

PATCHES = 20_000  # number of random patches for K-means
# Added to the variance within a patch (contrast normalisation) and to the eigenvalues (whitening), as by Coates et al.
NOISE, RIDGE = 10 / 255**2, 0.1
BATCH = 32  # images per batch, which limits the memory


class SelfTaught(NamedTuple):
    """The result of `train_self_taught`: a function from images to features, and test accuracies."""

    features: PatchFeatures
    accuracy: dict[str, list[float]]


def train_self_taught(
    unlabelled: Images,
    data: Data,
    per_class: Sequence[int] = (5, 10, 20),
    *,
    num_features: int = 200,
    size: int = 32,
    patch: int = 6,
    seed: int = 0,
) -> SelfTaught:
    """Learn features from unlabelled images, and compare them with raw pixels for classification with few labels.

    The classifier is logistic regression on the features or the pixels of a few labelled images (Raina et al. 2007,
    *Self-taught learning: transfer learning from unlabeled data*). The result has two attributes: `features`, as
    `learn_features` returns them, and `accuracy`, a dict from ``'pixels'`` and ``'features'`` to the list of test
    accuracies, for each number of labelled images.

    Parameters
    ----------
    data, per_class
        Labelled training and test images, and numbers of labelled images per class; see `accuracy_by_labels`.
    unlabelled, num_features, size, patch
        See `learn_features`.
    seed : int
        Seed of the features and of the random choice of labelled images.
    """
    pair = as_pair(data)

    def pixels(images: Images) -> np.ndarray:
        return read_pixels(images, size).reshape(-1, 3 * size**2)

    by_pixels = accuracy_by_labels(pixels, pair, per_class, seed)
    features = learn_features(unlabelled, num_features, size=size, patch=patch, seed=seed)
    by_features = accuracy_by_labels(features, pair, per_class, seed)
    return SelfTaught(features, {"pixels": by_pixels, "features": by_features})


def learn_features(
    unlabelled: Images, num_features: int = 200, *, size: int = 32, patch: int = 6, seed: int = 0
) -> PatchFeatures:
    """Learn image features from unlabelled images, by K-means on whitened patches.

    K-means finds typical patches in random patches of the images (Coates, Lee and Ng 2011, *An analysis of single-layer
    networks in unsupervised feature learning*). The features of an image measure how similar its patches are to each
    centroid (the paper's triangle activation), averaged over each quarter of the image. The result is a function from
    images to nonnegative features, float32, shape (N, 4 × `num_features`).

    Parameters
    ----------
    unlabelled : path or ImageFolder
        Images of any kind: a folder or a data set. Subfolders and labels are ignored.
    num_features : int
        Number of centroids, from 2 to 2,000.
    size, patch : int
        Height and width that images are resized to, and of a patch (at least 2, less than `size`), in pixels.
    seed : int
        Seed of the random patches and of K-means.
    """
    if not 2 <= patch < size:
        raise SettingsError(f"patch is {patch}; a patch has at least 2 pixels a side, and fewer than {size}, the size.")
    if not 2 <= num_features <= PATCHES // 10:
        raise SettingsError(f"num_features is {num_features}; choose from 2 to {PATCHES // 10}.")
    pixels = read_pixels(unlabelled, size)
    rng = np.random.default_rng(seed)
    places = [rng.integers(0, n, PATCHES) for n in (len(pixels), size - patch + 1, size - patch + 1)]
    patches = _even(_windows(pixels, patch)[tuple(places)].reshape(PATCHES, -1))
    mean = patches.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(patches - mean, rowvar=False))
    whitening = (directions / np.sqrt(variances.clip(0) + RIDGE)) @ directions.T
    kmeans = MiniBatchKMeans(num_features, n_init=1, batch_size=2048, random_state=seed)
    centroids = kmeans.fit((patches - mean) @ whitening).cluster_centers_
    return PatchFeatures(size, patch, mean, whitening.astype(np.float32), centroids.astype(np.float32))


@dataclass(frozen=True)
class PatchFeatures:
    """The features that `learn_features` learned: a function from images to features."""

    size: int
    patch: int
    mean: np.ndarray
    whitening: np.ndarray
    centroids: np.ndarray

    def __call__(self, images: Images) -> np.ndarray:
        """Return the features of images: nonnegative float32 numbers, shape (N, 4 × number of centroids)."""
        pixels = read_pixels(images, self.size)
        return np.concatenate([self._describe(pixels[i : i + BATCH]) for i in range(0, len(pixels), BATCH)])

    def _describe(self, pixels: np.ndarray) -> np.ndarray:
        windows = _windows(pixels, self.patch)
        number, side = windows.shape[:2]
        white = (_even(windows.reshape(number * side**2, -1)) - self.mean) @ self.whitening
        squares = (white**2).sum(axis=1, keepdims=True) - 2 * white @ self.centroids.T + (self.centroids**2).sum(axis=1)
        distances = np.sqrt(squares.clip(0))
        nearness = (distances.mean(axis=1, keepdims=True) - distances).clip(0).reshape(number, side, side, -1)
        halves = [slice(None, side // 2), slice(side // 2, None)]
        quarters = [nearness[:, rows, columns].mean(axis=(1, 2)) for rows in halves for columns in halves]
        return np.concatenate(quarters, axis=1)


def _windows(pixels: np.ndarray, patch: int) -> np.ndarray:
    """Return a view of all patches of images, shape (N, rows, columns, 3, patch, patch)."""
    return sliding_window_view(pixels, (patch, patch), axis=(1, 2))  # type: ignore[call-overload]  # two axes will do


def _even(patches: np.ndarray) -> np.ndarray:
    """Return patches (n, values) normalised to mean 0 and about the same contrast."""
    centred = patches - patches.mean(axis=1, keepdims=True)
    return centred / np.sqrt(centred.var(axis=1, keepdims=True) + NOISE)
