import re
import subprocess
import sys

import pytest

from d2ltl.show import __main__ as show


def test_without_a_name_it_lists_them(capsys):
    assert show.main([]) == 0
    printed = capsys.readouterr().out
    for name, demonstration in show.DEMONSTRATIONS.items():
        assert re.search(rf"^  {name} +{re.escape(demonstration.title)}$", printed, flags=re.MULTILINE)


def test_an_unknown_name_is_a_mistake(capsys):
    with pytest.raises(SystemExit) as stop:
        show.main(["magic"])
    assert stop.value.code == 2
    assert "magic" in capsys.readouterr().err


def test_the_list_does_not_wait_for_mxnet():
    code = "import sys; from d2ltl.show.__main__ import main; main([]); assert 'mxnet' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
