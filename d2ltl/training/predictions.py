"""The predictions of a network for images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from d2ltl.data.folders import ImageFolder
from d2ltl.training.calibration import is_sure


class Predictions(tuple):
    """What `predict` returns. As in version 0.1, it is a pair: ``probabilities, labels = predict(net, images)``.

    Attributes
    ----------
    probabilities : array of float32, shape (N, classes)
        Probability of each class for each image.
    labels : array of int64, shape (N,), or None
        The true labels, if the images have classes.
    images : ImageFolder
        The images, in this order.
    classes : list of str
        Names of the classes of the network: the columns of `probabilities`.
    """

    probabilities: np.ndarray
    labels: np.ndarray | None
    images: ImageFolder
    classes: list[str]

    def __new__(
        cls, probabilities: np.ndarray, labels: np.ndarray | None, images: ImageFolder, classes: Sequence[str]
    ) -> Predictions:
        """Return the predictions; labels of images without classes become None."""
        known = labels if images.synsets else None
        self = super().__new__(cls, (probabilities, known))
        self.probabilities, self.labels = probabilities, known
        self.images = images
        self.classes = list(classes)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the predictions with their attributes."""
        return Predictions, (self.probabilities, self.labels, self.images, self.classes)

    @property
    def files(self) -> list[str]:
        """Path of each image; an image that was given as an array is called ``photograph 1``, by its place."""
        return [path for path, _ in self.images.items]

    @property
    def names(self) -> list[str]:
        """Name of the most probable class of each image."""
        return [self.classes[column] for column in self.probabilities.argmax(axis=1)]

    @property
    def sure(self) -> np.ndarray:
        """Whether the most probable class has a probability of at least 0.8: bool, shape (N,).

        If the network is calibrated (`load_net`), about 8 of 10 answers with a probability of 0.8 are right, on images
        like those that it was trained on. Of other images, a sure answer says nothing.
        """
        return is_sure(self.probabilities)
