"""The documentation site: `make docs` builds it into docs/_build/html."""

import shutil
import sys
from pathlib import Path

import d2ltl  # before anything loads mxnet

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # for languages.py and tools

project = "d2ltl"
release = d2ltl.__version__
copyright = "the d2ltl authors, MIT license"
extensions = [
    "languages",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "locale"]
suppress_warnings = ["toc.not_readable"]  # a copy without chapters still builds

html_theme = "furo"
html_title = f"d2ltl {release}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["narrow.css"]
templates_path = ["_templates"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "languages.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}

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


def copy_chapters(app, config) -> None:
    """Bring the notebooks and their pictures into docs/, since Sphinx reads nothing outside of it."""
    chapters = HERE / "chapters"
    if config.language != "en" and chapters.exists():  # the English pages are built first, the others side by side
        return
    shutil.rmtree(chapters, ignore_errors=True)
    for pattern in ("*.ipynb", "images/*"):
        for file in (HERE.parent / "chapters").glob(pattern):
            copy = chapters / file.relative_to(HERE.parent / "chapters")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)


def setup(app) -> None:
    """Let Sphinx copy the chapters before it looks for pages."""
    app.connect("config-inited", copy_chapters)
