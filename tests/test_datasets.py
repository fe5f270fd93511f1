import io
import logging
import zipfile
from hashlib import sha1
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import d2ltl
import data_hub
from d2ltl import datasets
from d2ltl.data.decoding import read_image


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and no network: nobody listens at the proxy."""
    monkeypatch.setenv("D2LTL_DATA", str(tmp_path / "cache"))
    monkeypatch.delenv("D2LTL_MIRRORS", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    return tmp_path / "cache"


def test_without_the_photographs_the_rendered_images_are_taken(cache, caplog):
    caplog.set_level(logging.INFO, "d2ltl")
    assert datasets.default_data() == "hotdog-mini"
    (line,) = caplog.messages
    assert "hotdog-mini, rendered images" in line
    assert "--data hotdog downloads" in line


def test_photographs_on_this_machine_are_taken(cache, tmp_path, monkeypatch, caplog):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("hotdog/train/hotdog/0.jpg", b"photograph")
    (tmp_path / "hotdog.zip").write_bytes(content.getvalue())
    entry = ((tmp_path / "hotdog.zip").as_uri(), sha1(content.getvalue()).hexdigest())
    monkeypatch.setitem(data_hub.DATA_HUB, "hotdog", entry)
    assert datasets.default_data() == "hotdog-mini"  # in the hub, but not in the cache yet
    data_hub.download("hotdog")
    caplog.set_level(logging.INFO, "d2ltl")
    assert datasets.default_data() == "hotdog"
    assert "hotdog, the book's photographs" in caplog.text


def test_asking_for_the_photographs_never_gives_others(cache, monkeypatch):
    monkeypatch.setattr("_data_hub.fetching.RETRY_PAUSES", ())
    with pytest.raises(data_hub.DataHubError, match=r"hotdog\.zip cannot be had"):
        d2ltl.run_comparison("hotdog")


def test_the_books_settings_stay_the_books():
    for data in ("hotdog", "my/photos", "photos.zip"):
        assert datasets.defaults_of(data)._asdict() == {
            "size": 224, "batch_size": 128, "epochs": 5, "lr_finetune": 0.01, "lr_scratch": 0.1, "lr_lp_ft": 0.001,
            "strategies": ("finetune", "scratch"),
        }  # fmt: skip


def test_an_efficientnet_has_settings_of_its_own():
    assert datasets.defaults_of("my/photos", "efficientnet_lite1").batch_size == 32
    assert datasets.defaults_of("hotdog-mini", "EfficientNet_Lite0").size == 112
    assert datasets.defaults_of("hotdog-mini", "efficientnet_lite0").strategies == ("lp-ft", "finetune", "scratch")


def test_an_unknown_name_is_an_error_that_lists_the_known():
    with pytest.raises(d2ltl.ImageFolderError, match=r"mushrooms is not a folder.*hotdog, hotdog-mini"):
        datasets.find_data("mushrooms")


def test_a_path_is_no_name_of_the_hub(cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(d2ltl.ImageFolderError, match="digits does not exist. For the entry .* give a str"):
        datasets.find_data(Path("digits"))


def test_the_digits_are_those_of_scikit_learn(cache):
    train, test = d2ltl.load_images(datasets.find_data("digits"))
    digits = load_digits()
    assert train.synsets == test.synsets == [str(digit) for digit in range(10)]
    images = sorted((Path(file).stem, file, label) for file, label in train.items + test.items)
    pixels = np.stack([read_image(file) for _, file, _ in images])
    np.testing.assert_array_equal(pixels[..., 0], np.round(digits.images * 255 / 16))
    assert [label for *_, label in images] == digits.target.tolist()
    assert (len(train), len(test)) == (1438, 359)
