import math

import mxnet as mx
import numpy as np
import psutil
import pytest
from conftest import values
from mxnet import gluon

import d2ltl
from d2ltl import runtime
from d2ltl.models.outputs import set_up
from d2ltl.training.fine_tuning import losses_by, train_on_batches
from d2ltl.training.loop import sgd


def train(stripes, source, **options):
    runtime.reseed(options.get("seed", 0))
    net = d2ltl.finetune_net(2, source)
    arguments = {"batch_size": 8, "num_epochs": 2, "size": 32, "data": stripes, **options}
    return net, d2ltl.train_fine_tuning(net, 0.002, **arguments)


def outcome(history):
    return [(e.loss, e.train_acc, e.test_loss, e.test_acc) for e in history.epochs]


def test_it_learns_and_prints_the_books_two_lines(stripes, source, capsys):
    _, history = train(stripes, source, num_epochs=6)
    assert history.epochs[-1].loss < history.epochs[0].loss
    assert history.epochs[-1].test_acc >= 0.8
    assert capsys.readouterr().out == f"{history}\n"
    assert history.devices == ["cpu(0)"]


def test_the_loss_on_test_images_is_that_of_the_network(stripes, source):
    net, history = train(stripes, source)
    loss, accuracy, _ = d2ltl.evaluate(net, stripes / "test", size=32)
    last = history.epochs[-1]
    assert (last.test_loss, last.test_acc) == (pytest.approx(loss, rel=1e-5), accuracy)


def test_the_history_counts_images_and_time(stripes, source):
    _, history = train(stripes, source)
    assert [epoch.epoch for epoch in history.epochs] == [1, 2]
    for epoch in history.epochs:
        assert epoch.examples_per_s * epoch.seconds == pytest.approx(40)
        assert 0 <= epoch.train_acc <= 1
        assert (epoch.test_acc * 20) == pytest.approx(round(epoch.test_acc * 20))


def test_whole_batches_train_as_image_by_image_would(stripes, source):
    augs = d2ltl.train_augs(32)
    _, whole = train(stripes, source, num_epochs=3)
    _, by_image = train(stripes, source, num_epochs=3, train_augs=lambda image: augs(image))
    np.testing.assert_allclose(np.array(outcome(whole)), np.array(outcome(by_image)), rtol=1e-4)


def test_one_seed_gives_the_same_curves_and_another_others(stripes, source):
    assert outcome(train(stripes, source)[1]) == outcome(train(stripes, source)[1])
    assert outcome(train(stripes, source)[1]) != outcome(train(stripes, source, seed=1)[1])


def test_a_resumed_run_ends_as_an_undisturbed_one(stripes, source, tmp_path):
    class PowerCut(Exception):
        pass

    def cut(history):
        if len(history) == 2:
            raise PowerCut

    net, whole = train(stripes, source, num_epochs=4)
    with pytest.raises(PowerCut):
        train(stripes, source, num_epochs=4, checkpoint=tmp_path / "run", callbacks=[cut])
    resumed_net, resumed = train(stripes, source, num_epochs=4, checkpoint=tmp_path / "run")
    assert outcome(resumed) == outcome(whole)
    for ours, theirs in zip(values(resumed_net).values(), values(net).values()):
        assert np.array_equal(ours, theirs)
    assert [file.name for file in tmp_path.iterdir()] == ["run"]


def test_callbacks_see_the_history_grow(stripes, source):
    lengths = []
    train(stripes, source, callbacks=[lambda history: lengths.append(len(history))])
    assert lengths == [1, 2]


def test_the_folder_and_the_pair_are_the_same_data(stripes, source):
    assert outcome(train(stripes, source)[1]) == outcome(train(d2ltl.load_images(stripes), source)[1])


def test_augmentations_can_be_given(stripes, source):
    _, plain = train(stripes, source, train_augs=d2ltl.test_augs(32))
    assert outcome(plain) != outcome(train(stripes, source)[1])


def test_a_trained_network_keeps_no_memory_of_its_training(stripes, source):
    """The maps of one step take about 70 MB, the parameters next to nothing."""

    def megabytes():
        return psutil.Process().memory_info().rss / 2**20

    kept = [train(stripes, source, size=224, batch_size=40, num_epochs=1)[0]]
    before = megabytes()
    kept += [train(stripes, source, size=224, batch_size=40, num_epochs=1)[0] for _ in range(4)]
    assert megabytes() - before < 100


def test_several_devices_share_each_batch(stripes, source):
    devices = [mx.cpu(0), mx.cpu(1)]  # two devices to MXNet, which computes on the same processors
    _, history = train(stripes, source, devices=devices, batch_size=13)
    assert history.devices == ["cpu(0)", "cpu(1)"]
    assert all(math.isfinite(epoch.loss) for epoch in history.epochs)


@pytest.mark.parametrize("max_norm", [math.inf, 1e6])
def test_a_device_without_images_adds_nothing(stripes, source, max_norm):
    """The book's loaders may leave a last batch of one image, here for two devices."""

    def trained(devices):
        runtime.reseed(0)
        net = d2ltl.finetune_net(2, source)
        d2ltl.freeze(net.features, "fixed")  # batch statistics would differ between one device and two
        set_up(net, devices)
        images = [part.transform_first(d2ltl.test_augs(32)) for part in d2ltl.load_images(stripes)]
        batches = [gluon.data.DataLoader(part, 13) for part in images]
        assert len(images[0]) % 13 == 1
        loss = gluon.loss.SoftmaxCrossEntropyLoss()
        trainer = sgd(net, 0.002, clipped=math.isfinite(max_norm))
        train_on_batches(net, losses_by(net, loss), *batches, trainer, 1, devices, max_norm=max_norm, verbose=False)
        copies = [net.output.weight.data(device).asnumpy() for device in devices]
        assert all(np.array_equal(copy, copies[0]) for copy in copies)
        return copies[0]

    np.testing.assert_allclose(trained([mx.cpu(0), mx.cpu(1)]), trained([mx.cpu(0)]), rtol=1e-4, atol=1e-6)


def test_the_last_step_may_diverge_too(stripes):
    net = mx.gluon.nn.HybridSequential()  # no batch normalisation to hide huge weights
    net.add(mx.gluon.nn.GlobalAvgPool2D(), mx.gluon.nn.Dense(4), mx.gluon.nn.Dense(2))
    net.initialize(mx.init.Xavier())
    with pytest.raises(d2ltl.DivergenceError, match="epoch 1, batch 1"):
        d2ltl.train_fine_tuning(net, 1e30, 64, 1, data=stripes, size=32)


def test_a_batch_may_be_larger_than_the_data(stripes, source):
    _, history = train(stripes, source, batch_size=1000)
    assert history.epochs[0].seconds > 0


def test_it_trains_under_the_np_interface(stripes, source_file):
    mx.npx.set_np()
    net, history = train(stripes, d2ltl.source_net("tiny", source_file))
    assert history.epochs[-1].loss < 2
    _, accuracy, _ = d2ltl.evaluate(net, stripes / "test", size=32)
    assert accuracy == history.epochs[-1].test_acc


def test_the_rate_of_a_cosine_schedule_rises_and_falls(source):
    rates = []
    trainer = sgd(source, 0.1, cosine_steps=100)
    for step in range(1, 101):
        trainer._optimizer.num_update = step
        rates.append(trainer.learning_rate)
    np.testing.assert_allclose(rates[:10], np.linspace(0.01, 0.1, 10), atol=1e-12)
    np.testing.assert_allclose(rates[9:], 0.05 * (1 + np.cos(np.pi * np.arange(91) / 91)), atol=1e-9)
    assert rates[-1] > 0


def test_momentum_and_schedule_change_the_training(stripes, source):
    curves = {
        str(options): train(stripes, source, **options)[1].curve("loss")
        for options in ({}, {"momentum": 0.9}, {"schedule": "cosine"})
    }
    assert len({tuple(curve) for curve in curves.values()}) == 3


def test_an_infinite_loss_names_epoch_batch_and_learning_rate(stripes, source):
    with pytest.raises(d2ltl.DivergenceError, match=r"at epoch \d, batch \d, learning rate 1e\+30"):
        d2ltl.train_fine_tuning(d2ltl.finetune_net(2, source), 1e30, 8, 3, data=stripes, size=32)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"learning_rate": -0.1}, "learning_rate is -0.1"),
        ({"learning_rate": math.nan}, "learning_rate is nan"),
        ({"momentum": 1}, "momentum is 1"),
        ({"schedule": "stairs"}, "schedule is 'stairs'"),
        ({"num_epochs": 0}, "num_epochs is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"size": 0}, "size is 0"),
        ({"devices": [mx.gpu(63)]}, "no gpu.63.: MXNet sees"),
    ],
)
def test_what_makes_no_sense_is_refused(stripes, source, options, problem):
    net = d2ltl.finetune_net(2, source)
    arguments = {"learning_rate": 0.01, "num_epochs": 1, "data": stripes, "size": 32, **options}
    with pytest.raises(d2ltl.D2LTLError, match=problem):
        d2ltl.train_fine_tuning(net, **arguments)


@pytest.mark.parametrize("np_interface", [False, True])
def test_balance_weighs_the_losses_like_scikit_learn(stripes, source_file, np_interface):
    train, test = d2ltl.load_images(stripes)
    few = d2ltl.imbalanced(train, 4, "across")  # 5 and 20
    weights = np.array([25 / (2 * 5), 25 / (2 * 20)], np.float32)
    cross_entropy = mx.gluon.loss.SoftmaxCrossEntropyLoss()

    def by_hand(outputs, y):
        return (
            cross_entropy(outputs, y) * mx.np.array(weights)[y.astype("int32")]
            if np_interface
            else (cross_entropy(outputs, y) * mx.nd.array(weights).take(y))
        )

    options = {"batch_size": 10, "num_epochs": 2, "data": (few, test), "size": 32, "verbose": False}
    with mx.util.np_shape(np_interface), mx.util.np_array(np_interface):
        losses = []
        for how in ({"balance": True}, {"loss": by_hand}):
            mx.random.seed(0)
            net = d2ltl.finetune_net(2, d2ltl.source_net("tiny", source_file))
            losses.append(d2ltl.train_fine_tuning(net, 0.01, **how, **options).curve("loss"))
    assert losses[0] == pytest.approx(losses[1])


def test_a_checkpoint_remembers_the_balance(stripes, source, tmp_path):
    options = {"batch_size": 10, "data": stripes, "size": 32, "verbose": False, "checkpoint": tmp_path / "run"}
    d2ltl.train_fine_tuning(d2ltl.finetune_net(2, source), 0.01, num_epochs=1, balance=True, **options)
    with pytest.raises(d2ltl.CheckpointError, match="balance"):
        d2ltl.train_fine_tuning(d2ltl.finetune_net(2, source), 0.01, num_epochs=2, **options)
