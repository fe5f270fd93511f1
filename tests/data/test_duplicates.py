"""Copies: found, named, and kept together."""

import logging
import shutil

import numpy as np
import pytest
from conftest import write_images
from PIL import Image, ImageEnhance

import d2ltl
from d2ltl.data import duplicates
from d2ltl.data.duplicates import find_copies
from d2ltl.data.folders import ImageFolder


def save_again(source, target, **options):
    with Image.open(source) as image:
        image.save(target, **options)


COPIES = {
    "bytes": (shutil.copy, ".jpg"),
    "a PNG of the JPEG": (save_again, ".png"),
    "a BMP": (save_again, ".bmp"),
    "a comment": (lambda source, target: target.write_bytes(insert_comment(source.read_bytes())), ".jpg"),
    "a link": (lambda source, target: target.symlink_to(source), ".jpg"),
}


def insert_comment(jpeg):
    return jpeg[:2] + b"\xff\xfe\x00\x06hey!" + jpeg[2:]


@pytest.mark.parametrize("way", COPIES)
def test_a_training_image_in_the_test_set_is_a_warning(tmp_path, caplog, way):
    write_images(tmp_path / "train", 5)
    write_images(tmp_path / "test", 3, seed=1)
    copy, suffix = COPIES[way]
    copy(tmp_path / "train/across/001.jpg", tmp_path / f"test/across/other{suffix}")
    with caplog.at_level(logging.WARNING):
        d2ltl.load_images(tmp_path)
    assert [record.getMessage() for record in caplog.records] == [
        "1 of the 7 test images are training images too, so the test accuracy is too high: "
        f"test/across/other{suffix} is the same as train/across/001.jpg."
    ]


@pytest.mark.parametrize("way", COPIES)
def test_an_image_under_two_classes_is_a_warning(tmp_path, caplog, way):
    write_images(tmp_path, 5)
    copy, suffix = COPIES[way]
    copy(tmp_path / "across/001.jpg", tmp_path / f"upright/other{suffix}")
    with caplog.at_level(logging.WARNING):
        train, test = d2ltl.load_images(tmp_path)
    assert "1 of 11 images are in another class too: " in caplog.text
    assert f"upright/other{suffix}" in caplog.text
    assert "too high" not in caplog.text
    copies = {str(tmp_path / "across/001.jpg"), str(tmp_path / f"upright/other{suffix}")}
    assert any(copies <= {path for path, _ in part.items} for part in (train, test))


def test_a_random_split_keeps_copies_together(tmp_path, caplog):
    write_images(tmp_path, 20)
    for path in [*tmp_path.rglob("*.jpg")]:
        shutil.copy(path, path.with_name(f"{path.stem} (1).jpg"))
    for seed in range(5):
        caplog.clear()
        train, test = d2ltl.load_images(tmp_path, seed=seed)
        assert (np.bincount(train.labels).tolist(), np.bincount(test.labels).tolist()) == ([32, 32], [8, 8])
        stems = [
            {(path.split(" ")[0].removesuffix(".jpg"), label) for path, label in part.items} for part in (train, test)
        ]
        assert not stems[0] & stems[1]
        assert "40 of 80 images are copies of others: " in caplog.text
        assert "and 37 more" in caplog.text
        assert "too high" not in caplog.text
    assert d2ltl.load_images(tmp_path, seed=4)[1].items == test.items


@pytest.mark.parametrize("number", [2, 3, 6])
def test_groups_of_unequal_sizes_leave_every_class_in_both_parts(tmp_path, number):
    write_images(tmp_path, 4)
    for i in range(number):
        shutil.copy(tmp_path / "across/000.jpg", tmp_path / f"across/copy{i}.jpg")
    for seed in range(5):
        parts = d2ltl.split(ImageFolder(tmp_path), 0.3, seed)
        assert all(np.bincount(part.labels, minlength=2).all() for part in parts)
        assert sorted(parts[0].items + parts[1].items) == ImageFolder(tmp_path).items
        copies = [sum("copy" in path or "across/000" in path for path, _ in part.items) for part in parts]
        assert sorted(copies) == [0, number + 1]


def test_a_class_of_copies_only_is_split_nevertheless(tmp_path, caplog):
    write_images(tmp_path, 1)
    write_images(tmp_path / "more", 5)
    for name in "abcd":
        shutil.copy(tmp_path / "across/000.jpg", tmp_path / f"across/{name}.jpg")
    for path in (tmp_path / "more/upright").iterdir():
        shutil.copy(path, tmp_path / "upright" / f"more{path.name}")
    shutil.rmtree(tmp_path / "more")
    train, test = d2ltl.load_images(tmp_path)
    assert [np.bincount(part.labels).tolist() for part in (train, test)] == [[4, 5], [1, 1]]
    assert "1 of the 2 test images are training images too" in caplog.text


def test_images_that_are_alike_are_no_copies(tmp_path, caplog):
    write_images(tmp_path, 4)
    image = Image.new("RGB", (50, 50), (7, 7, 7))
    image.save(tmp_path / "across/plain.png")
    image.putpixel((3, 3), (7, 7, 8))
    image.save(tmp_path / "upright/plain.png")
    (tmp_path / "across/empty.jpg").touch()
    (tmp_path / "upright/empty.jpg").touch()
    images = ImageFolder(tmp_path)
    assert find_copies(images).tolist() == [*range(len(images))]


def test_many_pixels_are_not_decoded_to_be_compared(tmp_path, monkeypatch, caplog):
    write_images(tmp_path, 3)
    save_again(tmp_path / "across/000.jpg", tmp_path / "across/copy.png")
    monkeypatch.setattr(duplicates, "COMPARED_BYTES", 1000)
    monkeypatch.setattr(ImageFolder, "read", lambda *_: pytest.fail("an image was decoded"))
    with caplog.at_level("INFO"):
        assert find_copies(ImageFolder(tmp_path)).tolist() == [*range(7)]
    assert "by the bytes of their files only" in caplog.text


def test_near_duplicates_need_a_package(tmp_path, stripes, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "imagehash", None)
    with pytest.raises(d2ltl.SettingsError, match="pip install imagehash"):
        d2ltl.load_images(stripes, check_duplicates=True)


@pytest.mark.full
def test_near_duplicates_are_found_by_their_perceptual_hash(tmp_path, caplog, rendered):
    pytest.importorskip("imagehash")
    for part, images in zip(("train", "test"), rendered):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
        for i in range(12):
            shutil.copy(images.items[i * 30][0], tmp_path / part / "ab"[i % 2] / f"{i}.jpg")
    with Image.open(tmp_path / "train/a/0.jpg") as image:
        image.convert("RGB").resize((70, 70)).save(tmp_path / "test/a/smaller.jpg", quality=70)
        ImageEnhance.Brightness(image.convert("RGB")).enhance(1.1).save(tmp_path / "test/a/brighter.png")
    d2ltl.load_images(tmp_path)
    assert "training images too" not in caplog.text
    d2ltl.load_images(tmp_path, check_duplicates=True)
    assert "2 of the 14 test images are training images too" in caplog.text
    assert "test/a/smaller.jpg is nearly the same as train/a/0.jpg" in caplog.text
