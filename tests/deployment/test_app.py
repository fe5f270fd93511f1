"""The page in the browser: what it says, and the page itself in Chromium."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import types
import urllib.error
import urllib.request
import zipfile
from urllib.parse import urlsplit

import mxnet as mx
import numpy as np
import pytest
from conftest import draw, write_images
from PIL import Image
from sklearn.metrics.pairwise import cosine_distances

import d2ltl
from d2ltl.__main__ import main
from d2ltl.comparison.runs import Run, RunFolder
from d2ltl.deployment import app, neighbours
from d2ltl.deployment.neighbours import Neighbours, sample_of, training_images
from d2ltl.deployment.page import Page
from d2ltl.errors import CheckpointError, ImageFolderError, NetworkError
from d2ltl.history import History

SIZE = 32


def trained(source, classes=("across", "upright"), outputs=None):
    """Return a network as after a training; `outputs` are added to its outputs."""
    net = d2ltl.finetune_net(len(classes), source)
    net.classes, net.size, net.levels, net.calibrated = list(classes), SIZE, None, False
    if outputs is not None:
        net(mx.nd.zeros((1, 3, SIZE, SIZE)))
        net.output.bias.set_data(mx.nd.array(outputs))
    return net


def page_of(net, record=None, neighbours="no images"):
    return Page(net, "results/a", record, neighbours)


def text_of(html):
    return " ".join(html.split())


@pytest.fixture
def photograph(tmp_path):
    """A photograph that its EXIF data turns by 90 degrees."""
    image = draw(0, np.random.default_rng(5))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    return tmp_path / "turned.jpg"


class TestNeighbours:
    def test_a_training_image_is_the_nearest_to_itself(self, source, stripes):
        train, _ = d2ltl.load_images(stripes)
        for i in (0, 7, 33):
            found = Neighbours(trained(source), train).nearest(train.subset([i]), 4)
            first, distances = found[0], [neighbour.distance for neighbour in found]
            assert first.distance == pytest.approx(0, abs=1e-6)
            assert distances == sorted(distances)
            assert first.name == train.synsets[train.labels[i]]
            np.testing.assert_array_equal(first.pixels, train.read(i))

    def test_the_distance_is_the_cosine_distance_of_the_codes(self, source, stripes):
        net = trained(source)
        train, test = d2ltl.load_images(stripes)
        codes, photographs = (d2ltl.extract_codes(net, part, size=SIZE) for part in (train, test))
        of = Neighbours(net, train)
        found = of.nearest(test.subset([3]), 5)
        expected = np.sort(cosine_distances(photographs[3:4], codes)[0])[:5]
        assert [neighbour.distance for neighbour in found] == pytest.approx(expected, abs=1e-5)
        between = cosine_distances(codes) + np.diag(np.full(len(codes), np.inf))
        assert of.usual == pytest.approx(np.median(between.min(axis=1)), abs=1e-5)

    def test_of_many_images_some_of_each_class_are_compared(self, stripes, monkeypatch):
        monkeypatch.setattr(neighbours, "MOST", 10)
        assert np.bincount(sample_of(stripes, False).labels).tolist() == [5, 5]

    def test_the_images_are_those_to_train(self, stripes, tmp_path):
        images = training_images(run_on(stripes, tmp_path))
        assert len(images) == 40
        assert all(path.startswith(str(stripes / "train")) for path, _ in images.items)

    def test_unreadable_images_are_left_out_if_the_training_left_them_out(self, stripes, tmp_path):
        shutil.copytree(stripes, tmp_path / "images")
        (tmp_path / "images/train/across/000.jpg").write_bytes(b"\xff\xd8\xff no image")
        assert len(training_images(run_on(tmp_path / "images", tmp_path, skip_unreadable=True))) == 39

    @pytest.mark.parametrize("data", ["/no/such/folder", "hotdog", "gone.zip"])
    def test_images_that_are_not_here_are_not_downloaded(self, data, tmp_path, monkeypatch):
        monkeypatch.setenv("D2LTL_DATA", str(tmp_path / "cache"))
        with pytest.raises(ImageFolderError, match=f"not found: {data}.*--data"):
            training_images(run_on(data, tmp_path))

    def test_a_file_outside_of_a_comparison_has_no_images(self, tmp_path):
        with pytest.raises(ImageFolderError, match="--data"):
            training_images(tmp_path / "net.params")

    @pytest.mark.parametrize("content", ["{", "[]", '{"data": "hotdog-mini"}'])
    def test_damaged_settings_are_named(self, content, tmp_path):
        (tmp_path / "settings.json").write_text(content)
        with pytest.raises(CheckpointError, match=r"settings\.json .* damaged"):
            training_images(tmp_path / "runs/lp-ft-seed0.params")


def run_on(data, folder, skip_unreadable=False):
    """Write the settings of a comparison, and return the path of a run's parameters."""
    (folder / "runs").mkdir()
    settings = {"data": str(data), "net": "tiny", "size": SIZE, "skip_unreadable": skip_unreadable}
    (folder / "settings.json").write_text(json.dumps(settings))
    return folder / "runs/lp-ft-seed0.params"


class TestAnswer:
    def test_it_is_that_of_predict(self, source, stripes, photograph):
        net = trained(source)
        expected = d2ltl.predict(net, photograph)
        answer = page_of(net, neighbours=Neighbours(net, d2ltl.load_images(stripes)[0])).ask(str(photograph))
        assert dict(answer.probabilities) == pytest.approx(dict(zip(expected.classes, expected.probabilities[0])))
        assert answer.probabilities[0][0] == expected.names[0]
        assert answer.sure == expected.sure[0]
        width, height = Image.open(photograph).size
        assert answer.photograph.shape == (width, height, 3)  # upright
        assert min(answer.where.shape[:2]) == 2 * SIZE
        assert (answer.where.shape[0] >= answer.where.shape[1]) == (width >= height)
        assert len(answer.nearest) == 6

    @pytest.mark.parametrize(("outputs", "unsure"), [([0, 0.5], True), ([9, -9], False), ([-9, 9], False)])
    def test_it_says_when_it_is_unsure(self, source, photograph, outputs, unsure):
        html = page_of(trained(source, outputs=outputs)).answer(str(photograph))
        assert ("<b>unsure</b>" in html) == unsure

    def test_a_probability_is_never_0_or_100_percent(self, source, photograph):
        html = page_of(trained(source, outputs=[99, -99])).answer(str(photograph))
        assert "&gt; 99.9 %" in html
        assert "&lt; 0.1 %" in html

    def test_of_many_classes_the_most_probable_are_shown(self, source, photograph):
        names = [f"kind {i}" for i in range(12)]
        html = text_of(page_of(trained(source, names, np.arange(12) * 3)).answer(str(photograph)))
        assert [name for name in names if f"<div>{name}</div>" in html] == names[-5:]
        assert "The other 7 classes together: &lt; 0.1 %" in html

    def test_names_are_text_and_not_markup(self, source, photograph):
        page = page_of(trained(source, ["<b>a</b>", "b & c"]))
        for html in (page.introduction(), page.answer(str(photograph))):
            assert "<b>a" not in html
            assert "&lt;b&gt;a&lt;/b&gt;" in html
            assert "b &amp; c" in html

    @pytest.mark.parametrize("kind", ["text", "empty", "truncated", "archive"])
    def test_a_file_that_is_no_image_gets_a_message(self, source, stripes, tmp_path, kind):
        file, image = tmp_path / "file.jpg", stripes / "test/across/000.jpg"
        if kind == "archive":
            with zipfile.ZipFile(file, "w") as archive:
                archive.write(image, "a.jpg")
        else:
            file.write_bytes({"text": b"Dear all", "empty": b"", "truncated": image.read_bytes()[:-300]}[kind])
        html = page_of(trained(source)).answer(str(file))
        assert "file.jpg cannot be read as an image. Give a photograph" in html
        assert "<img" not in html
        assert str(tmp_path) not in html
        assert "--skip-unreadable" not in html

    def test_an_exported_network_says_what_it_cannot_show(self, source, photograph, tmp_path):
        net = trained(source)
        net.hybridize()
        net(mx.nd.zeros((1, 3, SIZE, SIZE)))
        net.export(str(tmp_path / "net"))
        exported = d2ltl.load_net(tmp_path / "net-0000.params", size=SIZE)
        with pytest.raises(NetworkError, match="has no features") as error:
            Neighbours(exported, d2ltl.load_images("hotdog-mini")[0])
        html = page_of(exported, neighbours=str(error.value)).answer(str(photograph))
        assert "does not show where it looks" in html
        assert "has no features to compare" in html
        assert html.count("<img") == 1


class TestIntroduction:
    def test_the_accuracy_stands_beside_its_yardstick(self, source):
        record = Run("lp-ft", 0, 0.1, History([]), np.array([[27, 3], [2, 8]]), [])
        text = text_of(page_of(trained(source), record).introduction())
        assert "<code>results/a</code> was right for <b>87.5 %</b> of 40 test images" in text
        assert "Always answering the most frequent class would be right for 75.0 % of them" in text
        assert "It knows only 2 classes: across, upright." in text

    def test_an_accuracy_that_is_not_recorded_is_not_made_up(self, source):
        assert "Its test accuracy is not recorded" in page_of(trained(source)).introduction()

    def test_many_classes_are_cut(self, source):
        page = page_of(trained(source, [f"kind {i}" for i in range(30)]))
        assert "kind 19 and 10 more." in page.introduction()
        assert page.title == "Which of 30 classes?"


class TestCommand:
    def test_an_old_python_is_named(self, tmp_path, monkeypatch, capsys):
        old = types.SimpleNamespace(version_info=(3, 9, 18), version="3.9.18 (main)")
        monkeypatch.setattr(app, "sys", old)
        assert main(["app", str(tmp_path)]) == 2
        assert "needs Python 3.10 or later, as Gradio does; this is Python 3.9.18" in capsys.readouterr().err

    @pytest.mark.skipif(sys.version_info < (3, 10), reason="Gradio needs Python 3.10")
    def test_a_missing_extra_is_named(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "gradio", None)
        assert main(["app", str(tmp_path)]) == 2
        assert "pip install 'd2ltl[app]'" in capsys.readouterr().err

    @pytest.mark.skipif(sys.version_info < (3, 10), reason="Gradio needs Python 3.10")
    def test_a_port_in_use_is_named(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "gradio", types.ModuleType("gradio"))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            assert main(["app", str(tmp_path), "--port", str(port)]) == 2
        assert f"error: The page cannot be at port {port} of 127.0.0.1 (" in capsys.readouterr().err

    @pytest.mark.skipif(sys.version_info < (3, 10), reason="Gradio needs Python 3.10")
    @pytest.mark.parametrize("options", [["--port", "70000"], ["--host", "256.0.0.1"], ["--host", "not a name"]])
    def test_an_impossible_address_is_named(self, options, tmp_path, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "gradio", types.ModuleType("gradio"))
        assert main(["app", str(tmp_path), *options]) == 2
        assert options[1] in capsys.readouterr().err

    @pytest.mark.skipif(sys.version_info < (3, 10), reason="Gradio needs Python 3.10")
    def test_a_missing_network_is_named(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "gradio", types.ModuleType("gradio"))
        assert main(["app", str(tmp_path / "none")]) == 2
        assert f"{tmp_path / 'none'} is not a trained network" in capsys.readouterr().err


WATCHED = """
import sys

def watch(event, arguments):
    host = {"socket.connect": lambda: arguments[1][0], "socket.getaddrinfo": lambda: arguments[0]}.get(event)
    if host and host() not in ("127.0.0.1", "localhost", None):
        with open(sys.argv[1], "a") as file:
            print(event, arguments, file=file)

sys.addaudithook(watch)
from d2ltl.__main__ import main
sys.exit(main(sys.argv[2:]))
"""
CLASSES = ("across <b>", "up & ${1 + 1} {{2}}")  # nothing of these is markup or a template


@contextlib.contextmanager
def served(run, folder):
    """Yield the address of the page of a run, and end it by Ctrl-C; `folder` gets its temporary files and its log."""
    (folder / "temporary").mkdir()
    command = [sys.executable, "-c", WATCHED, folder / "elsewhere.txt", "app", run]
    with (
        (folder / "errors.txt").open("w") as errors,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "TMPDIR": str(folder / "temporary"), "http_proxy": "http://127.0.0.1:9"},
        ) as process,
    ):
        try:
            line = next(line for line in process.stdout if "http://" in line)
            yield next(word for word in line.split() if word.startswith("http://"))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
    assert process.returncode == 130


@pytest.mark.full
def test_the_page_answers_and_asks_no_other_host(browser, small_source_file, photograph, tmp_path, monkeypatch):
    pytest.importorskip("gradio", reason="needs the extra app and Python 3.10, as the full tier has them")
    write_images(tmp_path / "images/train", 12, CLASSES)
    write_images(tmp_path / "images/test", 6, CLASSES, seed=1)
    out = tmp_path / "results/a"
    d2ltl.run_comparison(tmp_path / "images", net="mobilenet0.25", pretrained=small_source_file, size=64, out=out,
                         strategies=["codes-softmax"])  # fmt: skip
    (record,) = RunFolder(out / "runs").finished().values()
    expected = d2ltl.predict(d2ltl.load_net(out), photograph)
    text_file = tmp_path / "notes.txt"
    text_file.write_text("Dear all")

    context = browser.new_context(bypass_csp=True)  # so that nothing is only kept from asking
    requests = []
    context.on("request", lambda request: requests.append(request.url))
    view = context.new_page()
    with served(out, tmp_path) as address:
        view.goto(address)
        view.get_by_role("heading", level=1).wait_for()
        assert view.title() == f"{CLASSES[0]} or {CLASSES[1]}?" == view.get_by_role("heading", level=1).inner_text()
        assert f"was right for {100 * record.accuracy:.1f} % of 12 test images" in view.inner_text("body")

        view.set_input_files("input[type=file]", photograph)
        view.locator(".said").wait_for()
        assert view.locator(".said").inner_text() == expected.names[0]
        best = expected.probabilities.max()
        assert f"{100 * best:.1f} %" in view.locator(".number").first.inner_text()
        assert view.locator(".unsure").count() == (0 if expected.sure[0] else 1)
        shapes = view.eval_on_selector_all("img", "images => images.map(i => [i.naturalWidth, i.naturalHeight])")
        width, height = Image.open(photograph).size
        assert shapes[0] == [height, width]  # upright
        assert len(shapes) == 1 + 1 + 6  # the photograph, where, and the nearest ones
        left = [path for path in (tmp_path / "temporary").rglob("*") if path.is_file()]
        assert not any(path.read_bytes() for path in left)  # Gradio leaves empty files

        view.set_input_files("input[type=file]", text_file)
        view.get_by_text("notes.txt cannot be read as an image").wait_for()
        for file in (out / "settings.json", photograph, "setup.py", "/etc/hostname"):
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(f"{address}gradio_api/file={file}")
    context.close()

    asked = {urlsplit(url).netloc for url in requests if not url.startswith(("data:", "blob:"))}
    assert asked == {urlsplit(address).netloc}
    assert not (tmp_path / "elsewhere.txt").exists()
    assert not list((tmp_path / "temporary").glob("d2ltl-*"))
    errors = (tmp_path / "errors.txt").read_text()
    assert "Stopped. The page is closed" in errors
    assert "Traceback" not in errors
