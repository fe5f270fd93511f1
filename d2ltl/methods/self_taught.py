"""Self-taught learning: features from unlabelled images, a classifier from few labelled ones (Raina et al. 2007).

Raina, Battle, Lee, Packer and Ng call it so because the unlabelled images need not show the classes of the labelled
ones. The features here are those of Coates, Lee and Ng (2011, *An analysis of single-layer networks in unsupervised
feature learning*): K-means on whitened patches, which they found to do better than autoencoders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.cluster import MiniBatchKMeans

from d2ltl.codes import accuracy_by_labels
from d2ltl.data import Pair, as_pair
from d2ltl.decoding import PathLike
from d2ltl.errors import SettingsError
from d2ltl.evaluation import Images
from d2ltl.loading import read_pixels

PATCHES = 20_000  # that features are learned from
NOISE, RIDGE = 10 / 255**2, 0.1  # added to the variances of a patch and of the patches, as Coates et al. do
BATCH = 32  # images that are described at once


class SelfTaught(NamedTuple):
    """Features learned from unlabelled images, and what they are worth.

    Attributes
    ----------
    features : PatchFeatures
    accuracy : dict from str to list of float
        Test accuracy of a classifier on ``'pixels'`` and on ``'features'``, for each number of labelled images.
    """

    features: PatchFeatures
    accuracy: dict[str, list[float]]


def train_self_taught(
    unlabelled: Images,
    data: PathLike | Pair,
    per_class: Sequence[int] = (5, 10, 20),
    *,
    num_features: int = 200,
    size: int = 32,
    patch: int = 6,
    seed: int = 0,
) -> SelfTaught:
    """Learn features without labels, and compare them with pixels, by a linear classifier from few labelled images.

    Parameters
    ----------
    unlabelled : path or ImageFolder
        Images of any kind: a folder, whose subfolders are not taken for classes, or a data set, whose labels are
        not looked at.
    data : path or pair
        The labelled images: a folder (see `load_images`), or the pair that `load_images` returns.
    per_class : sequence of int
        Numbers of labelled images of each class, at least 2.
    num_features, size, patch : int
        Those of `learn_features`.
    seed : int
        Of the features, and of the labelled images that are drawn.
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
    """Learn to describe images from unlabelled ones.

    Parameters
    ----------
    unlabelled : path or ImageFolder
        See `train_self_taught`.
    num_features : int
        How many kinds of patches to tell apart.
    size : int
        Height and width that images are resized to, in pixels.
    patch : int
        Height and width of a patch, less than `size`.
    seed : int

    Raises
    ------
    ImageFolderError
        If there is no image.
    SettingsError
        If a number cannot be used.
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
    """What `learn_features` learned; called with images, it returns their features, float32 (N, 4 × number)."""

    size: int
    patch: int
    mean: np.ndarray
    whitening: np.ndarray
    centroids: np.ndarray

    def __call__(self, images: Images) -> np.ndarray:
        """Return how much of each kind of patch there is in each quarter of each image; never below 0."""
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
    """Return a view of all patches of images, shape (N, side, side, 3, patch, patch)."""
    return sliding_window_view(pixels, (patch, patch), axis=(1, 2))  # type: ignore[call-overload]  # two axes will do


def _even(patches: np.ndarray) -> np.ndarray:
    """Return patches (n, values) of the same brightness and contrast."""
    centred = patches - patches.mean(axis=1, keepdims=True)
    return centred / np.sqrt(centred.var(axis=1, keepdims=True) + NOISE)
