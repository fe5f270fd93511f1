import csv
from itertools import combinations

import numpy as np
import pytest
from conftest import write_images

import d2ltl
from d2ltl.methods import zero_shot
from d2ltl.methods.zero_shot import ZeroShot, recognise_unseen

ATTRIBUTES = ["dough", "bun", "sausage", "meat", "cheese", "greens", "sauce", "sweet", "fruit", "hole", "elongated"]


@pytest.fixture(scope="module")
def foods(rendered):
    """The rendered images in the classes of their foods."""
    return d2ltl.relabel_by(rendered, "food")


@pytest.fixture
def attributed(tmp_path):
    """A folder of four classes with two attributes each."""
    write_images(tmp_path / "train", 6, classes="abcd")
    write_images(tmp_path / "test", 3, classes="abcd", seed=1)
    write_labels(tmp_path, {"a": "00", "b": "01", "c": "10", "d": "11"})
    return tmp_path


def write_labels(root, attributes):
    with (root / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "first", "second"])
        for path in sorted(root.rglob("*.jpg")):
            rows.writerow([path.relative_to(root).as_posix(), *attributes[path.parent.name]])


@pytest.mark.full
def test_foods_never_seen_are_recognised_better_than_by_chance(tinyimagenet, foods):
    groups = list(combinations(foods[0].synsets, 2))
    results = recognise_unseen(tinyimagenet, data=foods, attributes=ATTRIBUTES, unseen=groups, size=64)
    assert [result.unseen for result in results] == groups
    assert all(result.chance == 0.5 for result in results)
    assert np.mean([result.accuracy for result in results]) > 0.55
    assert np.mean([result.general_unseen for result in results]) > 0.15  # a guess: 0.1
    assert np.mean([result.general_seen for result in results]) > 0.5


def test_the_harmonic_mean_is_low_if_either_accuracy_is():
    assert ZeroShot(("a", "b"), 1.0, 0.2, 0.6, np.eye(2)).harmonic_mean == pytest.approx(0.3)
    assert ZeroShot(("a", "b"), 1.0, 0.0, 0.0, np.eye(2)).harmonic_mean == 0


def test_a_folder_with_labels_will_do(attributed, source_file):
    source = d2ltl.source_net("tiny", source_file)
    (result,) = recognise_unseen(source, data=attributed, attributes=["first", "second"], unseen=["ad"], size=32)
    assert result.unseen == ("a", "d")
    assert result.confusion.sum() == 6


def test_codes_that_follow_from_attributes_are_recognised_without_an_error(monkeypatch, foods):
    """Codes are made of the attributes of each image's food, with noise: a network could not do better."""
    rng = np.random.default_rng(0)
    of_food, directions = (
        np.unpackbits(np.arange(3, 13, dtype=np.uint8)[:, None], axis=1)[:, 4:],
        rng.normal(size=(4, 50)),
    )

    def codes(net, images):
        return of_food[images.labels] @ directions + 0.3 * rng.normal(size=(len(images), 50))

    monkeypatch.setattr(zero_shot, "extract_codes", codes)
    monkeypatch.setattr(zero_shot, "_attribute_values", lambda images, names: of_food[images.labels] == 1)
    groups = foods[0].synsets[:2], foods[0].synsets[5:7]
    for result in recognise_unseen(None, data=foods, attributes=["four"], unseen=groups):
        assert result.accuracy > 0.95


def test_attributes_that_all_seen_classes_share_tell_nothing(attributed, source_file):
    source = d2ltl.source_net("tiny", source_file)
    with pytest.raises(d2ltl.ImageFolderError, match="when c, d are left out, no attribute tells"):
        recognise_unseen(source, data=attributed, attributes=["first"], unseen=["cd"], size=32)


def test_without_attributes_there_is_nothing_to_recognise_by(stripes, attributed, source):
    with pytest.raises(d2ltl.ImageFolderError, match="There is no labels.csv"):
        recognise_unseen(source, data=stripes, attributes=["first"], unseen=[], size=32)
    with pytest.raises(d2ltl.ImageFolderError, match="file and third are needed"):
        recognise_unseen(source, data=attributed, attributes=["third"], unseen=["ab"], size=32)
    with pytest.raises(d2ltl.SettingsError, match="attributes is empty"):
        recognise_unseen(source, data=attributed, attributes=[], unseen=["ab"], size=32)
    write_labels(attributed, {"a": "00", "b": "01", "c": "10", "d": ("1", "often")})
    with pytest.raises(d2ltl.ImageFolderError, match="second is 'often' of an image; it must be 0 or 1"):
        recognise_unseen(source, data=attributed, attributes=["first", "second"], unseen=["ab"], size=32)


@pytest.mark.parametrize(("part", "purpose"), [(0, "train"), (1, "test")])
def test_a_class_without_an_image_is_named(attributed, source, part, purpose):
    pair = list(d2ltl.load_images(attributed))
    pair[part] = pair[part].subset(np.flatnonzero(pair[part].labels != 1).tolist())
    with pytest.raises(d2ltl.ImageFolderError, match=f"has no image of b to {purpose}"):
        recognise_unseen(source, data=pair, attributes=["first", "second"], unseen=["ad"], size=32)


@pytest.mark.parametrize(
    ("group", "problem"),
    [
        ("ax", "unseen names x, which is none of the classes a, b, c, d"),
        ("a", "1 of 4 classes"),
        ("aa", "1 of 4 classes"),
        ("abc", "3 of 4 classes"),
        ("aba", "unseen names a class twice: a, b, a"),
    ],
)
def test_groups_that_make_no_sense_are_refused(attributed, source, group, problem):
    with pytest.raises(d2ltl.SettingsError, match=problem):
        recognise_unseen(source, data=attributed, attributes=["first", "second"], unseen=[group], size=32)
