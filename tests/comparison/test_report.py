import csv
import html
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix

from d2ltl.comparison.report import reading, table, write_report
from d2ltl.comparison.result import Comparison
from d2ltl.comparison.runs import Prediction, Run
from d2ltl.comparison.sentences import next_steps, warnings
from d2ltl.history import Epoch, History

SETTINGS = {"data": "<my> hot dogs", "net": "resnet18_v2", "pretrained": "source.params", "size": 64, "epochs": 3,
            "batch_size": 8}  # fmt: skip
CLASSES = ["hot dog", "other & more"]


def run(strategy, seed, accuracies, mistakes=(), tested=200):
    """Return a run that is right about the same images as every other run of its accuracy; two classes by turns."""
    epochs = [Epoch(i, 1 / i, a, a, seconds=10.0, examples_per_s=4.0) for i, a in enumerate(accuracies, 1)]
    right = [i < accuracies[-1] * tested for i in range(tested)]
    predictions = [
        Prediction(f"{i:03}.jpg", CLASSES[i % 2], CLASSES[(i + wrong) % 2], 0.9)
        for i, wrong in enumerate(not answer for answer in right)
    ]
    confusion = confusion_matrix([p.true for p in predictions], [p.predicted for p in predictions])
    return Run(strategy, seed, 0.01, History(["cpu(0)"], epochs), confusion, list(mistakes), predictions)


def answering(strategy, answers, labels):
    """Return a run with one epoch that gives these answers, numbers of classes."""
    predictions = [
        Prediction(f"{i:03}.jpg", CLASSES[t], CLASSES[a], 0.6) for i, (t, a) in enumerate(zip(labels, answers))
    ]
    confusion = np.bincount(2 * np.array(labels) + answers, minlength=4).reshape(2, 2)
    accuracy = confusion.trace() / len(labels)
    history = History(["cpu(0)"], [Epoch(i, 1 / i, accuracy, accuracy, 10.0, 4.0) for i in (1, 2)])
    return Run(strategy, 0, 0.01, history, confusion, [], predictions)


def comparison(*runs, rendered=False):
    images = {"train": 40, "test": 20, "skipped": 1, "split": "its own", "rendered": rendered}
    return Comparison(SETTINGS, CLASSES, images, ["cpu(0)"], {"mxnet": "1.9.1"}, list(runs))


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


@pytest.mark.parametrize("tested", [10, 20])
def test_one_seed_of_few_images_is_not_certain(tested):
    few = [run("finetune", 0, [0.9], tested=tested), run("scratch", 0, [0.7], tested=tested)]
    (sentence,) = reading(comparison(*few))
    assert "not certain" in sentence
    assert f"on {tested} test images" in sentence
    assert "paid off." not in sentence


@pytest.mark.parametrize("frequent", [0.9, 0.7])
def test_answering_the_frequent_class_does_not_pay_off(frequent):
    labels = [int(i >= frequent * 200) for i in range(200)]
    runs = [answering("finetune", [0] * 200, labels), answering("scratch", [1] * 200, labels)]
    text = table(comparison(*runs))
    assert re.search(rf"finetune .* {frequent:.3f} .* 0\.500\n", text)
    assert re.search(rf"always hot dog .* {frequent:.3f} .* 0\.500$", text)
    (sentence,) = reading(comparison(*runs))
    assert "not certain" in sentence
    first, second = (text for text in warnings(comparison(*runs)) if "every test image" in text)
    assert first.startswith(f"finetune, seed 0, answers hot dog for every test image. Its accuracy of {frequent:.3f}")
    assert "scratch, seed 0, answers other & more" in second


def test_better_than_a_bad_network_is_not_enough():
    """Both are worse than always giving the same answer, or about as good."""
    labels = [i % 2 for i in range(200)]
    guess = [(i // 2) % 2 for i in range(200)]
    wrong = [1 - label for label in labels]
    (sentence,) = reading(comparison(answering("finetune", guess, labels), answering("scratch", wrong, labels)))
    assert 'not certain: finetune is not certainly better than always answering "hot dog"' in sentence


def test_a_record_without_predictions_settles_nothing():
    runs = better()
    runs[1].predictions = []  # of a comparison that version 0.1 began
    assert "no predictions of the same test images" in reading(comparison(*runs))[0]
    assert next_steps(comparison(*runs))


def test_without_a_baseline_it_is_compared_with_the_most_frequent_class_and_the_best():
    texts = reading(comparison(run("finetune", 0, [0.9]), run("frozen", 0, [0.7]), run("fixed", 0, [0.89])))
    assert len(texts) == 6
    assert re.search(
        r'frozen: test accuracy 0\.700; always answering "hot dog": 0\.500\. It is certainly better', texts[1]
    )
    assert "finetune against frozen: accuracy 20.0 points higher" in texts[3]
    assert texts[3].endswith("which is certain.")
    assert texts[4].endswith("which is not certain.")
    assert "only beside scratch" in texts[5]
    assert "only beside finetune" in reading(comparison(run("scratch", 0, [0.5])))[-1]


def test_of_unequal_classes_both_accuracies_are_said():
    """Its accuracy is below that of the frequent class, but it knows both classes."""
    labels = [int(i >= 150) for i in range(200)]
    knows = [int(i % 5 < 2) if label == 0 else int(i % 10 > 0) for i, label in enumerate(labels)]
    text = reading(comparison(answering("finetune", knows, labels)))[0]
    assert "finetune: test accuracy 0.675, balanced 0.750; " in text
    assert 'always answering "hot dog": 0.750, balanced 0.500. It is certainly better (balanced accuracy +25.0' in text


def test_a_missing_baseline_is_a_next_step():
    steps = next_steps(comparison(run("codes-softmax", 0, [0.9]), run("finetune", 0, [0.8])))
    assert "--strategies codes-softmax finetune scratch: shows whether transfer pays off." in steps
    assert not any("pays off" in step for step in next_steps(comparison(*better())))


def test_a_linear_classifier_does_not_depend_on_the_seed():
    codes = replace(run("codes-softmax", 0, [0.9]), learning_rate=None)
    assert not any("--seeds" in step for step in next_steps(comparison(codes)))
    assert any("--seeds" in step for step in next_steps(comparison(codes, run("finetune", 0, [0.8]))))


def test_it_says_what_to_do_next():
    still = next_steps(comparison(*better()))
    assert any(step.startswith("--epochs 9") for step in still)
    assert any(step.startswith("--seeds 0 1 2") for step in still)
    assert not any("advice" in step for step in still)
    assert any("scratch: still learning after 3 epochs" in text for text in warnings(comparison(*better())))


def test_a_linear_classifier_has_no_course_of_learning():
    codes = replace(run("codes-softmax", 0, [0.9]), learning_rate=None)
    (text,) = reading(comparison(codes, run("scratch", 0, [0.6, 0.65, 0.7])))
    assert text.startswith("codes-softmax against scratch: ends ")


def test_a_linear_classifier_says_nothing_about_the_epochs_of_others():
    first = replace(run("codes-softmax", 0, [0.9]), learning_rate=None)
    assert any("scratch: still learning after 3 epochs" in text for text in warnings(comparison(first, *better())))
    lost = next_steps(comparison(run("finetune", 0, [0.5]), run("scratch", 0, [0.5])))
    for option in ("--size 128", "--cross-validate", "lp-ft codes-softmax", "d2ltl.advice"):
        assert any(option in step for step in lost)


@pytest.mark.parametrize(
    ("counts", "balance", "suggested"),
    [((20, 150), False, True), ((20, 40), False, True), ((20, 150), True, False), ((30, 40), False, False)],
)
def test_unequal_classes_may_be_balanced(counts, balance, suggested):
    uneven = comparison(*better())
    uneven.settings = {**SETTINGS, "balance": balance}
    uneven.inventory = {"parts": {"train": {"of_class": dict(zip(CLASSES, counts))}}}
    few, many = counts
    step = f"--balance: every class counts the same in training, hot dog ({few} images) as much as other & more ({many}"
    assert any(text.startswith(step) for text in next_steps(uneven)) == suggested


def test_next_steps_can_be_typed_and_were_not_taken_already():
    lost = comparison(run("finetune", 0, [0.5]), run("scratch", 0, [0.5]))
    assert any(step.startswith("python -m d2ltl.advice '<my> hot dogs': ") for step in next_steps(lost))
    lost.settings = {**SETTINGS, "cross_validate": 3}
    assert "More test images: a smaller margin." in next_steps(lost)


def test_the_gains_say_so_if_they_are_of_the_images_for_validation():
    validated = comparison(*better())
    validated.inventory = {"parts": {"validation": {}}}
    (sentence,) = reading(validated)
    assert "ends 20.0 points higher (on the images for validation). Transfer paid off." in sentence


def test_one_epoch_is_no_plural_and_three_strategies_have_a_comma(tmp_path):
    one = comparison(*(run(name, 0, [0.6]) for name in ("finetune", "lp-ft", "scratch")))
    one.settings = {**SETTINGS, "epochs": 1}
    assert "finetune, lp-ft and scratch: one epoch cannot show the end of learning." in warnings(one)
    assert "1 epoch," in write_report(one, tmp_path).read_text()


def test_a_complete_and_certain_comparison_needs_nothing_more():
    runs = [
        run(name, seed, [0.6, 0.8, last]) for name, last in (("finetune", 0.9), ("scratch", 0.8)) for seed in range(3)
    ]
    for one in runs:
        one.learning_rate = None  # a complete fit
    assert next_steps(comparison(*runs)) == warnings(comparison(*runs)) == []


def test_every_prediction_is_in_a_table(tmp_path):
    runs = [run("finetune", 0, [0.9], tested=10), run("scratch", 0, [0.5], tested=10)]
    runs[0].predictions[0] = Prediction('a,"\udcff".jpg', "\u70ed\u72d7", "<b>", 0.25)
    write_report(comparison(*runs), tmp_path)
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    assert rows[0] == {"strategy": "finetune", "seed": "0", "file": 'a,"\\udcff".jpg', "true": "\u70ed\u72d7",
                       "predicted": "<b>", "probability": "0.25"}  # fmt: skip
    assert "predictions" not in json.loads((tmp_path / "report.json").read_text())["runs"][0]


def test_the_page_has_the_scores_of_every_class(tmp_path):
    counted = replace(run("finetune", 0, [0.85]), confusion=np.array([[9, 1], [2, 8]]))
    page = write_report(comparison(counted, run("scratch", 0, [0.6])), tmp_path).read_text()
    assert re.search(
        r"<td>1</td><td>other &amp; more</td><td>10</td><td>0\.889</td><td>0\.800</td><td>0\.842</td>", page
    )
    assert "other &amp; more taken for hot dog: 2 of 10" in page
    assert "What to do next" in page


def test_the_page_holds_everything_in_one_file(tmp_path):
    Image.new("RGB", (20, 10), "red").save(tmp_path / "red.png")
    mistake = {"file": str(tmp_path / "red.png"), "true": "hot dog", "predicted": "other & more", "probability": 0.99}
    runs = [run("finetune", 0, [0.8, 0.9, 0.9], [mistake]), run("scratch", 0, [0.6, 0.65, 0.7])]
    page = write_report(comparison(*runs), tmp_path / "out").read_text()
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        *("MODEL_CARD.md", "confusion.png", "curves.png", "mistakes.png", "predictions.csv", "report.html"),
        "report.json",
    ]
    assert page.count('src="data:image/png;base64,') == 3
    assert not re.search(r"""(src|href)=["']?(?!["']?data:)""", page)
    assert "&lt;my&gt; hot dogs" in page
    assert "<my>" not in page
    assert "starts 20.0 points higher" in page
    for name in ("curves", "confusion", "mistakes"):
        with Image.open(tmp_path / f"out/{name}.png") as image:
            assert min(image.size) > 200
            assert image.convert("L").getextrema() == (0, 255)


def test_a_page_of_200_classes_and_8_strategies_is_below_5_mb(tmp_path):
    rng, classes = np.random.default_rng(0), [f"species {i:03}" for i in range(200)]
    Image.fromarray(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)).save(tmp_path / "noise.png")
    mistake = {"file": str(tmp_path / "noise.png"), "true": classes[0], "predicted": classes[1], "probability": 0.9}
    strategies = ["finetune", "scratch", "frozen", "fixed", "lp-ft", "codes-svm", "codes-softmax", "distilled"]
    runs = []
    for i, name in enumerate(strategies):
        confusion = rng.poisson(0.2, (200, 200)) + np.diag(rng.poisson(10 + i, 200))
        runs.append(replace(run(name, 0, [0.5, 0.6], [mistake] * 8), confusion=confusion, predictions=[]))
    wide = replace(comparison(*runs), classes=classes)
    assert write_report(wide, tmp_path / "out").stat().st_size < 5e6


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
    assert first["confusion"] == [[90, 10], [10, 90]]
    assert first["history"][0] == {
        "epoch": 1, "loss": 1.0, "train_acc": 0.8, "test_acc": 0.8, "seconds": 10.0, "examples_per_s": 4.0,
        "test_loss": None}  # fmt: skip


def test_a_report_replaces_the_one_before(tmp_path):
    write_report(comparison(*better()), tmp_path)
    write_report(comparison(run("finetune", 0, [0.9])), tmp_path)
    assert len(json.loads((tmp_path / "report.json").read_text())["runs"]) == 1
    assert len(list(tmp_path.iterdir())) == 7
