import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from conftest import write_images

import d2ltl
from d2ltl.data.folders import ImageFolder

TABLE = "labels.csv"


@pytest.fixture
def folder(tmp_path, stripes):
    return shutil.copytree(stripes, tmp_path / "stripes")


def write_table(folder, lines, encoding="utf-8"):
    (folder / TABLE).write_text("\n".join(lines), encoding=encoding)


def test_the_rendered_images_say_what_food_they_show(rendered):
    train, _ = rendered
    foods = d2ltl.read_labels(train, "food")
    assert len(set(foods)) == 10
    np.testing.assert_array_equal(foods == "hotdog", train.labels == 0)
    few = train.subset([799, 3])
    assert d2ltl.read_labels(few, "food").tolist() == [foods[799], foods[3]]
    assert set(d2ltl.read_labels(train, "light")) == {"sun", "window", "lamp"}


def test_the_table_may_lie_beside_the_class_folders(folder):
    images = ImageFolder(folder / "train")
    names = [file[len(str(folder / "train")) + 1 :] for file, _ in images.items]
    write_table(folder / "train", ["file,width", *(f"{name},{i}" for i, name in enumerate(names))])
    assert d2ltl.read_labels(images, "width").tolist() == [str(i) for i in range(len(images))]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (None, "There is no labels.csv in"),
        (["file,food", "train/across/000.jpg,bread"], "columns file, food; file and width"),
        (["name,width", "train/across/0.png,3"], "columns name, width"),
        ([], "file and width are needed"),
        (["file,width", "no.png,3"], "lacks train/.* and 39 other"),
        (["file,width", "no.png"], "lacks train/.* and 39 other"),
    ],
)
def test_what_the_table_lacks_is_named(folder, lines, message):
    if lines is not None:
        write_table(folder, lines)
    with pytest.raises(d2ltl.ImageFolderError, match=message):
        d2ltl.read_labels(ImageFolder(folder / "train"), "width")


def test_an_empty_cell_is_no_label(folder):
    images = ImageFolder(folder / "train")
    names = [Path(file).relative_to(folder).as_posix() for file, _ in images.items]
    write_table(folder, ["file,width", *(f"{name},{'wide' if i % 2 else ''}" for i, name in enumerate(names))])
    assert d2ltl.read_labels(images, "width").tolist() == [None, "wide"] * 20


def test_a_spreadsheets_byte_order_mark_does_no_harm_and_other_encodings_are_named(folder):
    images = ImageFolder(folder / "train")
    lines = ["file,width", *(f"{Path(file).relative_to(folder).as_posix()},groß" for file, _ in images.items)]
    write_table(folder, lines, "utf-8-sig")
    assert set(d2ltl.read_labels(images, "width")) == {"groß"}
    write_table(folder, lines, "cp1252")
    with pytest.raises(d2ltl.ImageFolderError, match=r"labels\.csv is not UTF-8"):
        d2ltl.read_labels(images, "width")


def test_other_classes_for_both_parts(rendered):
    train, test = d2ltl.relabel_by("hotdog-mini", "light")
    assert train.synsets == test.synsets == ["lamp", "sun", "window"]
    assert (len(train), len(test)) == (800, 400)
    foods = d2ltl.relabel_by(rendered, "food")
    assert foods[1].items == rendered[1].relabel(d2ltl.read_labels(rendered[1], "food").tolist()).items


def test_images_without_a_label_are_left_out(folder):
    rows = [f"{part}/{name}/000.jpg,{name[0]}" for part in ("train", "test") for name in ("across", "upright")]
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))
    others = [f"{file}," for file in files if not file.endswith("/000.jpg")]
    write_table(folder, ["file,letter", *rows, *others])
    assert [part.labels.tolist() for part in d2ltl.relabel_by(folder, "letter")] == [[0, 1], [0, 1]]


def spreadsheets():
    """Return the ways in which people and programs write one table, by name."""
    head, *rows = ["file,light", *(f"{name}/{i}.jpg,{'abc'[i]}" for name in ("käse", "wurst") for i in range(3))]
    lines = [head, *rows]
    return {
        "as documented": lines,
        "semicolons": [line.replace(",", ";") for line in lines],
        "tabs": [line.replace(",", "\t") for line in lines],
        "Excel's note": ["sep=;", *(line.replace(",", ";") for line in lines)],
        "backslashes": [line.replace("/", "\\") for line in lines],
        "NFC": [unicodedata.normalize("NFC", line) for line in lines],
        "NFD": [unicodedata.normalize("NFD", line) for line in lines],
        "upper case": ["File,LIGHT", *rows],
        "blanks": [line.replace(",", " , ") + " " for line in lines],
        "quotes and blanks": ['"file", "light"', *(f'"{row.replace(",", chr(34) + ", " + chr(34))}"' for row in rows)],
        "a row twice": [*lines, rows[0]],
        "empty lines": ["", head, *rows, "", ",", ""],
        "a column more": ["number," + head, *(f"7,{row}" for row in rows)],
        "dots": [head, *(f"./{row}" for row in rows)],
        "Windows' ends of lines": [f"{line}\r" for line in lines],
    }


@pytest.fixture(params=["NFC", "NFD"])
def accented(request, tmp_path):
    """A folder with two classes; the name of one has an accent, in one of two Unicode forms."""
    write_images(tmp_path, 3, classes=(unicodedata.normalize(request.param, "käse"), "wurst"))
    for path in [*tmp_path.rglob("*.jpg")]:
        path.rename(path.with_name(path.name[2:]))
    return tmp_path


@pytest.mark.parametrize("way", spreadsheets())
def test_a_table_may_be_a_spreadsheets(accented, way):
    (accented / TABLE).write_bytes("\n".join(spreadsheets()[way]).encode())
    assert d2ltl.read_labels(ImageFolder(accented), "light").tolist() == ["a", "b", "c"] * 2


def test_blank_and_missing_cells_are_no_labels(accented):
    rows = spreadsheets()["as documented"]
    (accented / TABLE).write_text("\n".join([rows[0], rows[1][:-1] + " ", rows[2][:-2], *rows[3:]]), encoding="utf-8")
    assert d2ltl.read_labels(ImageFolder(accented), "light").tolist() == [None, None, "c", "a", "b", "c"]


@pytest.mark.parametrize("other", ["z", ""])
def test_a_file_with_two_labels_is_an_error(accented, other):
    (accented / TABLE).write_text(
        "\n".join([*spreadsheets()["as documented"], f"wurst\\1.jpg,{other}"]), encoding="utf-8"
    )
    with pytest.raises(d2ltl.ImageFolderError, match=f"lists wurst.1.jpg twice: light is 'b' and '{other}'"):
        d2ltl.read_labels(ImageFolder(accented), "light")
