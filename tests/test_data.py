import logging
import shutil
import tempfile
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from conftest import write_images
from hypothesis import given, settings
from hypothesis import strategies as st

import d2ltl
from d2ltl import data, decoding
from d2ltl.data import ImageFolder
from d2ltl.decoding import read_image


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


def test_clutter_is_ignored_and_other_files_are_named(stripes, tmp_path, caplog):
    write_images(tmp_path, 2)
    for name in ("Thumbs.db", ".DS_Store", ".hidden.jpg"):
        (tmp_path / "across" / name).write_bytes(b"x")
    (tmp_path / ".git").mkdir()
    (tmp_path / "across/notes.txt").write_text("none")
    with caplog.at_level(logging.WARNING):
        assert len(ImageFolder(tmp_path)) == 4
    assert [record.message.rsplit("/")[-1] for record in caplog.records] == ["notes.txt, which is not an image"]


def test_names_may_be_anything(tmp_path):
    write_images(tmp_path, 1, classes=("with space", "Ünïcödé 熱狗", "n" * 200))
    assert sorted(ImageFolder(tmp_path).synsets) == sorted(["with space", "Ünïcödé 熱狗", "n" * 200])
    assert [image.shape[2] for image, _ in ImageFolder(tmp_path)] == [3, 3, 3]


def test_a_missing_folder_an_empty_one_and_a_single_class_are_errors(tmp_path):
    with pytest.raises(d2ltl.ImageFolderError, match="none is not a folder"):
        d2ltl.load_images(tmp_path / "none")
    with pytest.raises(d2ltl.ImageFolderError, match="0 class folders; at least 2"):
        d2ltl.load_images(tmp_path)
    write_images(tmp_path / "train", 1, classes=("hotdog",))
    (tmp_path / "test").mkdir()
    with pytest.raises(d2ltl.ImageFolderError, match=r"train has 1 class folder \(hotdog\); at least 2 are needed"):
        d2ltl.load_images(tmp_path)
    (tmp_path / "train/pizza").mkdir()
    with pytest.raises(d2ltl.ImageFolderError, match="pizza holds no image"):
        d2ltl.load_images(tmp_path)


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
    with pytest.raises(d2ltl.ImageFolderError, match="across has 1 image"):
        d2ltl.load_images(tmp_path)


def test_decoded_images_are_kept_up_to_a_limit(tmp_path, monkeypatch):
    write_images(tmp_path, 4)
    sizes = [image.shape[0] * image.shape[1] * 3 for image, _ in ImageFolder(tmp_path)]
    monkeypatch.setattr(data, "CACHE_BYTES", sum(sizes[:5]))
    images = ImageFolder(tmp_path)
    before = [image.asnumpy() for image, _ in images]
    read = []
    monkeypatch.setattr(decoding, "read_image", lambda path: read.append(path) or read_image(path))
    after = [image.asnumpy() for image, _ in images]
    assert all(np.array_equal(a, b) for a, b in zip(before, after))
    assert read == [path for path, _ in images.items[5:]]


def test_links_to_images_count_and_loops_do_not(tmp_path):
    write_images(tmp_path / "images", 2)
    (tmp_path / "images/across/link.jpg").symlink_to(tmp_path / "images/across/000.jpg")
    (tmp_path / "images/across/loop.jpg").symlink_to(tmp_path / "images/across/loop.jpg")
    (tmp_path / "images/across/up").symlink_to(tmp_path / "images")
    (tmp_path / "images/loop").symlink_to(tmp_path / "images/loop")
    images = ImageFolder(tmp_path / "images")
    assert np.bincount(images.labels).tolist() == [3, 2]
    assert len(list(images)) == 5


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


def test_other_classes_for_the_same_images(stripes):
    images = ImageFolder(stripes / "train")
    names = ["thin", None, "thick", "thin"] + [None] * 36
    part = images.relabel(names)
    assert part.synsets == ["thick", "thin"]
    assert part.items == [(images.items[0][0], 1), (images.items[2][0], 0), (images.items[3][0], 1)]
    assert images.synsets == ["across", "upright"]
    assert len(images) == 40


def test_the_images_of_some_classes(stripes):
    images = ImageFolder(stripes / "train").relabel(["a", "b", "c", "b"] * 10)
    part = images.only({"c", "b"})
    assert part.synsets == ["b", "c"]
    assert [path for path, _ in part.items] == [path for path, label in images.items if label > 0]
    assert part.labels.tolist() == [0, 1, 0] * 10
    with pytest.raises(d2ltl.ImageFolderError, match="has no class d; it has a, b, c"):
        images.only(["a", "d"])


@pytest.mark.parametrize(("names", "message"), [(["a"], "has 40 images, but 1 class"), (["a"] * 40, "at least 2")])
def test_names_that_make_no_classes(stripes, names, message):
    with pytest.raises(d2ltl.ImageFolderError, match=message):
        ImageFolder(stripes / "train").relabel(names)


def test_a_pair_must_have_the_same_classes_and_no_empty_part(stripes):
    train, test = d2ltl.load_images(stripes)
    three = train.relabel(["a", "b"] * 19 + ["c"] * 2)
    with pytest.raises(d2ltl.ImageFolderError, match="The data set has a class c to train, but not to test"):
        data.as_pair((three, test.relabel(["a", "b"] * 10)))
    with pytest.raises(d2ltl.ImageFolderError, match="Mine has no image to test"):
        data.as_pair((train, test.subset([])), "Mine")
    assert data.as_pair((train, test)) == (train, test)
    assert [len(part) for part in data.as_pair(stripes)] == [40, 20]


def test_images_without_labels_are_all_in_a_folder_and_below(tmp_path):
    write_images(tmp_path, 2)
    shutil.copytree(tmp_path / "across", tmp_path / "deep/er")
    shutil.copytree(tmp_path / "across", tmp_path / ".thumbnails")
    shutil.copy(tmp_path / "across/000.jpg", tmp_path)
    (tmp_path / "notes.txt").write_text("no image")
    images = data.unlabelled(tmp_path)
    names = [Path(file).relative_to(tmp_path).as_posix() for file, _ in images.items]
    assert sorted(names) == [
        *("000.jpg", "across/000.jpg", "across/001.jpg", "deep/er/000.jpg", "deep/er/001.jpg"),
        *("upright/000.jpg", "upright/001.jpg"),
    ]
    assert data.unlabelled(images) is images
    assert images[0][0].shape[2] == 3


@pytest.mark.parametrize(("name", "problem"), [("", "holds no image"), ("missing", "missing is not a folder")])
def test_without_an_image_there_is_nothing_to_learn_from(tmp_path, name, problem):
    (tmp_path / ".hidden.png").write_bytes(b"")
    with pytest.raises(d2ltl.ImageFolderError, match=problem):
        data.unlabelled(tmp_path / name)
