"""Images and models that the tests share: made here, or real where some lie beside the project."""

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import json
import os
import signal
import zipfile
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from PIL import Image

from d2ltl.data import ImageFolder

# A shell's background jobs ignore Ctrl-C, and the processes that tests start would. (Not by preexec_fn: with it Popen
# forks, and MXNet, which stops its engine before a fork, may wait for ever.)
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def _classic_interface():
    """Every test starts and ends with MXNet's classic interface."""
    mx.npx.reset_np()
    yield
    mx.npx.reset_np()


@pytest.fixture(scope="session")
def shared():
    """The folder of real photographs and real weights; tests that need it are skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("there is no folder of real photographs and weights beside the project")
    return SHARED


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


def write_random_weights(name, file):
    """Write the parameters of a network of the zoo, 5 classes, random weights."""
    mx.random.seed(0)
    net = mx.gluon.model_zoo.vision.get_model(name, classes=5)
    net.initialize(mx.init.Xavier())
    net(mx.nd.zeros((1, 3, 32, 32)))
    net.save_parameters(os.fspath(file))
    return file


@pytest.fixture(scope="session")
def source_file(tmp_path_factory):
    """The file of a resnet18_v2 with named classes and random weights."""
    file = write_random_weights("resnet18_v2", tmp_path_factory.mktemp("source") / "source.params")
    file.with_suffix(".json").write_text(json.dumps(["hot dog", "pizza", "hot pot", "banana", ["n01", "sushi"]]))
    return file


@pytest.fixture(scope="session")
def small_source_file(tmp_path_factory):
    """The file of a mobilenet0.25, which trains quicker, with random weights."""
    return write_random_weights("mobilenet0.25", tmp_path_factory.mktemp("small") / "small.params")


@pytest.fixture
def source(source_file):
    """That model, loaded anew."""
    return d2ltl.source_net("resnet18_v2", source_file)


def values(block):
    """Return copies of all parameters of a block, by name."""
    return {name: parameter.data().asnumpy().copy() for name, parameter in block.collect_params().items()}


@pytest.fixture(scope="session")
def photographs(shared, tmp_path_factory):
    """Real photographs of hot dogs and of other food: 60 of each, from the test part."""
    folder = tmp_path_factory.mktemp("photographs")
    with zipfile.ZipFile(shared / "data/hotdog.zip") as archive:
        for name in ("hotdog", "not-hotdog"):
            archive.extractall(folder, [f"hotdog/test/{name}/{i:04}.jpg" for i in range(60)])
    return ImageFolder(folder / "hotdog/test")
