import mxnet as mx
import numpy as np
import pytest
from conftest import train_a_little

import d2ltl
from d2ltl.arrays import to_mx
from d2ltl.models.outputs import for_inference
from d2ltl.models.parameters import parameters_of, set_value, value_of

BOTH = ["resnet18_v2", "mobilenet0.25", "efficientnet_lite0"]  # these run in both array interfaces
CLASSIC = ["squeezenet1.1", "mobilenetv2_0.25"]
FULL = [pytest.param(name, False, marks=pytest.mark.full) for name in ("vgg11_bn", "densenet121", "alexnet")]


def randomised(name):
    """Return an untrained network whose batch normalisation has statistics, scales and shifts of its own."""
    d2ltl.runtime.reseed(0)
    net = d2ltl.scratch_net(3, name)
    net(to_mx(np.zeros((1, 3, 224, 224), np.float32)))
    rng = np.random.default_rng(0)
    for parameter in parameters_of(net):
        if parameter.name.endswith(("gamma", "running_var")):
            set_value(parameter, rng.uniform(0.5, 1.5, parameter.shape))
        if parameter.name.endswith(("beta", "running_mean")):
            set_value(parameter, rng.uniform(-0.5, 0.5, parameter.shape))
    return net


def difference(net, X):
    """Return the largest difference between the outputs of a network and its fused outputs, relative to their size."""
    expected = net(X).asnumpy()
    return np.abs(for_inference([net], mx.cpu())(X).asnumpy() - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize(
    ("name", "np_interface"),
    [*((name, np) for name in BOTH for np in (False, True)), *((n, False) for n in CLASSIC), *FULL],
)
def test_a_fused_network_computes_the_same(name, np_interface):
    if np_interface:
        mx.npx.set_np()
    net = randomised(name)
    X = to_mx(np.random.default_rng(1).normal(size=(2, 3, 224, 224)).astype(np.float32))
    assert difference(net, X) < 1e-4


def test_parts_of_a_network_are_fused_one_by_one(resnet):
    X = mx.nd.random.normal(shape=(2, 3, 64, 64))
    codes = for_inference([resnet.features], mx.cpu())(X)
    np.testing.assert_allclose(codes.asnumpy(), resnet.features(X).asnumpy(), rtol=1e-4, atol=1e-4)
    first = for_inference(resnet.features[:4], mx.cpu())(X)
    np.testing.assert_allclose(first.asnumpy(), resnet.features[:4](X).asnumpy(), rtol=1e-4, atol=1e-4)


def test_a_network_can_be_trained_after_it_was_evaluated(resnet, stripes):
    """Its layers are as they were, and the next evaluation is of the trained network."""
    net = d2ltl.finetune_net(2, resnet)
    before, _ = d2ltl.predict(net, stripes, size=32)
    train_a_little(net)
    after, _ = d2ltl.predict(net, stripes, size=32)
    assert np.abs(after - before).max() > 1e-3
    X = mx.nd.random.normal(shape=(2, 3, 32, 32))
    assert difference(net, X) < 1e-4


def test_weights_can_be_read_while_a_network_runs(resnet):
    """MXNet changes the layout of weights during the first pass, and a copy made meanwhile would be torn."""
    weights = [value_of(parameter) for parameter in parameters_of(resnet.features)]
    for _ in range(3):
        copy = d2ltl.finetune_net(2, resnet)
        copy(mx.nd.zeros((1, 3, 224, 224)))
        for parameter, expected in zip(parameters_of(copy.features), weights):
            assert np.array_equal(value_of(parameter), expected)
