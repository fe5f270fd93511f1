"""The training images that are nearest to a photograph in the space of a network's features."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import data_hub
from d2ltl.comparison.runs import RunFolder
from d2ltl.data.folders import ImageFolder
from d2ltl.data.pairs import load_images
from d2ltl.data.subsets import sample
from d2ltl.datasets import RENDERED
from d2ltl.errors import ImageFolderError, NetworkError
from d2ltl.training.features import extract_codes

logger = logging.getLogger(__name__)

MOST = 1000  # training images that photographs are compared with


class Neighbour(NamedTuple):
    """A training image: its pixels (uint8, (height, width, 3)), its class, and its cosine distance (0 to 2)."""

    pixels: np.ndarray
    name: str
    distance: float


class Neighbours:
    """Training images and their CNN codes, which photographs are compared with by their cosine distance.

    Parameters
    ----------
    net : HybridBlock
        A trained network with the attribute `size`.
    images : ImageFolder
        At least two images with classes.

    Attributes
    ----------
    usual : float
        The yardstick: the median distance of a training image to the nearest other one.

    Raises
    ------
    NetworkError
        If the layers of the network are not known, as those of an exported network.
    """

    usual: float

    def __init__(self, net: Any, images: ImageFolder) -> None:
        check_features(net)
        logger.info("computing the CNN codes of %d training images, to find the nearest ones", len(images))
        self._net, self._images = net, images
        self._codes = self._codes_of(images)
        between = 1 - self._codes @ self._codes.T
        np.fill_diagonal(between, np.inf)
        self.usual = float(np.median(between.min(axis=1)))

    def __len__(self) -> int:
        """Return the number of training images."""
        return len(self._images)

    def nearest(self, photograph: ImageFolder, number: int) -> list[Neighbour]:
        """Return the `number` training images that are nearest to a photograph, the nearest first."""
        distances = 1 - self._codes @ self._codes_of(photograph)[0]
        names = [self._images.synsets[label] for label in self._images.labels]
        return [
            Neighbour(self._images.read(i), names[i], max(0.0, float(distances[i])))
            for i in np.argsort(distances, kind="stable")[:number].tolist()
        ]

    def _codes_of(self, images: ImageFolder) -> np.ndarray:
        """Return the CNN codes of images, scaled to length 1: float32, shape (N, channels)."""
        codes = extract_codes(self._net, images, size=self._net.size)
        lengths = np.linalg.norm(codes, axis=1, keepdims=True)
        return np.asarray(codes / np.maximum(lengths, np.finfo(np.float32).tiny))


def check_features(net: Any) -> None:
    """Raise NetworkError if a network has no features, as an exported network."""
    if not hasattr(net, "features"):
        raise NetworkError("An exported network has no features to compare. Give the run that it was exported from.")


def training_images(file: Path) -> ImageFolder:
    """Return training images of a run of a comparison, given its ``.params`` file; nothing is downloaded.

    Raises
    ------
    ImageFolderError, CheckpointError
        If the file is not of a comparison, the images are not found, or the settings of the comparison are damaged.
    """
    comparison = RunFolder(file.parent)
    if not (settings := comparison.settings()):
        raise ImageFolderError(f"{file.name} does not say which images it was trained on. Name them with --data.")
    if not _is_here(settings["data"]):
        raise ImageFolderError(f"The training images are not found: {settings['data']}. Name their place with --data.")
    images = sample_of(settings["data"], settings["skip_unreadable"])
    run = comparison.finished().get(file)
    tested = {prediction.file for prediction in run.predictions} if run else ()  # a fold of a cross-validation has some
    return images.subset([i for i, (path, _) in enumerate(images.items) if path not in tested])


def _is_here(data: str) -> bool:
    if data in data_hub.DATA_HUB:
        return data == RENDERED or data_hub.is_cached(data)
    return Path(data).exists()


def sample_of(data: str, skip_unreadable: bool) -> ImageFolder:
    """Return at most 1,000 training images of a data set, drawn at random from each class; see `load_images`."""
    images = sample(load_images(data)[0], MOST)
    return images.drop_unreadable() if skip_unreadable else images
