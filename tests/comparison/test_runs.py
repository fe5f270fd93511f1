import json

import numpy as np
import pytest

import d2ltl
from d2ltl.comparison.runs import Run, RunFolder
from d2ltl.history import Epoch, History
from d2ltl.models.trained import note_training
from d2ltl.training.calibration import Calibration

SETTINGS = {"size": 32, "seeds": [0]}


@pytest.fixture
def run():
    history = History([str(device) for device in d2ltl.devices()], [Epoch(1, 0.5, 0.6, 0.7, 1.0, 40.0)])
    calibration = Calibration(2.0, 0.2, 0.1, 0.9, 0.8, None, 10)
    return Run("finetune", 0, 0.01, history, np.array([[1, 2], [3, 4]]), [{"file": "a.jpg"}],
               calibrations=[calibration])  # fmt: skip


@pytest.fixture
def net(source, stripes):
    note_training(source, d2ltl.load_images(stripes)[0], 32)
    source.classes = ["a", "b", "c", "d", "e"]
    return source


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_finished_run_is_kept_with_its_network(tmp_path, run, net):
    folder = RunFolder.claim(tmp_path / "out", SETTINGS, resume=False)
    assert folder.load("finetune", 0) is None
    folder.checkpoint("finetune", 0).write_bytes(b"of the last epoch")
    folder.save(run, net)
    kept = ["finetune-seed0.json", "finetune-seed0.params", "finetune-seed0.run.json", "settings.json"]
    assert names(tmp_path) == kept
    assert folder.load("finetune", 0).to_dict() == run.to_dict()
    assert d2ltl.source_net("tiny", folder.runs / "finetune-seed0.params").classes == ["a", "b", "c", "d", "e"]


def test_a_checkpoint_that_outlived_its_run_goes(tmp_path, run, net):
    folder = RunFolder.claim(tmp_path / "out", SETTINGS, resume=False)
    folder.checkpoint("finetune", 0).touch()
    folder.save(run, net)
    folder.checkpoint("finetune", 0).touch()  # killed between the record and the end
    assert folder.load("finetune", 0).history == run.history
    assert not folder.checkpoint("finetune", 0).exists()


def test_a_comparison_of_version_0_1_0_is_resumed(tmp_path):
    """It did not record the learning rate of a strategy that it did not have."""
    RunFolder.claim(tmp_path / "out", SETTINGS, resume=False)
    RunFolder.claim(tmp_path / "out", {**SETTINGS, "lr_lp_ft": 0.001}, resume=True)
    with pytest.raises(d2ltl.CheckpointError, match=r"lr_lp_ft 0\.001, now 0\.1"):
        RunFolder.claim(tmp_path / "out", {**SETTINGS, "lr_lp_ft": 0.1}, resume=True)


@pytest.mark.parametrize(
    ("before", "now", "warned"), [(2, 2, False), (2, 1, True), (1, 4, True), (None, 1, False), (2, None, False)]
)
def test_another_number_of_threads_is_a_warning(tmp_path, caplog, before, now, warned):
    begun = SETTINGS if before is None else {**SETTINGS, "threads": before}
    RunFolder.claim(tmp_path / "out", begun, resume=False)
    RunFolder.claim(tmp_path / "out", {**SETTINGS, "threads": now}, resume=True)
    said = f"was begun with OMP_NUM_THREADS={before}, and MXNet has {now} threads now"
    assert [said in message for message in caplog.messages] == [True] * warned
    assert json.loads((tmp_path / "out/settings.json").read_text()) == begun  # as it was


def test_what_a_killed_claim_left_is_replaced(tmp_path):
    (tmp_path / "out/runs").mkdir(parents=True)
    (tmp_path / "out/.settings.part.json").write_text("{")
    RunFolder.claim(tmp_path / "out", SETTINGS, resume=False)
    assert names(tmp_path) == ["settings.json"]
    RunFolder.claim(tmp_path / "out", SETTINGS, resume=True)


def test_an_empty_folder_may_be_claimed_and_a_file_not(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    RunFolder.claim(tmp_path / "empty", SETTINGS, resume=False)
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(d2ltl.CheckpointError, match="holds this comparison already"):
        RunFolder.claim(".", SETTINGS, resume=False)
    (tmp_path / "file").touch()
    with pytest.raises(d2ltl.CheckpointError, match="file is there and holds no comparison"):
        RunFolder.claim(tmp_path / "file", SETTINGS, resume=False)


@pytest.mark.parametrize("content", ["{", "[1]", "// settings of an editor"])
def test_settings_of_something_else_are_refused(tmp_path, content):
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(d2ltl.CheckpointError, match=r"settings\.json is not of a comparison"):
        RunFolder.claim(tmp_path, SETTINGS, resume=True)


def test_a_record_of_version_0_1_is_read(tmp_path):
    folder = RunFolder.claim(tmp_path / "out", SETTINGS, resume=False)
    epoch = {"epoch": 1, "loss": 0.5, "train_acc": 0.6, "test_acc": 0.7, "seconds": 1.0, "examples_per_s": 40.0}
    record = {"strategy": "scratch", "seed": 3, "learning_rate": 0.1, "devices": ["cpu(0)"],
              "history": [{**epoch, "test_loss": 0.4}], "confusion": [[1, 2], [3, 4]], "mistakes": []}  # fmt: skip
    (folder.runs / "scratch-seed3.run.json").write_text(json.dumps(record))
    run = folder.load("scratch", 3)
    assert run.history == History(["cpu(0)"], [Epoch(**epoch, test_loss=0.4)])
    assert run.to_dict() == record
