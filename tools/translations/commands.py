"""The catalogues of what the commands print.

`update` extracts the texts, merges them into `d2ltl.po` of each written language, derives the catalogue of Simplified
Chinese from that of Traditional Chinese, and compiles all to `d2ltl.mo`. Translators edit the files `d2ltl.po`.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from _data_hub.language import DOMAIN, LOCALE
from tools.translations import WRITTEN
from tools.translations.check import check_catalogue
from tools.translations.pages import HEAD, ROOT, read_terms, shown
from tools.translations.simplified import simplify

SIMPLIFIED, FROM = "zh_CN", "zh_TW"
EXTRACTED = ("d2ltl", "_data_hub")  # folders
CREATED = datetime(2026, 1, 1, tzinfo=timezone.utc)  # a real date would change the files with every run

# Words of argparse that users see, in Python 3.9 to 3.12.
ARGPARSE = (
    "usage: ",
    "positional arguments",
    "options",
    "optional arguments",
    "show this help message and exit",
    "%(prog)s: error: %(message)s\n",
    "argument %(argument_name)s: %(message)s",
    "the following arguments are required: %s",
    "unrecognized arguments: %s",
    "expected one argument",
    "expected at most one argument",
    "expected at least one argument",
    ("expected %s argument", "expected %s arguments"),
    "invalid %(type)s value: %(value)r",
    "invalid choice: %(value)r (choose from %(choices)s)",
    "ambiguous option: %(option)s could match %(matches)s",
    "ignored explicit argument %r",
    "not allowed with argument %s",
    "one of the arguments %s is required",
)


def update() -> None:
    """Bring the `d2ltl.po` and `d2ltl.mo` of all languages up to date with the texts in the code."""
    template = extract()
    for name in (*WRITTEN, SIMPLIFIED):
        path_of(name, ".po").parent.mkdir(parents=True, exist_ok=True)
    for name in WRITTEN:
        catalogue = read(name)
        catalogue.update(template)
        file = io.BytesIO()
        write_po(
            file, catalogue, width=0, omit_header=True, ignore_obsolete=True, include_lineno=False, sort_by_file=True
        )
        path_of(name, ".po").write_bytes(HEAD.format(name).encode() + file.getvalue())
    for name, catalogue in in_all_languages():
        path_of(name, ".mo").write_bytes(compiled(catalogue))


def check() -> Iterator[str]:
    """Say what is wrong in the catalogues, and which files are not made of them."""
    template = extract()
    for name in WRITTEN:
        for problem in check_catalogue(read(name), template, read_terms(name)):
            yield f"{shown(path_of(name, '.po'))}: {problem}"
    for name, catalogue in in_all_languages():
        if _texts(compiled(catalogue)) != _texts(path_of(name, ".mo").read_bytes()):
            yield f"{shown(path_of(name, '.mo'))} has not the texts of the .po: run make translations"


def extract() -> Catalog:
    """Return the texts in the code and in the templates, and those of argparse, without translations."""
    catalogue = Catalog()
    for text in ARGPARSE:
        catalogue.add(text, locations=[("argparse.py", 1)])
    with (ROOT / "tools/translations/babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(ROOT, methods, options, directory_filter=_has_texts)
    for file_name, line, text, comments, context in found:
        catalogue.add(text, locations=[(file_name, line)], auto_comments=comments, context=context)
    return catalogue


def _has_texts(folder: object) -> bool:
    parts = Path(str(folder)).relative_to(ROOT).parts
    return not parts or parts[0] in EXTRACTED


def read(name: str) -> Catalog:
    """Return the catalogue of a translated language; an empty one if there is no file."""
    path = path_of(name, ".po")
    if not path.exists():
        return Catalog(locale=name)
    with path.open("rb") as file:
        return read_po(file, locale=name)


def in_all_languages() -> Iterator[tuple[str, Catalog]]:
    """Yield the name and the catalogue of each language, the derived one too."""
    for name in WRITTEN:
        yield name, read(name)
    yield SIMPLIFIED, simplified(read(FROM))


def simplified(traditional: Catalog) -> Catalog:
    """Return a catalogue in Traditional characters as one in Simplified characters."""
    catalogue = Catalog(locale=SIMPLIFIED)
    for message in traditional:
        if message.id and not message.fuzzy:
            texts = message.string if isinstance(message.string, tuple) else (message.string,)
            derived = tuple(simplify(text) for text in texts)
            catalogue.add(message.id, derived if isinstance(message.string, tuple) else derived[0])
    return catalogue


def compiled(catalogue: Catalog) -> bytes:
    """Return the content of a file `d2ltl.mo`."""
    catalogue.creation_date = catalogue.revision_date = CREATED
    file = io.BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def _texts(content: bytes) -> dict[object, str]:
    """Return the texts in a `d2ltl.mo`, without its header, which names the version of Babel."""
    texts = gettext.GNUTranslations(io.BytesIO(content))._catalog  # type: ignore[attr-defined]
    return {key: text for key, text in texts.items() if key}


def path_of(name: str, suffix: str) -> Path:
    """Return the file of a language: ``.po``, which translators edit, or ``.mo``, which the commands read."""
    return LOCALE / name / "LC_MESSAGES" / f"{DOMAIN}{suffix}"
