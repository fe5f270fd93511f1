import html
import json
import re

import numpy as np
import pytest
from PIL import Image

from d2ltl.comparison.report import reading, table, write_report
from d2ltl.comparison.running import Comparison
from d2ltl.comparison.runs import Run
from d2ltl.history import Epoch, History

SETTINGS = {"data": "<my> hot dogs", "net": "resnet18_v2", "pretrained": "source.params", "size": 64, "epochs": 3,
            "batch_size": 8}  # fmt: skip


def run(strategy, seed, accuracies, mistakes=()):
    epochs = [Epoch(i, 1 / i, a, a, seconds=10.0, examples_per_s=4.0) for i, a in enumerate(accuracies, 1)]
    return Run(strategy, seed, 0.01, History(["cpu(0)"], epochs), np.array([[9, 1], [2, 8]]), list(mistakes))


def comparison(*runs, rendered=False):
    images = {"train": 40, "test": 20, "skipped": 1, "split": "its own", "rendered": rendered}
    return Comparison(SETTINGS, ["hot dog", "other & more"], images, ["cpu(0)"], {"mxnet": "1.9.1"}, list(runs))


def better():
    return [run("finetune", 0, [0.8, 0.9, 0.9]), run("scratch", 0, [0.6, 0.65, 0.7])]


def test_the_table_has_every_seed_and_their_mean():
    text = table(comparison(*better(), run("finetune", 1, [0.7, 0.8, 0.8]), run("scratch", 1, [0.5, 0.6, 0.6])))
    assert re.search(
        r"finetune +0\.01 +0\.333 ± 0\.000 +0\.850 ± 0\.071 +0\.850 ± 0\.071 +0\.900 0\.800 +30 +4\.0", text
    )
    assert re.search(r"scratch .* 0\.650 ± 0\.071 +0\.700 0\.600", text)


def test_one_seed_has_no_spread():
    assert re.search(r"finetune +0\.01 +0\.333 +0\.900 +0\.900 +0\.900 +30", table(comparison(*better())))


def test_the_reading_says_what_transfer_gained():
    (sentence,) = reading(comparison(*better()))
    assert "starts 20.0 points higher" in sentence
    assert "ends 20.0 points higher" in sentence
    assert "Transfer paid off." in sentence
    assert "One seed" in sentence


def test_the_reading_says_so_when_transfer_did_not_pay():
    worse = [run("finetune", 0, [0.5, 0.6, 0.6]), run("scratch", 0, [0.6, 0.8, 0.8])]
    assert "ends 20.0 points lower. Transfer did not pay off." in reading(comparison(*worse))[0]


def test_the_reading_admits_what_is_not_certain():
    runs = [run("finetune", 0, [0.9]), run("scratch", 0, [0.6]), run("finetune", 1, [0.6]), run("scratch", 1, [0.9])]
    assert "not certain" in reading(comparison(*runs))[0]


def test_without_a_baseline_there_is_nothing_to_read():
    assert reading(comparison(run("finetune", 0, [0.9]))) == []


def test_the_page_holds_everything_in_one_file(tmp_path):
    Image.new("RGB", (20, 10), "red").save(tmp_path / "red.png")
    mistake = {"file": str(tmp_path / "red.png"), "true": "hot dog", "predicted": "other & more", "probability": 0.99}
    runs = [run("finetune", 0, [0.8, 0.9, 0.9], [mistake]), run("scratch", 0, [0.6, 0.65, 0.7])]
    page = write_report(comparison(*runs), tmp_path / "out").read_text()
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "confusion.png", "curves.png", "mistakes.png", "report.html", "report.json"]  # fmt: skip
    assert page.count('src="data:image/png;base64,') == 3
    assert not re.search(r"""(src|href)=["']?(?!["']?data:)""", page)
    assert "&lt;my&gt; hot dogs" in page
    assert "<my>" not in page
    assert "starts 20.0 points higher" in page
    for name in ("curves", "confusion", "mistakes"):
        with Image.open(tmp_path / f"out/{name}.png") as image:
            assert min(image.size) > 200
            assert image.convert("L").getextrema() == (0, 255)


@pytest.mark.parametrize(("rendered", "name"), [(True, "<my> hot dogs (rendered images)"), (False, "<my> hot dogs")])
def test_every_picture_names_data_and_weights(tmp_path, monkeypatch, rendered, name):
    titles = []
    monkeypatch.setattr("matplotlib.figure.Figure.suptitle", lambda self, title, **_: titles.append(title))
    page = write_report(comparison(*better(), rendered=rendered), tmp_path).read_text()
    assert titles == [f"resnet18_v2 from source.params weights, on {name}"] * 3
    assert f"<h1>Does transfer pay off on {html.escape(name)}?</h1>" in page
    assert json.loads((tmp_path / "report.json").read_text())["images"]["rendered"] == rendered


def test_the_json_is_what_was_measured(tmp_path):
    write_report(comparison(*better()), tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    assert {name: report[name] for name in SETTINGS} == SETTINGS
    assert report["devices"] == ["cpu(0)"]
    assert report["versions"] == {"mxnet": "1.9.1"}
    assert report["gains"]["finetune"]["start"]["mean"] == pytest.approx(0.2)
    first = report["runs"][0]
    assert (first["strategy"], first["seed"], first["learning_rate"]) == ("finetune", 0, 0.01)
    assert first["confusion"] == [[9, 1], [2, 8]]
    assert first["history"][0] == {
        "epoch": 1, "loss": 1.0, "train_acc": 0.8, "test_acc": 0.8, "seconds": 10.0, "examples_per_s": 4.0,
        "test_loss": None}  # fmt: skip


def test_a_report_replaces_the_one_before(tmp_path):
    write_report(comparison(*better()), tmp_path)
    write_report(comparison(run("finetune", 0, [0.9])), tmp_path)
    assert len(json.loads((tmp_path / "report.json").read_text())["runs"]) == 1
    assert len(list(tmp_path.iterdir())) == 5
