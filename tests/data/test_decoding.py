import struct

import mxnet as mx
import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

import d2ltl
from d2ltl.data.decoding import Detail, read_image
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


def write_deep(folder, arrays, suffix=".png"):
    """Write one class of deep images and one of others; return the data set and the deep images as it reads them."""
    for name in "deep", "usual":
        (folder / name).mkdir(parents=True)
    picture().save(folder / "usual/0.jpg")
    for i, array in enumerate(arrays):
        Image.fromarray(array).save(folder / f"deep/{i}{suffix}")
    images = ImageFolder(folder)
    return images, [images[i][0].asnumpy()[:, :, 0].tolist() for i in range(len(arrays))]


@pytest.mark.parametrize(
    ("arrays", "suffix", "expected"),
    [
        (np.array([[[0, 4095]], [[0, 2048]]], np.uint16), ".png", [[[0, 255]], [[0, 128]]]),  # 12 bits
        (np.array([[[0, 255]], [[0, 100]]], np.uint16), ".png", [[[0, 255]], [[0, 100]]]),  # 8 bits
        (np.array([[[0, 65535]], [[0, 300]]], np.uint16), ".tif", [[[0, 255]], [[0, 1]]]),  # 16 bits
        (np.array([[[0, 1000]], [[0, 500]]], np.int32), ".tif", [[[0, 249]], [[0, 125]]]),  # 10 bits
        (np.array([[[0, 1]], [[0, 0.4]]], np.float32), ".tif", [[[0, 255]], [[0, 102]]]),
        (np.array([[[0, 255]], [[3, 0]]], np.float32), ".tif", [[[0, 255]], [[3, 0]]]),
        (np.array([[[-100, 155]], [[0, 10]]], np.float32), ".tif", [[[0, 255]], [[100, 110]]]),
    ],
)
def test_deep_pixels_are_scaled_by_the_range_in_use_in_all_images(tmp_path, caplog, arrays, suffix, expected):
    with caplog.at_level("INFO"):
        assert write_deep(tmp_path, arrays, suffix)[1] == expected
    assert "more than 8 bits" in caplog.text


def test_test_images_are_scaled_as_those_to_train(tmp_path):
    write_deep(tmp_path / "train", np.array([[[0, 4095]]], np.uint16))
    write_deep(tmp_path / "test", np.array([[[0, 255]]], np.uint16))
    train, test = d2ltl.load_images(tmp_path)
    assert [part[0][0].asnumpy()[0, 1, 0] for part in (train, test)] == [255, 16]


def test_one_image_is_scaled_by_its_own_range(tmp_path):
    Image.fromarray(np.array([[0, 0.5]], dtype=np.float32)).save(tmp_path / "float.tif")
    assert read_image(tmp_path / "float.tif")[0, :, 0].tolist() == [0, 128]
    Image.fromarray(np.full((4, 4), np.nan, dtype=np.float32)).save(tmp_path / "none.tif")
    with pytest.raises(d2ltl.ImageFolderError, match=r"none\.tif cannot be read .*finite"):
        read_image(tmp_path / "none.tif")


TURNED = struct.pack("<HHLHH", 0x112, 3, 1, 6, 0)


@pytest.mark.parametrize(
    ("entries", "values", "turned"),
    [
        ([TURNED, struct.pack("<HHLL", 0x9204, 10, 1, 38)], struct.pack("<ll", -1, 0), True),  # a rational -1/0
        ([struct.pack("<HHL4s", 0x101, 2, 4, b"abc\0"), TURNED], b"", True),  # a text as length
        ([TURNED, struct.pack("<HHLL", 0x9286, 7, 2**31, 2**31)], b"", True),  # a comment outside of the file
        ([struct.pack("<HHL4s", 0x112, 2, 4, b"six\0")], b"", False),  # a text as orientation
        ([struct.pack("<HHLHH", 0x112, 3, 1, 99, 0)], b"", False),
        ([b"\xff" * 12, b"\xff" * 12], b"", False),
        ([b""], b"", False),
    ],
)
def test_odd_exif_data_spoils_no_picture(tmp_path, recwarn, entries, values, turned):
    picture().save(tmp_path / "odd.jpg", quality=95)
    plain = (tmp_path / "odd.jpg").read_bytes()
    body = b"Exif\0\0II*\0" + struct.pack("<LH", 8, len(entries)) + b"".join(entries) + bytes(4) + values
    exif = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    (tmp_path / "odd.jpg").write_bytes(plain[:2] + exif + plain[2:])
    expected = np.rot90(np.asarray(picture()), 3) if turned else np.asarray(picture())
    assert np.abs(read_image(tmp_path / "odd.jpg").astype(int) - expected).mean() < 8
    assert not list(recwarn)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_every_orientation_is_turned_as_pillow_does(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture().save(tmp_path / f"turned.{suffix}", exif=exif)
    with Image.open(tmp_path / f"turned.{suffix}") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(read_image(tmp_path / f"turned.{suffix}"), expected)


@pytest.mark.parametrize("error", [KeyError("tag"), ZeroDivisionError(), RuntimeError("decoder"), MemoryError()])
def test_whatever_a_decoder_raises_is_an_error_that_names_the_file(tmp_path, monkeypatch, error):
    picture().save(tmp_path / "odd.png")

    def fail(*_):
        raise error

    monkeypatch.setattr(Image.Image, "convert", fail)
    with pytest.raises(d2ltl.ImageFolderError, match=r"odd\.png cannot be read as an image \(.+\)"):
        read_image(tmp_path / "odd.png")


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
        assert read_image(tmp_path / "huge.png").shape == (1500, 1500, 3)


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


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.webp", "photo.tif"])
@pytest.mark.parametrize(
    ("size", "detail", "read"),
    [
        ((2400, 1600), Detail(300, 300**2), (600, 400)),
        ((2400, 1600), Detail(96, 340**2), (600, 400)),
        ((2400, 1600), Detail(1, 1), (600, 400)),  # 256 pixels at least
        ((4000, 700), Detail(300, 300**2), (2000, 350)),  # its shorter side counts
        ((600, 500), Detail(32, 32**2), (600, 500)),
    ],
)
def test_a_large_image_of_any_format_is_reduced_to_what_is_needed(tmp_path, name, size, detail, read):
    picture(size).save(tmp_path / name)
    image = read_image(tmp_path / name, detail=detail)
    divisor = size[0] // read[0]
    read = (-(-size[0] // divisor), -(-size[1] // divisor))
    assert image.shape == (read[1], read[0], 3)
    assert np.abs(image - np.asarray(picture(size).resize(read), dtype=int)).mean() < 6


@pytest.mark.parametrize("side", [2047, 2049, 4095, 5000])
def test_a_jpeg_is_reduced_as_other_formats_are(tmp_path, side):
    for name in ("photo.jpg", "photo.png"):
        picture((side, side)).save(tmp_path / name)
    jpeg, png = (read_image(tmp_path / name, detail=Detail(256, 256**2)) for name in ("photo.jpg", "photo.png"))
    assert jpeg.shape == png.shape


def test_a_reduced_image_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("turned.jpg", "turned.png"):
        picture((2048, 1024)).save(tmp_path / name, exif=exif)
        assert read_image(tmp_path / name, detail=Detail(256, 256**2)).shape == (512, 256, 3)


def test_deep_pixels_are_reduced_too(tmp_path):
    Image.fromarray(np.full((1024, 2048), 32896, np.uint16)).save(tmp_path / "deep.png")
    image = read_image(tmp_path / "deep.png", detail=Detail(256, 256**2))
    assert np.array_equal(image, np.full((256, 512, 3), 128))
