"""The catalogues of the pages: where they are, and how they are made from what they translate."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po
from sphinx_intl import basic

from tools.translations import WRITTEN, pictures
from tools.translations.check import check_catalogue
from tools.translations.simplified import simplify

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = DOCS / "locale"

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


def read(file: Path) -> Catalog:
    """Read a catalogue."""
    with file.open("rb") as stream:
        return read_po(stream)


def folder_of(language: str) -> Path:
    """Return the folder of the catalogues of a language."""
    return PAGES / language / "LC_MESSAGES"


def read_terms(language: str) -> dict[str, str]:
    """Return the term base: the terms of the glossary in English, and their translation into a language."""
    terms = re.findall(r"^(\S.*)\n  \S", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    catalogue = read(folder_of(language) / "glossary.po")
    return {term: catalogue[term].string for term in terms if term in catalogue and catalogue[term].string}


@contextmanager
def templates_of_pages() -> Iterator[Path]:
    """Make a folder with templates, catalogues without translations, of what the pages and their pictures say."""
    with tempfile.TemporaryDirectory() as folder:
        pages, doctrees = f"{folder}/pages", f"{folder}/doctrees"
        sphinx = [sys.executable, "-m", "sphinx", "-b", "gettext", "-q", "-W", "--keep-going", "-d", doctrees]
        subprocess.run([*sphinx, str(DOCS), pages], check=True)
        with Path(pages, f"{pictures.DOMAIN}.pot").open("wb") as file:
            write_po(file, pictures.template(), omit_header=True)
        yield Path(pages)


def update() -> None:
    """Bring the catalogues up to date with the pages. Translations stay; that of a changed text is marked as fuzzy."""
    with templates_of_pages() as templates:
        basic.update(str(PAGES), str(templates), WRITTEN, line_width=0, ignore_obsolete=True)
    for language in WRITTEN:
        for file in folder_of(language).rglob("*.po"):
            text = file.read_text(encoding="utf-8")
            with_head = HEAD.format(language) + text.partition("\n\n")[2]
            if with_head != text:
                file.write_text(with_head, encoding="utf-8")


def check() -> Iterator[str]:
    """Say for each catalogue what is wrong in it."""
    with templates_of_pages() as templates:
        for language in WRITTEN:
            yield from check_folder(folder_of(language), templates, read_terms(language))


def check_folder(folder: Path, templates: Path, terms: Mapping[str, str]) -> Iterator[str]:
    """Say what is wrong in the catalogues of a folder, each of which belongs to a template of the same name."""
    names = {file.relative_to(templates).with_suffix("") for file in templates.rglob("*.pot")}
    for name in sorted(names):
        yield from check_file(folder / f"{name}.po", templates / f"{name}.pot", terms)
    for file in sorted(folder.rglob("*.po")):
        if file.relative_to(folder).with_suffix("") not in names:
            yield f"{shown(file)} translates nothing: delete it"


def check_file(file: Path, template: Path, terms: Mapping[str, str]) -> Iterator[str]:
    """Say what is wrong in a catalogue, whose file may be missing."""
    catalogue = read(file) if file.exists() else Catalog()
    for problem in check_catalogue(catalogue, read(template), terms):
        yield f"{shown(file)}: {problem}"


def shown(file: Path) -> str:
    """Return a path as it is told: from the top of the repository, if it is in it."""
    return str(file.relative_to(ROOT) if file.is_relative_to(ROOT) else file)


def derive() -> None:
    """Write the catalogues in Simplified Chinese, from those in Traditional Chinese."""
    for file in folder_of("zh_TW").rglob("*.po"):
        catalogue = read(file)
        for message in catalogue:
            if message.id:
                message.string = simplify(message.string)
        derived = folder_of("zh_CN") / file.relative_to(folder_of("zh_TW"))
        derived.parent.mkdir(parents=True, exist_ok=True)
        with derived.open("wb") as stream:
            catalogue.locale = "zh_CN"
            write_po(stream, catalogue, width=0)
