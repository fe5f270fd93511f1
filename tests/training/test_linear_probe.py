import mxnet as mx
import numpy as np
import pytest
from conftest import values, write_images

import d2ltl


@pytest.mark.parametrize("head", ["svm", "softmax"])
def test_a_head_becomes_the_output_layer_and_the_features_stay(stripes, source, head, capsys):
    net = d2ltl.finetune_net(2, source)
    before = values(net.features)
    history = d2ltl.train_on_codes(net, head, data=stripes, size=32, seed=0)
    assert capsys.readouterr().out == f"{history}\n"
    assert d2ltl.train_on_codes(d2ltl.finetune_net(2, source), head, data=stripes, size=32, verbose=False).epochs
    assert capsys.readouterr().out == ""
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


def test_the_network_must_have_an_output_and_an_image_for_each_class(stripes, source):
    train, test = d2ltl.load_images(stripes)
    with pytest.raises(d2ltl.NetworkError, match="5 outputs, but the images have 2 classes"):
        d2ltl.train_on_codes(source, data=stripes, size=32)
    with pytest.raises(d2ltl.ImageFolderError, match="has no image of upright to train"):
        d2ltl.train_on_codes(d2ltl.finetune_net(2, source), data=(train.subset(range(20)), test), size=32)


def test_accuracy_by_labels_takes_what_every_function_takes_as_data(stripes, source):
    def describe(images):
        return d2ltl.extract_codes(source, images, size=32)

    train, test = (mx.gluon.data.vision.ImageFolderDataset(str(stripes / part)) for part in ("train", "test"))
    expected = d2ltl.accuracy_by_labels(describe, stripes, (2, 10))
    assert len(expected) == 2
    assert all(0 <= accuracy <= 1 for accuracy in expected)
    assert d2ltl.accuracy_by_labels(describe, (train, test), (2, 10)) == expected  # Gluon's own data sets
    with pytest.raises(d2ltl.SettingsError, match="per_class is 1"):
        d2ltl.accuracy_by_labels(describe, stripes, (1, 10))
    with pytest.raises(d2ltl.ImageFolderError, match="has 20 images of across; 21 are needed"):
        d2ltl.accuracy_by_labels(describe, stripes, (21,))
