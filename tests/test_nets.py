import re

import mxnet as mx
import numpy as np
import pytest
from conftest import values
from mxnet import autograd
from mxnet.gluon import nn

import d2ltl
from d2ltl import nets, zoo

ZOO = ["resnet18_v2", "squeezenet1.1", "vgg16", "mobilenetv2_1.0", "densenet121"]


def source_model(name, classes=4):
    net = zoo.build_net(name, classes=classes)
    net.initialize(mx.init.Xavier())
    net(mx.nd.zeros((1, 3, 224, 224)))
    return net


def train_a_little(net, size=32, steps=2):
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    for _ in range(steps):
        with autograd.record():
            error = loss(net(mx.nd.random.normal(shape=(4, 3, size, size))), mx.nd.array([0, 1, 0, 1]))
        error.backward()
        trainer.step(4, ignore_stale_grad=True)
    mx.nd.waitall()


@pytest.mark.parametrize("name", [*ZOO, pytest.param("mobilenetv3_small", id="gluoncv")])
def test_the_features_are_the_sources_and_the_output_is_new(name):
    if name == "mobilenetv3_small":
        pytest.importorskip("gluoncv")
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
    bound = np.sqrt(3 / ((512 + 2) / 2))  # of Gluon's Xavier: uniform, average of fan in and fan out, magnitude 3
    assert 0.9 * bound < np.abs(weight).max() <= bound


def test_scratch_differs_from_the_source(source):
    net = d2ltl.scratch_net(2)
    assert net(mx.nd.zeros((1, 3, 64, 64))).shape == (1, 2)
    assert not np.array_equal(net.features[1].weight.data().asnumpy(), source.features[1].weight.data().asnumpy())
    assert {p.lr_mult for p in net.collect_params().values()} == {1}


def test_a_net_from_elsewhere_and_one_class_are_refused(source):
    with pytest.raises(d2ltl.NetworkError, match="source_net"):
        d2ltl.finetune_net(2, mx.gluon.model_zoo.vision.resnet18_v2())
    with pytest.raises(d2ltl.SettingsError, match="classes is 1"):
        d2ltl.finetune_net(1, source)


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


def test_the_image_is_the_same_in_training_and_test(source):
    """MXNet never moves the running statistics of the first layer, so training by those of a batch would differ."""
    white_on_black = 2.5 * mx.nd.random.uniform(shape=(4, 3, 32, 32)).round() - 2
    for net in (d2ltl.finetune_net(2, source), d2ltl.scratch_net(2)):
        with autograd.train_mode():
            training = net.features[0](white_on_black).asnumpy()
        assert np.allclose(net.features[0](white_on_black).asnumpy(), training, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "number"),
    [("resnet18_v2", 5), ("squeezenet1.1", 4), ("vgg16", 7), ("mobilenetv2_1.0", 5), ("densenet121", 5),
     ("inceptionv3", 7)],
)  # fmt: skip
def test_stages_hold_every_layer_once(name, number):
    net = zoo.build_net(name, classes=2)
    groups = nets.stages(net)
    assert len(groups) == number
    assert [layer for group in groups for layer in group] == list(net.features)


def test_the_stages_of_a_resnet_are_the_papers():
    net = zoo.build_net("resnet18_v2", classes=2)
    blocks = [[layer.name for layer in group if isinstance(layer, nn.HybridSequential)] for group in nets.stages(net)]
    assert blocks[0] == []
    assert [name[-6:] for (name,) in blocks[1:]] == ["stage1", "stage2", "stage3", "stage4"]


@pytest.mark.parametrize("k", [0, 2, 5])
def test_the_first_stages_are_frozen(source, k):
    net = d2ltl.finetune_net(2, source)
    d2ltl.freeze_stages(net, k)
    for i, group in enumerate(nets.stages(net)):
        requests = {p.grad_req for layer in group for p in layer.collect_params().values() if p.name.endswith("weight")}
        assert requests == {"null" if i < k else "write"}
    assert net.output.weight.grad_req == "write"


@pytest.mark.parametrize("k", [0, 2, 5])
def test_what_follows_the_kept_stages_is_initialised_anew(source, k):
    net = d2ltl.finetune_net(2, source)
    before = values(net)
    d2ltl.reinitialize_stages(net, k)
    after = values(net)
    for i, group in enumerate([*nets.stages(net), [net.output]]):
        weights = {p for layer in group for p in layer.collect_params().values() if p.name.endswith("weight")}
        assert {np.array_equal(before[p.name], after[p.name]) for p in weights} == {i < k}
        assert {p.lr_mult for p in weights} == {1 if i < k else 10}
    assert all(np.array_equal(a, b) for a, b in zip(values(source).values(), before.values()) if a.shape == b.shape)
    train_a_little(net)
    assert all(np.isfinite(value).all() for value in values(net).values())


def test_more_stages_than_there_are_is_an_error(source):
    with pytest.raises(d2ltl.SettingsError, match="has 5 stages; 6 of them"):
        d2ltl.reinitialize_stages(d2ltl.finetune_net(2, source), 6)
    with pytest.raises(d2ltl.SettingsError, match="has 5 stages; 6 of them"):
        d2ltl.freeze_stages(d2ltl.finetune_net(2, source), 6)


def moved_by_a_step(net):
    """Return the names of the parameters, without the network's prefix, that one step of training changes."""
    net.hybridize()
    net(mx.nd.zeros((1, 3, 32, 32)))
    before = values(net)
    train_a_little(net, steps=1)
    return {name[len(net.prefix) :] for name, value in values(net).items() if not np.array_equal(value, before[name])}


def test_of_a_vgg16_the_last_three_layers_are_the_dense_ones():
    source = zoo.build_net("vgg16", classes=4)
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
def test_of_a_resnet_the_last_layers_are_trained(source, trained, weights):
    net = d2ltl.finetune_net(2, source)
    d2ltl.freeze_layers(net, trained, batch_norm="fixed")
    moved = moved_by_a_step(net)
    assert {name for name in moved if name.endswith("weight")} == weights
    # Those that follow the first trained layer; with "fixed", the statistics of the others stay too
    normalised = {re.sub(r"_(gamma|beta|running_\w+)$", "", name) for name in moved if "batchnorm" in name}
    assert normalised == ({"stage4_batchnorm3", "batchnorm2"} if trained == 3 else set())


@pytest.mark.parametrize("trained", [0, 22])
def test_layers_that_the_network_does_not_have_are_an_error(source, trained):
    with pytest.raises(d2ltl.SettingsError, match=f"trained is {trained}; .* has 21 layers"):
        d2ltl.freeze_layers(d2ltl.finetune_net(2, source), trained)


def test_the_row_of_a_class_is_that_of_the_books_split(source):
    rows = np.split(source.output.weight.data().asnumpy(), 5, axis=0)
    assert np.array_equal(d2ltl.class_row(source, 3), rows[3])
    assert np.array_equal(d2ltl.class_row(source, "Hot Dog"), rows[0])
    assert np.array_equal(d2ltl.class_row(source, "pizz"), rows[1])
    assert d2ltl.class_row(source, 0).shape == (1, 512)


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


@pytest.mark.parametrize(
    ("name", "size", "smallest"), [("squeezenet1.1", 96, 209), ("densenet121", 96, 221), ("alexnet", 32, 63)]
)
def test_a_size_too_small_names_the_smallest(name, size, smallest):
    with pytest.raises(d2ltl.NetworkError, match=f"{size} × {size} pixels; the smallest size it can run is {smallest}"):
        nets.check_input(zoo.build_net(name, classes=2), size, 2)
    nets.check_input(zoo.build_net(name, classes=2), smallest, 2)


def test_the_number_of_outputs_must_be_that_of_the_classes(source):
    with pytest.raises(d2ltl.NetworkError, match="5 outputs, but the images have 2 classes"):
        nets.check_input(source, 64, 2)


@pytest.mark.parametrize("name", ["squeezenet1.1", "mobilenetv2_1.0", "densenet121", "inceptionv3"])
def test_what_the_np_interface_cannot_run_is_refused_with_the_remedy(name):
    mx.npx.set_np()
    with pytest.raises(d2ltl.NetworkError, match="npx.reset_np"):
        nets.check_input(zoo.build_net(name, classes=2), 299, 2)
