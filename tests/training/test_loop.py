"""What every way of training has from the one epoch loop, through the public functions that run on it."""

import math
import shutil

import mxnet as mx
import numpy as np
import pytest
from conftest import values

import d2ltl
from d2ltl.runtime import reseed

OPTIONS = {"learning_rate": 0.01, "batch_size": 8, "num_epochs": 3, "size": 32}


@pytest.fixture(scope="module")
def copy(stripes, tmp_path_factory):
    """The same images in another folder: another domain, as far as files tell."""
    return shutil.copytree(stripes, tmp_path_factory.mktemp("copy") / "stripes")


def fine_tuned(source, stripes, copy, **options):
    net = d2ltl.finetune_net(2, source)
    return net, d2ltl.train_fine_tuning(net, data=stripes, **OPTIONS | options)


def distilled(source, stripes, copy, **options):
    student, teacher = d2ltl.finetune_net(2, source), d2ltl.finetune_net(2, source)
    return student, d2ltl.distill(student, teacher, data=stripes, **OPTIONS | options)


def adversarial(source, stripes, copy, **options):
    net = d2ltl.finetune_net(2, source)
    return net, d2ltl.train_dann(net, source=stripes, target=copy, **OPTIONS | options)


def multitask(source, stripes, copy, **options):
    options = {"weights": "uncertainty", **OPTIONS, **options}
    result = d2ltl.train_multitask(source, tasks={"one": stripes, "other": stripes}, **options)
    return result.nets["one"], result.history


@pytest.fixture(params=[fine_tuned, distilled, adversarial, multitask], ids=lambda function: function.__name__)
def train(request, source, stripes, copy):
    """One way of training: from options to a network and its history."""

    def run(**options):
        reseed(0)
        return request.param(source, stripes, copy, **options)

    return run


def outcome(history):
    return [(epoch.loss, epoch.train_acc, epoch.test_loss, epoch.test_acc, epoch.tasks) for epoch in history.epochs]


def test_a_run_that_was_stopped_goes_on_and_ends_the_same(train, tmp_path):
    class PowerCut(Exception):
        pass

    def cut(history):
        if len(history) == 2:
            raise PowerCut

    net, whole = train()
    with pytest.raises(PowerCut):
        train(checkpoint=tmp_path / "run", callbacks=[cut])
    resumed_net, resumed = train(checkpoint=tmp_path / "run")
    assert outcome(resumed) == outcome(whole)
    assert all(map(np.array_equal, values(resumed_net).values(), values(net).values()))
    assert [file.name for file in tmp_path.iterdir()] == ["run"]


def test_a_checkpoint_of_other_settings_is_refused(train, tmp_path):
    train(checkpoint=tmp_path / "run", num_epochs=1)
    with pytest.raises(d2ltl.CheckpointError, match="size 32, now 48"):
        train(checkpoint=tmp_path / "run", num_epochs=1, size=48)


def test_callbacks_see_the_history_grow(train):
    lengths = []
    train(callbacks=[lambda history: lengths.append(len(history))])
    assert lengths == [1, 2, 3]


def test_the_summary_is_printed_unless_it_is_not_wanted(train, capsys):
    _, history = train()
    assert capsys.readouterr().out == f"{history}\n"
    train(verbose=False)
    assert capsys.readouterr().out == ""


def test_the_test_images_may_be_evaluated_now_and_then(train):
    _, always = train(num_epochs=4)
    _, sometimes = train(num_epochs=4, evaluate_every=3)
    assert [epoch.test_acc is None for epoch in sometimes.epochs] == [True, True, False, False]
    assert outcome(sometimes)[2:] == outcome(always)[2:]
    assert sometimes.curve("loss") == always.curve("loss")
    assert math.isnan(sometimes.curve("test_acc")[0])
    with pytest.raises(d2ltl.SettingsError, match="evaluate_every is 0"):
        train(evaluate_every=0)


def test_a_run_resumed_for_fewer_epochs_is_evaluated(source, stripes, copy, tmp_path):
    class PowerCut(Exception):
        pass

    def cut(history):
        if len(history) == 2:
            raise PowerCut

    options = {"checkpoint": tmp_path / "run", "evaluate_every": 3}
    with pytest.raises(PowerCut):
        fine_tuned(source, stripes, copy, callbacks=[cut], **options)
    net, history = fine_tuned(source, stripes, copy, num_epochs=2, **options)
    assert history.epochs[-1].test_acc == d2ltl.evaluate(net, stripes, size=32)[1]


def test_a_divergence_in_the_last_step_is_noticed(train):
    with pytest.raises(d2ltl.DivergenceError, match="at epoch 1"):
        train(learning_rate=1e30, num_epochs=1, batch_size=40)


def test_a_first_batch_may_be_smaller_than_the_number_of_devices(train):
    devices = [mx.cpu(i) for i in range(3)]
    _, history = train(devices=devices, batch_size=2, num_epochs=1)
    assert len(history) == 1


def test_several_devices_share_each_batch(train):
    """Two devices to MXNet, which computes on the same processors."""
    devices = [mx.cpu(0), mx.cpu(1)]
    net, history = train(devices=devices, batch_size=13)
    assert history.devices == ["cpu(0)", "cpu(1)"]
    assert np.isfinite(history.curve("loss")).all()
    assert net.output.weight.list_ctx() == devices
    first, second = (net.output.weight.data(device).asnumpy() for device in devices)
    assert np.array_equal(first, second)


def test_a_training_of_no_epochs_is_refused(train):
    with pytest.raises(d2ltl.SettingsError, match="num_epochs is 0"):
        train(num_epochs=0)


def test_a_checkpoint_of_more_epochs_than_asked_for_is_refused(stripes, source, tmp_path):
    fine_tuned(source, stripes, None, checkpoint=tmp_path / "run")
    with pytest.raises(d2ltl.CheckpointError, match="is of 3 epochs, more than the 1 asked for"):
        fine_tuned(source, stripes, None, checkpoint=tmp_path / "run", num_epochs=1)
