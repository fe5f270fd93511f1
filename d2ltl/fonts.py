"""Names and labels in every script in figures: fonts of the system complete Matplotlib's own.

The last resort is a number in place of a name, and English in place of a label.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager

from _data_hub.language import N_, _, language

logger = logging.getLogger(__name__)

SHAPING = (3, 11)  # the first version of Matplotlib that joins Arabic letters and writes from right to left
LINES = 3  # of a long name


@contextlib.contextmanager
def fonts_for(texts: Iterable[str]) -> Iterator[None]:
    """Let Matplotlib draw texts in any script: in the block, fonts of the system complete its font.

    The text objects must be made in the block. They are drawn with the same fonts later.
    """
    families = dict.fromkeys(filter(None, map(_family_with, sorted(_unusual(texts)))))
    with mpl.rc_context({"font.family": [*mpl.rcParams["font.family"], *families]}):
        yield


def drawn_label(text: str, **values: Any) -> str:
    """Return a label of a figure in the language of the reader; in English if no font of the system can draw it.

    `text` is a text for `_`, and `values` are inserted into it.
    """
    translated = _(text)
    if not is_drawable(translated):
        _say_english(language())
        translated = text
    return translated.format(**values)


@functools.cache
def _say_english(name: str) -> None:
    text = _("No font on this machine has the characters of {language}, so the labels of figures are in English.")
    logger.warning(text.format(language=name))


def drawn_names(names: Sequence[str], width: int) -> list[str]:
    """Return names as a figure shows them: in lines of `width` characters; a number where a name cannot be drawn.

    The number is the index of the name, as the labels of the images are. Of a name longer than three lines, the middle
    is left out.
    """
    return [
        _wrap(name, width) if is_drawable(name) else drawn_label(N_("class {number}"), number=i)
        for i, name in enumerate(names)
    ]


def is_drawable(text: str) -> bool:
    """Return whether Matplotlib can draw all characters of a text with its own font and those of the system."""
    composed = unicodedata.normalize("NFC", text)
    if tuple(mpl.__version_info__[:2]) < SHAPING and any(map(_needs_shaping, composed)):
        return False
    return all(_family_with(character) for character in _unusual([composed]))


def _wrap(name: str, width: int) -> str:
    """Return a name in lines. The middle of a very long name is left out: names often differ in their ends."""
    composed, half = unicodedata.normalize("NFC", name), LINES * width // 2 - 1
    shown = composed if len(composed) <= LINES * width else f"{composed[:half]}…{composed[-half:]}"
    return "\n".join(textwrap.wrap(shown, width)) or shown


def _needs_shaping(character: str) -> bool:
    """Return whether a character belongs to a script whose letters change their form or order (Arabic, Hindi)."""
    return unicodedata.bidirectional(character) in ("R", "AL") or unicodedata.category(character) == "Mc"


def _unusual(texts: Iterable[str]) -> set[str]:
    """Return the characters that Matplotlib's own font lacks."""
    return {character for character in set().union(*texts) - {"\n"} if not _has(_own_font(), character)}


@functools.cache
def _own_font() -> str:
    return str(font_manager.findfont("DejaVu Sans"))


@functools.cache
def _family_with(character: str) -> str | None:
    """Return the family of a font of the system that Matplotlib can draw a character with; None if there is none."""
    for path in _system_fonts():
        if _has(path, character):
            font_manager.fontManager.addfont(path)
            return str(font_manager.get_font(path).family_name)
    return None


@functools.lru_cache(maxsize=1)
def _system_fonts() -> list[str]:
    """Return the font files of the system, without bold and slanted ones, sans-serif fonts first."""
    regular = [p for p in font_manager.findSystemFonts() if not re.search("Bold|Italic|Oblique", Path(p).stem)]
    return sorted(regular, key=lambda path: ("Sans" not in Path(path).stem, path))


def _has(path: str, character: str) -> bool:
    if ord(character) not in _characters(path):
        return False
    try:  # Matplotlib lists the coloured pictures of an emoji font, but cannot draw them
        font = font_manager.get_font(path)
        font.set_size(10, 72)
        font.load_char(ord(character))
    except RuntimeError:
        return False
    return True


@functools.cache
def _characters(path: str) -> frozenset[int]:
    """Return the code points in a font; none if Matplotlib cannot read it."""
    try:
        return frozenset(font_manager.get_font(path).get_charmap())
    except (RuntimeError, OSError):
        return frozenset()
