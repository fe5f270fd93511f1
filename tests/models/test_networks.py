import mxnet as mx
import numpy as np
import pytest
from conftest import train_a_little, values

import d2ltl
from d2ltl.models.sources import build_net

ZOO = ["resnet18_v2", "squeezenet1.1", "mobilenetv2_1.0", "densenet121"]
FULL = [
    pytest.param(name, marks=pytest.mark.full) for name in ("alexnet", "mobilenetv3_small")
]  # the latter: GluonCV's


def source_model(name, classes=4):
    net = build_net(name, classes=classes)
    net.initialize(mx.init.Xavier())
    net(mx.nd.zeros((1, 3, 224, 224)))
    return net


@pytest.mark.parametrize("name", [*ZOO, *FULL])
def test_the_features_are_the_sources_and_the_output_is_new(name):
    source = source_model(name)
    net = d2ltl.finetune_net(3, source)
    for ours, theirs in zip(values(net.features).values(), values(source.features).values()):
        assert np.array_equal(ours, theirs)
    x = mx.nd.random.normal(shape=(2, 3, 224, 224))
    np.testing.assert_allclose(net.features(x).asnumpy(), source.features(x).asnumpy(), rtol=1e-4, atol=1e-5)
    assert net(x).shape == (2, 3)
    assert {p.lr_mult for p in net.output.collect_params().values()} == {10}
    assert {p.lr_mult for p in net.features.collect_params().values()} == {1}


def test_training_the_copy_leaves_the_source_alone(source):
    before = values(source)
    train_a_little(d2ltl.finetune_net(2, source))
    for name, value in values(source).items():
        assert np.array_equal(value, before[name]), name


def test_each_copy_starts_from_the_source(source):
    first = d2ltl.finetune_net(2, source)
    train_a_little(first)
    second = d2ltl.finetune_net(2, source)
    changed = [np.abs(a - b).max() for a, b in zip(values(first.features).values(), values(second.features).values())]
    assert max(changed) > 0
    for ours, theirs in zip(values(second.features).values(), values(source.features).values()):
        assert np.array_equal(ours, theirs)


def test_the_output_is_xavier_initialised(source):
    weight = d2ltl.finetune_net(2, source).output.weight.data().asnumpy()
    bound = np.sqrt(3 / ((16 + 2) / 2))  # of Gluon's Xavier: uniform, average of fan in and fan out, magnitude 3
    assert 0.9 * bound < np.abs(weight).max() <= bound


def test_scratch_differs_from_the_source(resnet):
    net = d2ltl.scratch_net(2)
    assert net(mx.nd.zeros((1, 3, 64, 64))).shape == (1, 2)
    assert not np.array_equal(net.features[1].weight.data().asnumpy(), resnet.features[1].weight.data().asnumpy())
    assert {p.lr_mult for p in net.collect_params().values()} == {1}


def test_a_net_from_elsewhere_and_one_class_are_refused(source):
    with pytest.raises(d2ltl.NetworkError, match="source_net"):
        d2ltl.finetune_net(2, mx.gluon.model_zoo.vision.resnet18_v2())
    with pytest.raises(d2ltl.NetworkError, match="source is 2; it is a source model"):
        d2ltl.finetune_net(source, 2)
    with pytest.raises(d2ltl.SettingsError, match="classes is 1"):
        d2ltl.finetune_net(1, source)


def test_the_row_of_a_class_is_that_of_the_books_split(source):
    rows = np.split(source.output.weight.data().asnumpy(), 5, axis=0)
    assert np.array_equal(d2ltl.class_row(source, 3), rows[3])
    assert np.array_equal(d2ltl.class_row(source, "Hot Dog"), rows[0])
    assert np.array_equal(d2ltl.class_row(source, "pizz"), rows[1])
    assert d2ltl.class_row(source, 0).shape == (1, 16)


def test_a_convolution_has_rows_too():
    assert d2ltl.class_row(source_model("squeezenet1.1"), 2).shape == (1, 512)


@pytest.mark.parametrize(
    ("which", "problem"),
    [
        (5, "no class 5; .* 0 to 4"),
        (-1, "no class -1"),
        ("kebab", "No class .* 'kebab'"),
        ("hot", "0 .hot dog., 2 .hot pot."),
    ],
)
def test_a_class_that_cannot_be_told_is_an_error(source, which, problem):
    with pytest.raises(d2ltl.SettingsError, match=problem):
        d2ltl.class_row(source, which)
