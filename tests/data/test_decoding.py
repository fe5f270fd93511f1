import mxnet as mx
import numpy as np
import pytest
from PIL import Image, ImageFile

import d2ltl
from d2ltl.data.decoding import read_image
from d2ltl.data.folders import ImageFolder


def picture(size=(30, 20)):
    """Return a synthetic image, smooth enough for JPEG to keep: red grows to the right, green downwards."""
    width, height = size
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([across, down, np.full_like(across, 60)], axis=2).astype(np.uint8))


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


@pytest.mark.parametrize("accepted_by_others", [False, True])
def test_a_truncated_jpeg_is_an_error_that_names_it(tmp_path, monkeypatch, accepted_by_others):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", accepted_by_others)  # as importing GluonCV does
    picture((200, 200)).save(tmp_path / "cut.jpg")
    whole = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(d2ltl.ImageFolderError, match="cut.jpg cannot be read"):
        read_image(tmp_path / "cut.jpg")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is accepted_by_others


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0nothing", b"<html></html>"])
def test_what_is_no_image_is_an_error_that_names_it(tmp_path, content):
    (tmp_path / "fake.jpg").write_bytes(content)
    with pytest.raises(d2ltl.ImageFolderError, match="fake.jpg cannot be read"):
        read_image(tmp_path / "fake.jpg")


def test_floating_point_pixels_are_refused(tmp_path):
    Image.fromarray(np.zeros((4, 4), dtype=np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(d2ltl.ImageFolderError, match=r"float\.tif cannot be read"):
        read_image(tmp_path / "float.tif")


@pytest.mark.parametrize(
    ("name", "options"), [("moving.gif", {"append_images": [picture()]}), ("image.webp", {}), ("image.bmp", {})]
)
def test_other_formats_are_read_a_moving_one_by_its_first_picture(tmp_path, name, options):
    picture().save(tmp_path / name, save_all=bool(options), **options)
    assert np.abs(read_image(tmp_path / name).astype(int) - np.asarray(picture())).mean() < 12


@pytest.mark.full
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
