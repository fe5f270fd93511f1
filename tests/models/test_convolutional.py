import mxnet as mx
import numpy as np
import pytest
from conftest import values

import d2ltl
from d2ltl.data.folders import ImageFolder
from d2ltl.models.sources import build_net


def random_net(name, size, classes=5):
    mx.random.seed(1)
    net = build_net(name, classes=classes)
    net.initialize(mx.init.Xavier(magnitude=6))  # outputs that differ
    net(mx.nd.zeros((1, 3, size, size)))
    return net


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnet18_v2", 224),
        ("resnet18_v2", 64),
        ("resnet18_v1", 96),
        ("squeezenet1.0", 224),
        pytest.param("alexnet", 224, marks=pytest.mark.full),
        ("vgg11", 64),
        ("mobilenetv2_0.25", 224),
        ("densenet121", 224),
        pytest.param("inceptionv3", 299, marks=pytest.mark.full),
    ],
)
def test_at_its_own_size_it_gives_the_same(name, size):
    net = random_net(name, size)
    x = mx.nd.random.normal(shape=(2, 3, size, size))
    expected = net(x).asnumpy()
    outputs = d2ltl.to_convolutional(net, size)(x).asnumpy()
    assert outputs.shape == (2, 5, 1, 1)
    assert np.ptp(expected) > 0.1 * np.abs(expected).max()
    np.testing.assert_allclose(outputs[:, :, 0, 0], expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("name", "size"), [("resnet18_v2", 64), ("squeezenet1.1", 224)])
def test_a_larger_image_gives_a_map(name, size):
    net = d2ltl.to_convolutional(random_net(name, size), size)
    assert net(mx.nd.zeros((1, 3, size + 64, size + 128))).shape[:2] == (1, 5)
    height, width = net(mx.nd.zeros((1, 3, size + 64, size + 128))).shape[2:]
    assert 1 < height < width


@pytest.mark.full
def test_far_from_zeros_around_it_a_place_gives_what_its_window_does():
    """Without padding, a map is the network slid over the image."""
    net = build_net("alexnet", classes=3)
    for layer in net.features:
        if isinstance(layer, mx.gluon.nn.Conv2D):
            layer._kwargs["pad"] = (0, 0)
    net.initialize(mx.init.Xavier(magnitude=6))
    size, stride = 227, 32
    x = mx.nd.random.normal(shape=(1, 3, size + stride, size + 2 * stride))
    windows = [[x[:, :, i : i + size, j : j + size] for j in (0, stride, 2 * stride)] for i in (0, stride)]
    expected = np.array([[net(window).asnumpy()[0] for window in row] for row in windows])
    outputs = d2ltl.to_convolutional(net, size)(x).asnumpy()[0]
    assert outputs.shape == (3, 2, 3)
    np.testing.assert_allclose(outputs.transpose(1, 2, 0), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_a_net_that_was_trained_stays_as_it_is(stripes, source):
    net = d2ltl.finetune_net(2, source)
    d2ltl.train_on_codes(net, "softmax", data=stripes, size=64)
    before = values(net)
    probabilities, _ = d2ltl.predict(net, stripes / "test", size=64)
    convolutional = d2ltl.to_convolutional(net, 64)
    for (image, _), expected in zip(ImageFolder(stripes / "test"), probabilities):
        prepared = d2ltl.test_augs(64).on_image(image)
        (row,) = d2ltl.heat_map(convolutional, prepared, 1)
        np.testing.assert_allclose(row, expected[1:], atol=1e-4)
    assert all(np.array_equal(value, before[name]) for name, value in values(net).items())


def test_the_map_shows_where(stripes, resnet):
    """Stripes across on the left of a picture, upright ones on the right: those that the network is surest of."""
    net = d2ltl.finetune_net(2, resnet)
    d2ltl.train_on_codes(net, "softmax", data=stripes, size=64)
    images = ImageFolder(stripes / "test")
    prepare = d2ltl.test_augs(64).on_image
    order = d2ltl.predict(net, images, size=64)[0][:, 1].argsort()
    rows = [[prepare(images[i][0]).asnumpy() for i in (a, a, b, b)] for a, b in zip(order[:2], order[::-1])]
    scene = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    upright = d2ltl.heat_map(d2ltl.to_convolutional(net, 64), scene, 1)
    assert (upright.shape, upright.dtype) == ((3, 7), np.float32)
    assert ((upright >= 0) & (upright <= 1)).all()
    assert upright[:, :2].mean() < 0.5 < upright[:, -2:].mean()


def test_what_cannot_be_used_is_refused(source):
    convolutional = d2ltl.to_convolutional(source, 64)
    with pytest.raises(d2ltl.NetworkError, match="cannot run images of 20 × 20 pixels; the smallest"):
        d2ltl.heat_map(convolutional, np.zeros((40, 20, 3), np.uint8), 0)
    with pytest.raises(d2ltl.SettingsError, match="no class 5; .* 0 to 4"):
        d2ltl.heat_map(convolutional, np.zeros((64, 64, 3), np.uint8), 5)
    for image in (np.zeros((64, 64), np.uint8), np.zeros((64, 64, 4), np.uint8), np.zeros((64, 64, 3), np.float32)):
        with pytest.raises(d2ltl.SettingsError, match="must be uint8"):
            d2ltl.heat_map(convolutional, image, 0)
    with pytest.raises(d2ltl.NetworkError, match="cannot run images of 96"):
        d2ltl.to_convolutional(random_net("squeezenet1.1", 224), 96)
