import json
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from PIL import Image

import d2ltl
from d2ltl.models.onnx_net import OnnxNet

pytestmark = pytest.mark.full  # needs the extra onnx

DOCS = Path(__file__).parents[2] / "docs/howto"
STRATEGIES = ["finetune", "scratch", "frozen", "fixed", "lp-ft", "freeze-1", "codes-svm", "codes-softmax",
              "codes-softmax-1", "distilled"]  # fmt: skip


def trained(strategy, source, data, size=32):
    return d2ltl.train_network(
        strategy, source, data=data, size=size, batch_size=8, num_epochs=1, verbose=False
    )[0]  # fmt: skip


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_network_of_every_strategy_is_exported(stripes, source, tmp_path, strategy):
    net = trained(strategy, source, stripes)
    assert d2ltl.export_onnx(net, tmp_path / "net.onnx") <= 1e-4
    exported = d2ltl.load_net(tmp_path / "net.onnx")
    assert (exported.classes, exported.size) == (["across", "upright"], 32)
    expected = d2ltl.predict(net, stripes)
    answers = d2ltl.predict(exported, stripes, batch_size=7)
    np.testing.assert_allclose(answers.probabilities, expected.probabilities, atol=1e-4)
    assert answers.labels.tolist() == expected.labels.tolist()


@pytest.mark.parametrize(
    ("name", "weights", "size"),
    [
        ("resnet18_v2", "tinyimagenet", 64),
        ("efficientnet_lite0", "imagenet", 64),
        ("efficientnet_lite2", "imagenet", 65),  # odd maps
        ("squeezenet1.1", "imagenet", 224),
    ],
)
def test_every_source_model_is_exported(tmp_path, name, weights, size):
    net = d2ltl.source_net(name, weights)
    net.size = size
    assert d2ltl.export_onnx(net, tmp_path / "net.onnx") <= 1e-4
    images = d2ltl.take(d2ltl.load_images("hotdog-mini")[1], 10)
    expected = d2ltl.predict(net, images).probabilities
    answers = d2ltl.predict(d2ltl.load_net(tmp_path / "net.onnx"), images).probabilities
    np.testing.assert_allclose(answers, expected, atol=1e-4)
    assert expected.max(axis=1).mean() > 0.2  # a check of answers that are no constants


@pytest.mark.parametrize(
    ("name", "weights", "size"),
    [("efficientnet_lite2", "imagenet", 65), ("resnet18_v2", "tinyimagenet", 64)],
)
def test_half_precision_halves_the_file_and_changes_the_probabilities_little(tmp_path, name, weights, size):
    net = d2ltl.source_net(name, weights)
    net.size = size
    d2ltl.export_onnx(net, tmp_path / "single.onnx")
    assert d2ltl.export_onnx(net, tmp_path / "half.onnx", half=True) <= 1e-2
    assert (tmp_path / "half.onnx").stat().st_size < 0.6 * (tmp_path / "single.onnx").stat().st_size
    images = d2ltl.take(d2ltl.load_images("hotdog-mini")[1], 10)
    expected = d2ltl.predict(net, images).probabilities
    answers = d2ltl.predict(d2ltl.load_net(tmp_path / "half.onnx"), images).probabilities
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, expected, atol=1e-2)


def test_weights_that_half_precision_cannot_hold_are_kept(tmp_path):
    net = d2ltl.source_net("resnet18_v2", "tinyimagenet")
    net.size, large = 64, net.output.weight
    large.set_data(large.data() + 1e5 * mx.nd.one_hot(mx.nd.array([3]), large.shape[1]) * (large.data() > 0.1))
    assert np.abs(large.data().asnumpy()).max() > np.finfo(np.float16).max
    d2ltl.export_onnx(net, tmp_path / "half.onnx", half=True)
    stored = pytest.importorskip("onnx").load(tmp_path / "half.onnx").graph.initializer
    types = {weights.name: weights.data_type for weights in stored}
    assert types[large.name] == 1  # float32
    assert 10 in types.values()  # float16


@pytest.mark.parametrize("name", ["alexnet", "mobilenetv2_0.25", "resnet18_v1"])
def test_other_networks_of_the_zoo_are_exported(stripes, tmp_path, name):
    net = trained("scratch", d2ltl.scratch_net(2, name), stripes, 64)
    assert d2ltl.export_onnx(net, tmp_path / "net.onnx") <= 1e-4


def test_the_graph_takes_pixels_and_describes_itself(stripes, source, tmp_path):
    onnx = pytest.importorskip("onnx")
    d2ltl.export_onnx(trained("finetune", source, stripes), tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version <= 8  # ONNX Runtime of 2021 reads it
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 13)]
    (images,) = model.graph.input
    assert (images.name, images.type.tensor_type.elem_type) == ("images", onnx.TensorProto.UINT8)
    assert [side.dim_value or side.dim_param for side in images.type.tensor_type.shape.dim] == ["n", 32, 32, 3]
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert (json.loads(about["classes"]), about["size"]) == (["across", "upright"], "32")


def test_a_network_that_gluon_exported_is_exported(stripes, source, tmp_path):
    net = trained("finetune", source, stripes)
    net(mx.nd.zeros((1, 3, 32, 32)))
    net.export(str(tmp_path / "net"))
    assert d2ltl.export_onnx(d2ltl.load_net(tmp_path / "net-0000.params", size=32), tmp_path / "net.onnx") <= 1e-4


def test_another_result_is_not_kept(stripes, source, tmp_path, monkeypatch):
    monkeypatch.setattr(OnnxNet, "__call__", lambda self, images: np.full((len(images), 2), 0.5))
    with pytest.raises(d2ltl.NetworkError, match="differs by"):
        d2ltl.export_onnx(trained("finetune", source, stripes), tmp_path / "net.onnx")
    assert not [*tmp_path.iterdir()]


def test_the_np_interface_is_refused_with_the_remedy(stripes, source, tmp_path):
    net = trained("finetune", source, stripes)
    mx.npx.set_np()
    with pytest.raises(d2ltl.NetworkError, match="reset_np"):
        d2ltl.export_onnx(net, tmp_path / "net.onnx")


@pytest.mark.parametrize("content", [b"", b"not ONNX", b"\x08\x07"])
def test_a_file_that_is_no_network_is_named(tmp_path, content):
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(d2ltl.WeightsError, match=r"net\.onnx"):
        d2ltl.load_net(tmp_path / "net.onnx")
    with pytest.raises(d2ltl.WeightsError, match=r"There is no file .*missing\.onnx"):
        d2ltl.load_net(tmp_path / "missing.onnx")


def test_a_network_of_another_program_is_named(tmp_path):
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy")
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "other", [x], [y]), ir_version=8)
    model.opset_import[0].version = 13
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(d2ltl.WeightsError, match="was not written by"):
        d2ltl.load_net(tmp_path / "net.onnx")


@pytest.mark.parametrize("kind", ["small", "large and turned"])
def test_the_script_of_the_docs_gives_the_same_probabilities(stripes, source, tmp_path, kind):
    """The script runs in a process of its own, in which neither d2ltl nor MXNet can be imported."""
    net = trained("finetune", source, stripes)
    d2ltl.export_onnx(net, tmp_path / "model.onnx")
    image = d2ltl.load_images(stripes)[1].items[3][0]
    if kind != "small":
        with Image.open(image) as small:
            exif = small.getexif()
            exif[0x0112] = 6
            small.resize((4000, 3000)).save(tmp_path / "large.jpg", exif=exif)
        image = str(tmp_path / "large.jpg")
    text = (DOCS / "after-training.md").read_text(encoding="utf-8")
    script = next(part for part in text.split("```py\n") if part.startswith("import json")).partition("```")[0]
    blocked = "import sys; sys.modules.update(mxnet=None, d2ltl=None)\n"
    done = subprocess.run(
        [sys.executable, "-c", blocked + script, image],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = {name: float(p) for name, p in (line.rsplit(maxsplit=1) for line in done.stdout.splitlines())}
    expected = dict(zip(net.classes, d2ltl.predict(net, image).probabilities[0]))
    assert said == pytest.approx(expected, abs=1e-3)
