"""The documentation in other languages, as an extension of Sphinx.

Another language has the pages that docs/locale translates. Its links to all other pages lead to the English ones. The
folder of a language lies in that of the English pages.
"""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

from tools.translations import LANGUAGES, WRITTEN, pictures
from tools.translations.pages import derive, folder_of, read, read_terms
from tools.translations.simplified import simplify

HERE = Path(__file__).parent
TRANSLATED = ["index", "glossary", "howto/*", "chapters/01-fine-tuning", "chapters/02-exercises"]
ENGLISH = "english://"
"""The start of an address, before the name of an English page, until it is known on which page the link is."""


def is_translated(page: str) -> bool:
    """Say whether the catalogues in docs/locale translate a page."""
    return any(fnmatch(page, pattern) for pattern in TRANSLATED)


def leave_out_pages(app) -> None:
    """In another language, and to collect what is to be translated, read only the pages that are translated."""
    if app.config.language != "en" or app.builder.name == "gettext":
        pages = [page.relative_to(HERE).with_suffix("") for page in HERE.rglob("*") if page.suffix in (".md", ".ipynb")]
        app.config.exclude_patterns += [f"{page}.*" for page in pages if not is_translated(str(page))]
        app.connect("source-read", keep_entries)
        app.connect("html-page-context", lead_to_english, priority=900)  # after the theme has written it
        app.add_post_transform(LinksToEnglish)


def keep_entries(app, page: str, source: list[str]) -> None:
    """Turn the entries of pages that are left out, in tables of contents, into links: ``Title <english://page>``."""
    if page == "index":
        source[0] = re.sub(
            r"^(\w.* <)(\S+)>$",
            lambda entry: entry[0] if is_translated(entry[2]) else f"{entry[1]}{ENGLISH}{entry[2]}>",
            source[0],
            flags=re.MULTILINE,
        )


class LinksToEnglish(SphinxPostTransform):
    """Let a link to a page that is left out lead to the English page."""

    default_priority = 8  # before MyST looks for the page

    def run(self, **kwargs) -> None:
        """Replace the links."""
        for link in list(self.document.findall(addnodes.pending_xref)):
            if link.get("refdomain") == "doc" and not is_translated(link["reftarget"]):
                anchor = f"#{link['reftargetid']}" if link.get("reftargetid") else ""
                address = english_address(self.env.docname, link["reftarget"]) + anchor
                link.replace_self(nodes.reference("", "", *link.children, refuri=address))


def english_address(page: str, english: str) -> str:
    """Return where an English page is, seen from a page in another language."""
    return "../" * (1 + page.count("/")) + english + ".html"


def lead_to_english(app, page: str, template: str, context: dict, doctree) -> None:
    """Write the addresses of English pages into the table of contents beside a page."""
    context["furo_navigation_tree"] = re.sub(
        f'{ENGLISH}([^"]+)', lambda link: english_address(page, link[1]), context["furo_navigation_tree"]
    )


def offer_languages(app, page: str, template: str, context: dict, doctree) -> None:
    """Give the template the languages: tag, name, and where the page is, or the first page if it is not translated."""
    top = "../" * (page.count("/") + (app.config.language != "en"))
    found = page if is_translated(page) else "index"
    context["languages"] = [
        (tag_of(code), name, f"{top}{page}.html" if code == "en" else f"{top}{code}/{found}.html")
        for code, name in LANGUAGES.items()
    ]


def tag_of(language: str) -> str:
    """Return how HTML calls a language."""
    return language.replace("_", "-")


class TermsInOtherLanguages(SphinxTransform):
    """Put the other languages' terms under each term of the glossary."""

    default_priority = 19  # before the page is translated, since the terms are known by their English names

    def apply(self, **kwargs) -> None:
        """Insert the terms."""
        if self.env.docname != "glossary":
            return
        terms = {language: read_terms(language) for language in WRITTEN}
        terms["en"] = {term: term for term in terms["vi"]}
        terms["zh_CN"] = {term: simplify(chinese) for term, chinese in terms["zh_TW"].items()}
        others = [language for language in LANGUAGES if language != self.config.language]
        for term in self.document.findall(nodes.term):
            line = nodes.paragraph(translatable=False)
            for language in others:
                name = terms[language].get(term.astext(), "")
                line += [nodes.strong("", name, classes=[f"language-{tag_of(language)}"]), nodes.Text(" · ")]
            line.pop()
            term.parent[-1].insert(0, line)


def derive_simplified(app, config) -> None:
    """Make the catalogues in Simplified Chinese before Sphinx reads them.

    It reads those of the pages later, but that of the templates has been read by now. So they are also made with the
    English pages, which are built before.
    """
    if config.language in ("en", "zh_CN"):
        derive()


def draw_pictures(app) -> None:
    """Write the pictures of the chapters in the language of the pages."""
    if app.config.language != "en":
        catalogue = read(folder_of(app.config.language) / f"{pictures.DOMAIN}.po")
        pictures.write_pictures(HERE / "chapters" / "images", app.config.language, catalogue)


def setup(app) -> None:
    """Connect all of this."""
    app.connect("config-inited", derive_simplified)
    app.connect("builder-inited", leave_out_pages)
    app.connect("builder-inited", draw_pictures)
    app.connect("html-page-context", offer_languages)
    app.add_transform(TermsInOtherLanguages)
