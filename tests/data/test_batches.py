import itertools

import mxnet as mx
import numpy as np
import pytest
from PIL import Image

import d2ltl
from d2ltl.data import decoding
from d2ltl.data.batches import batch_sizes, loader
from d2ltl.data.decoding import read_image
from d2ltl.runtime import reseed


@pytest.mark.parametrize("np_interface", [False, True])
def test_images_follow_the_active_interface(stripes, np_interface):
    if np_interface:
        mx.npx.set_np()
    train, _ = d2ltl.load_images(stripes)
    kind = mx.np.ndarray if np_interface else mx.nd.NDArray
    assert type(train[0][0]) is kind
    batch, labels = next(iter(loader(train, d2ltl.train_augs(32), 4)))
    assert (type(batch), batch.shape, batch.dtype, labels.shape) == (kind, (4, 3, 32, 32), np.float32, (4,))


def test_test_images_are_resized_cropped_and_normalised_as_in_the_book(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    image = mx.nd.array(read_image(tmp_path / "image.png"), dtype="uint8")
    ours = d2ltl.test_augs()(image).asnumpy()
    centre = mx.image.imresize(image, 256, 256)[16:240, 16:240].asnumpy() / 255
    expected = (centre - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(ours, expected.transpose(2, 0, 1), atol=1e-5)
    assert d2ltl.test_augs(96)(image).shape == (3, 96, 96)


def test_training_images_differ_every_time_but_not_by_seed(stripes):
    image = d2ltl.load_images(stripes)[0][0][0]
    augs = d2ltl.train_augs(32)

    def crops():
        reseed(5)
        return [augs(image).asnumpy() for _ in range(8)]

    first, again = crops(), crops()
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert len({crop.tobytes() for crop in first}) == 8


@pytest.mark.parametrize("np_interface", [False, True])
@pytest.mark.parametrize("make_augs", [d2ltl.train_augs, d2ltl.test_augs])
def test_batches_are_what_image_by_image_would_be(stripes, make_augs, np_interface):
    if np_interface:
        mx.npx.set_np()
    train, _ = d2ltl.load_images(stripes)

    def epoch(augs):
        reseed(0)
        return [(X.asnumpy(), y.asnumpy()) for X, y in loader(train, augs, 16, shuffle=True)]

    augs = make_augs(32)
    whole, by_image = epoch(augs), epoch(lambda image: augs(image))
    assert [len(y) for _, y in whole] == [16, 16, 8]
    for (X, y), (X_by_image, y_by_image) in zip(whole, by_image):
        np.testing.assert_allclose(X, X_by_image, rtol=0, atol=1e-6)
        assert (y.dtype, y.tolist()) == (y_by_image.dtype, y_by_image.tolist())


@pytest.mark.parametrize(
    ("number", "batch_size", "sizes"),
    [
        (2000, 128, [*[128] * 15, 80]),  # the book's
        (50, 16, [17, 17, 16]),
        (52, 16, [16, 16, 16, 4]),  # a quarter of a batch
        (51, 16, [17, 17, 17]),
        (33, 32, [33]),
        (9, 4, [5, 4]),  # a single image is never alone
        (5, 2, [3, 2]),
        (3, 1, [1, 1, 1]),
        (3, 16, [3]),
        (32, 16, [16, 16]),
    ],
)
def test_a_small_remainder_is_spread_over_the_other_batches(number, batch_size, sizes):
    assert batch_sizes(number, batch_size) == sizes


def test_a_remainder_has_two_images_for_each_device():
    assert batch_sizes(10, 8) == [8, 2]
    assert batch_sizes(10, 8, devices=2) == [10]
    assert batch_sizes(12, 8, devices=2) == [8, 4]


@pytest.mark.parametrize("shuffle", [False, True])
def test_no_image_is_dropped_and_none_is_taken_twice(stripes, shuffle):
    train, _ = d2ltl.load_images(stripes)
    train.items = [(path, i) for i, (path, _) in enumerate(train.items)]
    batches = loader(train, d2ltl.test_augs(8), 13, shuffle=shuffle)
    labels = [y.asnumpy().astype(int).tolist() for _, y in batches]
    assert [len(part) for part in labels] == [14, 13, 13]
    assert len(batches) == 3
    taken = [*itertools.chain(*labels)]
    assert sorted(taken) == [*range(40)]
    assert (taken == [*range(40)]) != shuffle


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_workers_share_out_every_batch(stripes, workers):
    train, _ = d2ltl.load_images(stripes)
    train.items = [(path, i) for i, (path, _) in enumerate(train.items)]

    def labels(part):
        reseed(1)
        batches = loader(train, d2ltl.test_augs(8), 13, shuffle=True, devices=workers, part=part)
        return [y.asnumpy().tolist() for _, y in batches]

    whole = labels((0, 1))
    parts = [labels((rank, workers)) for rank in range(workers)]
    assert [[*itertools.chain(*shares)] for shares in zip(*parts)] == whole
    sizes = [[len(share) for share in shares] for shares in zip(*parts)]
    assert all(max(shares) - min(shares) <= 1 for shares in sizes)


def test_workers_draw_other_random_numbers_for_the_same_images(stripes):
    train, _ = d2ltl.load_images(stripes)
    train.items = train.items[:1] * 8

    def images(part):
        reseed(1)
        return next(iter(loader(train, d2ltl.train_augs(8), 4, part=part)))[0].asnumpy()

    first, second = images((0, 2)), images((1, 2))
    assert not np.allclose(first, second)
    assert np.array_equal(first, images((0, 2)))


def test_a_batch_that_not_every_worker_can_have_a_part_of_is_refused(stripes):
    train, _ = d2ltl.load_images(stripes)
    with pytest.raises(d2ltl.SettingsError, match="5 workers cannot share a batch of 4 images"):
        loader(train, d2ltl.test_augs(8), 4, part=(0, 5))


def test_both_augmentations_take_one_pixel(tmp_path):
    dot = mx.nd.array(np.full((1, 1, 3), 128), dtype="uint8")
    assert d2ltl.test_augs(32)(dot).shape == (3, 32, 32)
    for _ in range(50):  # the crop is random
        assert d2ltl.train_augs(32)(dot).asnumpy().shape == (3, 32, 32)


def test_sizes_that_make_no_sense_are_refused(stripes):
    with pytest.raises(d2ltl.SettingsError, match="size is 0"):
        d2ltl.train_augs(0)
    with pytest.raises(d2ltl.SettingsError, match="batch_size is 0"):
        loader(d2ltl.load_images(stripes)[0], d2ltl.test_augs(32), 0)


def test_resized_pixels_are_between_0_and_1(stripes):
    pixels = d2ltl.read_pixels(stripes / "test", 10)
    assert (pixels.shape, pixels.dtype) == ((20, 10, 10, 3), np.float32)
    assert 0 <= pixels.min() < pixels.max() <= 1


def test_pixels_of_a_folder_are_those_of_all_images_in_it(stripes):
    together = d2ltl.read_pixels(stripes / "test", 10)
    parts = [d2ltl.read_pixels(stripes / "test" / name, 10) for name in ("across", "upright")]
    assert np.array_equal(together, np.concatenate(parts))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder of large images: two for each of two classes, to train and to test."""
    folder = tmp_path_factory.mktemp("photographs")
    for i in range(8):
        file = folder / ("train", "test")[i % 2] / "ab"[i // 4] / f"{i}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 256, (3, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((2400, 1800)).save(file)
    return folder


@pytest.mark.parametrize(
    ("augs", "shape"),
    [
        (d2ltl.test_augs(224), (450, 600, 3)),
        (d2ltl.test_augs(448), (900, 1200, 3)),
        (d2ltl.train_augs(64), (450, 600, 3)),
        (d2ltl.train_augs(224), (900, 1200, 3)),
        (d2ltl.train_augs(224, area=0.5), (450, 600, 3)),
        (d2ltl.train_augs(64, book=False), (450, 600, 3)),
        (d2ltl.train_augs(64, ["zoom"]), (1800, 2400, 3)),  # nobody knows how much an extra transform needs
        (lambda image: image[:32, :32], (1800, 2400, 3)),
    ],
)
def test_photographs_are_decoded_once_in_the_detail_that_is_needed(photographs, monkeypatch, augs, shape):
    train, _ = d2ltl.load_images(photographs)
    decoded, pixels_of = [], decoding.pixels_of

    def spy(*args):
        decoded.append(pixels_of(*args))
        return decoded[-1]

    monkeypatch.setattr(decoding, "pixels_of", spy)
    batches = loader(train, augs, 4)
    for _ in range(2):
        assert len(list(batches)) == 1
    assert [pixels.shape for pixels in decoded] == [shape] * 4


def test_what_was_read_for_one_purpose_does_not_change_what_is_read_for_another(photographs):
    def batch(*before):
        train, _ = d2ltl.load_images(photographs)
        for augs in (*before, d2ltl.test_augs(64)):
            ((X, _),) = loader(train, augs, 4)
        return X.asnumpy()

    expected = batch()
    for before in (d2ltl.train_augs(224), d2ltl.test_augs(448), lambda image: image[:9, :9]):
        assert np.array_equal(batch(before), expected)
