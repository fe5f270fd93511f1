"""Formats of images and impostors: the first bytes decide, not the suffix."""

import io
import logging
import sys

import numpy as np
import pytest
from conftest import write_images
from PIL import Image, features

import d2ltl
from d2ltl.data.folders import ImageFolder

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)


def encoded(format_, mode="RGB"):
    content = io.BytesIO()
    Image.effect_noise((24, 16), 50).convert(mode).save(content, format_)
    return content.getvalue()


def folder_with(tmp_path, name, content):
    write_images(tmp_path / "photos", 2)
    (tmp_path / "photos/across" / name).write_bytes(content)
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("name", "format_", "mode"),
    [
        ("a.jfif", "jpeg", "RGB"),
        ("a.JPE", "jpeg", "L"),
        ("a", "jpeg", "RGB"),
        ("a.jpg", "png", "RGBA"),
        ("a.png", "webp", "RGB"),
        ("a.bin", "gif", "P"),
        ("a.pgm", "ppm", "L"),
        ("a.ppm", "ppm", "RGB"),
        ("a.pbm", "ppm", "1"),
        ("a", "ppm", "L"),
        ("a.tif", "tiff", "CMYK"),
        ("a.dib", "bmp", "RGB"),
        ("a.jpg-large", "jpeg", "RGB"),
        ("a.tga", "tga", "RGB"),
        ("a.ico", "ico", "RGBA"),
        pytest.param("a.jp2", "jpeg2000", "RGB", marks=pytest.mark.skipif(not features.check("jpg_2000"), reason="-")),
        pytest.param(
            "a.avif", "avif", "RGB", marks=pytest.mark.skipif(not features.check("avif"), reason="Pillow 11.3")
        ),
    ],
)
def test_an_image_is_known_by_its_first_bytes(tmp_path, name, format_, mode):
    images = ImageFolder(folder_with(tmp_path, name, encoded(format_, mode)))
    path = str(tmp_path / "photos/across" / name)
    index = [file for file, _ in images.items].index(path)
    assert images[index][0].shape[2] == 3
    assert path in [file for file, _ in d2ltl.UnlabelledImages(tmp_path).items]


def test_a_comment_may_stand_in_the_header_of_a_pgm(tmp_path):
    content = b"P5\n# made by hand\n2 2\n255\n" + bytes([0, 80, 160, 255])
    images = ImageFolder(folder_with(tmp_path, "face", content))
    assert images.items[-3][0].endswith("face")
    assert images[2][0].asnumpy()[:, :, 0].tolist() == [[0, 80], [160, 255]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b"P5 and other formats"),
        ("readme", b"BMW and other cars, in many words"),
        ("film.mp4", b"\0\0\0\x18ftypisom" + bytes(100)),
        ("model.h5", b"\x89HDF\r\n\x1a\n" + bytes(100)),
        ("film.mpg", b"\0\0\1\xb3" + bytes(100)),
        ("a.nef", encoded("tiff")),  # raw data of a camera, and a small preview
        ("empty", b""),
    ],
)
def test_what_is_not_meant_as_an_image_is_ignored(tmp_path, caplog, name, content):
    with caplog.at_level(logging.WARNING):
        images = ImageFolder(folder_with(tmp_path, name, content))
    assert len(images) == 4
    assert name in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.jpg", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
        ("a.png", b"<!DOCTYPE html><html><title>404</title></html>", "a web page"),
        ("a.jpg", b"\n  <HTML><head>", "a web page"),
        ("a.jpg", b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "XML"),
        ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "convert it"),
        ("a.jpg", b"", "empty"),
        ("a.webp", bytes(500), "zeros"),
        ("a.jpg", b"not an image", "no format of images"),
        ("a.heic", HEIC, "pip install pillow-heif"),
        ("a.jpg", HEIC, "pip install pillow-heif"),
        ("a", HEIC, "pip install pillow-heif"),
    ],
)
def test_an_impostor_is_named_before_anything_is_trained(tmp_path, monkeypatch, source, name, content, what):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    from d2ltl.data import formats

    formats._what_is_missing.cache_clear()
    folder = folder_with(tmp_path, name, content)
    monkeypatch.setattr(ImageFolder, "__getitem__", lambda *_: pytest.fail("an image was decoded"))
    with pytest.raises(d2ltl.ImageFolderError, match=rf"across/{name} cannot be read as an image \(.*{what}") as error:
        d2ltl.train_fine_tuning(d2ltl.finetune_net(2, source), 0.1, data=pair_of(folder))
    assert "--skip-unreadable" in str(error.value)
    kept = ImageFolder(folder)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert [len(kept.drop_unreadable()), len(kept.drop_unreadable().skipped)] == [4, 1]


def pair_of(folder):
    return ImageFolder(folder), ImageFolder(folder)


def test_several_impostors_are_counted(tmp_path, source):
    folder = folder_with(tmp_path, "a.jpg", b"")
    (folder / "upright/b.jpg").touch()
    with pytest.raises(d2ltl.ImageFolderError, match=r"a\.jpg .*nor can 1 more of the 6 files"):
        d2ltl.evaluate(d2ltl.finetune_net(2, source), pair_of(folder), size=32)


@pytest.mark.full
def test_heic_is_read_by_pillow_heif(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    from d2ltl.data import formats

    formats._what_is_missing.cache_clear()
    pixels = np.zeros((32, 48, 3), np.uint8) + [200, 30, 60]
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "a.heic")
    folder = folder_with(tmp_path, "a.heic", (tmp_path / "a.heic").read_bytes())
    image = next(image for image, _ in ImageFolder(folder) if image.shape == (32, 48, 3))
    assert np.abs(image.asnumpy() - pixels).max() < 10
