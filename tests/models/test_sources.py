import functools
import hashlib
import http.server
import shutil
import threading
import zipfile

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon.model_zoo import model_store

import d2ltl
from d2ltl.arrays import to_mx
from d2ltl.models import sources


def test_a_file_gives_weights_and_names(source_file):
    net = d2ltl.source_net("tiny", source_file)
    assert net.classes == ["hot dog", "pizza", "hot pot", "banana", "sushi"]
    saved = mx.nd.load(str(source_file))
    assert np.array_equal(net.output.weight.data().asnumpy(), saved["output.weight"].asnumpy())


def test_the_models_at_hand_are_the_shipped_the_installed_and_the_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))
    monkeypatch.setattr(sources.packages, "find", lambda name: tmp_path if name == "efficientnet_lite0" else None)
    assert sources.at_hand() == [("resnet18_v2", "tinyimagenet"), ("efficientnet_lite0", "imagenet")]
    file = sources.store_file("mobilenet0.25")
    file.parent.mkdir()
    file.touch()
    (file.parent / "mine-1.params").touch()  # not of the zoo
    assert sources.at_hand()[1:] == [("efficientnet_lite0", "imagenet"), ("mobilenet0.25", "imagenet")]


def test_without_a_file_of_names_classes_are_numbered(source_file, tmp_path):
    file = tmp_path / "alone.params"
    file.write_bytes(source_file.read_bytes())
    assert d2ltl.source_net("tiny", file).classes == ["0", "1", "2", "3", "4"]


def test_half_precision_is_cast(source, source_file, tmp_path):
    half = {name: array.astype("float16") for name, array in mx.nd.load(str(source_file)).items()}
    mx.nd.save(str(tmp_path / "half.params"), half)
    weight = d2ltl.source_net("tiny", tmp_path / "half.params").output.weight.data()
    assert weight.dtype == np.float32
    np.testing.assert_allclose(weight.asnumpy(), source.output.weight.data().asnumpy(), rtol=1e-3)


def test_a_missing_file_says_what_to_give(tmp_path):
    with pytest.raises(d2ltl.WeightsError, match=r"no file .*none\.params\. Give 'imagenet' or a \.params file"):
        d2ltl.source_net("resnet18_v2", tmp_path / "none.params")


def test_damaged_weights_are_refused(source_file, tmp_path):
    for name, content in {
        "cut": source_file.read_bytes()[:3000],
        "page": b"<html>log in</html>",
        "empty": b"",
    }.items():
        (tmp_path / f"{name}.params").write_bytes(content)
        with pytest.raises(d2ltl.WeightsError, match=f"{name}.params"):
            d2ltl.source_net("tiny", tmp_path / f"{name}.params")


def test_weights_of_another_network_name_what_differs(source_file):
    with pytest.raises(d2ltl.WeightsError, match=r"source\.params is of another network: features\.[\w.]+ is missing"):
        d2ltl.source_net("resnet34_v2", source_file)


def test_weights_of_another_size_name_what_differs(tmp_path):
    net = mx.gluon.model_zoo.vision.mobilenet0_5(classes=3)
    net.initialize()
    net(mx.nd.zeros((1, 3, 64, 64)))
    net.save_parameters(str(tmp_path / "half.params"))
    with pytest.raises(d2ltl.WeightsError, match=r"not of mobilenet0\.25: features\.0\.weight is \(16, 3, 3, 3\)"):
        d2ltl.source_net("mobilenet0.25", tmp_path / "half.params")


@pytest.mark.parametrize("written_under", [False, True])
@pytest.mark.parametrize("read_under", [False, True])
def test_files_of_both_interfaces_are_read_under_both(tmp_path, written_under, read_under):
    with mx.util.np_shape(written_under), mx.util.np_array(written_under):
        net = mx.gluon.model_zoo.vision.mobilenet0_25(classes=3)
        net.initialize()
        net(to_mx(np.zeros((1, 3, 64, 64), dtype=np.float32)))
        net.save_parameters(str(tmp_path / "net.params"))
    with mx.util.np_shape(read_under), mx.util.np_array(read_under):
        weight = d2ltl.source_net("mobilenet0.25", tmp_path / "net.params").output.weight.data()
    assert np.array_equal(weight.asnumpy(), net.output.weight.data().asnumpy())


@pytest.mark.parametrize(
    ("names", "problem"), [("[1, 2]", "JSON list"), ("{", "JSON list"), ('["a"]', "names 1 classes")]
)
def test_bad_names_are_refused(source_file, tmp_path, names, problem):
    (tmp_path / "net.params").write_bytes(source_file.read_bytes())
    (tmp_path / "net.json").write_text(names)
    with pytest.raises(d2ltl.WeightsError, match=problem):
        d2ltl.source_net("tiny", tmp_path / "net.params")


def test_an_unknown_network_lists_those_there_are():
    with pytest.raises(d2ltl.NetworkError, match="resnet18_v2"):
        sources.build_net("resnet19", classes=2)


def test_the_1000_classes_have_the_hot_dog_at_934():
    names = sources.imagenet_classes()
    assert (len(names), names[713], names[934]) == (1000, "photocopier", "hotdog")


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A local server in the place of the zoo's, which has mobilenet0.25 with random weights; its folder."""
    net = mx.gluon.model_zoo.vision.mobilenet0_25(prefix="mobilenet_")
    net.initialize(mx.init.Xavier())
    net(mx.nd.zeros((1, 3, 64, 64)))
    file = tmp_path / "weights.params"
    net.save_parameters(str(file))
    sha1 = hashlib.sha1(file.read_bytes()).hexdigest()
    (tmp_path / "site/gluon/models").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / f"site/gluon/models/mobilenet0.25-{sha1[:8]}.zip", "w") as archive:
        archive.write(file, f"mobilenet0.25-{sha1[:8]}.params")
    monkeypatch.setitem(model_store._model_sha1, "mobilenet0.25", sha1)
    monkeypatch.setenv("MXNET_HOME", str(tmp_path / "home"))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MXNET_GLUON_REPO", f"http://127.0.0.1:{server.server_port}/")
        yield tmp_path / "site"
        server.shutdown()


def test_imagenet_weights_come_from_the_store_and_stay(store):
    net = d2ltl.source_net("mobilenet0.25", "imagenet")
    assert (len(net.classes), net.classes[934]) == (1000, "hotdog")
    shutil.rmtree(store)
    again = d2ltl.source_net("mobilenet0.25", "imagenet")
    assert np.array_equal(net.output.weight.data().asnumpy(), again.output.weight.data().asnumpy())


def test_weights_that_cannot_be_had_say_where_they_belong(store):
    shutil.rmtree(store)
    with pytest.raises(d2ltl.WeightsError, match=r"cannot be had .* copy the zoo's to .*mobilenet0\.25-\w{8}\.params"):
        d2ltl.source_net("mobilenet0.25", "imagenet")


def test_wrong_weights_from_the_store_are_refused(store):
    archive = next(store.rglob("*.zip"))
    name = archive.stem + ".params"
    with zipfile.ZipFile(archive, "w") as damaged:
        damaged.writestr(name, b"not these")
    with pytest.raises(d2ltl.WeightsError, match="cannot be had"):
        d2ltl.source_net("mobilenet0.25", "imagenet")


def test_the_shipped_model_needs_nothing_else():
    net = d2ltl.source_net("resnet18_v2", "tinyimagenet")
    assert (len(net.classes), net.classes[0]) == (200, "goldfish, Carassius auratus")
    assert net.output.weight.data().dtype == np.float32


def test_auto_takes_cached_weights_else_the_default_and_says_so(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))
    monkeypatch.setenv("MXNET_GLUON_REPO", "http://127.0.0.1:9/")  # nobody listens there
    caplog.set_level("INFO")
    assert len(d2ltl.source_net().classes) == 200
    assert "tinyimagenet, which come with d2ltl; 'imagenet' downloads" in caplog.text
    with pytest.raises(d2ltl.WeightsError, match="no weights of vgg16 on this machine"):
        d2ltl.source_net("vgg16")


def test_auto_prefers_imagenet_that_is_here(store):
    d2ltl.source_net("mobilenet0.25", "imagenet")
    shutil.rmtree(store)
    assert len(d2ltl.source_net("mobilenet0.25").classes) == 1000


def test_the_shipped_weights_fit_no_other_network():
    with pytest.raises(d2ltl.WeightsError, match="is of another network"):
        d2ltl.source_net("resnet34_v2", "tinyimagenet")


def test_damaged_shipped_weights_are_refused(monkeypatch):
    monkeypatch.setitem(sources.SHIPPED, "tinyimagenet", ("resnet18_v2", "0" * 40))
    with pytest.raises(d2ltl.WeightsError, match="missing or damaged"):
        d2ltl.source_net("resnet18_v2", "tinyimagenet")
