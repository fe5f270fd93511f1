import shutil

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from PIL import Image

import d2ltl
from d2ltl.data.folders import UnlabelledImages
from d2ltl.methods import dann
from d2ltl.methods.dann import reversal_strength, reverse_gradient, train_dann
from d2ltl.runtime import reseed

TINY = {"learning_rate": 0.05, "batch_size": 16, "num_epochs": 8, "size": 32}


def write_stripes(root, tint, seed):
    """Write images of stripes across and upright in one tint, in the book's layout."""
    rng = np.random.default_rng(seed)
    for part, number in (("train", 20), ("test", 12)):
        for name in ("across", "upright"):
            (root / part / name).mkdir(parents=True)
            for i in range(number):
                stripes = np.arange(40) // rng.integers(4, 8) % 2 * 90 + 40
                grey = (stripes[:, None] if name == "across" else stripes[None, :]) + rng.integers(0, 60, (40, 40))
                image = Image.fromarray((grey[..., None] + np.array(tint)).astype(np.uint8))
                image.save(root / part / name / f"{i:03}.png")
    return d2ltl.load_images(root)


@pytest.fixture(scope="module")
def red(tmp_path_factory):
    return write_stripes(tmp_path_factory.mktemp("red"), (60, 0, -40), 0)


@pytest.fixture(scope="module")
def blue(tmp_path_factory):
    return write_stripes(tmp_path_factory.mktemp("blue"), (-40, 0, 60), 1)


@pytest.fixture
def small_net(source):
    return d2ltl.finetune_net(2, source)


@pytest.mark.parametrize("interface", ["classic", "np"])
def test_only_the_gradient_is_reversed(interface):
    if interface == "np":
        mx.npx.set_np()
    x = mx.np.array([1.0, -2.0]) if interface == "np" else mx.nd.array([1.0, -2.0])
    x.attach_grad()
    with autograd.record():
        y = (3 * reverse_gradient(x, 0.5)).sum()
    y.backward()
    assert y.asnumpy().item() == pytest.approx(-3)
    assert x.grad.asnumpy().tolist() == [-1.5, -1.5]


def test_the_strength_grows_from_0_to_1():
    strengths = [reversal_strength(progress) for progress in (0, 0.1, 0.5, 1)]
    assert strengths == pytest.approx([0, 0.4621, 0.9866, 0.9999], abs=1e-4)


def test_the_target_is_recognised_without_its_labels(source, red, blue):
    reseed(0)
    net = d2ltl.finetune_net(2, source)
    history = train_dann(net, source=red, target=blue, **TINY)
    assert history.curve("test_acc")[-1] == pytest.approx(d2ltl.evaluate(net, blue[1], size=32)[1])
    assert history.curve("test_acc")[-1] > 0.85
    assert history.curve("train_acc")[-1] > 0.85


def test_no_label_of_the_target_is_used(source, red, blue):
    wrong = blue[0].relabel(["upright" if label == 0 else "across" for label in blue[0].labels])
    losses = []
    for unlabelled in (blue[0], wrong):
        reseed(0)
        net = d2ltl.finetune_net(2, source)
        history = train_dann(net, source=red, target=(unlabelled, blue[1]), **{**TINY, "num_epochs": 2})
        losses.append((history.curve("loss"), history.curve("test_acc")))
    assert losses[0] == losses[1]


def test_folders_will_do_and_the_smaller_domain_sets_the_batch(small_net, red, blue, tmp_path):
    one = red[0].subset([0, 20]), red[1]
    history = train_dann(small_net, source=one, target=blue[0].root.removesuffix("/train"), **{**TINY, "num_epochs": 1})
    assert np.isfinite(history.curve("loss")).all()


def test_the_target_needs_no_class_folders(small_net, red, blue, tmp_path):
    shutil.copytree(blue[0].root, tmp_path / "heap/of/images")
    target = UnlabelledImages(tmp_path / "heap"), blue[1]
    history = train_dann(small_net, source=red, target=target, **{**TINY, "num_epochs": 1})
    assert np.isfinite(history.curve("loss")).all()


def test_the_reversed_gradient_brings_the_domains_closer(monkeypatch, source, red, blue):
    red, blue = (tuple(d2ltl.sample(part, 16) for part in pair) for pair in (red, blue))
    distances = []
    for sign in (1, -1):
        monkeypatch.setattr(dann, "reversal_strength", lambda progress, sign=sign: sign * reversal_strength(progress))
        reseed(0)
        net = d2ltl.finetune_net(2, source)
        train_dann(net, source=red, target=blue, **{**TINY, "learning_rate": 0.005, "num_epochs": 12})
        parts = [np.concatenate([d2ltl.extract_codes(net, part, size=32) for part in pair]) for pair in (red, blue)]
        distances.append(np.linalg.norm(parts[0].mean(axis=0) - parts[1].mean(axis=0)) / np.concatenate(parts).std())
    assert distances[0] < distances[1]


def test_the_np_interface_will_do(source_file, red, blue):
    mx.npx.set_np()
    net = d2ltl.finetune_net(2, d2ltl.source_net("tiny", source_file))
    assert len(train_dann(net, source=red, target=blue, **{**TINY, "num_epochs": 1})) == 1


def test_one_domain_is_not_two(small_net, red, blue):
    with pytest.raises(d2ltl.ImageFolderError, match="is in the source and in the target; two domains are needed"):
        train_dann(small_net, source=red, target=red, **TINY)
    with pytest.raises(d2ltl.ImageFolderError, match="The target has no image to train"):
        train_dann(small_net, source=red, target=(blue[0].subset([]), blue[1]), **TINY)


def test_both_domains_have_the_same_classes(small_net, red, blue):
    other = tuple(part.relabel(["a", "b"] * (len(part) // 2)) for part in blue)
    with pytest.raises(d2ltl.ImageFolderError, match="classes across, upright, but the target is tested on a, b"):
        train_dann(small_net, source=red, target=other, **TINY)


@pytest.mark.parametrize(
    ("options", "error", "problem"),
    [
        ({"learning_rate": 0}, d2ltl.SettingsError, "learning_rate is 0"),
        ({"num_epochs": 0}, d2ltl.SettingsError, "num_epochs is 0"),
        ({"batch_size": 1}, d2ltl.SettingsError, "batch_size is 1"),
        ({"size": 0}, d2ltl.SettingsError, "size is 0"),
        ({"learning_rate": 1e30}, d2ltl.DivergenceError, "learning rate 1e\\+30"),
    ],
)
def test_settings_that_make_no_sense_are_refused(small_net, red, blue, options, error, problem):
    with pytest.raises(error, match=problem):
        train_dann(small_net, source=red, target=blue, **{**TINY, **options})
