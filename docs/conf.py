"""The documentation site: `make docs` builds it into docs/_build/html."""

import re
import shutil
from fnmatch import fnmatch
from pathlib import Path

import d2ltl  # before anything loads mxnet

HERE = Path(__file__).parent

project = "d2ltl"
release = d2ltl.__version__
copyright = "the d2ltl authors, MIT license"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "locale"]
TRANSLATED = ["index", "glossary", "howto/*", "chapters/01-fine-tuning", "chapters/02-exercises"]
suppress_warnings = ["toc.not_readable"]  # a copy without chapters still builds

html_theme = "furo"
html_title = f"d2ltl {release}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["narrow.css"]

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the chapters are shown with the outputs that they were committed with

locale_dirs = ["locale"]
gettext_compact = False  # one catalogue for each page
gettext_uuid = False
gettext_location = False  # a catalogue changes only where the text does

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it in words
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
default_role = "py:obj"
nitpicky = True  # but a word in backticks need not be a name of the API
nitpick_ignore_regex = [("py:obj|py:class|py:exc", ".*")]


def copy_chapters(*_: object) -> None:
    """Bring the notebooks and their pictures into docs/, since Sphinx reads nothing outside of it."""
    chapters = HERE / "chapters"
    shutil.rmtree(chapters, ignore_errors=True)
    for pattern in ("*.ipynb", "images/*"):
        for file in (HERE.parent / "chapters").glob(pattern):
            copy = chapters / file.relative_to(HERE.parent / "chapters")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)


def is_translated(page: str) -> bool:
    """Say whether the catalogues in docs/locale translate a page."""
    return any(fnmatch(page, pattern) for pattern in TRANSLATED)


def leave_out_pages(app) -> None:
    """In another language, and to collect what is to be translated, read only the pages that are translated."""
    if app.config.language != "en" or app.builder.name == "gettext":
        pages = [page.relative_to(HERE).with_suffix("") for page in HERE.rglob("*") if page.suffix in (".md", ".ipynb")]
        app.config.exclude_patterns += [f"{page}.*" for page in pages if not is_translated(str(page))]
        app.connect("source-read", lead_to_english)


def lead_to_english(app, page: str, source: list[str]) -> None:
    """Turn entries of tables of contents into links, where the page is left out: ``Title <english://page>``."""
    if page == "index":
        source[0] = re.sub(
            r"^(\w.* <)(\S+>)$",
            lambda entry: entry[0] if is_translated(entry[2][:-1]) else f"{entry[1]}english://{entry[2]}",
            source[0],
            flags=re.MULTILINE,
        )


def setup(app) -> None:
    """Let Sphinx copy the chapters before it looks for pages."""
    app.connect("config-inited", copy_chapters)
    app.connect("builder-inited", leave_out_pages)
