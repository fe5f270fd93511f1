import logging

import numpy as np
import pytest
from conftest import write_images

import d2ltl
from d2ltl.data import decoding, folders
from d2ltl.data.folders import ImageFolder


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


def test_decoded_images_are_kept_up_to_a_limit(tmp_path, monkeypatch):
    write_images(tmp_path, 4)
    sizes = [image.shape[0] * image.shape[1] * 3 for image, _ in ImageFolder(tmp_path)]
    monkeypatch.setattr(folders, "CACHE_BYTES", sum(sizes[:5]))
    images = ImageFolder(tmp_path)
    before = [image.asnumpy() for image, _ in images]
    read = []
    monkeypatch.setattr(decoding, "fault_of", lambda path: read.append(path) or "")  # called at every reading
    after = [image.asnumpy() for image, _ in images]
    assert all(np.array_equal(a, b) for a, b in zip(before, after))
    assert read == [path for path, _ in images.items[5:]]


def test_training_and_test_images_share_one_cache(stripes, monkeypatch):
    monkeypatch.setattr(folders, "CACHE_BYTES", 3 * 32 * 32 * 3)
    pair = d2ltl.load_images(stripes)
    read = []
    monkeypatch.setattr(decoding, "fault_of", lambda path: read.append(path) or "")
    for _ in range(2):
        read.clear()
        [image for part in pair for image, _ in part]
    assert len(read) >= len(pair[0]) + len(pair[1]) - 8


def test_links_to_images_count_and_loops_do_not(tmp_path):
    write_images(tmp_path / "images", 2)
    (tmp_path / "images/across/link.jpg").symlink_to(tmp_path / "images/across/000.jpg")
    (tmp_path / "images/across/loop.jpg").symlink_to(tmp_path / "images/across/loop.jpg")
    (tmp_path / "images/across/up").symlink_to(tmp_path / "images")
    (tmp_path / "images/loop").symlink_to(tmp_path / "images/loop")
    images = ImageFolder(tmp_path / "images")
    assert np.bincount(images.labels).tolist() == [3, 2]
    assert len(list(images)) == 5


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
