import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import write_images
from PIL import Image

import d2ltl
from d2ltl.__main__ import COMMANDS, main
from d2ltl.deployment.places import places_of


@pytest.fixture(scope="session")
def run(stripes, source_file, tmp_path_factory):
    """The ``.params`` file of a network of three layers that tells the stripes apart. Read only."""
    net = d2ltl.finetune_net(2, d2ltl.source_net("tiny", source_file))
    d2ltl.train_on_codes(net, "softmax", data=stripes, size=32, verbose=False)
    file = tmp_path_factory.mktemp("run") / "net.params"
    d2ltl.save_net(net, file)
    return file


@pytest.fixture
def photos(tmp_path):
    """A folder of four new photographs, in folders of years."""
    write_images(tmp_path / "photos", 2, ("2024", "2025"), seed=7)
    return tmp_path / "photos"


def test_predict_prints_a_table_and_writes_csv_json_and_a_sheet(run, photos, tmp_path, capsys):
    files = {suffix: tmp_path / f"answers.{suffix}" for suffix in ("csv", "json", "png")}
    options = ["--csv", files["csv"], "--json", files["json"], "--out", files["png"]]
    assert main(["predict", str(run), str(photos), *map(str, options)]) == 0
    printed = capsys.readouterr().out
    answers = d2ltl.predict(d2ltl.load_net(run), d2ltl.UnlabelledImages(photos))
    with files["csv"].open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    content = json.loads(files["json"].read_text(encoding="utf-8"))
    records = content["answers"]
    assert content["classes"] == ["across", "upright"]
    assert len(rows) == len(records) == 4
    for path, name, of, sure, row, record in zip(
        answers.files, answers.names, answers.probabilities, answers.sure, rows, records
    ):
        assert (row["file"], row["class"], row["sure"]) == (path, name, str(sure))
        assert [float(row["across"]), float(row["upright"])] == pytest.approx(of.tolist(), abs=1e-5)
        assert record["probabilities"] == [float(row[name]) for name in ("across", "upright")]
        line = next(line for line in printed.splitlines() if line.startswith(path))
        assert name in line
        assert ("unsure" in line) == (not sure)
    assert "4 images: " in printed
    assert f"across {answers.names.count('across')}" in printed
    assert f"{(~answers.sure).sum()} unsure" in printed
    with Image.open(files["png"]) as sheet:
        assert min(sheet.size) > 200


def test_where_is_bright_where_the_class_is(run):
    """The left half has reddish stripes across, the right half bluish upright ones, as in the images to train."""
    stripes = np.arange(192) // 6 % 2
    across, upright = np.broadcast_to(stripes[:, None], (192, 192)), np.broadcast_to(stripes, (192, 192))
    colours = np.array([[[220, 60, 60], [120, 10, 10]], [[60, 60, 220], [10, 10, 120]]], dtype=np.uint8)
    image = np.concatenate([colours[0][across], colours[1][upright]], axis=1)
    show = places_of(d2ltl.load_net(run))
    halves = [np.array_split(show(image, label).astype(float), 2, axis=1) for label in (0, 1)]
    (left_across, right_across), (left_upright, right_upright) = [[half.mean() for half in pair] for pair in halves]
    assert left_across / right_across > 1.05 * left_upright / right_upright


def test_a_strip_is_squeezed(run):
    lit = places_of(d2ltl.load_net(run))(np.zeros((10, 20000, 3), np.uint8), 0)
    assert lit.shape == (64, 256, 3)


def test_a_sheet_shows_the_places_too(run, photos, tmp_path):
    plain, where = tmp_path / "plain.png", tmp_path / "where.png"
    assert main(["predict", str(run), str(photos), "--out", str(plain)]) == 0
    assert main(["predict", str(run), str(photos), "--out", str(where), "--where"]) == 0
    with Image.open(plain) as without, Image.open(where) as picture:
        assert picture.height > 1.5 * without.height  # twice as many pictures


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--where"], "--where needs --out"),
        (["--out", "sheet.jpg"], "the name ends with .png"),
        (["--csv", "no/such/folder.csv"], "there is no folder no/such"),
    ],
)
def test_options_are_checked_before_the_work(run, photos, capsys, options, words):
    with pytest.raises(SystemExit) as stopped:
        main(["predict", str(run), str(photos), *options])
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("label", [0, 1])
def test_the_best_place_is_as_bright_as_the_photograph(run, label):
    """Of many classes, or at another scale than in training, no place may have a high probability."""
    where = places_of(d2ltl.load_net(run))
    lit = where(np.full((70, 90, 3), 200, np.uint8), label)
    assert lit.max() == 200


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing", "PHOTOS"], "nothing is not a trained network"),
        (["RUN", "missing.jpg"], "There is no file or folder missing.jpg"),
        (["RUN", "PHOTOS/broken.jpg"], "broken.jpg cannot be read as an image"),
        (["RUN", "PHOTOS", "--size", "0"], "size is 0"),
    ],
)
def test_what_is_wrong_is_named(run, photos, capsys, arguments, words):
    (photos / "broken.jpg").write_bytes(b"<html>")
    given = [argument.replace("RUN", str(run)).replace("PHOTOS", str(photos)) for argument in arguments]
    skip = ["--skip-unreadable"] if "PHOTOS" in arguments else []
    assert main(["predict", *given, *skip]) == 2
    assert words in capsys.readouterr().err


def test_unreadable_photographs_are_skipped_if_asked(run, photos, capsys):
    (photos / "broken.jpg").write_bytes(b"<html>")
    assert main(["predict", str(run), str(photos)]) == 2
    assert main(["predict", str(run), str(photos), "--skip-unreadable"]) == 0
    assert "4 images: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "module"),
    [(["export", "RUN", "net.onnx"], "onnx"), (["predict", "net.onnx", "a.jpg"], "onnxruntime")],
)
def test_a_missing_extra_is_named(run, tmp_path, capsys, monkeypatch, arguments, module):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").touch()
    assert main([argument.replace("RUN", str(run)) for argument in arguments]) == 2
    assert "pip install 'd2ltl[onnx]'" in capsys.readouterr().err


def test_export_wants_the_suffix(run, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["export", str(run), "net.params"])
    assert stopped.value.code == 2
    assert "should end with .onnx" in capsys.readouterr().err


@pytest.mark.full
def test_export_and_predict_of_the_exported_network(run, photos, tmp_path, capsys):
    exported = tmp_path / "net.onnx"
    assert main(["export", str(run), str(exported)]) == 0
    assert "2 classes, 32 × 32 pixels" in capsys.readouterr().out
    tables = []
    for network in (run, exported):
        assert main(["predict", str(network), str(photos)]) == 0
        tables.append(capsys.readouterr().out.splitlines()[-7:])
    assert tables[0] == tables[1]
    assert main(["predict", str(exported), str(photos), "--where", "--out", str(tmp_path / "sheet.png")]) == 2
    assert "does not show where it looks" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_that_names_it(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    module = COMMANDS[command][0].removesuffix(".__main__").removesuffix("_command").replace(".deployment.", " ")
    assert f"usage: python -m {module}" in capsys.readouterr().out


def test_the_front_door_lists_the_commands():
    done = subprocess.run([sys.executable, "-m", "d2ltl", "--help"], capture_output=True, text=True, check=True)
    assert all(f"  {command} " in done.stdout for command in COMMANDS)
    done = subprocess.run([sys.executable, "-m", "d2ltl", "predcit"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "invalid choice: 'predcit'" in done.stderr


def test_the_help_of_the_front_door_loads_no_mxnet():
    code = (
        "import sys; from d2ltl.__main__ import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: print('mxnet' in sys.modules)"
    )
    for arguments in (["--help"], ["predict", "--help"], ["export", "--help"]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "False"


def test_answers_are_not_half_written(run, photos, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    (tmp_path / "answers.csv").write_text("old")
    monkeypatch.setattr("os.replace", full)
    assert main(["predict", str(run), str(photos), "--csv", str(tmp_path / "answers.csv")]) == 2
    assert (tmp_path / "answers.csv").read_text() == "old"
    assert [path.name for path in tmp_path.glob("*.csv")] == ["answers.csv"]
