import logging
import tempfile
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from conftest import write_images
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import d2ltl
from d2ltl import data
from d2ltl.data import ImageFolder, read_image


def picture(size=(30, 20)):
    """Return a synthetic image, smooth enough for JPEG to keep: red grows to the right, green downwards."""
    width, height = size
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([across, down, np.full_like(across, 60)], axis=2).astype(np.uint8))


def test_the_pair_has_labels_by_the_name_of_the_class_folder(stripes):
    train, test = d2ltl.load_images(stripes)
    assert (len(train), len(test)) == (40, 20)
    assert train.synsets == test.synsets == ["across", "upright"]
    assert isinstance(train, mx.gluon.data.vision.ImageFolderDataset)
    image, label = train[-1]
    assert (image.dtype, image.shape[2], label) == (np.uint8, 3, 1)


def test_pixels_are_those_of_mxnets_own_decoder(stripes):
    file = ImageFolder(stripes / "train").items[0][0]
    assert np.array_equal(read_image(file), mx.image.imread(file).asnumpy())


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "LA"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    file = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    picture().convert(mode).save(file)
    image = read_image(file)
    assert (image.shape, image.dtype) == ((20, 30, 3), np.uint8)
    expected = np.asarray(picture().convert(mode).convert("RGB"), dtype=float)
    assert np.abs(image - expected).mean() < 8


def test_sixteen_bits_keep_their_brightness(tmp_path):
    Image.fromarray(np.full((4, 5), 0x8000, dtype=np.uint16)).save(tmp_path / "deep.png")
    assert np.array_equal(read_image(tmp_path / "deep.png"), np.full((4, 5, 3), 128))


def test_transparency_is_put_on_white(tmp_path):
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert np.array_equal(read_image(tmp_path / "clear.png"), np.full((4, 4, 3), 255))


def test_exif_rotation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    picture().save(tmp_path / "turned.jpg", exif=exif, quality=95)
    image = read_image(tmp_path / "turned.jpg")
    assert image.shape == (30, 20, 3)
    assert np.abs(image.astype(int) - np.rot90(np.asarray(picture()), 3)).mean() < 8


def test_a_truncated_jpeg_is_an_error_that_names_it(tmp_path):
    picture((200, 200)).save(tmp_path / "cut.jpg")
    whole = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(d2ltl.ImageFolderError, match="cut.jpg cannot be read"):
        read_image(tmp_path / "cut.jpg")


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0nothing", b"<html></html>"])
def test_what_is_no_image_is_an_error_that_names_it(tmp_path, content):
    (tmp_path / "fake.jpg").write_bytes(content)
    with pytest.raises(d2ltl.ImageFolderError, match="fake.jpg cannot be read"):
        read_image(tmp_path / "fake.jpg")


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
    with pytest.raises(d2ltl.ImageFolderError, match="train has a class folder c that .*test lacks"):
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


def test_floating_point_pixels_are_refused(tmp_path):
    Image.fromarray(np.zeros((4, 4), dtype=np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(d2ltl.ImageFolderError, match=r"float\.tif cannot be read"):
        read_image(tmp_path / "float.tif")


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


@pytest.mark.parametrize(
    ("name", "options"), [("moving.gif", {"append_images": [picture()]}), ("image.webp", {}), ("image.bmp", {})]
)
def test_other_formats_are_read_a_moving_one_by_its_first_picture(tmp_path, name, options):
    picture().save(tmp_path / name, save_all=bool(options), **options)
    assert np.abs(read_image(tmp_path / name).astype(int) - np.asarray(picture())).mean() < 12


@pytest.mark.slow
def test_a_huge_image_is_read(tmp_path):
    Image.new("L", (12_000, 12_000), 7).save(tmp_path / "huge.png")
    with pytest.warns(Image.DecompressionBombWarning):
        assert read_image(tmp_path / "huge.png").shape == (12_000, 12_000, 3)


def test_a_decompression_bomb_is_refused_by_name(tmp_path, monkeypatch):
    picture((300, 300)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(d2ltl.ImageFolderError, match=r"bomb\.png cannot be read"):
        read_image(tmp_path / "bomb.png")


def test_a_large_jpeg_is_decoded_at_a_reduced_size(tmp_path):
    picture((4096, 2304)).save(tmp_path / "large.jpg")
    picture((2000, 1500)).save(tmp_path / "medium.jpg")
    assert read_image(tmp_path / "large.jpg").shape == (1152, 2048, 3)
    assert read_image(tmp_path / "medium.jpg").shape == (1500, 2000, 3)
    reduced = np.asarray(picture((4096, 2304)).resize((2048, 1152)), dtype=int)
    assert np.abs(read_image(tmp_path / "large.jpg") - reduced).mean() < 2


def test_decoded_images_are_kept_up_to_a_limit(tmp_path, monkeypatch):
    write_images(tmp_path, 4)
    sizes = [image.shape[0] * image.shape[1] * 3 for image, _ in ImageFolder(tmp_path)]
    monkeypatch.setattr(data, "CACHE_BYTES", sum(sizes[:5]))
    images = ImageFolder(tmp_path)
    before = [image.asnumpy() for image, _ in images]
    read = []
    monkeypatch.setattr(data, "read_image", lambda path: read.append(path) or read_image(path))
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
