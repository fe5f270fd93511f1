import mxnet as mx
import numpy as np
import pytest

import d2ltl
from d2ltl.data.batches import loader


def test_codes_are_the_output_of_the_features(stripes, source):
    images = d2ltl.load_images(stripes)[1]
    codes = d2ltl.extract_codes(source, images, size=32, batch_size=7)
    assert (codes.shape, codes.dtype) == ((20, 16), np.float32)
    assert codes.min() == 0  # after their ReLU
    outputs = codes @ source.output.weight.data().asnumpy().T + source.output.bias.data().asnumpy()
    probabilities, _ = d2ltl.predict(source, images, size=32)
    expected = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-3, atol=1e-6)


def test_features_that_end_in_a_map_are_averaged(stripes):
    net = d2ltl.scratch_net(2, "squeezenet1.1")
    assert d2ltl.extract_codes(net, stripes / "test").shape == (20, 512)


def test_codes_of_a_stage_are_the_mean_of_its_map(stripes, resnet):
    images = d2ltl.load_images(stripes)[1]
    X = next(iter(loader(images, d2ltl.test_augs(32), len(images))))[0]
    for stage, layers, channels in ((1, 4, 64), (4, 8, 256)):  # of net.features
        expected = X
        for layer in resnet.features[:layers]:
            expected = layer(expected)
        codes = d2ltl.extract_codes(resnet, images, stage, size=32, batch_size=7)
        assert (codes.shape, codes.dtype) == ((20, channels), np.float32)
        np.testing.assert_allclose(codes, expected.asnumpy().mean(axis=(2, 3)), rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(d2ltl.codes_by_stage(resnet, images, size=32)[stage - 1], codes, rtol=1e-4)
    last = d2ltl.extract_codes(resnet, images, 5, size=32)
    np.testing.assert_allclose(last, d2ltl.extract_codes(resnet, images, size=32), rtol=1e-3, atol=1e-5)


def test_dense_stages_have_codes_too(stripes):
    net = d2ltl.scratch_net(2, "alexnet")
    shapes = [codes.shape for codes in d2ltl.codes_by_stage(net, stripes / "test", size=96)]
    assert [*shapes[:2], *shapes[3:]] == [(20, 64), (20, 192), (20, 4096), (20, 4096)]


def test_the_np_interface_gives_the_same_codes(stripes, source_file):
    classic = d2ltl.codes_by_stage(d2ltl.source_net("tiny", source_file), stripes / "test", size=32)
    mx.npx.set_np()
    net = d2ltl.source_net("tiny", source_file)
    for ours, theirs in zip(d2ltl.codes_by_stage(net, stripes / "test", size=32), classic):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("stage", "problem"), [(0, "stage is 0; the first is 1"), (3, "has 2 stages; 3 of them")])
def test_a_stage_that_the_network_does_not_have_is_refused(stripes, source, stage, problem):
    with pytest.raises(d2ltl.SettingsError, match=problem):
        d2ltl.extract_codes(source, stripes / "test", stage, size=32)


def test_codes_of_data_with_two_parts_are_those_of_its_test_images(stripes, source):
    pair = d2ltl.load_images(stripes)
    expected = d2ltl.extract_codes(source, pair[1], size=32)
    for data in (stripes, pair):
        assert np.array_equal(d2ltl.extract_codes(source, data, size=32), expected)
