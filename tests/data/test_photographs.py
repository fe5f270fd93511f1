import copy
import pickle
import shutil

import mxnet as mx
import numpy as np
import pytest
from conftest import draw, write_images
from PIL import Image

import d2ltl
from d2ltl.data.photographs import Photographs

GREY = np.full((40, 50), 7, np.uint8)
COLOUR = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


@pytest.fixture
def loose(tmp_path):
    """A folder of three loose photographs."""
    rng = np.random.default_rng(0)
    for i in range(3):
        draw(i % 2, rng).save(tmp_path / f"new{i}.jpg")
    return tmp_path


@pytest.mark.parametrize(
    ("given", "shapes"),
    [
        (COLOUR, [(40, 50, 3)]),
        (GREY, [(40, 50, 3)]),
        (np.stack([COLOUR] * 2), [(40, 50, 3)] * 2),
        (mx.nd.array(COLOUR, dtype="uint8"), [(40, 50, 3)]),
        (Image.fromarray(COLOUR), [(40, 50, 3)]),
        (Image.fromarray(COLOUR).convert("RGBA"), [(40, 50, 3)]),
        ([COLOUR, Image.fromarray(COLOUR[:30])], [(40, 50, 3), (30, 50, 3)]),
    ],
    ids=["array", "grey", "batch", "mxnet", "pillow", "rgba", "list"],
)
def test_pixels_are_photographs(given, shapes):
    photographs = Photographs(given)
    assert [photographs.read(i).shape for i in range(len(photographs))] == shapes
    assert [path for path, _ in photographs.items] == [f"photograph {i + 1}" for i in range(len(shapes))]
    if given is not GREY:
        assert (photographs.read(0) == COLOUR).all()


@pytest.mark.parametrize(
    "array",
    [COLOUR / 255, COLOUR[..., :2], COLOUR[None, None], COLOUR[:0], np.array(["a"])],
    ids=["floats", "two channels", "five axes", "empty", "text"],
)
def test_other_arrays_are_refused(array):
    with pytest.raises(d2ltl.ImageFolderError, match="A photograph is an array of"):
        Photographs(array)


def test_files_folders_and_pixels_may_be_mixed(loose, tmp_path_factory):
    deep = write_images(tmp_path_factory.mktemp("deep") / "2024", 1)
    photographs = Photographs([loose / "new1.jpg", deep.parent, COLOUR, loose])
    assert len(photographs) == 1 + 2 + 1 + 3
    assert photographs.items[0][0].endswith("new1.jpg")
    assert photographs.items[3][0] == "photograph 4"


def test_an_archive_is_a_folder(loose, tmp_path_factory):
    archive = shutil.make_archive(str(tmp_path_factory.mktemp("archive") / "photos"), "zip", loose)
    assert len(Photographs(archive)) == 3


@pytest.mark.parametrize("name", ["missing.jpg", "missing"])
def test_what_does_not_exist_is_named(tmp_path, name):
    with pytest.raises(d2ltl.ImageFolderError, match=name):
        Photographs(tmp_path / name)


def test_nothing_is_refused(tmp_path):
    with pytest.raises(d2ltl.ImageFolderError, match="the list is empty"):
        Photographs([])
    with pytest.raises(d2ltl.ImageFolderError, match="holds no image"):
        Photographs(tmp_path)


def test_a_pillow_image_is_read_as_its_file(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOUR).save(tmp_path / "turned.png", exif=exif)
    deep = (np.arange(2000).reshape(40, 50) * 2).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.tif")
    for name in ("turned.png", "deep.tif"):
        with Image.open(tmp_path / name) as image:
            assert (Photographs(image).read(0) == Photographs(tmp_path / name).read(0)).all()
    assert Photographs(tmp_path / "turned.png").read(0).shape == (50, 40, 3)


def test_levels_may_be_those_of_the_training(tmp_path):
    Image.fromarray(np.full((40, 50), 1000, np.uint16)).save(tmp_path / "dark.tif")
    assert Photographs(tmp_path / "dark.tif").read(0).mean() == 249  # 10 bits
    assert Photographs(tmp_path / "dark.tif", (0, 65535)).read(0).mean() == 4


def test_no_photograph_is_taken_for_a_mask(tmp_path):
    for name in ("a.jpg", "a.png", "b.jpg", "b_mask.png"):
        Image.fromarray(COLOUR).save(tmp_path / name)
    assert len(Photographs(tmp_path)) == 4


def test_an_empty_image_is_no_archive(tmp_path):
    (tmp_path / "zeros.jpg").write_bytes(bytes(2048))
    with pytest.raises(d2ltl.ImageFolderError, match=r"zeros\.jpg .* begins with zeros"):
        Photographs(tmp_path / "zeros.jpg").check_files()


def test_a_damaged_file_is_named_or_skipped(loose):
    (loose / "cut.jpg").write_bytes((loose / "new0.jpg").read_bytes()[:300])
    photographs = Photographs(loose)
    assert len(photographs) == 4
    with pytest.raises(d2ltl.ImageFolderError, match=r"cut\.jpg cannot be read"):
        photographs.read(0)
    assert len(photographs.drop_unreadable()) == 3


def test_predict_takes_photographs_of_all_kinds(loose, source):
    whole = d2ltl.predict(source, loose, size=32)
    assert whole.labels is None
    assert [path[-8:] for path in whole.files] == ["new0.jpg", "new1.jpg", "new2.jpg"]
    files = [loose / f"new{i}.jpg" for i in range(3)]
    pixels = [d2ltl.UnlabelledImages(loose).read(i) for i in range(3)]
    for given in (files, [*map(str, files)], pixels, d2ltl.UnlabelledImages(loose)):
        assert (d2ltl.predict(source, given, size=32).probabilities == whole.probabilities).all()
    (alone,), labels = d2ltl.predict(source, loose / "new1.jpg", size=32)
    np.testing.assert_allclose(alone, whole.probabilities[1], atol=1e-6)
    assert labels is None


def test_loose_photographs_beside_folders_are_all_predicted(loose, source):
    write_images(loose, 2, ("2024", "2025"))
    for folders in (2, 1):
        answers = d2ltl.predict(source, loose, size=32)
        assert sorted(answers.files) == sorted(map(str, loose.rglob("*.jpg")))
        assert len(answers.files) == 3 + 2 * folders
        assert answers.labels is None
        shutil.rmtree(loose / "2025", ignore_errors=True)


def test_predictions_are_copied_with_their_attributes(loose, source):
    answers = d2ltl.predict(source, loose, size=32)
    for other in (copy.copy(answers), pickle.loads(pickle.dumps(answers))):
        assert other.names == answers.names
        assert other.labels is None


def test_predictions_have_the_names_of_the_classes(loose, stripes, source):
    answers = d2ltl.predict(source, stripes / "test", size=32)
    assert answers.classes == source.classes
    assert answers.names == [source.classes[i] for i in answers.probabilities.argmax(axis=1)]
    assert (answers.sure == (answers.probabilities.max(axis=1) >= 0.8)).all()
    assert answers.labels.tolist() == [0] * 10 + [1] * 10
    assert d2ltl.predict(d2ltl.finetune_net(2, source), loose, size=32).classes == ["0", "1"]
