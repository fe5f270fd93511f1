"""Progress bars, in a terminal and in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm.auto import tqdm


def with_progress(items: Iterable[Any], desc: str, unit: str, total: int | None = None) -> tqdm:
    """Return an iterable over `items` that shows a progress bar, which vanishes at the end.

    A notebook shows a widget, or text if ipywidgets is not installed. Nothing is shown if stderr is a file or a pipe.
    """
    disable = False if in_notebook() else None  # None: where stderr is no terminal
    return tqdm(items, desc, total, unit=unit, disable=disable, leave=False)


def in_notebook() -> bool:
    """Return whether the process is the kernel of a notebook."""
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
