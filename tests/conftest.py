"""Images and models that the tests share.

`source` is a network of three layers, for tests that need a network and no particular one; `resnet` is a resnet18_v2.
"""

# isort: off
import os

os.environ["D2LTL_LANG"] = "en"  # the tests compare English texts
os.environ.setdefault("OMP_NUM_THREADS", "1")  # otherwise the number depends on what else the machine does
import d2ltl  # before MXNet: it prepares the process for it
# isort: on

import json
import logging
import shutil
import signal

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import HybridBlock, nn
from mxnet.gluon.model_zoo import vision
from PIL import Image

# A shell's background jobs ignore Ctrl-C, and the processes that tests start would. (Not by preexec_fn: with it Popen
# forks, and MXNet, which stops its engine before a fork, may wait for ever.)
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _classic_interface():
    """Every test starts and ends with MXNet's classic interface."""
    mx.npx.reset_np()
    yield
    mx.npx.reset_np()


@pytest.fixture(autouse=True)
def _silent_library():
    """Every test starts with the log levels of the library: a command in a test before may have raised them."""
    for name in ("d2ltl", "data_hub"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def draw(label, rng):
    """Return a synthetic image of random size: reddish stripes across (class 0) or bluish ones upright (class 1)."""
    height, width = rng.integers(40, 90, size=2)
    stripes = (np.arange(height)[:, None] if label == 0 else np.arange(width)[None, :]) // 6 % 2
    colours = rng.integers(0, 160, size=(2, 3)) + [(90, 0, 0), (0, 0, 90)][label]
    image = colours[np.broadcast_to(stripes, (height, width))] + rng.integers(-20, 20, size=(height, width, 3))
    return Image.fromarray(image.clip(0, 255).astype(np.uint8))


def write_images(root, per_class, classes=("across", "upright"), seed=0):
    """Write `per_class` synthetic JPEG files of each class into `root`."""
    rng = np.random.default_rng(seed)
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            draw(label % 2, rng).save(root / name / f"{i:03}.jpg", quality=90)
    return root


@pytest.fixture(scope="session")
def stripes(tmp_path_factory):
    """A folder of synthetic images in the book's layout: 2 × 20 to train, 2 × 10 to test. Read only."""
    root = tmp_path_factory.mktemp("stripes")
    write_images(root / "train", 20)
    write_images(root / "test", 10, seed=1)
    return root


class TinyNet(HybridBlock):
    """Three layers with weights: two convolutions, the second with batch normalisation, and a dense layer."""

    def __init__(self, classes, **options):
        super().__init__(**options)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(
                nn.Conv2D(8, 3, strides=2, padding=1, activation="relu", in_channels=3),
                nn.Conv2D(16, 3, strides=2, padding=1, in_channels=8),
                nn.BatchNorm(in_channels=16),
                nn.Activation("relu"),
                nn.GlobalAvgPool2D(),
                nn.Flatten(),
            )
            self.output = nn.Dense(classes, in_units=16)

    def hybrid_forward(self, F, x):
        return self.output(self.features(x))


zoos_get_model = vision.get_model
vision.get_model = lambda name, **options: TinyNet(**options) if name == "tiny" else zoos_get_model(name, **options)


def write_random_weights(name, file):
    """Write the parameters of a network of the zoo with 5 named classes and random weights."""
    mx.random.seed(0)
    net = vision.get_model(name, classes=5)
    net.initialize(mx.init.Xavier())
    net(mx.nd.zeros((1, 3, 32, 32)))
    net.save_parameters(os.fspath(file))
    file.with_suffix(".json").write_text(json.dumps(["hot dog", "pizza", "hot pot", "banana", ["n01", "sushi"]]))
    return file


@pytest.fixture(scope="session")
def source_file(tmp_path_factory):
    """The file of the network of three layers, which is called ``tiny``."""
    return write_random_weights("tiny", tmp_path_factory.mktemp("tiny") / "source.params")


@pytest.fixture(scope="session")
def resnet_file(tmp_path_factory):
    """The file of a resnet18_v2."""
    return write_random_weights("resnet18_v2", tmp_path_factory.mktemp("resnet") / "source.params")


@pytest.fixture(scope="session")
def small_source_file(tmp_path_factory):
    """The file of a mobilenet0.25, the smallest network that a command of its own process finds in the zoo."""
    return write_random_weights("mobilenet0.25", tmp_path_factory.mktemp("small") / "small.params")


@pytest.fixture
def source(source_file):
    """The network of three layers, loaded anew."""
    return d2ltl.source_net("tiny", source_file)


@pytest.fixture
def resnet(resnet_file):
    """The resnet18_v2, loaded anew."""
    return d2ltl.source_net("resnet18_v2", resnet_file)


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, as the full tier has it")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])  # root has no sandbox
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def tinyimagenet():
    """The model that comes with the library. Read only."""
    return d2ltl.source_net("resnet18_v2", "tinyimagenet")


@pytest.fixture(scope="session")
def rendered(tmp_path_factory):
    """The rendered images that come with the library, to train and to test. Read only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("D2LTL_DATA", str(tmp_path_factory.mktemp("cache")))
        return d2ltl.load_images("hotdog-mini")


def values(block):
    """Return copies of all parameters of a block, by name."""
    return {name: parameter.data().asnumpy().copy() for name, parameter in block.collect_params().items()}


def train_a_little(net, size=32, steps=2):
    """Take a few steps of gradient descent on random images of two classes."""
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    for _ in range(steps):
        with autograd.record():
            error = loss(net(mx.nd.random.normal(shape=(4, 3, size, size))), mx.nd.array([0, 1, 0, 1]))
        error.backward()
        trainer.step(4, ignore_stale_grad=True)
    mx.nd.waitall()
