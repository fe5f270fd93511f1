import pytest
from PIL import Image

import d2ltl


def draw(path, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (len(path.stem), 9, 9)).save(path)


def numbers(root):
    """Return the numbers of images, and of those that are left out, by reason."""
    pair = d2ltl.load_images(root)
    return sum(map(len, pair)), sum((part.left_out for part in pair), type(pair[0].left_out)())


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{}.jpg", "{}.png"),
        ("Imgs/{}.jpg", "Imgs/{}.png"),
        ("{}.png", "{}_mask.png"),
        ("x ({}).png", "x ({})_mask_1.png"),
        ("{}.jpg", "{}_segmentation.png"),
        ("images/{}.png", "masks/{}.png"),
        ("{}.png", "ground truth/{}.png"),
    ],
)
def test_masks_are_no_images_of_the_class(tmp_path, caplog, image, mask):
    for name in ("crack", "free"):
        for i in range(4):
            draw(tmp_path / name / image.format(i))
            draw(tmp_path / name / mask.format(i))
    assert numbers(tmp_path) == (8, {"masks": 8})
    assert "left out masks (8)" in caplog.text


def test_a_folder_of_masks_beside_the_folder_of_images(tmp_path):
    for folder in ("images", "masks"):
        for name in ("cat", "dog"):
            for i in range(3):
                draw(tmp_path / folder / name / f"{i}.png")
    assert numbers(tmp_path) == (6, {"masks": 6})


def test_images_that_only_look_like_masks_are_kept(tmp_path):
    for i in range(3):
        draw(tmp_path / "mask" / f"{i}.png")  # people who wear one
        draw(tmp_path / "no_mask" / f"{i}.png")
        draw(tmp_path / "no_mask" / f"{i}.jpg", size=(9, 7 + i))  # other images, by chance of the same number
        draw(tmp_path / "labels" / f"{i}.png")
        draw(tmp_path / "labels/old" / f"{i + 9}_mask.png")  # masks of nothing
    assert numbers(tmp_path) == (15, {})


def test_annotations_beside_images_are_counted_and_not_named_one_by_one(tmp_path, caplog):
    for name in ("cat", "dog"):
        for i in range(3):
            draw(tmp_path / name / f"{i}.jpg")
            (tmp_path / name / f"{i}.xml").write_text("<annotation/>")
    (tmp_path / "cat/notes.txt").write_text("mine")
    assert numbers(tmp_path) == (6, {"annotations of images": 6, "files that are not images": 1})
    assert "xml" not in caplog.text
    assert "notes.txt, which is not an image" in caplog.text
