"""``python -m tools.site FOLDER``: one folder for any web server, with what can be seen without installing anything.

It has the documentation (`make docs` builds it first), reports of comparisons on rendered images, and a page that
classifies photographs in the browser. The comparisons are made anew, in about a minute. No photograph is in the folder.
"""

from __future__ import annotations

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader

from tools.translations import LANGUAGES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "_build" / "html"


class Shown(NamedTuple):
    """A comparison on hotdog-mini: the name of its files, what it shows, and options of `run_comparison`."""

    name: str
    title: str
    options: dict[str, Any]


COMPARISONS = [
    Shown(
        "imagenet-features",
        "A linear classifier on the features of an ImageNet model",
        {"net": "efficientnet_lite0", "pretrained": "imagenet", "strategies": ["codes-softmax"], "size": 224},
    ),
    Shown(
        "finetune-and-scratch",
        "Fine-tuned from a small source model, and trained from scratch",
        {"net": "resnet18_v2", "pretrained": "tinyimagenet", "size": 32, "epochs": 3},
    ),
    Shown(
        "cross-validation",
        "Every image tested once, by the network of one of five folds",
        {
            "net": "resnet18_v2",
            "pretrained": "tinyimagenet",
            "strategies": ["codes-softmax"],
            "size": 32,
            "cross_validate": 5,
        },
    ),
]
"""The network of the first one is that of the page that classifies photographs."""


def build_site(site: Path, docs: Path = DOCS, run: Path | None = None) -> None:
    """Write the site; `run` is another comparison, whose network the page that classifies photographs then has."""
    site.mkdir(parents=True)
    shutil.copytree(docs, site / "docs")
    (site / "reports").mkdir()
    with tempfile.TemporaryDirectory() as folder:
        for name, _, options in COMPARISONS:
            out = Path(folder, name)
            report = d2ltl.write_report(d2ltl.run_comparison("hotdog-mini", out=out, **options), out)
            shutil.copyfile(report, site / "reports" / f"{name}.html")
        d2ltl.export_web(run or Path(folder, COMPARISONS[0].name), site / "photograph")
    template = Environment(loader=FileSystemLoader(ROOT / "tools"), autoescape=True).get_template("site.html")
    others = [language for language in LANGUAGES.items() if language[0] != "en"]
    page = template.render(comparisons=COMPARISONS, languages=others, version=d2ltl.__version__)
    (site / "index.html").write_text(page, encoding="utf-8")
    (site / ".nojekyll").touch()  # otherwise GitHub Pages would leave out docs/_static


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.site", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder to write, a new one")
    parser.add_argument("--run", type=Path, metavar="RUN", help="a comparison whose network classifies photographs")
    args = parser.parse_args()
    build_site(args.folder, run=args.run)


if __name__ == "__main__":
    main()
