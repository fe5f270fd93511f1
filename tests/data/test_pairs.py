import os
import shutil
import tempfile
from hashlib import sha1
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from conftest import write_images
from hypothesis import given, settings
from hypothesis import strategies as st
from mxnet.gluon.data import ArrayDataset
from mxnet.gluon.data.vision import ImageFolderDataset

import d2ltl
import data_hub
from d2ltl.data import pairs
from d2ltl.data.folders import ImageFolder


def test_the_pair_has_labels_by_the_name_of_the_class_folder(stripes):
    train, test = d2ltl.load_images(stripes)
    assert (len(train), len(test)) == (40, 20)
    assert train.synsets == test.synsets == ["across", "upright"]
    assert isinstance(train, mx.gluon.data.vision.ImageFolderDataset)
    image, label = train[-1]
    assert (image.dtype, image.shape[2], label) == (np.uint8, 3, 1)


def test_unreadable_images_are_skipped_and_counted_on_request(tmp_path, caplog):
    write_images(tmp_path / "train", 3)
    write_images(tmp_path / "test", 2)
    (tmp_path / "train/across/broken.jpg").write_bytes(b"broken")
    train, test = d2ltl.load_images(tmp_path, skip_unreadable=True)
    assert (len(train), len(test)) == (6, 4)
    assert [file.rsplit("/")[-1] for file in train.skipped] == ["broken.jpg"]
    assert "broken.jpg" in caplog.text
    train, _ = d2ltl.load_images(tmp_path)
    with pytest.raises(d2ltl.ImageFolderError, match=r"broken\.jpg"):
        list(train)


def test_a_class_without_a_readable_image_is_an_error(tmp_path):
    write_images(tmp_path / "train", 2)
    write_images(tmp_path / "test", 2)
    for file in (tmp_path / "test/upright").iterdir():
        file.write_bytes(b"broken")
    with pytest.raises(d2ltl.ImageFolderError, match="no image of upright"):
        d2ltl.load_images(tmp_path, skip_unreadable=True)


def test_classes_that_differ_are_named(tmp_path):
    write_images(tmp_path / "train", 1, classes=("a", "b", "c"))
    write_images(tmp_path / "test", 1, classes=("a", "b"))
    with pytest.raises(d2ltl.ImageFolderError, match="has a class c to train, but not to test"):
        d2ltl.load_images(tmp_path)


def test_train_without_test_is_an_error_and_val_is_a_test(tmp_path):
    write_images(tmp_path / "train", 2)
    with pytest.raises(d2ltl.ImageFolderError, match="not a test"):
        d2ltl.load_images(tmp_path)
    write_images(tmp_path / "val", 1)
    assert [len(part) for part in d2ltl.load_images(tmp_path)] == [4, 2]


def test_a_class_may_be_called_train(tmp_path):
    write_images(tmp_path, 5, classes=("bus", "car", "train"))
    assert d2ltl.load_images(tmp_path)[0].synsets == ["bus", "car", "train"]


def test_a_folder_without_parts_is_split_by_the_seed(tmp_path):
    write_images(tmp_path, 10)
    files = [{file for file, _ in part.items} for part in d2ltl.load_images(tmp_path, seed=3)]
    assert [len(part) for part in files] == [16, 4]
    assert not files[0] & files[1]
    assert np.bincount(d2ltl.load_images(tmp_path)[1].labels).tolist() == [2, 2]
    assert d2ltl.load_images(tmp_path, seed=3)[1].items == d2ltl.load_images(tmp_path, seed=3)[1].items
    assert d2ltl.load_images(tmp_path, seed=3)[1].items != d2ltl.load_images(tmp_path, seed=4)[1].items


def test_one_image_of_a_class_cannot_be_split(tmp_path):
    write_images(tmp_path, 1)
    with pytest.raises(d2ltl.ImageFolderError, match="has 1 image of across"):
        d2ltl.load_images(tmp_path)


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(2, 30), min_size=2, max_size=4), seed=st.integers(0, 2**32))
def test_a_split_takes_every_image_once_and_some_of_each_class_for_both(sizes, seed):
    with tempfile.TemporaryDirectory() as root:
        for label, size in enumerate(sizes):
            Path(root, str(label)).mkdir()
            for i in range(size):
                Path(root, str(label), f"{i}.jpg").touch()
        train, test = d2ltl.load_images(root, seed=seed)
    assert not set(train.items) & set(test.items)
    assert len(train) + len(test) == sum(sizes)
    assert set(train.labels) == set(test.labels) == set(range(len(sizes)))
    assert np.bincount(test.labels).tolist() == [max(1, round(size / 5)) for size in sizes]


def test_a_pair_must_have_the_same_classes_and_no_empty_part(stripes):
    train, test = d2ltl.load_images(stripes)
    three = train.relabel(["a", "b"] * 19 + ["c"] * 2)
    with pytest.raises(d2ltl.ImageFolderError, match="The data set has a class c to train, but not to test"):
        pairs.as_pair((three, test.relabel(["a", "b"] * 10)))
    with pytest.raises(d2ltl.ImageFolderError, match="Mine has no image to test"):
        pairs.as_pair((train, test.subset([])), "Mine")
    assert pairs.as_pair((train, test)) == (train, test)
    assert [len(part) for part in pairs.as_pair(stripes)] == [40, 20]


def test_images_without_labels_are_all_in_a_folder_and_below(tmp_path):
    write_images(tmp_path, 2)
    shutil.copytree(tmp_path / "across", tmp_path / "deep/er")
    shutil.copytree(tmp_path / "across", tmp_path / ".thumbnails")
    shutil.copy(tmp_path / "across/000.jpg", tmp_path)
    (tmp_path / "notes.txt").write_text("no image")
    images = pairs.unlabelled(tmp_path)
    names = [Path(file).relative_to(tmp_path).as_posix() for file, _ in images.items]
    assert sorted(names) == [
        *("000.jpg", "across/000.jpg", "across/001.jpg", "deep/er/000.jpg", "deep/er/001.jpg"),
        *("upright/000.jpg", "upright/001.jpg"),
    ]
    assert pairs.unlabelled(images) is images
    assert images[0][0].shape[2] == 3


@pytest.mark.parametrize(("name", "problem"), [("", "holds no image"), ("missing", "missing is not a folder")])
def test_without_an_image_there_is_nothing_to_learn_from(tmp_path, name, problem):
    (tmp_path / ".hidden.png").write_bytes(b"")
    with pytest.raises(d2ltl.ImageFolderError, match=problem):
        pairs.unlabelled(tmp_path / name)


def test_data_is_a_name_of_the_hub_a_folder_an_archive_or_a_pair(stripes, tmp_path, monkeypatch):
    monkeypatch.setenv("D2LTL_DATA", str(tmp_path / "cache"))
    archive = shutil.make_archive(str(tmp_path / "stripes"), "zip", stripes.parent, stripes.name)
    entry = Path(archive).as_uri(), sha1(Path(archive).read_bytes()).hexdigest()
    monkeypatch.setitem(data_hub.DATA_HUB, "stripes", entry)
    gluons = tuple(mx.gluon.data.vision.ImageFolderDataset(str(stripes / part)) for part in ("train", "test"))
    for data in ("stripes", stripes, str(stripes), archive, Path(archive), d2ltl.load_images(stripes), gluons):
        train, test = pairs.as_pair(data)
        assert (len(train), len(test)) == (40, 20)
        assert pairs.as_images(data).labels.tolist() == test.labels.tolist() == [0] * 10 + [1] * 10
        assert isinstance(train, ImageFolder)
    assert train[0][0].shape[2] == 3


def test_a_path_is_a_folder_even_if_the_hub_has_its_name(stripes, tmp_path, monkeypatch):
    shutil.copytree(stripes, tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    assert pairs.as_images(Path("digits")).synsets == pairs.as_images("./digits").synsets == ["across", "upright"]


def test_all_images_of_one_part_are_asked_about(stripes):
    for part in (stripes / "train", ImageFolder(stripes / "train")):
        assert len(pairs.as_images(part)) == 40


@pytest.mark.parametrize("data", [None, 7, ("a",), ImageFolder])
def test_what_is_no_data_is_refused(data):
    with pytest.raises(d2ltl.ImageFolderError, match="The data set is a .*; give a name of the data hub, a folder"):
        pairs.as_pair(data)


@pytest.mark.parametrize("options", [{"transform": lambda image, label: (image, label)}, {"flag": 0}])
def test_a_transform_is_not_dropped_in_silence(stripes, options):
    with pytest.raises(d2ltl.ImageFolderError, match="has a transform or a flag.*test_augs"):
        pairs.as_images(ImageFolderDataset(stripes / "test", **options))


@pytest.mark.parametrize("data", [3, ArrayDataset([1, 2], [0, 1])])
def test_another_kind_of_data_set_is_refused(data):
    with pytest.raises(d2ltl.ImageFolderError, match=f"is a {type(data).__name__}; give a name"):
        pairs.as_images(data)


def test_a_pair_is_not_one_set_of_unlabelled_images(stripes):
    with pytest.raises(d2ltl.ImageFolderError, match="is a tuple; give"):
        d2ltl.learn_features(d2ltl.load_images(stripes))


def test_a_pair_is_called_by_the_folder_of_both_parts_and_its_numbers(stripes):
    assert pairs.name_of("hotdog") == "hotdog"
    assert pairs.name_of(stripes) == os.fspath(stripes)
    assert pairs.name_of(d2ltl.load_images(stripes)) == f"{stripes} (40 + 20 images)"
