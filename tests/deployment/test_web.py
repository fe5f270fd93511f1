"""The page of files that classifies photographs in the browser, in Chromium."""

import contextlib
import functools
import http.server
import shutil
import subprocess
import threading
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import mxnet as mx
import numpy as np
import pytest
from conftest import write_images
from PIL import Image

import d2ltl
from d2ltl.__main__ import main
from d2ltl.data.decoding import read_image
from d2ltl.deployment import web

PHOTOGRAPHS = Path(__file__).parents[3] / "shared/data/hotdog.zip"
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm: apt-get install npm")


@contextlib.contextmanager
def served(folder):
    """Yield the address of a folder on a plain web server."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def rendered_run(tmp_path_factory):
    """A comparison on rendered images, with a linear classifier on the features of EfficientNet-Lite0."""
    out = tmp_path_factory.mktemp("results") / "rendered"
    d2ltl.write_report(d2ltl.run_comparison(
        "hotdog-mini", net="efficientnet_lite0", pretrained="imagenet", strategies=["codes-softmax"], size=64, out=out,
    ), out)  # fmt: skip
    return out


@pytest.fixture(scope="module")
def page(rendered_run):
    assert main(["web", str(rendered_run), str(rendered_run / "page")]) == 0
    return rendered_run / "page"


@pytest.fixture(scope="module")
def view(browser, page):
    """The page, opened and kept for use without a network. It gets one file after another, as a reader gives them."""
    with served(page) as address:
        context = browser.new_context()
        opened = context.new_page()
        opened.goto(address)
        opened.locator("#offline").wait_for()
        opened.get_by_text("Ready.").wait_for()
        yield opened
        context.close()


def choose(view, file):
    """Take the last answer off the page, and choose a file."""
    view.evaluate("document.getElementById('answer').replaceChildren()")
    view.set_input_files("input[type=file]", file)


def answer(view, file):
    """Return the class that the page answers for a photograph, and its probability for each class."""
    choose(view, file)
    view.locator(".said").wait_for()
    shares = view.eval_on_selector_all(".bar div", "bars => bars.map(bar => parseFloat(bar.style.width) / 100)")
    names = view.locator(".bars > div:nth-child(3n + 1)").all_inner_texts()
    return view.locator(".said").inner_text(), dict(zip(names, shares))


def assert_as_predict(view, net, files):
    expected = d2ltl.predict(net, [str(file) for file in files])
    for file, name, row in zip(files, expected.names, expected.probabilities):
        said, shares = answer(view, file)
        assert shares == pytest.approx(dict(zip(net.classes, row)), abs=1e-2), file
        assert said == name or abs(row[0] - row[1]) < 2e-2


@pytest.mark.full
@needs_npm
class TestInChromium:
    def test_rendered_images_get_the_answers_of_predict(self, view, rendered_run):
        files = [path for path, _ in d2ltl.take(d2ltl.load_images("hotdog-mini")[1], 5).items]
        assert_as_predict(view, d2ltl.load_net(rendered_run), files)

    def test_photographs_get_the_answers_of_predict(self, view, rendered_run, tmp_path):
        if not PHOTOGRAPHS.exists():
            pytest.skip("needs the photographs, which are not part of the project")
        with zipfile.ZipFile(PHOTOGRAPHS) as archive:
            names = [name for name in archive.namelist() if "/test/" in name and name.endswith(".jpg")]
            files = [Path(archive.extract(name, tmp_path)) for name in names[::40]]
        assert len(files) == 20
        assert_as_predict(view, d2ltl.load_net(rendered_run), files)

    @pytest.mark.parametrize(
        "kind", ["turned", "mirrored", "large", "large and turned", "large PNG", "grey", "transparent", "CMYK"]
    )
    def test_every_kind_of_file_gets_the_answer_of_predict(self, view, rendered_run, tmp_path, kind):
        image = Image.open(d2ltl.load_images("hotdog-mini")[1].items[7][0]).convert("RGB")
        file, exif = tmp_path / "photo.jpg", Image.Exif()
        exif[0x0112] = 6 if "turned" in kind else 5 if kind == "mirrored" else 1
        if "large" in kind:
            noise = np.random.default_rng(0).integers(-6, 6, (2600, 4100, 1))
            pixels = np.asarray(image.resize((4100, 2600))) + noise
            image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        if "PNG" in kind:
            file = file.with_suffix(".png")
        if kind == "transparent":
            image.putalpha(Image.linear_gradient("L").resize(image.size))
            file = file.with_suffix(".png")
        if kind in ("grey", "CMYK"):
            image = image.convert({"grey": "L"}.get(kind, kind))
        image.save(file, exif=exif)
        assert_as_predict(view, d2ltl.load_net(rendered_run), [file])

    @pytest.mark.parametrize("shape", [(100, 120), (1, 1), (2, 300), (333, 500), (64, 64), (1500, 1030)])
    def test_pixels_are_resized_as_mxnet_does(self, view, tmp_path, shape):
        file = tmp_path / "noise.png"
        Image.fromarray(np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)).save(file)
        choose(view, file)
        prepared = view.evaluate(
            "import('./prepare.js').then(m => m.prepare(document.getElementById('photograph').files[0], 73, 64))"
            ".then(pixels => Array.from(pixels))"
        )
        augs = d2ltl.test_augs(64)
        expected = augs.on_image(mx.nd.array(read_image(file, detail=augs.detail), dtype="uint8")).asnumpy()
        np.testing.assert_array_equal(np.array(prepared).reshape(64, 64, 3), expected)

    @pytest.mark.parametrize("content", [b"Dear all", b"", b"\xff\xd8\xff no image"])
    def test_a_file_that_is_no_image_gets_a_message(self, view, tmp_path, content):
        (tmp_path / "notes.jpg").write_bytes(content)
        choose(view, tmp_path / "notes.jpg")
        view.get_by_text("notes.jpg cannot be read as an image. Give a photograph").wait_for()
        assert view.locator("#answer img").count() == 0

    def test_it_works_without_a_network_and_asks_no_other_host(self, browser, page, tmp_path):
        image, _ = d2ltl.load_images("hotdog-mini")[1].items[0]
        requests, errors = [], []
        context = browser.new_context(bypass_csp=True)  # so that nothing is only kept from asking
        context.on("request", lambda request: requests.append(request.url))
        with served(page) as address:
            view = context.new_page()
            view.on("pageerror", lambda error: errors.append(error))
            view.goto(address)
            view.locator("#offline").wait_for()
        # The server is gone.
        for place in ("", "index.html"):
            again = context.new_page()
            again.on("pageerror", lambda error: errors.append(error))
            again.goto(address + place)
            again.get_by_text("Ready.").wait_for()
            assert answer(again, image)[1]
        again.get_by_role("link", name="Licences").click()
        again.get_by_text("Apache License", exact=False).first.wait_for()
        context.close()
        assert {urlsplit(url).netloc for url in requests if not url.startswith("blob:")} == {urlsplit(address).netloc}
        assert errors == []

    def test_it_says_what_the_network_is_and_what_it_learned_from(self, view):
        text = " ".join(view.inner_text("main").split())
        assert view.title() == "hotdog or not-hotdog?"
        assert "of 400 test images. Always answering the most frequent class would be right for 50.0 %" in text
        assert "efficientnet_lite0 with the weights imagenet" in text
        assert "All that it learned the classes from are 800 rendered images, not photographs" in text
        assert "The photograph is not uploaded" in text

    def test_its_own_policy_lets_it_work(self, browser, page):
        reported = []
        with served(page) as address:
            context = browser.new_context()
            view = context.new_page()
            view.on("console", lambda message: reported.append(message.text))
            view.goto(address)
            view.get_by_text("Ready.").wait_for()
            context.close()
        assert reported == []


@pytest.mark.full
@needs_npm
class TestFiles:
    def test_the_licences_have_their_notices(self, page):
        text = (page / "licences.txt").read_text()
        for part in ("TensorFlow Authors", "weights were rounded", "Apache License", "Microsoft", "MIT License"):
            assert part in text

    def test_a_network_of_other_images_and_names_that_look_like_markup(self, small_source_file, tmp_path):
        classes = ("across </script><b>", "up & ${1 + 1} {{2}}")
        write_images(tmp_path / "images/train", 12, [name.replace("/", "∕") for name in classes])
        write_images(tmp_path / "images/test", 6, [name.replace("/", "∕") for name in classes], seed=1)
        out = tmp_path / "results"
        d2ltl.write_report(d2ltl.run_comparison(
            tmp_path / "images", net="mobilenet0.25", pretrained=small_source_file, size=64,
            strategies=["codes-softmax"], out=out,
        ), out)  # fmt: skip
        assert d2ltl.export_web(out, tmp_path / "page") < 1e-2
        text = (tmp_path / "page/index.html").read_text()
        assert "<b>24 images</b> (images)" in " ".join(text.split())
        assert "∕script><b>" not in text
        assert "Apache" not in (tmp_path / "page/licences.txt").read_text()

    @pytest.mark.parametrize("strategy", ["scratch", "distilled"])
    def test_a_network_that_was_untrained(self, small_source_file, tmp_path, stripes, strategy):
        d2ltl.write_report(d2ltl.run_comparison(
            stripes, net="mobilenet0.25", pretrained=small_source_file, size=32, batch_size=10, epochs=1,
            strategies=[strategy], out=tmp_path / "out",
        ), tmp_path / "out")  # fmt: skip
        d2ltl.export_web(tmp_path / "out", tmp_path / "page")
        text = " ".join((tmp_path / "page/index.html").read_text().split())
        assert f"The network is mobilenet0.25, untrained at first. It was trained here by <code>{strategy}" in text

    def test_a_network_without_a_comparison(self, source, tmp_path, stripes, monkeypatch):
        net = d2ltl.train_network("codes-softmax", source, data=stripes, size=32, verbose=False)[0]
        d2ltl.save_net(net, tmp_path / "mine.params")
        (tmp_path / "page").mkdir()
        monkeypatch.chdir(tmp_path / "page")
        d2ltl.export_web(tmp_path / "mine.params", ".")
        text = (tmp_path / "page/index.html").read_text()
        assert "Its test accuracy is not recorded with it" in text
        assert "All that it learned" not in text


class TestErrors:
    @pytest.mark.parametrize("kind", ["file", "folder"])
    def test_what_is_there_is_kept(self, tmp_path, capsys, kind):
        target = tmp_path / "page"
        if kind == "folder":
            target.mkdir()
        kept = target / "index.html" if kind == "folder" else target
        kept.write_text("mine")
        assert main(["web", str(tmp_path), str(target)]) == 2
        assert f"{target} is there, and is no empty folder" in capsys.readouterr().err
        assert kept.read_text() == "mine"

    def test_a_missing_network_is_named_and_nothing_is_written(self, tmp_path, capsys):
        assert main(["web", str(tmp_path / "none"), str(tmp_path / "page")]) == 2
        assert f"{tmp_path / 'none'} is not a trained network" in capsys.readouterr().err
        assert not [*tmp_path.iterdir()]

    @pytest.mark.parametrize(
        ("failure", "said"),
        [
            (FileNotFoundError("npm"), "Install npm"),
            (
                subprocess.CalledProcessError(1, "npm", stderr="npm error code ENOTCACHED\n"),
                "npm says: npm error code E",
            ),
        ],
    )
    def test_npm_that_fails_is_named(self, tmp_path, monkeypatch, failure, said):
        def fail(*_, **__):
            raise failure

        monkeypatch.setattr(web.subprocess, "run", fail)
        with pytest.raises(d2ltl.SettingsError, match=said):
            web._copy_runtime(tmp_path)

    def test_another_package_is_refused(self, tmp_path, monkeypatch):
        def pack(_, cwd, **__):
            Path(cwd, "onnxruntime-web.tgz").write_bytes(b"another")

        monkeypatch.setattr(web.subprocess, "run", pack)
        with pytest.raises(d2ltl.SettingsError, match="SHA512"):
            web._copy_runtime(tmp_path)
        assert not [*tmp_path.iterdir()]
