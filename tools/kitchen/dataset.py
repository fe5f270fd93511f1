"""Which image shows which food; labels.csv; the archive."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import multiprocessing
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm.auto import tqdm

from d2ltl.files import atomic_write, write_bytes
from tools.kitchen.foods import HOTDOG, MENU
from tools.kitchen.render import VERSIONS, render_image

NAME = "hotdog-mini"
NOT_HOTDOG = "not-hotdog"
IMAGES = 1200
EPOCH = (1980, 1, 1, 0, 0, 0)  # the date of every file in the archive: the earliest that a zip can tell
# Every six images in a row hold two training images and one test image of each class.
SPLITS = (("train", HOTDOG), ("train", NOT_HOTDOG)) * 2 + (("test", HOTDOG), ("test", NOT_HOTDOG))


@dataclass(frozen=True)
class Shot:
    """One image to be taken: its number among all, its place in the archive, its food."""

    index: int
    file: str
    food: str


def shot(index: int) -> Shot:
    """Return what image `index` shows. It is the same however many images are made.

    Examples
    --------
    >>> shot(0)
    Shot(index=0, file='train/hotdog/0000.jpg', food='hotdog')
    >>> shot(9)
    Shot(index=9, file='train/not-hotdog/0003.jpg', food='pizza')
    """
    group, place = divmod(index, len(SPLITS))
    split, label = SPLITS[place]
    number = group * SPLITS.count((split, label)) + SPLITS[:place].count((split, label))
    others = [food for food in MENU if food != HOTDOG]
    food = HOTDOG if label == HOTDOG else others[number % len(others)]
    return Shot(index, f"{split}/{label}/{number:04}.jpg", food)


def make_dataset(out: Path, seed: int = 0, size: int = 112, count: int = IMAGES, processes: int = 2) -> None:
    """Render the first `count` images of the set, `size` pixels wide and high, into the zip archive `out`.

    The images are kept beside the archive, in a folder named after everything that they depend on. A run that was
    stopped can therefore be continued.
    """
    folder = out.with_name(f"{out.name}.{fingerprint(seed, size)}")
    shots = [shot(index) for index in range(count)]
    missing = [each for each in shots if not (folder / each.file).exists()]
    take = partial(take_shot, folder, seed, size)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for _ in tqdm(pool.imap_unordered(take, missing), total=len(shots), initial=len(shots) - len(missing)):
            pass
    pack(out, folder, shots)


def fingerprint(seed: int, size: int) -> str:
    """Return a short name for everything that the images depend on: arguments, program, versions."""
    digest = hashlib.sha1(f"{seed} {size} {VERSIONS}".encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:10]


def take_shot(folder: Path, seed: int, size: int, each: Shot) -> None:
    """Render one image into a folder, with its row of labels.csv beside it."""
    image, labels = render_image(each.food, seed, each.index, size)
    path = folder / each.file
    path.parent.mkdir(parents=True, exist_ok=True)
    # The row first: an image that is there has its row.
    for file, content in ((path.with_suffix(".json"), json.dumps(labels).encode()), (path, image)):
        write_bytes(file, content)


def pack(out: Path, folder: Path, shots: list[Shot]) -> None:
    """Write the archive: labels.csv and the images, in order of their names, without their dates."""
    shots = sorted(shots, key=lambda each: each.file)
    rows = [{"file": each.file, **json.loads((folder / each.file).with_suffix(".json").read_bytes())} for each in shots]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files = {"labels.csv": table.getvalue().encode()}
    files.update((each.file, (folder / each.file).read_bytes()) for each in shots)
    with atomic_write(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in files.items():
            # Stored as it is: JPEG does not shrink, and zlib's output is not the same in every version.
            archive.writestr(zipfile.ZipInfo(f"{NAME}/{name}", EPOCH), content)
