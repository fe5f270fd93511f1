"""Texts in the columns of a terminal, in which a Chinese character takes two."""

from __future__ import annotations

import argparse
import re
import textwrap
import unicodedata
from typing import Any

WIDE = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60"  # Chinese and Japanese characters and their punctuation
# A line may end after each of them, but none begins with a closing mark or ends with an opening one.
PIECES = re.compile(rf"[（「『《【〈]*(?:[{WIDE}]|[^\s{WIDE}]+)(?:[，。、；：？！）」』》】〉]|[,.;:?!)](?!\w))*\s*")


def columns(text: str) -> int:
    """Return the number of columns that a line of text takes in a terminal."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)


def wrap(text: str, width: int) -> list[str]:
    """Return a text in lines of at most `width` columns. Between two Chinese characters, too, a line may end."""
    text = " ".join(text.split())
    if columns(text) == len(text):
        return textwrap.wrap(text, width)
    lines = [""]
    for piece in PIECES.findall(text):
        if lines[-1] and columns(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


class HelpFormatter(argparse.HelpFormatter):
    """Formatter of argparse that also wraps texts without blanks, and counts the columns before the usage."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrap(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in wrap(text, width - len(indent)))

    def _format_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None) -> str:
        prefix = argparse._("usage: ") if prefix is None else prefix  # type: ignore[attr-defined]
        as_wide = "_" * columns(prefix)
        return super()._format_usage(usage, actions, groups, as_wide).replace(as_wide, prefix, 1)
