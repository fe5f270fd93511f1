"""The language of what the commands print, by gettext: that of `D2LTL_LANG`, or else of the locale.

English is in the code, the other languages are in the catalogues of `d2ltl/locale`. The environment is read whenever a
text is made: results are saved in English, and are told in the language of the reader.
"""

from __future__ import annotations

import argparse
import functools
import gettext
import io
import logging
import os
import re
import sys
from pathlib import Path

DOMAIN = "d2ltl"
LOCALE = Path(__file__).resolve().parents[1] / "d2ltl" / "locale"
LANGUAGES = ("en", "vi", "zh_TW", "zh_CN")
TRADITIONAL = ("zh_tw", "zh_hk", "zh_mo", "zh_hant")  # how the names of locales in Traditional characters begin

logger = logging.getLogger("d2ltl.language")


def _(text: str) -> str:
    """Return a text in the language of the reader. Insert values afterwards: ``_("{n} images").format(n=7)``."""
    return _catalogue(language()).gettext(text) if text else ""  # gettext's answer to "" is about the catalogue


def ngettext(one: str, many: str, number: int) -> str:
    """Return the text that fits a number, in the language of the reader: `one` or `many`."""
    return _catalogue(language()).ngettext(one, many, number)


def N_(text: str) -> str:  # noqa: N802 (its name in gettext's manual)
    """Return a text as it is. It marks a text that `_` translates later, at its use."""
    return text


def retell(text: str, *templates: str) -> str:
    """Return an English text that was saved, in the language of the reader, given the templates that it may be made of.

    Examples
    --------
    >>> retell("images in photos/ itself", N_("images in {folder}/ itself"))
    'images in photos/ itself'
    """
    for template in templates:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(template))
        if values := re.fullmatch(pattern, text, re.DOTALL):
            return _(template).format(**values.groupdict())
    return _(text)


def language() -> str:
    """Return the language of the texts, one of `LANGUAGES`: that of `D2LTL_LANG`, else of the locale, else English."""
    wanted = os.environ.get("D2LTL_LANG", "")
    if wanted:
        return _language_of(wanted) or _unknown(wanted)
    locales = next(filter(None, map(os.environ.get, ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return next(filter(None, map(_language_of, locales.split(":"))), "en")


def prepare_help() -> None:
    """Let argparse translate its own words, such as "options", by `_` too; escape what the terminal cannot encode."""
    argparse._, argparse.ngettext = _, ngettext  # type: ignore[attr-defined]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _language_of(locale: str) -> str | None:
    """Return the language of a locale such as ``zh_HK.UTF-8`` or ``zh-Hant``; None if there is no such language."""
    name = locale.partition(".")[0].partition("@")[0].replace("-", "_").lower()
    code = name.partition("_")[0]
    if code == "zh":
        return "zh_TW" if name.startswith(TRADITIONAL) else "zh_CN"
    return code if code in LANGUAGES else None


@functools.cache
def _unknown(wanted: str) -> str:
    logger.warning("D2LTL_LANG is %s, and there are no texts in this language; choose from %s. English is used.",
                   wanted, ", ".join(LANGUAGES))  # fmt: skip
    return "en"


@functools.cache
def _catalogue(name: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, LOCALE, [name], fallback=True)
