"""The words in pictures: SVG files of translated pages, which get a copy in each language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape, unescape
from pathlib import Path

from babel.messages import Catalog

ROOT = Path(__file__).parents[2]
PICTURES = [ROOT / "chapters" / "images" / "four-steps.svg"]
DOMAIN = "pictures"  # the name of their catalogue

WORDS = re.compile(r"(?<=>)[^<>]*[^\W\d_][^<>]*(?=</(?:text|title|desc)>)")


def template() -> Catalog:
    """Return the words in the pictures, without translations."""
    catalogue = Catalog()
    for picture in PICTURES:
        for words in WORDS.findall(picture.read_text(encoding="utf-8")):
            catalogue.add(unescape(words))
    return catalogue


def write_pictures(folder: Path, language: str, catalogue: Catalog) -> None:
    """Write the pictures into a folder in a language, under the names that Sphinx looks for: ``name.vi.svg``."""
    translations = {message.id: message.string or message.id for message in catalogue if message.id}
    for picture in PICTURES:
        drawn = translated(picture.read_text(encoding="utf-8"), translations)
        (folder / f"{picture.stem}.{language}{picture.suffix}").write_text(drawn, encoding="utf-8")


def translated(svg: str, translations: Mapping[str, str]) -> str:
    """Return a picture with its words translated; words without a translation stay."""
    return WORDS.sub(lambda words: escape(translations.get(unescape(words[0]), unescape(words[0]))), svg)
