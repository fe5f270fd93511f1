import re
import subprocess
import sys

import matplotlib.image
import pytest

from d2ltl.show import __main__ as show
from tools import catalogue


def test_without_a_name_it_lists_them(capsys):
    assert show.main([]) == 0
    printed = capsys.readouterr().out
    for name, demonstration in show.DEMONSTRATIONS.items():
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


def test_the_list_does_not_wait_for_mxnet():
    code = "import sys; from d2ltl.show.__main__ import main; main([]); assert 'mxnet' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_the_page_lists_every_demonstration():
    page = (catalogue.DOCS / "catalogue.md").read_text(encoding="utf-8")
    for entry in catalogue.ENTRIES:
        assert f"### {entry.question}\n\n```sh\n{entry.command}\n```" in page
        assert entry.picture.is_file()
    assert page.count("### ") == len(catalogue.ENTRIES) == len(list(catalogue.FIGURES.iterdir()))


@pytest.mark.slow
@pytest.mark.parametrize("entry", catalogue.ENTRIES, ids=lambda entry: entry.command[len("python -m ") :])
def test_what_the_page_lists_can_be_run(entry, tmp_path):
    printed = entry.run(tmp_path)
    assert re.search(r"\d\.\d", printed)  # something was measured
    assert matplotlib.image.imread(tmp_path / entry.figure).std() > 0.05  # and drawn
