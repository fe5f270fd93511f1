import mxnet as mx
import numpy as np
import pytest
from conftest import values, write_images

import d2ltl
from d2ltl.loading import loader


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


def test_codes_of_a_stage_are_the_mean_of_its_map(stripes, source):
    images = d2ltl.load_images(stripes)[1]
    X = next(iter(loader(images, d2ltl.test_augs(32), len(images))))[0]
    for stage, layers, channels in ((1, 4, 64), (4, 8, 256)):  # of net.features
        expected = X
        for layer in source.features[:layers]:
            expected = layer(expected)
        codes = d2ltl.extract_codes(source, images, stage, size=32, batch_size=7)
        assert (codes.shape, codes.dtype) == ((20, channels), np.float32)
        np.testing.assert_allclose(codes, expected.asnumpy().mean(axis=(2, 3)), rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(d2ltl.codes_by_stage(source, images, size=32)[stage - 1], codes, rtol=1e-4)
    last = d2ltl.extract_codes(source, images, 5, size=32)
    np.testing.assert_allclose(last, d2ltl.extract_codes(source, images, size=32), rtol=1e-3, atol=1e-5)


def test_dense_stages_have_codes_too(stripes):
    net = d2ltl.scratch_net(2, "alexnet")
    shapes = [codes.shape for codes in d2ltl.codes_by_stage(net, stripes / "test", size=96)]
    assert [*shapes[:2], *shapes[3:]] == [(20, 64), (20, 192), (20, 4096), (20, 4096)]


def test_the_np_interface_gives_the_same_codes(stripes, source_file):
    classic = d2ltl.codes_by_stage(d2ltl.source_net("resnet18_v2", source_file), stripes / "test", size=32)
    mx.npx.set_np()
    net = d2ltl.source_net("resnet18_v2", source_file)
    for ours, theirs in zip(d2ltl.codes_by_stage(net, stripes / "test", size=32), classic):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


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
    for stage, problem in ((0, "stage is 0; the first is 1"), (6, "has 5 stages; 6 of them")):
        with pytest.raises(d2ltl.SettingsError, match=problem):
            d2ltl.extract_codes(source, stripes / "test", stage, size=32)


def test_the_network_must_have_an_output_and_an_image_for_each_class(stripes, source):
    train, test = d2ltl.load_images(stripes)
    with pytest.raises(d2ltl.NetworkError, match="5 outputs, but the images have 2 classes"):
        d2ltl.train_on_codes(source, data=stripes, size=32)
    with pytest.raises(d2ltl.ImageFolderError, match="has no image of upright to train"):
        d2ltl.train_on_codes(d2ltl.finetune_net(2, source), data=(train.subset(range(20)), test), size=32)
