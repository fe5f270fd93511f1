from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

import d2ltl
from d2ltl.arrays import to_mx
from d2ltl.data.augmentation import IMAGENET_MEAN, IMAGENET_STD
from d2ltl.models import efficientnet, packages
from d2ltl.models.efficientnet import SCALES, EfficientNetLite
from d2ltl.models.freezing import stages
from d2ltl.models.parameters import parameters_of, set_value
from d2ltl.models.pickles import read_torch

REFERENCE = Path(__file__).with_name("efficientnet_reference.npz")
SIZES = {"efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 260}  # of their publication
full = pytest.mark.full  # needs the packages with the weights
EVERY = pytest.mark.parametrize("name", SIZES)


def waves(size, number):
    """Return a synthetic image, uint8 of shape (size, size, 3), without any random number."""
    y, x = np.mgrid[:size, :size] / size
    channels = [
        np.sin(2 * np.pi * ((2 + number + c) * x + (3 + 2 * c - number) * y) + c)
        * np.cos(2 * np.pi * (5 + number) * x * y + number)
        for c in range(3)
    ]
    return np.round(127.5 + 120 * np.stack(channels, axis=-1)).astype(np.uint8)


def batch(size):
    """Return two synthetic images, float64 of shape (2, 3, size, size), values from 0 to 255."""
    return np.stack([waves(size, number) for number in range(2)]).transpose(0, 3, 1, 2).astype(np.float64)


def normalised(pixels):
    mean, std = np.reshape(IMAGENET_MEAN, (3, 1, 1)), np.reshape(IMAGENET_STD, (3, 1, 1))
    return to_mx(((pixels / 255 - mean) / std).astype(np.float32))


@full
@EVERY
def test_it_is_the_published_network(name):
    """The reference are outputs of the PyTorch package efficientnet-lite-pytorch 0.1.0 for the same images.

    The network gets the published weights as they are, and the input that they were trained on.
    """
    net = EfficientNetLite(SCALES[name])
    arrays = read_torch(packages.find(name).read_bytes())
    published = [array for key, array in arrays.items() if not key.endswith("num_batches_tracked")]
    for parameter, array in zip(parameters_of(net), published):
        set_value(parameter, np.flip(array, (2, 3)) if array.ndim == 4 else array)
    outputs = net(to_mx(((batch(SIZES[name]) - 127) / 128).astype(np.float32))).asnumpy()
    np.testing.assert_allclose(outputs, np.load(REFERENCE)[name], atol=2e-4)


@full
@EVERY
@pytest.mark.parametrize("np_interface", [False, True])
def test_its_input_scaling_is_folded_into_the_first_layer(name, np_interface):
    """The outputs differ by the border, where the padding has the mean colour now: by a tenth of their spread."""
    if np_interface:
        mx.npx.set_np()
    net = d2ltl.source_net(name, "imagenet")
    assert net.classes[934] == "hotdog"
    expected = np.load(REFERENCE)[name]
    outputs = net(normalised(batch(SIZES[name]))).asnumpy()
    assert outputs.argmax(axis=1).tolist() == expected.argmax(axis=1).tolist()
    assert np.abs(outputs - expected).max() < 0.1 * expected.std()


@full
def test_away_from_the_border_the_scaling_changes_nothing():
    """In the first layer, only the outermost windows see the padding."""
    published, folded = (
        EfficientNetLite(SCALES["efficientnet_lite0"]),
        d2ltl.source_net("efficientnet_lite0", "imagenet"),
    )
    arrays = read_torch(packages.find("efficientnet_lite0").read_bytes())
    kernel, gamma, beta, mean, variance = [*arrays.values()][:5]
    for parameter, array in zip(parameters_of(published)[:5], [np.flip(kernel, (2, 3)), gamma, beta, mean, variance]):
        set_value(parameter, array)
    pixels = batch(64)
    first = [net.features[:3] for net in (published, folded)]
    ours = first[1](normalised(pixels)).asnumpy()
    theirs = first[0](to_mx(((pixels - 127) / 128).astype(np.float32))).asnumpy()
    np.testing.assert_allclose(ours[:, :, 1:-1, 1:-1], theirs[:, :, 1:-1, 1:-1], atol=1e-4)
    assert np.abs(ours - theirs).max() > 0.1  # at the border


def test_windows_at_stride_2_end_at_the_last_row_and_column():
    """As in TensorFlow: of an even side nothing is padded before and one pixel after, of an odd side one on each."""
    net = EfficientNetLite(SCALES["efficientnet_lite0"], classes=2)
    net.initialize(mx.init.Xavier())
    for size, expected in ((64, 32), (63, 32), (15, 8)):
        assert net.features[:2](mx.nd.zeros((1, 3, size, size))).shape == (1, 32, expected, expected)


def test_it_has_five_stages_like_a_resnet():
    net = d2ltl.scratch_net(2, "efficientnet_lite0")
    groups = stages(net)
    assert len(groups) == 5
    assert sum(len(group) for group in groups) == len(net.features)


@pytest.mark.parametrize(("name", "millions"), [("lite0", 4.65), ("lite1", 5.42), ("lite2", 6.09)])
def test_its_size_is_the_published_one(name, millions):
    net = d2ltl.scratch_net(1000, f"efficientnet_{name}")
    trained = [parameter for parameter in parameters_of(net) if parameter.grad_req != "null"]
    assert sum(np.prod(parameter.shape) for parameter in trained) / 1e6 == pytest.approx(millions, abs=0.01)


@pytest.mark.parametrize("np_interface", [False, True])
def test_it_is_fine_tuned_and_evaluated(stripes, tmp_path, np_interface):
    if np_interface:
        mx.npx.set_np()
    d2ltl.runtime.reseed(0)
    source = d2ltl.scratch_net(5, "efficientnet_lite0")
    source(to_mx(np.zeros((1, 3, 32, 32), np.float32)))
    net = d2ltl.finetune_net(2, source)
    history = d2ltl.train_fine_tuning(net, 0.01, 10, 1, data=stripes, size=48)
    assert np.isfinite(history.curve("loss")).all()
    assert d2ltl.evaluate(net, stripes, size=48)[1] == history.curve("test_acc")[-1]


@full
def test_its_dense_layer_slides_over_larger_images():
    """The heat map is not turned like the image inside the network: its first column is of the left window."""
    net = d2ltl.source_net("efficientnet_lite0", "imagenet")
    image = np.concatenate([waves(64, 0), waves(64, 1)], axis=1)
    windows = [net(normalised(half.transpose(2, 0, 1)[None])).asnumpy() for half in (image[:, :64], image[:, 64:])]
    label = int(np.abs(windows[0] - windows[1]).argmax())
    heat = d2ltl.heat_map(d2ltl.to_convolutional(net, 64), image, label)
    assert heat.shape == (1, 3)
    probabilities = [mx.nd.softmax(mx.nd.array(window)).asnumpy()[0, label] for window in windows]
    assert np.sign(heat[0, 0] - heat[0, -1]) == np.sign(probabilities[0] - probabilities[1])


@full
def test_hot_dogs_are_its_class_934():
    """On the test photographs beside the project, where they are; see the model card."""
    archive = Path(__file__).parents[3] / "shared/data/hotdog.zip"
    if not archive.exists():
        pytest.skip("needs the photographs, which are not part of the project")
    rows = d2ltl.exercises.class_rows(
        d2ltl.source_net("efficientnet_lite0", "imagenet"), d2ltl.load_images(archive)[1], size=96
    )
    assert rows[0].auc < 0.7 < 0.88 < rows[1].auc


def test_channels_are_multiples_of_eight():
    assert [efficientnet.round_channels(1.1 * channels) for channels in (16, 24, 40, 80, 112)] == [16, 24, 48, 88, 120]
