import shlex
import shutil
import subprocess
import sys

import mxnet as mx
import numpy as np
import pytest
from conftest import write_images

import d2ltl
from d2ltl.advice import advising, verdict
from d2ltl.advice.__main__ import main
from d2ltl.compare import main as compare


@pytest.fixture(scope="module", autouse=True)
def _shorter_training():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(advising, "SCRATCH_STEPS", 10)
        yield


@pytest.fixture(scope="module")
def advised(stripes, source_file):
    return d2ltl.advise(stripes, {"small": d2ltl.source_net("tiny", source_file)}, size=32)


def test_it_measures_the_training_images(advised):
    assert (advised.images, advised.classes) == (40, 2)
    (fit,) = advised.fits
    assert fit.source == "small"
    assert len(fit.by_stage) == len(fit.untrained) == 2
    assert all(0 <= accuracy <= 1 for accuracy in [*fit.by_stage, *fit.untrained, advised.scratch])
    assert fit.accuracy > 0.7  # the classes differ in colour, which random codes tell too
    assert np.isfinite(fit.log_me)
    assert -np.log(2) <= fit.leep <= 0
    assert advised.few
    assert fit.images_per_s > 0
    assert [*fit.by_number] == [5, 10]
    assert all(0.5 < accuracy <= 1 and 0 <= sd < 0.2 for accuracy, sd in fit.by_number.values())


def test_gentle_fine_tuning_is_tried_where_images_are_few_and_similar(advised, stripes, source, monkeypatch):
    assert (advised.few, advised.similar, advised.trial) == (True, False, None)
    monkeypatch.setattr(verdict, "LEARNED", -1)
    trial = d2ltl.advise(stripes, {"tiny": source}, size=32).trial
    assert trial.tested == 10
    assert 0.5 < trial.probe <= 1
    assert 0 <= trial.lp_ft <= 1

    def diverge(*_, **__):
        raise d2ltl.DivergenceError("The loss is nan")

    monkeypatch.setattr(advising, "train_lp_ft", diverge)
    assert d2ltl.advise(stripes, {"tiny": source}, size=32).trial.lp_ft == 0


def test_without_sources_all_on_this_machine_are_measured(stripes, source, monkeypatch):
    asked = []
    monkeypatch.setattr(
        advising, "at_hand", lambda: [("resnet18_v2", "tinyimagenet"), ("efficientnet_lite0", "imagenet")]
    )
    monkeypatch.setattr(advising, "source_net", lambda *names: asked.append(names) or source)
    fits = d2ltl.advise(stripes, size=32).fits
    assert {fit.source for fit in fits} == {"resnet18_v2:tinyimagenet", "efficientnet_lite0:imagenet"}
    assert len(asked) == 2


def test_one_seed_gives_one_advice(advised, stripes, source_file):
    pair = d2ltl.load_images(stripes)
    for images in (pair, pair[0]):
        again = d2ltl.advise(images, {"small": d2ltl.source_net("tiny", source_file)}, size=32)
        assert again == advised


def test_the_source_that_knows_the_images_suits_best(stripes, source):
    """A network trained on the very images, and one with random weights."""
    known = d2ltl.finetune_net(2, source)
    d2ltl.train_fine_tuning(known, 0.01, 10, 4, data=stripes, size=32)
    fits = d2ltl.advise(stripes, {"random": d2ltl.finetune_net(7, source), "known": known}, size=32).fits
    by_name = {fit.source: fit for fit in fits}
    assert by_name["known"].leep > by_name["random"].leep
    assert by_name["known"].log_me > by_name["random"].log_me
    assert fits[0].accuracy >= fits[1].accuracy


def test_of_many_images_a_share_is_measured(stripes, source, monkeypatch):
    monkeypatch.setattr(advising, "MEASURED", 20)
    seen = []
    monkeypatch.setattr(advising, "codes_by_stage", lambda net, images, **_: seen.append(images) or [np.eye(20)] * 2)
    d2ltl.advise(d2ltl.load_images(stripes)[0], {"tiny": source}, size=32)
    assert [np.bincount(images.labels).tolist() for images in seen] == [[10, 10]] * 2


def test_what_cannot_be_advised_on_is_refused(tmp_path, stripes):
    write_images(tmp_path, 4)  # one of each is to test
    with pytest.raises(d2ltl.ImageFolderError, match="3 images of across to train; advice needs 4"):
        d2ltl.advise(tmp_path, size=32)
    with pytest.raises(d2ltl.SettingsError, match="at least one source"):
        d2ltl.advise(stripes, {}, size=32)
    with pytest.raises(d2ltl.SettingsError, match="A seed is -1"):
        d2ltl.advise(stripes, size=32, seed=-1)
    with pytest.raises(d2ltl.NetworkError, match="mine does not know its name in the zoo"):
        d2ltl.advise(stripes, {"mine": mx.gluon.model_zoo.vision.alexnet()}, size=32)
    with pytest.raises(d2ltl.SettingsError, match="size is 0"):
        d2ltl.advise(stripes, size=0)


def test_a_network_that_cannot_run_so_small_images_gets_224(stripes, monkeypatch):
    monkeypatch.setattr(advising, "SCRATCH_STEPS", 1)
    net = d2ltl.scratch_net(2, "squeezenet1.1")
    net(mx.nd.zeros((1, 3, 224, 224)))
    few = d2ltl.sample(d2ltl.load_images(stripes)[0], 8)
    assert d2ltl.advise(few, {"squeezenet": net}, size=96).fits[0].size == 224


def test_a_network_from_scratch_that_diverges_has_accuracy_0(stripes, source, monkeypatch):
    def diverge(*_, **__):
        raise d2ltl.DivergenceError("The loss is nan")

    monkeypatch.setattr(advising, "train_fine_tuning", diverge)
    assert d2ltl.advise(stripes, {"tiny": source}, size=32).scratch == 0


def test_the_command_prints_the_advice(stripes, source_file, capsys, caplog):
    assert main([str(stripes), "--sources", f"tiny:{source_file}", "--size", "32"]) == 0
    printed = capsys.readouterr().out
    assert "40 images of 2 classes, 20 of the smallest class" in printed
    assert "images to train (train/) + to test (test/): across 20 + 10, upright 20 + 10" in caplog.text
    assert "Advice: " in printed
    assert f"measuring tiny:{source_file} (1 of 1)" in caplog.messages


def test_the_command_ends_with_one_that_measures_the_advice(stripes, source_file, tmp_path, capsys):
    assert main([str(stripes), "--sources", f"tiny:{source_file}", "--size", "32", "--skip-unreadable"]) == 0
    *_, title, command = capsys.readouterr().out.splitlines()
    assert title == "Measure it:"
    assert f"--data {stripes} --net tiny --pretrained {source_file} --size 32 --skip-unreadable --strategies" in command
    _, module, name, *arguments = shlex.split(command)
    assert (module, name) == ("-m", "d2ltl.compare")
    assert compare([*arguments, "--epochs", "1", "--batch-size", "8", "--out", str(tmp_path / "out")]) == 0


def test_an_image_that_cannot_be_read_is_skipped_on_request(stripes, source_file, tmp_path, capsys):
    shutil.copytree(stripes, tmp_path / "stripes")
    image = tmp_path / "stripes/train/across/000.jpg"
    image.write_bytes(image.read_bytes()[:900])
    command = [str(tmp_path / "stripes"), "--sources", f"tiny:{source_file}", "--size", "32"]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "000.jpg cannot be read" in error
    assert "--skip-unreadable" in error
    assert main([*command, "--skip-unreadable"]) == 0
    assert "39 images of 2 classes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [(["nowhere"], "nowhere is not a folder"), (["hotdog-mini", "--sources", "resnet18_v2:no.params"], "no.params")],
)
def test_mistakes_end_with_status_2_and_one_line(arguments, problem, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1


def test_a_source_without_weights_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["hotdog-mini", "--sources", "resnet18_v2"])
    assert stop.value.code == 2
    assert "resnet18_v2 is not NET:WEIGHTS" in capsys.readouterr().err


def test_help_teaches():
    result = subprocess.run([sys.executable, "-m", "d2ltl.advice", "--help"], capture_output=True, text=True)
    assert result.returncode == 0
    text = " ".join(result.stdout.split())
    for word in ("--sources", "few images", "examples:", "default: 224, 64 with"):
        assert word in text
