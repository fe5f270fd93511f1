import mxnet as mx
import numpy as np
import pytest
from conftest import values

import d2ltl
from d2ltl.methods import lp_ft
from d2ltl.models.freezing import stages

SETTINGS = {"batch_size": 10, "num_epochs": 3, "size": 32, "verbose": False}


def outcome(history):
    return history.curve("loss"), history.curve("test_acc")


def train(source, stripes, learning_rate=0.001, **options):
    d2ltl.runtime.reseed(0)
    net = d2ltl.finetune_net(2, source)
    return net, d2ltl.train_lp_ft(net, learning_rate, data=stripes, **{**SETTINGS, **options})


def test_it_starts_from_the_linear_probe(source, stripes):
    """At a vanishing learning rate it ends there, too."""
    probed = d2ltl.finetune_net(2, source)
    d2ltl.train_on_codes(probed, "softmax", data=stripes, size=32)
    net, history = train(source, stripes, learning_rate=1e-12)
    np.testing.assert_allclose(net.output.weight.data().asnumpy(), probed.output.weight.data().asnumpy(), rtol=1e-4)
    assert history.curve("test_acc") == [d2ltl.evaluate(probed, stripes, size=32)[1]] * 3


def test_it_trains_the_features_and_keeps_their_statistics(source, stripes):
    """The source has two stages, and by default the last two are trained."""
    net, _ = train(source, stripes)
    for (name, after), before in zip(values(net.features).items(), values(source.features).values()):
        assert np.array_equal(after, before) == ("running" in name), name


@pytest.mark.parametrize(("trained", "kept"), [(0, 5), (2, 3), (9, 0)])
def test_the_first_stages_stay_fixed(resnet, stripes, trained, kept):
    net = d2ltl.finetune_net(2, resnet)
    options = {**SETTINGS, "num_epochs": 1, "trained_stages": trained}
    d2ltl.train_lp_ft(net, 0.01, data=stripes, **options)
    changed = [
        any(not np.array_equal(values(ours)[name], before)
            for ours, theirs in zip(*layers)
            for name, before in zip(values(ours), values(theirs).values()))
        for layers in zip(stages(net), stages(resnet))
    ]  # fmt: skip
    assert changed == [stage >= kept for stage in range(5)]


def test_an_interrupted_run_ends_the_same(source, stripes, tmp_path):
    """The momentum, the schedule and the output layer are in the checkpoint."""

    class PowerCut(Exception):
        pass

    def cut(history):
        raise PowerCut

    _, expected = train(source, stripes)
    with pytest.raises(PowerCut):
        train(source, stripes, checkpoint=tmp_path / "run", callbacks=[cut])
    _, resumed = train(source, stripes, checkpoint=tmp_path / "run")
    assert outcome(resumed) == outcome(expected)
    with pytest.raises(d2ltl.CheckpointError, match="cosine_epochs 3, now 4"):
        train(source, stripes, checkpoint=tmp_path / "run", num_epochs=4)


@pytest.mark.parametrize("devices", [1, 2])
def test_large_gradients_are_clipped(source, stripes, devices, monkeypatch):
    """The codes hardly vary, so the weights of the probe are large. The one step is the rate times the gradient."""
    monkeypatch.setattr("d2ltl.training.loop.WEIGHT_DECAY", 0)
    source.features[0].weight.data()[:] *= 1e-4
    few = tuple(d2ltl.take(part, 5) for part in d2ltl.load_images(stripes))
    options = {"num_epochs": 1, "devices": [mx.cpu(i) for i in range(devices)]}

    def step():
        before, after = (values(train(source, few, rate, **options)[0]).values() for rate in (1e-12, 0.001))
        return np.sqrt(sum(((new - old) ** 2).sum() for new, old in zip(after, before)))

    assert step() == pytest.approx(0.001 * lp_ft.MAX_NORM, rel=0.1)
    monkeypatch.setattr(lp_ft, "MAX_NORM", np.inf)
    assert step() > 0.001 * 50


def test_it_trains_under_the_np_interface(stripes, source_file):
    mx.npx.set_np()
    _, history = train(d2ltl.source_net("tiny", source_file), stripes)
    assert np.isfinite(history.curve("loss")).all()


def test_few_images_may_be_a_single_step(source, stripes):
    few = tuple(d2ltl.take(part, 5) for part in d2ltl.load_images(stripes))
    _, history = train(source, few, num_epochs=1)
    assert np.isfinite(history.curve("loss")).all()


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"learning_rate": -1}, "learning_rate is -1"), ({"num_epochs": 0}, "num_epochs is 0"),
     ({"num_epochs": -1}, "num_epochs is -1"), ({"schedule": "stairs"}, "schedule is 'stairs'"),
     ({"trained_stages": -1}, "trained_stages is -1")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_before_the_probe(source, stripes, options, problem, monkeypatch):
    def probe(*_, **__):
        raise AssertionError("the probe was fitted")

    monkeypatch.setattr("d2ltl.methods.lp_ft.train_on_codes", probe)
    with pytest.raises(d2ltl.SettingsError, match=problem):
        train(source, stripes, **options)


def test_a_network_without_a_dense_output_is_refused(stripes):
    net = d2ltl.scratch_net(2, "squeezenet1.1")
    with pytest.raises(d2ltl.NetworkError, match="not a dense layer"):
        d2ltl.train_lp_ft(net, 0.001, data=stripes, size=224)
