import json
import zipfile

import mxnet as mx
import pytest

import d2ltl


@pytest.fixture
def written(stripes, source, tmp_path):
    """A checkpoint after one epoch, and how to go on from it."""
    file = tmp_path / "run.checkpoint"

    def go_on(**options):
        net = options.pop("net", None) or d2ltl.finetune_net(2, source)
        arguments = {"batch_size": 8, "num_epochs": 1, "size": 32, **options}
        return d2ltl.train_fine_tuning(net, 0.01, data=stripes, checkpoint=file, **arguments)

    go_on()
    return file, go_on


def test_a_finished_run_is_not_trained_again(written):
    file, go_on = written
    before = file.read_bytes()
    assert len(go_on()) == 1
    assert file.read_bytes() == before


def test_more_epochs_go_on_from_it(written):
    assert [epoch.epoch for epoch in written[1](num_epochs=3).epochs] == [1, 2, 3]


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"batch_size": 4}, "batch_size 8, now 4"), ({"size": 48}, "size 32, now 48"), ({"seed": 7}, "seed 0, now 7")],
)
def test_other_settings_are_refused_by_name(written, changed, named):
    with pytest.raises(d2ltl.CheckpointError, match=named):
        written[1](**changed)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"<html>"])
def test_a_damaged_file_is_refused(written, damage):
    file, go_on = written
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(d2ltl.CheckpointError, match="run.checkpoint is no checkpoint"):
        go_on()


def test_a_checkpoint_of_another_network_is_refused(written):
    net = mx.gluon.model_zoo.vision.mobilenet0_25(classes=2)
    net.initialize()
    with pytest.raises(d2ltl.CheckpointError, match="no checkpoint of this network"):
        written[1](net=net)


def test_frozen_layers_stay_frozen_after_resuming(stripes, source, tmp_path):
    net = d2ltl.finetune_net(2, source)
    d2ltl.freeze(net.features)
    weight = net.features[0].weight
    before = weight.data().asnumpy()
    for epochs in (1, 2):
        d2ltl.train_fine_tuning(net, 0.01, 8, epochs, data=stripes, size=32, checkpoint=tmp_path / "frozen")
    assert (weight.data().asnumpy() == before).all()


@pytest.mark.parametrize(
    ("before", "now", "warned"), [("2", "2", False), ("2", "1", True), ("1", "3", True), (None, "1", False)]
)
def test_another_number_of_threads_is_a_warning(stripes, source, tmp_path, monkeypatch, caplog, before, now, warned):
    def train(num_epochs, threads):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        options = {"data": stripes, "size": 32, "checkpoint": tmp_path / "run", "verbose": False}
        return d2ltl.train_fine_tuning(d2ltl.finetune_net(2, source), 0.01, 8, num_epochs, **options)

    train(1, before or "1")
    if before is None:  # an earlier version did not record it
        with zipfile.ZipFile(tmp_path / "run") as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        settings = json.loads(members["settings.json"])
        members["settings.json"] = json.dumps({name: settings[name] for name in settings if name != "threads"})
        with zipfile.ZipFile(tmp_path / "run", "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    assert len(train(2, now)) == 2
    said = f"was begun with OMP_NUM_THREADS={before}, and MXNet has {now} threads now"
    assert [said in message for message in caplog.messages] == [True] * warned
