"""Names of files, folders and classes that are not UTF-8, as on old disks of Windows."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import draw, write_images

import d2ltl
from d2ltl.deployment.answers import summary, table
from d2ltl.training.predictions import Predictions


def write_named(root, classes, image):
    """Write 5 images of each class; the names are bytes."""
    for label, name in enumerate(classes):
        folder = os.path.join(os.fsencode(root), name)
        os.makedirs(folder)
        for i in range(5):
            with open(os.path.join(folder, image % i), "wb") as file:
                draw(label, np.random.default_rng(i)).save(file, "jpeg")


@pytest.mark.parametrize(
    ("folder", "classes", "image", "shown"),
    [
        (b"photos", [b"cat", b"dog"], b"caf\xe9%d.jpg", ["cat", "dog"]),
        (b"photos", [b"caf\xe9", b"dog"], b"%d.jpg", ["caf\\xe9", "dog"]),
        (b"photos", ["热狗".encode("gbk"), "披萨".encode("gbk")], b"%d.jpg", ["\\xc8ȹ\\xb7", "\\xc5\\xfb\\xc8\\xf8"]),
        (b"k\xe4se", [b"cat", b"dog"], b"\xff%d", ["cat", "dog"]),
    ],
)
def test_a_comparison_writes_its_report(tmp_path, source_file, folder, classes, image, shown):
    data = os.path.join(str(tmp_path), os.fsdecode(folder))
    write_named(data, classes, image)
    options = {
        "net": "tiny",
        "pretrained": source_file,
        "size": 32,
        "epochs": 1,
        "batch_size": 4,
        "out": tmp_path / "o",
    }
    comparison = d2ltl.run_comparison(data, strategies=["codes-svm"], **options)
    assert sorted(comparison.classes) == sorted(shown)
    assert d2ltl.write_report(comparison, tmp_path / "o").exists()
    report = json.loads((tmp_path / "o/report.json").read_text(encoding="utf-8"))
    assert report["data"] == data
    assert report == json.loads(json.dumps(comparison.to_dict()))
    again = d2ltl.run_comparison(data, strategies=["codes-svm"], resume=True, **options)
    assert again.to_dict() == comparison.to_dict()


@pytest.mark.parametrize(
    "encoding", ["ascii", *(pytest.param(name, marks=pytest.mark.full) for name in ("utf-8", "latin-1"))]
)
def test_a_command_prints_names_that_its_output_cannot_encode(tmp_path, small_source_file, encoding):
    data = tmp_path / "热狗"
    write_images(data, 5, classes=("кот", "b\udcff"))
    (data / "кот/пёс\udcff.txt").touch()
    command = ["d2ltl.compare", "--data", str(data), "--net", "mobilenet0.25", "--pretrained", str(small_source_file),
               "--size", "32", "--strategies", "codes-svm", "--out", str(tmp_path / "热")]  # fmt: skip
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    run = subprocess.run([sys.executable, "-m", *command], env=environment, capture_output=True)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "热/report.html").exists()


def test_an_output_folder_that_mxnet_cannot_write_to_is_refused_before_the_training(tmp_path, stripes, source_file):
    options = {"net": "tiny", "pretrained": source_file, "size": 32, "epochs": 1, "batch_size": 4}
    with pytest.raises(d2ltl.CheckpointError, match=r"out.xff is not UTF-8"):
        d2ltl.run_comparison(stripes, out=tmp_path / "out\udcff", **options)


@pytest.mark.parametrize("name", ["ورق", "נייר", "paper ورق"])
def test_numbers_after_a_name_from_right_to_left_keep_their_order(tmp_path, source_file, name):
    """Without the mark U+200E, a browser and a terminal show "name 6 + 2" as "2 + 6 name"."""
    write_images(tmp_path / "photos", 8, (name, "upright"))
    options = {"pretrained": source_file, "size": 32, "epochs": 1, "batch_size": 8, "strategies": ["codes-svm"]}
    comparison = d2ltl.run_comparison(tmp_path / "photos", net="tiny", **options)
    column = comparison.classes.index(name)
    comparison.runs[0].confusion = np.array([[2, 0], [0, 3]])
    comparison.runs[0].confusion[column] = [1, 1]
    page = d2ltl.write_report(comparison, tmp_path / "out").read_text(encoding="utf-8")
    for text in (f"{name}\u200e 6 + 2", f"{name}\u200e taken for upright: 1 of 2"):
        assert text in page
    assert "\u200e" not in (tmp_path / "out/predictions.csv").read_text(encoding="utf-8")
    images = d2ltl.load_images(tmp_path / "photos")[1].subset([0])
    answers = Predictions(np.eye(2)[[column]], images.labels, images, comparison.classes)
    assert f"  {name}\u200e" in table(answers)
    assert f"1 image: {name}\u200e 1; 0 unsure" in summary(answers, calibrated=True)
