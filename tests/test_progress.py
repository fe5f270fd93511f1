import io
import sys
from types import SimpleNamespace

import pytest

KERNEL = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel="one"))
CONSOLE = SimpleNamespace(get_ipython=lambda: SimpleNamespace())
NONE = SimpleNamespace(get_ipython=lambda: None)


@pytest.mark.parametrize(("ipython", "shown"), [(KERNEL, True), (CONSOLE, False), (NONE, False), (None, False)])
def test_a_notebook_shows_progress_and_a_pipe_does_not(ipython, shown, monkeypatch):
    from d2ltl.progress import with_progress

    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert list(with_progress([1, 2], "epoch 1/2", "batch")) == [1, 2]
    assert ("epoch 1/2" in sys.stderr.getvalue()) == shown
