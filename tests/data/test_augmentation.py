import mxnet as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import d2ltl
from d2ltl.arrays import to_mx
from d2ltl.data import augmentation
from d2ltl.data.augmentation import AUGMENTATIONS, IMAGENET_MEAN, IMAGENET_STD
from d2ltl.runtime import reseed

each = pytest.mark.parametrize("name", AUGMENTATIONS)


def picture(height=40, width=60):
    """Return a smooth image of uint8 with dark edges and one bright spot in its centre."""
    rows, columns = np.linspace(-1, 1, height)[:, None, None], np.linspace(-1, 1, width)[None, :, None]
    spot = np.exp(-4 * (rows**2 + columns**2))
    return (30 + 150 * spot * np.array([1.0, 0.9, 0.8])).astype(np.uint8)


def results(name, image, number=30, seed=0):
    """Return what an augmentation makes of an image, several times."""
    reseed(seed)
    transform = AUGMENTATIONS[name]()
    return [transform(to_mx(image)).asnumpy() for _ in range(number)]


def centre_of(image):
    """Return row and column of an image's centre of brightness, in shares of its sides."""
    light = image.astype(float).sum(axis=2) - image.astype(float).sum(axis=2).min()
    return [np.average(np.arange(n) / (n - 1), weights=light.sum(axis=1 - axis)) for axis, n in enumerate(light.shape)]


@each
@pytest.mark.parametrize("np_interface", [False, True])
def test_an_image_stays_one_of_the_interface(name, np_interface):
    if np_interface:
        mx.npx.set_np()
    kind = mx.np.ndarray if np_interface else mx.nd.NDArray
    result = AUGMENTATIONS[name]()(to_mx(picture()))
    assert (type(result), result.dtype, result.ndim, result.shape[2]) == (kind, np.uint8, 3, 3)


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from([*AUGMENTATIONS]), height=st.integers(1, 50), width=st.integers(1, 50),
       seed=st.integers(0, 2**31))  # fmt: skip
def test_images_of_any_shape_can_be_augmented(name, height, width, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    before = pixels.copy()
    reseed(seed)
    result = d2ltl.train_augs(24, [name], book=False)(to_mx(pixels))
    assert (result.shape, result.dtype) == ((3, 24, 24), np.float32)
    assert np.array_equal(pixels, before)
    values = result.asnumpy().transpose(1, 2, 0) * IMAGENET_STD + IMAGENET_MEAN
    assert -1e-5 <= values.min() <= values.max() <= 1 + 1e-5


@each
def test_the_seed_decides(name):
    half = picture()[:, :30]  # not the same from left to right
    first, again, other = (results(name, half, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert any(not np.array_equal(a, b) for a, b in zip(first, other))


def test_a_flip_is_a_mirror():
    image = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    flipped = [np.array_equal(result, image[:, ::-1]) for result in results("flip", image)]
    assert 5 < sum(flipped) < 25
    assert all(
        np.array_equal(result, image) for result, mirrored in zip(results("flip", image), flipped) if not mirrored
    )


def test_a_zoom_keeps_the_centre_and_the_shape():
    image = picture(80, 120)
    for result in results("zoom", image):
        assert 1 / augmentation.MOST_ZOOM - 0.02 <= result.shape[0] / 80 <= 1
        assert result.shape[0] / 80 == pytest.approx(result.shape[1] / 120, abs=0.02)
        assert centre_of(result) == pytest.approx([0.5, 0.5], abs=0.02)
    assert len({result.shape for result in results("zoom", image)}) > 10


def test_a_stretch_shortens_one_side_and_keeps_the_centre():
    shares = [(r.shape[0] / 80, r.shape[1] / 120) for r in results("aspect ratio", picture(80, 120))]
    assert all(max(pair) == 1 and min(pair) >= 1 / augmentation.MOST_STRETCH - 0.02 for pair in shares)
    assert {pair.index(1) for pair in shares} == {0, 1}
    assert all(centre_of(r) == pytest.approx([0.5, 0.5], abs=0.02) for r in results("aspect ratio", picture(80, 120)))


def test_a_shift_moves_the_centre_and_invents_nothing():
    image = picture()
    moved = results("shift", image)
    assert {result.shape for result in moved} == {image.shape}
    peaks = np.array([np.unravel_index(result[..., 0].argmax(), image.shape[:2]) for result in moved])
    distances = (peaks - np.unravel_index(image[..., 0].argmax(), image.shape[:2])) / image.shape[:2]
    assert np.abs(distances).max() <= augmentation.MOST_SHIFT + 0.02
    assert (distances.min(axis=0) < -0.05).all()
    assert (distances.max(axis=0) > 0.05).all()
    colours = {tuple(pixel) for pixel in image.reshape(-1, 3)}
    assert all({tuple(pixel) for pixel in result.reshape(-1, 3)} <= colours for result in moved)


def test_brightness_scales_all_colours_alike():
    factors = np.array(
        [result.mean(axis=(0, 1)) / picture().mean(axis=(0, 1)) for result in results("brightness", picture())]
    )
    assert np.ptp(factors, axis=1).max() < 0.05
    assert 1 - augmentation.MOST_BRIGHTNESS - 0.02 <= factors.min() < 0.8
    assert 1.2 < factors.max() <= 1 + augmentation.MOST_BRIGHTNESS + 0.02


def test_a_lamp_is_reddish_and_the_sky_bluish():
    grey = np.full((4, 4, 3), 100, dtype=np.uint8)
    colours = np.array([result[0, 0] for result in results("colour temperature", grey)], dtype=int)
    assert set(colours[:, 1]) == {100}
    assert ((colours[:, 0] > 100) == (colours[:, 2] < 100)).all()
    assert colours[:, 0].max() > 110
    assert colours[:, 2].max() > 110


def test_daylight_changes_nothing_and_white_stays_in_range():
    np.testing.assert_allclose(augmentation.light_gains(6500), 1)
    white = np.full((4, 4, 3), 255, dtype=np.uint8)
    lowest = np.min(results("colour temperature", white), axis=(0, 1, 2))
    assert lowest[1] == 255
    assert 150 < lowest[2] < 250


def test_gains_follow_the_temperature():
    red, green, blue = np.array([augmentation.light_gains(kelvin) for kelvin in range(2500, 12000, 500)]).T
    assert (np.diff(red) < 0).all()
    assert (green == 1).all()
    assert (np.diff(blue) > 0).all()


def test_the_default_is_the_books_and_others_come_before_it():
    def once(augs):
        reseed(3)
        return augs(to_mx(picture())).asnumpy()

    whole = d2ltl.test_augs(32)(to_mx(picture())).asnumpy()
    assert np.array_equal(once(d2ltl.train_augs(32, book=False)), whole)
    assert np.array_equal(once(d2ltl.train_augs(32)), once(d2ltl.train_augs(32, [])))
    darker = d2ltl.train_augs(32, [lambda image: to_mx(image.asnumpy() // 2)])  # a transform of one's own
    np.testing.assert_allclose(
        (once(darker).transpose(1, 2, 0) * IMAGENET_STD + IMAGENET_MEAN).mean(),
        (once(d2ltl.train_augs(32)).transpose(1, 2, 0) * IMAGENET_STD + IMAGENET_MEAN).mean() / 2,
        rtol=0.02,
    )
    assert not np.array_equal(once(d2ltl.train_augs(32, [*AUGMENTATIONS])), once(d2ltl.train_augs(32)))


def test_an_unknown_name_is_an_error_that_lists_the_known():
    with pytest.raises(d2ltl.SettingsError, match="no augmentation 'sepia'; choose from flip, zoom"):
        d2ltl.train_augs(32, ["sepia"])


def test_crops_can_be_larger_than_the_books():
    """Of a picture whose brightness is its column, a crop shows at least so much of the width as its area needs."""
    picture = mx.nd.array(np.tile(np.arange(100, dtype=np.uint8)[None, :, None], (100, 1, 3)), dtype="uint8")
    reseed(0)
    widths = {
        area: min(np.ptp(d2ltl.train_augs(32, area=area).on_image(picture).asnumpy().astype(int)) for _ in range(100))
        for area in (0.08, 0.8)
    }
    assert widths[0.08] < 45 < 70 < widths[0.8]
    for area in (0, 1.1):
        with pytest.raises(d2ltl.SettingsError, match=f"area is {area}"):
            d2ltl.train_augs(32, area=area)
