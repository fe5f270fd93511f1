"""The report of one comparison in every language."""

import html
import re

import pytest

import d2ltl
from _data_hub.language import LANGUAGES, _
from d2ltl.comparison import report, sentences

NUMBER = re.compile(r"\d+(?:\.\d+)?")
OPTIONS = {"strategies": ["finetune", "codes-softmax", "scratch"], "size": 32, "epochs": 1, "batch_size": 8}


@pytest.fixture(scope="module")
def folder(stripes, source_file, tmp_path_factory):
    """The folder of a small comparison, and its settings."""
    out = tmp_path_factory.mktemp("languages") / "out"
    settings = {"data": stripes, "pretrained": source_file, "net": "tiny", "out": out, "resume": False, **OPTIONS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("D2LTL_LANG", "vi")
        d2ltl.run_comparison(**settings)
    return {**settings, "resume": True}


@pytest.fixture(scope="module")
def pages(folder, tmp_path_factory):
    """By language: the files of the report, the comparison being read again from its folder."""
    found = {}
    for name in LANGUAGES:
        out = tmp_path_factory.mktemp(name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("D2LTL_LANG", name)
            comparison = d2ltl.run_comparison(**folder)
            report.write_report(comparison, out)
            printed = [report.table(comparison), *sentences.reading(comparison), *sentences.warnings(comparison)]
            printed += [*sentences.next_steps(comparison), str(comparison.split)]
            (out / "printed.txt").write_text("\n".join(printed), encoding="utf-8")
        found[name] = {file.name: file.read_bytes() for file in out.iterdir()}
    return found


def _visible(page):
    """Return the text of a page, without its style and its pictures."""
    return html.unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page.decode(), flags=re.DOTALL))


def _numbers(text):
    return sorted(NUMBER.findall(re.sub(r"\S*/\S*", " ", text)))


@pytest.mark.parametrize("name", [name for name in LANGUAGES if name != "en"])
def test_a_saved_comparison_is_told_in_the_language_of_the_reader(name, pages, monkeypatch):
    monkeypatch.setenv("D2LTL_LANG", name)
    page, english = (_visible(pages[of]["report.html"]) for of in (name, "en"))
    assert f'<html lang="{name.replace("_", "-")}">' in pages[name]["report.html"].decode()
    assert _("What to do next") in page
    assert "What to do next" not in page
    assert _numbers(page) == _numbers(english)


@pytest.mark.parametrize("file", ["printed.txt", "MODEL_CARD.md"])
@pytest.mark.parametrize("name", [name for name in LANGUAGES if name != "en"])
def test_texts_have_the_same_numbers_in_every_language(file, name, pages):
    assert _numbers(pages[name][file].decode()) == _numbers(pages["en"][file].decode())


@pytest.mark.parametrize("file", ["report.json", "predictions.csv"])
def test_files_for_programs_are_the_same_in_every_language(file, pages):
    assert len({files[file] for files in pages.values()}) == 1


def test_the_figures_are_drawn_in_the_language(pages):
    assert pages["vi"]["curves.png"] != pages["en"]["curves.png"]
