"""The four exercises of section 13.2 as functions, for notebooks, assignments and ``python -m d2ltl.exercises``.

Names are loaded when they are first used, so ``--help`` does not load MXNet.
"""

from typing import Any

import lazy_loader

from d2ltl.errors import explain_missing_mxnet

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Load a public name at its first use; raise an error that says what to do if MXNet cannot be loaded."""
    with explain_missing_mxnet():
        return _load(name)
