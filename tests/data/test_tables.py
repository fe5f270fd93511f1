"""Images that lie side by side, with their classes in a table."""

import numpy as np
import pytest
from PIL import Image

import d2ltl
from d2ltl.data.pairs import as_images


def write(root, numbers, **tables):
    for folder, number in numbers.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for i in range(number):
            pixels = np.random.default_rng([i, *folder.encode()]).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / folder / f"{folder or 'image'}{i}.jpg")
    for name, (head, form, rows) in tables.items():
        lines = [head, *(form.format(i, "ab"[i % 2]) for i in rows)]
        (root / f"{name}.csv").write_text("\n".join(lines), encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("name", "head", "form"),
    [
        ("labels", "id,breed", "train{},{}"),  # the book's dog breeds
        ("trainLabels", "id,label", "train{},{}"),  # the book's CIFAR-10
        ("train", "image_id,label", "train{}.jpg,{}"),
        ("train_labels", "x,y", "train/train{}.jpg,{}"),
        ("labels", "age,file,label", "3,train/train{}.jpg,{}"),
        ("Labels", "Class Name,File Name,age", "{1},train{0}.jpg,3"),
    ],
)
def test_kaggles_layout_is_read_by_its_table(tmp_path, caplog, name, head, form):
    write(tmp_path, {"train": 10, "test": 4}, **{name: (head, form, range(10))})
    with caplog.at_level("INFO"):
        train, test = d2ltl.load_images(tmp_path)
    assert train.synsets == test.synsets == ["a", "b"]
    assert f"{name}.csv has the classes of 10 of 10 images" in caplog.text
    assert "no test images with classes, so a fifth is drawn: 8 images to train, 2 to test" in caplog.text
    assert (len(train), len(test)) == (8, 2)
    assert all(label == int(path[-5]) % 2 for path, label in train.items + test.items)
    assert train.left_out == {"images in test/ without known classes": 4}
    assert "left out images in test/ without known classes (4)" in caplog.text


def test_a_table_may_list_the_test_images_too(tmp_path):
    write(tmp_path, {"train": 6, "test": 6})
    rows = [
        f"{part}/{part}{i}.jpg,{'ab'[i % 2]}" for part, number in (("train", 6), ("test", 4)) for i in range(number)
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]), encoding="utf-8")
    pair = d2ltl.load_images(tmp_path)
    assert [len(part) for part in pair] == [6, 4]
    assert pair[1].left_out == {"images that the table of labels does not list": 2}
    assert len(as_images(tmp_path)) == 4


def test_each_part_may_have_a_table(tmp_path):
    for part, number in (("train", 6), ("val", 4), ("test", 2)):
        write(tmp_path / part, {"": number}, labels=("file,label", "image{}.jpg,{}", range(number)))
    train, test = d2ltl.load_images(tmp_path)
    assert [len(part) for part in (train, train.validation, test)] == [6, 4, 2]


def test_a_name_without_its_folder_means_the_training_image(tmp_path):
    for part in ("train", "test"):  # 0.jpg, 1.jpg, … in both, as in CIFAR-10
        write(tmp_path / part, {"": 6})
    write(tmp_path, {}, labels=("id,label", "image{},{}", range(6)))
    train, test = d2ltl.load_images(tmp_path)
    assert {path for path, _ in train.items + test.items} == {str(tmp_path / f"train/image{i}.jpg") for i in range(6)}
    assert train.left_out == {"images in test/ without known classes": 6}


@pytest.mark.parametrize("folder", ["", "images", "train"])
def test_a_heap_of_images_with_a_table(tmp_path, folder):
    write(tmp_path, {folder: 10}, labels=("id,label", (folder or "image") + "{},{}", range(9)))
    train, test = d2ltl.load_images(tmp_path)
    assert (len(train), len(test)) == (7, 2)
    assert train.left_out == {"images that the table of labels does not list": 1}
    assert len(as_images(tmp_path)) == 9


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {},
            r"train has 0 class folders.*holds 6 images itself.*list them in .*labels\.csv, with the columns file and",
        ),
        ({"labels": ("id", "train{}", range(6))}, "must have the name of each image, and the column label its class"),
        (
            {"labels": ("id,label", "other{},{}", range(6))},
            r"labels\.csv lists none of the 6 images .*such as train0\.jpg",
        ),
        ({"labels": ("id,size,colour", "train{},{},red", range(6))}, "has the columns id, size, colour. Call the one"),
        ({"labels": ("id,label", "train{},a", range(6))}, r"class names given are \['a'\]; at least 2"),
    ],
)
def test_without_classes_the_error_says_how_to_use_a_table(tmp_path, tables, message):
    write(tmp_path, {"train": 6, "test": 2}, **tables)
    with pytest.raises(d2ltl.ImageFolderError, match=message):
        d2ltl.load_images(tmp_path)


def test_a_table_beside_class_folders_does_not_change_the_classes(tmp_path):
    write(tmp_path, {"x": 4, "y": 4}, labels=("file,label", "x/x{}.jpg,{}", range(4)))
    assert d2ltl.load_images(tmp_path)[0].synsets == ["x", "y"]


def test_other_classes_for_the_images_for_validation_too(tmp_path):
    rows = ["file,letter"]
    for part in ("train", "val", "test"):
        write(tmp_path / part, {"x": 4, "y": 4})
        rows += [f"{part}/{name}/{name}{i}.jpg,{'ab'[i % 2]}" for name in "xy" for i in range(4)]
    (tmp_path / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    train, _ = d2ltl.relabel_by(tmp_path, "letter")
    assert train.validation.synsets == train.synsets == ["a", "b"]
