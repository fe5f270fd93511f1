"""Zero-shot learning by attributes: ESZSL (Romera-Paredes and Torr 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mxnet import gluon
from sklearn.metrics import confusion_matrix
from sklearn.preprocessing import StandardScaler

from d2ltl.data.folders import ImageFolder, check_every_class
from d2ltl.data.labels import read_labels
from d2ltl.data.pairs import Data, as_pair
from d2ltl.errors import ImageFolderError, SettingsError
from d2ltl.training.features import extract_codes

CODES_RIDGE, ATTRIBUTES_RIDGE = 1.0, 0.001  # regularisation: the paper's gamma (per training image) and lambda


@dataclass(frozen=True)
class ZeroShot:
    """The result of `recognise_unseen` for one group of unseen classes. All accuracies are means over classes.

    `accuracy` is the zero-shot accuracy: test images of the `unseen` classes, prediction restricted to these classes.
    `general_unseen` and `general_seen` are the generalised zero-shot accuracies: test images of the unseen and of the
    seen classes, prediction among all classes. `confusion` is the confusion matrix for prediction among all classes:
    int, shape (unseen classes, all classes). Its rows are true classes, its columns are predicted classes.
    """

    unseen: tuple[str, ...]
    accuracy: float
    general_unseen: float
    general_seen: float
    confusion: np.ndarray

    @property
    def chance(self) -> float:
        """Accuracy of guessing one of the unseen classes."""
        return 1 / len(self.unseen)

    @property
    def harmonic_mean(self) -> float:
        """Harmonic mean of `general_unseen` and `general_seen` (Xian et al. 2019)."""
        total = self.general_unseen + self.general_seen
        return 2 * self.general_unseen * self.general_seen / total if total else 0.0


def recognise_unseen(
    net: gluon.HybridBlock,
    *,
    data: Data,
    attributes: Sequence[str],
    unseen: Sequence[Sequence[str]],
    **options: Any,
) -> list[ZeroShot]:
    """Recognise classes without training images by their attributes (zero-shot learning).

    A bilinear map scores how well the CNN codes of an image match the attributes of a class. It is fitted in closed
    form on the images of the seen classes. The attributes of a class are the shares of its training images with each
    attribute; nothing else is known of an unseen class. The predicted class is the one with the highest score
    (Romera-Paredes and Torr 2015, *An embarrassingly simple approach to zero-shot learning*).

    Parameters
    ----------
    net : HybridBlock
        Network that computes the codes: a source model, or a network trained on other classes.
    data : str, path or pair of ImageFolder
        Training and test images with a `labels.csv` (see `read_labels`); see `train_fine_tuning`.
    attributes : sequence of str
        Columns of `labels.csv` with the attributes, which are 0 or 1.
    unseen : sequence of sequence of str
        Groups of classes. For each group, the map is fitted on the images of all other classes.
    **options
        Further arguments of `extract_codes`.

    Raises
    ------
    ImageFolderError, SettingsError
        If an attribute is missing, is not 0 or 1, or no attribute distinguishes the seen classes. If a class is
        unknown, repeated or has no image, or fewer than 2 classes are seen or unseen.
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
        raise SettingsError(f"unseen names {min(unknown)}, which is none of the classes {', '.join(classes)}.")
    if not 2 <= len(set(names)) <= len(classes) - 2:
        raise SettingsError(
            f"unseen leaves out {len(set(names))} of {len(classes)} classes; leave out at least 2, and keep at least 2."
        )
    if len(set(names)) < len(names):
        raise SettingsError(f"unseen names a class twice: {', '.join(names)}.")
    return [classes.index(name) for name in names]


def _attribute_values(images: ImageFolder, attributes: Sequence[str]) -> np.ndarray:
    """Return the attributes of each image: bool, shape (N, attributes)."""
    if not attributes:
        raise SettingsError("attributes is empty; name the columns of labels.csv that hold attributes.")
    columns = {name: read_labels(images, name) for name in attributes}
    for name, column in columns.items():
        if strange := {value or "" for value in column} - {"0", "1"}:
            raise ImageFolderError(f"{images.root}: {name} is {min(strange)!r} of an image; it must be 0 or 1.")
    return np.stack([column == "1" for column in columns.values()], axis=1)


def _scores(codes: np.ndarray, labels: np.ndarray, rows: np.ndarray, test_codes: np.ndarray) -> np.ndarray:
    """Return the scores of test images (M, channels) for all classes with attributes `rows`, shape (M, classes).

    `codes` (N, channels) and `labels` (N,) are those of the training images of the seen classes.
    """
    scaler = StandardScaler().fit(codes)
    codes, test_codes = scaler.transform(codes), scaler.transform(test_codes)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    seen = np.unique(labels)
    weights = 1 / np.bincount(labels)[labels]  # every class has the same weight
    weighted = codes.T * (weights / weights.mean())
    right = np.where(labels[:, None] == seen, 1.0, -1.0)
    ridge = CODES_RIDGE * len(codes) * np.eye(codes.shape[1])
    to_attributes = np.linalg.solve(weighted @ codes + ridge, weighted @ right @ rows[seen])
    among_attributes = rows[seen].T @ rows[seen] + ATTRIBUTES_RIDGE * np.eye(rows.shape[1])
    return test_codes @ to_attributes @ np.linalg.solve(among_attributes, rows.T)


def _mean_accuracy(labels: np.ndarray, answers: np.ndarray, classes: Sequence[int]) -> float:
    """Return the accuracy on the images of some classes, averaged over these classes."""
    return float(np.mean([np.mean(answers[labels == label] == label) for label in classes]))
