"""``python -m tools.translations``: the pages and the commands in other languages.

The pages of the documentation have their translations in ``docs/locale``, in one catalogue for each page, and what the
commands print in ``d2ltl/locale``. The glossary's catalogue is the term base: it translates each term in one way.
"""

LANGUAGES = {"en": "English", "vi": "Tiếng Việt", "zh_TW": "繁體中文", "zh_CN": "简体中文"}
"""The languages and their own names."""

WRITTEN = ("vi", "zh_TW")
"""Those that are translated by hand. Simplified Chinese is derived from Traditional Chinese."""
