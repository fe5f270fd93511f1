"""What can be told about the chapters without running them; `make chapters` runs them."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

CHAPTERS = Path(__file__).parents[2] / "chapters"
NOTEBOOKS = sorted(CHAPTERS.glob("*.ipynb"))
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
MAX_BYTES = 700_000  # of one notebook, outputs included
OF_ONE_MACHINE = re.compile(r"(/home/|/root/|/tmp/|/work/|/Users/|[A-Z]:\\\\|0x[0-9a-f]{8})")


@pytest.fixture(params=NOTEBOOKS, ids=lambda file: file.stem)
def notebook(request):
    """One chapter, as JSON."""
    return json.loads(request.param.read_text(encoding="utf-8"))


def source(cell):
    return "".join(cell["source"])


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def texts(output):
    """Return all that an output shows as text."""
    data = output.get("data", {})
    shown = [output.get("text", ""), *(value for kind, value in data.items() if kind.startswith("text/"))]
    return "".join("".join(part) for part in shown)


@pytest.mark.full
def test_is_a_valid_notebook(notebook):
    import nbformat

    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    nbformat.validate(nbformat.from_dict(notebook))


def test_every_code_cell_is_preceded_by_a_reason(notebook):
    cells = notebook["cells"]
    for before, cell in zip([None, *cells], cells):
        if cell["cell_type"] == "code":
            assert before is not None, cell["id"]
            assert before["cell_type"] == "markdown", f"{cell['id']} follows {before['id']} without a word"


def test_has_one_title(notebook):
    text = "\n".join(source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    outside_code = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert len(re.findall(r"^# ", outside_code, flags=re.MULTILINE)) == 1
    assert source(notebook["cells"][0]).startswith("# ")


def test_cells_have_names_that_a_diff_can_show(notebook):
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name)] == []


def test_metadata_says_what_every_machine_says(notebook):
    assert notebook["metadata"] == METADATA
    assert [cell["id"] for cell in notebook["cells"] if set(cell["metadata"]) - {"tags"}] == []


def test_one_line_chooses_data_and_source_and_quick_is_visible(notebook):
    code = "\n".join(source(cell) for cell in code_cells(notebook))
    assert len(re.findall(r"^DATA, (?:NET, )?SOURCE = \"hotdog-mini\", ", code, flags=re.MULTILINE)) == 1
    assert 'QUICK = bool(os.environ.get("QUICK"))' in code
    assert "assert " in code


def test_code_is_python(notebook):
    for cell in code_cells(notebook):
        ast.parse(source(cell).rstrip(";\n"))


def test_outputs_are_of_one_run_from_top_to_bottom(notebook):
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    assert counts in ([None] * len(counts), list(range(1, len(counts) + 1)))


def test_outputs_hold_no_noise(notebook):
    for cell in code_cells(notebook):
        for output in cell["outputs"]:
            assert output["output_type"] != "error", cell["id"]
            assert output.get("name") != "stderr", f"{cell['id']}: {texts(output)}"
            assert not OF_ONE_MACHINE.search(texts(output)), f"{cell['id']}: {texts(output)}"
            assert not {kind for kind in output.get("data", {}) if "widget" in kind}, cell["id"]


def test_is_small(notebook):
    assert len(json.dumps(notebook)) < MAX_BYTES


def test_text_links_lead_somewhere(notebook):
    text = "\n".join(source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    assert [target for target in targets if target and not (CHAPTERS / target).exists()] == []


@pytest.fixture
def colab():
    """The first code cell of chapter 1, as compiled code."""
    first = code_cells(json.loads((CHAPTERS / "01-fine-tuning.ipynb").read_text(encoding="utf-8")))[0]
    return compile(source(first), "colab", "exec")


@pytest.fixture
def commands(monkeypatch):
    """The commands that would have been run."""
    ran = []
    monkeypatch.setattr(subprocess, "run", lambda command, **options: ran.append((command, options)))
    return ran


def test_the_cell_for_colab_does_nothing_elsewhere(colab, commands, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    exec(colab, {})
    assert commands == []


def test_the_cell_for_colab_installs_and_asks_for_a_restart_where_numpy_is_loaded(colab, commands, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match="Restart session"):
        exec(colab, {})
    assert commands == [([sys.executable, "-m", "pip", "install", "--quiet", "d2ltl[cpu]"], {"check": True})]


def test_the_cell_for_colab_goes_on_after_the_restart(colab, commands, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", None)
    exec(colab, {})
    assert commands == []


@pytest.mark.parametrize("figure", sorted(CHAPTERS.glob("images/*.svg")), ids=lambda file: file.name)
def test_figures_are_described_and_bring_their_own_background(figure):
    root = ElementTree.parse(figure).getroot()
    svg = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{svg}title")
    assert root.findtext(f"{svg}desc")
    width, height = map(float, root.get("viewBox").split()[2:])
    card = root.find(f"{svg}rect")  # light, so that dark text is read on a dark page too
    assert float(card.get("width")) >= width - 2
    assert float(card.get("height")) >= height - 2
    assert root.findall(f".//{svg}image") == []
