"""The image set that is shipped: what its data card (_data_hub/shipped/README.md) says of it."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import d2ltl
import data_hub
from d2ltl.data.decoding import read_image

SCENE = {"table", "support", "camera", "light"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("D2LTL_DATA", str(tmp_path_factory.mktemp("cache")))
        return data_hub.download_extract("hotdog-mini")


@pytest.fixture(scope="module")
def images(folder):
    """Both parts as (pixels of shape (N, 112, 112, 3) from 0 to 1, labels)."""
    return [
        (np.stack([read_image(file) for file, _ in part.items]) / 255, np.array([label for _, label in part.items]))
        for part in d2ltl.load_images(folder)
    ]


@pytest.fixture(scope="module")
def rows(folder):
    with open(Path(folder) / "labels.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_it_has_the_books_layout_and_is_balanced(folder, images):
    train, test = d2ltl.load_images(folder)
    assert train.synsets == test.synsets == ["hotdog", "not-hotdog"]
    assert [pixels.shape for pixels, _ in images] == [(800, 112, 112, 3), (400, 112, 112, 3)]
    assert [np.bincount(labels).tolist() for _, labels in images] == [[400, 400], [200, 200]]


def test_it_is_small(folder):
    assert Path(folder).parents[1].joinpath("hotdog-mini.zip").stat().st_size <= 8_000_000


def test_no_image_is_there_twice(images):
    pixels = np.concatenate([pixels for pixels, _ in images])
    small = pixels.reshape(len(pixels), 8, 14, 8, 14, 3).mean(axis=(2, 4)).reshape(len(pixels), -1)
    squares = (small**2).sum(axis=1)
    distances = squares[:, None] + squares[None] - 2 * small @ small.T
    np.fill_diagonal(distances, np.inf)
    assert distances.min() > 0.05  # a sum over 192 means of 14 × 14 pixels


def border(pixels):
    """Return the outermost pixels of each image as one row."""
    edge = np.ones(pixels.shape[1:3], dtype=bool)
    edge[1:-1, 1:-1] = False
    return pixels[:, edge].reshape(len(pixels), -1)


def mean_colour(pixels):
    return pixels.mean(axis=(1, 2))


@pytest.mark.parametrize(("features", "at_most"), [(border, 0.57), (mean_colour, 0.70)])
def test_what_surrounds_the_food_does_not_give_it_away(images, features, at_most):
    (train, labels), (test, test_labels) = images
    for strength in (1e-4, 1e-2, 1):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=5000))
        assert model.fit(features(train), labels).score(features(test), test_labels) <= at_most


def test_every_image_has_one_row_of_labels(folder, rows):
    files = sorted(file.relative_to(folder).as_posix() for file in Path(folder).rglob("*.jpg"))
    assert [row["file"] for row in rows] == files
    assert all((row["food"] == "hotdog") == ("/hotdog/" in row["file"]) for row in rows)


def test_the_other_foods_are_balanced(rows):
    for part, least in (("train", 44), ("test", 22)):
        foods = Counter(row["food"] for row in rows if row["file"].startswith(part))
        del foods["hotdog"]
        assert len(foods) == 9
        assert set(foods.values()) <= {least, least + 1}


def test_every_food_has_attributes_of_its_own(rows):
    names = [name for name in rows[0] if name not in {"file", "food", *SCENE}]
    assert len(names) >= 10
    signatures = {}
    for food in {row["food"] for row in rows}:
        seen = [{row[name] for row in rows if row["food"] == food} for name in names]
        assert all(values <= {"0", "1"} for values in seen)
        signatures[food] = [values.pop() if len(values) == 1 else None for values in seen]
    for food, signature in signatures.items():
        for other in signatures.keys() - {food}:
            pairs = zip(signature, signatures[other])
            assert any(a is not None and b is not None and a != b for a, b in pairs), (food, other)


@pytest.mark.parametrize("name", sorted(SCENE))
def test_scene_labels_tell_nothing_of_the_class(rows, name):
    for value in {row[name] for row in rows}:
        shown = [row["food"] == "hotdog" for row in rows if row[name] == value]
        assert abs(np.mean(shown) - 0.5) < 3 * 0.5 / len(shown) ** 0.5, value  # three standard errors
