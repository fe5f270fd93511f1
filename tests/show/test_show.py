import re
import subprocess
import sys

import matplotlib.image
import pytest

from d2ltl.show import __main__ as show
from d2ltl.show.catalogue import DEMONSTRATIONS
from tools import catalogue


def test_without_a_name_it_lists_them(capsys):
    assert show.main([]) == 0
    printed = capsys.readouterr().out
    for name, demonstration in DEMONSTRATIONS.items():
        assert re.search(rf"^  {name} +{re.escape(demonstration.title)}$", printed, flags=re.MULTILINE)


def test_an_unknown_name_is_a_mistake(capsys):
    with pytest.raises(SystemExit) as stop:
        show.main(["magic"])
    assert stop.value.code == 2
    assert "magic" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--seed", "-1"], "A seed is -1"),
        (["--out", "figure.foo"], "figure.foo must be a file .* ending in .png"),
        (["--out", "missing/figure.png"], "missing/figure.png must be a file in a folder that is there"),
    ],
)
def test_mistakes_are_noticed_before_the_work(arguments, problem, capsys):
    assert show.main(["gains", *arguments]) == 2
    assert re.search(problem, capsys.readouterr().err)


def test_the_page_lists_every_demonstration():
    page = (catalogue.DOCS / "catalogue.md").read_text(encoding="utf-8")
    for entry in catalogue.ENTRIES:
        assert f"### {entry.question}\n\n```sh\n{entry.command}\n```" in page
        assert entry.picture.is_file()
    assert page.count("### ") == len(catalogue.ENTRIES) == len(list(catalogue.FIGURES.iterdir()))


def test_the_command_writes_a_figure_and_prints_a_verdict(tmp_path, capsys):
    assert show.main(["self-taught", "--seed", "1", "--out", str(tmp_path / "figure.png")]) == 0
    assert re.search(r"pixels 0\.\d+, features 0\.\d+.*seed 1", capsys.readouterr().out, re.DOTALL)
    assert matplotlib.image.imread(tmp_path / "figure.png").std() > 0.05


@pytest.mark.full
def test_the_command_as_the_page_gives_it(tmp_path):
    entry = next(entry for entry in catalogue.ENTRIES if entry.command.endswith("designed-features"))
    assert re.search(r"HOG 0\.\d+, CNN codes 0\.\d+", entry.run(tmp_path))
    assert matplotlib.image.imread(tmp_path / entry.figure).std() > 0.05
    done = subprocess.run([sys.executable, "-m", "d2ltl.show"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
