"""The four exercises of section 13.2 as functions, for notebooks, assignments and ``python -m d2ltl.exercises``.

Names are loaded when they are first used, so ``--help`` does not load MXNet.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
