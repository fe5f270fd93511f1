import hashlib
import json
import shutil

import numpy as np
import pytest
from conftest import write_images

import d2ltl
import data_hub
from d2ltl import datasets
from d2ltl.comparison import report
from d2ltl.comparison.runs import Run
from d2ltl.comparison.sentences import reading, warnings
from d2ltl.comparison.strategies import STRATEGIES
from d2ltl.models.freezing import stages

SETTINGS = {"net": "tiny", "size": 32, "epochs": 2, "batch_size": 10, "lr_finetune": 0.002, "lr_scratch": 0.02}
SQUEEZENET = {"net": "squeezenet1.1", "pretrained": "imagenet", "size": 224}  # its output is a convolution


def compare(stripes, source_file, **options):
    return d2ltl.run_comparison(stripes, **{"pretrained": source_file, **SETTINGS, **options})


def outcome(comparison):
    return [
        (run.strategy, run.seed, run.history.curve("loss"), run.history.curve("test_acc")) for run in comparison.runs
    ]


def test_every_strategy_gets_every_seed(stripes, source_file):
    comparison = compare(stripes, source_file, seeds=[0, 1], strategies=list(STRATEGIES))
    assert [(run.strategy, run.seed) for run in comparison.runs] == [
        (strategy, seed) for seed in (0, 1) for strategy in STRATEGIES
    ]
    assert {run.strategy: run.learning_rate for run in comparison.runs} == {
        "finetune": 0.002,
        "scratch": 0.02,
        "frozen": 0.002,
        "lp-ft": 0.001,
        "codes-svm": None,
        "codes-softmax": None,
        "fixed": 0.002,
        "distilled": 0.02,
    }
    assert comparison.classes == ["across", "upright"]
    assert comparison.images == {"train": 40, "test": 20, "skipped": 0, "split": "its own", "rendered": False}
    assert comparison.chance == 0.5
    assert set(comparison.gains) == set(STRATEGIES) - {"scratch"}
    for run in comparison.runs:
        assert run.confusion.sum() == len(run.predictions) == 20
        assert sum(prediction.true == prediction.predicted for prediction in run.predictions) == run.confusion.trace()
        wrong = 20 - run.confusion.trace()
        assert len(run.mistakes) == min(wrong, 8)
        assert run.history.epochs[-1].test_acc == pytest.approx(1 - wrong / 20)
        assert all(mistake["true"] != mistake["predicted"] for mistake in run.mistakes)
        assert sorted((m["probability"] for m in run.mistakes), reverse=True) == [
            m["probability"] for m in run.mistakes
        ]


def test_a_gain_is_the_difference_of_the_curves(stripes, source_file):
    comparison = compare(stripes, source_file)
    finetune, scratch = (comparison.of(name)[0].history.curve("test_acc") for name in ("finetune", "scratch"))
    assert comparison.gains["finetune"]["start"].mean == pytest.approx(finetune[0] - scratch[0])


def test_stages_may_be_kept(stripes, source_file, tmp_path):
    comparison = compare(stripes, source_file, strategies=["freeze-1"], epochs=1, out=tmp_path / "out")
    assert comparison.strategies == ["freeze-1"]
    assert comparison.runs[0].learning_rate == SETTINGS["lr_finetune"]
    source, trained = (
        d2ltl.source_net("tiny", file) for file in (source_file, tmp_path / "out/runs/freeze-1-seed0.params")
    )
    for i, (before, after) in enumerate(zip(stages(source), stages(trained))):
        pairs = [
            (p.data().asnumpy(), q.data().asnumpy())
            for layer, other in zip(before, after)
            for p, q in zip(layer.collect_params().values(), other.collect_params().values())
        ]
        assert all(np.array_equal(*pair) for pair in pairs) == (i < 1)


def test_without_scratch_there_are_no_gains(stripes, source_file):
    assert compare(stripes, source_file, strategies=["finetune"], epochs=1).gains == {}


def test_it_is_the_same_alone_and_in_company(stripes, source_file):
    alone = compare(stripes, source_file, strategies=["scratch"], seeds=[1])
    both = compare(stripes, source_file, seeds=[0, 1])
    assert outcome(alone)[0] == next(run for run in outcome(both) if run[:2] == ("scratch", 1))


def test_cross_validation_tests_every_image_once(stripes, source_file, tmp_path):
    options = {"strategies": ["finetune", "codes-softmax"], "cross_validate": 3, "out": tmp_path / "out"}
    comparison = compare(stripes, source_file, **options)
    assert comparison.images == {
        **{"train": 40, "test": 60, "skipped": 0, "rendered": False},
        "split": "3 folds of all images, drawn with seed 0; every image is tested once",
    }
    for run in comparison.runs:
        assert run.confusion.sum(axis=1).tolist() == [30, 30]
        assert len(run.folds) == 3
        assert np.mean(run.folds) == pytest.approx(run.confusion.trace() / 60)
        assert run.history.epochs[-1].test_acc == pytest.approx(run.confusion.trace() / 60)
        assert len(run.history) == (2 if run.strategy == "finetune" else 1)
        of_folds = [
            json.loads((tmp_path / f"out/runs/{run.strategy}-seed0-fold{k}.run.json").read_text()) for k in (1, 2, 3)
        ]
        assert run.history.seconds == pytest.approx(sum(e["seconds"] for record in of_folds for e in record["history"]))
        assert [record["history"][-1]["test_acc"] for record in of_folds] == run.folds
        assert Run.from_dict(run.to_dict()).folds == run.folds
    assert comparison.inventory["folds"] == 3
    table = report.table(comparison)
    assert "of each fold" in table
    assert " ".join(f"{accuracy:.3f}" for accuracy in comparison.runs[0].folds) in table
    again = compare(stripes, source_file, **options, resume=True)
    assert outcome(again) == outcome(comparison)


def test_an_interrupted_cross_validation_goes_on(stripes, source_file, tmp_path):
    options = {"strategies": ["codes-softmax"], "cross_validate": 3}
    whole = compare(stripes, source_file, out=tmp_path / "a", **options)
    for k in (2, 3):
        (tmp_path / f"a/runs/codes-softmax-seed0-fold{k}.run.json").unlink()
    assert outcome(compare(stripes, source_file, out=tmp_path / "a", resume=True, **options)) == outcome(whole)


def test_balance_reaches_the_training(stripes, source_file):
    train, test = d2ltl.load_images(stripes)
    pair = d2ltl.imbalanced(train, 5, "across"), test
    options = {"strategies": ["codes-softmax", "finetune"], "epochs": 1}
    plain, balanced = (compare(pair, source_file, balance=balance, **options) for balance in (False, True))
    for one, other in zip(plain.runs, balanced.runs):
        assert one.history.curve("loss") != other.history.curve("loss")


def test_the_trained_parameters_are_a_source_model(stripes, source_file, tmp_path):
    compare(stripes, source_file, out=tmp_path / "out", strategies=["finetune"])
    net = d2ltl.source_net("tiny", tmp_path / "out/runs/finetune-seed0.params")
    assert net.classes == ["across", "upright"]
    record = json.loads((tmp_path / "out/runs/finetune-seed0.run.json").read_text())
    assert d2ltl.evaluate(net, stripes / "test", size=32)[1] == record["history"][-1]["test_acc"]


def test_resuming_trains_only_what_is_missing(stripes, source_file, tmp_path):
    whole = compare(stripes, source_file, out=tmp_path / "a", seeds=[0, 1])
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b/runs/scratch-seed1.run.json").unlink()
    kept = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "b/runs").glob("finetune*")}
    again = compare(stripes, source_file, out=tmp_path / "b", seeds=[0, 1], resume=True)
    assert outcome(again) == outcome(whole)
    assert {file.name: file.stat().st_mtime_ns for file in (tmp_path / "b/runs").glob("finetune*")} == kept


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_an_interrupted_student_gets_the_same_teacher(stripes, source_file, tmp_path, monkeypatch):
    options = {"strategies": ["distilled"], "epochs": 1}
    whole = compare(stripes, source_file, out=tmp_path / "whole", **options)
    kept = sorted(file.name for file in (tmp_path / "whole/runs").iterdir())
    assert kept == [f"distilled-seed0.{suffix}" for suffix in ("json", "params", "run.json")]
    with monkeypatch.context() as patch:
        patch.setattr("d2ltl.comparison.strategies.distill", interrupt)
        with pytest.raises(KeyboardInterrupt):
            compare(stripes, source_file, out=tmp_path / "stopped", **options)
    resumed = compare(stripes, source_file, out=tmp_path / "stopped", resume=True, **options)
    assert outcome(resumed) == outcome(whole)
    assert sorted(file.name for file in (tmp_path / "stopped/runs").iterdir()) == kept


def test_a_run_survives_json(stripes, source_file):
    run = compare(stripes, source_file, strategies=["finetune"], epochs=1).runs[0]
    again = Run.from_dict(json.loads(json.dumps(run.to_dict())))
    assert again.to_dict() == run.to_dict()
    assert again.history == run.history


def test_changed_arguments_are_refused_by_name(stripes, source_file, tmp_path):
    compare(stripes, source_file, out=tmp_path / "out", strategies=["finetune"], epochs=1)
    with pytest.raises(d2ltl.CheckpointError, match=r"epochs 1, now 2.*Choose another folder"):
        compare(stripes, source_file, out=tmp_path / "out", strategies=["finetune"], resume=True)
    with pytest.raises(d2ltl.CheckpointError, match="already: resume it"):
        compare(stripes, source_file, out=tmp_path / "out", strategies=["finetune"], epochs=1)


def test_a_folder_of_something_else_is_left_alone(stripes, source_file, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(d2ltl.CheckpointError, match="is there and holds no comparison"):
        compare(stripes, source_file, out=tmp_path)
    with pytest.raises(d2ltl.CheckpointError, match="no comparison to resume"):
        compare(stripes, source_file, out=tmp_path / "none", resume=True)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"lr_scratch": -1}, "lr_scratch is -1"),
        ({"lr_finetune": float("inf")}, "lr_finetune is inf"),
        ({"seeds": []}, "seeds is"),
        ({"seeds": [1, 1]}, "each once"),
        ({"seeds": [-1]}, "seed is -1"),
        ({"strategies": ["finetune", "magic"]}, "no strategy 'magic'; choose from finetune"),
        ({"strategies": ["freeze-0"]}, "no strategy 'freeze-0'; .* freeze-1, freeze-2"),
        ({"strategies": ["finetune", "freeze-9"]}, "has . stages; 9 of them"),
        ({**SQUEEZENET, "strategies": ["finetune", "lp-ft"]}, "not a dense layer"),
        ({**SQUEEZENET, "strategies": ["scratch", "codes-svm"]}, "not a dense layer"),
        ({"cross_validate": 1}, "number of folds is 1; it is at least 2"),
        ({"cross_validate": 31}, "has 30 images of across; for 31 folds, at least 31 .* Use fewer"),
        ({"strategies": ["codes-softmax-9"]}, "has . stages; 9 of them"),
        ({"net": "resnet19"}, "resnet19"),
        ({"data": "nowhere"}, "nowhere is not a folder"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_before_anything_is_written(
    stripes, source_file, tmp_path, options, problem
):
    arguments = {"data": stripes, "pretrained": source_file, **SETTINGS, "out": tmp_path / "out", **options}
    with pytest.raises(d2ltl.D2LTLError, match=problem):
        d2ltl.run_comparison(**arguments)
    assert not (tmp_path / "out").exists()


def test_data_may_be_an_archive_or_a_name_of_the_hub(stripes, source_file, tmp_path, monkeypatch):
    monkeypatch.setenv("D2LTL_DATA", str(tmp_path / "cache"))
    archive = shutil.make_archive(str(tmp_path / "stripes"), "zip", stripes.parent, stripes.name)
    by_path = compare(archive, source_file, strategies=["finetune"], epochs=1)
    with open(archive, "rb") as file:
        sha1 = hashlib.sha1(file.read()).hexdigest()
    monkeypatch.setitem(data_hub.DATA_HUB, "stripes", (f"file://{archive}", sha1))
    by_name = compare("stripes", source_file, strategies=["finetune"], epochs=1)
    by_folder = compare(stripes, source_file, strategies=["finetune"], epochs=1)
    assert outcome(by_path) == outcome(by_name) == outcome(by_folder)


def test_the_weights_are_named(stripes, tmp_path, monkeypatch):
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))  # no ImageNet weights there
    comparison = d2ltl.run_comparison(
        stripes, **{**SETTINGS, "net": "resnet18_v2", "epochs": 1}, strategies=["finetune"]
    )
    assert comparison.to_dict()["pretrained"] == "tinyimagenet"
    assert not comparison.to_dict()["images"]["rendered"]


@pytest.mark.full
def test_without_arguments_it_compares_what_comes_with_the_library(tmp_path, monkeypatch):
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))
    monkeypatch.setenv("D2LTL_DATA", str(tmp_path / "cache"))
    report = d2ltl.run_comparison(epochs=1, seeds=[3]).to_dict()
    assert (report["data"], report["pretrained"]) == ("hotdog-mini", "tinyimagenet")
    assert report["images"] == {"train": 800, "test": 400, "skipped": 0, "split": "its own", "rendered": True}
    own = datasets.DEFAULTS["hotdog-mini"]
    assert {name: report[name] for name in own._asdict()} == {
        **own._asdict(),
        "strategies": [*own.strategies],
        "epochs": 1,
    }  # what is given wins
    finetune, scratch = (run["history"][-1]["test_acc"] for run in report["runs"])
    assert finetune > scratch + 0.05


def test_unreadable_images_are_left_out_and_counted(source_file, tmp_path):
    write_images(tmp_path / "train", 4)
    write_images(tmp_path / "test", 2)
    (tmp_path / "test/across/broken.jpg").write_bytes(b"broken")
    comparison = compare(tmp_path, source_file, strategies=["finetune"], epochs=1, skip_unreadable=True)
    assert comparison.images == {"train": 8, "test": 4, "skipped": 1, "split": "its own", "rendered": False}
    with pytest.raises(d2ltl.ImageFolderError, match=r"broken\.jpg"):
        compare(tmp_path, source_file, strategies=["finetune"], epochs=1)


def test_the_report_warns_of_test_images_that_are_training_images_too(source_file, tmp_path):
    write_images(tmp_path / "train", 4)
    write_images(tmp_path / "test", 3, seed=1)
    shutil.copy(tmp_path / "train/across/000.jpg", tmp_path / "test/across/copy.jpg")
    comparison = compare(tmp_path, source_file, strategies=["codes-svm"])
    warning = "1 of the 7 test images are training images too"
    assert warning in warnings(comparison)[0]
    assert warning in d2ltl.write_report(comparison, tmp_path / "out").read_text()


def test_log_and_report_say_what_each_part_is_for_and_what_is_left_out(source_file, tmp_path, caplog):
    for part, number in (("train", 4), ("val", 2), ("test", 3)):
        write_images(tmp_path / part, number)
    shutil.copy(tmp_path / "val/across/000.jpg", tmp_path / "test/stray.jpg")
    with caplog.at_level("INFO"):
        comparison = compare(tmp_path, source_file, strategies=["codes-svm"])
    line = "to train (train/) + for validation (val/) + to test (test/): across 4 + 2 + 3, upright 4 + 2 + 3, "
    assert line in caplog.text
    page = d2ltl.write_report(comparison, tmp_path / "out").read_text()
    assert f"Images {line}in all 8 + 4 + 6; left out: images outside of the class folders (1)." in " ".join(
        page.split()
    )
    assert "The curves and the gains are of the images for validation." in page
    assert "codes-svm, seed 0 (test acc is that of the images for validation):" in caplog.messages
    assert "Here, test acc is the accuracy on the images for validation." in page
    inventory = json.loads((tmp_path / "out/report.json").read_text())["inventory"]
    assert inventory["parts"]["validation"]["of_class"] == {"across": 2, "upright": 2}
    assert comparison.runs[0].confusion.sum() == 6
    crossed = compare(tmp_path, source_file, strategies=["codes-svm"], cross_validate=2)
    assert crossed.runs[0].confusion.sum() == 18
    assert not crossed.has_validation


def test_data_may_be_a_pair(stripes, source_file, tmp_path):
    train, test = d2ltl.load_images(stripes)
    few = d2ltl.sample(train, 20), test
    options = {"strategies": ["scratch"], "epochs": 1, "out": tmp_path / "out"}
    comparison = compare(few, source_file, **options)
    assert comparison.settings["data"] == f"{stripes} (20 + 20 images)"
    assert comparison.images["split"] == "as it was given"
    assert compare([*few], source_file, strategies=["codes-svm"]).images["split"] == "as it was given"
    assert outcome(compare(few, source_file, resume=True, **options)) == outcome(comparison)
    with pytest.raises(d2ltl.CheckpointError, match=r"40 \+ 20 images"):
        compare((train, test), source_file, resume=True, **options)


def test_a_comparison_that_an_earlier_version_began_is_resumed(stripes, source_file, tmp_path):
    """Its records have no predictions, so its verdict is not certain; new runs have them."""
    options = {"out": tmp_path / "out", "epochs": 1}
    compare(stripes, source_file, **options)
    record = tmp_path / "out/runs/finetune-seed0.run.json"
    written = json.loads(record.read_text())
    assert len(written.pop("predictions")) == 20
    record.write_text(json.dumps(written))
    (tmp_path / "out/runs/scratch-seed0.run.json").unlink()
    again = compare(stripes, source_file, resume=True, **options)
    assert [len(run.predictions) for run in again.runs] == [0, 20]
    assert "not certain" in reading(again)[0]
    page = d2ltl.write_report(again, tmp_path / "out")
    assert len((page.parent / "predictions.csv").read_text().splitlines()) == 21
