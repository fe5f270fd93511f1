import numpy as np
import pytest
from conftest import values, write_images

import d2ltl


def test_codes_are_the_output_of_the_features(stripes, source):
    images = d2ltl.load_images(stripes)[1]
    codes = d2ltl.extract_codes(source, images, size=32, batch_size=7)
    assert (codes.shape, codes.dtype) == ((20, 512), np.float32)
    assert codes.min() == 0  # after their ReLU
    outputs = codes @ source.output.weight.data().asnumpy().T + source.output.bias.data().asnumpy()
    probabilities, _ = d2ltl.predict(source, images, size=32)
    expected = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-3, atol=1e-6)


def test_features_that_end_in_a_map_are_averaged(stripes):
    net = d2ltl.scratch_net(2, "squeezenet1.1")
    assert d2ltl.extract_codes(net, stripes / "test").shape == (20, 512)


@pytest.mark.parametrize("head", ["svm", "softmax"])
def test_a_head_becomes_the_output_layer_and_the_features_stay(stripes, source, head, capsys):
    net = d2ltl.finetune_net(2, source)
    before = values(net.features)
    history = d2ltl.train_on_codes(net, head, data=stripes, size=32, seed=0)
    assert capsys.readouterr().out == f"{history}\n"
    assert all(np.array_equal(value, before[name]) for name, value in values(net.features).items())

    train, test = d2ltl.load_images(stripes)
    classifier = d2ltl.linear_head(head).fit(d2ltl.extract_codes(net, train, size=32), train.labels)
    predicted = classifier.predict(d2ltl.extract_codes(net, test, size=32))
    probabilities, labels = d2ltl.predict(net, test, size=32)
    assert probabilities.argmax(axis=1).tolist() == predicted.tolist()
    (epoch,) = history.epochs
    assert epoch.test_acc == pytest.approx(np.mean(predicted == labels))
    assert epoch.train_acc >= 0.9
    assert epoch.test_loss == pytest.approx(d2ltl.evaluate(net, test, size=32)[0])
    if head == "softmax":
        expected = classifier.predict_proba(d2ltl.extract_codes(net, test, size=32))
        np.testing.assert_allclose(probabilities, expected, rtol=1e-2, atol=1e-4)


def test_more_than_two_classes(tmp_path, source):
    write_images(tmp_path, 10, classes=("a", "b", "c"))
    history = d2ltl.train_on_codes(d2ltl.finetune_net(3, source), "softmax", data=tmp_path, size=32)
    assert history.epochs[-1].train_acc > 0.5


def test_what_cannot_be_used_is_refused(stripes, source):
    with pytest.raises(d2ltl.SettingsError, match="no linear head 'magic'"):
        d2ltl.train_on_codes(d2ltl.finetune_net(2, source), "magic", data=stripes, size=32)
    with pytest.raises(d2ltl.NetworkError, match="not a dense layer"):
        d2ltl.train_on_codes(d2ltl.scratch_net(2, "squeezenet1.1"), data=stripes, size=64)
