import json
import re
import shutil

import mxnet as mx
import numpy as np
import pytest
from conftest import write_images

import d2ltl
from d2ltl.deployment.loading import find_parameters

OPTIONS = {"size": 32, "epochs": 1, "batch_size": 8, "net": "tiny"}


@pytest.fixture(scope="session")
def stripes(tmp_path_factory):
    """A folder of synthetic images: 2 × 20 to train, 2 × 30 to test, enough to calibrate. Read only."""
    root = tmp_path_factory.mktemp("many-stripes")
    write_images(root / "train", 20)
    write_images(root / "test", 30, seed=1)
    return root


@pytest.fixture(scope="session")
def compared(stripes, source_file, tmp_path_factory):
    """The folder of a comparison of the network of three layers. Read only."""
    out = tmp_path_factory.mktemp("results") / "a"
    strategies = ["finetune", "codes-softmax", "codes-softmax-1"]
    d2ltl.run_comparison(stripes, pretrained=source_file, strategies=strategies, seeds=[0, 1], out=out, **OPTIONS)
    return out


def predicted(net, images):
    return d2ltl.predict(net, images).probabilities


@pytest.mark.parametrize("strategy", ["finetune", "codes-softmax", "codes-softmax-1"])
def test_a_run_comes_back_with_classes_size_and_the_same_answers(compared, stripes, strategy):
    net = d2ltl.load_net(compared / f"runs/{strategy}-seed1")
    assert (net.classes, net.size) == (["across", "upright"], 32)
    record = json.loads((compared / f"runs/{strategy}-seed1.run.json").read_text())
    answers = d2ltl.predict(net, stripes)
    assert answers.names == [predicted for _, _, predicted, _ in record["predictions"]]
    _, accuracy, _ = d2ltl.evaluate(net, stripes)
    assert accuracy == record["history"][-1]["test_acc"]


def test_probabilities_are_divided_by_the_temperature(compared, stripes):
    file = compared / "runs/finetune-seed0.params"
    raw = predicted(d2ltl.source_net("tiny", file), [path for path, _ in d2ltl.load_images(stripes)[1].items])
    description = json.loads(file.with_suffix(".json").read_text())
    assert abs(description["temperature"] - 1) > 0.02
    raised = raw.astype(float) ** (1 / description["temperature"])
    scaled = raised / raised.sum(axis=1, keepdims=True)
    assert not np.allclose(scaled, raw, atol=1e-3)
    net = d2ltl.load_net(file)
    assert net.calibrated
    np.testing.assert_allclose(d2ltl.predict(net, stripes, size=224).probabilities, scaled, atol=1e-4)


@pytest.mark.parametrize("suffix", ["", ".params", ".json", ".run.json"])
def test_a_run_may_be_named_by_any_of_its_files(compared, suffix):
    assert find_parameters(compared / f"runs/finetune-seed0{suffix}") == compared / "runs/finetune-seed0.params"


def test_a_comparison_means_its_most_accurate_network(compared):
    accuracies = {}
    for record in (compared / "runs").glob("*.run.json"):
        run = json.loads(record.read_text())
        accuracies.setdefault(run["strategy"], {})[run["seed"]] = run["history"][-1]["test_acc"]
    best = max(accuracies, key=lambda strategy: np.mean([*accuracies[strategy].values()]))
    for folder in (compared, compared / "runs"):
        found = find_parameters(folder)
        strategy, _, seed = found.stem.rpartition("-seed")
        assert np.mean([*accuracies[strategy].values()]) == np.mean([*accuracies[best].values()])
        assert accuracies[strategy][int(seed)] == max(accuracies[strategy].values())


@pytest.mark.parametrize(
    ("options", "ending"),
    [({}, "codes-softmax, seed 0"), ({"seeds": [3, 4]}, ", the most accurate of 2 networks"),
     ({"cross_validate": 2}, ", the most accurate of 2 networks")],
)  # fmt: skip
def test_the_log_names_the_network_that_a_comparison_means(stripes, source_file, tmp_path, caplog, options, ending):
    settings = {**OPTIONS, **options, "strategies": ["codes-softmax"], "out": tmp_path}
    d2ltl.run_comparison(stripes, pretrained=source_file, **settings)
    with caplog.at_level("INFO"):
        found = find_parameters(tmp_path)
    message = caplog.messages[-1]
    assert message.endswith(ending)
    assert ("fold" in message) == ("cross_validate" in options)
    name = message.split(": ")[-1].split(", the most")[0]  # such as "codes-softmax, seed 0, fold 2"
    assert name.replace(", ", "-").replace(" ", "") == found.stem


def test_a_run_works_away_from_its_comparison(compared, stripes, tmp_path):
    for suffix in ("params", "json"):
        shutil.copy(compared / f"runs/codes-softmax-1-seed0.{suffix}", tmp_path / f"moved.{suffix}")
    moved, kept = d2ltl.load_net(tmp_path / "moved"), d2ltl.load_net(compared / "runs/codes-softmax-1-seed0")
    assert (predicted(moved, stripes) == predicted(kept, stripes)).all()


def test_a_run_of_version_0_1_has_its_description_in_the_comparison(compared, stripes, tmp_path):
    shutil.copytree(compared, tmp_path / "old")
    for strategy in ("finetune", "codes-softmax-1"):
        file = tmp_path / f"old/runs/{strategy}-seed0.json"
        file.write_text(json.dumps(["across", "upright"]))
        net = d2ltl.load_net(file)
        assert (net.classes, net.size) == (["across", "upright"], 32)
        assert (
            d2ltl.predict(net, stripes).names
            == d2ltl.predict(d2ltl.load_net(compared / "runs" / file.stem), stripes).names
        )


def test_save_net_writes_what_load_net_reads(stripes, source, tmp_path):
    net = d2ltl.finetune_net(2, source)
    d2ltl.train_fine_tuning(net, 0.01, batch_size=8, num_epochs=1, size=32, data=stripes, verbose=False)
    d2ltl.save_net(net, tmp_path / "net.params")
    again = d2ltl.load_net(tmp_path / "net.params")
    assert (predicted(again, stripes) == predicted(net, stripes)).all()
    assert not again.calibrated
    assert d2ltl.load_net(tmp_path / "net.params", size=48).size == 48
    with pytest.raises(d2ltl.WeightsError, match="is of the network tiny, not of vgg11"):
        d2ltl.load_net(tmp_path / "net.params", net="vgg11")
    with pytest.raises(d2ltl.SettingsError, match=r"v1\.0 should end with \.params"):
        d2ltl.save_net(net, tmp_path / "v1.0")


def test_a_network_that_was_not_trained_is_not_saved(source, tmp_path):
    with pytest.raises(d2ltl.SettingsError, match="was not trained"):
        d2ltl.save_net(d2ltl.finetune_net(2, source), tmp_path / "net.params")
    assert not [*tmp_path.iterdir()]


def test_a_file_without_description_needs_the_name_of_the_network(source_file, stripes):
    with pytest.raises(d2ltl.WeightsError, match="does not say of which network it is"):
        d2ltl.load_net(source_file)
    net = d2ltl.load_net(source_file, net="tiny", size=32)
    assert net.classes == ["hot dog", "pizza", "hot pot", "banana", "sushi"]
    assert predicted(net, stripes).shape == (60, 5)


def test_a_network_that_gluon_exported_is_loaded(stripes, source, tmp_path):
    net = d2ltl.finetune_net(2, source)
    d2ltl.train_fine_tuning(net, 0.01, batch_size=8, num_epochs=1, size=32, data=stripes, verbose=False)
    expected = predicted(net, stripes)
    net(mx.nd.zeros((1, 3, 32, 32)))  # Gluon exports what has run
    net.export(str(tmp_path / "net"))
    again = d2ltl.load_net(tmp_path / "net-0000.params", size=32)
    assert again.classes == ["0", "1"]
    np.testing.assert_allclose(predicted(again, stripes), expected, atol=1e-6)
    (tmp_path / "net.json").write_text('["across", "upright"]')
    assert d2ltl.load_net(tmp_path / "net-0000.params", size=32).classes == ["across", "upright"]


@pytest.mark.parametrize("name", [".", "/", "nothing", "report.html", "runs/finetune-seed7"])
def test_what_is_no_network_is_named(tmp_path, monkeypatch, name):
    (tmp_path / "report.html").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(d2ltl.WeightsError, match=f"^{re.escape(name)} is not a trained network"):
        d2ltl.load_net(name)


def test_a_run_of_a_cross_validation_has_a_network_for_each_fold(stripes, source_file, tmp_path):
    d2ltl.run_comparison(stripes, pretrained=source_file, strategies=["codes-softmax"], cross_validate=2,
                         out=tmp_path / "a", **OPTIONS)  # fmt: skip
    with pytest.raises(d2ltl.WeightsError, match="codes-softmax-seed0-fold1, codes-softmax-seed0-fold2"):
        d2ltl.load_net(tmp_path / "a/runs/codes-softmax-seed0")
    records = [json.loads(path.read_text()) for path in sorted((tmp_path / "a/runs").glob("*fold*.run.json"))]
    for number, record in enumerate(records, 1):
        net = d2ltl.load_net(tmp_path / f"a/runs/codes-softmax-seed0-fold{number}")
        files, _, names, _ = zip(*record["predictions"])
        assert d2ltl.predict(net, list(files)).names == [*names]
    assert find_parameters(tmp_path / "a").stem.endswith(("fold1", "fold2"))


@pytest.mark.parametrize("content", ["{", "{}", "[]"])
def test_damaged_records_are_named(compared, tmp_path, content):
    shutil.copytree(compared, tmp_path / "a")
    (tmp_path / "a/runs/finetune-seed0.run.json").write_text(content)
    with pytest.raises(d2ltl.CheckpointError, match=r"finetune-seed0\.run\.json is not"):
        d2ltl.load_net(tmp_path / "a")
    shutil.copytree(compared, tmp_path / "b")
    (tmp_path / "b/settings.json").write_text(content)
    (tmp_path / "b/runs/finetune-seed0.json").write_text('["across", "upright"]')
    with pytest.raises(d2ltl.CheckpointError, match=r"settings\.json is not of a comparison"):
        d2ltl.load_net(tmp_path / "b/runs/finetune-seed0")


def test_an_exported_network_without_its_symbol_says_what_is_missing(stripes, source, tmp_path):
    net = d2ltl.finetune_net(2, source)
    net.hybridize()
    net(mx.nd.zeros((1, 3, 32, 32)))
    net.export(str(tmp_path / "net"))
    (tmp_path / "net-symbol.json").unlink()
    with pytest.raises(d2ltl.WeightsError, match=r"-symbol\.json beside it"):
        d2ltl.load_net(tmp_path / "net-0000.params")


def test_an_unfinished_comparison_says_how_to_go_on(compared, tmp_path):
    shutil.copytree(compared, tmp_path / "stopped", ignore=shutil.ignore_patterns("*.run.json"))
    with pytest.raises(d2ltl.WeightsError, match="holds no finished run.*--resume"):
        d2ltl.load_net(tmp_path / "stopped")


@pytest.mark.parametrize("content", ["{", '{"net": 1}', '{"classes": []}'])
def test_a_damaged_description_is_named(compared, tmp_path, content):
    shutil.copy(compared / "runs/finetune-seed0.params", tmp_path)
    (tmp_path / "finetune-seed0.json").write_text(content)
    with pytest.raises(d2ltl.WeightsError, match=r"finetune-seed0\.json is not the description"):
        d2ltl.load_net(tmp_path / "finetune-seed0")
