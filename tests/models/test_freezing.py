import re

import mxnet as mx
import numpy as np
import pytest
from conftest import train_a_little, values
from mxnet import autograd
from mxnet.gluon import nn

import d2ltl
from d2ltl.models.freezing import stages
from d2ltl.models.sources import build_net


def test_frozen_parameters_do_not_move(source):
    net = d2ltl.finetune_net(2, source)
    d2ltl.freeze(net.features)
    net.hybridize()
    net(mx.nd.zeros((1, 3, 32, 32)))
    before = values(net)
    train_a_little(net)
    after = values(net)
    moved = {name for name in after if not np.array_equal(after[name], before[name])}
    assert moved == set(net.output.collect_params())


def test_the_books_frozen_features_differ_between_training_and_test(source):
    x = mx.nd.random.normal(shape=(4, 3, 64, 64))

    def difference(batch_norm):
        net = d2ltl.finetune_net(2, source)
        net.hybridize()
        net(x)  # compiled before it is frozen
        d2ltl.freeze(net.features, batch_norm)
        with autograd.train_mode():
            training = net.features(x).asnumpy()
        return np.abs(training - net.features(x).asnumpy()).max()

    assert difference("book") > 0.1
    assert difference("fixed") < 1e-5
    with pytest.raises(d2ltl.SettingsError, match="'book' or 'fixed'"):
        difference("half")


def test_the_image_is_the_same_in_training_and_test(resnet):
    """MXNet never moves the running statistics of the first layer, so training by those of a batch would differ."""
    white_on_black = 2.5 * mx.nd.random.uniform(shape=(4, 3, 32, 32)).round() - 2
    for net in (d2ltl.finetune_net(2, resnet), d2ltl.scratch_net(2)):
        with autograd.train_mode():
            training = net.features[0](white_on_black).asnumpy()
        assert np.allclose(net.features[0](white_on_black).asnumpy(), training, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "number"),
    [("resnet18_v2", 5), ("squeezenet1.1", 4), ("vgg16", 7), ("mobilenetv2_1.0", 5), ("densenet121", 5),
     ("inceptionv3", 7)],
)  # fmt: skip
def test_stages_hold_every_layer_once(name, number):
    net = build_net(name, classes=2)
    groups = stages(net)
    assert len(groups) == number
    assert [layer for group in groups for layer in group] == list(net.features)


def test_the_stages_of_a_resnet_are_the_papers():
    net = build_net("resnet18_v2", classes=2)
    blocks = [[layer.name for layer in group if isinstance(layer, nn.HybridSequential)] for group in stages(net)]
    assert blocks[0] == []
    assert [name[-6:] for (name,) in blocks[1:]] == ["stage1", "stage2", "stage3", "stage4"]


@pytest.mark.parametrize("k", [0, 2, 5])
def test_the_first_stages_are_frozen(resnet, k):
    net = d2ltl.finetune_net(2, resnet)
    d2ltl.freeze_stages(net, k)
    for i, group in enumerate(stages(net)):
        requests = {p.grad_req for layer in group for p in layer.collect_params().values() if p.name.endswith("weight")}
        assert requests == {"null" if i < k else "write"}
    assert net.output.weight.grad_req == "write"


@pytest.mark.parametrize("k", [0, 2, 5])
def test_what_follows_the_kept_stages_is_initialised_anew(resnet, k):
    net = d2ltl.finetune_net(2, resnet)
    before = values(net)
    d2ltl.reinitialize_stages(net, k)
    after = values(net)
    for i, group in enumerate([*stages(net), [net.output]]):
        weights = {p for layer in group for p in layer.collect_params().values() if p.name.endswith("weight")}
        assert {np.array_equal(before[p.name], after[p.name]) for p in weights} == {i < k}
        assert {p.lr_mult for p in weights} == {1 if i < k else 10}
    assert all(np.array_equal(a, b) for a, b in zip(values(resnet).values(), before.values()) if a.shape == b.shape)
    train_a_little(net)
    assert all(np.isfinite(value).all() for value in values(net).values())


def test_early_stages_learn_more_slowly(resnet):
    net = d2ltl.finetune_net(2, resnet)
    d2ltl.decay_rates(net, 0.5)
    factors = [{p.lr_mult for layer in layers for p in layer.collect_params().values()} for layers in stages(net)]
    assert factors == [{0.5**depth} for depth in (5, 4, 3, 2, 1)]
    assert {p.lr_mult for p in net.output.collect_params().values()} == {1}
    for factor in (0, 1.1):
        with pytest.raises(d2ltl.SettingsError, match=f"factor is {factor}"):
            d2ltl.decay_rates(net, factor)


def test_running_statistics_can_stay_while_the_scales_are_trained(source):
    net = d2ltl.finetune_net(2, source)
    d2ltl.use_running_statistics(net)
    before = values(net)
    train_a_little(net)
    after = values(net)
    moved = {name for name in after if not np.array_equal(after[name], before[name])}
    assert moved == {name for name in after if "running" not in name}


def test_more_stages_than_there_are_is_an_error(source):
    with pytest.raises(d2ltl.SettingsError, match="has 2 stages; 3 of them"):
        d2ltl.reinitialize_stages(d2ltl.finetune_net(2, source), 3)
    with pytest.raises(d2ltl.SettingsError, match="has 2 stages; 3 of them"):
        d2ltl.freeze_stages(d2ltl.finetune_net(2, source), 3)


def moved_by_a_step(net):
    """Return the names of the parameters, without the network's prefix, that one step of training changes."""
    net.hybridize()
    net(mx.nd.zeros((1, 3, 32, 32)))
    before = values(net)
    train_a_little(net, steps=1)
    return {name[len(net.prefix) :] for name, value in values(net).items() if not np.array_equal(value, before[name])}


@pytest.mark.full
def test_of_a_vgg16_the_last_three_layers_are_the_dense_ones():
    source = build_net("vgg16", classes=4)
    source.initialize(mx.init.Xavier())
    source(mx.nd.zeros((1, 3, 32, 32)))
    net = d2ltl.finetune_net(3, source)
    d2ltl.freeze_layers(net, 3)
    trained = {f"dense{i}_{kind}" for i in range(3) for kind in ("weight", "bias")}
    assert moved_by_a_step(net) == trained
    assert len(values(net)) == 2 * 13 + len(trained)


@pytest.mark.parametrize(
    ("trained", "weights"),
    [
        (1, {"dense0_weight"}),
        (3, {"dense0_weight", "stage4_conv3_weight", "stage4_conv4_weight"}),
    ],
)
def test_of_a_resnet_the_last_layers_are_trained(resnet, trained, weights):
    net = d2ltl.finetune_net(2, resnet)
    d2ltl.freeze_layers(net, trained, batch_norm="fixed")
    moved = moved_by_a_step(net)
    assert {name for name in moved if name.endswith("weight")} == weights
    # Those that follow the first trained layer; with "fixed", the statistics of the others stay too
    normalised = {re.sub(r"_(gamma|beta|running_\w+)$", "", name) for name in moved if "batchnorm" in name}
    assert normalised == ({"stage4_batchnorm3", "batchnorm2"} if trained == 3 else set())


@pytest.mark.parametrize("trained", [0, 22])
def test_layers_that_the_network_does_not_have_are_an_error(resnet, trained):
    with pytest.raises(d2ltl.SettingsError, match=f"trained is {trained}; .* has 21 layers"):
        d2ltl.freeze_layers(d2ltl.finetune_net(2, resnet), trained)
