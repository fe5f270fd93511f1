import shutil

import numpy as np
import pytest

import d2ltl
from d2ltl.datasets import find_data
from d2ltl.methods.self_taught import learn_features, train_self_taught

SMALL = {"num_features": 20, "size": 16, "patch": 4}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The digits 5 to 9 to learn from, and 0 to 4, to train and to test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("D2LTL_DATA", str(tmp_path_factory.mktemp("cache")))
        train, test = d2ltl.load_images(find_data("digits"))
    return train.only("56789"), (train.only("01234"), test.only("01234"))


def test_features_of_other_digits_are_better_than_pixels(digits):
    unlabelled, labelled = digits
    gains = []
    for seed in range(3):
        taught = train_self_taught(unlabelled, labelled, (5, 20), num_features=100, size=8, patch=3, seed=seed)
        assert all(0.6 < accuracy <= 1 for way in ("pixels", "features") for accuracy in taught.accuracy[way])
        gains.append(np.subtract(taught.accuracy["features"], taught.accuracy["pixels"]))
    assert (np.mean(gains, axis=0) > 0.01).all()


def test_labels_of_the_unlabelled_are_not_looked_at(digits, tmp_path):
    unlabelled, (_, test) = digits
    some = unlabelled.subset(range(0, len(unlabelled), 10))
    flat = tmp_path / "flat"
    flat.mkdir()
    for path, _ in some.items:
        shutil.copy(path, flat)
    by_set, by_folder = (learn_features(images, 20, size=8, patch=4) for images in (some, flat))
    shutil.copytree(flat, tmp_path / "deep/a/b")
    by_tree = learn_features(tmp_path / "deep", 20, size=8, patch=4)
    in_order = sorted(range(len(some)), key=lambda i: some.items[i][0].rpartition("/")[2])
    by_order = learn_features(some.subset(in_order), 20, size=8, patch=4)
    assert np.array_equal(by_folder(test), by_tree(test))
    assert np.array_equal(by_folder(test), by_order(test))
    assert by_set(test).shape == by_folder(test).shape


def test_images_of_any_size_are_described_by_quarters(stripes):
    features = learn_features(stripes, **SMALL)
    described = features(d2ltl.load_images(stripes)[1])
    assert (described.shape, described.dtype) == ((20, 4 * 20), np.float32)
    assert described.min() == 0
    assert np.array_equal(described, features(stripes / "test"))


def test_colour_images_are_told_apart(stripes):
    taught = train_self_taught(stripes, stripes, (2, 5), **SMALL)
    assert taught.accuracy["features"][-1] >= 0.9
    pair = d2ltl.load_images(stripes)
    assert d2ltl.accuracy_by_labels(taught.features, pair, (2, 5)) == taught.accuracy["features"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"patch": 16}, "patch is 16.*fewer than 16"),
        ({"patch": 1}, "patch is 1;"),
        ({"num_features": 1}, "num_features is 1;"),
        ({"per_class": (1, 2)}, "per_class is 1;.*at least 2"),
        ({"per_class": (2, 50)}, "20 images of across; 50 are needed"),
    ],
)
def test_what_cannot_be_used_is_refused(stripes, options, problem):
    with pytest.raises(d2ltl.D2LTLError, match=problem):
        train_self_taught(stripes, stripes, **{**SMALL, "per_class": (2,), **options})
