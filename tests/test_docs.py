"""The documentation: its links lead somewhere, its code runs, its pictures and its API pages are complete."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import d2ltl
import data_hub

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
MADE = ("_build", "chapters")  # by Sphinx, and git-ignored

PAGES = sorted(page for page in DOCS.rglob("*.md") if page.relative_to(DOCS).parts[0] not in MADE)
ELSEWHERE = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    "chapters/README.md",
    "chapters/assignment/README.md",
    "_data_hub/shipped/README.md",
    "d2ltl/models/weights/README.md",
]
TEXTS = [*PAGES, *(ROOT / name for name in ELSEWHERE)]

FENCE = re.compile(r"^(```+)(.*?)\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)")


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def targets(text):
    """Return the files that a text links to, shows or includes, as written."""
    fences = FENCE.findall(text)
    included = [kind.split("}")[1].strip() for _, kind, _ in fences if re.match(r"\{(include|image|figure)\}", kind)]
    listed = [
        line.split("<")[-1].strip("> ") + (".ipynb" if "chapters/" in line else ".md")
        for _, kind, body in fences
        if kind.strip() == "{toctree}"
        for line in body.splitlines()
        if line and not line.startswith(":") and "*" not in line
    ]
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))
    linked = [target.partition("#")[0] for target in LINK.findall(prose) if "://" not in target]
    return [*included, *listed, *filter(None, linked)]


def found(page, target):
    chapters = DOCS / "chapters"  # a copy of the real ones
    file = (page.parent / target).resolve()
    return (ROOT / "chapters" / file.relative_to(chapters) if file.is_relative_to(chapters) else file).exists()


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_every_link_leads_to_a_file(page):
    text = page.read_text(encoding="utf-8")
    assert [target for target in targets(text) if not found(page, target)] == []


def test_links_are_seen_in_every_form():
    text = "[a](b.md#c) ![d](e.png) `[no](no.md)` [web](https://example.org)\n```{include} ../f.md\n:option:\n```\n"
    text += "```{toctree}\n:hidden:\n\ng/h\ni/*\n```\n```sh\n[no](no.md)\n```\n"
    assert targets(text) == ["../f.md", "g/h.md", "b.md", "e.png"]


def test_every_page_is_in_a_table_of_contents():
    listed = {
        (page.parent / target).resolve() for page in PAGES for target in targets(page.read_text(encoding="utf-8"))
    }
    assert {page for page in PAGES if page not in listed} <= {DOCS / "index.md"}


def blocks(page):
    """Return the ```python blocks of a page, each padded so that a traceback shows the line of the page."""
    text = page.read_text(encoding="utf-8")
    fences = re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return ["\n" * text.count("\n", 0, fence.start(1)) + fence[1] for fence in fences]


@pytest.mark.full
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name_of)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks(page):
        assert re.search(r"^assert ", block, re.MULTILINE), "a block of code without a claim"
        exec(compile(block, name_of(page), "exec"), names)


def test_the_api_pages_have_every_public_name():
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md"))
    documented = set(re.findall(r"^\.\. auto(?:function|class|exception):: ([\w.]+)", pages, re.MULTILINE))
    documented |= {f"data_hub.{name}" for name in re.findall(r"^\.\. py:data:: (\w+)", pages, re.MULTILINE)}
    functions = {name for name in d2ltl.__all__ if not isinstance(getattr(d2ltl, name), (ModuleType, str))}
    public = {f"d2ltl.{name}" for name in functions} | {f"data_hub.{name}" for name in data_hub.__all__}
    aliases = {"data_hub.D2LTLError"}  # documented as d2ltl.D2LTLError
    assert public - documented - aliases == set()


def test_the_glossary_says_what_each_term_means_and_is_the_term_base_of_the_languages():
    body = FENCE.search((DOCS / "glossary.md").read_text(encoding="utf-8"))[3]
    entries = [entry.splitlines() for entry in body.strip().split("\n\n")]
    assert len(entries) >= 20
    for language in ("vi", "zh_TW"):
        catalogue = (DOCS / "locale" / language / "LC_MESSAGES/glossary.po").read_text(encoding="utf-8")
        for term, *meaning in entries:
            assert meaning, term
            assert re.search(rf'^msgid "{re.escape(term)}"\nmsgstr "[^"]+"$', catalogue, re.MULTILINE), term


def drawing():
    spec = importlib.util.spec_from_file_location("draw_way", DOCS / "images" / "draw_way.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_what_its_script_draws():
    assert (DOCS / "images" / "way.svg").read_text(encoding="utf-8") == drawing().svg()


def test_the_picture_shows_files_that_exist():
    shown = re.findall(r"\b[\w/]+\.py\b", drawing().svg())
    assert len(shown) >= 10
    assert [file for file in shown if not ((ROOT / file).exists() or (ROOT / "d2ltl" / file).exists())] == []
