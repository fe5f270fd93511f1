"""The layouts that real folders have. A tree is written as its folders, each with the number of its images."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import d2ltl
from d2ltl.data.layout import Folder, find_layout, part_name
from d2ltl.data.pairs import as_images

CATS_AND_DOGS = ("cat", "dog")


def write(root, tree, suffix=".png"):
    """Write a tree of images, all different."""
    for folder, number in tree.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for i in range(number):
            pixels = np.random.default_rng([i, *folder.encode()]).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / folder / f"{i}{suffix}")
    return root


def of_both(*parts, number=3):
    return {f"{part}/{name}": number for part in parts for name in CATS_AND_DOGS}


def tree_of(numbers, path="set"):
    """Return the tree of a folder without a file behind it."""
    tops = dict.fromkeys(name.split("/")[0] for name in numbers if name)
    inside = {
        top: {n[len(top) + 1 :]: number for n, number in numbers.items() if n == top or n.startswith(f"{top}/")}
        for top in tops
    }
    images = [Path(path, f"{i}.jpg") for i in range(numbers.get("", 0))]
    return Folder(Path(path), images, [tree_of(below, f"{path}/{top}") for top, below in inside.items()])


def paths(layout):
    return {use: part.path.relative_to("set").as_posix() for use, part in layout.parts.items()}


@pytest.mark.parametrize(
    ("names", "train", "test"),
    [
        (("train", "test"), "train", "test"),
        (("train", "valid"), "train", "valid"),
        (("train", "validation"), "train", "validation"),
        (("Training", "Testing"), "Training", "Testing"),
        (("training", "val"), "training", "val"),
        (("training_set", "test_set"), "training_set", "test_set"),
        (("seg_train", "seg_test"), "seg_train", "seg_test"),
        (("train_images", "test-images"), "train_images", "test-images"),
        (("TrainSet", "TestSet"), "TrainSet", "TestSet"),
        (("trainset", "testset"), "trainset", "testset"),
        (("flowers-train", "flowers-dev"), "flowers-train", "flowers-dev"),
        (("train_valid", "test"), "train_valid", "test"),
        (("TRAIN", "TEST", "other"), "TRAIN", "TEST"),
    ],
)
def test_parts_are_found_by_their_names(tmp_path, names, train, test):
    pair = d2ltl.load_images(write(tmp_path, of_both(*names)))
    assert [Path(part.root).name for part in pair] == [train, test]
    assert pair[0].synsets == ["cat", "dog"]
    assert pair[0].validation is None


@pytest.mark.parametrize("name", ["cat", "retrained", "Ätest", "contest", "train_test", "", "latest", "训练"])
def test_other_names_are_no_parts(name):
    assert part_name(name) is None


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Train", "Valid", "Test"), ("training", "dev", "testing")]
)
def test_of_three_parts_one_is_for_validation(tmp_path, names):
    write(tmp_path, of_both(names[0], number=4) | of_both(names[1], number=3) | of_both(names[2], number=2))
    train, test = d2ltl.load_images(tmp_path)
    assert [len(part) for part in (train, train.validation, test)] == [8, 6, 4]
    assert len(as_images(tmp_path)) == 4
    (tmp_path / names[1] / "cat/broken.png").write_bytes(b"broken")
    train, _ = d2ltl.load_images(tmp_path, skip_unreadable=True)
    assert len(train.validation.skipped) == 1
    assert len(train.only(["cat", "dog"]).validation) == 6


def test_the_images_for_validation_have_the_classes_of_the_others(tmp_path):
    write(tmp_path, of_both("train", "test") | {"val/cat": 2, "val/bird": 2})
    with pytest.raises(
        d2ltl.ImageFolderError, match="class dog to train, but not for validation, and a class bird for"
    ):
        d2ltl.load_images(tmp_path)


def test_a_part_alone_is_an_error_that_says_how_to_use_it(tmp_path):
    write(tmp_path, of_both("training_set"))
    with pytest.raises(
        d2ltl.ImageFolderError, match=r"has training_set but not a test .*give .*training_set as the data"
    ):
        d2ltl.load_images(tmp_path)
    write(tmp_path / "other", of_both("test", "val"))
    with pytest.raises(d2ltl.ImageFolderError, match="has test, val but not a train folder"):
        d2ltl.load_images(tmp_path / "other")
    assert len(as_images(tmp_path / "training_set")) == 6


def test_two_folders_for_one_use_are_an_error():
    with pytest.raises(d2ltl.ImageFolderError, match="set has test and testing: which is for test"):
        find_layout(tree_of(of_both("train", "test", "testing")))


@pytest.mark.parametrize(
    ("others", "left_out"),
    [
        ({"test": 5}, {"images in test/ without known classes": 5}),
        ({"test1": 5}, {"images in test1/ without known classes": 5}),
        ({"test/test": 5}, {"images in test/ without known classes": 5}),
        ({"test/unknown": 5}, {"images in test/ without known classes": 5}),
    ],
)
def test_a_test_folder_without_classes_is_left_out(tmp_path, caplog, others, left_out):
    train, test = d2ltl.load_images(write(tmp_path, of_both("train", number=5) | others))
    assert train.synsets == ["cat", "dog"]
    assert (len(train), len(test)) == (8, 2)
    assert train.left_out == left_out
    assert "left out images in test" in caplog.text


@pytest.mark.parametrize("name", ["test", "Testing", "val", "test_images"])
def test_a_test_folder_beside_class_folders_is_no_class(tmp_path, caplog, name):
    train, _ = d2ltl.load_images(write(tmp_path, {"cat": 5, "dog": 5, name: 3}))
    assert train.synsets == ["cat", "dog"]
    assert train.left_out == {f"images in {name}/ without class folders": 3}
    assert f"left out images in {name}/ without class folders (3)" in caplog.text


@pytest.mark.parametrize(
    "names", [("bus", "car", "train"), ("invalid", "valid"), ("control", "test"), ("a", "b", "valid")]
)
def test_a_class_may_be_called_like_a_part(tmp_path, names):
    assert d2ltl.load_images(write(tmp_path, dict.fromkeys(names, 3)))[0].synsets == sorted(names)


@pytest.mark.parametrize("loose", [{"train": 2}, {"train": 2, "test": 1}, {"": 3, "train": 2, "test": 2}])
def test_stray_images_do_not_turn_parts_into_classes(tmp_path, caplog, loose):
    pair = d2ltl.load_images(write(tmp_path, of_both("train", "test") | loose))
    assert [len(part) for part in pair] == [6, 6]
    strays = sum(sum(part.left_out.values()) for part in pair)
    assert strays == sum(loose.values())
    assert "left out images" in caplog.text


def test_the_books_folders_for_kaggle(tmp_path):
    tree = of_both("train", number=4) | of_both("valid") | of_both("train_valid", number=7) | {"test/unknown": 5}
    train, test = d2ltl.load_images(write(tmp_path, tree))
    assert [Path(part.root).name for part in (train, test)] == ["train", "valid"]
    assert train.left_out == {
        "images in train_valid/ for both train and validation": 14,
        "images in test/ without known classes": 5,
    }


@pytest.mark.parametrize(
    ("tree", "train", "left_out"),
    [
        (of_both("pets/train", "pets/test"), "pets/train", {}),
        (of_both("a/b/train", "a/b/test"), "a/b/train", {}),
        (of_both("train/train", "test/test"), "train/train", {}),
        (of_both("pets"), "pets", {}),
        (of_both("archive/pets"), "archive/pets", {}),
        (of_both("test/train", "test/test"), "test/train", {}),
        (of_both("pets/train", "pets/test") | {"figures": 2}, "pets/train", {"images in figures/": 2}),
        (of_both("pets") | {"": 1}, "pets", {"images in set/ itself": 1}),
        (of_both("seg_train", "seg_test") | {"seg_pred/seg_pred": 4}, "seg_train", {"images in seg_pred/": 4}),
    ],
)
def test_a_data_set_below_is_found(tmp_path, tree, train, left_out):
    images, _ = d2ltl.load_images(write(tmp_path / "set", tree))
    assert Path(images.root) == tmp_path / "set" / train
    assert images.synsets == ["cat", "dog"]
    assert images.left_out == left_out


@pytest.mark.parametrize(
    "clutter", ["README.md", "labels.json", "__MACOSX/pets/cat/._a.png", "@eaDir/a.png", ".x/a.png"]
)
def test_clutter_beside_a_data_set(tmp_path, caplog, clutter):
    write(tmp_path, of_both("pets"))
    (tmp_path / clutter).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / clutter).write_text("clutter")
    train, test = d2ltl.load_images(tmp_path)
    assert len(train) + len(test) == 6
    assert not caplog.records


def test_an_archive_from_a_mac(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("D2LTL_DATA", str(tmp_path / "cache"))
    write(tmp_path, of_both("pets/train", "pets/test"))
    with zipfile.ZipFile(tmp_path / "pets copy.zip", "w") as archive:
        for file in sorted((tmp_path / "pets").rglob("*.png")):
            name = file.relative_to(tmp_path)
            archive.write(file, name)
            archive.writestr(f"__MACOSX/{name.parent}/._{name.name}", b"resource fork")
        archive.writestr("pets/.DS_Store", b"")
        archive.writestr("__MACOSX/pets/._.DS_Store", b"")
    pair = d2ltl.load_images(tmp_path / "pets copy.zip")
    assert [len(part) for part in pair] == [6, 6]
    assert pair[0].synsets == ["cat", "dog"]
    assert not caplog.records


def test_a_class_folder_is_told_to_go_up_and_an_archive_to_be_unpacked(tmp_path):
    write(tmp_path, of_both("pets"))
    with pytest.raises(d2ltl.ImageFolderError, match=r"one class of several, give the folder above, .*pets\.$"):
        d2ltl.load_images(tmp_path / "pets/cat")
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer/train.zip").write_bytes(b"PK")
    with pytest.raises(d2ltl.ImageFolderError, match=r"holds the archive train\.zip: unpack it, or give it"):
        d2ltl.load_images(tmp_path / "outer")


def test_several_data_sets_and_classes_that_are_divided_are_errors():
    with pytest.raises(d2ltl.ImageFolderError, match="holds several data sets: a, b. Give one of these folders"):
        find_layout(tree_of(of_both("a/train", "a/test", "b/train", "b/test")))
    with pytest.raises(d2ltl.ImageFolderError, match="cat is divided into train, test. Put the parts above"):
        find_layout(tree_of({"cat/train": 2, "cat/test": 2, "dog/train": 2, "dog/test": 2}))


@pytest.mark.parametrize(
    "tree",
    [
        {"cat/2023": 3, "cat/2024": 2, "dog/2023": 4},
        {"cat/Imgs": 5, "dog/Imgs": 4},
        {"cat": 1, "cat/more/still more": 4, "dog": 4},
    ],
)
def test_images_below_a_class_folder_belong_to_the_class(tmp_path, caplog, tree):
    with caplog.at_level("INFO"):
        train, test = d2ltl.load_images(write(tmp_path, tree))
    assert train.synsets == ["cat", "dog"]
    assert [len(train), len(test)] == [7, 2]
    below = sum(number for name, number in tree.items() if "/" in name)
    assert f"{below} of 9 images are in folders below the class folders" in caplog.text


def test_an_undivided_tree_stays_whole():
    layout = find_layout(tree_of({"cat": 3, "dog": 3}))
    assert (paths(layout), layout.left_out, layout.divided) == ({"train": "."}, {}, False)
    assert paths(find_layout(tree_of(of_both("x/train", "x/val")))) == {"train": "x/train", "validation": "x/val"}


@pytest.mark.parametrize("report", ["results/2026-01-01", "out"])
@pytest.mark.parametrize("names", [("settings.json", "runs"), ("report.json", "report.html"), ("exercise-5.json",)])
def test_reports_in_the_folder_are_no_class(tmp_path, report, names):
    write(tmp_path, {"cat": 3, "dog": 3, report: 1})
    for name in names:
        (tmp_path / report / name).write_text("{}")
    assert d2ltl.load_images(tmp_path)[0].synsets == ["cat", "dog"]
    write(tmp_path, {"results/exercise-1": 0})  # an exercise makes its folder before it reads the images
    assert d2ltl.load_images(tmp_path)[0].synsets == ["cat", "dog"]


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (("a", "b", "c", "d"), ("a", "b"), "has the classes c, d to train, but not to test[.]$"),
        (
            ("a", "b"),
            ("a", "c", "d"),
            "has a class b to train, but not to test, and the classes c, d to test, but not to",
        ),
        (("Cat", "dog"), ("cat", "dog"), "Cat and cat differ only in case"),
        (("hot dog", "x"), ("Hot_Dog", "x"), "hot dog and Hot_Dog differ only in case, blanks or hyphens"),
        (("Käse", "x"), ("Ka\u0308se", "x"), r"two Unicode forms, 'K\\xe4se' and 'Ka\\u0308se'"),
    ],
)
def test_all_classes_that_differ_are_named(tmp_path, train, test, message):
    write(tmp_path / "train", dict.fromkeys(train, 1))
    write(tmp_path / "test", dict.fromkeys(test, 1))
    with pytest.raises(d2ltl.ImageFolderError, match=message):
        d2ltl.load_images(tmp_path)
