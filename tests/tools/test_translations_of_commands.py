"""The catalogues of the commands."""

import argparse
import ast
import gettext
from pathlib import Path

import pytest

catalogue = pytest.importorskip(
    "tools.translations.commands", reason="needs Babel and OpenCC, as the extra docs has them"
)
pytestmark = pytest.mark.full  # needs the extra docs


def test_every_text_that_is_translated_is_found():
    """In an f-string, Babel finds a text only with Python 3.12."""
    found = {text for message in catalogue.extract() for text in (message.id if message.pluralizable else [message.id])}
    for path in [catalogue.ROOT / "data_hub.py", *(catalogue.ROOT / "d2ltl").rglob("*.py")]:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("_", "N_", "ngettext"):
                texts = {part.value for part in call.args if isinstance(part, ast.Constant)}
                assert texts <= found, path


def test_words_of_argparse_are_its_own():
    source = Path(argparse.__file__).read_text(encoding="utf-8")
    words = [text if isinstance(text, str) else text[0] for text in catalogue.ARGPARSE]
    unknown = [text for text in words if repr(text).replace(r"\n", "").strip("'") not in source.replace(r"\n", "")]
    assert {*unknown} <= {"options", "optional arguments"}  # its name depends on the version of Python


@pytest.mark.parametrize(
    ("traditional", "simplified"),
    [("選項", "选项"), ("略過無法讀取的檔案", "略过无法读取的文件"), ("{n} 個 `--data`", "{n} 个 `--data`")],
)
def test_simplified_chinese_is_derived(traditional, simplified):
    source = catalogue.Catalog(locale="zh_TW")
    source.add("text", traditional)
    source.add("fuzzy", traditional, flags=["fuzzy"])
    derived = catalogue.simplified(source)
    assert derived["text"].string == simplified
    assert "fuzzy" not in derived


def test_an_update_makes_the_catalogues_of_a_new_language(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "LOCALE", tmp_path)
    monkeypatch.setattr(catalogue, "WRITTEN", ("fr",))
    catalogue.update()
    assert catalogue.read("fr").get("options").string == ""
    assert {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.*")} == {
        *("fr/LC_MESSAGES/d2ltl.po", "fr/LC_MESSAGES/d2ltl.mo", "zh_CN/LC_MESSAGES/d2ltl.mo")
    }


def test_the_compiled_catalogues_are_read_by_gettext():
    for name in (*catalogue.WRITTEN, catalogue.SIMPLIFIED):
        told = gettext.translation("d2ltl", catalogue.LOCALE, [name])
        assert told.gettext("options") != "options"
        assert told.ngettext("{number} epoch", "{number} epochs", 1)
