"""The catalogues of the commands."""

import argparse
import ast
import gettext
import re
from pathlib import Path

import pytest

catalogue = pytest.importorskip("tools.commands_catalogue", reason="needs Babel and OpenCC, as the extra docs has them")

PLACEHOLDER = re.compile(r"\{\w*(?:[:!][^}]*)?\}|%(?:\(\w+\))?[a-z]")


def test_the_catalogues_have_the_texts_of_the_code():
    assert catalogue.out_of_date() == []


def test_every_text_that_is_translated_is_found():
    """In an f-string, Babel finds a text only with Python 3.12."""
    found = {text for message in catalogue.extract() for text in (message.id if message.pluralizable else [message.id])}
    for path in [catalogue.ROOT / "data_hub.py", *(catalogue.ROOT / "d2ltl").rglob("*.py")]:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("_", "N_", "ngettext"):
                texts = {part.value for part in call.args if isinstance(part, ast.Constant)}
                assert texts <= found, path


@pytest.mark.parametrize("name", catalogue.TRANSLATED)
def test_translations_have_the_placeholders_of_their_texts(name):
    for message in catalogue.read(name):
        texts, told = ([*part] if isinstance(part, tuple) else [part] for part in (message.id, message.string))
        if message.id and all(told):
            assert [sorted(PLACEHOLDER.findall(text)) for text in told] == [sorted(PLACEHOLDER.findall(texts[-1]))]


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


def test_the_compiled_catalogues_are_read_by_gettext():
    for name in (*catalogue.TRANSLATED, catalogue.SIMPLIFIED):
        told = gettext.translation("d2ltl", catalogue.LOCALE, [name])
        assert told.gettext("options") != "options"
        assert told.ngettext("{number} epoch", "{number} epochs", 1)
