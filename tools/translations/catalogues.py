"""The catalogues: where they are, and how they are made from what they translate."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po
from opencc import OpenCC
from sphinx_intl import basic

from tools.translations.check import KEPT, check_catalogue

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = DOCS / "locale"
LANGUAGES = ("vi", "zh_TW")
"""Those that are written. `derive` makes zh_CN of zh_TW."""

HEAD = """\
msgid ""
msgstr ""
"Language: {}\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""
"""A head without dates and names: a catalogue changes only if its messages do."""

TO_SIMPLIFIED = OpenCC("tw2sp")
CORRECTIONS = {
    "信赖区间": "置信区间",
    "信道": "通道",
    "几率": "概率",
    "压缩档": "压缩文件",
    "影像": "图像",
    "拷贝": "复制",
    "映像档": "镜像",
    "缺省": "默认",
    "范式": "规范化",
}
"""What OpenCC leaves as in Taiwan, or takes for another word. The words on the right are those of the book."""


def read(file: Path) -> Catalog:
    """Read a catalogue."""
    with file.open("rb") as stream:
        return read_po(stream)


def folder_of(language: str, locale: Path = PAGES) -> Path:
    """Return the folder of a language's catalogues."""
    return locale / language / "LC_MESSAGES"


def read_terms(language: str, locale: Path = PAGES) -> dict[str, str]:
    """Return the term base: the terms of the glossary in English, and their translation into a language."""
    terms = re.findall(r"^(\S.*)\n  \S", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    catalogue = read(folder_of(language, locale) / "glossary.po")
    return {term: catalogue[term].string for term in terms if term in catalogue and catalogue[term].string}


def extract(folder: Path) -> None:
    """Write templates of what is to be translated on the pages into a folder, in files like those of the catalogues."""
    sphinx = [sys.executable, "-m", "sphinx", "-b", "gettext", "-q", "-W", "--keep-going"]
    with tempfile.TemporaryDirectory() as doctrees:
        subprocess.run([*sphinx, "-d", doctrees, str(DOCS), str(folder)], check=True)


def update() -> None:
    """Bring the catalogues up to date with the pages. Translations stay; that of a changed text is marked as fuzzy."""
    with tempfile.TemporaryDirectory() as templates:
        extract(Path(templates))
        basic.update(str(PAGES), templates, LANGUAGES, line_width=0, ignore_obsolete=True)
    for language in LANGUAGES:
        for file in folder_of(language).rglob("*.po"):
            text = file.read_text(encoding="utf-8")
            with_head = HEAD.format(language) + text.partition("\n\n")[2]
            if with_head != text:
                file.write_text(with_head, encoding="utf-8")


def check() -> Iterator[str]:
    """Say for each catalogue what is wrong in it."""
    with tempfile.TemporaryDirectory() as folder:
        templates = Path(folder)
        extract(templates)
        pages = {template.relative_to(templates).with_suffix("") for template in templates.rglob("*.pot")}
        for language in LANGUAGES:
            terms, catalogues = read_terms(language), folder_of(language)
            for page in sorted(pages):
                file = catalogues / f"{page}.po"
                catalogue = read(file) if file.exists() else Catalog()
                for problem in check_catalogue(catalogue, read(templates / f"{page}.pot"), terms):
                    yield f"{file.relative_to(ROOT)}: {problem}"
            for file in sorted(catalogues.rglob("*.po")):
                if file.relative_to(catalogues).with_suffix("") not in pages:
                    yield f"{file.relative_to(ROOT)} translates no page: delete it"


def derive(locale: Path = PAGES) -> None:
    """Write the catalogues in Simplified Chinese, from those in Traditional Chinese."""
    for file in folder_of("zh_TW", locale).rglob("*.po"):
        catalogue = read(file)
        for message in catalogue:
            if message.id:
                message.string = simplify(message.string)
        derived = folder_of("zh_CN", locale) / file.relative_to(folder_of("zh_TW", locale))
        derived.parent.mkdir(parents=True, exist_ok=True)
        with derived.open("wb") as stream:
            catalogue.locale = "zh_CN"
            write_po(stream, catalogue, width=0)


def simplify(text: str) -> str:
    """Write a text in Simplified characters and with the words of the mainland; code and links stay as they are."""
    start, parts = 0, []
    for match in KEPT.finditer(text):
        parts += [TO_SIMPLIFIED.convert(text[start : match.start()]), match[0]]
        start = match.end()
    simplified = "".join([*parts, TO_SIMPLIFIED.convert(text[start:])])
    for taiwan, mainland in CORRECTIONS.items():
        simplified = simplified.replace(taiwan, mainland)
    return simplified
