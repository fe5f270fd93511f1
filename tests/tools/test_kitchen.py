import csv
import io
import zipfile
from collections import Counter

import numpy as np
import pytest

pytest.importorskip("mitsuba", reason="needs the extra kitchen, as the full tier has it")

from tools.kitchen.dataset import IMAGES, make_dataset, shot
from tools.kitchen.foods import ATTRIBUTES, HOTDOG, MENU
from tools.kitchen.render import render_image
from tools.kitchen.shapes import arc, ball, box, circle, join, lathe, ring, slab, strew, sweep, tube

pytestmark = pytest.mark.full


def test_the_same_seed_gives_the_same_bytes():
    image, labels = render_image("pretzel", 3, 7, 16)
    assert (image, labels) == render_image("pretzel", 3, 7, 16)
    assert image[:2] == b"\xff\xd8"  # a JPEG file
    assert image != render_image("pretzel", 4, 7, 16)[0]
    assert image != render_image("pretzel", 3, 8, 16)[0]


def test_the_scene_does_not_depend_on_the_food():
    scenes = []
    for food in ("banana", HOTDOG):
        labels = render_image(food, 0, 5, 8)[1]
        scenes.append({name: labels[name] for name in ("table", "support", "camera", "light")})
    assert scenes[0] == scenes[1]


def test_every_food_has_its_own_signature():
    for name, food in MENU.items():
        assert not food.always & food.sometimes, name
        assert food.always | food.sometimes <= set(ATTRIBUTES), name
        for other in set(MENU) - {name}:
            shared = food.signature.keys() & MENU[other].signature.keys()
            assert any(food.signature[key] != MENU[other].signature[key] for key in shared), (name, other)


def test_a_dish_has_only_attributes_that_its_food_may_have():
    for name, food in MENU.items():
        for seed in range(3):
            assert food.draw(np.random.default_rng(seed)).true <= food.sometimes, name


def test_the_set_is_balanced():
    shots = [shot(index) for index in range(IMAGES)]
    assert len({each.file for each in shots}) == IMAGES
    folders = Counter(each.file.rpartition("/")[0] for each in shots)
    assert folders == {"train/hotdog": 400, "train/not-hotdog": 400, "test/hotdog": 200, "test/not-hotdog": 200}
    for split in ("train", "test"):
        foods = Counter(each.food for each in shots if each.file.startswith(f"{split}/not-hotdog"))
        assert len(foods) == 9
        assert max(foods.values()) - min(foods.values()) <= 1


def volume(mesh):
    return np.linalg.det(mesh.vertices[mesh.faces]).sum() / 6


def test_solids_are_closed_and_face_outwards():
    assert volume(box(1, 2, 3)) == pytest.approx(6)
    assert volume(ball(1, 48).moved(5, 6, 7)) == pytest.approx(4 / 3 * np.pi, rel=0.02)
    assert volume(tube(arc(10, 60), 1)) == pytest.approx(8 * np.pi + 4 / 3 * np.pi, rel=0.03)
    assert volume(sweep(ring(3), circle(), closed=True)) == pytest.approx(6 * np.pi**2, rel=0.03)
    half = np.arange(64) < 32
    assert volume(lathe(slab(2, 0.1), outline=half)) == pytest.approx(0.2 * np.pi, rel=0.06)


def test_grains_lie_on_the_surface():
    grains = strew(np.random.default_rng(0), box(0.1, 0.1, 0.1), ball(3), 5)
    assert len(grains.vertices) == 5 * len(box(1, 1, 1).vertices)
    assert np.linalg.norm(grains.vertices, axis=1) == pytest.approx(3, abs=0.15)
    assert volume(join([grains])) == pytest.approx(5 * 0.001, rel=0.01)


def test_the_archive(tmp_path):
    make_dataset(tmp_path / "a.zip", seed=1, size=8, count=6, processes=2)
    content = (tmp_path / "a.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        rows = list(csv.DictReader(archive.read("hotdog-mini/labels.csv").decode().splitlines()))
        image = archive.read("hotdog-mini/train/not-hotdog/0001.jpg")
    assert [f"hotdog-mini/{row['file']}" for row in rows] == names[1:] == sorted(names[1:])
    assert {row["file"]: row["food"] for row in rows} == {shot(i).file: shot(i).food for i in range(6)}
    assert all(row[name] in "01" for row in rows for name in ATTRIBUTES)
    assert image == render_image("submarine", 1, 3, 8)[0]

    rendered = next(tmp_path.glob("a.zip.*/test/hotdog/0000.jpg"))
    rendered.unlink()  # as if the run had been stopped before
    make_dataset(tmp_path / "a.zip", seed=1, size=8, count=6, processes=1)
    assert (tmp_path / "a.zip").read_bytes() == content
