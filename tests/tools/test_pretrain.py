import json

import mxnet as mx
import numpy as np
import pytest

import d2ltl
from d2ltl.models.parameters import read_parameters
from tools import pretrain
from tools.pretrain import Phase

PHASES = [Phase(32, 2), Phase(48, 1)]


def test_it_writes_a_source_model_in_half_precision(stripes, tmp_path):
    out = tmp_path / "net.params"
    top1, top5 = pretrain.pretrain(str(stripes), out, name="tiny", phases=PHASES, batch_size=10)
    assert 0 <= top1 <= top5 == 1  # of two classes, the right one is always among the first five
    assert sorted(file.name for file in tmp_path.iterdir()) == ["net.json", "net.params"]
    assert mx.nd.load(str(out))["output.weight"].dtype == np.float16
    assert d2ltl.source_net("tiny", out).classes == ["across", "upright"]
    assert json.loads((tmp_path / "net.json").read_text()) == ["across", "upright"]


def test_stopped_in_a_later_phase_it_goes_on(stripes, tmp_path, monkeypatch):
    options = {"name": "tiny", "phases": PHASES, "batch_size": 10}
    pretrain.pretrain(str(stripes), tmp_path / "whole.params", **options)
    train = pretrain.train_on_batches

    def stopped_before_the_last_epoch(*args, **kwargs):
        if args[5] == 3:
            raise KeyboardInterrupt
        return train(*args, **kwargs)

    monkeypatch.setattr(pretrain, "train_on_batches", stopped_before_the_last_epoch)
    with pytest.raises(KeyboardInterrupt):
        pretrain.pretrain(str(stripes), tmp_path / "resumed.params", **options)
    assert (tmp_path / "resumed.checkpoint").exists()
    monkeypatch.setattr(pretrain, "train_on_batches", train)
    pretrain.pretrain(str(stripes), tmp_path / "resumed.params", **options)
    whole, resumed = (read_parameters(tmp_path / f"{name}.params") for name in ("whole", "resumed"))
    for name, array in whole.items():
        np.testing.assert_allclose(array, resumed[name], rtol=0.02, atol=0.02, err_msg=name)


def test_smoothing_moves_a_tenth_of_the_target_to_all_classes():
    output = np.array([[2.0, 0.0, -1.0]])
    log_p = output[0] - np.log(np.exp(output[0]).sum())
    target = np.array([0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3])
    loss = pretrain.smoothed_cross_entropy(mx.nd.array(output), mx.nd.array([0])).asscalar()
    assert loss == pytest.approx(-(target * log_p).sum(), rel=1e-5)


def test_the_learning_rate_rises_and_falls():
    net = pretrain.new_net("tiny", 2)
    schedule = pretrain.new_trainer(net, 100)._optimizer.lr_scheduler
    rates = [schedule(step) for step in range(101)]
    assert rates[0] == 0
    assert rates[12] == pytest.approx(0.25, rel=0.05)
    assert rates[100] == pytest.approx(0, abs=1e-9)
    assert rates[:12] == sorted(rates[:12])
    assert rates[13:] == sorted(rates[13:], reverse=True)


def test_only_weights_decay():
    for parameter in pretrain.new_net("tiny", 2).collect_params().values():
        assert parameter.wd_mult == (1 if parameter.name.endswith("weight") else 0)
