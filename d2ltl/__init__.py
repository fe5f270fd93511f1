"""d2ltl: the fine-tuning chapter of *Dive into Deep Learning*, run and measured.

Import d2ltl before mxnet: ``import d2ltl`` prepares the process for MXNet (see `d2ltl.runtime`, `d2ltl.cuda`). MXNet
itself is loaded when a public name is first used. ``__init__.pyi`` lists the public names.
"""

from typing import Any

import lazy_loader

from d2ltl import cuda, processors, runtime  # processors looks at them while runtime imports NumPy
from d2ltl.errors import explain_missing_mxnet
from d2ltl.runtime import __version__ as __version__

runtime.prepare(processors.BEGUN)
cuda.load_libraries()

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Load a public name at its first use; raise an error that says what to do if MXNet cannot be loaded."""
    with explain_missing_mxnet():
        return _load(name)
