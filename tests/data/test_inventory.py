import json
import shutil

from conftest import write_images

import d2ltl
from d2ltl.data.inventory import describe_inventory, log_inventory, take_inventory


def test_the_numbers_of_each_class_and_part_in_one_line(stripes, caplog):
    with caplog.at_level("INFO"):
        inventory = log_inventory(d2ltl.load_images(stripes))
    line = "images to train (train/) + to test (test/): across 20 + 10, upright 20 + 10, in all 40 + 20; left out: none"
    assert caplog.messages == [line]
    assert json.loads(json.dumps(inventory))["parts"]["test"] == {
        **{"folder": str(stripes / "test"), "images": 20},
        "of_class": {"across": 10, "upright": 10},
    }


def test_validation_and_what_is_left_out(stripes, tmp_path):
    root = shutil.copytree(stripes, tmp_path / "set")
    write_images(root / "val", 3)
    shutil.copy(root / "test/across/000.jpg", root / "val/stray.jpg")
    (root / "train/across/broken.jpg").write_bytes(b"broken")
    line = describe_inventory(take_inventory(d2ltl.load_images(root, skip_unreadable=True)))
    assert line == (
        "images to train (train/) + for validation (val/) + to test (test/): across 20 + 3 + 10, upright 20 + 3 + 10, "
        "in all 40 + 6 + 20; left out: images outside of the class folders (1), images that cannot be read (1)"
    )


def test_drawn_test_images_and_what_is_left_out_once(tmp_path):
    write_images(tmp_path / "set", 5)
    (tmp_path / "set/test").mkdir()
    shutil.copy(tmp_path / "set/across/000.jpg", tmp_path / "set/test")
    assert describe_inventory(take_inventory(d2ltl.load_images(tmp_path / "set"))) == (
        "images to train + to test (drawn from set/): across 4 + 1, upright 4 + 1, in all 8 + 2; "
        "left out: images in test/ without class folders (1)"
    )


def test_folds_are_of_all_images(stripes, tmp_path):
    divided = shutil.copytree(stripes, tmp_path / "divided")
    undivided = shutil.copytree(stripes / "train", tmp_path / "photos")
    write_images(divided / "val", 3)
    for folder, line in (
        (stripes, "images in 3 folds (of train/ + test/): across 30, upright 30, in all 60; left out: none"),
        (undivided, "images in 3 folds (of photos/): across 20, upright 20, in all 40; left out: none"),
        (divided, "images in 3 folds (of train/ + val/ + test/): across 33, upright 33, in all 66; left out: none"),
    ):
        assert describe_inventory(take_inventory(d2ltl.load_images(folder), folds=3)) == line


def test_images_without_classes_have_a_number(stripes):
    _, test = d2ltl.load_images(stripes)
    inventory = take_inventory((d2ltl.UnlabelledImages(stripes / "train"), test))
    assert inventory["parts"]["train"]["images"] == 40
    assert "across 0 + 10, upright 0 + 10, in all 40 + 20" in describe_inventory(inventory)


def test_of_many_classes_the_smallest_and_the_largest_are_named(tmp_path):
    classes = [f"c{i:02}" for i in range(25)]
    write_images(tmp_path / "set/train", 4, classes=classes)
    write_images(tmp_path / "set/test", 1, classes=classes, seed=1)
    (tmp_path / "set/train/c07/000.jpg").unlink()
    line = describe_inventory(take_inventory(d2ltl.load_images(tmp_path / "set")))
    assert "25 classes from c07 3 + 1 to c24 4 + 1, in all 99 + 25" in line
    assert "c11" not in line
