"""Zero-shot learning: recognise classes never seen in training through their attributes (ESZSL, 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mxnet import gluon
from sklearn.metrics import confusion_matrix
from sklearn.preprocessing import StandardScaler

from d2ltl.codes import extract_codes
from d2ltl.data import ImageFolder, Pair, as_pair, check_every_class
from d2ltl.decoding import PathLike
from d2ltl.errors import ImageFolderError, SettingsError
from d2ltl.labels import read_labels

CODES_RIDGE, ATTRIBUTES_RIDGE = 1.0, 0.001  # the paper's gamma, per image, and lambda


@dataclass(frozen=True)
class ZeroShot:
    """How well classes are recognised that were left out of training. Every accuracy is a mean over classes.

    Attributes
    ----------
    unseen : tuple of str
        The classes left out.
    accuracy : float
        On test images of the unseen classes, when only these can be the answer.
    general_unseen, general_seen : float
        On test images of the unseen and of the seen classes, when every class can be the answer.
    confusion : ndarray of int, shape (unseen classes, all classes)
        Row: the true class; column: the answer, when every class can be it.
    """

    unseen: tuple[str, ...]
    accuracy: float
    general_unseen: float
    general_seen: float
    confusion: np.ndarray

    @property
    def chance(self) -> float:
        """The accuracy of guessing one of the unseen classes."""
        return 1 / len(self.unseen)

    @property
    def harmonic_mean(self) -> float:
        """The harmonic mean of the two accuracies when every class can be the answer (Xian et al. 2019)."""
        total = self.general_unseen + self.general_seen
        return 2 * self.general_unseen * self.general_seen / total if total else 0.0


def recognise_unseen(
    net: gluon.HybridBlock,
    *,
    data: PathLike | Pair,
    attributes: Sequence[str],
    unseen: Sequence[Sequence[str]],
    **options: Any,
) -> list[ZeroShot]:
    """Leave classes out of training, and recognise them by their attributes.

    From the CNN codes of the seen classes one matrix is learned, in closed form, which says how well an image goes with
    a row of attributes; a test image gets the class whose row it goes with best (Romera-Paredes and Torr 2015, *An
    embarrassingly simple approach to zero-shot learning*). All that is known of an unseen class is such a row: how
    often it has each attribute.

    Parameters
    ----------
    net : HybridBlock
        From `source_net`, or trained on other classes.
    data : path or pair of ImageFolder
        A folder, or the pair that `load_images` returns, beside a `labels.csv` (see `read_labels`).
    attributes : sequence of str
        The columns of it that hold attributes, 0 or 1.
    unseen : sequence of sequences of str
        Groups of classes. Each is left out in turn, while all other classes are seen.
    **options
        Those of `extract_codes`.

    Raises
    ------
    ImageFolderError
        If there are no such attributes, or none that tells the seen classes apart, or a class has no image.
    SettingsError
        If a group does not leave two classes or more on both sides.
    """
    train, test = as_pair(data)
    check_every_class(train, "train")
    check_every_class(test, "test")
    groups = [_labels_of(names, train.synsets) for names in unseen]
    values = _attribute_values(train, attributes)
    rows = np.stack([values[train.labels == label].mean(axis=0) for label in range(len(train.synsets))])
    codes, test_codes = (extract_codes(net, part, **options) for part in (train, test))
    everything = range(len(train.synsets))
    results = []
    for names, group in zip(unseen, groups):
        seen = ~np.isin(train.labels, group)
        if np.ptp(rows[np.unique(train.labels[seen])], axis=0).max() == 0:
            raise ImageFolderError(
                f"{train.root}: when {', '.join(names)} are left out, no attribute tells the rest apart."
            )
        scores = _scores(codes[seen], train.labels[seen], rows, test_codes)
        answers, among_unseen = scores.argmax(axis=1), np.array(group)[scores[:, group].argmax(axis=1)]
        results.append(
            ZeroShot(
                tuple(names),
                accuracy=_mean_accuracy(test.labels, among_unseen, group),
                general_unseen=_mean_accuracy(test.labels, answers, group),
                general_seen=_mean_accuracy(test.labels, answers, [*set(everything) - set(group)]),
                confusion=confusion_matrix(test.labels, answers, labels=everything)[group],
            )
        )
    return results


def _labels_of(names: Sequence[str], classes: Sequence[str]) -> list[int]:
    if unknown := set(names) - set(classes):
        raise SettingsError(f"{min(unknown)} is to be left out, but is none of the classes {', '.join(classes)}.")
    if not 2 <= len(set(names)) <= len(classes) - 2:
        raise SettingsError(
            f"{len(set(names))} of {len(classes)} classes are to be left out; at least 2 must be, and 2 must stay."
        )
    if len(set(names)) < len(names):
        raise SettingsError(f"A class is to be left out twice: {', '.join(names)}.")
    return [classes.index(name) for name in names]


def _attribute_values(images: ImageFolder, attributes: Sequence[str]) -> np.ndarray:
    """Return the attributes of each image, bool, shape (N, attributes)."""
    if not attributes:
        raise SettingsError("attributes is empty; name the columns of labels.csv that hold attributes.")
    columns = {name: read_labels(images, name) for name in attributes}
    for name, column in columns.items():
        if strange := {value or "" for value in column} - {"0", "1"}:
            raise ImageFolderError(f"{images.root}: {name} is {min(strange)!r} of an image; it must be 0 or 1.")
    return np.stack([column == "1" for column in columns.values()], axis=1)


def _scores(codes: np.ndarray, labels: np.ndarray, rows: np.ndarray, test_codes: np.ndarray) -> np.ndarray:
    """Return how well each test image goes with the attributes of each class, shape (M, classes)."""
    scaler = StandardScaler().fit(codes)
    codes, test_codes = scaler.transform(codes), scaler.transform(test_codes)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    seen = np.unique(labels)
    weights = 1 / np.bincount(labels)[labels]  # every class counts the same, however many images it has
    weighted = codes.T * (weights / weights.mean())
    right = np.where(labels[:, None] == seen, 1.0, -1.0)
    ridge = CODES_RIDGE * len(codes) * np.eye(codes.shape[1])
    to_attributes = np.linalg.solve(weighted @ codes + ridge, weighted @ right @ rows[seen])
    among_attributes = rows[seen].T @ rows[seen] + ATTRIBUTES_RIDGE * np.eye(rows.shape[1])
    return test_codes @ to_attributes @ np.linalg.solve(among_attributes, rows.T)


def _mean_accuracy(labels: np.ndarray, answers: np.ndarray, classes: Sequence[int]) -> float:
    """Return the mean over classes of the share of their images that are answered right."""
    return float(np.mean([np.mean(answers[labels == label] == label) for label in classes]))
