"""What makes a translation wrong: each rule says of one message what is missing or different."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from babel.messages import Catalog, Message

KEPT = re.compile(
    r"""
    (?P<code> (?<!`)(?P<ticks>`+)(?!`) .+? (?<!`)(?P=ticks)(?!`) )
    | (?P<formula> \$\$.+?\$\$ | \$[^\s$](?:[^$]*[^\s$])?\$ )
    | (?P<link> (?<=\])\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*\) | \b[a-z]+://[^\s<>)\]，。；：、）」』]+ )
    | (?P<placeholder> \{\{.+?\}\} | \{[^{}\s]*\} | %\(\w+\)[#0+-]*\d*(?:\.\d+)?[a-z] | %[0+-]*\d*(?:\.\d+)?[sdifgr] )
    | (?P<tag> </?[a-z][^<>]*> )
    | (?P<option> (?<![\w-])--[a-z][a-z-]* )
    """,
    re.VERBOSE | re.DOTALL,
)
"""What a translation takes over as it is. Nothing in it is a word, a term or a number to the other rules."""

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
WORD = re.compile(r"(?<![\w.])[^\W\d_]+(?!\w)")
NAMES = {"Binder", "Colab", "Dask", "Docker", "Google", "Intel", "Jupyter", "Linux", "Python", "Windows"}
NAMES |= {"Kepler", "Maxwell", "Pascal"}  # generations of graphics cards
"""Names that look like words. A word with a capital behind its first letter, such as MXNet, is known to be a name."""

ANOTHER_SENSE = "another sense:"
"""``# another sense: class, image`` above a message: there, these are not the terms of the glossary."""


def check_catalogue(catalogue: Catalog, template: Catalog, terms: Mapping[str, str]) -> Iterator[str]:
    """
    Say what is wrong in a catalogue.

    Parameters
    ----------
    catalogue
        The translations.
    template
        The messages that the source has now, without translations.
    terms
        The terms in English, and the translation of each.

    Yields
    ------
    str
        A message and what is wrong with it.
    """
    source = {_text(message.id) for message in template if message.id}
    translated = {_text(message.id): message for message in catalogue if message.id}
    for text in sorted(source - translated.keys()):
        yield f"{text!r} is not in it: run make translations"
    for text, message in translated.items():
        if text not in source:
            yield f"{text!r} is no longer in the source: run make translations"
            continue
        for problem in check_message(message, terms):
            yield f"{text!r} {problem}"


def check_message(message: Message, terms: Mapping[str, str]) -> Iterator[str]:
    """Say what is wrong with the translation of one message; `terms` as in `check_catalogue`."""
    text, translation = _text(message.id), _text(message.string)
    if not translation:
        yield "has no translation"
    elif translation == text and has_words(text):
        yield "is translated by itself"
    elif message.fuzzy:
        yield "has the translation of an earlier text: change it and delete the line '#, fuzzy'"
    else:
        if number := re.match(r"(\d+)\. ", translation):
            yield rf"would be an item of a list to Markdown: begin with '{number[1]}\. '"
        yield from _differing(_kept(text), _kept(translation))
        yield from _differing(_numbers(text), _numbers(translation))
        yield from _other_terms(message, text, translation, terms)


def has_words(text: str) -> bool:
    """Say whether a text has a word to translate, outside of code, addresses and formulas, that is not a name."""
    words = [word for word in WORD.findall(_prose(text)) if len(word) > 1]
    return any(word not in NAMES and word[1:].islower() for word in words)


def find_terms(text: str, terms: Mapping[str, str]) -> set[str]:
    """Return the terms in a text, in any case, in the singular or plural; in a longer term no shorter one is found."""
    forms = {form: term for term in terms for form in _forms(term.lower())}
    longest_first = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    words = " ".join(_prose(text).lower().split())
    return {forms[form] for form in re.findall(rf"(?<![\w-])(?:{longest_first})(?![\w-])", words)}


def _forms(term: str) -> list[str]:
    """Return a term's singular and plural."""
    for end, plural in {"matrix": "matrices", "y": "ies", "s": "ses", "ch": "ches"}.items():
        if term.endswith(end):
            return [term, term[: -len(end)] + plural]
    return [term, f"{term}s"]


def _other_terms(message: Message, text: str, translation: str, terms: Mapping[str, str]) -> Iterator[str]:
    """Say which terms are not translated as in the glossary."""
    comments = [comment.partition(ANOTHER_SENSE)[2] for comment in message.user_comments]
    excepted = {term.strip() for comment in comments for term in comment.split(",")}
    for term in sorted(find_terms(text, terms) - excepted):
        if terms[term].lower() not in translation.lower():
            yield (
                f"has the term {term!r}, which is {terms[term]!r} in the glossary; "
                f"if the text means something else, write '# {ANOTHER_SENSE} {term}' above it"
            )


def _differing(text: Counter[str], translation: Counter[str]) -> Iterator[str]:
    """Say what stands more often on one side than on the other."""
    for part in text - translation:
        yield f"has {part}, which its translation lacks"
    for part in translation - text:
        yield f"has no {part}, which is in its translation"


def _kept(text: str) -> Counter[str]:
    """Count what a translation has to take over."""
    return Counter(match[0] for match in KEPT.finditer(text))


def _numbers(text: str) -> Counter[str]:
    """Count the numbers."""
    return Counter(NUMBER.findall(_prose(text)))


def _prose(text: str) -> str:
    """Return a text without what a translation takes over."""
    return KEPT.sub(" ", text)


def _text(text: str | tuple[str, ...]) -> str:
    """Return the text of a message; of one with a plural, the plural."""
    return text if isinstance(text, str) else text[-1]
